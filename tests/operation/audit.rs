//! The audit trail: what is in it, that it holds together over restarts and crashes, and that tampering is found.

use harness::{ManagerProcess, Settings, performance, report, response_code, settings::OPERATOR_TOKEN};
use serde_json::{Value, json};

fn verify(manager: &ManagerProcess, more: &[&str]) -> (bool, Value) {
    let data = manager.data_dir();
    let mut arguments = vec!["audit", "verify", data.to_str().unwrap(), "-o", "json"];
    arguments.extend(more);
    let output = manager.command(&arguments);
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.success(), document)
}

#[test]
fn what_was_done_and_refused_is_in_a_chain_that_tampering_breaks() {
    let settings = Settings::one("mq", &["qm-1"]).with(
        "[[policies]]\nname = \"qber\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
         config = { value = \"qber_ratio\", raise_above = 0.06, severity = \"major\", alarm_type = \"qber-threshold-exceeded\" }",
    );
    let mut manager = ManagerProcess::start(settings);
    manager.expect_warnings();
    let mut client = manager.connect("mq", "qm-1");
    assert_eq!(response_code(&client.ask(&report("qm-2", performance(json!({}))))), "not-authorized");
    assert_eq!(response_code(&client.ask(&report("qm-1", performance(json!({"qber_ratio": 0.2}))))), "success");
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |_| true);
    let path = format!("/api/v1/alarms/{}/acknowledge", alarm["id"]);
    assert_eq!(manager.api().post(&path, Some(OPERATOR_TOKEN), &json!({"comment": "on my way"})).status, 200);
    drop(client);
    manager.crash_and_restart();
    let (verified, first) = verify(&manager, &[]);
    assert!(verified, "{first}");
    let noted = first["head"]["hash"].as_str().unwrap().to_owned();
    manager.stop();
    manager
        .settings_mut()
        .more
        .push_str("\n[[policies]]\nname = \"state\"\nfunction = \"fault\"\nplugin = \"builtin:state\"\n");
    manager.launch();
    manager.stop();

    let data = manager.data_dir();
    let shown = manager.command(&["audit", "show", data.to_str().unwrap(), "-o", "json"]);
    let entries: Vec<Value> = serde_json::from_slice(&shown.stdout).unwrap();
    let of_kind = |kind: &str| entries.iter().filter(|entry| entry["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of_kind("refused").len(), 1, "{entries:?}");
    assert_eq!(of_kind("operator").len(), 1, "{entries:?}");
    let starts: Vec<&str> = of_kind("start").iter().filter_map(|entry| entry["what"].as_str()).collect();
    assert!(starts[1].ends_with("configured as before"), "{starts:?}");
    assert!(starts[2].contains("plugin of state is new, policy state is new"), "{starts:?}");
    assert_eq!(of_kind("stop").len(), 2);
    let (verified, found) = verify(&manager, &["--head", &noted]);
    assert!(verified && found["passedHead"] == true, "{found}");

    // Somebody edits what the operator did.
    let path = data.join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("on my way", "never saw")).unwrap();
    let (verified, found) = verify(&manager, &[]);
    assert!(!verified && found["break"].as_str().unwrap().contains("audit.jsonl, line"), "{found}");
    // Or cuts off the end.
    let kept: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(&path, format!("{}\n", kept.join("\n"))).unwrap();
    assert!(verify(&manager, &[]).0, "that alone cannot be seen");
    assert!(!verify(&manager, &["--head", &noted]).0, "but with a head noted earlier it can");
}
