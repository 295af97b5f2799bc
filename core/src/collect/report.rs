//! What a collector learned, said in the manager's own protocol: status reports as lines, and what the manager answers.
//!
//! In: the extension as the collector wrote it, which is believed in nothing but that it is one JSON array. Out: lines.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{encode, message_type};

/// An extension that is one JSON array and nothing behind it, on one line.
///
/// # Errors
/// What it is instead.
pub fn one_array(extension: &str) -> Result<String, String> {
    let _objects: Vec<&RawValue> =
        serde_json::from_str(extension).map_err(|error| format!("the extension is no JSON array: {error}"))?;
    // In JSON a line's end stands between values only.
    Ok(extension.replace(['\n', '\r'], " "))
}

/// The arrays of several reports as one.
#[must_use]
pub fn joined(arrays: &[String]) -> String {
    let inside = |array: &String| {
        let array = array.trim();
        array.get(1..array.len().saturating_sub(1)).unwrap_or_default().trim().to_owned()
    };
    let parts: Vec<String> = arrays.iter().map(inside).filter(|part| !part.is_empty()).collect();
    format!("[{}]", parts.join(","))
}

/// A status report.
#[must_use]
pub fn status_report(component: &str, message_id: &str, extension: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(extension.len() + 128);
    encode::with_extension(&mut line, message_type::STATUS_REPORT, Some(message_id), component, None, extension);
    line
}

/// The answer to a status report request.
#[must_use]
pub fn request_response(component: &str, message_id: &str, extension: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(extension.len() + 128);
    let kind = message_type::STATUS_REPORT_REQUEST_RESPONSE;
    encode::with_extension(&mut line, kind, Some(message_id), component, Some("success"), extension);
    line
}

/// What the manager says to a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The answer to a report: its number, and `success` or a reason.
    Answer(String, String),
    /// It wants a report now.
    Request(String),
    /// Something that a collector leaves alone.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    message_type: String,
    message_id: Option<String>,
    response: Option<String>,
}

/// Reads a line of the manager's.
#[must_use]
pub fn heard(line: &[u8]) -> Heard {
    let Ok(Envelope { message_type, message_id, response }) = serde_json::from_slice(line) else { return Heard::Other };
    match (message_type.as_str(), message_id) {
        (message_type::STATUS_REPORT_RESPONSE, id) => {
            Heard::Answer(id.unwrap_or_default(), response.unwrap_or_default())
        }
        (message_type::STATUS_REPORT_REQUEST, Some(id)) => Heard::Request(id),
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_array_becomes_part_of_a_line() {
        assert_eq!(one_array("[\n {\"type\":\"event\"}\r\n]").unwrap(), "[  {\"type\":\"event\"}  ]");
        for bad in ["", "{}", "[]}", "[],\"componentId\":\"other\"", "[1,]", "[] []"] {
            assert!(one_array(bad).is_err(), "{bad}");
        }
        let line = status_report("kme \"1\"", "7", "[{}]");
        let told: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&told["componentId"], &told["extension"]), (&"kme \"1\"".into(), &serde_json::json!([{}])));
    }

    #[test]
    fn arrays_are_joined() {
        let arrays = ["[]".to_owned(), "[{\"a\":1}]".to_owned(), " [ {\"b\":2} ] ".to_owned()];
        assert_eq!(joined(&arrays), "[{\"a\":1},{\"b\":2}]");
        assert_eq!(joined(&[]), "[]");
    }

    #[test]
    fn what_the_manager_says_is_read() {
        let line = br#"{"messageType":"statusReportResponse","messageId":"1","componentId":"a","response":"success"}"#;
        assert_eq!(heard(line), Heard::Answer("1".to_owned(), "success".to_owned()));
        let line = br#"{"messageType":"statusReportRequest","messageId":"m1"}"#;
        assert_eq!(heard(line), Heard::Request("m1".to_owned()));
        assert_eq!(heard(br#"{"messageType":"subscribe","messageId":"m2"}"#), Heard::Other);
        assert_eq!(heard(b"{"), Heard::Other);
    }
}
