//! Handlers and policies as the API shows them: what is configured, what runs, what it did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    config::{ComponentMatch, FcapsFunction, OnFailure, PolicyMode},
    model::{ComponentRef, ReferencePoint, Timestamp},
    telemetry::metrics::PluginMetrics,
};

/// A handler as configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandlerView {
    /// Its name in the configuration.
    pub name: String,
    /// The reference point it serves.
    pub reference_point: ReferencePoint,
    /// Where the plugin comes from: `builtin:mk` or a file.
    pub plugin: String,
    /// The version that the plugin gives itself.
    pub version: String,
    /// SHA-256 of the plugin as loaded, lower-case hex.
    pub sha256: String,
    /// What becomes of a report that it fails on.
    pub on_failure: OnFailure,
    /// The handler that what it accepts goes through next.
    #[serde(default)]
    pub then: Option<String>,
    /// What it did since the start.
    pub counters: PluginCounters,
    /// Its last failed call since the start.
    pub last_failure: Option<FailureView>,
}

/// A policy as configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name in the configuration.
    pub name: String,
    /// The FCAPS function it serves.
    pub function: FcapsFunction,
    /// Where the plugin comes from: `builtin:threshold` or a file.
    pub plugin: String,
    /// The version that the plugin gives itself.
    pub version: String,
    /// SHA-256 of the plugin as loaded, lower-case hex.
    pub sha256: String,
    /// Whether its verdicts count.
    pub mode: PolicyMode,
    /// Which components it sees: globs, an empty list matches all.
    pub applies_to: ComponentMatchView,
    /// Its own configuration, as the plugin got it.
    pub config: serde_json::Value,
    /// What it did since the start.
    pub counters: PluginCounters,
    /// Its last failed call since the start.
    pub last_failure: Option<FailureView>,
}

/// A call of a plugin that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureView {
    /// When.
    pub time: Timestamp,
    /// Why, shortened; without the plugin's own words about reports.
    pub text: String,
}

/// Globs over a component's attributes; an empty list matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentMatchView {
    /// Reference points.
    pub reference_points: Vec<ReferencePoint>,
    /// Component IDs.
    pub id: Vec<String>,
    /// Vendors.
    pub vendor: Vec<String>,
    /// Models.
    pub model: Vec<String>,
    /// Versions.
    #[serde(default)]
    pub version: Vec<String>,
    /// Sites.
    pub site: Vec<String>,
    /// Tags; one that matches is enough.
    pub tags: Vec<String>,
    /// At least one of these matches as well, if there are any.
    #[serde(default)]
    #[schema(no_recursion)]
    pub any: Vec<Self>,
    /// None of these matches.
    #[serde(default)]
    #[schema(no_recursion)]
    pub not: Vec<Self>,
}

impl From<&ComponentMatch> for ComponentMatchView {
    fn from(matches: &ComponentMatch) -> Self {
        let ComponentMatch { reference_points, id, vendor, model, version, site, tags, any, not } = matches.clone();
        let parts = |list: &[ComponentMatch]| list.iter().map(Self::from).collect();
        let (any, not) = (parts(&any), parts(&not));
        Self { reference_points, id, vendor, model, version, site, tags, any, not }
    }
}

/// A plugin that is loaded, whatever it is configured for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginView {
    /// Where it comes from: `builtin:threshold`, a file, `native:` and a file.
    pub plugin: String,
    /// SHA-256 as loaded, lower-case hex.
    pub sha256: String,
    /// Name of the trusted key that signed it, if one did.
    pub signed_by: Option<String>,
    /// What is to be said of its signature, for a person.
    pub signature: String,
    /// `handler`, `policy` or `exchange`.
    pub role: String,
    /// The name that it gives itself.
    pub name: String,
    /// The version that it gives itself.
    pub version: String,
    /// What it does, in a sentence of its own.
    pub summary: String,
    /// JSON Schema of its configuration.
    pub schema: serde_json::Value,
    /// Handlers or policies of the configuration that use it.
    pub used_by: Vec<String>,
}

/// What a plugin did since the manager started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginCounters {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Reports passed to it.
    pub reports: u64,
    /// Time spent in it.
    pub seconds: f64,
    /// Log lines beyond its rate.
    pub log_lines_dropped: u64,
    /// Verdicts that were not applied (shadow mode, limits).
    pub verdicts_dropped: u64,
    /// Reports that it said no to, as a handler.
    #[serde(default)]
    pub reports_refused: u64,
    /// Samples that it was not shown, as a policy: their component has as much state as `plugins.state_per_component` allows.
    #[serde(default)]
    pub samples_not_shown: u64,
}

impl From<&PluginMetrics> for PluginCounters {
    fn from(metrics: &PluginMetrics) -> Self {
        let activity = metrics.activity();
        Self {
            calls: activity.calls(),
            failures: activity.failures(),
            reports: activity.reports,
            seconds: std::time::Duration::from_nanos(activity.nanoseconds).as_secs_f64(),
            log_lines_dropped: metrics.log_lines_dropped.get(),
            verdicts_dropped: metrics.verdicts_dropped.get(),
            reports_refused: activity.refused,
            samples_not_shown: metrics.samples_crowded_out.get(),
        }
    }
}

/// Why a component's reports go where they go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationView {
    /// The component.
    pub component: ComponentRef,
    /// Whether the manager has met it; if not, this is how it would be.
    pub is_known: bool,
    /// Whether it stands in the configuration: rules on vendor, model, site and tags go by what is written there.
    pub configured: bool,
    /// As configured; empty if not.
    pub vendor: String,
    /// As configured; empty if not.
    pub model: String,
    /// As configured; empty if not.
    #[serde(default)]
    pub version: String,
    /// As configured; empty if not.
    pub site: String,
    /// As configured.
    pub tags: Vec<String>,
    /// The collector that asks for it, if it does not report by itself.
    #[serde(default)]
    pub collector: Option<String>,
    /// The handlers of its reference point in their order; those that apply take the reports, one after the other by `step`.
    pub handlers: Vec<RuleView>,
    /// The policies in their order; those that apply see what the component reports, one after the other.
    pub policies: Vec<RuleView>,
}

/// A handler or policy, and whether it applies to a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    /// Its name in the configuration.
    pub name: String,
    /// Its plugin.
    pub plugin: String,
    /// Whether it applies.
    pub applies: bool,
    /// Its place, from 1, among those that apply.
    #[serde(default)]
    pub step: Option<usize>,
    /// Why, or why not, for a person.
    pub why: String,
}
