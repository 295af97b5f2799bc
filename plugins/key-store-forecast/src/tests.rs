//! The policy with a manager around it.

use std::time::Duration;

use proptest::prelude::*;
use qkdn_plugin::testing::{Event, PolicyHost};
use serde_json::{Value, json};

use super::{KeyStoreForecast, NAMES};

type Host = PolicyHost<KeyStoreForecast>;

fn host(config: Value) -> Host {
    Host::new(&config).expect("a good configuration")
}

fn told(event: &Event) -> String {
    match event {
        Event::Raised(key, alarm) => format!("raised {} {}: {}", alarm.severity, key.alarm_type, alarm.text),
        Event::Changed(key, alarm) => format!("changed {} {}: {}", alarm.severity, key.alarm_type, alarm.text),
        Event::Cleared(key, text) => format!("cleared {}: {text}", key.alarm_type),
    }
}

fn send(host: &mut Host, values: &[(&str, f64)]) -> Vec<String> {
    host.send("mk/km-1", "kma-1", values).iter().map(told).collect()
}

fn wait(host: &mut Host, secs: u64) {
    assert!(host.advance(Duration::from_secs(secs)).is_empty(), "the policy sets no timers");
}

#[test]
fn a_draining_store_is_forecast_from_its_level() {
    let mut host = host(json!({}));
    let mut seen = Vec::new();
    // 12 Mbit that lose 3 kbit/s: 4000 s, an hour and 6 minutes and 40 seconds.
    for second in (0..4_000).step_by(10) {
        seen.extend(send(&mut host, &[("key_store_level_bits", 12e6 - 3e3 * second as f64)]));
        wait(&mut host, 10);
    }
    assert_eq!(
        seen,
        [
            "raised warning key-store-exhaustion-forecast: 10.8 Mbit left, 3 kbit/s net outflow: empty in 59 min 50 s",
            "changed major key-store-exhaustion-forecast: 2.67 Mbit left, 3 kbit/s net outflow: empty in 14 min 50 s",
        ]
    );
    assert_eq!(
        send(&mut host, &[("key_store_level_bits", 0.0)]),
        [
            "raised critical key-store-empty: the key store is empty, 3 kbit/s net outflow",
            "cleared key-store-exhaustion-forecast: the key store is empty now",
        ]
    );
    wait(&mut host, 10_000);
    let filled = send(&mut host, &[("key_store_level_bits", 5e6)]);
    assert_eq!(filled, ["cleared key-store-empty: 5 Mbit in the store"]);
}

#[test]
fn the_more_pessimistic_of_observed_and_reported_counts() {
    let mut host = host(json!({"warm_up": 0, "horizon": "1h"}));
    let steady = [("key_input_rate_bps", 1_000.0), ("key_output_rate_bps", 900.0)];
    assert!(send(&mut host, &steady).is_empty());
    assert!(send(&mut host, &[("key_store_level_bits", 1e6)]).is_empty());
    wait(&mut host, 10);
    // The level stands still, but consumption is announced: 1 Mbit / 1 kbit/s is 1000 s.
    let announced =
        [("expected_consumption_bps", 2_000.0), ("key_input_rate_bps", 1_000.0), ("key_output_rate_bps", 900.0)];
    send(&mut host, &announced);
    assert_eq!(
        send(&mut host, &[("key_store_level_bits", 1e6)]),
        ["raised warning key-store-exhaustion-forecast: 1 Mbit left, 1 kbit/s net outflow: empty in 16 min 40 s",]
    );
    let alarm = host.alarms().values().next().expect("raised").clone();
    assert_eq!((alarm.observed, alarm.threshold), (Some(1_000.0), Some(3_600.0)));
    // Reported rates expire: then the level alone counts, and it does not fall.
    wait(&mut host, 601);
    assert_eq!(
        send(&mut host, &[("key_store_level_bits", 1e6)]),
        ["cleared key-store-exhaustion-forecast: 1 Mbit left, not draining"]
    );
}

#[test]
fn a_forecast_is_cleared_with_hysteresis() {
    let mut host = host(json!({"horizon": "100s", "major_horizon": "20s", "clear_horizon": "200s"}));
    let mut at = |level: f64| {
        send(&mut host, &[("key_input_rate_bps", 0.0), ("key_output_rate_bps", 1.0), ("key_store_level_bits", level)])
            .join("; ")
    };
    assert_eq!(at(100.0), "");
    assert!(at(99.0).starts_with("raised warning"));
    assert_eq!(at(150.0), "");
    assert!(at(19.0).starts_with("changed major"));
    assert_eq!(at(39.0), "");
    assert!(at(40.0).starts_with("changed warning"));
    assert_eq!(at(199.0), "");
    assert_eq!(at(200.0), "cleared key-store-exhaustion-forecast: 200 bit left, empty in 3 min 20 s");
}

#[test]
fn a_low_store_is_told_by_bits_or_ratio() {
    let mut host = host(json!({"low_water_bits": 1000, "low_ratio": 0.2, "clear_low_ratio": 0.3}));
    let mut step = |values: &[(&str, f64)]| send(&mut host, values).join("; ");
    assert_eq!(step(&[("key_store_capacity_bits", 10_000.0), ("key_store_level_bits", 2_000.0)]), "");
    assert_eq!(step(&[("key_store_level_bits", 1_900.0)]), "raised minor key-store-low: 19 % full, limit 20 %");
    assert_eq!(step(&[("key_store_level_bits", 900.0)]), "", "low already");
    assert_eq!(step(&[("key_store_level_bits", 1_300.0)]), "", "enough bits, still not full enough");
    assert_eq!(step(&[("key_store_level_bits", 2_900.0)]), "");
    assert_eq!(step(&[("key_store_level_bits", 3_000.0)]), "cleared key-store-low: 30 % full, limit 20 %");
    assert_eq!(step(&[("key_store_fill_ratio", 0.1)]), "raised minor key-store-low: 10 % full, limit 20 %");
}

#[test]
fn a_fill_and_a_capacity_make_a_level() {
    let mut host = host(json!({"warm_up": 0, "low_ratio": 0}));
    send(&mut host, &[("key_store_capacity_bits", 1_000.0), ("key_store_fill_ratio", 0.9)]);
    wait(&mut host, 10);
    let raised = send(&mut host, &[("key_store_fill_ratio", 0.8)]);
    assert_eq!(
        raised,
        ["raised major key-store-exhaustion-forecast: 800 bit left, 10 bit/s net outflow: empty in 1 min 20 s"]
    );
    assert_eq!(
        send(&mut host, &[("key_store_fill_ratio", 0.0)])[0],
        "raised critical key-store-empty: the key store is empty, 10 bit/s net outflow"
    );
    assert_eq!(host.alarms().len(), 1);
}

#[test]
fn stores_of_a_component_are_told_apart() {
    let mut host = host(json!({}));
    host.send("mk/km-1", "kma-1", &[("key_store_level_bits", 0.0)]);
    host.send("mk/km-1", "kma-2", &[("key_store_level_bits", 9.0)]);
    let raised: Vec<&str> = host.alarms().keys().map(|key| key.resource.as_str()).collect();
    assert_eq!(raised, ["kma-1"]);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let found = Host::new(&json!({"horizon": 0, "smoothing": "0s", "major_horizon": 1, "clear_low_water_bits": 5,
        "low_ratio": 2, "clear_low_ratio": 0.5, "low_water_bits": null}))
    .err()
    .expect("bad");
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/horizon", "/smoothing", "/major_horizon", "/clear_low_water_bits", "/low_ratio", "/clear_low_ratio"]
    );
    let found = Host::new(&json!({"clear_horizon": "10min"})).err().expect("bad");
    assert_eq!(found[0].path, "/clear_horizon");
    assert!(Host::new(&json!({"horizont": 1})).err().expect("bad")[0].message.contains("unknown field"));
}

#[test]
fn the_schema_names_every_key_of_the_configuration() {
    let schema: Value = serde_json::from_str(include_str!("../schema.json")).expect("JSON");
    for key in schema["properties"].as_object().expect("an object").keys() {
        let told = Host::new(&json!({key.as_str(): []})).err().expect("no such type");
        assert!(!told[0].message.contains("unknown field"), "{key}: {told:?}");
    }
}

/// A report after some seconds: values by their place in `NAMES`.
fn reports() -> impl Strategy<Value = Vec<(u64, Vec<(usize, f64)>)>> {
    let value = prop_oneof![Just(0.0), 0.0..1.0f64, 0.0..5e3f64];
    let values = proptest::collection::vec((0..NAMES.len(), value), 1..5);
    proptest::collection::vec((0..120u64, values), 1..60)
}

fn named(values: &[(usize, f64)]) -> Vec<(&'static str, f64)> {
    values.iter().map(|&(place, value)| (NAMES[place], value)).collect()
}

fn configs() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"warm_up": 0, "smoothing": 30, "horizon": 60, "low_water_bits": 500, "low_ratio": 0.3})),
    ]
}

proptest! {
    /// Raise and clear alternate for each alarm type, whatever is reported.
    #[test]
    fn raise_and_clear_alternate(config in configs(), reports in reports()) {
        let mut host = host(config);
        let mut raised = std::collections::HashSet::new();
        for (secs, values) in reports {
            host.advance(Duration::from_secs(secs));
            for event in host.send("mk/km-1", "", &named(&values)) {
                match event {
                    Event::Raised(key, _) => prop_assert!(raised.insert(key)),
                    Event::Changed(key, _) => prop_assert!(raised.contains(&key)),
                    Event::Cleared(key, _) => prop_assert!(raised.remove(&key)),
                }
            }
        }
    }

    /// A store that stands still, well filled, is never forecast to end.
    #[test]
    fn a_constant_level_raises_nothing(level in 1.0..1e12f64, gaps in proptest::collection::vec(0..1000u64, 1..50)) {
        let mut host = host(json!({"warm_up": 0}));
        for secs in gaps {
            host.advance(Duration::from_secs(secs));
            host.report("mk/km-1", "", &[("key_store_capacity_bits", level * 2.0), ("key_store_level_bits", level)]);
            prop_assert!(host.run().is_empty());
        }
    }

    /// How samples are cut into batches changes neither the alarms that stand nor the state.
    #[test]
    fn batches_do_not_matter(config in configs(), reports in reports(), cuts in proptest::collection::vec(any::<bool>(), 60)) {
        let (mut alone, mut batched) = (host(config.clone()), host(config));
        for ((secs, values), cut) in reports.into_iter().zip(cuts) {
            if secs > 60 {
                alone.advance(Duration::from_secs(secs));
                batched.advance(Duration::from_secs(secs));
            }
            alone.send("mk/km-1", "", &named(&values));
            batched.report("mk/km-1", "", &named(&values));
            if cut {
                batched.run();
            }
        }
        batched.run();
        prop_assert_eq!(alone.alarms(), batched.alarms());
        prop_assert_eq!(alone.state("mk/km-1", ""), batched.state("mk/km-1", ""));
    }

    /// Of two stores of the same level, the one that drains faster is forecast first.
    #[test]
    fn the_faster_drain_is_told_first(level in 1e3..1e9f64, slow in 0.0001..0.01f64, factor in 1.0..10.0f64) {
        let mut host = host(json!({"low_ratio": 0}));
        for step in 0..200 {
            for (resource, share) in [("slow", slow), ("fast", slow * factor)] {
                let left = (level * (1.0 - share * f64::from(step))).max(1.0);
                host.report("mk/km-1", resource, &[("key_store_level_bits", left)]);
            }
            host.run();
            host.advance(Duration::from_secs(30));
            let raised = |name: &str| host.alarms().keys().any(|key| key.resource == name);
            if level * (1.0 - slow * factor * f64::from(step + 1)) <= 1.0 {
                break;
            }
            prop_assert!(raised("fast") || !raised("slow"));
        }
    }
}

#[test]
fn the_example_of_the_readme_is_good() {
    let block = include_str!("../README.md").split("```toml").nth(1).and_then(|block| block.split("```").next());
    let table: toml::Table = block.expect("there is one").parse().expect("TOML");
    let config = serde_json::to_value(&table["policies"][0]["config"]).expect("JSON");
    assert!(Host::new(&config).is_ok(), "{config}");
}
