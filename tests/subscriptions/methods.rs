//! When notifications come: each method, thresholds, dampening, the first report, and when a subscription ends.

use std::time::{Duration, Instant};

use harness::{PATIENCE, eventually, performance};
use serde_json::json;

use super::{Reporter, Subscriber, manager};

#[test]
fn changes_are_notified_with_their_subject_and_repeats_are_not() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    km.count(5);
    let granted = net.subscribe_counts(json!({"correlationId": "mine"}));
    km.count(5);
    km.count(6);
    let seen = net.see();
    let head = &seen["extension"][0];
    assert_eq!(head["subscriptionId"], granted["subscriptionId"], "{seen}");
    assert_eq!((&head["correlationId"], &head["notificationSequence"]), (&json!("mine"), &json!(1)));
    let object = &seen["extension"][1];
    assert_eq!(object["subject"], json!({"referencePoint": "mk", "componentId": "km-1"}));
    assert_eq!((&object["type"], &object["values"]), (&json!("performance"), &json!({"stored_key_count": 6.0})));
    net.answer(&seen, "success");
    km.count(7);
    assert_eq!(net.notified().0, 2);
    net.nothing_more();
}

#[test]
fn thresholds_are_notified_in_their_direction_with_hysteresis() {
    let manager = manager();
    let mut km = Reporter::connect(&manager, "km-1");
    let values = [20, 9, 10, 12, 9, 7, 11, 25, 4];
    for (dir, expected) in [("ASCENDING", vec![11]), ("DESCENDING", vec![9, 4]), ("CROSSED", vec![7, 25, 4])] {
        let mut net = Subscriber::connect(&manager, "net-1");
        km.count(20);
        let threshold = json!({"name": "stored_key_count", "level": 10, "matchingDir": dir, "hysteresis": 2});
        let granted = net.subscribe_counts(json!({"thresholds": [threshold]}));
        for value in values {
            km.count(value);
        }
        let seen: Vec<u64> = expected.iter().flat_map(|_| net.counts()).collect();
        assert_eq!(seen, expected, "{dir}");
        assert_eq!(granted["granted"]["thresholds"][0]["matchingDir"], dir);
        net.nothing_more();
    }
}

#[test]
fn dampening_holds_back_and_tells_the_last_value() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let granted = net.subscribe_counts(json!({"dampeningPeriodMs": 500}));
    assert_eq!(granted["granted"]["dampeningPeriodMs"], 500);
    km.count(1);
    assert_eq!(net.counts(), [1]);
    let since = Instant::now();
    (2..=30).for_each(|keys| km.count(keys));
    let mut last = 0;
    while last != 30 {
        last = net.counts()[0];
        assert!(last > 1);
    }
    assert!(since.elapsed() >= Duration::from_millis(300), "held back: {:?}", since.elapsed());
    net.nothing_more();
}

#[test]
fn periodic_reports_say_how_things_are() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let events = json!([{"types": ["performance"]}]);
    let granted = net.subscribe(
        json!({"events": events, "notificationMethod": "PERIODIC", "repetitionPeriodMs": 1, "maxReports": 3}),
    );
    assert_eq!(granted["granted"]["repetitionPeriodMs"], 100, "the least period is granted instead");
    assert_eq!(net.notified(), (1, vec![]), "nothing is known yet");
    km.says(performance(json!({"stored_key_count": 3, "relay_hops": 2})));
    let mut numbers = vec![1];
    while numbers.len() < 3 {
        numbers.push(net.notified().0);
    }
    assert_eq!(numbers, [1, 2, 3]);
    eventually("the end after three reports", PATIENCE, || {
        manager.api().list("/api/v1/subscriptions").is_empty().then_some(())
    });
}

#[test]
fn an_immediate_report_comes_at_once_and_one_time_is_once() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    km.count(41);
    net.subscribe_counts(json!({"immediateReport": true}));
    assert_eq!(net.counts(), [41]);
    net.subscribe_counts(json!({"notificationMethod": "ONE_TIME"}));
    km.count(42);
    km.count(43);
    let mut seen = [net.counts(), net.counts(), net.counts()].concat();
    seen.sort_unstable();
    assert_eq!(seen, [42, 42, 43], "one of them is once");
    net.nothing_more();
}

#[test]
fn subscriptions_end_when_they_expire_and_when_they_are_told_to() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let past = net.ask(
        "subscribe",
        json!({"events": [{}], "notificationMethod": "ONE_TIME", "expiryTime": "2020-01-01T00:00:00Z"}),
    );
    assert!(past["response"].as_str().unwrap().starts_with("rejected: expiryTime"), "{past}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let soon = qkdn_manager::model::Timestamp(i64::try_from(now).unwrap() * 1_000 + 2_000).to_string();
    net.subscribe_counts(json!({"expiryTime": soon}));
    let other = net.subscribe_counts(json!({}));
    let answer = net.ask("unsubscribe", json!({"subscriptionId": other["subscriptionId"]}));
    assert_eq!(answer["response"], "success");
    km.count(1);
    assert_eq!(net.counts(), [1], "one is left");
    eventually("the subscription's expiry", PATIENCE, || {
        manager.api().list("/api/v1/subscriptions").is_empty().then_some(())
    });
    km.count(2);
    net.nothing_more();
}

#[test]
fn alarms_and_events_come_as_they_are() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    manager.expect_warnings();
    net.subscribe(json!({"events": [{"types": ["alarm", "event"]}], "notificationMethod": "ON_EVENT_DETECTION"}));
    km.says(json!([{"type": "event", "name": "restarted", "reason": "update"}]));
    let (_, objects) = net.notified();
    assert_eq!((&objects[0]["name"], &objects[0]["reason"]), (&json!("restarted"), &json!("update")));
    let alarm = json!({"type": "alarm", "alarmTypeId": "key-store-low", "severity": "major", "text": "low"});
    km.says(json!([alarm]));
    let (_, objects) = net.notified();
    assert_eq!((&objects[0]["alarmTypeId"], &objects[0]["severity"]), (&json!("key-store-low"), &json!("major")));
    km.says(json!([{"type": "alarm", "alarmTypeId": "key-store-low", "cleared": true}]));
    assert_eq!(net.notified().1[0]["cleared"], true);
}
