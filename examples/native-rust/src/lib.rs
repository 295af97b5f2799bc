//! A native FCAPS policy: notices that a value's level has shifted upwards, long before any single sample is striking.
//!
//! The method is Page's cumulative sum: S grows by what a sample exceeds `expected + slack`, shrinks by what it falls short of
//! it, and never falls below zero. An alarm is raised when S reaches `decide_at`, and cleared when S is back at zero. S is the
//! policy's state for each subject, kept by the manager.

use qkdn_plugin::{
    Description, Policy, Problem,
    policy::{Alarm, Needs, Sample, Subject},
    register_native_policy,
};
use serde::Deserialize;

/// What `schema.json` describes.
#[derive(Debug, Deserialize)]
pub struct Config {
    value: String,
    expected: f64,
    slack: f64,
    decide_at: f64,
}

/// The policy.
#[derive(Debug)]
pub struct Shift(Config);

const ALARM_TYPE: &str = "level-shifted";

impl Policy for Shift {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "level-shift",
            env!("CARGO_PKG_VERSION"),
            "Raises an alarm when a value's level has shifted upwards (cumulative sum).",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self(config))
    }

    fn needs(&self) -> Needs {
        Needs { names: vec![self.0.value.clone()], state_width: 1, ..Needs::default() }
    }

    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        let Config { value, expected, slack, decide_at } = &self.0;
        for sample in samples {
            let Some(sum) = subject.state().first().copied() else { return };
            // Bounded, so that the alarm is not raised for ever after a long shift.
            let new = (sum + sample.value - expected - slack).clamp(0.0, 2.0 * decide_at);
            if let Some(kept) = subject.state_mut().first_mut() {
                *kept = new;
            }
            if sum < *decide_at && new >= *decide_at {
                let text =
                    format!("{value} has shifted above {expected}: at {:.4} now, and high for a while", sample.value);
                let alarm = Alarm::new(ALARM_TYPE, "minor", text).crossing(sample.value, *expected);
                subject.raise(alarm.with_evidence("cumulative sum", format!("{new:.4}")));
            } else if sum > 0.0 && new <= 0.0 {
                subject.clear(ALARM_TYPE, "", format!("{value} is back at its level of {expected}"));
            }
        }
    }
}

register_native_policy!(Shift);

#[cfg(test)]
mod tests;
