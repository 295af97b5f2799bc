//! What a manager sends, read by the other side: for simulated components, collectors and tests.
//!
//! Plain structures, not made for speed; the manager itself reads status reports with [`super::decode`].

use serde::Deserialize;
use serde_json::Value;

use super::{encode::Query, is_success, message_type};
use crate::model::response::RefusalDetail;

/// A message of a manager.
#[derive(Clone, Debug, PartialEq)]
pub enum FromManager {
    /// Answer to a status report, or to a line that was no message.
    Response(StatusReportResponse),
    /// The manager wants a status report.
    Request(StatusReportRequest),
    /// Something else, by its type.
    Other(String),
}

/// Q.QKDN_Mk 8.2.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReportResponse {
    /// Of the message that it answers; none where that had none.
    pub message_id: Option<String>,
    /// As in the report; empty where it could not be read.
    pub component_id: String,
    /// `success`, or a reason code and a sentence.
    pub response: String,
    /// Objects for programs.
    #[serde(default)]
    pub extension: Vec<Value>,
}

impl StatusReportResponse {
    /// Whether the report was accepted.
    #[must_use]
    pub fn is_success(&self) -> bool {
        is_success(&self.response)
    }

    /// The reason code: the part of `response` before the colon.
    #[must_use]
    pub fn code(&self) -> &str {
        self.response.split_once(':').map_or(&*self.response, |(code, _)| code)
    }

    /// What a refusal says to programs.
    #[must_use]
    pub fn detail(&self) -> RefusalDetail {
        let number = |object: &Value, key: &str| object.get(key).and_then(Value::as_u64);
        let read = |object: &Value| match object.get("type")?.as_str()? {
            "retry" => Some(RefusalDetail::Retry { after_ms: u32::try_from(number(object, "retryAfterMs")?).ok()? }),
            "sequence" => Some(RefusalDetail::Sequence {
                incarnation: number(object, "incarnation")?,
                last: number(object, "last")?,
            }),
            _ => None,
        };
        self.extension.iter().find_map(read).unwrap_or(RefusalDetail::None)
    }
}

/// Q.QKDN_Mk 8.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReportRequest {
    /// The answer carries it.
    pub message_id: String,
    /// Whose status; none: the receiver's own.
    pub component_id: Option<String>,
    /// What is asked for; none: everything.
    pub query: Option<Query>,
}

/// The line is no message of a manager.
#[derive(Debug, thiserror::Error)]
pub enum NotFromManager {
    /// Not JSON, or members of wrong types.
    #[error("not a message of a manager: {0}")]
    Json(#[from] serde_json::Error),
    /// A request that cannot be answered.
    #[error("a status report request without `messageId`")]
    NoMessageId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    message_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    message_id: Option<String>,
    component_id: Option<String>,
    #[serde(default)]
    extension: Vec<Value>,
}

/// Reads one line, with or without its LF.
pub fn decode(line: &[u8]) -> Result<FromManager, NotFromManager> {
    let head: Head = serde_json::from_slice(line)?;
    match &*head.message_type {
        message_type::STATUS_REPORT_RESPONSE => Ok(FromManager::Response(serde_json::from_slice(line)?)),
        message_type::STATUS_REPORT_REQUEST => {
            let request: Request = serde_json::from_slice(line)?;
            let is_query = |object: &&Value| object.get("type").and_then(Value::as_str) == Some("query");
            let query = request.extension.iter().find(is_query).map(Query::deserialize).transpose()?;
            Ok(FromManager::Request(StatusReportRequest {
                message_id: request.message_id.ok_or(NotFromManager::NoMessageId)?,
                component_id: request.component_id,
                query,
            }))
        }
        _ => Ok(FromManager::Other(head.message_type)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_and_requests() {
        let line = br#"{"messageType":"statusReportResponse","componentId":"a","response":"SUCCESS"}"#;
        let Ok(FromManager::Response(response)) = decode(line) else { panic!("a response") };
        assert!(response.is_success());
        assert_eq!((response.code(), response.detail()), ("SUCCESS", RefusalDetail::None));
        let line = br#"{"messageType":"statusReportRequest","messageId":"7","extension":[{"type":"other"},{"type":"query","names":["x"]}]}"#;
        let Ok(FromManager::Request(request)) = decode(line) else { panic!("a request") };
        assert_eq!(request.query.unwrap().names, ["x"]);
        assert!(decode(br#"{"messageType":"statusReportRequest"}"#).is_err());
        assert_eq!(decode(br#"{"messageType":"subscribe"}"#).unwrap(), FromManager::Other("subscribe".into()));
        assert!(decode(b"{}").is_err());
    }
}
