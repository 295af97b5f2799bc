//! Quotas: what is allowed in a period, and how much of it is used.

use qkdn_plugin::{Problem, Problems, Span};
use serde::Deserialize;

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What a quota is for: `application`, `user` or `peer`.
    pub per: Option<String>,
    /// Length of a period; periods are counted from 1970-01-01 UTC.
    pub period: Option<Span>,
    /// The quota of everybody without one of their own.
    pub quota: Option<Quota>,
    /// Quotas of some.
    pub quotas: Vec<Named>,
    /// Share of a quota at which a warning is raised.
    pub warn_at: Option<f64>,
    /// Severity when a quota is used up.
    pub severity: Option<String>,
}

/// What is allowed in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Bits of keys consumed.
    pub consumed_bits: Option<f64>,
    /// Keys supplied.
    pub supplied_keys: Option<f64>,
    /// Bits relayed.
    pub relayed_bits: Option<f64>,
}

/// A quota of its own.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Named {
    /// The application, user or peer.
    pub name: String,
    /// What is allowed.
    #[serde(flatten)]
    pub quota: Quota,
}

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) per: String,
    pub(crate) period_ms: u64,
    pub(crate) quota: Quota,
    pub(crate) named: Vec<(String, Quota)>,
    pub(crate) warn_at: f64,
    pub(crate) severity: String,
}

impl Config {
    /// Checks the configuration.
    pub(crate) fn check(&self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::new();
        let per = self.per.clone().unwrap_or_else(|| "application".to_owned());
        if !["application", "user", "peer"].contains(&per.as_str()) {
            problems.add("/per", format!("`{per}` is none of application, user, peer"));
        }
        let period_ms = self.period.map_or(DAY_MS, Span::millis);
        if period_ms < 60_000 {
            problems.add("/period", "a period is at least a minute");
        }
        let warn_at = self.warn_at.unwrap_or(0.8);
        if !(warn_at > 0.0 && warn_at <= 1.0) {
            problems.add("/warn_at", "expected a share of the quota, above 0 and at most 1");
        }
        let severity = self.severity.clone().unwrap_or_else(|| "major".to_owned());
        if !["warning", "minor", "major", "critical"].contains(&severity.as_str()) {
            problems.add("/severity", "expected warning, minor, major or critical");
        }
        for (index, named) in self.quotas.iter().enumerate() {
            if named.quota == Quota::default() {
                problems.add(format!("/quotas/{index}"), "allows everything: leave it out, or name a figure");
            }
            let earlier = self.quotas.get(..index).unwrap_or_default();
            if earlier.iter().any(|other| other.name == named.name) {
                problems.add(format!("/quotas/{index}/name"), format!("`{}` has a quota already", named.name));
            }
        }
        problems.or(Settings {
            per,
            period_ms,
            quota: self.quota.unwrap_or_default(),
            named: self.quotas.iter().map(|named| (named.name.clone(), named.quota)).collect(),
            warn_at,
            severity,
        })
    }
}

/// What was used of something in a period; what a subject's state holds of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Used {
    /// When the period began, milliseconds since 1970.
    pub(crate) period: f64,
    pub(crate) consumed_bits: f64,
    pub(crate) supplied_keys: f64,
    pub(crate) relayed_bits: f64,
    /// 0: nothing raised, 1: a warning, 2: used up.
    pub(crate) level: f64,
}

impl Used {
    /// Numbers in the state.
    pub(crate) const WIDTH: usize = 5;

    pub(crate) fn read(state: &[f64]) -> Self {
        let at = |index: usize| state.get(index).copied().unwrap_or(0.0);
        Self { period: at(0), consumed_bits: at(1), supplied_keys: at(2), relayed_bits: at(3), level: at(4) }
    }

    pub(crate) fn write(self, state: &mut [f64]) {
        if let Some(place) = state.get_mut(..Self::WIDTH) {
            place.copy_from_slice(&[
                self.period,
                self.consumed_bits,
                self.supplied_keys,
                self.relayed_bits,
                self.level,
            ]);
        }
    }

    /// Begins a new period if the time has come. True: it did.
    pub(crate) fn turn(&mut self, now: u64, period_ms: u64) -> bool {
        let begins = (now - now % period_ms.max(1)) as f64;
        if self.period >= begins {
            return false;
        }
        *self = Self { period: begins, level: self.level, ..Self::default() };
        true
    }

    /// Adds what an interval used. Sums stay exact to 2^53 and stop there.
    pub(crate) fn add(&mut self, consumed_bits: f64, supplied_keys: f64, relayed_bits: f64) {
        let sum = |total: f64, more: f64| (total + more.max(0.0)).min(MOST);
        self.consumed_bits = sum(self.consumed_bits, consumed_bits);
        self.supplied_keys = sum(self.supplied_keys, supplied_keys);
        self.relayed_bits = sum(self.relayed_bits, relayed_bits);
    }

    /// The figure that is furthest into its quota: its name, unit, what is used, what is allowed.
    pub(crate) fn furthest(&self, quota: &Quota) -> Option<(&'static str, f64, f64)> {
        let figures = [
            ("bits consumed", self.consumed_bits, quota.consumed_bits),
            ("keys supplied", self.supplied_keys, quota.supplied_keys),
            ("bits relayed", self.relayed_bits, quota.relayed_bits),
        ];
        let share = |used: f64, allowed: f64| if allowed > 0.0 { used / allowed } else { f64::INFINITY };
        figures
            .into_iter()
            .filter_map(|(name, used, allowed)| Some((name, used, allowed?)))
            .filter(|(_, used, _)| *used > 0.0)
            .max_by(|a, b| share(a.1, a.2).total_cmp(&share(b.1, b.2)))
    }
}

const DAY_MS: u64 = 86_400_000;
/// Greatest integer up to which every one is a double.
const MOST: f64 = 9_007_199_254_740_992.0;
