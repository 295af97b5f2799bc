//! Section 6 of the protocol: user network managers subscribe at the manager. A real manager, components that report, and a
//! subscriber that reads line by line.

mod durable;
mod granting;
mod methods;

use harness::{ManagerProcess, RawClient, Settings, performance, report, response_code};
use serde_json::{Value, json};

/// A manager with a key manager and two user network managers, of which `net-1` sees something.
fn manager() -> ManagerProcess {
    ManagerProcess::start(settings(
        r#"sees = [{ components = ["mk/km-*"], types = ["performance", "state", "alarm", "event"] }]"#,
    ))
}

fn settings(sees: &str) -> Settings {
    Settings::one("mk", &["km-1", "km-2"])
        .interface("mu", "")
        .component("mu", "net-1", sees)
        .component("mu", "net-2", "")
}

/// A key manager or another component that reports.
struct Reporter {
    client: RawClient,
    id: &'static str,
}

impl Reporter {
    fn connect(manager: &ManagerProcess, id: &'static str) -> Self {
        Self { client: manager.connect("mk", id), id }
    }

    fn says(&mut self, extension: Value) {
        assert_eq!(response_code(&self.client.ask(&report(self.id, extension))), "success");
    }

    fn count(&mut self, keys: u64) {
        self.says(performance(json!({"stored_key_count": keys})));
    }
}

/// A user network manager.
struct Subscriber {
    client: RawClient,
    id: &'static str,
    next: u32,
}

impl Subscriber {
    fn connect(manager: &ManagerProcess, id: &'static str) -> Self {
        Self { client: manager.connect("mu", id), id, next: 0 }
    }

    fn ask(&mut self, kind: &str, mut object: Value) -> Value {
        self.next += 1;
        object["type"] = json!("subscription");
        let message_id = format!("w-{}", self.next);
        let answer = self.client.ask(&json!({
            "messageType": kind, "messageId": message_id, "componentId": self.id, "extension": [object]}));
        assert_eq!(answer["messageType"], format!("{kind}Response"), "{answer}");
        assert_eq!((&answer["messageId"], &answer["componentId"]), (&json!(message_id), &json!(self.id)));
        answer
    }

    /// Subscribes; what was granted.
    fn subscribe(&mut self, wish: Value) -> Value {
        let answer = self.ask("subscribe", wish);
        assert_eq!(answer["response"], "success", "{answer}");
        answer["extension"][0].clone()
    }

    /// To all counts of stored keys, on event.
    fn subscribe_counts(&mut self, more: Value) -> Value {
        let mut wish = json!({"events": [{"types": ["performance"], "names": ["stored_key_count"]}],
            "notificationMethod": "ON_EVENT_DETECTION"});
        for (key, value) in more.as_object().into_iter().flatten() {
            wish[key.as_str()] = value.clone();
        }
        self.subscribe(wish)
    }

    /// The next line, which is a notification; it is not answered.
    fn see(&mut self) -> Value {
        let seen = self.client.receive();
        assert_eq!(seen["messageType"], "statusReport", "{seen}");
        assert_eq!(seen["componentId"], "manager-test", "{seen}");
        assert_eq!(seen["extension"][0]["type"], "notification", "{seen}");
        seen
    }

    fn answer(&mut self, notification: &Value, response: &str) {
        self.client.send(&json!({"messageType": "statusReportResponse", "messageId": notification["messageId"],
            "componentId": "manager-test", "response": response}));
    }

    /// The next notification, answered: its number and its objects.
    fn notified(&mut self) -> (u64, Vec<Value>) {
        let seen = self.see();
        self.answer(&seen, "success");
        (number(&seen), seen["extension"].as_array().into_iter().flatten().skip(1).cloned().collect())
    }

    /// The counts in the next notification, answered.
    fn counts(&mut self) -> Vec<u64> {
        self.notified()
            .1
            .iter()
            .filter_map(|object| object["values"]["stored_key_count"].as_f64())
            .map(|v| v as u64)
            .collect()
    }

    /// Makes sure that nothing is on its way: what comes next is the answer to this.
    fn nothing_more(&mut self) {
        let answer = self.ask("unsubscribe", json!({"subscriptionId": "none"}));
        assert_eq!(response_code(&answer), "rejected");
    }
}

fn number(notification: &Value) -> u64 {
    notification["extension"][0]["notificationSequence"].as_u64().unwrap_or(0)
}
