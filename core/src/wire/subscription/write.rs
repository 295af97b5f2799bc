//! Subscriptions to bytes: each function appends one line, LF included, to a write buffer.

use serde_json::{Map, Value, json};

use super::{Granted, Notification, SubscriptionSpec};
use crate::{
    model::Response,
    wire::{encode, message_type},
};

/// A spec as the members of its object; a `{}` that cannot be is what a failed conversion would leave.
fn members(spec: &SubscriptionSpec) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn message(out: &mut Vec<u8>, message_type: &str, message_id: &str, component_id: &str, object: &Value) {
    encode::with_extension(out, message_type, Some(message_id), component_id, None, &format!("[{object}]"));
}

/// Appends a `subscribe` for a new subscription.
pub fn subscribe(out: &mut Vec<u8>, message_id: &str, component_id: &str, spec: &SubscriptionSpec) {
    let mut object = members(spec);
    object.insert("type".to_owned(), json!("subscription"));
    message(out, message_type::SUBSCRIBE, message_id, component_id, &Value::Object(object));
}

/// Appends a `subscribe` that goes on with a durable subscription.
pub fn resume(out: &mut Vec<u8>, message_id: &str, component_id: &str, subscription_id: &str) {
    let object = json!({ "type": "subscription", "subscriptionId": subscription_id });
    message(out, message_type::SUBSCRIBE, message_id, component_id, &object);
}

/// Appends an `unsubscribe`.
pub fn unsubscribe(out: &mut Vec<u8>, message_id: &str, component_id: &str, subscription_id: &str) {
    let object = json!({ "type": "subscription", "subscriptionId": subscription_id });
    message(out, message_type::UNSUBSCRIBE, message_id, component_id, &object);
}

/// Appends the answer that grants a subscription.
pub fn subscribe_response(out: &mut Vec<u8>, message_id: &str, component_id: &str, granted: &Granted) {
    let object = json!({
        "type": "subscription",
        "subscriptionId": granted.subscription_id,
        "granted": members(&granted.granted),
        "failedEvents": granted.failed_events,
    });
    let (kind, text) = (message_type::SUBSCRIBE_RESPONSE, format!("[{object}]"));
    encode::with_extension(out, kind, Some(message_id), component_id, Some("success"), &text);
}

/// Appends the answer to an `unsubscribe`.
pub fn unsubscribe_response(out: &mut Vec<u8>, message_id: &str, component_id: &str, response: &Response) {
    encode::answer(out, message_type::UNSUBSCRIBE_RESPONSE, Some(message_id), component_id, response);
}

/// The extension of a notification: its object, the gap if there is one, then objects that are JSON text already.
#[must_use]
pub fn notification_extension<'t>(notification: &Notification, objects: impl Iterator<Item = &'t str>) -> String {
    let mut head = json!({
        "type": "notification",
        "subscriptionId": notification.subscription_id,
        "notificationSequence": notification.sequence,
    });
    if let (Some(id), Some(head)) = (&notification.correlation_id, head.as_object_mut()) {
        head.insert("correlationId".to_owned(), json!(id));
    }
    let mut text = format!("[{head}");
    if let Some((from, to)) = notification.gap {
        text.push_str(&format!(",{{\"type\":\"gap\",\"from\":{from},\"to\":{to}}}"));
    }
    for object in objects {
        text.push(',');
        text.push_str(object);
    }
    text.push(']');
    text
}

/// Appends the status report that carries a notification.
pub fn notification(out: &mut Vec<u8>, message_id: &str, component_id: &str, extension: &str) {
    encode::with_extension(out, message_type::STATUS_REPORT, Some(message_id), component_id, None, extension);
}
