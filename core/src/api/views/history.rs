//! History of a value, and last values, as the API shows them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ReportedValue;
use crate::model::{ComponentRef, Timestamp};

/// What is asked of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Of this component.
    pub component: ComponentRef,
    /// Of this part of it; empty: itself.
    pub resource: String,
    /// Name of the value.
    pub name: String,
    /// From this time on.
    pub from: Timestamp,
    /// Up to, and without, this time.
    pub to: Timestamp,
    /// Length of the steps in milliseconds; 0: samples as reported.
    pub step_ms: i64,
}

/// The history of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryView {
    /// Whose.
    pub component: ComponentRef,
    /// Part of the component; empty: itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Name of the value.
    pub name: String,
    /// Unit, if the name says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// From this time on.
    pub from: Timestamp,
    /// Up to, and without, this time.
    pub to: Timestamp,
    /// Length of the steps in milliseconds; absent: samples as reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_ms: Option<i64>,
    /// `raw`, `minute` or `hour`: what the steps were made of.
    pub level: String,
    /// In order of time.
    pub points: Vec<HistoryPoint>,
}

/// A sample, or a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum HistoryPoint {
    /// A step: its begin, and what its values amount to.
    Step {
        /// Begin of the step.
        time: Timestamp,
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// Mean of the values.
        mean: f64,
        /// The latest value.
        last: ReportedValue,
        /// Number of values.
        count: u64,
    },
    /// A step of words or flags: they have no least and no mean.
    States {
        /// Begin of the step.
        time: Timestamp,
        /// The latest.
        last: ReportedValue,
        /// Number of values.
        count: u64,
    },
    /// A sample.
    Sample {
        /// When it was true at its source.
        time: Timestamp,
        /// What was reported.
        value: ReportedValue,
    },
}

/// Why history cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The manager does not know the component, or it never reported such a value.
    #[error("{0}")]
    Unknown(String),
    /// More points than one answer holds.
    #[error(
        "{found} points are more than the {most} that an answer holds; ask for a shorter time, or for steps of {advice}"
    )]
    TooMany {
        /// Points there are.
        found: usize,
        /// Most points.
        most: usize,
        /// A step that would do.
        advice: String,
    },
    /// Too many readers at a time.
    #[error("too many readers of what is stored at a time; try again")]
    Busy,
    /// History cannot be read.
    #[error("history cannot be read: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// A last value and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastValueView {
    /// Whose.
    pub component: ComponentRef,
    /// The value.
    #[serde(flatten)]
    pub value: super::ValueView,
}

/// Which last values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueFilter {
    /// Of this reference point.
    pub reference_point: Option<crate::model::ReferencePoint>,
    /// Of this component.
    pub component: Option<ComponentRef>,
    /// Of this part of a component.
    pub resource: Option<String>,
    /// Of this name.
    pub name: Option<String>,
}

/// Where a value stands in the list of all: by component, then by its place among the component's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCursor {
    /// Whose.
    pub component: ComponentRef,
    /// Its place.
    pub place: usize,
}

/// No page of values ends with this cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no cursor of this list; send back what `next` of the page before says")]
pub struct ValueCursorError(pub String);

impl fmt::Display for ValueCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.place, self.component)
    }
}

impl FromStr for ValueCursor {
    type Err = ValueCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (place, component) = text.split_once('.')?;
            Some(Self { component: component.parse().ok()?, place: place.parse().ok()? })
        };
        read().ok_or_else(|| ValueCursorError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ValueCursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = ValueCursor { component: "mk/a.b".parse().unwrap(), place: 7 };
        assert_eq!(cursor.to_string(), "7.mk/a.b");
        assert_eq!("7.mk/a.b".parse::<ValueCursor>().unwrap(), cursor);
        for bad in ["", "x", "x.mk/a", "7.a", "mk/a"] {
            assert!(bad.parse::<ValueCursor>().is_err(), "{bad}");
        }
    }
}
