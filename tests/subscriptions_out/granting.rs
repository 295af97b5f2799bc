//! A component that serves subscriptions: what it is asked for, what its notifications become.

use harness::{ManagerProcess, Settings, response_code};
use serde_json::json;

use crate::standing::{answer, await_standing, await_state, grant, notification, receive, standing};

const STORES: &str = r#"
[[subscriptions]]
name = "stores"
applies_to = { reference_point = ["mk"], id = ["km-*"] }
events = [{ types = ["performance"], names = ["stored_key_count"] }, { types = ["alarm"] }]
method = "on-change"
thresholds = [{ name = "stored_key_count", level = 20, direction = "descending", hysteresis = 5 }]
dampening = "250ms"
durable = true
"#;

fn manager() -> ManagerProcess {
    ManagerProcess::start(Settings::one("mk", &["km-1", "other"]).with(STORES))
}

#[test]
fn notifications_are_status_reports_and_missing_numbers_are_told() {
    let manager = manager();
    assert_eq!(standing(&manager)["state"], "not-connected");
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    let wanted = json!([{
        "type": "subscription", "correlationId": "stores", "notificationMethod": "ON_EVENT_DETECTION",
        "events": [{ "types": ["performance"], "names": ["stored_key_count"] }, { "types": ["alarm"] }],
        "thresholds": [{ "name": "stored_key_count", "level": 20.0, "matchingDir": "DESCENDING", "hysteresis": 5.0 }],
        "dampeningPeriodMs": 250, "immediateReport": true, "durable": true,
    }]);
    assert_eq!(subscribe["extension"], wanted);
    assert_eq!(standing(&manager)["state"], "pending");
    // A notification may come in one write with the answer, and before the manager has looked at it.
    let granted = json!([{ "type": "subscription", "subscriptionId": "s-1", "granted": { "durable": true },
        "failedEvents": [{ "types": ["alarm"] }] }]);
    answer(&mut client, &subscribe, "success", granted);
    assert_eq!(response_code(&client.ask(&notification("s-1", 1, 50))), "success");
    assert_eq!(response_code(&client.ask(&notification("s-1", 4, 19))), "success");
    assert_eq!(response_code(&client.ask(&notification("s-1", 4, 19))), "success");
    let standing = await_standing(&manager, "three notifications", |standing| standing["notifications"] == 3);
    assert_eq!(standing["state"], "granted");
    assert_eq!((&standing["subscriptionId"], &standing["missing"]), (&json!("s-1"), &json!(2)));
    assert_eq!(standing["failedEvents"], json!([r#"{"types":["alarm"]}"#]));
    assert_eq!(manager.api().value("mk/km-1", "stored_key_count"), Some(19.0));
    // What the component tells as lost is counted once.
    let mut gap = notification("s-1", 9, 18);
    gap["extension"].as_array_mut().unwrap().insert(1, json!({ "type": "gap", "from": 5, "to": 8 }));
    assert_eq!(response_code(&client.ask(&gap)), "success");
    assert_eq!(response_code(&client.ask(&notification("stranger", 1, 18))), "success");
    await_standing(&manager, "the gap", |standing| standing["missing"] == 6);
    let metric = |name: &str| manager.api().metric(name, &[]);
    for (name, count) in [
        ("qkdn_outward_notifications_received_total", 5.0),
        ("qkdn_outward_notifications_missed_total", 6.0),
        ("qkdn_outward_notifications_unknown_total", 1.0),
        ("qkdn_outward_subscribes_sent_total", 1.0),
        ("qkdn_outward_subscriptions_granted", 1.0),
    ] {
        assert!((metric(name) - count).abs() < 0.5, "{name} is {}", metric(name));
    }
    let shown = manager.command(&["component", "show", "mk/km-1"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = shown.lines().find(|line| line.starts_with("stores")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("granted"), "{shown}");
    drop(client);
    await_state(&manager, "not-connected");
    assert!(metric("qkdn_outward_subscriptions_granted") < 0.5);
}

#[test]
fn whom_no_subscription_applies_to_is_left_alone() {
    let manager = manager();
    let mut other = manager.connect("mk", "other");
    let answer = other.ask(&harness::report("other", json!([])));
    assert_eq!(response_code(&answer), "success", "the first thing it hears");
    let detail = manager.api().get("/api/v1/components/mk/other").json();
    assert_eq!(detail["outwardSubscriptions"], json!([]));
}

#[test]
fn what_is_refused_for_now_is_asked_again_and_what_is_refused_is_shown() {
    let manager = manager();
    let mut client = manager.connect("mk", "km-1");
    let first = receive(&mut client, "subscribe");
    answer(&mut client, &first, "overloaded: busy", json!([{ "type": "retry", "retryAfterMs": 100 }]));
    let second = receive(&mut client, "subscribe");
    assert_ne!(first["messageId"], second["messageId"]);
    answer(&mut client, &second, "rejected: extension[0].thresholds", json!([]));
    let standing = await_state(&manager, "refused");
    assert_eq!(standing["reason"], "rejected: extension[0].thresholds");
    // It is asked again when it comes back.
    drop(client);
    let mut client = manager.connect("mk", "km-1");
    let third = receive(&mut client, "subscribe");
    grant(&mut client, &third, "s-2");
    await_state(&manager, "granted");
}

#[test]
fn a_second_connection_changes_nothing_until_the_first_is_gone() {
    let manager = manager();
    let mut first = manager.connect("mk", "km-1");
    let subscribe = receive(&mut first, "subscribe");
    grant(&mut first, &subscribe, "s-1");
    await_state(&manager, "granted");
    let mut second = manager.connect("mk", "km-1");
    let answer = second.ask(&harness::report("km-1", json!([])));
    assert_eq!(response_code(&answer), "success", "the first thing it hears");
    drop(first);
    let resumed = receive(&mut second, "subscribe");
    assert_eq!(resumed["extension"][0]["subscriptionId"], "s-1");
}
