//! The policy with a manager around it.

use proptest::prelude::*;
use qkdn_plugin::testing::{Event, PolicyHost};
use serde_json::{Value, json};

use super::{ConfigurationDrift, agrees};

type Host = PolicyHost<ConfigurationDrift>;

fn host() -> Host {
    let config = json!({
        "baseline": {
            "everywhere": { "vendor": "acme" },
            "components": [
                { "component": "mq/qm-1", "values": { "software_version": ["2.4.1", "2.4.2"], "max_loss_db": 12 } },
                { "component": "mq/qm-1", "resource": "port-1", "values": { "link_id": "l-1" } },
                { "component": "mq/qm-2", "values": { "vendor": "other" } },
            ],
        },
        "severities": { "software_version": "minor" },
    });
    Host::new(&config).expect("a good configuration")
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(key, alarm) => format!("raised {} {}: {}", alarm.severity, key.resource, alarm.text),
        Event::Changed(key, alarm) => format!("changed {} {}: {}", alarm.severity, key.resource, alarm.text),
        Event::Cleared(key, text) => format!("cleared {}: {text}", key.resource),
    }
}

fn has(host: &mut Host, component: &str, resource: &str, values: Value) -> Vec<String> {
    let mut object = json!({ "type": "inventory", "values": values });
    if !resource.is_empty() {
        object["resource"] = json!(resource);
    }
    host.send_object(component, &object).iter().map(told).collect()
}

#[test]
fn what_differs_is_raised_and_what_is_right_again_cleared() {
    let mut host = host();
    assert!(has(&mut host, "mq/qm-1", "", json!({ "software_version": "2.4.2", "max_loss_db": 12.0 })).is_empty());
    let seen = has(&mut host, "mq/qm-1", "", json!({ "software_version": "2.5.0", "serial_number": "x" }));
    assert_eq!(seen, ["raised minor : software_version is 2.5.0, intended is 2.4.1 or 2.4.2"]);
    let alarm = host.alarms().values().next().expect("one is raised");
    assert_eq!(alarm.evidence[1], ("reported".to_owned(), "2.5.0".to_owned()));
    assert!(has(&mut host, "mq/qm-1", "", json!({ "max_loss_db": 12 })).is_empty(), "another value changes nothing");
    let seen = has(&mut host, "mq/qm-1", "", json!({ "software_version": "2.4.1" }));
    assert_eq!(seen, ["cleared : software_version is 2.4.1, as intended"]);
}

#[test]
fn resources_have_their_own_baseline_and_everywhere_is_overruled() {
    let mut host = host();
    assert_eq!(
        has(&mut host, "mq/qm-1", "port-1", json!({ "link_id": "l-2" })),
        ["raised warning port-1: link_id is l-2, intended is l-1"]
    );
    assert_eq!(
        has(&mut host, "mk/km-9", "", json!({ "vendor": "other" })),
        ["raised warning : vendor is other, intended is acme"]
    );
    assert!(has(&mut host, "mq/qm-2", "", json!({ "vendor": "other" })).is_empty());
}

#[test]
fn every_problem_is_told_with_its_place() {
    let config = json!({ "severity": "huge", "severities": { "vendor": "tiny" }, "baseline": { "components": [
        { "component": "mq/a", "values": { "max_loss_db": "12", "vendor": [], "role_support": "DRUMMER", "site": { "a": 1 } } },
        { "component": "mq/a", "values": {} },
    ] } });
    let problems = Host::new(&config).err().expect("there are problems");
    let mut places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    places.sort_unstable();
    let first = "/baseline/components/0/values";
    let expected = ["max_loss_db", "role_support", "site", "vendor"].map(|name| format!("{first}/{name}"));
    assert_eq!(places[..4], expected);
    assert_eq!(places[4..], ["/baseline/components/1/component", "/severities/vendor", "/severity"]);
    assert!(Host::new(&json!({})).is_err(), "nothing intended is a mistake");
}

#[test]
fn the_shipped_baseline_is_a_good_one() {
    let baseline: toml::Table = include_str!("../../../config/baseline.toml").parse().expect("TOML");
    Host::new(&json!({ "baseline": baseline })).expect("a good configuration");
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(Value::from),
        (-3_i32..3).prop_map(Value::from),
        (-3_i32..3).prop_map(|number| json!(f64::from(number))),
        any::<bool>().prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn agreeing_is_symmetric_and_a_list_agrees_if_one_of_it_does(one in value(), others in prop::collection::vec(value(), 0..4)) {
        prop_assert!(agrees(&one, &one));
        for other in &others {
            prop_assert_eq!(agrees(&one, other), agrees(other, &one));
        }
        let any = others.iter().any(|other| agrees(other, &one));
        prop_assert_eq!(agrees(&Value::Array(others), &one), any);
    }
}
