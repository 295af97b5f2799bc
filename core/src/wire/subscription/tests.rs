//! Subscriptions survive the wire; what is wrong is named by its path.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{ReasonCode, Refusal};

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z*?/\"ü -]{0,12}", 0..4)
}

fn filter() -> impl Strategy<Value = EventFilter> {
    (texts(), texts(), texts(), texts()).prop_map(|(types, names, resources, components)| EventFilter {
        types,
        names,
        resources,
        components,
    })
}

fn threshold() -> impl Strategy<Value = Threshold> {
    ("[a-z_]{1,12}", -1e9..1e9_f64, 0_usize..3, 0.0..10.0_f64).prop_map(|(name, level, dir, hysteresis)| Threshold {
        name,
        level,
        matching_dir: MatchingDir::ALL[dir],
        hysteresis,
    })
}

fn spec() -> impl Strategy<Value = SubscriptionSpec> {
    let what =
        (prop::collection::vec(filter(), 1..4), 0_usize..3, 1_u64..1 << 53, prop::collection::vec(threshold(), 0..4));
    let how = (
        prop::option::of(0_u64..1 << 53),
        any::<bool>(),
        prop::option::of(1_u64..1 << 53),
        prop::option::of(0_i64..4_000_000_000_000),
        prop::option::of("[ -~]{1,64}"),
        any::<bool>(),
    );
    (what, how).prop_map(
        |((events, method, period, thresholds), (damp, now, most, expiry, correlation_id, durable))| SubscriptionSpec {
            events,
            notification_method: NotificationMethod::ALL[method],
            repetition_period_ms: Some(period),
            thresholds,
            dampening_period_ms: damp,
            immediate_report: now,
            max_reports: most,
            expiry_time: expiry.map(Timestamp),
            correlation_id,
            durable,
        },
    )
}

fn line(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
    serde_json::from_slice(&out).unwrap()
}

proptest! {
    #[test]
    fn what_is_asked_is_read_as_meant(spec in spec()) {
        let written = line(|out| subscribe(out, "s1", "net-1", &spec));
        prop_assert_eq!(&written["messageType"], "subscribe");
        prop_assert_eq!(parse_subscribe(&written["extension"].to_string()), Ok(SubscribeAsk::New(spec)));
    }

    #[test]
    fn what_is_granted_is_read_as_meant(granted in spec(), what in filter(), event in 0_usize..9) {
        let failed = FailedEvent { event, what, reason: "not-authorized: no".into() };
        let granted = Granted { subscription_id: "sub 1".into(), granted, failed_events: vec![failed] };
        let written = line(|out| subscribe_response(out, "s1", "net-1", &granted));
        prop_assert_eq!(&written["response"], "success");
        prop_assert_eq!(parse_granted(&written["extension"].to_string()), Ok(granted));
    }

    #[test]
    fn notifications_are_read_as_meant(sequence in 0_u64..1 << 53, gap in prop::option::of((0_u64..99, 0_u64..99)), correlation_id in prop::option::of("[ -~]{1,9}")) {
        let meant = Notification { subscription_id: "a".into(), correlation_id, sequence, gap };
        let text = notification_extension(&meant, [r#"{"type":"event","name":"x"}"#].into_iter());
        let written = line(|out| notification(out, "n1", "manager", &text));
        prop_assert_eq!(&written["componentId"], "manager");
        let text = written["extension"].to_string();
        prop_assert_eq!(parse_notification(&text), Ok(Some(meant)));
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let good = json!({"type": "subscription", "events": [{}], "notificationMethod": "ON_EVENT_DETECTION"});
    let cases = [
        ("events", json!([]), "extension[0].events"),
        ("events", json!("all"), "extension[0].events"),
        ("events", json!([{}, 1]), "extension[0].events[1]"),
        ("events", json!([{"types": ["a", 2]}]), "extension[0].events[0].types[1]"),
        ("events", json!([{"components": "mk/km-1"}]), "extension[0].events[0].components"),
        ("notificationMethod", json!("SOMETIMES"), "extension[0].notificationMethod"),
        ("notificationMethod", Value::Null, "extension[0].notificationMethod"),
        ("notificationMethod", json!("PERIODIC"), "extension[0].repetitionPeriodMs"),
        ("repetitionPeriodMs", json!(0), "extension[0].repetitionPeriodMs"),
        ("repetitionPeriodMs", json!(1.5), "extension[0].repetitionPeriodMs"),
        (
            "thresholds",
            json!([{"name": "a", "level": 1}, {"name": "a", "level": "1"}]),
            "extension[0].thresholds[1].level",
        ),
        ("thresholds", json!([{"level": 1}]), "extension[0].thresholds[0].name"),
        ("thresholds", json!([{"name": "a"}]), "extension[0].thresholds[0].level"),
        ("thresholds", json!([{"name": "a", "level": 1, "hysteresis": -1}]), "extension[0].thresholds[0].hysteresis"),
        (
            "thresholds",
            json!([{"name": "a", "level": 1, "matchingDir": "UP"}]),
            "extension[0].thresholds[0].matchingDir",
        ),
        ("dampeningPeriodMs", json!(-1), "extension[0].dampeningPeriodMs"),
        ("immediateReport", json!(1), "extension[0].immediateReport"),
        ("maxReports", json!(0), "extension[0].maxReports"),
        ("expiryTime", json!("tomorrow"), "extension[0].expiryTime"),
        ("correlationId", json!(""), "extension[0].correlationId"),
        ("durable", json!("yes"), "extension[0].durable"),
        ("durable", Value::Null, "extension[0].durable"),
        ("subscriptionId", json!(7), "extension[0].subscriptionId"),
        ("type", json!("subscriptions"), "extension"),
    ];
    assert!(parse_subscribe(&json!([good]).to_string()).is_ok());
    for (key, value, path) in cases {
        let mut bad = good.clone();
        bad[key] = value;
        let error = parse_subscribe(&json!([bad]).to_string()).unwrap_err();
        assert_eq!(error.path, path, "{bad}: {error}");
    }
}

#[test]
fn unknown_keys_and_other_objects_are_passed_over() {
    let ask = json!([{"type": "other"}, {"type": "subscription", "events": [{"types": ["alarm"], "colour": 1}],
        "notificationMethod": "ONE_TIME", "relay": true}]);
    let Ok(SubscribeAsk::New(spec)) = parse_subscribe(&ask.to_string()) else { panic!("{ask}") };
    assert_eq!(spec.events, [EventFilter { types: vec!["alarm".into()], ..EventFilter::default() }]);
    assert!(!spec.durable && spec.thresholds.is_empty());
}

#[test]
fn resuming_and_ending_name_the_subscription() {
    let resumed = line(|out| resume(out, "s1", "net-1", "sub-7"));
    let ask = parse_subscribe(&resumed["extension"].to_string());
    assert_eq!(ask, Ok(SubscribeAsk::Resume { subscription_id: "sub-7".into() }));
    let ended = line(|out| unsubscribe(out, "s2", "net-1", "sub-7"));
    assert_eq!(parse_subscription_id(&ended["extension"].to_string()).as_deref(), Ok("sub-7"));
    assert_eq!(parse_subscription_id("[{\"type\":\"subscription\"}]").unwrap_err().path, "extension[0].subscriptionId");
    let refused =
        line(|out| unsubscribe_response(out, "s2", "net-1", &Refusal::new(ReasonCode::Rejected, "no").into()));
    assert_eq!(
        refused,
        json!({"messageType": "unsubscribeResponse", "messageId": "s2", "componentId": "net-1", "response": "rejected: no"})
    );
    assert_eq!(parse_notification("[{\"type\":\"performance\",\"values\":{}}]"), Ok(None));
    assert_eq!(parse_notification("[{\"type\":\"notification\"}]").unwrap_err().path, "extension[0].subscriptionId");
}
