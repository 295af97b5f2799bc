//! What the configuration may say. Every key has a default.

use qkdn_plugin::{Problem, Problems, Span};
use serde::Deserialize;

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Raise when empty sooner than this.
    pub horizon: Option<Span>,
    /// Major when empty sooner than this.
    pub major_horizon: Option<Span>,
    /// Clear when empty later than this.
    pub clear_horizon: Option<Span>,
    /// Time constant of the observed outflow.
    pub smoothing: Option<Span>,
    /// Observation before the level's change counts.
    pub warm_up: Option<Span>,
    /// How long a reported rate counts.
    pub rates_valid_for: Option<Span>,
    /// Low below this many bits.
    pub low_water_bits: Option<f64>,
    /// No longer low at this many bits.
    pub clear_low_water_bits: Option<f64>,
    /// Low below this fill.
    pub low_ratio: Option<f64>,
    /// No longer low at this fill.
    pub clear_low_ratio: Option<f64>,
}

/// The configuration, checked; times in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) horizon: f64,
    pub(crate) major_horizon: f64,
    pub(crate) clear_horizon: f64,
    pub(crate) smoothing: f64,
    pub(crate) warm_up: f64,
    pub(crate) rates_valid_for: f64,
    /// Raise below, clear at.
    pub(crate) low_bits: Option<(f64, f64)>,
    /// Raise below, clear at.
    pub(crate) low_ratio: Option<(f64, f64)>,
}

impl Config {
    /// Checks the configuration.
    pub(crate) fn check(&self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::new();
        let secs = |span: Option<Span>, default: f64| span.map_or(default, Span::secs);
        let horizon = secs(self.horizon, 3_600.0);
        let major_horizon = secs(self.major_horizon, horizon / 4.0);
        let clear_horizon = secs(self.clear_horizon, horizon * CLEAR_FACTOR);
        let smoothing = secs(self.smoothing, 300.0);
        for (path, value) in [("/horizon", horizon), ("/smoothing", smoothing)] {
            if value <= 0.0 {
                problems.add(path, "expected a time longer than 0");
            }
        }
        if major_horizon > horizon {
            problems.add("/major_horizon", format!("{major_horizon} s is longer than horizon ({horizon} s)"));
        }
        if clear_horizon < horizon {
            problems.add("/clear_horizon", format!("{clear_horizon} s is shorter than horizon ({horizon} s)"));
        }
        let low_bits = pair(
            &mut problems,
            ("low_water_bits", self.low_water_bits),
            ("clear_low_water_bits", self.clear_low_water_bits),
            f64::INFINITY,
        );
        let low_ratio = pair(
            &mut problems,
            ("low_ratio", Some(self.low_ratio.unwrap_or(0.1))),
            ("clear_low_ratio", self.clear_low_ratio),
            1.0,
        );
        problems.or(Settings {
            horizon,
            major_horizon,
            clear_horizon,
            smoothing,
            warm_up: secs(self.warm_up, 60.0),
            rates_valid_for: secs(self.rates_valid_for, 600.0),
            low_bits,
            low_ratio,
        })
    }
}

/// A level to raise below and one to clear at; `None` if there is nothing to look at.
fn pair(
    problems: &mut Problems,
    (raise_key, raise): (&str, Option<f64>),
    (clear_key, clear): (&str, Option<f64>),
    most: f64,
) -> Option<(f64, f64)> {
    for (key, value) in [(raise_key, raise), (clear_key, clear)] {
        if value.is_some_and(|value| !(0.0..=most).contains(&value)) {
            let upto = if most.is_finite() { format!(" to {most}") } else { " or more".to_owned() };
            problems.add(format!("/{key}"), format!("expected a number from 0{upto}"));
        }
    }
    let Some(raise) = raise else {
        if clear.is_some() {
            problems.add(format!("/{clear_key}"), format!("stands without `{raise_key}`"));
        }
        return None;
    };
    if let Some(clear) = clear.filter(|&clear| clear < raise) {
        problems.add(format!("/{clear_key}"), format!("{clear} is below {raise_key} ({raise}): the alarm would flap"));
    }
    let clear = clear.unwrap_or_else(|| (raise * LOW_CLEAR_FACTOR).min(most));
    (raise > 0.0).then_some((raise, clear))
}

/// `clear_horizon` in terms of `horizon`.
const CLEAR_FACTOR: f64 = 1.5;
/// What clears a low store, in terms of what raises.
const LOW_CLEAR_FACTOR: f64 = 1.25;
