//! One host of a collector over HTTP/1.1: a GET at a time, the connection kept as long as the host keeps it.
//!
//! In: a path that was found permitted. Out: status, headers and body within their bounds, or why there is no answer. A
//! redirect is none. The host's certificate and the manager's own stay here.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{Builder, SendRequest},
};

use crate::{
    config::{
        HostConfig,
        limits::{COLLECTOR_ANSWER_BYTES, COLLECTOR_HEAD_BYTES, COLLECTOR_HEADERS},
    },
    manager::web::{self, Opened},
    net::OutgoingTls,
};

/// What a host answered.
#[derive(Debug, Default)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A host that may be asked.
pub(super) struct Host {
    config: HostConfig,
    tls: Option<OutgoingTls>,
    connection: Option<SendRequest<Empty<Bytes>>>,
    /// Where it was reached last.
    pub(super) peer: Option<SocketAddr>,
}

/// Why there is no answer.
enum Failed {
    /// The connection may be an old one that the host has closed meanwhile.
    Broken(hyper::Error),
    /// It answered, and not as it may.
    Unusable(String),
}

impl Host {
    pub(super) const fn new(config: HostConfig, tls: Option<OutgoingTls>) -> Self {
        Self { config, tls, connection: None, peer: None }
    }

    /// Asks; an error says why no answer came that can be used.
    pub(super) async fn get(&mut self, path: &str, accept: &str, within: Duration) -> Result<Got, String> {
        match tokio::time::timeout(within, self.try_get(path, accept)).await {
            Ok(got) => got,
            Err(_) => {
                self.connection = None;
                Err(format!("no answer within {within:?} (`timeout` of the collector)"))
            }
        }
    }

    async fn try_get(&mut self, path: &str, accept: &str) -> Result<Got, String> {
        // The host may have closed a kept connection meanwhile: then once more on a new one.
        if let Some(kept) = self.connection.take().filter(|kept| !kept.is_closed()) {
            match self.exchange(kept, path, accept).await {
                Ok(got) => return Ok(got),
                Err(Failed::Unusable(why)) => return Err(why),
                Err(Failed::Broken(_)) => {}
            }
        }
        let mut http = Builder::new();
        http.max_headers(COLLECTOR_HEADERS).max_buf_size(COLLECTOR_HEAD_BYTES);
        let Opened { sender, driver, peer } = web::open(&self.config.url, self.tls.as_ref(), &http).await?;
        self.peer = peer;
        match self.exchange(sender, path, accept).await {
            Ok(got) => Ok(got),
            Err(Failed::Unusable(why)) => Err(why),
            Err(Failed::Broken(error)) => Err(web::why(&self.config.url, &error, driver).await),
        }
    }

    async fn exchange(
        &mut self,
        mut sender: SendRequest<Empty<Bytes>>,
        path: &str,
        accept: &str,
    ) -> Result<Got, Failed> {
        sender.ready().await.map_err(Failed::Broken)?;
        let unusable = |what: &str| Failed::Unusable(format!("the request cannot be written: {what}"));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = path.parse().map_err(|_| unusable("path"))?;
        let accept = if accept.is_empty() { "application/json" } else { accept };
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.config.url.authority().parse().map_err(|_| unusable("host"))?);
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).map_err(|_| unusable("accept"))?);
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("qkdnm-collector/", env!("CARGO_PKG_VERSION"))),
        );
        let response = sender.send_request(request).await.map_err(Failed::Broken)?;
        let (status, headers) = (response.status().as_u16(), texts(response.headers()));
        if response.status().is_redirection() {
            let why = format!("{}: status {status}; redirects are not followed", self.config.url.authority());
            return Err(Failed::Unusable(why));
        }
        let body = whole(response.into_body()).await?;
        self.connection = Some(sender);
        Ok(Got { status, headers, body })
    }
}

/// Headers as texts. Cookies are nothing to a plugin.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        let is_shown = *name != header::SET_COOKIE;
        is_shown.then(|| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).flatten()
    };
    headers.iter().filter_map(text).collect()
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failed::Unusable(format!("the answer broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > COLLECTOR_ANSWER_BYTES {
                let why = format!("the answer has more than {COLLECTOR_ANSWER_BYTES} bytes");
                return Err(Failed::Unusable(why));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
