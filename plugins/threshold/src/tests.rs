//! The policy with a manager around it.

use std::time::Duration;

use proptest::prelude::*;
use qkdn_plugin::Problem;
use qkdn_plugin::testing::{Event, PolicyHost};
use serde_json::{Value, json};

use super::Threshold;

fn host(config: Value) -> PolicyHost<Threshold> {
    PolicyHost::new(&config).expect("a good configuration")
}

fn problems(config: Value) -> Vec<Problem> {
    PolicyHost::<Threshold>::new(&config).err().expect("a bad configuration")
}

fn qber(extra: Value) -> PolicyHost<Threshold> {
    let mut config = json!({"value": "qber_ratio", "raise_above": 0.06, "clear_below": 0.05, "alarm_type": "qber-threshold-exceeded"});
    config.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    host(config)
}

fn send(host: &mut PolicyHost<Threshold>, value: f64) -> Vec<String> {
    host.send("mq/qm-1", "link-1", &[("qber_ratio", value)]).iter().map(told).collect()
}

fn wait(host: &mut PolicyHost<Threshold>, secs: u64) -> Vec<String> {
    host.advance(Duration::from_secs(secs)).iter().map(told).collect()
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(_, alarm) => format!("raised {}: {}", alarm.severity, alarm.text),
        Event::Changed(_, alarm) => format!("changed {}: {}", alarm.severity, alarm.text),
        Event::Cleared(_, text) => format!("cleared: {text}"),
    }
}

#[test]
fn an_alarm_is_raised_once_and_cleared_with_hysteresis() {
    let mut host = qber(json!({}));
    assert!(send(&mut host, 0.06).is_empty());
    assert_eq!(send(&mut host, 0.071), ["raised major: qber_ratio 0.071 is above 0.06"]);
    assert!(send(&mut host, 0.08).is_empty());
    assert!(host.last_outcome().raised.is_empty(), "repeats are quiet");
    assert!(send(&mut host, 0.055).is_empty());
    assert!(send(&mut host, 0.05).is_empty());
    let alarm = host.alarms().values().next().expect("raised").clone();
    assert_eq!((alarm.observed, alarm.threshold), (Some(0.071), Some(0.06)));
    assert_eq!(send(&mut host, 0.049), ["cleared: qber_ratio 0.049 is below 0.05"]);
    assert!(host.alarms().is_empty());
}

#[test]
fn without_a_clear_level_the_raise_level_clears() {
    let mut host = host(json!({"value": "key_store_level_bits", "raise_below": 1000, "alarm_type": "key-store-low"}));
    let mut send = |value: f64| -> Vec<String> {
        host.send("mk/km-1", "", &[("key_store_level_bits", value)]).iter().map(told).collect()
    };
    assert_eq!(send(999.0), ["raised minor: key_store_level_bits 999 is below 1000"]);
    assert_eq!(send(1000.0), ["cleared: key_store_level_bits 1000 is not below 1000"]);
}

#[test]
fn hold_off_waits_for_samples_and_for_the_clock() {
    let mut host = qber(json!({"hold_off": "10s", "clear_hold_off": 5}));
    assert!(send(&mut host, 0.07).is_empty());
    assert!(wait(&mut host, 9).is_empty());
    assert!(send(&mut host, 0.071).is_empty());
    assert_eq!(wait(&mut host, 1), ["raised major: qber_ratio 0.071 is above 0.06 (for 10 s)"]);
    assert!(send(&mut host, 0.01).is_empty());
    assert!(wait(&mut host, 4).is_empty());
    assert!(send(&mut host, 0.055).is_empty(), "not back: the wait starts again");
    assert!(wait(&mut host, 60).is_empty());
    assert!(send(&mut host, 0.02).is_empty());
    assert_eq!(wait(&mut host, 5), ["cleared: qber_ratio 0.02 is below 0.05 (for 5 s)"]);
    assert_eq!(host.timer("mq/qm-1", "link-1"), None);
}

#[test]
fn a_short_excursion_raises_nothing_and_takes_the_timer_back() {
    let mut host = qber(json!({"hold_off": "10s"}));
    send(&mut host, 0.07);
    assert_eq!(host.timer("mq/qm-1", "link-1"), Some(host.now() + 10_000));
    wait(&mut host, 5);
    assert!(send(&mut host, 0.058).is_empty(), "not above any more");
    assert_eq!(host.timer("mq/qm-1", "link-1"), None);
    assert!(wait(&mut host, 60).is_empty());
}

#[test]
fn levels_change_the_severity_of_one_alarm() {
    let mut host =
        host(json!({"value": "qber_ratio", "alarm_type": "qber-threshold-exceeded", "hold_off": "10s", "levels": [
            {"raise_above": 0.06, "clear_below": 0.055, "severity": "major"},
            {"raise_above": 0.04, "clear_below": 0.03, "severity": "warning"},
        ]}));
    assert!(send(&mut host, 0.05).is_empty());
    wait(&mut host, 5);
    assert!(send(&mut host, 0.07).is_empty());
    assert_eq!(wait(&mut host, 5), ["raised warning: qber_ratio 0.07 is above 0.04 (for 10 s)"]);
    assert_eq!(wait(&mut host, 5), ["changed major: qber_ratio 0.07 is above 0.06 (for 10 s)"]);
    assert!(send(&mut host, 0.09).is_empty());
    assert_eq!(send(&mut host, 0.035), ["changed warning: qber_ratio 0.035 has been above 0.04 and is not back yet"]);
    assert_eq!(send(&mut host, 0.01), ["cleared: qber_ratio 0.01 is below 0.03"]);
}

#[test]
fn overrides_are_for_their_subjects_and_the_first_match_counts() {
    let mut host = qber(json!({"overrides": [
        {"component": "mq/qm-2", "resource": "quiet", "disabled": true},
        {"component": "mq/qm-2", "raise_above": 0.02, "severity": "warning"},
        {"resource": "", "raise_above": 0.5},
        {"resource": "strict", "clear_below": 0.01},
    ]}));
    let mut raised = |component: &str, resource: &str, value: f64| {
        host.send(component, resource, &[("qber_ratio", value)]).iter().map(told).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(raised("mq/qm-2", "quiet", 0.9), "");
    assert_eq!(raised("mq/qm-2", "", 0.03), "raised warning: qber_ratio 0.03 is above 0.02");
    assert_eq!(raised("mq/qm-3", "", 0.4), "");
    assert_eq!(raised("mq/qm-3", "strict", 0.07), "raised major: qber_ratio 0.07 is above 0.06");
    assert_eq!(raised("mq/qm-3", "strict", 0.02), "");
    assert_eq!(raised("mq/qm-3", "strict", 0.005), "cleared: qber_ratio 0.005 is below 0.01");
    assert_eq!(raised("mq/qm-3", "link-9", 0.07), "raised major: qber_ratio 0.07 is above 0.06");
}

#[test]
fn flags_can_be_watched_and_texts_are_the_operators() {
    let mut host = host(json!({"value": "tamper_detected", "raise_above": 0.5, "alarm_type": "tamper-detected",
        "qualifier": "door", "text": "Someone is at the cabinet", "repair_actions": ["Call the site."], "event_type": "e"}));
    let events = host.send("mq/qm-1", "", &[("tamper_detected", true)]);
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        ["raised critical: Someone is at the cabinet: tamper_detected 1 is above 0.5"]
    );
    let (key, alarm) = host.alarms().iter().next().expect("raised");
    assert_eq!((key.qualifier.as_str(), alarm.event_type.as_str(), alarm.repair_actions.len()), ("door", "e", 1));
}

#[test]
fn every_problem_is_told_with_its_place() {
    let found = problems(json!({"value": "qber_ration", "alarm_type": "", "raise_above": 0.06, "clear_below": 0.07,
        "clear_above": 1, "severity": "bad", "overrides": [
            {"raise_above": 1, "raise_below": 2}, {"component": "km-1"}, {"component": "mk/km-1", "levels": []}]}));
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/value",
            "/alarm_type",
            "/severity",
            "/clear_above",
            "/clear_below",
            "/overrides/0",
            "/overrides/0/severity",
            "/overrides/0",
            "/overrides/1/component",
            "/overrides/2/levels",
        ]
    );
    assert!(found[0].message.contains("`qber_ratio`"), "{found:?}");
    let found = problems(json!({"value": "qber_ratio", "alarm_type": "a"}));
    assert_eq!(found[0].message, "`raise_above` or `raise_below`: one of them is needed");
    let found = problems(json!({"value": "qber_ratio", "alarm_type": "a", "raise_above": 6}));
    assert_eq!(
        (found[0].path.as_str(), found[0].message.as_str()),
        ("/raise_above", "qber_ratio is at most 1: it is never above 6")
    );
    let found = problems(json!({"value": "operational_state", "alarm_type": "a", "raise_above": 0}));
    assert!(found[0].message.contains("is a word"), "{found:?}");
    let found = problems(
        json!({"value": "qber_ratio", "alarm_type": "a", "levels": [{"raise_above": 0.1}, {"raise_below": 0.1}],
        "overrides": [{"component": "mq/a", "severity": "minor"}]}),
    );
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["/levels/1", "/levels/1", "/overrides/0"]);
    assert!(problems(json!({"value": "qber_ratio", "alarm_typ": "a"}))[0].message.contains("alarm_typ"));
}

#[test]
fn the_schema_names_every_key_of_the_configuration() {
    let schema: Value = serde_json::from_str(include_str!("../schema.json")).expect("JSON");
    for key in schema["properties"].as_object().expect("an object").keys() {
        let told = PolicyHost::<Threshold>::new(&json!({key.as_str(): {}})).err().expect("no such type");
        assert!(!told[0].message.contains("unknown field"), "{key}: {told:?}");
    }
}

/// A step of a test: a value after some seconds.
fn steps() -> impl Strategy<Value = Vec<(u64, f64)>> {
    proptest::collection::vec((0..8u64, 0.0..0.12f64), 1..60)
}

fn policies() -> impl Strategy<Value = Value> {
    (0..15u64, 0..15u64, 0.0..0.05f64, any::<bool>()).prop_map(|(hold, clear_hold, gap, levels)| {
        let one = json!({"value": "qber_ratio", "alarm_type": "a", "hold_off": hold, "clear_hold_off": clear_hold,
            "raise_above": 0.06, "clear_below": 0.06 - gap, "severity": "major"});
        let two = json!({"value": "qber_ratio", "alarm_type": "a", "hold_off": hold, "clear_hold_off": clear_hold,
            "levels": [{"raise_above": 0.06, "clear_below": 0.06 - gap}, {"raise_above": 0.09}]});
        if levels { two } else { one }
    })
}

proptest! {
    /// Raise and clear alternate: an alarm that is raised is not raised again before it was cleared.
    #[test]
    fn raise_and_clear_alternate(config in policies(), steps in steps()) {
        let mut host = host(config);
        let mut raised = false;
        for (secs, value) in steps {
            let mut events = host.advance(Duration::from_secs(secs));
            events.extend(host.send("mq/a", "", &[("qber_ratio", value)]));
            for verdict in &host.last_outcome().cleared {
                prop_assert_eq!(verdict.alarm_type.as_str(), "a");
            }
            for event in events {
                match event {
                    Event::Raised(..) => { prop_assert!(!raised); raised = true; }
                    Event::Changed(..) => prop_assert!(raised),
                    Event::Cleared(..) => { prop_assert!(raised); raised = false; }
                }
            }
        }
    }

    /// Values that never go beyond the level raise nothing.
    #[test]
    fn below_the_level_nothing_is_raised(config in policies(), steps in steps()) {
        let mut host = host(config);
        for (secs, value) in steps {
            prop_assert!(host.advance(Duration::from_secs(secs)).is_empty());
            prop_assert!(host.send("mq/a", "", &[("qber_ratio", value / 2.0)]).is_empty());
        }
        prop_assert!(host.alarms().is_empty());
    }

    /// Beyond the level for the hold-off, and not for less, raises; and as long as the value is not back, it stays.
    #[test]
    fn hold_off_is_exact(hold in 1..30u64, early in 0..30u64, stay in 0.051..0.059f64) {
        let mut host = qber(json!({"hold_off": hold}));
        host.send("mq/a", "", &[("qber_ratio", 0.07)]);
        host.advance(Duration::from_secs(early));
        prop_assert_eq!(host.alarms().len(), usize::from(early >= hold));
        host.advance(Duration::from_secs(hold));
        prop_assert_eq!(host.alarms().len(), 1);
        host.send("mq/a", "", &[("qber_ratio", stay)]);
        host.advance(Duration::from_secs(1000));
        prop_assert_eq!(host.alarms().len(), 1);
    }

    /// How samples are cut into batches changes neither the alarms that stand nor the state.
    #[test]
    fn batches_do_not_matter(config in policies(), steps in steps(), cuts in proptest::collection::vec(any::<bool>(), 60)) {
        let mut alone = host(config.clone());
        let mut batched = host(config);
        for ((secs, value), cut) in steps.into_iter().zip(cuts) {
            if secs > 4 {
                alone.advance(Duration::from_secs(secs));
                batched.advance(Duration::from_secs(secs));
            }
            let component = if value * 1000.0 % 2.0 < 1.0 { "mq/a" } else { "mq/b" };
            alone.send(component, "", &[("qber_ratio", value)]);
            batched.report(component, "", &[("qber_ratio", value)]);
            if cut {
                batched.run();
            }
        }
        batched.run();
        prop_assert_eq!(alone.alarms(), batched.alarms());
        for component in ["mq/a", "mq/b"] {
            prop_assert_eq!(alone.state(component, ""), batched.state(component, ""));
            prop_assert_eq!(alone.timer(component, ""), batched.timer(component, ""));
        }
    }
}

#[test]
fn the_examples_of_the_readme_are_good() {
    let mut policies = 0;
    for block in include_str!("../README.md").split("```toml").skip(1) {
        let block = block.split("```").next().expect("split gives one");
        let table: toml::Table = block.parse().expect("TOML");
        for policy in table["policies"].as_array().expect("an array of tables") {
            let config = serde_json::to_value(&policy["config"]).expect("JSON");
            assert!(PolicyHost::<Threshold>::new(&config).is_ok(), "{config}");
            policies += 1;
        }
    }
    assert_eq!(policies, 2);
}
