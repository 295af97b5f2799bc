//! A configured subscription as the messages say it: the object of `subscribe`, and the queries of the schedule.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    config::{Direction, EventConfig, NotificationMethod, SubscriptionConfig},
    wire::encode::Query,
};

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn lists(event: &EventConfig) -> Value {
    let lists = [("types", &event.types), ("names", &event.names), ("resources", &event.resources)];
    let given = lists.into_iter().filter(|(_, list)| !list.is_empty());
    given.map(|(key, list)| (key.to_owned(), json!(list))).collect::<Map<_, _>>().into()
}

/// The object of a `subscribe` (status protocol, section 6); with an ID it resumes that one.
#[must_use]
pub fn subscribe(config: &SubscriptionConfig, resume: Option<&str>) -> Arc<str> {
    let method = match config.method {
        NotificationMethod::Periodic => "PERIODIC",
        NotificationMethod::OneTime => "ONE_TIME",
        NotificationMethod::OnChange => "ON_EVENT_DETECTION",
    };
    let mut object = json!({
        "type": "subscription",
        "events": config.events.iter().map(lists).collect::<Vec<_>>(),
        "notificationMethod": method,
        "immediateReport": config.immediate,
        "correlationId": config.name,
        "durable": config.durable,
    });
    let more = [
        ("subscriptionId", resume.map(Value::from)),
        ("repetitionPeriodMs", config.period.map(|period| millis(period).into())),
        ("dampeningPeriodMs", config.dampening.map(|dampening| millis(dampening).into())),
        ("thresholds", (!config.thresholds.is_empty()).then(|| thresholds(config))),
    ];
    if let Some(object) = object.as_object_mut() {
        object.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    object.to_string().into()
}

fn thresholds(config: &SubscriptionConfig) -> Value {
    let direction = |direction| match direction {
        Direction::Ascending => "ASCENDING",
        Direction::Descending => "DESCENDING",
        Direction::Crossed => "CROSSED",
    };
    let threshold = |threshold: &crate::config::ThresholdConfig| {
        json!({
            "name": threshold.name,
            "level": threshold.level,
            "matchingDir": direction(threshold.direction),
            "hysteresis": threshold.hysteresis,
        })
    };
    config.thresholds.iter().map(threshold).collect()
}

/// The object of an `unsubscribe`.
#[must_use]
pub fn unsubscribe(id: &str) -> Arc<str> {
    json!({ "type": "subscription", "subscriptionId": id }).to_string().into()
}

/// The query of a status report request for one event.
#[must_use]
pub fn query(event: &EventConfig) -> Query {
    Query { types: event.types.clone(), names: event.names.clone(), resources: event.resources.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ComponentMatch, ThresholdConfig};

    #[test]
    fn what_is_configured_is_what_is_asked_for() {
        let config = SubscriptionConfig {
            name: "stores".into(),
            applies_to: ComponentMatch::default(),
            events: vec![
                EventConfig { types: vec!["performance".into()], names: vec!["qber_ratio".into()], resources: vec![] },
                EventConfig::default(),
            ],
            method: NotificationMethod::OnChange,
            period: None,
            thresholds: vec![ThresholdConfig {
                name: "qber_ratio".into(),
                level: 0.06,
                direction: Direction::Ascending,
                hysteresis: 0.01,
            }],
            dampening: Some(Duration::from_millis(1_500)),
            immediate: true,
            durable: true,
            poll_interval: None,
        };
        let object: Value = serde_json::from_str(&subscribe(&config, Some("a"))).unwrap();
        let wanted = json!({
            "type": "subscription", "subscriptionId": "a", "correlationId": "stores",
            "events": [{ "types": ["performance"], "names": ["qber_ratio"] }, {}],
            "notificationMethod": "ON_EVENT_DETECTION", "immediateReport": true, "durable": true,
            "thresholds": [{ "name": "qber_ratio", "level": 0.06, "matchingDir": "ASCENDING", "hysteresis": 0.01 }],
            "dampeningPeriodMs": 1_500,
        });
        assert_eq!(object, wanted);
        let new: Value = serde_json::from_str(&subscribe(&config, None)).unwrap();
        assert!(new.get("subscriptionId").is_none());
    }
}
