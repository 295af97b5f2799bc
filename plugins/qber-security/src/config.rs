//! What the configuration may say. Every key has a default.

use qkdn_plugin::{Problem, Problems, Span};
use serde::Deserialize;

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// QBER that needs no comparison: above it no key can be made.
    pub abort_above: Option<f64>,
    /// Rising: this much above the usual QBER.
    pub rise: Option<f64>,
    /// Rising: this share of the usual QBER above it.
    pub rise_ratio: Option<f64>,
    /// Counts within this share of the usual ones are steady.
    pub steady_within: Option<f64>,
    /// Reports in a row that must say the same.
    pub confirm: Option<u32>,
    /// Reports from which the usual QBER and counts are learnt before anything is judged.
    pub warm_up: Option<u32>,
    /// Weight of a new report in what is usual.
    pub learning_rate: Option<f64>,
    /// No QBER above this is ever taken for usual.
    pub usual_at_most: Option<f64>,
    /// How long a count is set against a QBER.
    pub counts_valid_for: Option<Span>,
    /// Names of events that are failed authentications.
    pub authentication_events: Option<Vec<String>>,
    /// Failed authentications within `window` that are an alarm.
    pub failures: Option<u32>,
    /// The same, when they are a major one.
    pub major_failures: Option<u32>,
    /// Time in which failures are counted.
    pub window: Option<Span>,
    /// Time without a further event after which its alarm is cleared.
    pub quiet_time: Option<Span>,
}

/// The configuration, checked; times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) abort_above: f64,
    pub(crate) rise: f64,
    pub(crate) rise_ratio: f64,
    pub(crate) steady_within: f64,
    pub(crate) confirm: f64,
    pub(crate) warm_up: f64,
    pub(crate) learning_rate: f64,
    pub(crate) usual_at_most: f64,
    pub(crate) counts_valid_for: f64,
    pub(crate) authentication_events: Vec<String>,
    pub(crate) failures: f64,
    pub(crate) major_failures: f64,
    pub(crate) window: f64,
    pub(crate) quiet_time: f64,
}

impl Config {
    /// Checks the configuration.
    pub(crate) fn check(&self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::new();
        let mut share = |key: &str, value: Option<f64>, default: f64| {
            let value = value.unwrap_or(default);
            if !(value > 0.0 && value <= 1.0) {
                problems.add(format!("/{key}"), "expected a number above 0 and at most 1");
            }
            value
        };
        let abort_above = share("abort_above", self.abort_above, 0.11);
        let rise = share("rise", self.rise, 0.01);
        let rise_ratio = share("rise_ratio", self.rise_ratio, 0.5);
        let steady_within = share("steady_within", self.steady_within, 0.2);
        let learning_rate = share("learning_rate", self.learning_rate, 0.02);
        let usual_at_most = share("usual_at_most", self.usual_at_most, 0.05);
        if usual_at_most >= abort_above {
            problems.add("/usual_at_most", format!("{usual_at_most} is not below abort_above ({abort_above})"));
        }
        let (failures, major_failures) = (self.failures.unwrap_or(3), self.major_failures.unwrap_or(10));
        if failures == 0 {
            problems.add("/failures", "expected at least 1");
        }
        if major_failures < failures {
            problems.add("/major_failures", format!("{major_failures} is below failures ({failures})"));
        }
        let millis = |span: Option<Span>, default: u64| span.map_or(default, Span::millis) as f64;
        let events = || AUTHENTICATION_EVENTS.iter().map(|&name| name.to_owned()).collect();
        problems.or(Settings {
            abort_above,
            rise,
            rise_ratio,
            steady_within,
            confirm: f64::from(self.confirm.unwrap_or(3).max(1)),
            warm_up: f64::from(self.warm_up.unwrap_or(20).max(1)),
            learning_rate,
            usual_at_most,
            counts_valid_for: millis(self.counts_valid_for, 600_000),
            authentication_events: self.authentication_events.clone().unwrap_or_else(events),
            failures: f64::from(failures),
            major_failures: f64::from(major_failures),
            window: millis(self.window, 600_000),
            quiet_time: millis(self.quiet_time, 3_600_000).max(1_000.0),
        })
    }
}

const AUTHENTICATION_EVENTS: [&str; 4] =
    ["authentication-failed", "login-failed", "access-denied", "message-authentication-failed"];
