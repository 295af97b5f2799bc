//! Section 3: which answer comes to what, and in which order.

use harness::{Closing, ManagerProcess, Settings, performance, report, report::with, response_code};
use serde_json::json;

fn alive(id: &str) -> serde_json::Value {
    report(id, json!([]))
}

#[test]
fn a_report_is_answered_with_its_names() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let answer = client.ask(&with(report("km-1", performance(json!({"stored_key_count": 5}))), "messageId", "a-1"));
    assert_eq!(
        answer,
        json!({"messageType": "statusReportResponse", "messageId": "a-1", "componentId": "km-1", "response": "success"})
    );
    let answer = client.ask(&alive("km-1"));
    assert_eq!(
        answer,
        json!({"messageType": "statusReportResponse", "componentId": "km-1", "response": "success"}),
        "no messageId in the report, none in the answer"
    );
}

#[test]
fn a_report_without_extension_says_that_the_component_lives() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let answer = client.ask(&json!({"messageType": "statusReport", "componentId": "km-1"}));
    assert_eq!(response_code(&answer), "success");
}

#[test]
fn all_seven_reference_points_are_served() {
    const POINTS: [&str; 7] = ["mq", "mops", "mqrp", "mk", "mc", "mu", "mx"];
    let mut settings = Settings::default();
    for point in POINTS {
        settings = settings.interface(point, "").component(point, "component-1", "");
    }
    let manager = ManagerProcess::start(settings);
    for point in POINTS {
        let mut client = manager.connect(point, "component-1");
        assert_eq!(response_code(&client.ask(&alive("component-1"))), "success", "{point}");
    }
}

#[test]
fn answers_without_message_id_keep_the_order_of_arrival_malformed_lines_included() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1", "km-2"]));
    let mut client = manager.connect("mk", "km-1");
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for round in 0..40 {
        let (line, component, code) = match round % 4 {
            0 => (alive("km-1").to_string(), "km-1", "success"),
            1 => ("{ this is no JSON".to_owned(), "", "malformed"),
            2 => (alive("km-2").to_string(), "km-2", "not-authorized"),
            _ => (
                with(alive("km-1"), "extension", json!([{"type": "performance", "values": {"stored_key_count": "x"}}]))
                    .to_string(),
                "km-1",
                "rejected",
            ),
        };
        lines.push(line);
        expected.push((component.to_owned(), code.to_owned()));
    }
    client.send_line(&lines.join("\n"));
    let received: Vec<_> = (0..lines.len())
        .map(|_| client.receive())
        .map(|answer| (answer["componentId"].as_str().unwrap().to_owned(), response_code(&answer).to_owned()))
        .collect();
    assert_eq!(received, expected);
    manager.expect_warnings();
}

#[test]
fn every_message_id_is_answered_exactly_once_under_pipelining() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let messages: Vec<_> = (0..500).map(|n| with(alive("km-1"), "messageId", format!("id-{n}"))).collect();
    client.send_all(&messages);
    let mut ids: Vec<_> = (0..500)
        .map(|_| client.receive())
        .inspect(|answer| assert_eq!(response_code(answer), "success"))
        .map(|answer| answer["messageId"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
}

#[test]
fn a_message_id_that_is_open_cannot_be_used_again_and_a_closed_one_can() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let message = with(alive("km-1"), "messageId", "same");
    client.send_all(&[message.clone(), message.clone()]);
    let mut codes = [client.receive(), client.receive()].map(|answer| response_code(&answer).to_owned());
    codes.sort();
    assert_eq!(codes, ["malformed", "success"], "one of two that are open together is refused");
    assert_eq!(response_code(&client.ask(&message)), "success", "nothing is open any more");
}

#[test]
fn what_is_no_report_is_unsupported_and_named_again() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    for message in [
        json!({"messageType": "statusReportRequest", "messageId": "u-1"}),
        json!({"messageType": "hello", "messageId": "u-2", "componentId": "km-1"}),
        json!({"messageType": "subscribe", "messageId": "u-3", "componentId": "km-1",
               "extension": [{"type": "subscription", "events": [{}], "notificationMethod": "PERIODIC"}]}),
        json!({"messageType": "unsubscribe", "messageId": "u-4", "componentId": "km-1",
               "extension": [{"type": "subscription", "subscriptionId": "s"}]}),
    ] {
        let answer = client.ask(&message);
        assert_eq!(response_code(&answer), "unsupported", "{message}");
        assert_eq!(answer["messageId"], message["messageId"], "{message}");
        assert!(answer["messageType"].as_str().unwrap().ends_with("Response"), "{answer}");
    }
    assert_eq!(response_code(&client.ask(&alive("km-1"))), "success", "the connection goes on");
}

#[test]
fn answers_that_nobody_asked_for_are_ignored() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    for kind in ["statusReportResponse", "statusReportRequestResponse", "subscribeResponse", "someFutureResponse"] {
        client.send(&json!({"messageType": kind, "messageId": "x", "componentId": "km-1", "response": "success"}));
    }
    let answer = client.ask(&with(alive("km-1"), "messageId", "after"));
    assert_eq!(answer["messageId"], "after", "the first line that comes answers the report");
    assert_eq!(response_code(&answer), "success");
}

#[test]
fn outstanding_answers_come_before_the_manager_ends_the_connection() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let messages: Vec<_> = (0..100).map(|n| with(alive("km-1"), "messageId", format!("id-{n}"))).collect();
    client.send_all(&messages);
    client.finish();
    let (answers, closing) = client.drain();
    assert_eq!(answers.len(), 100, "a client that is done sending still hears of what it sent");
    assert!(answers.iter().all(|answer| response_code(answer) == "success"));
    assert_eq!(closing, Closing::Orderly);
}

#[test]
fn a_stopping_manager_answers_or_keeps_silent_but_closes_in_good_order() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&alive("km-1"))), "success");
    manager.stop();
    let (_, closing) = client.drain();
    assert_eq!(closing, Closing::Orderly);
}
