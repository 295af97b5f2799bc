//! Alarms after RFC 8632, with the X.733 attributes that its `ietf-alarms-x733` module adds.
//!
//! An alarm is identified by resource, type and qualifier; a repeat of the key is the same alarm. Clearing does not
//! delete. What the operator says (acknowledged, closed) is independent of what the resource says (raised, cleared).
//! The rules of change are in `alarm::lifecycle`; this module only names the parts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// Perceived severity (RFC 8632, X.733), in rising order. "Cleared" is a state of the alarm, not a severity of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The severity could not be determined.
    Indeterminate,
    /// A potential fault, before any effect.
    Warning,
    /// A fault that does not affect service.
    Minor,
    /// Service is affected; urgent.
    Major,
    /// Service is affected; act at once.
    Critical,
}

impl Severity {
    /// All five, rising.
    pub const ALL: [Self; 5] = [Self::Indeterminate, Self::Warning, Self::Minor, Self::Major, Self::Critical];

    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Indeterminate => "indeterminate",
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no severity.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no severity (expected indeterminate, warning, minor, major or critical)")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text).ok_or_else(|| UnknownSeverity(text.to_owned()))
    }
}

/// What identifies an alarm (RFC 8632: resource, alarm-type-id, alarm-type-qualifier).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmKey {
    /// The component, written `mk/km-1`; the manager itself is `mx/` and its manager ID.
    pub component: String,
    /// The part of the component; empty for the component itself.
    pub resource: String,
    /// Alarm type, from the catalogue or a policy's own.
    pub alarm_type_id: String,
    /// Tells alarms of one type on one resource apart; the name of the policy that raised it, empty for the
    /// component's own.
    pub alarm_type_qualifier: String,
}

impl fmt::Display for AlarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.component)?;
        for part in [&self.resource, &self.alarm_type_id, &self.alarm_type_qualifier] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

/// What a policy, a component or the manager says when it raises or changes an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmReport {
    /// How bad it is.
    pub severity: Severity,
    /// For a person: what is wrong, with the figures.
    pub text: String,
    /// X.733 event type, such as `quality-of-service`.
    pub event_type: String,
    /// X.733 or X.736 probable cause, such as `threshold-crossed`.
    pub probable_cause: String,
    /// The value observed, where one crossed a threshold.
    pub observed: Option<f64>,
    /// The threshold it crossed.
    pub threshold: Option<f64>,
    /// What to do about it.
    pub repair_actions: Vec<String>,
    /// What was seen that led to it (X.733 additional information): the evidence, kept with the alarm.
    #[serde(default)]
    pub additional_information: Vec<Fact>,
}

/// A fact kept with an alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fact {
    /// What it is, such as `QBER before`.
    pub name: String,
    /// Its value with the unit.
    pub value: String,
}

/// What the operator says of an alarm (RFC 8632 operator-state).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperatorState {
    /// Nothing yet.
    None,
    /// Somebody looks after it.
    Acknowledged,
    /// Done with, in the operator's view.
    Closed,
}

/// One entry of the status history. `severity` is absent where the alarm was cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    /// When it changed.
    pub time: Timestamp,
    /// The new severity; absent: cleared.
    pub severity: Option<Severity>,
    /// The text at that time.
    pub text: String,
}

/// One entry of the operator's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorAction {
    /// When.
    pub time: Timestamp,
    /// Who: the name of the API token.
    pub operator: String,
    /// What was said.
    pub state: OperatorState,
    /// Comment.
    pub text: String,
}

/// An alarm with its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// Number of this alarm, given once and never again; for URLs and commands.
    pub id: u64,
    /// Identity.
    #[serde(flatten)]
    pub key: AlarmKey,
    /// Whether it is cleared.
    pub is_cleared: bool,
    /// The last report of it.
    #[serde(flatten)]
    pub report: AlarmReport,
    /// Who raised it: `policy:NAME`, `component`, or `manager`.
    pub raised_by: String,
    /// When it was raised for the first time.
    pub time_created: Timestamp,
    /// When it was last raised.
    pub last_raised: Timestamp,
    /// When its severity, text or clearance last changed.
    pub last_changed: Timestamp,
    /// How often it was raised after having been clear.
    pub raise_count: u64,
    /// The operator's view.
    pub operator_state: OperatorState,
    /// Newest first, at most [`crate::config::limits::ALARM_STATUS_CHANGES`].
    pub status_changes: Vec<StatusChange>,
    /// Newest first, same bound.
    pub operator_actions: Vec<OperatorAction>,
}
