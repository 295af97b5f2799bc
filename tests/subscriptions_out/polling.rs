//! A component that serves no subscriptions: asked on a schedule, and asked to serve them again when it comes back.

use std::time::{Duration, Instant};

use harness::{ManagerProcess, RawClient, Settings};
use serde_json::{Value, json};

use crate::standing::{answer, await_standing, await_state, grant, receive};

const POLLED: &str = r#"
[[subscriptions]]
name = "stores"
events = [{ types = ["performance"], names = ["stored_key_count"] }]
method = "on-change"
poll_interval = "1s"
"#;

fn answer_request(client: &mut RawClient, request: &Value, keys: u64) {
    client.send(&json!({ "messageType": "statusReportRequestResponse", "messageId": request["messageId"],
        "componentId": "km-1", "response": "success",
        "extension": [{ "type": "performance", "values": { "stored_key_count": keys } }] }));
}

#[test]
fn it_is_asked_every_interval_for_what_was_wanted_until_it_says_that_it_can() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(POLLED));
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    answer(&mut client, &subscribe, "unsupported: I know no subscriptions", json!([]));
    let first = receive(&mut client, "statusReportRequest");
    let query = json!([{ "type": "query", "types": ["performance"], "names": ["stored_key_count"] }]);
    assert_eq!(first["extension"], query);
    let standing = await_state(&manager, "polled");
    assert_eq!(standing["reason"], "unsupported: I know no subscriptions");
    assert_eq!(standing["pollIntervalMs"], 1_000);
    let asked = Instant::now();
    answer_request(&mut client, &first, 41);
    let second = receive(&mut client, "statusReportRequest");
    // The least that the jitter leaves of an interval, less what it took to come here.
    assert!(asked.elapsed() >= Duration::from_millis(500), "{:?}", asked.elapsed());
    answer_request(&mut client, &second, 42);
    harness::eventually("the value of the answer", harness::PATIENCE, || {
        manager.api().value("mk/km-1", "stored_key_count").filter(|keys| (*keys - 42.0).abs() < 0.5)
    });
    assert!(manager.api().metric("qkdn_outward_polls_sent_total", &[]) >= 2.0);
    drop(client);
    await_state(&manager, "not-connected");
    // It has learnt how: it is not asked any more.
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    grant(&mut client, &subscribe, "s-1");
    await_state(&manager, "granted");
}

#[test]
fn one_that_leaves_subscribe_alone_is_polled_and_never_asked_twice_at_a_time() {
    let settings =
        Settings::default().interface("mk", "request_timeout = \"300ms\"").component("mk", "km-1", "").with(POLLED);
    let manager = ManagerProcess::start(settings);
    let mut client = manager.connect("mk", "km-1");
    receive(&mut client, "subscribe");
    receive(&mut client, "subscribe");
    // The first request stays open until it is given up; the next one is a turn later.
    let first = receive(&mut client, "statusReportRequest");
    let asked = Instant::now();
    let second = receive(&mut client, "statusReportRequest");
    assert!(asked.elapsed() >= Duration::from_millis(500), "{:?}", asked.elapsed());
    assert_ne!(first["messageId"], second["messageId"]);
    await_standing(&manager, "a component that is polled", |standing| standing["state"] == "polled");
    assert!(manager.api().metric("qkdn_outward_polls_failed_total", &[]) >= 1.0);
}
