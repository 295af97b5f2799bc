//! The agent of `examples/python-client`, from its first report to a manager that comes back from `kill -9`.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use harness::{ManagerProcess, PATIENCE, Settings, binary::repository, eventually, settings::OPERATOR_TOKEN};

use crate::programs::is_installed;

struct Agent {
    child: Child,
    output: PathBuf,
}

impl Agent {
    fn start(manager: &ManagerProcess, count: u32, interval: &str) -> Self {
        Self::start_with(manager, count, interval, &[])
    }

    fn start_with(manager: &ManagerProcess, count: u32, interval: &str, more: &[&str]) -> Self {
        let identity = manager.pki.issue("mk", "km-1");
        let output = manager.root().join("agent.log");
        let file = File::options().create(true).append(true).open(&output).unwrap();
        let child = Command::new("python3")
            .args(["-u", "-m", "qkd_agent"])
            .current_dir(repository().join("examples/python-client"))
            .args(["--manager", &format!("localhost:{}", manager.address("mk").port())])
            .arg("--cert")
            .arg(&identity.certificate_file)
            .arg("--key")
            .arg(&identity.key_file)
            .arg("--ca")
            .arg(manager.pki.anchor_file())
            .args(["--component-id", "km-1", "--interval", interval, "--count", &count.to_string()])
            .arg("--state")
            .arg(manager.root().join("agent-state.json"))
            .args(more)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, output }
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn finish(mut self) {
        let status = eventually("the end of the agent", PATIENCE * 2, || self.child.try_wait().unwrap());
        assert!(status.success(), "the agent ended with {status}:\n{}", self.printed());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stored(manager: &ManagerProcess) -> Vec<u64> {
    manager.api().accepted_sequences("mk/km-1")
}

#[test]
fn it_reports_and_is_answered() {
    if !is_installed("python3", "--version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    Agent::start(&manager, 5, "0.05").finish();
    assert_eq!(stored(&manager), [1, 2, 3, 4, 5]);
    // A second run goes on where the first ended.
    Agent::start(&manager, 3, "0.05").finish();
    assert_eq!(stored(&manager), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn its_reports_are_stored_exactly_once_over_a_crash_of_the_manager() {
    if !is_installed("python3", "--version") {
        return;
    }
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.keep_ports();
    let agent = Agent::start(&manager, 60, "0.05");
    for wanted in [5, 20] {
        eventually(&format!("{wanted} reports of the agent"), PATIENCE, || {
            (stored(&manager).len() >= wanted).then_some(())
        });
        manager.crash_and_restart();
    }
    agent.finish();
    assert_eq!(stored(&manager), (1..=60).collect::<Vec<_>>());
}

#[test]
fn it_answers_requests() {
    if !is_installed("python3", "--version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let agent = Agent::start(&manager, 0, "0.2");
    eventually("a report of the agent", PATIENCE, || (!stored(&manager).is_empty()).then_some(()));
    let output = Command::new(harness::binary::qkdnm())
        .args(["component", "request", "mk/km-1", "-o", "json"])
        .env("QKDNM_API", manager.api().root())
        .env("QKDNM_TOKEN", OPERATOR_TOKEN)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(agent.printed().contains("request"), "the agent tells of the request:\n{}", agent.printed());
}

const STORES: &str = r#"
[[subscriptions]]
name = "stores"
events = [{ types = ["performance"] }]
method = "on-change"
durable = true
poll_interval = "1s"
"#;

/// What the API tells of the manager's subscription at the agent.
fn standing(manager: &ManagerProcess) -> serde_json::Value {
    manager.api().get("/api/v1/components/mk/km-1").json()["outwardSubscriptions"][0].clone()
}

#[test]
fn it_is_subscribed_at_and_no_notification_is_missing_over_a_crash_of_the_manager() {
    if !is_installed("python3", "--version") {
        return;
    }
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(STORES));
    manager.keep_ports();
    let agent = Agent::start(&manager, 0, "0.1");
    for round in 0..2 {
        let standing = eventually("ten notifications", PATIENCE, || {
            Some(standing(&manager)).filter(|standing| standing["notifications"].as_u64() >= Some(10))
        });
        assert_eq!((&standing["state"], &standing["missing"]), (&"granted".into(), &0.into()), "{}", agent.printed());
        if round == 0 {
            manager.crash_and_restart();
        }
    }
    let granted = agent.printed().lines().filter(|line| line.ends_with(": success")).count();
    assert_eq!(granted, 2, "granted, and resumed:\n{}", agent.printed());
}

#[test]
fn one_that_serves_no_subscriptions_is_polled() {
    if !is_installed("python3", "--version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(STORES));
    let agent = Agent::start_with(&manager, 0, "0.2", &["--no-subscriptions"]);
    eventually("two requests of the schedule", PATIENCE, || {
        (agent.printed().matches(": answered with").count() >= 2).then_some(())
    });
    assert_eq!(standing(&manager)["state"], "polled");
}
