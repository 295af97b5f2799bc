//! What the manager says to somebody who has to find out what is the matter: whom it refuses and why, slips in what
//! components say, numbers that are missing, a configuration that waits for a restart.

use harness::{
    ManagerProcess, RawClient, Settings, TestPki, eventually, performance, raw_client::Hello, report, report::with,
    response_code, waiting::patience,
};
use serde_json::{Value, json};

fn text(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn trail(manager: &ManagerProcess) -> Vec<Value> {
    let shown =
        manager.command(&["audit", "show", manager.data_dir().to_str().unwrap(), "--kind", "refused", "-o", "json"]);
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[test]
fn a_stranger_hides_nobodys_refusals_and_the_rest_is_told_at_the_end() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1", "km-2"]));
    manager.expect_warnings();
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = TestPki::new(elsewhere.path());
    // Somebody of another authority, under the name of a component of ours.
    let hello = Hello::new(&foreign.issue("mk", "km-1"), &manager.pki.anchor());
    let refused = || {
        if let Ok(mut client) = RawClient::try_connect(manager.address("mk"), &hello) {
            let _ = client.try_send_bytes(b"{}\n");
            assert!(client.try_receive().is_err(), "the stranger came through");
        }
    };
    (0..3).for_each(|_| refused());
    eventually("three refusals", patience(), || {
        (manager.api().metric("qkdn_net_handshakes_refused_total", &["cause=\"unknown-issuer\""]) >= 3.0).then_some(())
    });
    // The component itself, for another one.
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-2", performance(json!({}))))), "not-authorized");
    drop(client);
    manager.stop();

    let entries = trail(&manager);
    let of = |cause: &str| {
        let of_cause = entries.iter().filter(|entry| entry["detail"]["cause"] == cause);
        of_cause.map(|entry| entry["detail"]["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("not-covered"), [1], "{entries:#?}");
    assert_eq!(of("unknown-issuer"), [1, 2], "the first at once, the rest as the manager stops: {entries:#?}");
    let verified = |cause: &str| {
        entries.iter().find(|entry| entry["detail"]["cause"] == cause).unwrap()["detail"]["verified"].clone()
    };
    assert_eq!((verified("not-covered"), verified("unknown-issuer")), (json!(true), json!(false)));
}

#[test]
fn a_component_that_is_in_no_table_leaves_its_name_everywhere() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-7");
    let answer = client.ask(&report("km-7", performance(json!({ "key_store_fill_ratio": 0.5 }))));
    assert_eq!(response_code(&answer), "unknown-component");
    let alarm = manager.api().await_alarm("unauthorized-report", |alarm| alarm["isCleared"] == false);
    assert_eq!((&alarm["component"], &alarm["resource"]), (&json!("mx/manager-test"), &json!("mk/km-7")));
    eventually("a line in the log", patience(), || manager.log().contains("refused mk/km-7").then_some(()));
    let listed = eventually("an entry of the trail", patience(), || {
        let listed = manager.admin_command(&["audit", "list", "--kind", "refused", "--who", "mk/km-7", "-o", "json"]);
        let mut answer: Value = serde_json::from_slice(&listed.stdout).unwrap();
        answer["items"].as_array_mut().filter(|items| !items.is_empty()).map(std::mem::take)
    });
    assert_eq!(listed[0]["detail"]["cause"], "unlisted", "{listed:?}");
    let doctor = text(&manager.command(&["doctor"]));
    assert!(doctor.contains("unlisted: ") && doctor.contains("id = \"km-7\""), "{doctor}");
    assert!(doctor.contains("reference_point = \"mk\""), "{doctor}");
}

#[test]
fn slips_in_reports_and_numbers_that_are_missing_are_named() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    for (sequence, extension) in [
        (1, performance(json!({ "key_store_fil_ratio": 0.5, "acme_temperament": 1 }))),
        (2, json!([{ "type": "perfomance", "values": { "key_store_fill_ratio": 0.5 } }])),
        (5, performance(json!({ "key_store_fill_ratio": 0.5 }))),
    ] {
        let answer = client.ask(&with(report("km-1", extension), "sequence", sequence));
        assert_eq!(response_code(&answer), "success");
    }
    let shown = text(&manager.command(&["component", "show", "mk/km-1"]));
    for part in [
        "performance value `key_store_fil_ratio`, once",
        "did you mean `key_store_fill_ratio`?",
        "type `perfomance`, once",
        "did you mean `performance`?",
        "performance value `acme_temperament`",
        "2 outstanding, 0 lost",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let listed = text(&manager.command(&["report", "list", "--component", "mk/km-1"]));
    assert!(listed.contains("(not in the catalogue: acme_temperament, key_store_fil_ratio)"), "{listed}");
    assert!(listed.contains("not in the catalogue: type perfomance"), "{listed}");
    let doctor = text(&manager.command(&["doctor"]));
    assert!(doctor.contains("`key_store_fil_ratio` (probably `key_store_fill_ratio`)"), "{doctor}");
    assert!(!doctor.contains("acme_temperament"), "a vendor's own name is no slip: {doctor}");
}

#[test]
fn a_federation_that_is_new_waits_for_a_restart() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).interface("mx", ""));
    manager.expect_errors();
    let key = manager.root().join("signing.key").display().to_string();
    assert!(manager.command(&["pki", "signing-key", &key]).status.success());
    manager.settings_mut().more.push_str(&format!("[federation]\nname = \"f\"\nsigning_key = {key:?}\n"));
    let answer = manager.reload_settings();
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("[federation] is new") && !answer.text.contains("15s"), "{}", answer.text);
    let doctor = text(&manager.command(&["doctor"]));
    assert!(doctor.contains("try: restart the manager") && !doctor.contains("correct the files"), "{doctor}");
    manager.stop();
    manager.launch();
    assert!(text(&manager.command(&["doctor"])).contains("the files are in force"));
}

#[test]
fn an_alarm_about_nobody_is_not_all_well() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let listed = manager.command(&["alarm", "list", "--component", "mk/km-1", "--fail-on", "minor"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed));
    let slip = manager.command(&["alarm", "list", "--component", "mk/km-9", "--fail-on", "minor"]);
    assert_eq!(slip.status.code(), Some(1), "{}", text(&slip));
    assert!(text(&slip).contains("`qkdnm component list`"), "{}", text(&slip));
}

#[test]
fn a_closed_alarm_that_is_still_raised_is_not_forgotten() {
    let manager = ManagerProcess::start(Settings::one("mq", &["module-1"]).with(
        "[[policies]]\nname = \"qber\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
         config = { value = \"qber_ratio\", raise_above = 0.06, severity = \"major\", alarm_type = \"qber-threshold-exceeded\" }",
    ));
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mq", "module-1");
    let answer = client.ask(&report("module-1", performance(json!({ "qber_ratio": 0.2 }))));
    assert_eq!(response_code(&answer), "success");
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |_| true);
    let id = alarm["id"].to_string();
    let doctor = text(&manager.command(&["doctor"]));
    assert!(doctor.contains("raised: 1 major") && doctor.contains(&format!("qkdnm alarm show {id}")), "{doctor}");
    let closed = text(&manager.admin_command(&["alarm", "close", &id]));
    assert!(closed.contains(&format!("Alarm {id} is closed, and still raised (major)")), "{closed}");
    let doctor = text(&manager.command(&["doctor"]));
    assert!(doctor.contains("none open; 1 major raised but closed by an operator"), "{doctor}");
}

#[test]
fn numbers_in_conflict_are_past_with_a_new_incarnation() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    let numbered = |incarnation: u64, fill: f64| {
        let report = report("km-1", performance(json!({ "key_store_fill_ratio": fill })));
        with(with(report, "incarnation", incarnation), "sequence", 1)
    };
    assert_eq!(response_code(&client.ask(&numbered(1, 0.5))), "success");
    assert_eq!(response_code(&client.ask(&numbered(1, 0.6))), "rejected");
    manager.api().await_alarm("report-sequence-conflict", |alarm| alarm["isCleared"] == false);
    assert_eq!(response_code(&client.ask(&numbered(2, 0.6))), "success");
    let over = manager.api().await_alarm("report-sequence-conflict", |alarm| alarm["isCleared"] == true);
    assert_eq!(over["text"], "a new incarnation has begun", "{over}");
}
