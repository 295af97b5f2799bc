//! The policy with a manager around it.

use std::time::Duration;

use proptest::prelude::*;
use qkdn_plugin::testing::{Event, PolicyHost, Reading};
use serde_json::{Value, json};

use super::State;

type Host = PolicyHost<State>;

fn host(config: Value) -> Host {
    Host::new(&config).expect("a good configuration")
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(key, alarm) => format!("raised {} {} {}", alarm.severity, key.alarm_type, key.qualifier),
        Event::Changed(key, alarm) => format!("changed {} {} {}", alarm.severity, key.alarm_type, key.qualifier),
        Event::Cleared(key, _) => format!("cleared {} {}", key.alarm_type, key.qualifier),
    }
}

fn says(host: &mut Host, resource: &str, value: &str, word: &str) -> Vec<String> {
    host.send("mq/qm-1", resource, &[(value, Reading::Word(word))]).iter().map(told).collect()
}

#[test]
fn a_failure_is_raised_at_once_and_cleared_by_a_good_word() {
    let mut host = host(json!({}));
    assert_eq!(says(&mut host, "", "qkdi_status", "ENABLED"), Vec::<String>::new());
    assert_eq!(says(&mut host, "", "qkdi_status", "FAILED"), ["raised critical module-failed qkdi_status"]);
    assert_eq!(says(&mut host, "", "qkdi_status", "FAILED"), Vec::<String>::new());
    let alarm = host.alarms().values().next().expect("one is raised");
    assert_eq!(alarm.evidence, [("qkdi_status".to_owned(), "FAILED".to_owned())]);
    assert_eq!(says(&mut host, "", "qkdi_status", "ENABLED"), ["cleared module-failed qkdi_status"]);
}

#[test]
fn a_degraded_link_that_goes_down_changes_its_alarm_and_links_are_told_apart() {
    let mut host = host(json!({}));
    assert_eq!(says(&mut host, "kma-1", "kma_link_state", "degraded"), ["raised minor kma-link-down kma_link_state"]);
    assert_eq!(says(&mut host, "kma-1", "kma_link_state", "down"), ["changed major kma-link-down kma_link_state"]);
    assert_eq!(says(&mut host, "kma-2", "kma_link_state", "down"), ["raised major kma-link-down kma_link_state"]);
    assert_eq!(says(&mut host, "kma-1", "kma_link_state", "up"), ["cleared kma-link-down kma_link_state"]);
    assert_eq!(host.alarms().len(), 1);
}

#[test]
fn what_an_operator_locked_raises_nothing() {
    let mut locked = host(json!({}));
    assert_eq!(says(&mut locked, "", "switch_state", "failed"), ["raised major switch-failed switch_state"]);
    assert_eq!(says(&mut locked, "", "administrative_state", "locked"), ["cleared switch-failed switch_state"]);
    assert_eq!(says(&mut locked, "", "administrative_state", "unlocked"), ["raised major switch-failed switch_state"]);
    let mut all_the_same = host(json!({ "raise_while_locked": true }));
    says(&mut all_the_same, "", "administrative_state", "locked");
    assert_eq!(says(&mut all_the_same, "", "switch_state", "failed"), ["raised major switch-failed switch_state"]);
}

#[test]
fn a_failure_shorter_than_the_hold_off_is_no_alarm() {
    let mut host = host(json!({ "hold_off": "5s" }));
    assert!(says(&mut host, "", "switch_state", "failed").is_empty());
    assert!(host.advance(Duration::from_secs(4)).is_empty());
    assert!(says(&mut host, "", "switch_state", "idle").is_empty());
    assert!(host.advance(Duration::from_secs(60)).is_empty());
    assert!(says(&mut host, "", "switch_state", "failed").is_empty());
    let events: Vec<_> = host.advance(Duration::from_secs(5)).iter().map(told).collect();
    assert_eq!(events, ["raised major switch-failed switch_state"]);
    assert_eq!(host.timer("mq/qm-1", ""), None);
}

#[test]
fn rules_are_added_changed_and_switched_off() {
    let mut host = host(json!({ "rules": [
        { "value": "qkdl_status", "word": "PENDING", "severity": "warning", "alarm_type": "link-down", "text": "not yet up" },
        { "value": "switch_state", "word": "failed", "severity": "critical" },
        { "value": "relay_point_state", "word": "failed", "severity": "off" },
    ] }));
    assert_eq!(says(&mut host, "", "qkdl_status", "PENDING"), ["raised warning link-down qkdl_status"]);
    assert_eq!(says(&mut host, "", "qkdl_status", "OFF"), ["changed critical link-down qkdl_status"]);
    assert_eq!(says(&mut host, "", "switch_state", "failed"), ["raised critical switch-failed switch_state"]);
    assert!(says(&mut host, "", "relay_point_state", "failed").is_empty());
}

#[test]
fn every_problem_is_told_with_its_place() {
    let config = json!({ "rules": [
        { "value": "switch_sate", "word": "failed", "severity": "major" },
        { "value": "switch_state", "word": "broken", "severity": "huge" },
        { "value": "tamper_detected", "word": "x", "severity": "off" },
    ] });
    let problems = Host::new(&config).err().expect("there are problems");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["/rules/0/value", "/rules/1/word", "/rules/1/severity", "/rules/2/value"]);
}

#[test]
fn the_shipped_table_is_of_the_catalogue() {
    let mut host = host(json!({}));
    for rule in super::Config::default().check().expect("it is good").rules {
        let known = qkdn_plugin::catalogue::state(&rule.value).expect("a value of the catalogue");
        assert!(known.words.contains(&rule.word.as_str()), "{rule:?}");
        assert_eq!(says(&mut host, &rule.word, &rule.value, &rule.word).len(), 1, "{rule:?}");
    }
}

#[test]
fn the_shipped_file_is_a_good_configuration() {
    let text = include_str!("../../../config/policies/state.toml");
    let file: toml::Table = text.parse().expect("TOML");
    let config = serde_json::to_value(&file["policies"][0]["config"]).expect("as JSON");
    host(config);
}

const WORDS: [&str; 4] = ["idle", "switching", "locked", "failed"];

proptest! {
    /// However reports are cut into calls: an alarm is raised exactly while the last word is a failure.
    #[test]
    fn an_alarm_is_raised_while_the_last_word_is_a_failure(words in prop::collection::vec((0_usize..4, any::<bool>()), 1..40)) {
        let mut host = host(json!({}));
        for &(word, cut) in &words {
            host.report("mops/l-1", "", &[("switch_state", Reading::Word(WORDS[word]))]);
            if cut {
                host.run();
                prop_assert_eq!(host.alarms().len(), usize::from(word == 3));
            }
        }
        host.run();
        let last = words.last().expect("there is one").0;
        prop_assert_eq!(host.alarms().len(), usize::from(last == 3));
    }
}
