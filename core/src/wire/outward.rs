//! What the manager reads as subscriber at components (status protocol, section 6): answers, and what a status report says of
//! its subscription.
//!
//! In come texts that the decoder has already checked as JSON; out go values. [`super::subscription`] is strict, for those who
//! ask something of the manager. Here a component is served that was asked: its texts are bounded, and what it leaves out, or
//! says in another form, is absent. What a subscription is good for, and when to ask again, is not known here.

use serde::Deserialize;
use serde_json::Value;

use super::is_success;
use crate::{
    config::limits::{FAILED_EVENT_CHARS, FAILED_EVENTS, SUBSCRIPTION_ID_CHARS},
    model::Timestamp,
};

/// The answer to a `subscribe` or `unsubscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionAnswer {
    /// `success` or a reason.
    pub response: String,
    /// ID of the subscription, if there is one that can be used.
    pub subscription_id: Option<String>,
    /// Whether it outlives its connection.
    pub durable: bool,
    /// It ends then.
    pub expires: Option<Timestamp>,
    /// Events that were not granted, each as compact JSON or the text it is.
    pub failed_events: Vec<String>,
    /// Wait before the next attempt.
    pub retry_after_ms: Option<u64>,
    /// Numbers of notifications that are lost, told on resuming.
    pub gaps: Vec<(u64, u64)>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Granted {
    durable: Value,
    expiry_time: Value,
}

impl SubscriptionAnswer {
    /// Reads an answer's `response` and the text of its `extension`.
    #[must_use]
    pub fn read(response: &str, extension: &str) -> Self {
        let mut answer = Self { response: cut(response, FAILED_EVENT_CHARS), ..Self::default() };
        let objects: Vec<Value> = serde_json::from_str(extension).unwrap_or_default();
        for object in &objects {
            match object["type"].as_str() {
                Some("subscription") => answer.take(object),
                Some("retry") => answer.retry_after_ms = object["retryAfterMs"].as_u64(),
                Some("gap") if answer.gaps.len() < FAILED_EVENTS => answer.gaps.extend(gap(object)),
                _ => {}
            }
        }
        answer
    }

    fn take(&mut self, object: &Value) {
        let id = object["subscriptionId"].as_str();
        let usable = |id: &&str| !id.is_empty() && id.chars().count() <= SUBSCRIPTION_ID_CHARS;
        self.subscription_id = id.filter(usable).map(str::to_owned);
        // What was granted may stand in `granted`, as section 6 shows it, or beside it.
        let granted: Granted = serde_json::from_value(object["granted"].clone()).unwrap_or_default();
        self.durable = granted.durable.as_bool().or_else(|| object["durable"].as_bool()).unwrap_or(false);
        self.expires =
            granted.expiry_time.as_str().or_else(|| object["expiryTime"].as_str()).and_then(Timestamp::parse);
        let failed = object["failedEvents"].as_array().map(Vec::as_slice).unwrap_or_default();
        let show = |event: &Value| match event {
            Value::String(text) => cut(text, FAILED_EVENT_CHARS),
            other => cut(&other.to_string(), FAILED_EVENT_CHARS),
        };
        self.failed_events = failed.iter().take(FAILED_EVENTS).map(show).collect();
    }

    /// Whether it says success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        is_success(&self.response)
    }

    /// The reason code of a refusal: what stands before the colon.
    #[must_use]
    pub fn code(&self) -> &str {
        self.response.split_once(':').map_or(self.response.as_str(), |(code, _)| code).trim()
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn gap(object: &Value) -> Option<(u64, u64)> {
    object["from"].as_u64().zip(object["to"].as_u64()).filter(|(from, to)| from <= to)
}

/// What a status report says of the subscription that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It is a notification.
    Notification {
        /// Of which subscription.
        subscription_id: String,
        /// Its number.
        sequence: Option<u64>,
    },
    /// Numbers of notifications that are lost.
    Gap {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
}

impl Notice {
    /// Reads an object of type `notification` or `gap`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let object: Value = serde_json::from_str(text).ok()?;
        if object["type"] == "gap" {
            return gap(&object).map(|(from, to)| Self::Gap { from, to });
        }
        let subscription_id = object["subscriptionId"].as_str()?;
        let usable = !subscription_id.is_empty() && subscription_id.chars().count() <= SUBSCRIPTION_ID_CHARS;
        usable.then(|| Self::Notification {
            subscription_id: subscription_id.to_owned(),
            sequence: object["notificationSequence"].as_u64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_read_with_care() {
        let text = json!([
            { "type": "subscription", "subscriptionId": "a-1", "granted": { "durable": true, "expiryTime": "2030-01-01T00:00:00Z" },
              "failedEvents": ["usage", { "types": ["topology"] }] },
            { "type": "gap", "from": 3, "to": 9 }, { "type": "gap", "from": 9, "to": 3 },
        ]);
        let answer = SubscriptionAnswer::read("SUCCESS", &text.to_string());
        assert!(answer.is_success() && answer.durable && answer.expires.is_some());
        assert_eq!(answer.subscription_id.as_deref(), Some("a-1"));
        assert_eq!(answer.failed_events, ["usage", r#"{"types":["topology"]}"#]);
        assert_eq!(answer.gaps, [(3, 9)]);
        let refused = SubscriptionAnswer::read("overloaded: later", r#"[{"type":"retry","retryAfterMs":250}]"#);
        assert_eq!((refused.code(), refused.retry_after_ms), ("overloaded", Some(250)));
        let long = "x".repeat(SUBSCRIPTION_ID_CHARS + 1);
        for odd in [
            json!({}),
            json!([1, { "type": "subscription", "subscriptionId": 3, "granted": 1, "failedEvents": 2 }]),
            json!([{ "type": "subscription", "subscriptionId": long }]),
        ] {
            let answer = SubscriptionAnswer::read("success", &odd.to_string());
            assert_eq!(answer, SubscriptionAnswer { response: "success".into(), ..SubscriptionAnswer::default() });
        }
    }

    #[test]
    fn notices_are_read_with_care() {
        let notification = r#"{"type":"notification","subscriptionId":"a","notificationSequence":7}"#;
        let wanted = Notice::Notification { subscription_id: "a".into(), sequence: Some(7) };
        assert_eq!(Notice::read(notification), Some(wanted));
        assert_eq!(Notice::read(r#"{"type":"gap","from":1,"to":2}"#), Some(Notice::Gap { from: 1, to: 2 }));
        for odd in ["", "{", r#"{"type":"gap","from":-1,"to":2}"#, r#"{"type":"notification"}"#] {
            assert_eq!(Notice::read(odd), None);
        }
    }
}
