//! Sections 2 and 3: lines that are not valid messages.

use harness::{Closing, ManagerProcess, RawClient, Settings, report, report::with, response_code};
use serde_json::{Value, json};

fn alive() -> Value {
    report("km-1", json!([]))
}

fn start() -> (ManagerProcess, RawClient) {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let client = manager.connect("mk", "km-1");
    (manager, client)
}

#[test]
fn every_kind_of_bad_line_is_malformed_and_the_connection_goes_on() {
    let (_manager, mut client) = start();
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let long_id = "i".repeat(65);
    let lines: Vec<(&str, String)> = vec![
        ("no JSON", "hello".into()),
        ("cut off", r#"{"messageType":"statusReport","componentId":"km-1""#.into()),
        ("two texts on a line", format!("{0} {0}", alive())),
        ("an array", "[]".into()),
        ("a number", "7".into()),
        ("no messageType", r#"{"componentId":"km-1"}"#.into()),
        ("messageType of another type", r#"{"messageType":1,"componentId":"km-1"}"#.into()),
        ("no componentId", r#"{"messageType":"statusReport"}"#.into()),
        ("empty componentId", report("", json!([])).to_string()),
        ("long componentId", report(&"c".repeat(257), json!([])).to_string()),
        ("componentId of another type", r#"{"messageType":"statusReport","componentId":["km-1"]}"#.into()),
        ("empty messageId", with(alive(), "messageId", "").to_string()),
        ("long messageId", with(alive(), "messageId", long_id).to_string()),
        ("messageId of another type", with(alive(), "messageId", 7).to_string()),
        ("negative sequence", with(alive(), "sequence", -1).to_string()),
        ("sequence with a fraction", with(alive(), "sequence", 1.5).to_string()),
        ("sequence over 2^53-1", with(alive(), "sequence", 1_u64 << 53).to_string()),
        ("sequence as text", with(alive(), "sequence", "1").to_string()),
        ("incarnation over 2^53-1", with(with(alive(), "sequence", 1), "incarnation", 1_u64 << 53).to_string()),
        ("time that is none", with(alive(), "time", "yesterday").to_string()),
        ("extension that is no array", with(alive(), "extension", json!({})).to_string()),
        ("extension with a text in it", with(alive(), "extension", json!(["x"])).to_string()),
        ("duplicate keys", r#"{"messageType":"statusReport","componentId":"km-1","componentId":"km-1"}"#.into()),
        (
            "duplicate keys far below",
            r#"{"messageType":"statusReport","componentId":"km-1","x":[{"y":{"z":1,"z":1}}]}"#.into(),
        ),
        (
            "duplicate keys, one of them escaped",
            r#"{"messageType":"statusReport","componentId":"km-1","x":{"a":1,"\u0061":1}}"#.into(),
        ),
        ("a number beyond a double", r#"{"messageType":"statusReport","componentId":"km-1","x":1e400}"#.into()),
        ("a lone surrogate", r#"{"messageType":"statusReport","componentId":"km-1","x":"\ud800"}"#.into()),
        ("a control character", "{\"messageType\":\"statusReport\",\"componentId\":\"km-1\",\"x\":\"\u{1}\"}".into()),
        ("a leading zero", r#"{"messageType":"statusReport","componentId":"km-1","x":01}"#.into()),
        ("nesting of 66", format!(r#"{{"messageType":"statusReport","componentId":"km-1","x":{}}}"#, deep(65))),
    ];
    for (what, line) in lines {
        client.send_line(&line);
        let answer = client.receive();
        assert_eq!(response_code(&answer), "malformed", "{what}: {answer}");
        assert_eq!(answer["messageType"], "statusReportResponse", "{what}");
        // Good lines between keep the bad ones from adding up to the limit.
        assert_eq!(response_code(&client.ask(&alive())), "success", "after {what}");
    }
}

#[test]
fn nesting_of_64_is_fine() {
    let (_manager, mut client) = start();
    // The message is the first level.
    let deep = format!("{}{}", "[".repeat(63), "]".repeat(63));
    client.send_line(&format!(r#"{{"messageType":"statusReport","componentId":"km-1","x":{deep}}}"#));
    assert_eq!(response_code(&client.receive()), "success");
}

#[test]
fn invalid_utf8_is_malformed() {
    let (_manager, mut client) = start();
    client.send_bytes(b"{\"messageType\":\"statusReport\",\"componentId\":\"km-1\",\"x\":\"\xff\"}\n");
    assert_eq!(response_code(&client.receive()), "malformed");
    assert_eq!(response_code(&client.ask(&alive())), "success");
}

#[test]
fn the_answer_to_a_bad_line_has_the_names_that_could_be_read() {
    let (_manager, mut client) = start();
    let answer = client.ask(&with(with(alive(), "messageId", "m-1"), "time", "yesterday"));
    assert_eq!((&answer["messageId"], &answer["componentId"]), (&json!("m-1"), &json!("km-1")));
    client.send_line("{");
    let answer = client.receive();
    assert_eq!((&answer["messageId"], &answer["componentId"]), (&Value::Null, &json!("")));
}

#[test]
fn lengths_are_counted_in_characters_not_bytes() {
    let manager = ManagerProcess::start(Settings::default().interface("mk", "").component("mk", &"ü".repeat(256), ""));
    let id = "ü".repeat(256);
    let encoded: String = "%C3%BC".repeat(256);
    let identity = manager.pki.issue_as(harness::pki::Request::uri("long", &format!("urn:qkdn:mk:{encoded}")));
    let mut client = RawClient::connect(manager.address("mk"), &identity, &manager.pki.anchor());
    let answer = client.ask(&with(report(&id, json!([])), "messageId", "ü".repeat(64)));
    assert_eq!(response_code(&answer), "success");
    assert_eq!(answer["componentId"], json!(id));
}

#[test]
fn sixteen_bad_lines_in_a_row_end_the_connection_in_good_order() {
    let (_manager, mut client) = start();
    for _ in 0..15 {
        client.send_line("x");
        assert_eq!(response_code(&client.receive()), "malformed");
    }
    assert_eq!(response_code(&client.ask(&alive())), "success", "fifteen are borne, and a good line starts anew");
    for _ in 0..15 {
        client.send_line("x");
    }
    client.send(&with(alive(), "messageId", "outstanding"));
    for _ in 0..16 {
        client.send_line("x");
    }
    let (answers, closing) = client.drain();
    let codes: Vec<_> = answers.iter().map(response_code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "success").count(), 1, "the outstanding answer comes: {codes:?}");
    assert!((31..=32).contains(&codes.iter().filter(|code| **code == "malformed").count()), "{codes:?}");
    let last = answers.last().unwrap()["response"].as_str().unwrap();
    assert!(last.starts_with("malformed: "), "the last answer says why: {last}");
    assert_eq!(closing, Closing::Orderly);
}
