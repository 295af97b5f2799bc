//! Collectors: plugins that ask devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{ComponentRef, Timestamp};

/// How a collector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CollectorState {
    /// No collection was over since the start.
    New,
    /// The last collection succeeded.
    Working,
    /// The last collection failed; it is tried again.
    Failing,
}

impl std::fmt::Display for CollectorState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Working => "working",
            Self::Failing => "failing",
        })
    }
}

/// A host that a collector was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorHostView {
    /// The plugin's name for it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether the plugin's description asks for it; if not, it cannot be reached.
    pub asked_for: bool,
}

/// Requests of a plugin that were not sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRequests {
    /// Why: `not-asked`, `not-granted`, `keys`, `malformed` or `too-many`.
    pub why: String,
    /// How many since the start.
    pub requests: u64,
}

/// A collector and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorView {
    /// Its name.
    pub name: String,
    /// Whom it reports for.
    #[schema(value_type = Vec<String>)]
    pub components: Vec<ComponentRef>,
    /// Where its plugin comes from.
    pub plugin: String,
    /// SHA-256 of the plugin.
    pub sha256: String,
    /// How it does.
    pub state: CollectorState,
    /// Whom it may ask.
    pub hosts: Vec<CollectorHostView>,
    /// Hosts that the plugin asks for and that are not granted.
    pub not_granted: Vec<String>,
    /// From one collection to the next, in milliseconds.
    pub interval_ms: u64,
    /// Collections since the start.
    pub collections: u64,
    /// Of those, failed.
    pub collections_failed: u64,
    /// Requests sent since the start.
    pub requests: u64,
    /// Of those, without an answer that can be used.
    pub requests_failed: u64,
    /// Requests that were not sent.
    pub requests_refused: Vec<RefusedRequests>,
    /// Reports handed in since the start.
    pub reports: u64,
    /// Of those, refused.
    pub reports_refused: u64,
    /// When a collection last succeeded.
    pub last_success: Option<Timestamp>,
    /// Since when collections fail; absent if the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_time: Option<Timestamp>,
    /// The request that was refused last, and why.
    pub last_refusal: Option<String>,
    /// When the next collection begins.
    pub next_collection: Option<Timestamp>,
}
