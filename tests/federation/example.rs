//! `examples/federation/federation.py`, as an operator would use it: every verb, with real managers and simulated networks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use harness::{binary, eventually, patience};
use serde_json::Value;

/// The script.
pub(crate) fn script() -> PathBuf {
    binary::repository().join("examples/federation/federation.py")
}

/// Ports that several tests at once do not all look for from the same number on.
pub(crate) fn first_port() -> String {
    fastrand::u16(11_000..29_000).to_string()
}

struct Example {
    folder: tempfile::TempDir,
}

impl Example {
    fn run(&self, arguments: &[&str]) -> Output {
        let (verb, rest) = arguments.split_first().expect("a verb");
        let mut command = Command::new("python3");
        command.arg(script()).arg(verb);
        if *verb == "make" {
            command.args(rest).arg(self.folder.path());
        } else {
            command.arg(self.folder.path()).args(rest);
        }
        // One cache of compiled plugins for all tests.
        let cache = std::env::current_exe().unwrap().with_file_name("test-plugin-cache");
        command.env("QKDNM_BIN", binary::qkdnm()).env("QKDNM__PLUGINS__CACHE_DIR", cache);
        command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("python3 starts")
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        let (told, wrong) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {}\n{told}\n{wrong}", done.status);
        told.into_owned()
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).expect("JSON")
    }

    /// How one manager sees a domain.
    fn seen(&self, at: &str, domain: &str) -> Value {
        let status = self.status();
        let managers = status["managers"].as_array().expect("a list");
        let found = managers.iter().find(|manager| manager["domain"] == at).expect("a manager");
        found["sees"][domain]["freshness"].clone()
    }

    /// Waits until one manager has heard nothing of a domain for too long.
    #[track_caller]
    fn await_silent(&self, at: &str, domain: &str) {
        eventually(&format!("{domain} silent at {at}"), patience(), || {
            // Where the test is slow, it may be unreachable by now.
            ["stale", "unreachable"].iter().any(|how| self.seen(at, domain) == **how).then_some(())
        });
    }

    #[track_caller]
    fn await_seen(&self, at: &str, domain: &str, how: &str) {
        eventually(&format!("{domain} {how} at {at}"), patience(), || (self.seen(at, domain) == how).then_some(()));
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.run(&["stop"]);
    }
}

fn processes(folder: &Path) -> Vec<u64> {
    let text = fs::read_to_string(folder.join("federation.json")).expect("the script's notes");
    let state: Value = serde_json::from_str(&text).expect("JSON");
    let processes = state["processes"].as_object().expect("processes");
    processes.values().map(|one| one["pid"].as_u64().expect("an ID")).collect()
}

fn runs(pid: u64) -> bool {
    // What is left of a process whose parent has not asked for it is a zombie.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn every_verb_does_what_it_says() {
    let example = Example { folder: tempfile::tempdir().unwrap() };
    let port = first_port();
    let told = example.succeeds(&["make", "three", "--refresh", "1s", "--first-port", &port]);
    assert!(told.contains("3 domains") && told.contains("flanders, brabant, wallonia"), "{told}");
    assert_eq!(example.run(&["make", "three"]).status.code(), Some(1), "what is there is not overwritten");
    assert_eq!(example.run(&["status"]).status.code(), Some(1), "nothing runs yet");
    let told = example.succeeds(&["start", "--wait", "60"]);
    assert_eq!(told.matches("2 fresh").count(), 3, "{told}");
    let first = processes(example.folder.path());
    assert_eq!(first.len(), 9, "managers, networks and wires");

    example.succeeds(&["partition", "wallonia"]);
    example.await_silent("brabant", "wallonia");
    example.await_silent("wallonia", "flanders");
    assert_eq!(example.seen("brabant", "flanders"), "fresh");
    let told = example.run(&["status"]);
    assert_eq!(told.status.code(), Some(1), "not all is well");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(
        (text.contains("wallonia stale") || text.contains("wallonia unreachable")) && text.contains("cut: "),
        "{text}"
    );
    example.succeeds(&["heal", "--wait", "60"]);

    let told = example.succeeds(&["add", "zeeland", "--peers", "flanders", "brabant", "--wait", "60"]);
    assert!(told.contains("zeeland"), "{told}");
    assert_eq!(example.seen("wallonia", "zeeland"), "indirect", "it is no peer of it");
    assert_eq!(example.run(&["add", "zeeland", "--peers", "brabant"]).status.code(), Some(1), "it is there already");
    let refused = example.run(&["add", "Zee/land", "--peers", "brabant"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be the name"), "{refused:?}");
    example.succeeds(&["remove", "zeeland"]);
    example.succeeds(&["status", "--wait", "30"]);
    assert!(first.iter().all(|pid| runs(*pid)), "nobody was started again for it");
    // With its keys and its data, and in a new epoch.
    example.succeeds(&["add", "zeeland", "--wait", "60"]);

    example.succeeds(&["stop", "brabant"]);
    example.await_seen("flanders", "brabant", "withdrawn");
    example.succeeds(&["start", "--wait", "60"]);
    let all = processes(example.folder.path());
    example.succeeds(&["stop"]);
    eventually("the end of all", Duration::from_secs(30), || (!all.iter().any(|pid| runs(*pid))).then_some(()));
    for domain in ["flanders", "brabant", "wallonia"] {
        let log = fs::read_to_string(example.folder.path().join(domain).join("manager.log")).unwrap();
        assert!(!log.contains("ERROR") && !log.contains("panicked"), "{domain}:\n{log}");
        // What is not so: that anybody tried what he should not.
        assert!(!log.contains("authentication-failed") && !log.contains("unauthorized-report"), "{domain}:\n{log}");
    }
}

#[test]
fn for_hosts_every_folder_has_all_that_a_manager_needs_and_no_more() {
    let example = Example { folder: tempfile::tempdir().unwrap() };
    // `make` has had each configuration checked.
    let told = example.succeeds(&["make", "three", "--hosts"]);
    assert!(told.contains("3 domains") && !told.contains("fall apart"), "{told}");
    for domain in ["flanders", "brabant", "wallonia"] {
        let folder = example.folder.path().join(domain);
        let files = fs::read_dir(folder.join("peers")).unwrap();
        let names: Vec<String> = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().all(|name| name.ends_with("-ca.pem") || name.ends_with(".pub")), "{names:?}");
        let written = fs::read_to_string(folder.join("conf.d/50-federation.toml")).unwrap();
        assert!(written.contains("listen = \"0.0.0.0:7107\"") && !written.contains("127.0.0.1:17"), "{written}");
    }
}

#[test]
fn a_nation_has_areas_in_which_members_tell_more_than_everybody() {
    let example = Example { folder: tempfile::tempdir().unwrap() };
    // `make` has had each configuration checked.
    let told = example.succeeds(&["make", "national", "--hosts"]);
    assert!(told.contains("7 domains"), "{told}");
    let written = |domain: &str| {
        fs::read_to_string(example.folder.path().join(domain).join("conf.d/50-federation.toml")).unwrap()
    };
    let own = |domain: &str| {
        let text = written(domain);
        text.split("[federation]").nth(1).unwrap().split("[[").next().unwrap().to_owned()
    };
    assert!(own("coast").contains("area = \"north\"") && own("coast").contains("disclose = []"), "{}", own("coast"));
    assert!(own("wallonia").contains("role = \"aggregator\"") && !own("wallonia").contains("disclose = []"));
    assert!(own("capital").contains("role = \"aggregator\"") && !own("capital").contains("area"));
    assert_eq!(written("coast").matches("role = \"aggregator\"").count(), 3, "the others have to know of it");
}
