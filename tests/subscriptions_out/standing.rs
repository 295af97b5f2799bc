//! How subscriptions stand, read from the API, and what a component says to a `subscribe`.

use harness::{ManagerProcess, PATIENCE, RawClient, eventually};
use serde_json::{Value, json};

/// What the API tells of the first subscription at `mk/km-1`.
pub(crate) fn standing(manager: &ManagerProcess) -> Value {
    manager.api().get("/api/v1/components/mk/km-1").json()["outwardSubscriptions"][0].clone()
}

/// Waits until the first subscription at `mk/km-1` stands like this.
pub(crate) fn await_standing(manager: &ManagerProcess, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    eventually(what, PATIENCE, || {
        last = standing(manager);
        is_so(&last).then(|| last.clone())
    })
}

/// Waits until it is in this state.
pub(crate) fn await_state(manager: &ManagerProcess, state: &str) -> Value {
    await_standing(manager, &format!("a subscription that is {state}"), |standing| standing["state"] == state)
}

/// Receives a message of this type.
pub(crate) fn receive(client: &mut RawClient, kind: &str) -> Value {
    let message = client.receive();
    assert_eq!(message["messageType"], kind, "{message}");
    assert_eq!(message["componentId"], "km-1", "{message}");
    assert!(message["messageId"].is_string(), "{message}");
    message
}

/// Answers a `subscribe` or `unsubscribe`.
pub(crate) fn answer(client: &mut RawClient, message: &Value, response: &str, extension: Value) {
    let kind = format!("{}Response", message["messageType"].as_str().unwrap());
    client.send(&json!({ "messageType": kind, "messageId": message["messageId"], "componentId": "km-1",
        "response": response, "extension": extension }));
}

/// Grants a `subscribe` as durable.
pub(crate) fn grant(client: &mut RawClient, message: &Value, id: &str) {
    let granted = json!([{ "type": "subscription", "subscriptionId": id, "granted": { "durable": true } }]);
    answer(client, message, "success", granted);
}

/// A notification with a value.
pub(crate) fn notification(id: &str, number: u64, keys: u64) -> Value {
    json!({ "messageType": "statusReport", "messageId": format!("n{number}"), "componentId": "km-1", "extension": [
        { "type": "notification", "subscriptionId": id, "notificationSequence": number, "correlationId": "stores" },
        { "type": "performance", "values": { "stored_key_count": keys } },
    ] })
}
