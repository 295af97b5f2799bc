//! Lines of the status protocol, as a component that knows only PROTOCOL.md would build them, and what their answers
//! say.

use serde_json::{Value, json};

/// A status report with these objects as its extension.
#[must_use]
pub fn report(component_id: &str, extension: Value) -> Value {
    json!({ "messageType": "statusReport", "componentId": component_id, "extension": extension })
}

/// An extension of one performance object.
#[must_use]
pub fn performance(values: Value) -> Value {
    json!([{ "type": "performance", "values": values }])
}

/// `value` with `key` set: for the optional keys of a message.
#[must_use]
pub fn with(mut value: Value, key: &str, to: impl Into<Value>) -> Value {
    value[key] = to.into();
    value
}

/// `success`, or the reason code before the colon.
///
/// # Panics
/// When the answer has no `response`.
#[must_use]
pub fn response_code(answer: &Value) -> &str {
    let response = answer["response"].as_str().unwrap_or_else(|| panic!("an answer without `response`: {answer}"));
    response.split(": ").next().unwrap_or(response)
}
