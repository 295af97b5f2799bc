//! Inventory, topology and usage as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{ComponentRef, Timestamp};

/// What is known of one thing: an inventory value, a node, a link or a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkEntryView {
    /// Who says so.
    pub component: ComponentRef,
    /// `inventory`, `node`, `link` or `route`.
    pub kind: String,
    /// Part of the component that an inventory value belongs to; empty for the component itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Name of the inventory value, or id in the topology.
    pub name: String,
    /// The value; a node, link or route as reported.
    pub value: serde_json::Value,
    /// When the manager first learnt of it.
    pub since: Timestamp,
    /// When it was last told another value.
    pub changed: Timestamp,
    /// When that was true at its source.
    pub time: Timestamp,
}

/// One change of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkChangeView {
    /// Number of the change; higher is newer.
    pub number: u64,
    /// Who said so.
    pub component: ComponentRef,
    /// `inventory`, `node`, `link` or `route`.
    pub kind: String,
    /// Part of the component that an inventory value belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Name of the inventory value, or id in the topology.
    pub name: String,
    /// What was known before; null: nothing.
    pub before: serde_json::Value,
    /// What is known since; null: it is gone.
    pub after: serde_json::Value,
    /// When the report was accepted.
    pub at: Timestamp,
}

/// Which part of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFilter {
    /// What this component says.
    pub component: Option<ComponentRef>,
    /// Inventory; else topology.
    pub inventory: bool,
    /// Of this part of a component.
    pub resource: Option<String>,
    /// Of this name or id.
    pub name: Option<String>,
}

/// What usage is added up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// The application.
    #[default]
    Application,
    /// The user.
    User,
    /// The other side.
    Peer,
    /// The component that reported it.
    Component,
}

/// Which usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Reported by this component.
    pub component: Option<ComponentRef>,
    /// Intervals that ended at or after this.
    pub from: Option<Timestamp>,
    /// Intervals that ended before this.
    pub to: Option<Timestamp>,
}

/// Usage added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageTotalView {
    /// The application, user, peer or component; empty where it was not said.
    pub name: String,
    /// Intervals, each counted once.
    pub intervals: u64,
    /// Bits of keys consumed.
    pub consumed_bits: f64,
    /// Keys supplied.
    pub supplied_keys: f64,
    /// Bits relayed.
    pub relayed_bits: f64,
    /// Begin of the first interval.
    pub from: Timestamp,
    /// End of the last.
    pub to: Timestamp,
}
