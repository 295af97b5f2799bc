//! Numbers in steps: how many and how much, but not exactly.
//!
//! To the nearest multiple; but what is there is never told as nothing: a count that is not 0 is told as one step at least.

use qkdn_plugin::exchange::Passing;
use serde_json::Value;

use crate::names::NAMED;

/// Steps; absent: as it is.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) counts: Option<u64>,
    pub(crate) qber: Option<f64>,
    /// Bits per second.
    pub(crate) secret_key_rate: Option<f64>,
    pub(crate) key_store_fill: Option<f64>,
    /// Seconds.
    pub(crate) time_to_exhaustion: Option<f64>,
}

impl Steps {
    pub(crate) fn apply(&self, passing: &mut Passing) {
        if let Some(step) = self.counts {
            for section in ["health", "alarms"] {
                if let Some(content) = passing.section_mut(section) {
                    counts(content, step);
                }
            }
        }
        if let Some(ranges) = passing.section_mut("linkRanges") {
            self.ranges(ranges);
        }
        let figures = [
            ("/qberRatio", self.qber),
            ("/secretKeyRateBps", self.secret_key_rate),
            ("/keyRateBps", self.secret_key_rate),
            ("/keyRateBps/measured", self.secret_key_rate),
            ("/keyStoreFillRatio", self.key_store_fill),
            ("/timeToExhaustionS", self.time_to_exhaustion),
        ];
        for (section, list) in NAMED {
            let entries = passing.section_mut(section).and_then(|content| content.get_mut(list)?.as_array_mut());
            for entry in entries.into_iter().flatten() {
                for (path, step) in figures {
                    if let (Some(step), Some(value)) = (step, entry.pointer_mut(path)) {
                        round(value, step);
                    }
                }
            }
        }
    }
}

impl Steps {
    fn ranges(&self, ranges: &mut Value) {
        if let (Some(step), Some(states)) = (self.counts, ranges.get_mut("states")) {
            counts(states, step);
        }
        let values = [
            ("qberRatio", self.qber),
            ("secretKeyRateBps", self.secret_key_rate),
            ("keyStoreFillRatio", self.key_store_fill),
        ];
        for (name, step) in values {
            let Some(range) = ranges.get_mut(name) else { continue };
            if let (Some(step), Some(count)) = (self.counts, range.get_mut("count")) {
                counts(count, step);
            }
            for end in ["min", "max"] {
                if let (Some(step), Some(value)) = (step, range.get_mut(end)) {
                    *value = value.as_f64().map_or(Value::Null, |number| ((number / step).round() * step).into());
                }
            }
        }
    }
}

/// The nearest multiple; what is no number and no object with figures of its own is told no more.
fn round(value: &mut Value, step: f64) {
    if !value.is_object() {
        *value = value.as_f64().map_or(Value::Null, |number| ((number / step).round() * step).into());
    }
}

/// All whole numbers in a section of counts.
fn counts(value: &mut Value, step: u64) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| counts(value, step)),
        Value::Number(number) => {
            let count = number.as_u64().unwrap_or(0);
            let nearest = count.saturating_add(step / 2) / step * step;
            let told = if count == 0 { 0 } else { nearest.max(step) };
            *value = told.into();
        }
        _ => {}
    }
}
