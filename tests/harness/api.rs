//! The HTTP API of a manager, read with an ordinary HTTP client.

use std::net::SocketAddr;

use serde_json::Value;
use ureq::Agent;

use crate::waiting::{eventually, patience};

/// The API of one manager.
pub struct Api {
    root: String,
    agent: Agent,
}

/// What came back.
#[derive(Debug)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, without parameters.
    pub content_type: String,
    /// Body as text.
    pub text: String,
}

impl HttpAnswer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("the API sent no JSON ({error}), status {}: {}", self.status, self.text))
    }
}

impl Api {
    /// The API at this address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience())).build();
        Self { root: format!("http://{address}"), agent: config.into() }
    }

    /// `http://address`
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Reads a path.
    ///
    /// # Panics
    /// When no HTTP answer comes.
    #[must_use]
    pub fn get(&self, path: &str) -> HttpAnswer {
        let answer = self.agent.get(format!("{}{path}", self.root)).call();
        answer_of(answer.unwrap_or_else(|error| panic!("GET {path}: {error}")))
    }

    /// Posts JSON, with a bearer token or without.
    ///
    /// # Panics
    /// When no HTTP answer comes.
    #[must_use]
    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> HttpAnswer {
        let mut request = self.agent.post(format!("{}{path}", self.root));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        answer_of(request.send_json(body).unwrap_or_else(|error| panic!("POST {path}: {error}")))
    }

    /// All items of a list, page by page.
    ///
    /// # Panics
    /// When an answer is not a list.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut page = path.to_owned();
        loop {
            let answer = self.get(&page);
            assert_eq!(answer.status, 200, "GET {page}: {}", answer.text);
            let body = answer.json();
            items.extend(
                body["items"].as_array().unwrap_or_else(|| panic!("no list at {page}: {body}")).iter().cloned(),
            );
            let Some(next) = body["next"].as_str() else { return items };
            let joint = if path.contains('?') { '&' } else { '?' };
            page = format!("{path}{joint}cursor={next}");
        }
    }

    /// The reports of a component from a number on that were accepted, in the order of acceptance.
    ///
    /// # Panics
    /// When they are not to be had.
    #[must_use]
    pub fn accepted_reports(&self, component: &str, from_sequence: u64) -> Vec<Value> {
        let path = format!("/api/v1/reports?component={component}&fromSequence={from_sequence}&limit=1000");
        let mut reports = self.list(&path);
        reports.retain(|report| report["outcome"] == "accepted" || report["outcome"] == "kept-raw");
        reports
    }

    /// Their sequence numbers, sorted.
    ///
    /// # Panics
    /// When they are not to be had.
    #[must_use]
    pub fn accepted_sequences(&self, component: &str) -> Vec<u64> {
        let mut numbers: Vec<_> =
            self.accepted_reports(component, 0).iter().filter_map(|report| report["sequence"].as_u64()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The last value that a component reported under a name, where it is a number.
    #[must_use]
    pub fn value(&self, component: &str, name: &str) -> Option<f64> {
        let body = self.get(&format!("/api/v1/components/{component}")).json();
        body["values"].as_array()?.iter().find(|value| value["name"] == name)?["value"].as_f64()
    }

    /// Waits for an alarm of this type that `matches`.
    ///
    /// # Panics
    /// When none comes in time.
    #[track_caller]
    pub fn await_alarm(&self, alarm_type: &str, matches: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("an alarm {alarm_type} that matches"), patience(), || {
            self.list("/api/v1/alarms").into_iter().find(|alarm| alarm["alarmTypeId"] == alarm_type && matches(alarm))
        })
    }

    /// The value of a metric, summed over the series whose labels contain all of `labels` (`name="value"`).
    #[must_use]
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        self.get("/metrics").text.lines().filter(|line| !line.starts_with('#')).fold(0.0, |sum, line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or((line, ""));
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            let counts = found == name && labels.iter().all(|label| rest.contains(label));
            sum + if counts { value.parse().unwrap_or(0.0) } else { 0.0 }
        })
    }
}

fn answer_of(mut answer: ureq::http::Response<ureq::Body>) -> HttpAnswer {
    let content_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or(value).trim().to_owned())
        .unwrap_or_default();
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap_or_else(|error| panic!("the body cannot be read: {error}"));
    HttpAnswer { status, content_type, text }
}
