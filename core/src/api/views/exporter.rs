//! Exporters of alarms.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    config::exporter::ExporterKind,
    model::{Severity, Timestamp},
};

/// How an exporter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExporterState {
    /// Nothing was sent since the start.
    New,
    /// The last request succeeded.
    Working,
    /// The last request failed; it is tried again.
    Retrying,
    /// No request succeeded for so long that there is an alarm about it.
    Unreachable,
}

impl std::fmt::Display for ExporterState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Working => "working",
            Self::Retrying => "retrying",
            Self::Unreachable => "unreachable",
        })
    }
}

/// An exporter and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExporterView {
    /// Its name.
    pub name: String,
    /// What the target understands.
    pub kind: ExporterKind,
    /// The target, without the query of its address.
    pub url: String,
    /// How it is.
    pub state: ExporterState,
    /// Journal position, `block.batch`: all events up to it are in the outbox, or were.
    pub cursor: String,
    /// Journal position of the last event that arrived.
    pub delivered: String,
    /// Events that wait.
    pub pending: usize,
    /// Events that the target refused.
    pub parked: usize,
    /// Alarms that the target has as firing (Alertmanager).
    pub firing: usize,
    /// Events that arrived since the start.
    pub events_delivered: u64,
    /// Requests without success since the start.
    pub requests_failed: u64,
    /// Events left out since the start, because a later one of the same alarm supersedes them and too many waited.
    pub superseded: u64,
    /// When a request last succeeded.
    pub last_success: Option<Timestamp>,
    /// Since when requests fail; absent if the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// What went wrong last, and when.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_time: Option<Timestamp>,
    /// When it is tried again.
    pub next_attempt: Option<Timestamp>,
}

/// An event that a target refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEventView {
    /// ID of the event, as the target saw it.
    pub event: String,
    /// What happened: `raised`, `cleared` and its like.
    pub kind: String,
    /// Number of the alarm.
    pub alarm: u64,
    /// Its component.
    pub component: String,
    /// Its type.
    pub alarm_type_id: String,
    /// Its severity.
    pub severity: Severity,
    /// Since when it is parked.
    pub parked: Timestamp,
    /// What the target said.
    pub why: String,
}

/// What came of putting parked events back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryView {
    /// Events that wait again.
    pub requeued: usize,
    /// Parked events that are no longer true and were let go (Alertmanager).
    pub outdated: usize,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestView {
    /// Whether the target took it.
    pub delivered: bool,
    /// Status of HTTP, if there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub milliseconds: u64,
    /// What went wrong.
    pub error: Option<String>,
}
