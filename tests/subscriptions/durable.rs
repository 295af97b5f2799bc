//! Durable subscriptions: over reconnects, over `kill -9`, for slow subscribers.

use harness::{PATIENCE, eventually, response_code};
use serde_json::{Value, json};

use super::{Reporter, Subscriber, manager, number};

fn resume(net: &mut Subscriber, granted: &Value) -> Value {
    net.ask("subscribe", json!({"subscriptionId": granted["subscriptionId"]}))
}

#[test]
fn resuming_goes_on_after_the_last_answer() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let granted = net.subscribe_counts(json!({"durable": true}));
    km.count(1);
    assert_eq!(net.notified().0, 1);
    km.count(2);
    assert_eq!(number(&net.see()), 2, "seen, and not answered");
    drop(net);
    km.count(3);
    let mut other = Subscriber::connect(&manager, "net-2");
    let refused = other.ask("subscribe", json!({"subscriptionId": granted["subscriptionId"]}));
    assert_eq!(response_code(&refused), "rejected", "only its own subscriber resumes a subscription");
    let mut net = Subscriber::connect(&manager, "net-1");
    let answer = resume(&mut net, &granted);
    assert_eq!(answer["extension"][0]["granted"], granted["granted"], "{answer}");
    let (again, objects) = net.notified();
    assert_eq!((again, &objects[0]["values"]["stored_key_count"]), (2, &json!(2.0)));
    assert_eq!(net.notified().0, 3);
    net.nothing_more();
}

#[test]
fn kill_nine_repeats_at_most_what_was_not_answered_under_the_same_numbers() {
    let mut manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let granted = net.subscribe_counts(json!({"durable": true}));
    (1..=5).for_each(|keys| km.count(keys));
    let seen: Vec<Value> = (0..5).map(|_| net.see()).collect();
    net.answer(&seen[0], "success");
    net.answer(&seen[1], "success");
    let acknowledged = |manager: &harness::ManagerProcess| {
        manager.api().list("/api/v1/subscriptions")[0]["acknowledged"].as_u64().unwrap()
    };
    eventually("two answers", PATIENCE, || (acknowledged(&manager) == 2).then_some(()));
    km.count(6);
    manager.crash_and_restart();
    let mut km = Reporter::connect(&manager, "km-1");
    km.count(7);
    let mut net = Subscriber::connect(&manager, "net-1");
    assert_eq!(resume(&mut net, &granted)["response"], "success");
    let mut last = 0;
    for expected in 3..=7_u64 {
        let seen = net.see();
        assert_eq!(number(&seen), expected, "numbers go on without a hole");
        let value = seen["extension"][1]["values"]["stored_key_count"].as_f64().unwrap();
        assert_eq!(value as u64, expected, "each number says the same as before");
        net.answer(&seen, "success");
        last = expected;
    }
    assert_eq!(last, 7);
    net.nothing_more();
    manager.stop();
    manager.launch();
    let mut net = Subscriber::connect(&manager, "net-1");
    assert_eq!(resume(&mut net, &granted)["response"], "success");
    net.nothing_more();
}

#[test]
fn a_failure_answer_brings_the_notification_again() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    net.subscribe_counts(json!({}));
    km.count(1);
    let seen = net.see();
    net.answer(&seen, "overloaded: not now");
    let again = net.see();
    assert_eq!((number(&again), &again["extension"]), (1, &seen["extension"]));
    net.answer(&again, "success");
    net.nothing_more();
}

#[test]
fn what_falls_out_of_the_backlog_is_told_as_a_gap() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let granted = net.subscribe_counts(json!({"durable": true}));
    drop(net);
    eventually("the subscriber's absence", PATIENCE, || {
        (manager.api().list("/api/v1/subscriptions")[0]["connected"] == false).then_some(())
    });
    // One notification a batch; the backlog holds 1,024.
    for keys in 0..1_100 {
        km.count(keys + 1);
    }
    let mut net = Subscriber::connect(&manager, "net-1");
    assert_eq!(resume(&mut net, &granted)["response"], "success");
    let first = net.see();
    let gap = &first["extension"][1];
    assert_eq!((&gap["type"], &gap["from"]), (&json!("gap"), &json!(1)), "{first}");
    assert_eq!(gap["to"].as_u64().unwrap() + 1, number(&first), "the gap ends where the notifications go on");
    net.answer(&first, "success");
    let second = net.see();
    assert_eq!(number(&second), number(&first) + 1);
    assert_ne!(second["extension"][1]["type"], "gap");
    assert!(manager.api().metric("qkdn_subscription_notifications_lost_total", &[]) >= 50.0);
}
