//! The handler with the manager played by the SDK's test kit: native code, a debugger works.

use qkdn_plugin::testing::HandlerHost;
use serde_json::{Value as Json, json};

use super::*;

fn host(config: &Json) -> HandlerHost<Etsi015> {
    HandlerHost::new("mq", config).unwrap()
}

#[test]
fn a_link_becomes_values_of_the_catalogue() {
    let mut host = host(&json!({}));
    let answer = host
        .handle_one(json!([{ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "qkdl_status": "PASSIVE",
        "common_performance": { "skr": 900, "phys_perf": [{ "perf_type": "QBER", "value": "0.034" }] } }]));
    assert_eq!(answer.refusal, None);
    let qber = host.symbols().find("qber_ratio").unwrap().0;
    let sample = answer.samples.iter().find(|sample| sample.name == qber).unwrap();
    assert_eq!((sample.resource.as_str(), sample.value), ("l1", 0.034));
    assert_eq!(answer.samples.len(), 3, "status, rate and error ratio");
}

#[test]
fn a_report_is_taken_whole_or_not_at_all() {
    let mut host = host(&json!({ "qber_unit": "percent" }));
    let objects = json!([
        { "type": "etsi-qkd-sdn-node:qkd_interface", "qkdi_id": 1, "qkdi_status": "ENABLED" },
        { "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "phys_perf": [{ "perf_type": "QBER", "value": 140 }] },
    ]);
    let answers = host.handle(&[("a", objects.clone()), ("b", json!([objects[0]]))]);
    let refused = answers[0].refusal.as_deref().unwrap();
    assert!(refused.starts_with("extension[1].phys_perf[0].value: a QBER of 140"), "{refused}");
    assert!(answers[0].samples.is_empty());
    assert_eq!((answers[1].refusal.as_deref(), answers[1].samples.len()), (None, 1));
}

#[test]
fn notifications_raise_and_clear() {
    let mut host = host(&json!({}));
    let down = json!([{ "type": "etsi-qkd-sdn-node:sdqkdn_link_down", "qkdl_id": "l1", "reason": "no light" }]);
    let up = json!([{ "type": "etsi-qkd-sdn-node:qkd_link", "qkdl_id": "l1", "qkdl_status": "ACTIVE" }]);
    let alarm = |answer: &qkdn_plugin::testing::Answer| {
        let alarm = &answer.alarms[0];
        (alarm.alarm_type.clone(), alarm.resource.clone(), alarm.severity.clone())
    };
    let of = |severity: &str| ("link-down".to_owned(), "l1".to_owned(), severity.to_owned());
    assert_eq!(alarm(&host.handle_one(down)), of("critical"));
    assert_eq!(alarm(&host.handle_one(up)), of("cleared"));
}

#[test]
fn what_is_the_managers_own_is_left_to_the_decoder() {
    let mut host = host(&json!({}));
    let own = json!([{ "type": "performance", "values": { "qber_ratio": 0.1 } }, { "type": "x.other", "qkdl_id": 7 }]);
    let answer = host.handle_one(own);
    assert_eq!((answer.refusal, answer.samples.len(), answer.alarms.len()), (None, 0, 0));
    let wrong = host.handle_one(json!([{ "type": "performance", "values": { "qber_ratio": "high" } }]));
    assert!(wrong.refusal.is_some(), "a fault of the decoder refuses");
}

#[test]
fn it_says_where_it_belongs() {
    assert!(HandlerHost::<Etsi015>::new("mc", &json!({})).is_err());
    assert!(HandlerHost::<Etsi015>::new("mops", &json!({})).is_ok());
}
