//! Section 2: framing and its limits.

use harness::{Closing, ManagerProcess, RawClient, Settings, report, report::with, response_code};
use serde_json::{Value, json};

fn alive() -> Value {
    report("km-1", json!([]))
}

fn start(interface: &str) -> (ManagerProcess, RawClient) {
    let settings = Settings::default().interface("mk", interface).component("mk", "km-1", "");
    let manager = ManagerProcess::start(settings);
    let client = manager.connect("mk", "km-1");
    (manager, client)
}

/// A report of exactly this many bytes.
fn padded(bytes: usize) -> String {
    let short = with(alive(), "padding", "").to_string();
    with(alive(), "padding", "p".repeat(bytes - short.len())).to_string()
}

#[test]
fn empty_lines_and_carriage_returns_are_borne() {
    let (_manager, mut client) = start("");
    client.send_bytes(format!("\n\r\n\n{}\r\n\n", with(alive(), "messageId", "m-1")).as_bytes());
    let answer = client.receive();
    assert_eq!(answer["messageId"], "m-1", "empty lines are not answered");
    assert_eq!(response_code(&answer), "success");
}

#[test]
fn a_line_may_come_in_pieces_and_many_lines_at_once() {
    let (_manager, mut client) = start("");
    let line = format!("{}\n", with(alive(), "messageId", "piece"));
    for byte in line.as_bytes() {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.receive()["messageId"], "piece");
}

#[test]
fn an_unterminated_last_line_is_dropped() {
    let (_manager, mut client) = start("");
    client.send_bytes(alive().to_string().as_bytes());
    client.finish();
    assert_eq!(client.drain(), (Vec::new(), Closing::Orderly));
}

#[test]
fn a_line_of_the_limit_passes_and_one_byte_more_ends_the_connection_in_good_order() {
    let (manager, mut client) = start("max_line_bytes = 65536");
    manager.expect_warnings();
    client.send_line(&padded(65_536));
    assert_eq!(response_code(&client.receive()), "success", "the limit does not count the LF");
    let outstanding: Vec<_> = (0..50).map(|n| with(alive(), "messageId", format!("o-{n}"))).collect();
    client.send_all(&outstanding);
    client.send_line(&padded(65_537));
    // The manager may stop reading before this arrives.
    let _ = client.try_send_bytes(format!("{}\n", with(alive(), "messageId", "too late")).as_bytes());
    let (answers, closing) = client.drain();
    let codes: Vec<_> = answers.iter().map(response_code).collect();
    assert_eq!(codes.len(), 51, "the outstanding answers and a last one: {codes:?}");
    assert_eq!(codes.last(), Some(&"too-large"));
    assert!(codes.iter().take(50).all(|code| *code == "success"), "{codes:?}");
    assert_eq!(closing, Closing::Orderly);
}

#[test]
fn an_endless_line_ends_the_connection_without_filling_memory() {
    let (manager, mut client) = start("max_line_bytes = 65536");
    manager.expect_warnings();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        if client.try_send_bytes(&chunk).is_err() {
            break;
        }
    }
    let (answers, _) = client.drain();
    assert!(answers.len() <= 1, "{answers:?}");
    let mut next = manager.connect("mk", "km-1");
    assert_eq!(response_code(&next.ask(&alive())), "success");
}

#[test]
fn the_default_limit_is_one_mebibyte() {
    let (_manager, mut client) = start("");
    client.send_line(&padded(1 << 20));
    assert_eq!(response_code(&client.receive()), "success");
}

#[test]
fn four_thousand_and_ninety_six_values_pass_and_one_more_does_not() {
    let (_manager, mut client) = start("");
    let of = |count: usize| {
        let values: serde_json::Map<_, _> = (0..count).map(|n| (format!("x_{n}"), json!(n))).collect();
        report("km-1", json!([{"type": "performance", "values": values}]))
    };
    assert_eq!(response_code(&client.ask(&of(4_096))), "success");
    let answer = client.ask(&of(4_097));
    assert_ne!(response_code(&answer), "success");
    assert!(
        answer["response"].as_str().unwrap().contains("4096") || answer["response"].as_str().unwrap().contains("4,096"),
        "the refusal names the limit: {answer}"
    );
}

#[test]
fn more_messages_than_may_be_in_flight_only_wait() {
    let (_manager, mut client) = start("max_in_flight = 4");
    let messages: Vec<_> = (0..200).map(|n| with(alive(), "messageId", format!("w-{n}"))).collect();
    client.send_all(&messages);
    for _ in 0..200 {
        assert_eq!(response_code(&client.receive()), "success");
    }
}

#[test]
fn an_idle_connection_is_closed_in_good_order() {
    let (_manager, mut client) = start("idle_timeout = \"1s\"");
    assert_eq!(response_code(&client.ask(&alive())), "success");
    assert_eq!(client.drain(), (Vec::new(), Closing::Orderly));
}

#[test]
fn one_identity_has_a_limit_of_connections_and_others_are_not_harmed() {
    let settings = Settings::default()
        .interface("mk", "max_connections_per_identity = 2")
        .component("mk", "km-1", "")
        .component("mk", "km-2", "");
    let manager = ManagerProcess::start(settings);
    manager.expect_warnings();
    let mut first = manager.connect("mk", "km-1");
    let mut second = manager.connect("mk", "km-1");
    assert_eq!(response_code(&first.ask(&alive())), "success");
    assert_eq!(response_code(&second.ask(&alive())), "success");
    let mut third = manager.connect("mk", "km-1");
    let (answers, _) = third.drain();
    assert!(answers.iter().all(|answer| response_code(answer) != "success"), "{answers:?}");
    let mut other = manager.connect("mk", "km-2");
    assert_eq!(response_code(&other.ask(&report("km-2", json!([])))), "success");
    assert_eq!(response_code(&first.ask(&alive())), "success");
    drop(second);
    harness::eventually("a free place for the identity", harness::PATIENCE, || {
        let mut again = manager.connect("mk", "km-1");
        again.try_send_bytes(format!("{}\n", alive()).as_bytes()).ok()?;
        again.try_receive().ok().filter(|answer| response_code(answer) == "success")
    });
}
