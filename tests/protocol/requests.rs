//! Section 5: status reports on demand, and components that are dialled.

use std::process::{Child, Command, Stdio};

use harness::{
    Closing, ManagerProcess, RawClient, Settings, binary, performance, raw_client::RawListener, report, report::with,
    response_code, settings::OPERATOR_TOKEN,
};
use serde_json::{Value, json};

/// `qkdnm component request`, running while the test plays the component.
fn request(manager: &ManagerProcess, component: &str) -> Child {
    request_with(manager, component, &[])
}

fn request_with(manager: &ManagerProcess, component: &str, arguments: &[&str]) -> Child {
    Command::new(binary::qkdnm())
        .args(["component", "request", component, "-o", "json"])
        .args(arguments)
        .env("QKDNM_API", manager.api().root())
        .env("QKDNM_TOKEN", OPERATOR_TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Answers the next request on this connection; what it asked comes back.
fn answer_request(client: &mut RawClient, id: &str, keys: u64) -> Value {
    let asked = client.receive();
    assert_eq!(asked["messageType"], "statusReportRequest", "{asked}");
    let message_id = asked["messageId"].as_str().expect("a request has a messageId");
    let mut answer = report(id, performance(json!({"stored_key_count": keys})));
    answer["messageType"] = json!("statusReportRequestResponse");
    answer["messageId"] = json!(message_id);
    answer["response"] = json!("success");
    client.send(&answer);
    asked
}

#[test]
fn a_request_is_answered_and_what_the_answer_says_is_stored() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
    let command = request(&manager, "mk/km-1");
    answer_request(&mut client, "km-1", 77);
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    harness::eventually("the value of the answer in the component's state", harness::PATIENCE, || {
        manager.api().value("mk/km-1", "stored_key_count").filter(|keys| (*keys - 77.0).abs() < 0.5)
    });
}

/// NOTE 1 of clauses 8.1 and 8.4: performance data and status, at least what was asked for.
#[test]
fn what_an_answer_lacks_is_named_and_reports_without_performance_or_status_are_counted() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let whole = json!([
        {"type": "performance", "values": {"stored_key_count": 1}},
        {"type": "state", "values": {"kma_link_state": "up"}},
    ]);
    let count = |name: &str| manager.api().metric(&format!("qkdn_wire_reports_without_{name}_total"), &[]);
    assert_eq!(response_code(&client.ask(&report("km-1", whole))), "success");
    assert_eq!((count("performance"), count("state")), (0.0, 0.0));
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
    let only_performance = performance(json!({"stored_key_count": 2}));
    assert_eq!(response_code(&client.ask(&report("km-1", only_performance))), "success");
    assert_eq!((count("performance"), count("state")), (1.0, 2.0));

    let command = request_with(&manager, "mk/km-1", &["--name", "stored_key_count", "--name", "relay_count"]);
    let asked = answer_request(&mut client, "km-1", 77);
    assert_eq!(asked["extension"][0]["names"], json!(["stored_key_count", "relay_count"]));
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["missing"], json!(["relay_count"]), "{answer}");
}

#[test]
fn the_newest_connection_is_asked_and_reports_go_on_meanwhile() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut older = manager.connect("mk", "km-1");
    assert_eq!(response_code(&older.ask(&report("km-1", json!([])))), "success");
    let mut newer = manager.connect("mk", "km-1");
    assert_eq!(response_code(&newer.ask(&report("km-1", json!([])))), "success");
    let command = request(&manager, "mk/km-1");
    for n in 0..20 {
        let answer = older.ask(&with(report("km-1", json!([])), "messageId", format!("r-{n}")));
        assert_eq!(answer["messageId"], format!("r-{n}"), "both directions at once");
    }
    answer_request(&mut newer, "km-1", 5);
    assert!(command.wait_with_output().unwrap().status.success());
}

#[test]
fn a_connection_that_is_closing_is_not_asked_and_the_one_before_it_is() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut older = manager.connect("mk", "km-1");
    assert_eq!(response_code(&older.ask(&report("km-1", json!([])))), "success");
    let mut newer = manager.connect("mk", "km-1");
    assert_eq!(response_code(&newer.ask(&report("km-1", json!([])))), "success");
    // Too many bad lines: the manager says farewell, and for a while reads on until this side closes as well.
    for _ in 0..16 {
        newer.send_line("no message");
    }
    newer.drain();
    let command = request(&manager, "mk/km-1");
    answer_request(&mut older, "km-1", 5);
    assert!(command.wait_with_output().unwrap().status.success());
    drop(newer);
}

#[test]
fn an_unanswered_request_fails_in_time() {
    let settings = Settings::default().interface("mk", "request_timeout = \"1s\"").component("mk", "km-1", "");
    let manager = ManagerProcess::start(settings);
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
    let output = request(&manager, "mk/km-1").wait_with_output().unwrap();
    assert!(!output.status.success(), "nobody answered");
    assert!(!output.stderr.is_empty(), "and somebody is told");
    let asked = client.receive();
    assert_eq!(asked["messageType"], "statusReportRequest");
    // Too late: an answer that nobody waits for any more, ignored.
    let late = json!({"messageType": "statusReportRequestResponse", "messageId": asked["messageId"],
                      "componentId": "km-1", "response": "success"});
    client.send(&late);
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
}

#[test]
fn a_request_to_a_component_that_is_not_connected_fails_at_once() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let output = request(&manager, "mk/km-1").wait_with_output().unwrap();
    assert!(!output.status.success());
    let output = request(&manager, "mk/nobody").wait_with_output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn a_component_that_only_listens_is_dialled_and_dialled_again() {
    let mut listener = None;
    let manager = ManagerProcess::start_with(|pki, _| {
        let bound = RawListener::bind(&pki.issue("mk", "km-1"), &pki.anchor());
        let dial = format!("dial = \"{}\"", bound.address());
        listener = Some(bound);
        Settings::default().interface("mk", "").component("mk", "km-1", &dial)
    });
    manager.expect_warnings();
    let listener = listener.unwrap();
    let mut connection = listener.accept().unwrap();
    assert_eq!(response_code(&connection.ask(&report("km-1", json!([])))), "success");
    let command = request(&manager, "mk/km-1");
    answer_request(&mut connection, "km-1", 9);
    assert!(command.wait_with_output().unwrap().status.success());
    drop(connection);
    let mut connection = listener.accept().unwrap();
    assert_eq!(response_code(&connection.ask(&report("km-1", json!([])))), "success");
}

#[test]
fn the_manager_refuses_a_dialled_component_that_is_another() {
    let mut listener = None;
    let manager = ManagerProcess::start_with(|pki, _| {
        let bound = RawListener::bind(&pki.issue("mk", "km-2"), &pki.anchor());
        let dial = format!("dial = \"{}\"", bound.address());
        listener = Some(bound);
        Settings::default().interface("mk", "").component("mk", "km-1", &dial).component("mk", "km-2", "")
    });
    manager.expect_warnings();
    let listener = listener.unwrap();
    if let Ok(mut connection) = listener.accept() {
        let _ = connection.try_send_bytes(format!("{}\n", report("km-2", json!([]))).as_bytes());
        let (answers, closing) = connection.drain();
        assert!(answers.is_empty(), "{answers:?} {closing:?}");
        assert!(matches!(closing, Closing::Orderly | Closing::Abrupt(_)));
    }
}
