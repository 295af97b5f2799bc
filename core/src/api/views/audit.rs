//! The audit trail as the API shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Timestamp;

/// An entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    /// Its number in the trail; higher is newer.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// `refused`, `operator`, `configuration`, `start`, `stop`, ...
    pub kind: String,
    /// Who did it or was refused: fingerprint, component, operator, or `manager`.
    pub who: String,
    /// What happened, for a person.
    pub what: String,
    /// More, for programs; null where there is nothing more.
    #[serde(default)]
    pub detail: serde_json::Value,
    /// Hash of the entry before, which this one is chained to (lower-case hex).
    pub previous: String,
}

/// Which entries, all criteria that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this operator, component or fingerprint.
    pub who: Option<String>,
    /// At or after this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether an entry meets all criteria.
    #[must_use]
    pub fn matches(&self, entry: &AuditEntryView) -> bool {
        let same = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        same(&self.kind, &entry.kind)
            && same(&self.who, &entry.who)
            && self.from.is_none_or(|from| entry.time >= from)
            && self.to.is_none_or(|to| entry.time < to)
    }
}
