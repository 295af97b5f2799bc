//! Sections 3 and 4: who may say what, and what the standard handlers take.

use harness::{ManagerProcess, RawClient, Settings, pki::Request, report, response_code};
use serde_json::json;

#[test]
fn a_component_speaks_only_for_what_its_certificate_covers() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1", "km-2"]));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    let answer = client.ask(&report("km-2", json!([])));
    assert_eq!(response_code(&answer), "not-authorized");
    assert_eq!(answer["componentId"], "km-2");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
}

#[test]
fn a_certificate_may_cover_several_components_known_and_unknown() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1", "km-2"]));
    manager.expect_warnings();
    let mut request = Request::uri("several", "urn:qkdn:mk:km-1");
    request.uris.push("urn:qkdn:mk:km-2".to_owned());
    request.uris.push("urn:qkdn:mk:km-3".to_owned());
    let identity = manager.pki.issue_as(request);
    let mut client = RawClient::connect(manager.address("mk"), &identity, &manager.pki.anchor());
    for (id, code) in
        [("km-1", "success"), ("km-2", "success"), ("km-3", "unknown-component"), ("km-4", "not-authorized")]
    {
        assert_eq!(response_code(&client.ask(&report(id, json!([])))), code, "{id}");
    }
}

#[test]
fn a_bad_value_is_rejected_with_its_path() {
    let settings = Settings::one("mk", &["km-1"]).interface("mq", "").component("mq", "module-1", "");
    let manager = ManagerProcess::start(settings);
    let mut module = manager.connect("mq", "module-1");
    let mut km = manager.connect("mk", "km-1");
    let good = json!({"type": "performance", "values": {"qber_ratio": 0.02}});
    for (id, extension, path) in [
        (
            "module-1",
            json!([good, {"type": "performance", "values": {"qber_ratio": 1.5}}]),
            "extension[1].values.qber_ratio",
        ),
        (
            "module-1",
            json!([{"type": "performance", "values": {"qber_ratio": "low"}}]),
            "extension[0].values.qber_ratio",
        ),
        (
            "module-1",
            json!([{"type": "state", "values": {"qkdi_status": "BROKEN"}}]),
            "extension[0].values.qkdi_status",
        ),
        (
            "km-1",
            json!([{"type": "performance", "values": {"key_store_fill_ratio": -0.1}}]),
            "extension[0].values.key_store_fill_ratio",
        ),
        ("km-1", json!([{"type": "performance"}]), "extension[0]"),
        ("km-1", json!([{"type": "alarm", "severity": "major"}]), "extension[0]"),
        (
            "km-1",
            json!([{"type": "alarm", "alarmTypeId": "key-store-low", "severity": "terrible"}]),
            "extension[0].severity",
        ),
    ] {
        let client = if id == "km-1" { &mut km } else { &mut module };
        let answer = client.ask(&report(id, extension.clone()));
        assert_eq!(response_code(&answer), "rejected", "{extension}: {answer}");
        assert!(answer["response"].as_str().unwrap().contains(path), "{answer} names {path}");
    }
}

#[test]
fn known_types_are_accepted() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    manager.expect_log("key-store-low");
    for object in [
        json!({"type": "performance", "resource": "link-7", "time": "2026-11-26T07:00:00Z",
               "values": {"stored_key_count": 12, "key_store_fill_ratio": 0.5}}),
        json!({"type": "state", "values": {"operational_state": "enabled", "enclosure_open": false}}),
        json!({"type": "inventory", "values": {"vendor": "acme", "key_size_bits": 256}}),
        json!({"type": "alarm", "alarmTypeId": "key-store-low", "severity": "minor", "resource": "to-km-2"}),
        json!({"type": "alarm", "alarmTypeId": "key-store-low", "cleared": true, "resource": "to-km-2"}),
        json!({"type": "usage", "usageId": "u-1", "application": "app", "startTime": "2026-11-26T07:00:00Z",
               "endTime": "2026-11-26T07:01:00Z", "suppliedKeys": 4}),
        json!({"type": "event", "name": "restart", "reason": "operator", "security": false}),
        json!({"type": "topology", "links": [{"id": "l", "a": "km-1", "b": "km-2"}], "partial": true}),
        json!({"type": "vendor.acme.fan", "speed": [1, 2, {"deep": true}]}),
        json!({"type": "performance", "values": {"name_of_the_future": 1}}),
    ] {
        let answer = client.ask(&report("km-1", json!([object])));
        assert_eq!(response_code(&answer), "success", "{object}: {answer}");
    }
}

#[test]
fn a_report_is_refused_as_a_whole() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let before = json!([{"type": "performance", "values": {"stored_key_count": 1}}]);
    assert_eq!(response_code(&client.ask(&report("km-1", before))), "success");
    let mixed = json!([
        {"type": "performance", "values": {"stored_key_count": 2}},
        {"type": "performance", "values": {"key_store_fill_ratio": 2.0}},
    ]);
    assert_eq!(response_code(&client.ask(&report("km-1", mixed))), "rejected");
    assert_eq!(manager.api().value("mk/km-1", "stored_key_count"), Some(1.0));
}
