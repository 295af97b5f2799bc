//! What became of reloading the configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{config::origin::Origin, model::Timestamp};

/// What became of one reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadResult {
    /// The files are in force.
    Applied,
    /// The files say what is in force already.
    Unchanged,
    /// Everything is as it was.
    Refused,
    /// It would be applied; it was only asked.
    WouldApply,
}

/// A reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReloadView {
    /// What became of it.
    pub result: ReloadResult,
    /// When it was over.
    pub time: Timestamp,
    /// Number of the configuration in force then, counted from the start.
    pub generation: u64,
    /// Who or what set it off: the name of a token, `SIGHUP`, `files`.
    pub by: String,
    /// What is different, or what is wrong, in a sentence.
    pub summary: String,
    /// What is different, by lists of the configuration.
    #[schema(value_type = Object)]
    pub change: serde_json::Value,
    /// Errors and warnings, each with file, line and column where it has them.
    #[schema(value_type = Vec<Object>)]
    pub problems: Vec<serde_json::Value>,
    /// Keys that a start alone takes over, with the value in force and the file's.
    #[schema(value_type = Vec<Object>)]
    pub needs_restart: serde_json::Value,
    /// Connections that were closed for it.
    pub connections_closed: usize,
    /// How long it took until it was in force and in the journal, milliseconds.
    pub took_ms: f64,
    /// For how long of that no connection was read, milliseconds.
    pub held_ms: f64,
    /// Where plugins are other ones: what is different with them, tried with the last reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<RehearsalView>,
}

/// Plugins in another version, tried with the last reports of the journal beside those in force. Both begin without state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsalView {
    /// Handlers and policies that have another plugin.
    pub plugins: Vec<String>,
    /// Reports that they were tried with.
    pub reports: usize,
    /// When the first of them came.
    pub from: Option<Timestamp>,
    /// When the last of them came.
    pub until: Option<Timestamp>,
    /// Reports that something else follows from.
    pub different: usize,
    /// Failed calls of what is in force.
    pub failures_before: usize,
    /// Failed calls of what would be.
    pub failures_now: usize,
    /// The first of those.
    pub first_failure: Option<String>,
    /// The first differences.
    pub differences: Vec<RehearsalDifferenceView>,
    /// Whether it took too long and was ended.
    pub cut_short: bool,
    /// How long it took, milliseconds.
    pub took_ms: f64,
}

/// A report that something else follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsalDifferenceView {
    /// Whose report.
    pub component: String,
    /// When it was taken in.
    pub time: Timestamp,
    /// Its number, if it had one.
    pub sequence: Option<u64>,
    /// How it is answered, and what follows, with what is in force.
    pub before: Vec<String>,
    /// The same with what would be.
    pub now: Vec<String>,
}

impl RehearsalView {
    /// In a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let plugins = self.plugins.join(", ");
        let ended = if self.cut_short { " before it took too long" } else { "" };
        if self.reports == 0 {
            return format!("{plugins}: no report in the journal to try the other version with");
        }
        format!(
            "{plugins}: of the last {} reports{ended}, something else follows from {}; {} calls fail, {} did",
            self.reports, self.different, self.failures_now, self.failures_before
        )
    }
}

/// How the configuration in force stands to the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReloadStatusView {
    /// Counts the configurations since the start, from 1.
    pub generation: u64,
    /// Since when this one is in force.
    pub since: Timestamp,
    /// The main file; absent where the manager was not started from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether the files are other ones than those in force.
    pub files_differ: bool,
    /// Whether a change of the files is taken over by itself.
    pub reloads_on_change: bool,
    /// The last reload that was applied or found nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// The last one, whatever became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<ReloadView>,
}

/// The configuration in force, as the manager uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationView {
    /// Counts the configurations since the start, from 1.
    pub generation: u64,
    /// Since when this one is in force.
    pub since: Timestamp,
    /// What put it in force: `start`, the name of a token, `SIGHUP`, `files`.
    pub by: String,
    /// Path of the main file, in full; absent where the manager was not started from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether the files are other ones than those in force.
    pub files_differ: bool,
    /// Every value in the shape of `manager.toml`: defaults filled in, paths in full, secrets hidden.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Value,
    /// Where each value came from, by JSON pointer into `configuration`.
    pub origins: BTreeMap<String, Origin>,
}
