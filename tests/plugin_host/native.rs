//! Native plugins in the plugin host: loaded only where they are trusted, answered and failed like components, and what they
//! get wrong is told apart.

use harness::native::c_library;
use qkdn_manager::{
    config::PluginSource,
    plugin::{FcapsPolicy, PluginError, PluginFailure},
};
use serde_json::{Value, json};

use super::{Bench, handler_config, policy_config};

const WAYWARD: &str = "tests/plugin_host/guests/wayward.c";

fn trusting() -> Bench {
    Bench::with(|config| config.allow_native = true)
}

fn load(bench: &Bench, options: &[&str], config: Value) -> Result<Box<dyn FcapsPolicy>, PluginError> {
    let library = c_library(bench.directory.path(), WAYWARD, options);
    let mut entry = policy_config(config);
    entry.plugin = PluginSource::Native(library);
    bench.host.load_policy(&entry, &bench.symbols).map(|loaded| loaded.instantiate().unwrap())
}

fn wayward(bench: &Bench, doing: &str) -> Box<dyn FcapsPolicy> {
    load(bench, &[], json!({ "do": doing })).unwrap()
}

#[test]
fn a_native_policy_keeps_its_state_with_the_manager() {
    let bench = trusting();
    let outcome = wayward(&bench, "order").evaluate(&bench.observations(2, &[5.0, 7.0], &[0.1, 0.2])).unwrap();
    assert_eq!(outcome.state, [6.0, 8.0]);
    assert_eq!((outcome.raised[0].step, outcome.cleared[0].step), (1, 2), "in the order of the calls");
    assert_eq!(bench.metrics.plugins.get("test-policy").unwrap().activity().calls(), 1);
}

#[test]
fn a_call_that_fails_says_why_and_the_next_goes_on() {
    let bench = trusting();
    let mut policy = wayward(&bench, "fail");
    for _ in 0..2 {
        let failure = policy.evaluate(&bench.observations(1, &[0.0], &[0.1])).unwrap_err();
        assert_eq!(failure.kind(), "trap");
        assert!(failure.detail().contains("returned 7") && failure.detail().contains("the beacon does not answer"));
    }
}

#[test]
fn answers_that_break_the_rules_are_not_believed() {
    let bench = trusting();
    for (doing, kind, told) in [
        ("far", "bad-answer", "position 99"),
        ("latin", "bad-answer", "not UTF-8"),
        ("short", "bad-answer", "too short"),
        ("null", "bad-answer", "NULL"),
        ("flood", "answer-too-large", "parts"),
    ] {
        let failure = wayward(&bench, doing).evaluate(&bench.observations(1, &[0.0], &[0.1])).unwrap_err();
        assert_eq!(failure.kind(), kind, "{doing}: {failure}");
        assert!(failure.detail().contains(told), "{doing}: {failure}");
        assert!(!matches!(failure, PluginFailure::Trap(_)));
    }
}

#[test]
fn texts_and_raw_extensions_reach_a_native_handler() {
    let bench = trusting();
    let mut entry = handler_config(json!({ "do": "echo" }));
    entry.plugin = PluginSource::Native(c_library(bench.directory.path(), WAYWARD, &[]));
    let loaded = bench.host.load_handler(&entry, &bench.symbols).unwrap();
    assert!(loaded.needs().raw);
    let handled = loaded.instantiate().unwrap().handle(&bench.reports(&[&[0.1], &[0.2]])).unwrap();
    assert_eq!(handled.refusals, [(0, "[]".to_owned()), (1, "[]".to_owned())]);
}

#[test]
fn problems_of_the_configuration_are_told_with_their_places() {
    let bench = trusting();
    let refused = load(&bench, &[], json!({ "do": "refuse unknown" })).err().unwrap().to_string();
    assert!(refused.contains("/do: on purpose"), "{refused}");
    let refused = load(&bench, &[], json!({ "do": "unknown" })).err().unwrap().to_string();
    assert!(refused.contains("did you mean `qber_ratio`?"), "{refused}");
}

#[test]
fn what_cannot_be_loaded_says_why() {
    let bench = trusting();
    let other = load(&bench, &["-DOTHER_VERSION"], json!({})).err().unwrap().to_string();
    assert!(other.contains("version 9") && other.contains("the manager has 1"), "{other}");

    let mut entry = handler_config(json!({}));
    entry.plugin = PluginSource::Native(c_library(bench.directory.path(), WAYWARD, &["-DONLY_POLICY"]));
    let role = bench.host.load_handler(&entry, &bench.symbols).unwrap_err().to_string();
    assert!(role.contains("belongs into [[policies]]"), "{role}");

    let text = bench.directory.path().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    entry.plugin = PluginSource::Native(text.clone());
    let error = bench.host.load_handler(&entry, &bench.symbols).unwrap_err().to_string();
    assert!(error.contains("does not load as a shared library"), "{error}");

    entry.sha256 = Some("00".repeat(32));
    let error = bench.host.load_handler(&entry, &bench.symbols).unwrap_err().to_string();
    assert!(error.contains("it is not the plugin that was approved"), "{error}");
}

#[test]
fn nothing_native_is_loaded_where_it_is_not_allowed() {
    let bench = Bench::new();
    let refused = load(&bench, &[], json!({})).err().unwrap().to_string();
    assert!(refused.contains("set `plugins.allow_native = true` if you trust it"), "{refused}");
}

/// Everything that crosses between the manager and a native library, once more where each access to memory is watched.
#[test]
fn what_crosses_to_native_plugins_touches_no_memory_that_it_should_not() {
    let valgrind = std::env::var_os("QKDNM_VALGRIND").unwrap_or_else(|| "valgrind".into());
    let is_there = std::process::Command::new(&valgrind).arg("--version").output().is_ok();
    if !is_there {
        println!("SKIPPED: valgrind is not installed (Debian: apt-get install valgrind); QKDNM_VALGRIND names another");
        return;
    }
    let output = std::process::Command::new(&valgrind)
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--test-threads=1"])
        .args([
            "native::a_native_policy_keeps_its_state_with_the_manager",
            "native::a_call_that_fails_says_why_and_the_next_goes_on",
            "native::answers_that_break_the_rules_are_not_believed",
            "native::texts_and_raw_extensions_reach_a_native_handler",
        ])
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("4 passed"), "{told}");
}
