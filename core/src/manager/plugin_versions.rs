//! Versions of plugins beside those in force: what was in force before each, to go back to, and files that were gone back from, which
//! are not taken over again by themselves.
//!
//! What a version did is told by counts of calls and failures from the moment that it came into force. A version is worse than the one
//! before it if a clearly larger share of its calls fails; the first calls alone prove nothing.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::plugins::Plugins;
use crate::{
    plugin::{LoadedHandler, LoadedPolicy},
    shard::{ActiveHandler, ActivePolicy},
    telemetry::metrics::Metrics,
};

/// For how long a new version is compared with the one before it.
pub const PROBATION: Duration = Duration::from_secs(600);
/// Failures of a new version below which nothing is said of it.
const LEAST_FAILURES: u64 = 3;
/// It fails so many times as often as the one before.
const TIMES_AS_OFTEN: u128 = 2;

/// Calls, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Calls.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
}

impl Record {
    /// Of a plugin as configured, since the start of the manager.
    #[must_use]
    pub fn of(metrics: &Metrics, plugin: &str) -> Self {
        let activity = metrics.plugins.get(plugin).map(|counted| counted.activity()).unwrap_or_default();
        Self { calls: activity.calls(), failures: activity.failures() }
    }

    /// What came after an earlier look.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            failures: self.failures.saturating_sub(earlier.failures),
        }
    }

    /// Whether clearly more of its calls fail than of the other's.
    #[must_use]
    pub fn is_worse_than(self, other: Self) -> bool {
        let product = |failures: u64, calls: u64| u128::from(failures) * u128::from(calls.max(1));
        self.failures >= LEAST_FAILURES
            && product(self.failures, other.calls) > TIMES_AS_OFTEN * product(other.failures, self.calls)
    }
}

/// A version that can be gone back to: loaded, with its configuration.
#[derive(Clone, Debug)]
pub enum Version {
    /// Of a handler.
    Handler(ActiveHandler, Arc<LoadedHandler>),
    /// Of a policy.
    Policy(ActivePolicy, Arc<LoadedPolicy>),
}

impl Version {
    /// The version that it gives itself.
    #[must_use]
    pub fn number(&self) -> &str {
        match self {
            Self::Handler(_, loaded) => &loaded.description().version,
            Self::Policy(_, loaded) => &loaded.description().version,
        }
    }
}

/// What was in force before.
#[derive(Clone, Debug)]
pub struct Former {
    /// It.
    pub version: Version,
    /// What it did.
    pub record: Record,
    /// When the present one came into force.
    pub since: Instant,
}

/// Versions by the configured names of their plugins.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// What was in force before.
    pub former: BTreeMap<String, Former>,
    /// SHA-256 of files that were gone back from.
    pub held_back: BTreeMap<String, String>,
    /// Counts of the plugins when their present version came into force; those of a start are not there.
    began: BTreeMap<String, Record>,
}

impl Versions {
    /// Whether this file is not to be taken over by itself.
    #[must_use]
    pub fn holds_back(&self, plugin: &str, digest: &str) -> bool {
        self.held_back.get(plugin).is_some_and(|held| held == digest)
    }

    /// What the version in force did so far.
    #[must_use]
    pub fn record(&self, plugin: &str, metrics: &Metrics) -> Record {
        Record::of(metrics, plugin).since(self.began.get(plugin).copied().unwrap_or_default())
    }

    /// The versions after plugins were exchanged for others.
    #[must_use]
    pub fn after(was: &Plugins, next: &Plugins, metrics: &Metrics) -> Self {
        let mut versions = Self::default();
        let mut follow = |name: &str, is_same: bool, is_configured_alike: bool, version: Version| {
            let before = &was.versions;
            if is_same {
                if let Some(began) = before.began.get(name) {
                    versions.began.insert(name.to_owned(), *began);
                }
                // One that was loaded with another configuration is no way back any more.
                if let Some(former) = before.former.get(name).filter(|_| is_configured_alike) {
                    versions.former.insert(name.to_owned(), former.clone());
                }
                if let Some(held) = before.held_back.get(name) {
                    versions.held_back.insert(name.to_owned(), held.clone());
                }
                return;
            }
            let record = before.record(name, metrics);
            versions.former.insert(name.to_owned(), Former { version, record, since: Instant::now() });
            versions.began.insert(name.to_owned(), Record::of(metrics, name));
        };
        for (old, loaded) in was.set.handlers.iter().zip(&was.handlers) {
            if let Some(new) = next.set.handlers.iter().find(|new| new.symbol == old.symbol) {
                let version = Version::Handler(old.clone(), Arc::clone(loaded));
                let alike = new.config.config == old.config.config;
                follow(&old.config.name, new.digest == old.digest, alike, version);
            }
        }
        for (old, loaded) in was.set.policies.iter().zip(&was.policies) {
            if let Some(new) = next.set.policies.iter().find(|new| new.symbol == old.symbol) {
                let version = Version::Policy(old.clone(), Arc::clone(loaded));
                let alike = new.config.config == old.config.config;
                follow(&old.config.name, new.digest == old.digest, alike, version);
            }
        }
        versions
    }

    /// Plugins whose present version fails more often than the one before, with both records, while it is new.
    #[must_use]
    pub fn worse(&self, metrics: &Metrics, now: Instant) -> Vec<(String, Record, Record)> {
        let young = self.former.iter().filter(|(_, former)| now.saturating_duration_since(former.since) < PROBATION);
        young
            .filter_map(|(name, former)| {
                let present = self.record(name, metrics);
                present.is_worse_than(former.record).then(|| (name.clone(), former.record, present))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(calls: u64, failures: u64) -> Record {
        Record { calls, failures }
    }

    #[test]
    fn a_version_is_worse_if_clearly_more_of_its_calls_fail() {
        for (was, is, worse) in [
            (record(1_000, 0), record(3, 3), true),
            (record(1_000, 0), record(1_000_000, 3), true),
            (record(1_000, 0), record(2, 2), false),
            (record(1_000, 0), record(1_000, 0), false),
            (record(1_000, 10), record(1_000, 10), false),
            (record(1_000, 10), record(1_000, 20), false),
            (record(1_000, 10), record(1_000, 21), true),
            (record(1_000, 900), record(10, 10), false),
            // Nothing is known of the one before: it did not fail.
            (record(0, 0), record(5, 3), true),
        ] {
            assert_eq!(is.is_worse_than(was), worse, "{was:?} {is:?}");
        }
    }
}
