//! Plugins of `examples/` that are projects of their own, as a vendor would have them: their unit tests, their recordings, and
//! their handler in a manager that chooses it by vendor.

use std::fs;

use harness::{
    ManagerProcess, PATIENCE, Settings,
    binary::{qkdnm, repository},
    eventually,
    examples::{author, project, said, unit_tests, wasm},
    report,
};
use serde_json::json;

#[test]
fn the_unit_tests_of_the_examples_pass_where_a_vendor_runs_them() {
    for name in ["etsi015-objects", "vendor-etsi015", "collector-etsi014", "collector-etsi015"] {
        unit_tests(name, "unit-tests");
    }
}

#[test]
fn what_follows_from_the_recordings_of_the_vendor_is_what_it_wrote_down() {
    let wasm = wasm("vendor-etsi015", "recordings");
    let folder = project("vendor-etsi015", "recordings");
    let tested = author(&folder, qkdnm(), &["plugin", "test", wasm.to_str().unwrap()]);
    assert!(tested.status.success(), "{}", said(&tested));
    let kept = repository().join("examples/vendor-etsi015/recordings/a-day-of-a-node.mq.decisions.txt");
    let decisions = fs::read_to_string(kept).unwrap();
    for told in [
        "raises critical mq/qkd-alice 5f2c link-down",
        "clears mq/qkd-alice 5f2c link-down",
        "rejected: extension[0].phys_perf[0].value: a QBER of 4.1 is no share of bits",
    ] {
        assert!(decisions.contains(told), "{told}\n{decisions}");
    }
}

#[test]
fn a_manager_gives_the_reports_of_a_vendor_to_the_vendors_handler() {
    let wasm = wasm("vendor-etsi015", "manager");
    let handlers = format!(
        "[[handlers]]\nname = \"mq-acme\"\nreference_point = \"mq\"\nmatch = {{ vendor = \"acme\" }}\nplugin = {wasm:?}\n\
         config = {{ qber_unit = \"percent\" }}\n"
    );
    let settings = Settings::default().interface("mq", "");
    let settings = settings.component("mq", "alice", "vendor = \"acme\"").component("mq", "bob", "").with(&handlers);
    let manager = ManagerProcess::start(settings);
    let api = manager.api();
    let explained = api.get("/api/v1/components/mq/alice/explanation").json();
    assert_eq!(explained["handlers"][0]["name"], "mq-acme");
    assert_eq!(explained["handlers"][0]["applies"], true, "{explained:#}");

    let link = json!({ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "qkdl_status": "etsi-qkdn-types:ACTIVE",
        "common_performance": { "skr": "4200", "phys_perf": [{ "perf_type": "QBER", "value": "2.100" }] } });
    let mut alice = manager.connect("mq", "alice");
    let answer = alice.ask(&report("alice", json!([link])));
    assert_eq!(answer["response"], "success", "{answer}");
    let value = |component: &str| {
        let detail = api.get(&format!("/api/v1/components/{component}")).json();
        let values = detail["values"].as_array().cloned().unwrap_or_default();
        values.into_iter().find(|value| value["name"] == "qber_ratio")
    };
    let seen = eventually("the link's error ratio", PATIENCE, || value("mq/alice"));
    assert_eq!((&seen["resource"], &seen["value"]), (&"l1".into(), &json!(0.021)));

    // The same of somebody else is kept, and means nothing.
    let mut bob = manager.connect("mq", "bob");
    let answer = bob.ask(&report("bob", json!([link])));
    assert_eq!(answer["response"], "success", "{answer}");
    assert!(value("mq/bob").is_none());

    let down = json!([{ "type": "etsi-qkd-sdn-node:sdqkdn_link_down", "qkdl_id": "l1", "reason": "fibre cut" }]);
    assert_eq!(alice.ask(&report("alice", down))["response"], "success");
    let alarm = eventually("the alarm of the notification", PATIENCE, || {
        api.list("/api/v1/alarms").into_iter().find(|alarm| alarm["alarmTypeId"] == "link-down")
    });
    assert_eq!((&alarm["component"], &alarm["resource"]), (&"mq/alice".into(), &"l1".into()));
    let wrong = json!([{ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "skr": -5 }]);
    let refused = alice.ask(&report("alice", wrong.clone()));
    let refused_before = "rejected: extension[0].skr: -5 is less than 0";
    assert_eq!(refused["response"], refused_before);
    let keys = json!([{ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "key": "c2VjcmV0" }]);
    manager.expect_warnings();
    let refused = alice.ask(&report("alice", keys));
    assert!(refused["response"].as_str().unwrap().starts_with("rejected: "), "{refused}");

    // Its author sees what it said no to, and of others nothing.
    let log = said(&manager.command(&["plugin", "log", "mq-acme"]));
    assert!(log.contains("refused  extension[0].skr: -5 is less than 0"), "{log}");
    assert_eq!(alice.ask(&report("alice", wrong))["response"], refused_before);
    let followed = said(&manager.command(&["plugin", "log", "--follow", "--count", "2", "-o", "json"]));
    assert_eq!(followed.matches("\"kind\":\"refused\"").count(), 2, "{followed}");
    let unknown = manager.command(&["plugin", "log", "acme"]);
    assert!(!unknown.status.success() && said(&unknown).contains("no plugin is configured as `acme`"), "{unknown:?}");
}

#[test]
fn the_standard_handler_checks_what_a_vendors_handler_has_no_opinion_of() {
    let wasm = wasm("vendor-etsi015", "chain");
    let handlers = format!(
        "[[handlers]]\nname = \"mq-acme\"\nreference_point = \"mq\"\nmatch = {{ vendor = \"acme\" }}\nplugin = {wasm:?}\n\
         then = \"mq-standard\"\n"
    );
    let settings = Settings::default().interface("mq", "").component("mq", "alice", "vendor = \"acme\"");
    let mut manager = ManagerProcess::start(settings.with(&handlers));
    manager.expect_warnings();
    let mut alice = manager.connect("mq", "alice");
    let mut answer = |second: serde_json::Value| {
        let link = json!({ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "qkdl_status": "etsi-qkdn-types:ACTIVE",
            "common_performance": { "phys_perf": [{ "perf_type": "QBER", "value": "0.021" }] } });
        alice.ask(&report("alice", json!([link, second])))["response"].as_str().unwrap().to_owned()
    };
    let performance = |value: f64| json!({ "type": "performance", "values": { "link_loss_db": value } });
    assert_eq!(answer(performance(3.5)), "success");
    let refused = "rejected: mq-standard: extension[1].values.link_loss_db: -3.5 is less than 0";
    assert_eq!(answer(performance(-3.5)), refused, "the vendor's handler knows the vendor's objects alone");
    let wrong = json!({ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "skr": -5 });
    assert_eq!(answer(wrong), "rejected: mq-acme: extension[1].skr: -5 is less than 0");
    let alarm = json!({ "type": "alarm", "alarmTypeId": "x", "severity": "terrible" });
    let refused = "rejected: mq-standard: extension[1].severity: \"terrible\" is not one of warning, minor, major, critical, \
                   indeterminate";
    assert_eq!(answer(alarm), refused);
    let down = json!({ "type": "etsi-qkd-sdn-node:sdqkdn_link_down", "qkdl_id": "l1", "reason": "fibre cut" });
    assert_eq!(answer(down), "success");
    let raised = manager.api().await_alarm("link-down", |alarm| alarm["isCleared"] == false);
    assert_eq!(raised["resource"], "l1", "the vendor's alarm went through the standard handler: {raised}");
    drop(alice);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{}", said(&replayed));
}
