//! Plays the manager, and the devices behind it, for a collector: runs whole collections and checks each step as the manager
//! would.

use serde_json::Value;

use crate::collector::{Answer, Collector, Get, Turn};
use crate::{Problem, config};

/// What a device answers: status and body, or why there is no answer.
pub type Served = Result<(u16, Value), String>;

/// What came of a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Components and the extensions of their reports, in order.
    pub reports: Vec<(String, Value)>,
    /// Why it failed; empty if it did not.
    pub failure: String,
    /// Hosts and paths that were asked for.
    pub asked: Vec<(String, String)>,
}

/// A manager with one collector.
pub struct CollectorHost<P> {
    collector: P,
    hosts: Vec<String>,
    components: Vec<String>,
    now: u64,
    memory: String,
}

impl<P: Collector> CollectorHost<P> {
    /// Configures the collector for these components. Every host that it asks for is granted.
    ///
    /// # Errors
    /// What it finds wrong.
    pub fn new(components: &[&str], config: &Value) -> Result<Self, Vec<Problem>> {
        let components: Vec<String> = components.iter().map(|name| (*name).to_owned()).collect();
        let collector = P::configure(&components, config::parse(&config.to_string())?)?;
        let hosts = P::describe().extra.into_iter().filter(|(name, _)| name == "http").map(|(_, host)| host).collect();
        Ok(Self { collector, hosts, components, now: 1_700_000_000_000, memory: String::new() })
    }

    /// Time goes on.
    pub fn advance(&mut self, millis: u64) {
        self.now += millis;
    }

    /// Runs a collection; `serve` answers for the devices, by host and path.
    ///
    /// # Panics
    /// Where the manager would take a step for a failed call, or refuse a request.
    pub fn collect(&mut self, mut serve: impl FnMut(&str, &str) -> Served) -> Collected {
        let (mut collected, mut answers) = (Collected::default(), Vec::new());
        for round in 0..8 {
            let turn = Turn { now: self.now, round, memory: self.memory.clone(), answers };
            let step = self.collector.collect(&turn);
            assert!(step.memory.len() <= 64 << 10, "a memory of {} bytes", step.memory.len());
            self.memory = step.memory;
            for report in step.reports {
                assert!(self.components.contains(&report.component), "it is not configured for {}", report.component);
                let extension: Value = serde_json::from_str(&report.extension)
                    .unwrap_or_else(|error| panic!("the extension is no JSON: {error}"));
                assert!(extension.is_array(), "the extension is no array: {extension}");
                collected.reports.push((report.component, extension));
            }
            if collected.failure.is_empty() {
                collected.failure = step.failure;
            }
            if step.gets.is_empty() {
                return collected;
            }
            answers = step.gets.iter().map(|get| self.answer(get, serve(&get.host, &get.path))).collect();
            collected.asked.extend(step.gets.into_iter().map(|get| (get.host, get.path)));
            assert!(collected.asked.len() <= 64, "more than 64 requests in a collection");
        }
        panic!("a collection has more than 8 calls");
    }

    fn answer(&self, get: &Get, served: Served) -> Answer {
        assert!(self.hosts.contains(&get.host), "the description does not ask for `{}`", get.host);
        assert!(get.path.starts_with('/'), "a path begins with `/`: {}", get.path);
        let (status, body, failure) = match served {
            Ok((status, body)) => (status, body.to_string().into_bytes(), String::new()),
            Err(failure) => (0, Vec::new(), failure),
        };
        Answer { host: get.host.clone(), path: get.path.clone(), status, headers: Vec::new(), body, failure }
    }
}
