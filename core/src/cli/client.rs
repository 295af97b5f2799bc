//! The client of the manager's HTTP API: blocking, one request after the other, errors that say what to try.

use std::{
    fmt::{self, Write},
    io,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::exit::CommandError;
use crate::{
    api::Page,
    config::limits,
    model::{ComponentRef, ReferencePoint},
};

/// Bytes of an answer: more than the largest page is a fault of whoever answers.
const ANSWER_BYTES: u64 = 256 << 20;

/// Which manager to speak to.
#[derive(Clone, Debug, clap::Args)]
pub struct ApiArgs {
    /// Where the manager's HTTP API is.
    #[arg(
        long,
        global = true,
        env = "QKDNM_API",
        value_name = "URL",
        default_value = "http://127.0.0.1:7100",
        help_heading = "Global options"
    )]
    pub api: String,
    /// For writing, and for reading where that needs one. From the environment only: arguments are seen by everybody on the machine.
    #[arg(skip = Token::of_environment())]
    pub token: Token,
}

/// A token of `api.tokens`, or none; never shown.
#[derive(Clone, Default)]
pub struct Token(Option<String>);

impl Token {
    /// This token; none if it is empty.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(Some(token.trim().to_owned()).filter(|token| !token.is_empty()))
    }

    fn of_environment() -> Self {
        Self::new(std::env::var("QKDNM_TOKEN").unwrap_or_default())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Token(set)" } else { "Token(none)" })
    }
}

/// A manager as seen through its API.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: Token,
}

impl Client {
    /// A client for this manager. Sends nothing yet.
    pub fn new(args: &ApiArgs) -> Result<Self, CommandError> {
        let base = args.api.trim_end_matches('/');
        if base.starts_with("https://") {
            return Err(CommandError::usage(anyhow!(
                "`{base}`: this client does not speak TLS; use an SSH tunnel (ssh -L 7100:127.0.0.1:7100 HOST) and \
                 --api http://127.0.0.1:7100"
            )));
        }
        if !base.starts_with("http://") {
            return Err(CommandError::usage(anyhow!("`{base}` is no URL; expected one such as http://127.0.0.1:7100")));
        }
        if args.token.0.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(CommandError::usage(anyhow!(
                "QKDNM_TOKEN holds a line break, a blank or another character that no token has; set it to the token alone"
            )));
        }
        // A proxy of the environment is for the web, not for a manager on this machine or behind a tunnel. Longer than
        // the API's own limit, so that its answer wins.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(limits::API_REQUEST_TIMEOUT + Duration::from_secs(10)));
        Ok(Self { agent: config.build().new_agent(), base: base.to_owned(), token: args.token.clone() })
    }

    /// Reads a document; `query` holds names and values of parameters.
    pub fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        let url = self.url(path, query)?;
        self.answer(self.authorised(self.agent.get(&url)).call())
    }

    /// Sends a document.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let request = self.authorised(self.agent.post(format!("{}{path}", self.base)));
        self.answer(request.send_json(body))
    }

    /// The request with the token, if there is one.
    fn authorised<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token.0 {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Reads a list, page after page, up to `most` items.
    pub fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> anyhow::Result<Page<T>> {
        let mut all: Page<T> = Page { items: Vec::new(), next: None };
        while all.items.len() < most {
            let limit = (most - all.items.len()).min(limits::API_PAGE_MAX);
            let mut query = query.to_vec();
            query.push(("limit", limit.to_string()));
            query.extend(all.next.take().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(path, &query)?;
            let empty = page.items.is_empty();
            all.items.extend(page.items);
            all.next = page.next;
            if empty || all.next.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// Follows `/api/v1/events`: the stream as it comes, without an end of its own.
    pub fn follow(&self, query: &[(&str, String)]) -> anyhow::Result<impl io::Read + use<>> {
        let url = self.url("/api/v1/events", query)?;
        let request = self
            .authorised(self.agent.get(&url))
            .config()
            .timeout_global(None)
            .build()
            .header("Accept", "text/event-stream");
        let answer = request.call().map_err(|error| self.unreachable(error))?;
        if !answer.status().is_success() {
            self.answer::<Value>(Ok(answer))?;
            bail!("{} does not serve events; is it a manager of this version?", self.base);
        }
        Ok(answer.into_body().into_reader())
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<String> {
        let mut url = format!("{}{path}", self.base);
        for (position, (name, value)) in query.iter().enumerate() {
            let separator = if position == 0 { '?' } else { '&' };
            write!(url, "{separator}{name}={}", percent_encoded(value))?;
        }
        Ok(url)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<T> {
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        let text = text.with_context(|| format!("the answer of {} broke off", self.base))?;
        if status.is_success() {
            return serde_json::from_str(&text).with_context(|| {
                format!("{} answered something else than expected; is it a manager of this version?", self.base)
            });
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        match problem.get("detail").and_then(Value::as_str) {
            Some(detail) => {
                let problems = problem.get("problems").and_then(Value::as_array);
                let lines = problems.into_iter().flatten().map(|problem| format!("\n  {}", problem_line(problem)));
                Err(self.refused(status.as_u16(), &format!("{detail}{}", lines.collect::<String>())))
            }
            None => bail!("{} answered with HTTP status {status}; is it a manager?", self.base),
        }
    }

    fn refused(&self, status: u16, detail: &str) -> anyhow::Error {
        let detail = as_commands(detail);
        match status {
            401 if self.token.0.is_none() => {
                anyhow!("{detail}. Commands take the token from the environment variable QKDNM_TOKEN")
            }
            401 | 403 => anyhow!("{detail}. The token of QKDNM_TOKEN was sent"),
            _ => anyhow!("{}", detail.to_owned()),
        }
    }

    fn unreachable(&self, error: ureq::Error) -> anyhow::Error {
        let base = &self.base;
        match &error {
            ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => anyhow!(
                "nothing answers at {base}: is a manager running? Start one with `qkdnm run --config FILE`, or say \
                 where it is with --api URL or QKDNM_API"
            ),
            ureq::Error::Timeout(_) => anyhow!("{base} did not answer in time: {error}"),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                anyhow!("`{base}` is no URL of a manager ({error}); expected one such as http://127.0.0.1:7100")
            }
            _ => anyhow::Error::new(error)
                .context(format!("cannot speak to a manager at {base}; check --api URL or QKDNM_API")),
        }
    }
}

/// Calls of the API that its answers point to, and the commands that make them.
const CALLS: [(&str, &str); 15] = [
    ("GET /api/v1/alarms lists", "`qkdnm alarm list --all` lists"),
    ("GET /api/v1/components lists", "`qkdnm component list` lists"),
    ("GET /api/v1/domains lists", "`qkdnm domain list` lists"),
    ("GET /api/v1/enrolments lists", "`qkdnm component list --waiting` lists"),
    ("GET /api/v1/collectors lists", "`qkdnm collector list` lists"),
    ("GET /api/v1/exporters lists", "`qkdnm exporter list` lists"),
    ("GET /api/v1/handlers lists", "`qkdnm handler list` lists"),
    ("GET /api/v1/interfaces lists", "`qkdnm interface list` lists"),
    ("GET /api/v1/peers lists", "`qkdnm peer list` lists"),
    ("GET /api/v1/plugin-activity lists", "`qkdnm plugin top --once` lists"),
    ("GET /api/v1/plugins lists", "`qkdnm plugin list` lists"),
    ("GET /api/v1/policies lists", "`qkdnm policy list` lists"),
    ("GET /api/v1/resources lists", "`qkdnm resource list` lists"),
    ("GET /api/v1/subscriptions lists", "`qkdnm subscription list` lists"),
    ("GET /api/v1/values lists", "`qkdnm value list` lists"),
];

/// An answer of the API in the words of the command line.
fn as_commands(detail: &str) -> String {
    CALLS.iter().fold(detail.to_owned(), |text, (call, command)| text.replace(call, command))
}

/// A problem of a configuration in a line: place, what is wrong, what was expected, what to do.
pub(super) fn problem_line(problem: &Value) -> String {
    let text = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or("");
    let number = |key: &str| problem.get(key).and_then(Value::as_u64).map(|number| format!("{number}:"));
    let mut line = text("file").to_owned();
    if !line.is_empty() {
        line.push(':');
        line.extend([number("line").unwrap_or_default(), number("column").unwrap_or_default()]);
        line.push(' ');
    }
    line.push_str(&format!("{}: {}", text("level"), text("message")));
    for (key, before) in [("label", " ("), ("help", "; ")] {
        if !text(key).is_empty() {
            line.push_str(&format!("{before}{}{}", text(key), if key == "label" { ")" } else { "" }));
        }
    }
    line
}

/// The path of a component, its ID encoded as one segment.
pub(super) fn component_path(component: &ComponentRef) -> String {
    let point: ReferencePoint = component.reference_point;
    format!("/api/v1/components/{point}/{}", percent_encoded(component.id.as_str()))
}

/// The path of a part of a component.
pub(super) fn resource_path(component: &ComponentRef, resource: &str) -> String {
    let point = component.reference_point;
    format!("/api/v1/resources/{point}/{}/{}", percent_encoded(component.id.as_str()), percent_encoded(resource))
}

/// A text as one segment of a path, or one value of a query.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    // A segment of dots alone would be a path of its own.
    if encoded.bytes().all(|byte| byte == b'.') { encoded.replace('.', "%2E") } else { encoded }
}
