//! Messages to bytes: each function appends one line, LF included, to a write buffer, without values in between.

use std::io::Write as _;

use super::message_type;
use crate::model::{Response, response::RefusalDetail};

/// Appends the answer to a status report, or to a line that is no valid message.
pub fn status_report_response(out: &mut Vec<u8>, message_id: Option<&str>, component_id: &str, response: &Response) {
    answer(out, message_type::STATUS_REPORT_RESPONSE, message_id, component_id, response);
}

/// Appends the last answer of a connection that is about to be closed: it answers no message in particular.
pub fn closing(out: &mut Vec<u8>, response: &Response) {
    status_report_response(out, None, "", response);
}

/// Appends an answer of any type.
pub fn answer(
    out: &mut Vec<u8>,
    message_type: &str,
    message_id: Option<&str>,
    component_id: &str,
    response: &Response,
) {
    begin(out, message_type, message_id, Some(component_id));
    match response {
        Response::Success => out.extend_from_slice(br#","response":"success""#),
        Response::Refused(refusal) => {
            out.extend_from_slice(br#","response":"#);
            // The codes need no escapes, so the sentence alone is looked at.
            out.push(b'"');
            out.extend_from_slice(refusal.code.as_str().as_bytes());
            if !refusal.sentence.is_empty() {
                out.extend_from_slice(b": ");
                string_content(out, &refusal.sentence);
            }
            out.push(b'"');
            detail(out, refusal.detail);
        }
    }
    end(out);
}

fn detail(out: &mut Vec<u8>, detail: RefusalDetail) {
    match detail {
        RefusalDetail::None => {}
        RefusalDetail::Retry { after_ms } => {
            out.extend_from_slice(br#","extension":[{"type":"retry","retryAfterMs":"#);
            integer(out, u64::from(after_ms));
            out.extend_from_slice(b"}]");
        }
        RefusalDetail::Sequence { incarnation, last } => {
            out.extend_from_slice(br#","extension":[{"type":"sequence","incarnation":"#);
            integer(out, incarnation);
            out.extend_from_slice(br#","last":"#);
            integer(out, last);
            out.extend_from_slice(b"}]");
        }
    }
}

/// What a status report request asks for; an empty list asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Types of extension objects.
    pub types: Vec<String>,
    /// Names of values.
    pub names: Vec<String>,
    /// Resources.
    pub resources: Vec<String>,
}

/// Appends a status report request. Without a component ID the peer answers for itself; without a query it sends
/// everything it has.
pub fn status_report_request(out: &mut Vec<u8>, message_id: &str, component_id: Option<&str>, query: Option<&Query>) {
    begin(out, message_type::STATUS_REPORT_REQUEST, Some(message_id), component_id);
    if let Some(query) = query {
        out.extend_from_slice(br#","extension":[{"type":"query""#);
        for (key, texts) in [("types", &query.types), ("names", &query.names), ("resources", &query.resources)] {
            if !texts.is_empty() {
                member(out, key);
                list(out, texts);
            }
        }
        out.extend_from_slice(b"}]");
    }
    end(out);
}

/// Appends a message of any type whose extension is JSON text already.
pub fn with_extension(
    out: &mut Vec<u8>,
    message_type: &str,
    message_id: Option<&str>,
    component_id: &str,
    response: Option<&str>,
    extension: &str,
) {
    begin(out, message_type, message_id, Some(component_id));
    if let Some(response) = response {
        member(out, "response");
        string(out, response);
    }
    member(out, "extension");
    out.extend_from_slice(extension.as_bytes());
    end(out);
}

fn list(out: &mut Vec<u8>, texts: &[String]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, text);
    }
    out.push(b']');
}

fn begin(out: &mut Vec<u8>, message_type: &str, message_id: Option<&str>, component_id: Option<&str>) {
    out.extend_from_slice(br#"{"messageType":"#);
    string(out, message_type);
    for (key, id) in [("messageId", message_id), ("componentId", component_id)] {
        if let Some(id) = id {
            member(out, key);
            string(out, id);
        }
    }
}

fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n");
}

/// Comma, key and colon; for keys that need no escapes.
fn member(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    string_content(out, text);
    out.push(b'"');
}

fn string_content(out: &mut Vec<u8>, text: &str) {
    if !text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            // Writing to a `Vec` does not fail.
            '\0'..='\u{1f}' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn integer(out: &mut Vec<u8>, number: u64) {
    drop(write!(out, "{number}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReasonCode, Refusal};
    use proptest::prelude::*;
    use serde_json::json;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn answers() {
        assert_eq!(
            written(|out| status_report_response(out, Some("m1"), "km-1", &Response::Success)),
            "{\"messageType\":\"statusReportResponse\",\"messageId\":\"m1\",\"componentId\":\"km-1\",\"response\":\"success\"}\n"
        );
        let retry = Refusal::retry(ReasonCode::Overloaded, "a \"queue\" is full", 250).into();
        assert_eq!(
            written(|out| status_report_response(out, None, "km\\1", &retry)),
            "{\"messageType\":\"statusReportResponse\",\"componentId\":\"km\\\\1\",\"response\":\"overloaded: a \\\"queue\\\" is full\",\
             \"extension\":[{\"type\":\"retry\",\"retryAfterMs\":250}]}\n"
        );
        assert_eq!(
            written(|out| closing(out, &Refusal::new(ReasonCode::TooLarge, "line").into())),
            "{\"messageType\":\"statusReportResponse\",\"componentId\":\"\",\"response\":\"too-large: line\"}\n"
        );
    }

    /// Reads a line back with a JSON library.
    fn read(line: &str) -> serde_json::Value {
        assert_eq!(line.find('\n'), Some(line.len() - 1), "one line: {line}");
        serde_json::from_str(line).unwrap()
    }

    proptest! {
        #[test]
        fn answers_are_read_as_meant(id in ".{1,64}", component in "(?s).{0,40}", sentence in "(?s).{0,80}", last in any::<u64>()) {
            let mut refusal = Refusal::new(ReasonCode::Rejected, sentence);
            refusal.detail = RefusalDetail::Sequence { incarnation: 7, last };
            let response = if refusal.sentence.is_empty() { "rejected".to_owned() } else { refusal.to_string() };
            let line = written(|out| status_report_response(out, Some(&id), &component, &refusal.into()));
            prop_assert_eq!(read(&line), json!({
                "messageType": "statusReportResponse",
                "messageId": id,
                "componentId": component,
                "response": response,
                "extension": [{ "type": "sequence", "incarnation": 7, "last": last }],
            }));
        }

        #[test]
        fn requests_are_read_as_meant(id in "(?s).{1,64}", component in "(?s).{1,40}", names in prop::collection::vec("(?s).{0,9}", 1..3)) {
            let query = Query { types: vec!["performance".into()], names: names.clone(), resources: Vec::new() };
            let line = written(|out| status_report_request(out, &id, Some(&component), Some(&query)));
            prop_assert_eq!(read(&line), json!({
                "messageType": "statusReportRequest",
                "messageId": id,
                "componentId": component,
                "extension": [{ "type": "query", "types": ["performance"], "names": names }],
            }));
            let line = written(|out| status_report_request(out, &id, None, None));
            prop_assert_eq!(read(&line), json!({ "messageType": "statusReportRequest", "messageId": id }));
        }
    }
}
