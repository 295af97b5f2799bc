//! Messages to bytes: each function appends one line, LF included, to a write buffer, without values in between.

use std::io::Write as _;

use super::message_type;
use crate::model::{Response, Timestamp, response::RefusalDetail};

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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
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
                list(out, b"[]", texts, |out, text| string(out, text));
            }
        }
        out.extend_from_slice(b"}]");
    }
    end(out);
}

/// A status report or the answer to a request, as a component sends it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusReport {
    /// Chosen by the sender; mandatory in an answer.
    pub message_id: Option<String>,
    /// Who reports.
    pub component_id: String,
    /// Source time.
    pub time: Option<Timestamp>,
    /// Number of the report.
    pub sequence: Option<u64>,
    /// Incarnation of the numbering.
    pub incarnation: Option<u64>,
    /// Objects of the extension; none leaves it out.
    pub objects: Vec<ReportObject>,
}

/// An extension object, as a component sends it.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportObject {
    /// `performance`; values that are not finite are left out, JSON has no such numbers.
    Performance {
        /// Part of the component.
        resource: Option<String>,
        /// Names and values.
        values: Vec<(String, f64)>,
    },
    /// `state`
    State {
        /// Part of the component.
        resource: Option<String>,
        /// Names and values.
        values: Vec<(String, StateValue)>,
    },
    /// An object of any type, as JSON text on one line.
    Json(String),
}

/// A value of a `state` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateValue {
    /// A word.
    Word(String),
    /// A flag.
    Flag(bool),
}

/// Appends a status report.
pub fn status_report(out: &mut Vec<u8>, report: &StatusReport) {
    begin(out, message_type::STATUS_REPORT, report.message_id.as_deref(), Some(&report.component_id));
    report_body(out, report);
    end(out);
}

/// Appends the answer to a status report request.
pub fn status_report_request_response(out: &mut Vec<u8>, report: &StatusReport, response: &str) {
    let message_type = message_type::STATUS_REPORT_REQUEST_RESPONSE;
    begin(out, message_type, report.message_id.as_deref(), Some(&report.component_id));
    member(out, "response");
    string(out, response);
    report_body(out, report);
    end(out);
}

fn report_body(out: &mut Vec<u8>, report: &StatusReport) {
    if let Some(time) = report.time {
        member(out, "time");
        string(out, &time.to_string());
    }
    for (key, number) in [("sequence", report.sequence), ("incarnation", report.incarnation)] {
        if let Some(number) = number {
            member(out, key);
            integer(out, number);
        }
    }
    if !report.objects.is_empty() {
        member(out, "extension");
        list(out, b"[]", &report.objects, object);
    }
}

fn object(out: &mut Vec<u8>, object: &ReportObject) {
    match object {
        ReportObject::Json(text) => out.extend_from_slice(text.as_bytes()),
        ReportObject::Performance { resource, values } => {
            object_head(out, "performance", resource.as_deref());
            let finite = values.iter().filter(|(_, value)| value.is_finite());
            list(out, b"{}", finite, |out, (name, value)| {
                string(out, name);
                out.push(b':');
                number(out, *value);
            });
            out.push(b'}');
        }
        ReportObject::State { resource, values } => {
            object_head(out, "state", resource.as_deref());
            list(out, b"{}", values, |out, (name, value)| {
                string(out, name);
                out.push(b':');
                match value {
                    StateValue::Word(word) => string(out, word),
                    StateValue::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
                }
            });
            out.push(b'}');
        }
    }
}

fn object_head(out: &mut Vec<u8>, kind: &str, resource: Option<&str>) {
    out.extend_from_slice(br#"{"type":"#);
    string(out, kind);
    if let Some(resource) = resource {
        member(out, "resource");
        string(out, resource);
    }
    member(out, "values");
}

fn list<T>(
    out: &mut Vec<u8>,
    [open, close]: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(*open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(*close);
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

fn number(out: &mut Vec<u8>, value: f64) {
    drop(serde_json::to_writer(out, &value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ReasonCode, Refusal},
        wire::peer::{self, FromManager},
    };
    use proptest::prelude::*;

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

    #[test]
    fn reports() {
        let report = StatusReport {
            message_id: Some("1".into()),
            component_id: "km-1".into(),
            time: Some(Timestamp(0)),
            sequence: Some(4),
            incarnation: Some(2),
            objects: vec![
                ReportObject::Performance {
                    resource: Some("l".into()),
                    values: vec![("a".into(), f64::NAN), ("b".into(), 0.5), ("c".into(), 1e300)],
                },
                ReportObject::State {
                    resource: None,
                    values: vec![("s".into(), StateValue::Word("up".into())), ("f".into(), StateValue::Flag(true))],
                },
                ReportObject::Json("{}".into()),
            ],
        };
        assert_eq!(
            written(|out| status_report(out, &report)),
            "{\"messageType\":\"statusReport\",\"messageId\":\"1\",\"componentId\":\"km-1\",\"time\":\"1970-01-01T00:00:00.000Z\",\
             \"sequence\":4,\"incarnation\":2,\"extension\":[{\"type\":\"performance\",\"resource\":\"l\",\"values\":{\"b\":0.5,\
             \"c\":1e+300}},{\"type\":\"state\",\"values\":{\"s\":\"up\",\"f\":true}},{}]}\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in ".{1,64}", component in ".{0,40}", sentence in ".{0,80}", last in any::<u64>()) {
            let mut refusal = Refusal::new(ReasonCode::Rejected, sentence);
            refusal.detail = RefusalDetail::Sequence { incarnation: 7, last };
            let line = written(|out| status_report_response(out, Some(&id), &component, &refusal.clone().into()));
            let Ok(FromManager::Response(read)) = peer::decode(line.as_bytes()) else { panic!("{line}") };
            prop_assert_eq!(read.detail(), refusal.detail);
            prop_assert_eq!(read.message_id, Some(id));
            prop_assert_eq!(read.component_id, component);
            let expected = if refusal.sentence.is_empty() { "rejected".to_owned() } else { refusal.to_string() };
            prop_assert_eq!(read.response, expected);
            prop_assert_eq!(line.matches('\n').count(), 1);
        }

        #[test]
        fn requests_are_read(id in ".{1,64}", component in prop::option::of(".{1,40}"), texts in prop::collection::vec(".{0,9}", 0..3)) {
            let query = Query { types: vec!["performance".into()], names: texts, resources: Vec::new() };
            let line = written(|out| status_report_request(out, &id, component.as_deref(), Some(&query)));
            let Ok(FromManager::Request(read)) = peer::decode(line.as_bytes()) else { panic!("{line}") };
            prop_assert_eq!(read.query, Some(query));
            prop_assert_eq!((read.message_id, read.component_id), (id, component));
        }
    }
}
