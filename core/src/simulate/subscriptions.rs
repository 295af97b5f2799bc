//! The subscriptions at a simulated component: answers to `subscribe` and `unsubscribe`, and the extensions of notifications.
//!
//! They live as long as the component does; those that are not durable as long as their connection. Lost notifications there
//! are none to tell of: each is kept until it is answered, and none is made while there is no room for another.

use serde_json::{Value, json};

use super::trigger::{Trigger, Wish};

/// Subscriptions at a time.
const MOST: usize = 32;

#[derive(Debug)]
struct Subscription {
    id: String,
    correlation: Option<Value>,
    durable: bool,
    sequence: u64,
    trigger: Trigger,
}

/// All subscriptions at a component.
#[derive(Debug, Default)]
pub struct Subscriptions {
    all: Vec<Subscription>,
    next: u64,
}

/// What is to be answered: the response and the object of the extension.
pub type Reply = (String, Option<Value>);

impl Subscriptions {
    /// Answers a `subscribe` with this object; `status` is what is so now.
    pub fn subscribe(&mut self, asked: &Value, status: &[Value], now: u64) -> Reply {
        if let Some(id) = asked.get("subscriptionId") {
            let known = self.all.iter().find(|one| one.id == *id);
            return known.map_or_else(unknown, |one| granted(&one.id, one.durable));
        }
        let wish: Wish = match serde_json::from_value(asked.clone()) {
            Ok(wish) => wish,
            Err(error) => return (format!("rejected: {error}"), None),
        };
        if let Some(complaint) = wish.complaint() {
            return (format!("rejected: {complaint}"), None);
        }
        if self.all.len() >= MOST {
            return (format!("rejected: {MOST} subscriptions at most"), None);
        }
        self.next += 1;
        // An ID of before a restart must not fit a subscription of now.
        let id = format!("{}-{:08x}", self.next, fastrand::u32(..));
        let durable = asked["durable"] == true;
        let reply = granted(&id, durable);
        let (correlation, mut trigger) = (asked.get("correlationId").cloned(), Trigger::new(wish, now));
        trigger.learn(status);
        self.all.push(Subscription { id, correlation, durable, sequence: 0, trigger });
        reply
    }

    /// Answers an `unsubscribe` with this object.
    pub fn unsubscribe(&mut self, asked: &Value) -> Reply {
        let before = self.all.len();
        self.all.retain(|one| asked["subscriptionId"] != *one.id);
        if self.all.len() == before {
            return unknown();
        }
        ("success".to_owned(), Some(json!({ "type": "subscription", "subscriptionId": asked["subscriptionId"] })))
    }

    /// The connection is gone, and with it what is not durable.
    pub fn connection_lost(&mut self) {
        self.all.retain(|one| one.durable);
    }

    /// When to look even if nothing changes, in milliseconds.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.all.iter().filter_map(|one| one.trigger.due()).min()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The extension of one notification that what is so now gives reason for.
    pub fn notification(&mut self, status: &[Value], now: u64) -> Option<Vec<Value>> {
        let told = self.all.iter_mut().find_map(|one| {
            let objects = one.trigger.look(status, now)?;
            one.sequence += 1;
            let mut head =
                json!({ "type": "notification", "subscriptionId": one.id, "notificationSequence": one.sequence });
            if let (Some(correlation), Some(head)) = (&one.correlation, head.as_object_mut()) {
                head.insert("correlationId".to_owned(), correlation.clone());
            }
            Some(std::iter::once(head).chain(objects).collect())
        });
        self.all.retain(|one| !one.trigger.is_over());
        told
    }
}

fn granted(id: &str, durable: bool) -> Reply {
    let object =
        json!({ "type": "subscription", "subscriptionId": id, "granted": { "durable": durable }, "failedEvents": [] });
    ("success".to_owned(), Some(object))
}

fn unknown() -> Reply {
    ("rejected: there is no subscription of this ID here".to_owned(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(more: &Value) -> Value {
        let mut object = json!({ "type": "subscription", "events": [{}], "notificationMethod": "ON_EVENT_DETECTION",
            "immediateReport": true, "correlationId": "c" });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    }

    fn id(reply: &Reply) -> String {
        assert_eq!(reply.0, "success");
        reply.1.as_ref().unwrap()["subscriptionId"].as_str().unwrap().to_owned()
    }

    #[test]
    fn notifications_are_numbered_for_each_subscription() {
        let mut served = Subscriptions::default();
        let first = id(&served.subscribe(&asked(&json!({ "durable": true })), &[], 0));
        let second = id(&served.subscribe(&asked(&json!({})), &[], 0));
        let status = |count: u32| vec![json!({ "type": "performance", "values": { "stored_key_count": count } })];
        let mut told = Vec::new();
        for count in [1, 2] {
            while let Some(extension) = served.notification(&status(count), 0) {
                assert_eq!((&extension[0]["correlationId"], &extension[1]), (&"c".into(), &status(count)[0]));
                told.push((extension[0]["subscriptionId"].clone(), extension[0]["notificationSequence"].clone()));
            }
        }
        let wanted = [(&first, 1), (&second, 1), (&first, 2), (&second, 2)];
        assert_eq!(told, wanted.map(|(id, number)| (Value::from(id.as_str()), Value::from(number))));
        served.connection_lost();
        let resume = |id: &str| json!({ "type": "subscription", "subscriptionId": id });
        assert_eq!(id(&served.subscribe(&resume(&first), &[], 0)), first);
        assert!(served.subscribe(&resume(&second), &[], 0).0.starts_with("rejected: "));
        assert_eq!(served.unsubscribe(&resume(&first)).0, "success");
        assert!(served.unsubscribe(&resume(&first)).0.starts_with("rejected: "));
        assert!(served.is_empty());
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let mut served = Subscriptions::default();
        for bad in [json!({ "events": [] }), json!({ "notificationMethod": "PERIODIC" }), json!({ "thresholds": 3 })] {
            assert!(served.subscribe(&asked(&bad), &[], 0).0.starts_with("rejected: "));
        }
        (0..MOST).for_each(|_| drop(id(&served.subscribe(&asked(&json!({})), &[], 0))));
        assert!(served.subscribe(&asked(&json!({})), &[], 0).0.starts_with("rejected: "));
    }
}
