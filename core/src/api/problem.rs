//! Problem documents (RFC 9457), and the one mapping from errors of the manager to HTTP.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    backend::{OperateAlarmError, ReportsError, RequestError},
    views::HistoryError,
};
use crate::{alarm::OperateError, config::limits};

/// What went wrong, for a program (`type`, `status`) and for a person (`title`, `detail`).
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem whose `type` is `urn:qkdn:problem:KIND`.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), members: Map::new(), headers: Vec::new() }
    }

    /// The same with a further member.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What went wrong, for a person.
    #[cfg(test)]
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Something is not there; the detail says what to try.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// The request does not say what it should.
    #[must_use]
    pub fn bad_request(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, title, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible now", detail)
            .retry_after_ms(limits::RETRY_UNAVAILABLE_MS)
    }

    fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much at a time", detail)
            .retry_after_ms(limits::RETRY_OVERLOADED_MS)
    }

    fn retry_after_ms(self, milliseconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(milliseconds.div_ceil(1_000)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = self.members;
        document.insert("type".to_owned(), format!("urn:qkdn:problem:{}", self.kind).into());
        document.insert("title".to_owned(), self.title.into());
        document.insert("status".to_owned(), self.status.as_u16().into());
        document.insert("detail".to_owned(), self.detail.into());
        let mut response = (self.status, Value::Object(document).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>());
        response
    }
}

/// What to try when a component is not known.
const COMPONENTS: &str = "GET /api/v1/components lists those that are known";

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let text = error.to_string();
        match error {
            RequestError::UnknownComponent(_) => Self::not_found(format!("{text}; {COMPONENTS}")),
            RequestError::NotConnected(_) => Self::new(
                StatusCode::CONFLICT,
                "not-connected",
                "Not connected",
                format!("{text}; a request needs an open connection of the component"),
            ),
            RequestError::TimedOut { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "no-answer", "No answer", text),
            RequestError::Refused { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "refused", "Refused by the component", text)
            }
            RequestError::Busy(_) => Self::busy(text),
            RequestError::Unavailable { .. } => Self::unavailable(text),
        }
    }
}

impl From<OperateAlarmError> for Problem {
    fn from(error: OperateAlarmError) -> Self {
        let text = error.to_string();
        match error {
            OperateAlarmError::UnknownAlarm(_) => Self::not_found(format!("{text}; GET /api/v1/alarms lists them")),
            OperateAlarmError::NotAllowed(OperateError::AlreadySo { .. }) => {
                Self::new(StatusCode::CONFLICT, "nothing-to-change", "Nothing to change", text)
            }
            OperateAlarmError::NotAllowed(OperateError::CommentTooLong { .. }) => {
                Self::bad_request("comment-too-long", "Comment too long", text)
            }
            OperateAlarmError::Unavailable { .. } => Self::unavailable(text),
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        let text = error.to_string();
        match error {
            HistoryError::Unknown(_) => Self::not_found(text),
            HistoryError::TooMany { .. } => Self::bad_request("too-many-points", "Too many points", text),
            HistoryError::Busy => Self::busy(text),
            HistoryError::Unavailable { .. } => Self::unavailable(text),
        }
    }
}

impl From<ReportsError> for Problem {
    fn from(error: ReportsError) -> Self {
        let text = error.to_string();
        match error {
            ReportsError::UnknownComponent(_) => Self::not_found(format!("{text}; {COMPONENTS}")),
            ReportsError::Busy => Self::busy(text),
            ReportsError::Unavailable { .. } => Self::unavailable(text),
        }
    }
}
