//! An alarm from the first value over its threshold to the operator's last word.

use harness::{
    ManagerProcess, RawClient, Settings, performance, report, response_code,
    settings::{OPERATOR_TOKEN, VIEWER_TOKEN},
};
use serde_json::json;

fn settings() -> Settings {
    Settings::one("mq", &["module-1"]).with(
        "[[policies]]\nname = \"qber\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
         applies_to = { reference_point = [\"mq\"] }\n\
         config = { value = \"qber_ratio\", raise_above = 0.06, clear_below = 0.05, severity = \"major\", \
         alarm_type = \"qber-threshold-exceeded\" }",
    )
}

fn say(client: &mut RawClient, qber: f64) {
    let answer = client.ask(&report("module-1", performance(json!({"qber_ratio": qber}))));
    assert_eq!(response_code(&answer), "success");
}

#[test]
fn a_threshold_raises_updates_and_clears_with_hysteresis() {
    let manager = ManagerProcess::start(settings());
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, 0.02);
    assert!(manager.api().list("/api/v1/alarms").is_empty());
    say(&mut client, 0.07);
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |alarm| alarm["isCleared"] == false);
    assert_eq!(alarm["component"], "mq/module-1");
    assert_eq!(alarm["severity"], "major");
    assert_eq!(alarm["alarmTypeQualifier"], "qber");
    assert_eq!(alarm["raiseCount"], 1);
    say(&mut client, 0.055);
    let alarms = manager.api().list("/api/v1/alarms");
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0]["isCleared"], false, "between the two thresholds nothing changes");
    say(&mut client, 0.04);
    manager.api().await_alarm("qber-threshold-exceeded", |alarm| alarm["isCleared"] == true);
    say(&mut client, 0.2);
    let again = manager.api().await_alarm("qber-threshold-exceeded", |alarm| alarm["isCleared"] == false);
    assert_eq!(again["id"], alarm["id"], "the same key is the same alarm");
    assert_eq!(again["raiseCount"], 2);
    let id = again["id"].as_u64().unwrap();
    let shown = manager.api().get(&format!("/api/v1/alarms/{id}")).json();
    assert_eq!(shown["statusChanges"].as_array().map(Vec::len), Some(3), "raised, cleared, raised: {shown}");
}

#[test]
fn acknowledging_needs_an_operators_token_and_outlives_a_crash() {
    let mut manager = ManagerProcess::start(settings());
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, 0.2);
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |_| true);
    let path = format!("/api/v1/alarms/{}/acknowledge", alarm["id"]);
    let body = json!({"comment": "fibre works in Vienna"});
    let api = manager.api();
    assert_eq!(api.post(&path, None, &body).status, 401);
    assert_eq!(api.post(&path, Some("guessed"), &body).status, 401);
    let refused = api.post(&path, Some(VIEWER_TOKEN), &body);
    assert_eq!(refused.status, 403);
    assert_eq!(refused.content_type, "application/problem+json");
    let done = api.post(&path, Some(OPERATOR_TOKEN), &body);
    assert!((200..300).contains(&done.status), "{}: {}", done.status, done.text);
    manager.crash_and_restart();
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |_| true);
    assert_eq!(alarm["operatorState"], "acknowledged");
    assert_eq!(alarm["isCleared"], false, "what the operator says is not what the resource says");
    let action = alarm["operatorActions"][0].clone();
    assert_eq!(action["operator"], "operator-test");
    assert_eq!(action["text"], "fibre works in Vienna");
    manager.expect_warnings();
}

#[test]
fn the_command_line_does_the_same() {
    let manager = ManagerProcess::start(settings());
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, 0.2);
    let id = manager.api().await_alarm("qber-threshold-exceeded", |_| true)["id"].to_string();
    let list = manager.command(&["alarm", "list", "-o", "json"]);
    assert!(list.status.success());
    assert!(String::from_utf8(list.stdout).unwrap().contains("qber-threshold-exceeded"));
    let table = manager.command(&["alarm", "list"]);
    assert!(String::from_utf8(table.stdout).unwrap().contains("mq/module-1"));
    let without = manager.command(&["alarm", "acknowledge", &id]);
    assert!(!without.status.success(), "no token");
    let with = std::process::Command::new(harness::binary::qkdnm())
        .args(["alarm", "close", &id, "--comment", "done"])
        .env("QKDNM_API", manager.api().root())
        .env("QKDNM_TOKEN", OPERATOR_TOKEN)
        .output()
        .unwrap();
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    let alarm = manager.api().get(&format!("/api/v1/alarms/{id}")).json();
    assert_eq!(alarm["operatorState"], "closed");
}

#[test]
fn a_component_raises_and_clears_its_own_alarms() {
    let manager = ManagerProcess::start(settings());
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mq", "module-1");
    let alarm = |cleared: bool| {
        let state = if cleared { json!({"cleared": true}) } else { json!({"severity": "critical", "text": "Hot."}) };
        let mut object = json!({"type": "alarm", "alarmTypeId": "vendor-overheated", "resource": "laser-1"});
        object.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        report("module-1", json!([object]))
    };
    assert_eq!(response_code(&client.ask(&alarm(false))), "success");
    let raised = manager.api().await_alarm("vendor-overheated", |alarm| alarm["isCleared"] == false);
    assert_eq!(raised["resource"], "laser-1");
    assert_eq!(response_code(&client.ask(&alarm(true))), "success");
    manager.api().await_alarm("vendor-overheated", |alarm| alarm["isCleared"] == true);
}
