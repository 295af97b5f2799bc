//! Managers that are peers of each other, each with a domain, a folder and an authority of its own.

use std::{net::TcpListener, path::PathBuf, process::Command};

use harness::{ManagerProcess, Settings, binary, eventually, patience};
use serde_json::Value;

/// A policy that raises an alarm about `km-1` when its store is low.
const POLICY: &str = r#"
[[policies]]
name = "store-low"
function = "performance"
plugin = "builtin:threshold"
config = { value = "key_store_fill_ratio", raise_below = 0.2, clear_above = 0.3, severity = "major", alarm_type = "key-store-low" }
"#;

/// The managers, by the order of their domains' names.
pub(crate) struct Cluster {
    pub(crate) managers: Vec<ManagerProcess>,
    names: Vec<&'static str>,
    ports: Vec<u16>,
    /// Lines of `[federation]` beside name and key.
    pub(crate) lines: &'static str,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Each reads keys in the folders of others, which go one after the other.
        self.managers.iter_mut().for_each(ManagerProcess::end);
    }
}

impl Cluster {
    /// Makes folders and keys of these domains, and starts nothing.
    pub(crate) fn prepare(names: &[&'static str]) -> Self {
        let held: Vec<TcpListener> =
            names.iter().map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let ports = held.iter().map(|one| one.local_addr().expect("an address").port()).collect();
        let manager = |name: &&str| {
            let mut settings = Settings::one("mk", &["km-1"]).interface("mx", "").with(POLICY);
            // What is to be taken over is said; a look at the files in between would make it no change.
            settings.manager = "reload_on_change = false\n".to_owned();
            settings.name = (format!("manager-{name}"), (*name).to_owned());
            let manager = ManagerProcess::prepare(settings);
            let made = Command::new(binary::qkdnm())
                .args(["pki", "signing-key"])
                .arg(key(&manager))
                .output()
                .expect("the binary starts");
            assert!(made.status.success(), "{made:?}");
            // Alarms, and what becomes of connections to managers that end, are told as warnings.
            manager.expect_warnings();
            manager
        };
        Self { managers: names.iter().map(manager).collect(), names: names.to_vec(), ports, lines: "" }
    }

    /// Starts all, with these pairs of neighbours.
    pub(crate) fn start(&mut self, pairs: &[(usize, usize)]) {
        self.configure(pairs);
        self.managers.iter_mut().for_each(ManagerProcess::launch);
    }

    /// All know each other.
    pub(crate) fn mesh(names: &[&'static str]) -> Self {
        let mut cluster = Self::prepare(names);
        let count = names.len();
        let pairs: Vec<_> = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
        cluster.start(&pairs);
        cluster
    }

    /// Writes who neighbours whom into the settings.
    pub(crate) fn configure(&mut self, pairs: &[(usize, usize)]) {
        for number in 0..self.managers.len() {
            let table = self.tables(number, pairs);
            let mut port = self.ports[number].to_string();
            port.insert_str(0, "127.0.0.1:");
            let settings = self.managers[number].settings_mut();
            let more = settings.more.split("[federation]").next().unwrap_or_default().to_owned();
            settings.more = more + &table;
            for interface in &mut settings.interfaces {
                if interface.reference_point == "mx" {
                    interface.listen.clone_from(&port);
                }
            }
        }
    }

    fn tables(&self, number: usize, pairs: &[(usize, usize)]) -> String {
        let mut text = format!(
            "[federation]\nname = \"test\"\ndisclose = [\"health\", \"alarms\", \"alarm-types\", \"capabilities\"]\nsigning_key = {:?}\n{}\n",
            key(&self.managers[number]),
            self.lines
        );
        let mut origins = String::new();
        for other in (0..self.managers.len()).filter(|other| *other != number) {
            let signing = key(&self.managers[other]).with_extension("pub");
            let domain = format!("domain = {:?}\nsigning_keys = {signing:?}\n", self.names[other]);
            if pairs.contains(&(number, other)) || pairs.contains(&(other, number)) {
                text += &format!(
                    "[[peers]]\nid = \"manager-{}\"\naddress = \"127.0.0.1:{}\"\ntrust_anchors = {:?}\n{domain}",
                    self.names[other],
                    self.ports[other],
                    self.managers[other].pki.anchor_file()
                );
            } else {
                origins += &format!("[[federation.origins]]\n{domain}");
            }
        }
        // Tables below [federation] come before any other table.
        match text.find("[[peers]]") {
            Some(at) => text.insert_str(at, &origins),
            None => text += &origins,
        }
        text
    }

    /// Where a manager listens for peers.
    pub(crate) fn address(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.ports[at])
    }

    /// The file of the authority that vouches for a manager.
    pub(crate) fn anchor(&self, at: usize) -> PathBuf {
        self.managers[at].pki.anchor_file()
    }

    /// What one manager knows of a domain.
    pub(crate) fn domain(&self, at: usize, domain: &str) -> Value {
        self.managers[at].api().get(&format!("/api/v1/domains/{domain}")).json()
    }

    /// Waits until one manager sees a domain in a certain way.
    #[track_caller]
    pub(crate) fn await_seen(&self, at: usize, domain: &str, how: &str) -> Value {
        eventually(&format!("{domain} {how} at {}", self.names[at]), patience(), || {
            let seen = self.domain(at, domain);
            (seen["freshness"] == how).then_some(seen)
        })
    }

    /// Waits until every manager sees every other one first-hand.
    #[track_caller]
    pub(crate) fn await_all_fresh(&self) {
        for at in 0..self.managers.len() {
            for domain in &self.names {
                self.await_seen(at, domain, "fresh");
            }
        }
    }

    /// The number of alarms of a severity that one manager sees in a domain.
    pub(crate) fn raised(&self, at: usize, domain: &str, severity: &str) -> u64 {
        section(&self.domain(at, domain), "alarms")["raised"][severity].as_u64().unwrap_or(0)
    }

    /// Has the key manager of a domain say how full its store is; of the other domain nothing changes.
    pub(crate) fn says(&self, at: usize, fill: f64) {
        let mut client = self.managers[at].connect("mk", "km-1");
        let extension = harness::performance(serde_json::json!({ "key_store_fill_ratio": fill }));
        let answer = client.ask(&harness::report("km-1", extension));
        assert_eq!(harness::response_code(&answer), "success");
        client.finish();
    }
}

/// How often the manager has raised an alarm of this type, as its log tells.
pub(crate) fn raised_in_log(log: &str, alarm_type: &str) -> usize {
    log.lines().filter(|line| line.contains("Alarm raised") && line.contains(&format!(" {alarm_type} "))).count()
}

/// The file of a manager's signing key.
pub(crate) fn key(manager: &ManagerProcess) -> PathBuf {
    manager.root().join("signing.key")
}

/// What a domain's document for all says in a section.
pub(crate) fn section(domain: &Value, name: &str) -> Value {
    let documents = domain["documents"].as_array().expect("a list");
    let sections = documents.iter().flat_map(|document| document["sections"].as_array().expect("a list"));
    sections.clone().find(|section| section["name"] == name).map_or(Value::Null, |section| section["content"].clone())
}

/// Version of a domain's document for all.
pub(crate) fn version(domain: &Value) -> (u64, u64, u64) {
    let text = domain["documents"][0]["version"].as_str().expect("a version");
    let mut parts = text.split('.').map(|part| part.parse().expect("a number"));
    (parts.next().expect("three numbers"), parts.next().expect("three numbers"), parts.next().expect("three numbers"))
}
