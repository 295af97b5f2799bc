//! Plugins that were built for released versions of the contract, and are never built again, do what they did.

use harness::binary::repository;
use qkdn_manager::config::PluginSource;
use serde_json::{Value, json};

use super::{Bench, handler_config, policy_config};

fn golden(name: &str) -> PluginSource {
    PluginSource::File(repository().join(format!("tests/guests/{name}/{name}.wasm")))
}

#[test]
fn a_handler_built_for_version_0_1_does_what_it_did() {
    let bench = Bench::new();
    let mut config = handler_config(Value::Null);
    config.plugin = golden("golden-handler");
    let loaded = bench.host.load_handler(&config, &bench.symbols).unwrap();
    assert_eq!(loaded.description().version, "1.0.0");
    assert_eq!(loaded.description().extra, [("contract".to_owned(), "0.1".to_owned())]);
    let handled = loaded.instantiate().unwrap().handle(&bench.reports(&[&[0.03], &[1.5], &[0.6]])).unwrap();
    assert_eq!(handled.refusals, [(1, "a QBER is above 1".to_owned())]);
    assert_eq!(
        (handled.alarms.len(), handled.alarms[0].report, handled.alarms[0].qualifier.as_str()),
        (1, 2, "golden")
    );
    assert_eq!((handled.samples[0].value, handled.samples[0].resource.as_str()), (0.6, "golden"));
    config.config = json!({ "refuse": true });
    let error = bench.host.load_handler(&config, &bench.symbols).unwrap_err().to_string();
    assert!(error.contains("is not wanted"), "{error}");
}

#[test]
fn a_policy_built_for_version_0_1_does_what_it_did() {
    let bench = Bench::new();
    let mut config = policy_config(Value::Null);
    config.plugin = golden("golden-policy");
    let loaded = bench.host.load_policy(&config, &bench.symbols).unwrap();
    let mut policy = loaded.instantiate().unwrap();
    let outcome = policy.evaluate(&bench.observations(2, &[1.0, 0.0], &[0.1, 0.1, 0.1])).unwrap();
    assert_eq!(outcome.state, [3.0, 1.0]);
    assert_eq!((outcome.raised.len(), outcome.raised[0].alarm_type.as_str()), (1, "golden-count"));
    assert_eq!((outcome.timers.as_slice(), outcome.requests.len()), ([(0, 4_600_000)].as_slice(), 1));
    let outcome = policy.on_time(&bench.observations(1, &[3.0], &[])).unwrap();
    assert_eq!((outcome.cleared.len(), outcome.cleared[0].text.as_str()), (1, "an hour is over"));
    assert_eq!(policy.migrate("0.9.0", 1, &[1.0]).unwrap(), None, "it takes no state over");
}

#[test]
fn state_goes_from_one_version_to_another_that_takes_it() {
    let bench = Bench::new();
    let loaded = bench.load_policy(json!({ "value": "qber_ratio", "state_width": 2 })).unwrap();
    let mut policy = loaded.instantiate().unwrap();
    assert_eq!(policy.migrate("1.0.0", 1, &[5.0, 7.0]).unwrap(), Some(vec![5.0, 0.0, 7.0, 0.0]));
    assert_eq!(policy.migrate("1.0.0", 1, &[]).unwrap(), Some(vec![]));
    let failure = policy.migrate("2.0.0", 3, &[0.0; 3]).unwrap_err();
    assert_eq!(
        (failure.kind(), failure.detail()),
        ("bad-answer", "version 2.0.0 kept 3 values and not the count alone")
    );
    let outcome = policy.evaluate(&bench.observations(1, &[5.0, 0.0], &[0.1])).unwrap();
    assert_eq!(outcome.state, [6.0, 0.0], "it goes on working");
}
