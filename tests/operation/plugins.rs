//! Plugins that misbehave, in the real manager: the report is answered, the alarm names the plugin, everything else
//! goes on.

use harness::{ManagerProcess, RawClient, Settings, guests, performance, report, report::with, response_code};
use serde_json::{Value, json};

/// The value that sets off what the guests are configured to do.
const MARKER: f64 = 666.0;

fn settings(misbehave: &str, on_failure: &str) -> Settings {
    let plugin = guests::wasm("guest-handler");
    Settings::one("mq", &["module-1", "module-2"]).interface("mk", "").component("mk", "km-1", "").with(&format!(
        "[[handlers]]\nname = \"vendor\"\nreference_point = \"mq\"\nplugin = {plugin:?}\non_failure = {on_failure:?}\n\
         config = {{ misbehave = {misbehave:?} }}"
    ))
}

fn loss(id: &str, value: f64, message_id: &str) -> Value {
    with(report(id, performance(json!({"link_loss_db": value}))), "messageId", message_id)
}

/// Sends these together, so that they share a batch where possible; the codes by messageId, sorted.
fn codes(client: &mut RawClient, messages: &[Value]) -> Vec<(String, String)> {
    client.send_all(messages);
    let mut codes: Vec<_> = messages
        .iter()
        .map(|_| client.receive())
        .map(|answer| (answer["messageId"].as_str().unwrap().to_owned(), response_code(&answer).to_owned()))
        .collect();
    codes.sort();
    codes
}

fn batch() -> [Value; 5] {
    [
        loss("module-1", 1.0, "a-good"),
        loss("module-1", 2.0, "b-good"),
        loss("module-1", MARKER, "c-bad"),
        loss("module-1", 3.0, "d-good"),
        loss("module-1", 4.0, "e-good"),
    ]
}

fn expected(bad: &str) -> Vec<(String, String)> {
    let code = |id: &str| if id == "c-bad" { bad } else { "success" };
    ["a-good", "b-good", "c-bad", "d-good", "e-good"].map(|id| (id.to_owned(), code(id).to_owned())).to_vec()
}

#[test]
fn only_the_report_that_a_handler_fails_on_is_refused_and_the_alarm_names_the_handler() {
    for misbehave in ["panic", "loop", "eat-memory"] {
        // Touching all of its memory may take longer than the CPU time of a call on a busy machine.
        let cpu_time = if misbehave == "eat-memory" { "10s" } else { "50ms" };
        let settings = settings(misbehave, "reject").plugins(&format!("cpu_time = {cpu_time:?}"));
        let manager = ManagerProcess::start(settings);
        manager.expect_errors();
        let mut client = manager.connect("mq", "module-1");
        assert_eq!(codes(&mut client, &batch()), expected("internal"), "{misbehave}");
        let alarm = manager.api().await_alarm("plugin-failed", |alarm| alarm.to_string().contains("vendor"));
        assert_eq!(alarm["component"], "mx/manager-test", "an alarm of the manager's own: {alarm}");
        assert!(manager.api().metric("qkdn_plugin_reports_quarantined_total", &[]) >= 1.0, "{misbehave}");
        // The neighbour on the same plugin, and another reference point.
        let mut neighbour = manager.connect("mq", "module-2");
        assert_eq!(response_code(&neighbour.ask(&loss("module-2", 1.0, "n"))), "success");
        let mut other = manager.connect("mk", "km-1");
        assert_eq!(response_code(&other.ask(&report("km-1", json!([])))), "success");
        assert_eq!(codes(&mut client, &batch()), expected("internal"), "{misbehave}, again");
    }
}

#[test]
fn a_site_may_keep_what_a_handler_cannot_take() {
    let mut manager = ManagerProcess::start(settings("panic", "keep-raw"));
    manager.expect_errors();
    let mut client = manager.connect("mq", "module-1");
    assert_eq!(codes(&mut client, &batch()), expected("success"));
    let loss = manager.api().value("mq/module-1", "link_loss_db");
    assert_eq!(loss, Some(4.0), "what was kept as received has no values, what came after it has");
    manager.crash_and_restart();
    let outcomes: Vec<_> = manager
        .api()
        .list("/api/v1/reports?component=mq/module-1")
        .iter()
        .map(|report| report["outcome"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(outcomes, ["accepted", "accepted", "kept-raw", "accepted", "accepted"]);
}

#[test]
fn a_site_may_fall_back_to_the_standard_handler() {
    let manager = ManagerProcess::start(settings("panic", "fallback"));
    manager.expect_errors();
    let mut client = manager.connect("mq", "module-1");
    assert_eq!(codes(&mut client, &batch()), expected("success"));
    let bad = with(report("module-1", performance(json!({"link_loss_db": MARKER, "qber_ratio": 2}))), "messageId", "x");
    let answer = client.ask(&bad);
    assert_eq!(response_code(&answer), "rejected", "the standard handler has its own opinion: {answer}");
}

#[test]
fn a_policy_that_fails_costs_no_report_and_recovers() {
    let plugin = guests::wasm("guest-policy");
    let settings = Settings::one("mq", &["module-1"]).with(&format!(
        "[[policies]]\nname = \"bad\"\nfunction = \"fault\"\nplugin = {plugin:?}\n\
         config = {{ value = \"link_loss_db\", limit = 100.0, misbehave = \"panic\" }}\n\n\
         [[policies]]\nname = \"good\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
         config = {{ value = \"link_loss_db\", raise_above = 500.0, alarm_type = \"link-loss-high\" }}"
    ));
    let manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let mut client = manager.connect("mq", "module-1");
    assert_eq!(codes(&mut client, &batch()), expected("success"));
    manager.api().await_alarm("plugin-failed", |alarm| alarm.to_string().contains("bad"));
    // The guest also asks for a status report whenever it raises something.
    client.send(&loss("module-1", 600.0, "high"));
    let mut lines = [client.receive(), client.receive()];
    lines.sort_by_key(|line| line["messageType"] == "statusReportResponse");
    assert_eq!(lines[0]["messageType"], "statusReportRequest", "{lines:?}");
    assert_eq!(response_code(&lines[1]), "success", "{lines:?}");
    manager.api().await_alarm("link-loss-high", |alarm| alarm["isCleared"] == false);
    manager.api().await_alarm("test-alarm", |_| true);
}

#[test]
fn the_handler_that_takes_a_component_is_told_with_the_reasons() {
    let plugin = guests::wasm("guest-handler");
    let settings = Settings::one("mq", &["module-1"])
        .component("mq", "module-2", "vendor = \"zeta\"\nmodel = \"q7\"")
        .with(&format!(
            "[[handlers]]\nname = \"zeta\"\nreference_point = \"mq\"\nplugin = {plugin:?}\nmatch = {{ vendor = \"zeta\", model = \
             \"q*\" }}\n[[policies]]\nname = \"qber\"\nfunction = \"security\"\nplugin = \"builtin:threshold\"\nmode = \
             \"shadow\"\napplies_to = {{ site = \"graz\" }}\nconfig = {{ value = \"qber_ratio\", raise_above = 0.1, clear_below = 0.05, \
             severity = \"major\", alarm_type = \"qber-high\" }}\n"
        ));
    let manager = ManagerProcess::start(settings);
    let explained = |id: &str| manager.api().get(&format!("/api/v1/components/mq/{id}/explanation")).json();
    let rules = |view: &Value, list: &str| -> Vec<(String, bool, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rules = view[list].as_array().unwrap().iter();
        rules.map(|rule| (text(&rule["name"]), rule["applies"].as_bool().unwrap(), text(&rule["why"]))).collect()
    };
    let rule = |name: &str, applies: bool, why: &str| (name.to_owned(), applies, why.to_owned());
    assert_eq!(
        rules(&explained("module-1"), "handlers"),
        [
            rule("zeta", false, "it has no vendor, and zeta is asked for"),
            rule("mq-standard", true, "the first that matches")
        ]
    );
    assert_eq!(
        rules(&explained("module-2"), "handlers"),
        [
            rule("zeta", true, "the first that matches"),
            rule("mq-standard", false, "it would match, and `zeta` stands before it")
        ]
    );
    assert_eq!(
        rules(&explained("module-2"), "policies"),
        [rule("qber", false, "it has no site, and graz is asked for")]
    );
    assert_eq!(explained("not-yet")["isKnown"], false);
    // What is told is what is done.
    let handler = |id: &str| {
        let mut client = manager.connect("mq", id);
        assert_eq!(response_code(&client.ask(&loss(id, 1.0, "m"))), "success");
        manager.api().get(&format!("/api/v1/components/mq/{id}")).json()["handler"].clone()
    };
    assert_eq!((handler("module-1"), handler("module-2")), (json!("mq-standard"), json!("zeta")));
}
