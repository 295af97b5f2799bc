//! The policy with a manager around it.

use std::time::Duration;

use proptest::prelude::*;
use qkdn_plugin::testing::{Event, PolicyHost};
use serde_json::{Value, json};

use super::{KeyUsage, quota::Used};

type Host = PolicyHost<KeyUsage>;

fn host(config: Value) -> Host {
    Host::new(&config).expect("a good configuration")
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(key, alarm) => format!("raised {} for {}: {}", alarm.severity, key.resource, alarm.text),
        Event::Changed(key, alarm) => format!("changed {} for {}: {}", alarm.severity, key.resource, alarm.text),
        Event::Cleared(key, text) => format!("cleared for {}: {text}", key.resource),
    }
}

fn uses(host: &mut Host, application: &str, bits: u64) -> Vec<String> {
    let usage = json!({ "type": "usage", "usageId": "u", "application": application, "user": "bank", "peer": "km-2",
        "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:01:00Z", "consumedBits": bits });
    host.send_object("mk/km-1", &usage).iter().map(told).collect()
}

#[test]
fn a_quota_warns_is_used_up_and_begins_anew() {
    let mut host = host(json!({ "quota": { "consumed_bits": 1000 }, "period": "1h" }));
    assert!(uses(&mut host, "app-1", 799).is_empty());
    assert!(uses(&mut host, "app-2", 799).is_empty(), "each application has its own");
    assert_eq!(
        uses(&mut host, "app-1", 1),
        ["raised warning for app-1: 800 bits consumed of 1000 allowed in this period (80 %)"]
    );
    assert!(uses(&mut host, "app-1", 200).is_empty(), "all of it may be used");
    assert_eq!(
        uses(&mut host, "app-1", 1),
        ["changed major for app-1: 1001 bits consumed of 1000 allowed in this period (100 %)"]
    );
    assert!(uses(&mut host, "app-1", 5000).is_empty(), "said once");
    let later: Vec<_> = host.advance(Duration::from_secs(3_600)).iter().map(told).collect();
    assert_eq!(later, ["cleared for app-1: a new period has begun"]);
    assert!(uses(&mut host, "app-1", 799).is_empty(), "counted anew");
}

#[test]
fn users_and_peers_can_have_quotas_and_some_their_own() {
    let mut by_user = host(json!({ "per": "user", "quota": { "consumed_bits": 10 },
        "quotas": [{ "name": "bank", "consumed_bits": 100 }] }));
    assert!(uses(&mut by_user, "app-1", 60).is_empty());
    assert_eq!(
        uses(&mut by_user, "app-2", 60),
        ["raised major for bank: 120 bits consumed of 100 allowed in this period (120 %)"]
    );
    let mut by_peer = host(json!({ "per": "peer", "quota": { "consumed_bits": 10 } }));
    assert_eq!(uses(&mut by_peer, "app-1", 60).len(), 1);
}

#[test]
fn without_a_quota_usage_is_only_counted() {
    let mut host = host(json!({}));
    assert!(uses(&mut host, "app-1", 1 << 50).is_empty());
    assert_eq!(host.state("mk/km-1", "app-1")[1], (1_u64 << 50) as f64);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let config = json!({ "per": "fibre", "period": "1s", "warn_at": 1.5, "severity": "huge",
        "quotas": [{ "name": "a" }, { "name": "a", "supplied_keys": 1 }] });
    let problems = Host::new(&config).err().expect("there are problems");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["/per", "/period", "/warn_at", "/severity", "/quotas/0", "/quotas/1/name"]);
}

#[test]
fn the_shipped_file_is_a_good_configuration() {
    let text = include_str!("../../../config/policies/key-usage.toml");
    let file: toml::Table = text.parse().expect("TOML");
    for policy in file["policies"].as_array().expect("a list") {
        host(serde_json::to_value(&policy["config"]).expect("as JSON"));
    }
}

proptest! {
    /// Sums are exact, whatever the order, up to 2^53.
    #[test]
    fn sums_do_not_depend_on_the_order(mut amounts in prop::collection::vec(0_u64..1 << 40, 0..30)) {
        let sum = |amounts: &[u64]| {
            let mut used = Used::default();
            amounts.iter().for_each(|&bits| used.add(bits as f64, 1.0, 0.0));
            used
        };
        let forward = sum(&amounts);
        amounts.reverse();
        prop_assert_eq!(forward, sum(&amounts));
        prop_assert_eq!(forward.consumed_bits, amounts.iter().sum::<u64>() as f64);
    }

    /// A period never ends early, and always ends.
    #[test]
    fn a_period_begins_at_a_multiple_of_its_length(now in 0_u64..1 << 42, length in 60_000_u64..1 << 33) {
        let mut used = Used::default();
        used.turn(now, length);
        prop_assert!(used.period as u64 <= now && now < used.period as u64 + length);
        prop_assert!(!used.turn(now, length));
        prop_assert!(used.turn(used.period as u64 + length, length));
    }
}
