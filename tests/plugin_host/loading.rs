//! From a configuration entry to a plugin that can be used, or to everything that is wrong with it.

use std::{fs, sync::Arc};

use harness::guests;
use qkdn_manager::{
    config::PluginSource,
    model::ReferencePoint,
    plugin::{PluginError, PluginHost},
};
use serde_json::{Value, json};

use super::{Bench, handler_config, policy_config, settings};

fn problems(error: PluginError) -> Vec<(String, String)> {
    match error {
        PluginError::Configuration { problems, .. } => problems,
        other => panic!("expected problems of the configuration, found: {other}"),
    }
}

#[test]
fn a_plugin_says_what_it_is() {
    let bench = Bench::new();
    let loaded = bench.load_handler(Value::Null).unwrap();
    assert_eq!(loaded.name(), "test-handler");
    assert_eq!((loaded.description().name.as_str(), loaded.description().version.as_str()), ("guest-handler", "0.1.0"));
    assert_eq!(loaded.description().schema["type"], "object");
    assert_eq!(loaded.description().extra, [("purpose".to_owned(), "tests".to_owned())]);
    assert_eq!(loaded.digest().len(), 64);
}

#[test]
fn all_problems_of_a_configuration_are_told_at_once() {
    let bench = Bench::new();
    let found = problems(bench.load_policy(json!({ "limit": -1, "vlaue": "x", "state_width": "two" })).unwrap_err());
    let mut places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["", "/limit", "/state_width", "/vlaue"]);
    assert!(found.iter().any(|(_, message)| message.contains("did you mean `value`?")), "{found:?}");
}

#[test]
fn problems_that_the_plugin_finds_itself_are_passed_on() {
    let bench = Bench::new();
    let found = problems(bench.load_handler(json!({ "problems": ["too blue", "too loud"] })).unwrap_err());
    assert_eq!(
        found,
        [("/problems/0".to_owned(), "too blue".to_owned()), ("/problems/1".to_owned(), "too loud".to_owned())]
    );
}

#[test]
fn names_that_nobody_knows_are_problems_at_their_place() {
    let bench = Bench::new();
    let wide = json!({ "value": "qber_ration", "components": ["km-1", "mk/km-1"], "state_width": 65 });
    let found = problems(bench.load_policy(wide).unwrap_err());
    assert_eq!(found.len(), 3, "{found:?}");
    let at = |place: &str| found.iter().find(|(found, _)| found == place).map(|(_, message)| message.as_str()).unwrap();
    assert!(at("/value").contains("did you mean `qber_ratio`?"), "{found:?}");
    assert!(at("/components/0").contains("mk/km-1"), "{found:?}");
    assert!(at("").contains("65") && at("").contains("64"), "{found:?}");
    let found = problems(bench.load_handler(json!({ "objects": ["alarms"] })).unwrap_err());
    assert_eq!(found[0].0, "/objects/0");
    assert!(found[0].1.contains("did you mean `alarm`?"), "{found:?}");
}

#[test]
fn a_handler_is_no_policy() {
    let bench = Bench::new();
    let mut config = policy_config(json!({ "value": "qber_ratio" }));
    config.plugin = PluginSource::File(guests::wasm("guest-handler"));
    let error = bench.host.load_policy(&config, &bench.symbols).unwrap_err().to_string();
    assert!(error.contains("does not export qkdn:manager/policy@0.1.0"), "{error}");
    assert!(error.contains("belongs into [[handlers]]"), "{error}");
    let mut config = handler_config(Value::Null);
    config.plugin = PluginSource::File(guests::wasm("guest-policy"));
    let error = bench.host.load_handler(&config, &bench.symbols).unwrap_err().to_string();
    assert!(error.contains("belongs into [[policies]]"), "{error}");
}

#[test]
fn only_the_pinned_plugin_is_loaded() {
    let bench = Bench::new();
    let digest = bench.load_handler(Value::Null).unwrap().digest().to_owned();
    let mut config = handler_config(Value::Null);
    config.sha256 = Some(digest.clone());
    bench.host.load_handler(&config, &bench.symbols).unwrap();
    config.sha256 = Some("0".repeat(64));
    let error = bench.host.load_handler(&config, &bench.symbols).unwrap_err();
    assert!(matches!(error, PluginError::Digest { .. }));
    assert!(error.to_string().contains(&digest), "{error}");
}

#[test]
fn what_fails_while_loading_is_told_with_the_function() {
    let bench = Bench::new();
    let error = bench.load_handler(json!({ "misbehave": "panic-in-bind" })).unwrap_err();
    assert!(
        matches!(&error, PluginError::Call { function: "bind", failure, .. } if failure.kind() == "instantiate"),
        "{error}"
    );
    assert!(error.to_string().contains("no symbols, please"), "{error}");
    let error = bench.load_handler(json!({ "misbehave": "loop-in-configure" })).unwrap_err();
    assert!(
        matches!(&error, PluginError::Call { function: "configure", failure, .. } if failure.kind() == "cpu-time"),
        "{error}"
    );
}

#[test]
fn a_guest_larger_than_its_memory_does_not_start() {
    let bench = Bench::with(|plugins| plugins.memory = 512 << 10);
    let error = bench.load_handler(Value::Null).unwrap_err();
    assert!(
        matches!(&error, PluginError::Call { function: "start", failure, .. } if failure.kind() == "memory"),
        "{error}"
    );
    assert!(error.to_string().contains("plugins.memory"), "{error}");
}

#[test]
fn a_guest_with_more_in_its_tables_than_it_may_have_does_not_start() {
    let bench = Bench::with(|plugins| plugins.table_elements = 3);
    let error = bench.load_handler(Value::Null).unwrap_err();
    assert!(
        matches!(&error, PluginError::Call { function: "start", failure, .. } if failure.kind() == "tables"),
        "{error}"
    );
    assert!(error.to_string().contains("plugins.table_elements allows 3"), "{error}");
}

#[test]
fn compiled_code_is_kept_and_a_damaged_file_is_replaced() {
    let bench = Bench::new();
    let settings = settings(bench.directory.path());
    let load = || {
        let host = PluginHost::new(&settings, Arc::clone(&bench.metrics)).unwrap();
        let loaded = host.load_handler(&handler_config(Value::Null), &bench.symbols).unwrap();
        loaded.instantiate().unwrap().handle(&bench.reports(&[&[0.1]])).unwrap();
    };
    load();
    let file = fs::read_dir(&settings.cache_dir).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&file).unwrap();
    let used = fs::metadata(&file).unwrap().modified().unwrap();
    load();
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), used, "the file was used as it was");
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 0xff;
    fs::write(&file, &bad).unwrap();
    load();
    assert_eq!(fs::read(&file).unwrap().len(), good.len());
    assert_ne!(fs::read(&file).unwrap(), bad, "the file was made again");
}

#[test]
fn a_cache_that_cannot_be_used_stops_nothing() {
    let bench = Bench::new();
    let mut settings = settings(bench.directory.path());
    settings.cache_dir = bench.directory.path().join("file/cache");
    fs::write(bench.directory.path().join("file"), "").unwrap();
    let host = PluginHost::new(&settings, Arc::clone(&bench.metrics)).unwrap();
    let loaded = host.load_handler(&handler_config(Value::Null), &bench.symbols).unwrap();
    loaded.instantiate().unwrap().handle(&bench.reports(&[&[0.1]])).unwrap();
}

#[test]
fn the_standard_handlers_are_inside_the_binary_and_load() {
    let bench = Bench::new();
    for point in ReferencePoint::ALL {
        let mut config = handler_config(Value::Null);
        config.reference_point = point;
        config.plugin = PluginSource::Builtin(point.to_string());
        let loaded = bench.host.load_handler(&config, &bench.symbols).unwrap();
        let handled = loaded.instantiate().unwrap().handle(&bench.reports(&[&[0.03], &[1.5]])).unwrap();
        assert_eq!(handled.refusals.len(), 1, "{point}: a ratio above 1 is refused");
    }
}
