//! Policy `key-store-forecast`: key stores that are low, empty, or will be empty soon.
//!
//! In: level, fill, capacity and rates of key stores, per component and resource. Out: the catalogue's alarms
//! `key-store-exhaustion-forecast`, `key-store-low` and `key-store-empty`, each raised and cleared with hysteresis and
//! otherwise left alone. How the end of a store is estimated is in `store`. A store that reports nothing is not judged:
//! silence is the manager's business.

mod config;
mod figures;
mod store;

use qkdn_plugin::policy::{Alarm, Needs, Sample, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol, catalogue};

pub use config::Config;
use config::Settings;
use figures::{bits, percent, rate, time};
use store::{Store, time_to_empty};

/// The policy.
pub struct KeyStoreForecast {
    settings: Settings,
    symbols: Vec<Symbol>,
}

impl Policy for KeyStoreForecast {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "key-store-forecast",
            env!("CARGO_PKG_VERSION"),
            "Tells when a key store will be empty, is low, or is empty.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { settings: config.check()?, symbols: Vec::new() })
    }

    fn needs(&self) -> Needs {
        Needs {
            names: NAMES.iter().map(|&name| name.into()).collect(),
            state_width: Store::WIDTH as u32,
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        self.symbols = symbols.names.iter().copied().map(Symbol).collect();
    }

    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        let mut store = Store::read(subject.state());
        for sample in samples {
            self.take(&mut store, subject, sample);
        }
        store.write(subject.state_mut());
    }
}

impl KeyStoreForecast {
    fn take(&self, store: &mut Store, subject: &mut Subject<'_>, sample: &Sample) {
        let (now, value, settings) = (subject.now(), sample.value, &self.settings);
        let name = self.symbols.iter().position(|&symbol| symbol == sample.name).and_then(|place| NAMES.get(place));
        match name.copied() {
            Some(LEVEL) => {
                store.report_level(value, now, settings);
                self.judge_level(store, subject);
                if let Some(fill) = store.worked_out_fill() {
                    self.judge_fill(store, subject, fill);
                }
            }
            Some(FILL) => {
                store.report_fill(value, now, settings);
                if !store.reports_level() {
                    self.judge_level(store, subject);
                }
                self.judge_fill(store, subject, value);
            }
            Some(CAPACITY) => store.report_capacity(value),
            Some(INPUT) => store.report_input(value, now, settings),
            Some(OUTPUT) => store.report_output(value, now, settings),
            Some(EXPECTED) => store.report_expected(value, now),
            _ => {}
        }
    }

    /// A new level: empty, low by bits, empty soon.
    fn judge_level(&self, store: &mut Store, subject: &mut Subject<'_>) {
        if !store.has_level() {
            return;
        }
        let net = store.net_outflow(subject.now(), &self.settings);
        let empty = store.level <= 0.0;
        if empty != store.marks.empty {
            store.marks.empty = empty;
            if empty {
                let draining = net.filter(|&net| net > 0.0).map(|net| format!(", {} net outflow", rate(net)));
                let text = format!("the key store is empty{}", draining.unwrap_or_default());
                subject.raise(alarm(EMPTY_ALARM, None, text).crossing(store.level, 0.0));
            } else {
                subject.clear(EMPTY_ALARM, "", format!("{} in the store", bits(store.level)));
            }
        }
        if let Some((raise, clear)) = self.settings.low_bits {
            let was = store.marks;
            store.marks.low_bits = below(store.level, was.low_bits, raise, clear);
            let level = store.level;
            let text = || format!("{} left, limit {}", bits(level), bits(raise));
            low_changed(was.low_bits || was.low_ratio, store, subject, (level, raise), text);
        }
        self.judge_forecast(store, subject, net);
    }

    /// A new fill: low by ratio.
    fn judge_fill(&self, store: &mut Store, subject: &mut Subject<'_>, fill: f64) {
        if let Some((raise, clear)) = self.settings.low_ratio {
            let was = store.marks;
            store.marks.low_ratio = below(fill, was.low_ratio, raise, clear);
            let text = || format!("{} full, limit {}", percent(fill), percent(raise));
            low_changed(was.low_bits || was.low_ratio, store, subject, (fill, raise), text);
        }
    }

    fn judge_forecast(&self, store: &mut Store, subject: &mut Subject<'_>, net: Option<f64>) {
        let was = store.marks;
        if was.empty {
            (store.marks.forecast, store.marks.major) = (false, false);
            if was.forecast {
                subject.clear(FORECAST_ALARM, "", "the key store is empty now");
            }
            return;
        }
        let Some(net) = net else { return };
        let Settings { horizon, major_horizon, clear_horizon, .. } = self.settings;
        let left = time_to_empty(store.level, net);
        let clear_major = major_horizon * clear_horizon / horizon;
        store.marks.forecast = below(left, was.forecast, horizon, clear_horizon);
        store.marks.major = store.marks.forecast && below(left, was.major, major_horizon, clear_major);
        let now = store.marks;
        if (was.forecast, was.major) == (now.forecast, now.major) {
            return;
        }
        let level = bits(store.level);
        if now.forecast {
            let text = match left.is_finite() {
                true => format!("{level} left, {} net outflow: empty in {}", rate(net), time(left)),
                false => format!("{level} left, not draining"),
            };
            let (severity, limit) = if now.major { ("major", major_horizon) } else { ("warning", horizon) };
            subject.raise(alarm(FORECAST_ALARM, Some(severity), text).crossing(left, limit));
        } else {
            let text = match left.is_finite() {
                true => format!("{level} left, empty in {}", time(left)),
                false => format!("{level} left, not draining"),
            };
            subject.clear(FORECAST_ALARM, "", text);
        }
    }
}

/// Raises or clears `key-store-low` if either limit changed whether it holds.
fn low_changed(
    was: bool,
    store: &Store,
    subject: &mut Subject<'_>,
    (observed, limit): (f64, f64),
    text: impl Fn() -> String,
) {
    let is = store.marks.low_bits || store.marks.low_ratio;
    if is && !was {
        subject.raise(alarm(LOW_ALARM, None, text()).crossing(observed, limit));
    } else if was && !is {
        subject.clear(LOW_ALARM, "", text());
    }
}

/// Hysteresis: true below `raise`, and then until `clear` is reached.
fn below(value: f64, was: bool, raise: f64, clear: f64) -> bool {
    value < if was { clear.max(raise) } else { raise }
}

fn alarm(alarm_type: &str, severity: Option<&str>, text: String) -> Alarm {
    let typical = catalogue::alarm_type(alarm_type).map_or("major", |known| known.severity);
    let repair = [
        "Check the quantum links that feed this store.",
        "Reroute key relay, or reduce consumption by lower-priority applications.",
    ];
    Alarm::new(alarm_type, severity.unwrap_or(typical), text).with_repair(&repair)
}

const LEVEL: &str = "key_store_level_bits";
const FILL: &str = "key_store_fill_ratio";
const CAPACITY: &str = "key_store_capacity_bits";
const INPUT: &str = "key_input_rate_bps";
const OUTPUT: &str = "key_output_rate_bps";
const EXPECTED: &str = "expected_consumption_bps";
const NAMES: [&str; 6] = [LEVEL, FILL, CAPACITY, INPUT, OUTPUT, EXPECTED];

const FORECAST_ALARM: &str = "key-store-exhaustion-forecast";
const LOW_ALARM: &str = "key-store-low";
const EMPTY_ALARM: &str = "key-store-empty";

qkdn_plugin::register_policy!(KeyStoreForecast);

#[cfg(test)]
mod tests;
