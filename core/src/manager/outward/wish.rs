//! A configured subscription as the messages say it: the object of `subscribe`, and the queries of the schedule.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    config::{Direction, EventConfig, NotificationMethod, SubscriptionConfig, ThresholdConfig},
    wire::{
        encode::Query,
        subscription::{self as wire, EventFilter, MatchingDir, SubscriptionSpec},
    },
};

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn event(event: &EventConfig) -> EventFilter {
    EventFilter {
        types: event.types.clone(),
        names: event.names.clone(),
        resources: event.resources.clone(),
        components: Vec::new(),
    }
}

fn threshold(threshold: &ThresholdConfig) -> wire::Threshold {
    wire::Threshold {
        name: threshold.name.clone(),
        level: threshold.level,
        matching_dir: match threshold.direction {
            Direction::Ascending => MatchingDir::Ascending,
            Direction::Descending => MatchingDir::Descending,
            Direction::Crossed => MatchingDir::Crossed,
        },
        hysteresis: threshold.hysteresis,
    }
}

fn spec(config: &SubscriptionConfig) -> SubscriptionSpec {
    SubscriptionSpec {
        events: config.events.iter().map(event).collect(),
        notification_method: match config.method {
            NotificationMethod::Periodic => wire::NotificationMethod::Periodic,
            NotificationMethod::OneTime => wire::NotificationMethod::OneTime,
            NotificationMethod::OnChange => wire::NotificationMethod::OnEventDetection,
        },
        repetition_period_ms: config.period.map(millis),
        thresholds: config.thresholds.iter().map(threshold).collect(),
        dampening_period_ms: config.dampening.map(millis),
        immediate_report: config.immediate,
        max_reports: None,
        expiry_time: None,
        correlation_id: Some(config.name.clone()),
        durable: config.durable,
    }
}

/// The object of a `subscribe` (status protocol, section 6); with an ID it resumes that one. What was asked for is said
/// again then, for components that want it.
#[must_use]
pub fn subscribe(config: &SubscriptionConfig, resume: Option<&str>) -> Arc<str> {
    // Plain values: their JSON cannot fail.
    let mut object = serde_json::to_value(spec(config)).unwrap_or_default();
    if let Some(members) = object.as_object_mut() {
        members.insert("type".to_owned(), json!("subscription"));
        members.extend(resume.map(|id| ("subscriptionId".to_owned(), json!(id))));
    }
    object.to_string().into()
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
    use crate::config::ComponentMatch;
    use serde_json::Value;

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
