//! The way of a plugin's author with the real binary, offline: a new project, built, looked at, tried with a recording, and
//! what a change of the code or a panic in it looks like.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod examples;
mod languages;
mod live;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use harness::binary::{qkdnm, repository};
use serde_json::Value;

/// A project of an author, and how commands are run in it.
struct Project {
    _scratch: tempfile::TempDir,
    folder: PathBuf,
    name: &'static str,
}

impl Project {
    fn new(name: &'static str, role: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let sdk = repository().join("plugins/sdk");
        let made = author(scratch.path(), &["plugin", "new", name, "--role", role, "--sdk", sdk.to_str().unwrap()]);
        assert!(made.status.success(), "{}", said(&made));
        let folder = scratch.path().join(name);
        // The libraries of this repository are there; what else is in a registry is nothing to a test.
        fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { _scratch: scratch, folder, name }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        author(&self.folder, arguments)
    }

    fn build(&self) {
        let built = self.run(&["plugin", "build"]);
        assert!(built.status.success(), "{}", said(&built));
    }

    fn wasm(&self) -> String {
        format!("{}.wasm", self.name)
    }

    /// Changes the code.
    fn replace(&self, from: &str, to: &str) {
        let file = self.folder.join("src/lib.rs");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
    }

    fn recording(&self, ending: &str) -> String {
        let mut files = fs::read_dir(self.folder.join("recordings")).unwrap().map(|entry| entry.unwrap().path());
        let file = files.find(|file| file.to_string_lossy().ends_with(ending));
        fs::read_to_string(file.unwrap_or_else(|| panic!("no {ending} in recordings"))).unwrap()
    }
}

fn author(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(qkdnm());
    command
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", guests())
        .env("XDG_CACHE_HOME", guests().join("cache"));
    command
}

/// Where the standard plugins were built: what is to be compiled of the SDK's libraries is there.
fn guests() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("guests")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_policy_is_built_inspected_tested_and_a_change_is_noticed() {
    let project = Project::new("relay-watch", "policy");
    project.build();
    let wasm = project.wasm();
    let seen = project.run(&["plugin", "inspect", &wasm, "-o", "json"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen[0]["role"], "policy", "{seen:#}");
    assert_eq!(seen[0]["interface"], "qkdn:manager/policy@0.1.0");
    assert_eq!(seen[0]["imports"], serde_json::json!(["qkdn:manager/host@0.1.0", "qkdn:manager/types@0.1.0"]));
    assert_eq!((&seen[0]["name"], &seen[0]["form"]), (&"relay-watch".into(), &"component".into()));
    assert_eq!(seen[0]["needs"]["names"], "relay_count, relay_failure_count");
    assert_eq!(seen[0]["configSchema"]["properties"]["most"]["maximum"], 1);

    let first = project.run(&["plugin", "test", &wasm]);
    assert_eq!(first.status.code(), Some(1), "there is nothing to compare with: {}", said(&first));
    let update = project.run(&["plugin", "test", &wasm, "--update"]);
    assert!(update.status.success(), "{}", said(&update));
    let decisions = project.recording(".decisions.txt");
    assert!(decisions.contains("raises major mk/km-1 key-relay-failed relay-watch: 19 of 110"), "{decisions}");
    assert!(decisions.contains("clears mk/km-1 key-relay-failed relay-watch: key relays succeed again"), "{decisions}");
    let same = project.run(&["plugin", "test", &wasm]);
    assert!(same.status.success() && said(&same).contains("the same followed"), "{}", said(&same));

    project.replace("\"major\"", "\"critical\"");
    project.replace("let share =", "if relays > 300.0 { panic!(\"too many relays: {relays}\") }\n        let share =");
    project.build();
    let changed = project.run(&["plugin", "test", &wasm]);
    assert_eq!(changed.status.code(), Some(1));
    let changed = said(&changed);
    assert!(
        changed.contains("-     raises major mk/km-1") && changed.contains("+     raises critical mk/km-1"),
        "{changed}"
    );
    assert!(
        changed.contains("-     clears mk/km-1") && changed.contains("+     the plugin fails: trap\n"),
        "{changed}"
    );
    assert!(changed.contains("too many relays: 400"), "the panic's text: {changed}");
    assert!(changed.contains("panicked at src/lib.rs:"), "its place, without folders of this machine: {changed}");
    assert!(changed.contains("relay_watch::RelayWatch as "), "names of functions are in the trace: {changed}");
    assert!(project.run(&["plugin", "test", &wasm, "--update"]).status.success());
    assert!(project.run(&["plugin", "test", &wasm]).status.success());
}

#[test]
fn a_new_handler_is_built_and_tested_and_its_refusals_are_the_authors_words() {
    let project = Project::new("acme-detectors", "handler");
    project.build();
    let update = project.run(&["plugin", "test", &project.wasm(), "--update"]);
    assert!(update.status.success(), "{}", said(&update));
    let decisions = project.recording(".decisions.txt");
    assert!(decisions.contains("adds detector_temperature_celsius of detector-1 = -60"), "{decisions}");
    assert!(decisions.contains("rejected: extension[0].temperature_f: 451 is not between"), "{decisions}");
    let measured = project.run(&["plugin", "bench", &project.wasm(), "-o", "json"]);
    let measured: Value = serde_json::from_slice(&measured.stdout).unwrap_or_else(|_| panic!("{}", said(&measured)));
    assert_eq!(measured[1]["plugin"], "empty-handler");
    assert!(measured.as_array().unwrap().iter().all(|one| one["aloneNs"].as_f64().is_some_and(|ns| ns > 0.0)));
    let instructions = |at: usize| measured[at]["togetherInstructions"].as_u64().unwrap();
    assert!(instructions(0) > 10 * instructions(1) && instructions(1) > 10, "{measured}");
    let again = project.run(&["plugin", "bench", &project.wasm(), "-o", "json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again[0]["aloneInstructions"], measured[0]["aloneInstructions"], "a count is the same each time");
    assert!(measured[0]["memory"].as_u64().is_some_and(|bytes| bytes > 65_536), "{measured}");

    // What is kept between calls is gone with the instance.
    project.replace(
        "let mut handled = Handled::default();",
        "static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);\n        \
         let mut handled = Handled::default();\n        \
         if CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3 { handled.refuse(0, \"the fourth\"); }",
    );
    project.build();
    let keeps = project.run(&["plugin", "test", &project.wasm()]);
    assert_eq!(keeps.status.code(), Some(1));
    let keeps = said(&keeps);
    assert!(keeps.contains("where each call has a new instance") && keeps.contains("rejected: the fourth"), "{keeps}");
}

#[test]
fn a_new_collector_is_tested_built_and_says_whom_it_asks() {
    let project = Project::new("room-watch", "collector");
    project.build();
    let seen = project.run(&["plugin", "inspect", &project.wasm(), "-o", "json"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen[0]["role"], "collector", "{seen:#}");
    assert!(seen[0].to_string().contains("sensor"), "{seen:#}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tested = Command::new(cargo)
        .args(["test", "--quiet", "--lib", "--profile", "guest", "--config", "profile.guest.lto=false"])
        .current_dir(&project.folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", guests())
        .env_remove("CARGO_INCREMENTAL")
        .output()
        .unwrap();
    assert!(tested.status.success() && said(&tested).contains("3 passed"), "{}", said(&tested));
    let python = project.run(&["plugin", "new", "x", "--role", "collector", "--lang", "python"]);
    assert_eq!(python.status.code(), Some(2));
    assert!(said(&python).contains("collectors are made in Rust"), "{}", said(&python));
}

#[test]
fn what_is_no_plugin_and_what_cannot_be_made_is_said_with_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |arguments: &[&str]| author(scratch.path(), arguments);
    let output = at(&["plugin", "build"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("has neither Cargo.toml nor plugin.toml"), "{}", said(&output));
    let output = at(&["plugin", "new", "x", "--role", "policy"]);
    assert!(said(&output).contains("--sdk ../qkdnm/plugins/sdk"), "{}", said(&output));
    let output = at(&["plugin", "new", "Ä", "--role", "policy", "--sdk", "."]);
    assert!(said(&output).contains("no name for a plugin"), "{}", said(&output));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing was written");

    fs::write(scratch.path().join("script.wasm"), "#!/bin/sh").unwrap();
    let output = at(&["plugin", "inspect", "script.wasm", "builtin:threshold"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("is no WebAssembly: it does not begin with"), "{}", said(&output));
    assert!(said(&output).contains("yes, with a configuration"), "{}", said(&output));
    assert_eq!(at(&["plugin", "inspect", "builtin:mq"]).status.code(), Some(0));
    fs::write(scratch.path().join("t.toml"), "value = \"qber_ratio\"\nraise_above = 0.06\nseverity = \"majr\"")
        .unwrap();
    let output = at(&["plugin", "inspect", "builtin:threshold", "--config", "t.toml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("/severity"), "{}", said(&output));
}

#[test]
fn what_the_manager_brings_can_be_tested_with_recordings_too() {
    let scratch = tempfile::tempdir().unwrap();
    let report = |second: u32, qber: f64| {
        format!(
            r#"{{"messageType":"statusReport","componentId":"module-1","time":"2026-01-01T00:00:{second:02}Z","extension":[{{"type":"performance","resource":"link-1","values":{{"qber_ratio":{qber}}}}}]}}"#
        )
    };
    let lines = [report(0, 0.03), report(1, 0.08), report(20, 0.08), report(21, 0.01)];
    fs::write(scratch.path().join("noisy.mq.jsonl"), lines.join("\n")).unwrap();
    let config = "value = \"qber_ratio\"\nraise_above = 0.06\nseverity = \"major\"\nalarm_type = \"qber-threshold-exceeded\"\nhold_off = \"10s\"\n";
    fs::write(scratch.path().join("noisy.mq.toml"), config).unwrap();
    let arguments = ["plugin", "test", "builtin:threshold", "--recording", ".", "--update"];
    let output = author(scratch.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let decisions = fs::read_to_string(scratch.path().join("noisy.mq.decisions.txt")).unwrap();
    let timer = decisions.find("2026-01-01T00:00:11.000Z timer").expect("the hold-off's timer fires between reports");
    let raised = decisions.find("raises major mq/module-1 link-1 qber-threshold-exceeded threshold").unwrap();
    assert!(timer < raised, "{decisions}");
}
