//! One target over HTTP/1.1: a request at a time, the connection kept as long as the target keeps it. Redirects are answers
//! like any other: they are not followed.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};

use super::credentials::Credentials;
use crate::{
    clock::wall_time,
    config::{
        ExporterConfig,
        limits::{EXPORTER_ANSWER_BYTES, EXPORTER_ERROR_CHARS},
    },
    export::answer::retry_after,
    manager::web::{self, Opened},
};

/// What the target said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The beginning of what it said, for people.
    pub(super) text: String,
}

pub(super) struct HttpTarget {
    config: Arc<ExporterConfig>,
    credentials: Arc<Credentials>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl HttpTarget {
    pub(super) const fn new(config: Arc<ExporterConfig>, credentials: Arc<Credentials>) -> Self {
        Self { config, credentials, connection: None }
    }

    /// Sends a body; an error says why no answer came.
    pub(super) async fn post(&mut self, headers: &HeaderMap, body: &Bytes) -> Result<Answer, String> {
        let limit = self.config.timeout;
        match tokio::time::timeout(limit, self.try_post(headers, body)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.connection = None;
                Err(format!("no answer within {limit:?}"))
            }
        }
    }

    async fn try_post(&mut self, headers: &HeaderMap, body: &Bytes) -> Result<Answer, String> {
        // The target may have closed a kept connection meanwhile: then once more on a new one.
        if let Some(kept) = self.connection.take().filter(|kept| !kept.is_closed())
            && let Ok(answer) = self.exchange(kept, headers, body).await
        {
            return Ok(answer);
        }
        let config = Arc::clone(&self.config);
        let Opened { sender, driver, .. } =
            web::open(&config.url, self.credentials.tls.as_ref(), &http1::Builder::new()).await?;
        match self.exchange(sender, headers, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(web::why(&config.url, &error, driver).await),
        }
    }

    async fn exchange(
        &mut self,
        mut sender: SendRequest<Full<Bytes>>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, hyper::Error> {
        sender.ready().await?;
        let url = &self.config.url;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = http::Method::POST;
        // Both were checked when the configuration was read.
        *request.uri_mut() = url.path.parse().unwrap_or_default();
        *request.headers_mut() = headers.clone();
        if let Ok(host) = url.authority().parse() {
            request.headers_mut().insert(header::HOST, host);
        }
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let wish = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = wish.and_then(|wish| retry_after(wish, wall_time()));
        let (bytes, is_whole) = beginning(response.into_body()).await;
        if is_whole {
            self.connection = Some(sender);
        }
        let text = String::from_utf8_lossy(&bytes);
        let text =
            text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXPORTER_ERROR_CHARS).collect();
        Ok(Answer { status, retry_after, text })
    }
}

/// The beginning of a body, and whether that is all of it. The status counts, whatever becomes of the body.
async fn beginning(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (bytes, false) };
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > EXPORTER_ANSWER_BYTES {
            bytes.truncate(EXPORTER_ANSWER_BYTES);
            return (bytes, false);
        }
    }
    (bytes, true)
}
