//! The configuration: as written, and checked. A path that leads nowhere is refused: a slip in it would disclose what was
//! meant to be left out.

use qkdn_plugin::{Problem, Problems, Span};
use serde::Deserialize;

use crate::{delay::Delay, groups::Groups, redaction::Redaction, steps::Steps};

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Paths of what passes; absent: everything.
    pub only: Option<Vec<String>>,
    /// Paths of what does not.
    pub leave_out: Vec<String>,
    /// Least number of things that are told of as a group.
    pub minimum_group: Option<u64>,
    /// What becomes of smaller ones.
    pub below_minimum: BelowMinimum,
    /// Steps in which numbers are told.
    pub steps: StepsConfig,
    /// Whether links are called by their aliases.
    pub pseudonyms: bool,
    /// How old what is told is at least.
    pub delay: Option<Span>,
}

/// What becomes of a group that is too small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BelowMinimum {
    /// It is left out.
    #[default]
    LeaveOut,
    /// It is told as the minimum.
    Raise,
}

/// Steps in which numbers are told; absent: as they are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepsConfig {
    /// Of counts of components and alarms.
    pub counts: Option<u64>,
    /// Of error rates, 0 to 1.
    pub qber: Option<f64>,
    /// Of secret key rates, bits per second.
    pub secret_key_rate: Option<f64>,
    /// Of the filling of key stores, 0 to 1.
    pub key_store_fill: Option<f64>,
    /// Of the time to exhaustion of key stores.
    pub time_to_exhaustion: Option<Span>,
}

/// As used.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) groups: Option<Groups>,
    pub(crate) redaction: Redaction,
    pub(crate) steps: Steps,
    pub(crate) pseudonyms: bool,
    pub(crate) delay: Option<Delay>,
}

/// Longest delay: two days. What waits is kept in the manager's memory.
const MOST_DELAY: Span = Span::from_secs(2 * 86_400);

impl Config {
    /// Checked.
    pub(crate) fn check(self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::new();
        let redaction = Redaction::new(self.only.as_deref(), &self.leave_out, &mut problems);
        let groups = self.minimum_group.map(|least| Groups { least, below: self.below_minimum });
        if self.minimum_group.is_some_and(|least| least < 2) {
            problems.add("/minimum_group", "a group of fewer than 2 is told anyway: expected 2 or more");
        }
        if self.minimum_group.is_none() && self.below_minimum != BelowMinimum::LeaveOut {
            problems.add("/below_minimum", "has no meaning without `minimum_group`");
        }
        if self.steps.counts == Some(0) {
            problems.add("/steps/counts", "expected 1 or more");
        }
        let StepsConfig { counts, qber, secret_key_rate, key_store_fill, time_to_exhaustion } = self.steps;
        let mut step = |name: &str, step: Option<f64>, most: f64| {
            if step.is_some_and(|step| !(step > 0.0 && step <= most)) {
                problems.add(format!("/steps/{name}"), format!("expected more than 0 and at most {most}"));
            }
            step
        };
        let steps = Steps {
            counts: counts.filter(|step| *step > 0),
            qber: step("qber", qber, 1.0),
            secret_key_rate: step("secret_key_rate", secret_key_rate, 1e12),
            key_store_fill: step("key_store_fill", key_store_fill, 1.0),
            time_to_exhaustion: step("time_to_exhaustion", time_to_exhaustion.map(Span::secs), 315_360_000.0),
        };
        if self.delay.is_some_and(|delay| delay > MOST_DELAY) {
            problems.add("/delay", format!("is longer than what is kept for it; expected at most {MOST_DELAY}"));
        }
        let delay = self.delay.filter(|delay| delay.millis() > 0).map(|delay| Delay::of(delay.millis()));
        problems.or(Settings { groups, redaction, steps, pseudonyms: self.pseudonyms, delay })
    }
}
