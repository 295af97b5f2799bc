//! The standard handler with a manager around it.

use proptest::prelude::*;
use qkdn_plugin::catalogue::PERFORMANCE;
use qkdn_plugin::testing::{Answer, HandlerHost};
use serde_json::{Value, json};

use super::*;

fn host() -> HandlerHost<StandardHandler<Mk>> {
    HandlerHost::new("mk", &json!({})).expect("nothing to configure")
}

fn refusal(extension: Value) -> Option<String> {
    host().handle_one(extension).refusal
}

/// The refusal of a report with one object, whose path is `extension[0]`.
fn refusal_of(object: Value) -> String {
    refusal(json!([object])).unwrap_or_default()
}

#[test]
fn a_good_report_of_every_kind_is_accepted() {
    let answer = host().handle_one(json!([
        {"type": "performance", "values": {"qber_ratio": 0.02, "key_store_level_bits": 0, "snr_db": -3.5, "vendor_x": 9}},
        {"type": "state", "resource": "kma-1", "values": {"kma_link_state": "up", "tamper_detected": false, "mood": "good"}},
        {"type": "inventory", "values": {"vendor": "acme", "max_loss_db": 12, "link_type": "PHYS", "extra": true}},
        {"type": "topology", "partial": true, "nodes": [{"id": "n1", "kind": "trusted", "site": "vienna"}],
         "links": [{"id": "l1", "a": "n1", "b": "n2", "state": "up"}], "routes": [{"id": "r1", "hops": ["l1", "l2"]}]},
        {"type": "usage", "usageId": "u", "application": "app", "startTime": "2026-11-26T07:00:00+01:00",
         "endTime": "2026-11-26T06:00:00Z", "consumedBits": 0, "relayedBits": 1e6},
        {"type": "event", "name": "key-rollover", "reason": "scheduled", "security": false},
        {"type": "vendor.x", "values": 7},
    ]));
    assert_eq!(answer, Answer::default());
    assert_eq!(refusal(json!([])), None);
    assert_eq!(refusal(Value::Null), None);
}

#[test]
fn values_out_of_range_are_refused_with_path_and_bound() {
    let values = |values: Value| {
        refusal(json!([{"type": "event", "name": "e"}, {"type": "performance", "values": values}])).unwrap_or_default()
    };
    assert_eq!(values(json!({"qber_ratio": 1.2})), "extension[1].values.qber_ratio: 1.2 is more than 1");
    assert_eq!(values(json!({"relay_count": -1})), "extension[1].values.relay_count: -1 is less than 0");
    assert_eq!(
        values(json!({"detector_temperature_celsius": -300})),
        "extension[1].values.detector_temperature_celsius: -300 is less than -273.15"
    );
    assert_eq!(values(json!({"qber_ratio": "high"})), "extension[1].values.qber_ratio: expected a number");
    assert_eq!(
        values(json!({"operational_state": 1})),
        "extension[1].values.operational_state: expected one of enabled, disabled"
    );
}

#[test]
fn words_are_those_of_their_own_list() {
    let values = |values: Value| refusal_of(json!({"type": "state", "values": values}));
    assert_eq!(
        values(json!({"operational_state": "sleepy"})),
        "extension[0].values.operational_state: the word is not one of enabled, disabled"
    );
    assert_eq!(
        values(json!({"operational_state": "idle"})),
        "extension[0].values.operational_state: \"idle\" is not one of enabled, disabled"
    );
    assert_eq!(
        values(json!({"operational_state": true})),
        "extension[0].values.operational_state: expected one of enabled, disabled"
    );
    assert_eq!(values(json!({"enclosure_open": "up"})), "extension[0].values.enclosure_open: expected true or false");
    assert_eq!(values(json!({"qber_ratio": "up"})), "extension[0].values.qber_ratio: expected a number");
    assert_eq!(
        values(json!({"operational_state": 5})),
        "extension[0].values.operational_state: expected a string or a boolean"
    );
}

#[test]
fn the_first_problem_refuses_a_report_and_the_others_are_accepted() {
    let good = json!([{"type": "performance", "values": {"qber_ratio": 0.5}}]);
    let bad = json!([{"type": "performance", "values": {"qber_ratio": 2, "relay_count": -1}}, {"type": "event"}]);
    let answers = host().handle(&[("a", good.clone()), ("b", bad), ("c", json!([])), ("a", good)]);
    let refused: Vec<bool> = answers.iter().map(|answer| answer.refusal.is_some()).collect();
    assert_eq!(refused, [false, true, false, false]);
    assert_eq!(answers[1].refusal.as_deref(), Some("extension[0].values.qber_ratio: 2 is more than 1"));
}

#[test]
fn alarms_are_read_and_those_of_refused_reports_dropped() {
    let alarm = json!({"type": "alarm", "resource": "kma-1", "alarmTypeId": "kma-link-down", "severity": "major",
        "alarmTypeQualifier": "q", "text": "t", "probableCause": "c", "eventType": "e"});
    let over = json!({"type": "alarm", "alarmTypeId": "kma-link-down", "severity": "major", "cleared": true});
    let answers =
        host().handle(&[("a", json!([alarm.clone(), over])), ("b", json!([alarm, {"type": "event", "name": 7}]))]);
    assert_eq!(answers[0].alarms.len(), 2);
    let first = &answers[0].alarms[0];
    let told = [&first.resource, &first.alarm_type, &first.qualifier, &first.severity, &first.text].map(String::as_str);
    assert_eq!(told, ["kma-1", "kma-link-down", "q", "major", "t"]);
    assert_eq!((first.event_type.as_str(), first.probable_cause.as_str()), ("e", "c"));
    assert_eq!(answers[0].alarms[1].severity, "cleared");
    assert_eq!(
        (answers[1].alarms.len(), answers[1].refusal.as_deref()),
        (0, Some("extension[1].name: expected a string"))
    );
}

#[test]
fn bad_alarms_are_refused() {
    let alarm = |keys: Value| {
        let mut object = keys;
        object["type"] = "alarm".into();
        refusal_of(object)
    };
    assert_eq!(alarm(json!({"severity": "major"})), "extension[0].alarmTypeId: is missing");
    assert_eq!(alarm(json!({"alarmTypeId": "", "severity": "major"})), "extension[0].alarmTypeId: is empty");
    assert_eq!(
        alarm(json!({"alarmTypeId": "x", "cleared": false})),
        "extension[0].severity: is missing, and the alarm is not cleared"
    );
    assert!(alarm(json!({"alarmTypeId": "x", "severity": "cleared"})).contains("\"cleared\": true"));
    assert!(alarm(json!({"alarmTypeId": "x", "severity": "bad"})).contains("\"bad\" is not one of warning, minor"));
    assert_eq!(alarm(json!({"alarmTypeId": "x", "cleared": 1})), "extension[0].cleared: expected true or false");
    assert_eq!(
        alarm(json!({"alarmTypeId": "x", "severity": "major", "text": 1})),
        "extension[0].text: expected a string"
    );
}

#[test]
fn bad_inventory_is_refused() {
    let values = |values: Value| refusal_of(json!({"type": "inventory", "values": values}));
    assert_eq!(values(json!({"vendor": 7})), "extension[0].values.vendor: expected a string");
    assert_eq!(values(json!({"max_loss_db": "7"})), "extension[0].values.max_loss_db: expected a number");
    assert_eq!(
        values(json!({"link_type": "VIRTUAL"})),
        "extension[0].values.link_type: \"VIRTUAL\" is not one of PHYS, VIRT"
    );
    assert_eq!(values(json!({"mine": [1]})), "extension[0].values.mine: expected a string, a number or a boolean");
    assert_eq!(values(json!(null)), "extension[0].values: expected an object");
    assert_eq!(refusal_of(json!({"type": "inventory"})), "extension[0].values: is missing");
}

#[test]
fn bad_topology_is_refused() {
    let topology = |keys: Value| {
        let mut object = keys;
        object["type"] = "topology".into();
        refusal_of(object)
    };
    assert_eq!(topology(json!({})), "extension[0]: expected at least one of nodes, links, routes");
    assert_eq!(topology(json!({"nodes": {}})), "extension[0].nodes: expected an array");
    assert_eq!(topology(json!({"nodes": ["n"]})), "extension[0].nodes[0]: expected an object");
    assert_eq!(topology(json!({"nodes": [{"id": "n"}, {}]})), "extension[0].nodes[1].id: is missing");
    assert_eq!(topology(json!({"links": [{"id": "l", "a": "n"}]})), "extension[0].links[0].b: is missing");
    assert_eq!(
        topology(json!({"links": [{"id": "l", "a": "n", "b": "m", "state": 1}]})),
        "extension[0].links[0].state: expected a string"
    );
    assert_eq!(topology(json!({"routes": [{"id": "r"}]})), "extension[0].routes[0].hops: is missing");
    assert_eq!(
        topology(json!({"routes": [{"id": "r", "hops": ["a", 2]}]})),
        "extension[0].routes[0].hops[1]: expected the id of a node or link"
    );
    assert_eq!(topology(json!({"routes": [], "partial": "yes"})), "extension[0].partial: expected true or false");
}

#[test]
fn bad_usage_is_refused() {
    let usage = |key: &str, value: Value| {
        let mut object = json!({"type": "usage", "usageId": "u", "application": "app", "suppliedKeys": 4,
            "startTime": "2026-11-26T07:00:00Z", "endTime": "2026-11-26T08:00:00Z"});
        if value.is_null() {
            object.as_object_mut().expect("an object").remove(key);
        } else {
            object[key] = value;
        }
        refusal_of(object)
    };
    assert_eq!(usage("peer", json!("p")), "");
    assert_eq!(usage("usageId", Value::Null), "extension[0].usageId: is missing");
    assert_eq!(usage("application", Value::Null), "extension[0].application: is missing");
    assert_eq!(usage("endTime", json!("2026-11-26T06:59:59Z")), "extension[0].endTime: is before startTime");
    assert!(usage("startTime", json!("yesterday")).contains("RFC 3339"));
    assert_eq!(
        usage("suppliedKeys", Value::Null),
        "extension[0]: expected at least one of consumedBits, suppliedKeys, relayedBits"
    );
    for amount in [json!(-1), json!(1.5), json!("4"), json!(1e300)] {
        assert_eq!(usage("consumedBits", amount), "extension[0].consumedBits: expected a whole number, 0 or more");
    }
    assert_eq!(usage("consumedBits", json!(u64::MAX)), "");
    assert_eq!(usage("user", json!(1)), "extension[0].user: expected a string");
}

#[test]
fn bad_events_and_common_keys_are_refused() {
    assert_eq!(refusal_of(json!({"type": "event"})), "extension[0].name: is missing");
    assert_eq!(
        refusal_of(json!({"type": "event", "name": "e", "security": "no"})),
        "extension[0].security: expected true or false"
    );
    assert_eq!(
        refusal_of(json!({"type": "event", "name": "e", "resource": 1})),
        "extension[0].resource: expected a string"
    );
    assert!(
        refusal_of(json!({"type": "event", "name": "e", "time": "now"}))
            .starts_with("extension[0].time: expected a date")
    );
}

#[test]
fn a_handler_is_for_its_own_reference_point() {
    let problems = HandlerHost::<StandardHandler<Mq>>::new("mk", &json!({})).err().expect("another reference point");
    assert!(problems[0].message.contains("standard handler of mq"), "{problems:?}");
    let problems = HandlerHost::<StandardHandler<Mq>>::new("mq", &json!({"a": 1})).err().expect("nothing to configure");
    assert!(problems[0].message.contains("unknown field `a`"), "{problems:?}");
    assert_eq!(StandardHandler::<Mops>::describe().name, "mops-standard");
}

#[test]
fn symbols_may_be_any_numbers() {
    let wanted = limits::wanted_names();
    let symbols: Vec<Symbol> = (0..wanted.len() as u32).map(|position| Symbol(10_000 - 3 * position)).collect();
    let limits = Limits::new(&symbols);
    let qber = wanted.iter().position(|name| name == "qber_ratio").expect("in the catalogue");
    let reports = Reports {
        components: vec![1],
        offsets: vec![0, 2],
        names: vec![symbols[qber].0, 4_000_000_000],
        resources: vec![0, 0],
        values: vec![7.0, 7.0],
        flags: vec![0, 0],
        ..Reports::default()
    };
    let mut handled = Handled::default();
    limits.check(&reports, &mut handled);
    assert_eq!(handled.refusals[0].reason, "extension[0].values.qber_ratio: 7 is more than 1");
}

proptest! {
    /// A number is accepted exactly if it lies within the catalogue's bounds.
    #[test]
    fn numbers_are_accepted_within_their_bounds(entry in 0..PERFORMANCE.len(), value in prop_oneof![-1e3..1e3, -2.0..2.0f64]) {
        let entry = &PERFORMANCE[entry];
        let within = entry.min.is_none_or(|min| value >= min) && entry.max.is_none_or(|max| value <= max);
        let mut values = serde_json::Map::new();
        values.insert(entry.name.to_owned(), json!(value));
        prop_assert_eq!(refusal(json!([{"type": "performance", "values": values}])).is_none(), within);
    }

    /// A report's answer does not depend on what else is in its batch.
    #[test]
    fn reports_are_judged_alone(values in proptest::collection::vec(-0.5..1.5f64, 1..20)) {
        let report = |value: &f64| ("c", json!([{"type": "performance", "values": {"qber_ratio": value}}, {"type": "alarm", "alarmTypeId": "x", "severity": "minor"}]));
        let mut host = host();
        let together = host.handle(&values.iter().map(report).collect::<Vec<_>>());
        for (value, answer) in values.iter().zip(together) {
            let alone = host.handle_one(report(value).1);
            prop_assert_eq!(alone.refusal, answer.refusal);
            prop_assert_eq!(alone.alarms.len(), answer.alarms.len());
        }
    }
}
