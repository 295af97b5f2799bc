//! The messages of the draft (Q.QKDN_Mk clauses 8.1 to 8.4) and those of subscriptions, from a component's side: what it writes, and what it
//! reads of a manager. Lines of JSON without their LF.

use serde::Deserialize;
use serde_json::{Value, json};

use super::subscriptions::Reply;
use crate::model::Timestamp;

/// A status report with its numbering.
#[must_use]
pub fn status_report(component: &str, sequence: u64, incarnation: u64, time: Timestamp, objects: &[Value]) -> String {
    json!({
        "messageType": "statusReport",
        "messageId": sequence.to_string(),
        "componentId": component,
        "time": time,
        "sequence": sequence,
        "incarnation": incarnation,
        "extension": objects,
    })
    .to_string()
}

/// The answer to a status report request.
#[must_use]
pub fn request_response(component: &str, request: &Request, objects: &[Value]) -> String {
    let wanted = request.component_id.as_deref().unwrap_or(component);
    let response = if wanted == component { "success" } else { "unknown-component: this component answers for itself" };
    let objects = if wanted == component { request.select(objects) } else { Vec::new() };
    json!({
        "messageType": "statusReportRequestResponse",
        "messageId": request.message_id,
        "componentId": wanted,
        "response": response,
        "extension": objects,
    })
    .to_string()
}

/// What a manager sends.
#[derive(Clone, Debug, PartialEq)]
pub enum FromManager {
    /// An answer to a status report.
    Response {
        /// Of the report; `None` where the manager could not read it.
        message_id: Option<String>,
        /// `success` or a reason.
        response: String,
        /// How long to wait before sending again, where the reason asks for it.
        retry_after_ms: Option<u64>,
    },
    /// A status report request.
    Request(Request),
    /// `subscribe` or `unsubscribe`.
    Subscription {
        /// To be sent back.
        message_id: String,
        /// Who is asked.
        component_id: Option<String>,
        /// Ends a subscription.
        ends: bool,
        /// The object of the extension, or null.
        asked: Value,
    },
    /// Anything else, which a component that does not know it leaves alone.
    Other,
}

/// The answer to a `subscribe`, or to an `unsubscribe` if it `ends` one.
#[must_use]
pub fn subscription_response(component: &str, message_id: &str, ends: bool, (response, object): Reply) -> String {
    json!({
        "messageType": if ends { "unsubscribeResponse" } else { "subscribeResponse" },
        "messageId": message_id,
        "componentId": component,
        "response": response,
        "extension": object.into_iter().collect::<Vec<_>>(),
    })
    .to_string()
}

/// A status report request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// To be sent back.
    pub message_id: String,
    /// Who is asked; `None`: the only one behind this connection.
    pub component_id: Option<String>,
    query: Selection,
}

/// What a query asks for, or an event of a subscription; an empty list asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Selection {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
}

impl Request {
    /// The objects that the query asks for, without values that it does not ask for.
    #[must_use]
    pub fn select(&self, objects: &[Value]) -> Vec<Value> {
        self.query.select(objects)
    }
}

impl Selection {
    /// The objects that the query asks for, without values that it does not ask for.
    #[must_use]
    pub fn select(&self, objects: &[Value]) -> Vec<Value> {
        let wanted = |list: &[String], text: &str| list.is_empty() || list.iter().any(|item| item == text);
        let selected = objects.iter().filter(|object| {
            wanted(&self.types, object["type"].as_str().unwrap_or_default())
                && wanted(&self.resources, object["resource"].as_str().unwrap_or_default())
        });
        let mut selected: Vec<Value> = selected.cloned().collect();
        if !self.names.is_empty() {
            for object in &mut selected {
                if let Some(values) = object.get_mut("values").and_then(Value::as_object_mut) {
                    values.retain(|name, _| wanted(&self.names, name));
                }
            }
            selected.retain(|object| object["values"].as_object().is_some_and(|values| !values.is_empty()));
        }
        selected
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    message_type: String,
    message_id: Option<String>,
    component_id: Option<String>,
    response: Option<String>,
    #[serde(default)]
    extension: Vec<Value>,
}

/// Reads a line of a manager.
pub fn read(line: &[u8]) -> Result<FromManager, serde_json::Error> {
    let envelope: Envelope = serde_json::from_slice(line)?;
    let object = |kind: &str| envelope.extension.iter().find(|object| object["type"] == kind);
    Ok(match (envelope.message_type.as_str(), envelope.message_id) {
        ("statusReportResponse", message_id) => FromManager::Response {
            message_id,
            response: envelope.response.unwrap_or_default(),
            retry_after_ms: object("retry").and_then(|object| object["retryAfterMs"].as_u64()),
        },
        ("statusReportRequest", Some(message_id)) => {
            let query = object("query").map(|query| serde_json::from_value(query.clone())).transpose()?;
            let query = query.unwrap_or_default();
            FromManager::Request(Request { message_id, component_id: envelope.component_id, query })
        }
        (kind @ ("subscribe" | "unsubscribe"), Some(message_id)) => FromManager::Subscription {
            message_id,
            component_id: envelope.component_id,
            ends: kind == "unsubscribe",
            asked: object("subscription").cloned().unwrap_or_default(),
        },
        _ => FromManager::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_selects() {
        let line = br#"{"messageType":"statusReportRequest","messageId":"9","extension":[{"type":"query","types":["performance"],"names":["qber_ratio"]}]}"#;
        let Ok(FromManager::Request(request)) = read(line) else { panic!() };
        let objects = [
            json!({ "type": "performance", "values": { "qber_ratio": 0.03, "snr_db": 9 } }),
            json!({ "type": "state", "values": { "qkdi_status": "ENABLED" } }),
            json!({ "type": "performance", "values": { "snr_db": 9 } }),
        ];
        assert_eq!(request.select(&objects), [json!({ "type": "performance", "values": { "qber_ratio": 0.03 } })]);
        let answer: Value = serde_json::from_str(&request_response("alice", &request, &objects)).unwrap();
        assert_eq!((&answer["messageId"], &answer["response"]), (&"9".into(), &"success".into()));
        let other = Request { component_id: Some("bob".into()), ..request };
        let answer: Value = serde_json::from_str(&request_response("alice", &other, &objects)).unwrap();
        assert!(answer["response"].as_str().unwrap().starts_with("unknown-component: "));
    }

    #[test]
    fn answers_are_read() {
        let line = br#"{"messageType":"statusReportResponse","messageId":"1","componentId":"a","response":"overloaded: full","extension":[{"type":"retry","retryAfterMs":250}]}"#;
        let expected = FromManager::Response {
            message_id: Some("1".into()),
            response: "overloaded: full".into(),
            retry_after_ms: Some(250),
        };
        assert_eq!(read(line).unwrap(), expected);
        assert_eq!(read(br#"{"messageType":"announcement","messageId":"1"}"#).unwrap(), FromManager::Other);
        assert!(read(b"{").is_err());
    }
}
