//! Views over several domains as the API shows them: what two tell of one thing, paths, alarms of one cause.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Severity, Timestamp};

/// A key relation, a service or a period of settlement, as this domain and the other one tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainComparisonView {
    /// `key-relation`, `service` or `settlement`.
    pub kind: String,
    /// Its name; of a settlement, the period and its begin.
    pub id: String,
    /// The other domain.
    pub domain: String,
    /// The worse of what both say: `up`, `degraded`, `down`, `unknown`; of a service `met`, `missed`, `unknown`; of a settlement whether
    /// both books say the same: `agreed`, `differs`, `one-sided`. While the other domain is not heard (`freshness` is neither `fresh` nor
    /// `indirect`) what it said of a relation or a service counts no more: then it is what ours says, and `one-sided` instead of `up` or `met`.
    pub state: String,
    /// What we tell; absent: nothing.
    #[schema(value_type = Option<Object>)]
    pub ours: Option<serde_json::Value>,
    /// What the other domain tells; absent: nothing.
    #[schema(value_type = Option<Object>)]
    pub theirs: Option<serde_json::Value>,
    /// How the other domain is seen: whether what it says still holds.
    pub freshness: String,
    /// What the two say differently, in words.
    pub differences: Vec<String>,
}

/// An end of a link between domains, as its domain tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkEndView {
    /// Whose end.
    pub domain: String,
    /// `up`, `degraded`, `down` or `unknown`; absent: the domain discloses nothing of it.
    pub state: Option<String>,
    /// Secret key rate, bits per second; absent: not disclosed, or not known there.
    pub secret_key_rate_bps: Option<f64>,
    /// Filling of the key store, 0 to 1; absent: not disclosed, or not known there.
    pub key_store_fill_ratio: Option<f64>,
    /// To whom that was told: `own` (it is ours), `us`, `federation` (figures then are in coarse steps).
    pub told_to: Option<String>,
    /// How the domain is seen: whether what it says still holds. What is neither `fresh` nor `indirect` says nothing about now.
    pub freshness: Option<String>,
    /// Age of the domain's newest document, milliseconds.
    pub age_ms: Option<u64>,
    /// When this manager learnt of the state; absent: before its start.
    pub since: Option<Timestamp>,
}

/// A link of a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathHopView {
    /// Its name.
    pub link: String,
    /// The domain that it is entered from.
    pub from: String,
    /// The domain that it leads to.
    pub to: String,
    /// The worse of what its ends say that still holds: `up`, `degraded`, `down`; `unknown`: neither says anything; `one-sided`: one says
    /// that it is up, and the domain at the other is not heard.
    pub state: String,
    /// Both ends, in the order of the path.
    pub ends: Vec<LinkEndView>,
}

/// The least figure of a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeastFigureView {
    /// The least that is known; absent: none is.
    pub value: Option<f64>,
    /// The link with it.
    pub link: Option<String>,
    /// Links of which it is not disclosed: it may be less there.
    pub not_disclosed: Vec<String>,
}

/// A path over domains, as far as domains disclose their links.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainPathView {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// `up`, `degraded`, `down`; `unknown`: of a link on it nobody says how it is; `one-sided`: of one a single end alone is known to be up; `none`: no links are known that lead there.
    pub state: String,
    /// The best path: with the fewest links that are down, then unknown, then degraded, then at all.
    pub hops: Vec<PathHopView>,
    /// The lowest secret key rate on it, bits per second.
    pub bottleneck_rate_bps: LeastFigureView,
    /// The lowest filling of a key store on it, 0 to 1.
    pub lowest_store_fill_ratio: LeastFigureView,
    /// The path that shares the fewest links with it and has none that is down; absent: none is known.
    pub alternative: Option<AlternativePathView>,
    /// Links of the path without which no way is known that is not down.
    pub without_other_way: Vec<String>,
    /// Domains that disclose nothing of links to us or everybody: links of theirs may be missing here.
    pub undisclosed: Vec<String>,
}

/// Another path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlternativePathView {
    /// As of the path.
    pub state: String,
    /// Its links.
    pub hops: Vec<PathHopView>,
    /// The lowest secret key rate on it, bits per second.
    pub bottleneck_rate_bps: LeastFigureView,
    /// The lowest filling of a key store on it, 0 to 1.
    pub lowest_store_fill_ratio: LeastFigureView,
    /// Links that both have; empty: it is disjoint.
    pub shared_links: Vec<String>,
    /// Domains on the way that both have.
    pub shared_domains: Vec<String>,
}

/// A link between domains that is down or degraded: one entry, whoever says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainAlarmView {
    /// The link.
    pub link: String,
    /// The domains at its ends.
    pub domains: Vec<String>,
    /// Of the worse state: `critical` for a link that is down, `minor` for one that is degraded.
    pub severity: Severity,
    /// `both` say that it is in trouble; they `disagree`: one says that it is not; `one` says so alone, the other nothing that holds.
    pub sides: String,
    /// The domain of which this manager learnt it first, by its own receipt; absent: not known.
    pub first: Option<String>,
    /// What each domain says, and when this manager learnt of it.
    pub ends: Vec<LinkEndView>,
}
