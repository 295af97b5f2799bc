//! Configuration of a plugin: parsing JSON text into the plugin's own type, durations as people write them, and a list
//! that gathers every problem instead of the first.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

pub use crate::bindings::interface_handler::qkdn::manager::types::Problem;

impl Problem {
    /// A problem at a place: `path` is a JSON Pointer such as `/overrides/0/clear_below`, empty for the whole.
    #[must_use]
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Problems of a configuration, gathered so that all are shown at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a problem.
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::new(path, message));
    }

    /// `value` if there was no problem.
    ///
    /// # Errors
    /// Every problem added.
    pub fn or<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    /// Whether a problem was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Parses the configuration's JSON text; an empty text is an empty object.
pub(crate) fn parse<C: DeserializeOwned>(text: &str) -> Result<C, Vec<Problem>> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| vec![Problem::new("", error.to_string())])
}

/// A length of time in a configuration: a text such as `10s`, `1h 30min` or `250ms`, or a number of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// A span of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A span of seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// In whole milliseconds.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// In seconds.
    #[must_use]
    pub fn secs(self) -> f64 {
        self.0.as_secs_f64()
    }

    fn from_seconds(seconds: f64) -> Option<Self> {
        if !(0.0..=MOST_SECONDS).contains(&seconds) {
            return None;
        }
        Duration::try_from_secs_f64(seconds).ok().map(Self)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut seconds = 0.0;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
            rest = tail.trim_start();
        }
        Self::from_seconds(seconds)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        if !millis.is_multiple_of(1_000) {
            return write!(f, "{millis} ms");
        }
        let mut rest = millis / 1_000;
        if rest == 0 {
            return f.write_str("0 s");
        }
        let mut first = true;
        for (size, unit) in [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
            let count = rest / size;
            rest %= size;
            if count > 0 {
                write!(f, "{}{count} {unit}", if first { "" } else { " " })?;
                first = false;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as \"10s\", \"5min\" or \"1h 30min\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        Span::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Span, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Span, E> {
        Span::from_seconds(seconds).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(seconds), &self))
    }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

/// Longest span: 100 years. Times in milliseconds stay exact in an `f64` of state.
const MOST_SECONDS: f64 = 100.0 * 366.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, millis) in [
            ("\"10s\"", 10_000),
            ("\"250ms\"", 250),
            ("\"1h 30min\"", 5_400_000),
            ("\"1h30m\"", 5_400_000),
            ("\"2 d\"", 172_800_000),
            ("\"1.5s\"", 1_500),
            ("90", 90_000),
            ("0.25", 250),
            ("\"0s\"", 0),
        ] {
            assert_eq!(serde_json::from_str::<Span>(text).map(Span::millis).ok(), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_an_example() {
        for text in ["\"\"", "\"10\"", "\"s\"", "\"10 parsecs\"", "-1", "\"1.2.3s\"", "true", "\"99999999d\""] {
            let error = serde_json::from_str::<Span>(text).expect_err(text).to_string();
            assert!(error.contains("such as \"10s\""), "{text}: {error}");
        }
    }

    #[test]
    fn spans_are_shown_as_people_read_them() {
        for (millis, text) in [
            (0, "0 s"),
            (250, "250 ms"),
            (10_000, "10 s"),
            (5_400_000, "1 h 30 min"),
            (90_061_000, "1 d 1 h 1 min 1 s"),
        ] {
            assert_eq!(Span::from_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn an_empty_text_is_an_empty_object_and_errors_say_where() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Config {
            #[serde(default)]
            level: f64,
        }
        assert_eq!(parse::<Config>(" ").map(|config| config.level), Ok(0.0));
        let problems = parse::<Config>("{\"lvel\": 1}").expect_err("unknown key");
        assert!(problems[0].message.contains("unknown field `lvel`"), "{problems:?}");
    }
}
