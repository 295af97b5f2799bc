//! Section 3: repeats and gaps in the numbering of reports.

use harness::{ManagerProcess, RawClient, Settings, performance, report, report::with, response_code};
use serde_json::{Value, json};

fn numbered(sequence: u64, keys: u64) -> Value {
    with(report("km-1", performance(json!({"stored_key_count": keys}))), "sequence", sequence)
}

fn start() -> (ManagerProcess, RawClient) {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let client = manager.connect("mk", "km-1");
    (manager, client)
}

fn stored(manager: &ManagerProcess) -> Vec<u64> {
    manager.api().accepted_sequences("mk/km-1")
}

/// `incarnation` and `last` of a refusal.
fn numbering(answer: &Value) -> (u64, u64) {
    let detail = answer["extension"]
        .as_array()
        .and_then(|objects| objects.iter().find(|object| object["type"] == "sequence"))
        .unwrap_or_else(|| panic!("no sequence object in {answer}"));
    (detail["incarnation"].as_u64().unwrap(), detail["last"].as_u64().unwrap())
}

#[test]
fn a_repeat_is_answered_like_the_first_and_counted_once() {
    let (manager, mut client) = start();
    assert_eq!(response_code(&client.ask(&numbered(1, 10))), "success");
    assert_eq!(response_code(&client.ask(&numbered(1, 10))), "success");
    let renamed = with(numbered(1, 10), "messageId", "another");
    assert_eq!(response_code(&client.ask(&renamed)), "success", "the messageId is not content");
    // Spelling is not content either.
    client.send_line(
        r#"{"sequence":1,"extension":[{"values":{"stored_key_count":1e1},"type":"performance"}],"componentId":"km-1","messageType":"statusReport"}"#,
    );
    assert_eq!(response_code(&client.receive()), "success");
    assert_eq!(stored(&manager), [1]);
}

#[test]
fn repeats_are_known_while_the_first_is_pending() {
    let (manager, mut client) = start();
    let first = with(numbered(1, 10), "messageId", "first");
    let again = with(numbered(1, 10), "messageId", "again");
    let other = with(numbered(1, 11), "messageId", "other");
    client.send_all(&[first, again, other]);
    for _ in 0..3 {
        let answer = client.receive();
        let expected = if answer["messageId"] == "other" { "rejected" } else { "success" };
        assert_eq!(response_code(&answer), expected, "{answer}");
    }
    assert_eq!(stored(&manager), [1]);
    manager.expect_warnings();
}

#[test]
fn the_numbering_spans_all_connections_of_a_component() {
    let (manager, mut client) = start();
    let mut second = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&numbered(1, 10))), "success");
    assert_eq!(response_code(&second.ask(&numbered(1, 10))), "success");
    assert_eq!(response_code(&second.ask(&numbered(2, 10))), "success");
    assert_eq!(response_code(&client.ask(&numbered(2, 99))), "rejected");
    assert_eq!(stored(&manager), [1, 2]);
    manager.expect_warnings();
}

#[test]
fn numbers_may_come_out_of_order_within_the_window() {
    let (manager, mut client) = start();
    for sequence in [2_000, 1_500, 1_999, 977, 1_600] {
        assert_eq!(response_code(&client.ask(&numbered(sequence, sequence))), "success", "{sequence}");
    }
    let below = client.ask(&numbered(975, 1));
    assert_eq!(response_code(&below), "rejected");
    assert_eq!(numbering(&below), (0, 2_000));
    assert_eq!(response_code(&client.ask(&numbered(1_500, 1_500))), "success", "still known as a repeat");
    assert_eq!(response_code(&client.ask(&numbered(1_500, 1))), "rejected", "and as a conflict");
    assert_eq!(stored(&manager), [977, 1_500, 1_600, 1_999, 2_000]);
    manager.expect_warnings();
}

#[test]
fn a_refused_number_may_be_sent_again() {
    let (manager, mut client) = start();
    let bad = with(report("km-1", performance(json!({"key_store_fill_ratio": 7.0}))), "sequence", 3);
    assert_eq!(response_code(&client.ask(&bad)), "rejected");
    assert_eq!(response_code(&client.ask(&numbered(3, 30))), "success");
    assert_eq!(stored(&manager), [3]);
}

#[test]
fn an_incarnation_goes_up_and_never_down() {
    let (manager, mut client) = start();
    let of = |incarnation: u64, sequence: u64| with(numbered(sequence, sequence), "incarnation", incarnation);
    assert_eq!(response_code(&client.ask(&of(5, 100))), "success");
    assert_eq!(response_code(&client.ask(&of(6, 1))), "success", "a new numbering starts anywhere");
    let older = client.ask(&of(5, 101));
    assert_eq!(response_code(&older), "rejected");
    assert_eq!(numbering(&older), (6, 1));
    let unnamed = client.ask(&numbered(2, 2));
    assert_eq!(response_code(&unnamed), "rejected", "no incarnation means 0");
    assert_eq!(response_code(&client.ask(&of(6, 2))), "success");
    manager.expect_warnings();
}

#[test]
fn the_greatest_number_is_accepted() {
    let (_manager, mut client) = start();
    let greatest = (1_u64 << 53) - 1;
    let message = with(numbered(greatest, 1), "incarnation", greatest);
    assert_eq!(response_code(&client.ask(&message)), "success");
}

#[test]
fn gaps_are_counted_when_they_leave_the_window() {
    let (manager, mut client) = start();
    assert_eq!(response_code(&client.ask(&numbered(1, 1))), "success");
    assert_eq!(response_code(&client.ask(&numbered(11, 1))), "success");
    let gaps = || manager.api().metric("qkdn_state_sequence_numbers_missed_total", &[]);
    assert!(gaps() < 0.5, "nine are missing but may still come");
    assert_eq!(response_code(&client.ask(&numbered(5_000, 1))), "success");
    // Up to 3,975 left the window (5,000 - 1,024 - 1): all but 1 and 11; 3,976 to 4,999 may still come.
    let counted = gaps();
    assert!((3_973.0..=3_975.0).contains(&counted), "{counted} gaps");
}

#[test]
fn the_window_survives_a_crash() {
    let (mut manager, mut client) = start();
    assert_eq!(response_code(&client.ask(&numbered(1, 10))), "success");
    assert_eq!(response_code(&client.ask(&numbered(2, 20))), "success");
    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&numbered(2, 20))), "success");
    assert_eq!(response_code(&client.ask(&numbered(2, 21))), "rejected");
    assert_eq!(response_code(&client.ask(&numbered(3, 30))), "success");
    assert_eq!(stored(&manager), [1, 2, 3]);
    manager.expect_warnings();
}
