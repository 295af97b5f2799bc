//! Objects as nodes send them, and as they should not.

use serde_json::json;

use super::*;

fn number(findings: &[Finding], name: &str) -> Option<f64> {
    findings.iter().find_map(|finding| match finding.says {
        Says::Number(known, value) if known == name => Some(value),
        _ => None,
    })
}

fn link_object(qber: &str) -> serde_json::Value {
    json!({
        "qkdl_id": "0a1b", "qkdl_status": "etsi-qkdn-types:ACTIVE", "qkdl_type": "etsi-qkdn-types:PHYS", "phys_channel_att": "7.250",
        "common_performance": { "skr": 4200, "eskr": "3900", "expected_consumption": 800,
            "phys_perf": [{ "perf_type": "QBER", "value": qber }, { "perf_type": "etsi-qkdn-types:SNR", "value": 11.5 }] },
    })
}

#[test]
fn a_link_with_numbers_in_strings_and_prefixes_is_read() {
    let findings = link(&link_object("0.021"), Unit::Ratio).unwrap();
    assert!(findings.iter().all(|finding| finding.resource == "0a1b"));
    let numbers = ["qber_ratio", "snr_db", "secret_key_rate_bps", "effective_secret_key_rate_bps", "link_loss_db"];
    let found: Vec<f64> = numbers.iter().filter_map(|name| number(&findings, name)).collect();
    assert_eq!(found, [0.021, 11.5, 4200.0, 3900.0, 7.25]);
    assert!(findings.iter().any(|finding| finding.says == Says::Word("qkdl_status", "ACTIVE")));
}

#[test]
fn the_unit_of_a_qber_is_said_and_a_slip_is_noticed() {
    assert_eq!(number(&link(&link_object("2.1"), Unit::Percent).unwrap(), "qber_ratio"), Some(0.021));
    let wrong = link(&link_object("2.1"), Unit::Ratio).unwrap_err();
    assert_eq!(wrong.path, ".common_performance.phys_perf[0].value");
    assert!(wrong.message.contains("qber_unit = \"percent\""), "{wrong}");
}

#[test]
fn an_interface_and_a_node_say_their_state_and_what_they_are() {
    let findings = interface(&json!({
        "qkdi_id": 1, "qkdi_status": "FAILED", "qkdi_model": "acme/q1", "qkdi_type": "etsi-qkdn-types:DV-QKD",
        "qkdi_capabilities": { "role_support": "etsi-qkdn-types:RECEIVER", "wavelength_range": "1,12-20" },
    }));
    let findings = findings.unwrap();
    assert!(findings.iter().all(|finding| finding.resource == "interface-1"));
    assert!(findings.iter().any(|finding| finding.says == Says::Word("qkdi_status", "FAILED")));
    assert!(findings.iter().any(|finding| finding.says == Says::Fact("qkd_type", "DV-QKD".to_owned())));
    let findings = node(&json!({ "etsi-qkd-sdn-node:qkdn_id": "n1", "qkdn_status": "OPERATING" })).unwrap();
    assert_eq!(findings[0].says, Says::Word("qkdn_status", "OPERATING"));
    assert_eq!(findings[1].says, Says::Fact("node_id", "n1".to_owned()));
}

#[test]
fn an_application_says_what_it_consumed() {
    let findings = application(&json!({
        "app_id": "a1", "app_status": "ON",
        "app_statistics": { "statistics": [
            { "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:15:00Z", "consumed_bits": 51200 }] },
    }));
    let (start, end) = ("2026-01-01T00:00:00Z".to_owned(), "2026-01-01T00:15:00Z".to_owned());
    assert_eq!(findings.unwrap()[1].says, Says::Usage { start, end, consumed: 51_200 });
}

#[test]
fn notifications_say_what_happened() {
    let down = json!({ "qkdl_id": "0a1b", "reason": "fibre cut" });
    let findings = notification("etsi-qkd-sdn-node:sdqkdn_link_down", &down, Unit::Ratio).unwrap().unwrap();
    assert_eq!(findings[0].says, Says::Word("qkdl_status", "OFF"));
    let Says::Alarm { alarm_type: "link-down", severity: Some("critical"), text } = &findings[1].says else { panic!() };
    assert!(text.contains("fibre cut"));
    let alarm =
        json!({ "interface": { "qkdi_id": 2, "status": "FAILED", "message": "no light", "severity": "MINOR" } });
    let findings = notification("alarm", &alarm, Unit::Ratio).unwrap().unwrap();
    assert_eq!(findings[0].resource, "interface-2");
    assert!(matches!(findings[1].says, Says::Alarm { severity: Some("minor"), .. }));
    let over = json!({ "interface": { "qkdi_id": 2, "status": "ENABLED", "severity": "MINOR" } });
    let findings = notification("alarm", &over, Unit::Ratio).unwrap().unwrap();
    assert!(matches!(findings[1].says, Says::Alarm { severity: None, .. }));
    assert_eq!(notification("sdqkdn_application_new", &json!({}), Unit::Ratio), Ok(None));
}

#[test]
fn what_is_wrong_is_told_with_its_key() {
    for (value, told) in [
        (json!({ "qkdl_status": "ACTIVE" }), ".qkdl_id: is missing"),
        (json!({ "qkdl_id": "a", "qkdl_status": "UP" }), ".qkdl_status: expected one of ACTIVE"),
        (json!({ "qkdl_id": "a", "skr": "many" }), ".skr: expected a number"),
        (json!({ "qkdl_id": "a", "skr": -1 }), ".skr: -1 is less than 0"),
        (json!({ "qkdl_id": "a", "phys_perf": {} }), ".phys_perf: expected a list"),
        (json!([]), ": expected an object"),
    ] {
        let wrong = link(&value, Unit::Ratio).unwrap_err().to_string();
        assert!(wrong.starts_with(told), "{wrong}");
    }
}
