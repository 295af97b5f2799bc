//! Peers and domains as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Timestamp;

/// A configured peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerView {
    /// Its manager ID.
    pub id: String,
    /// The domain that it speaks for.
    pub domain: String,
    /// Generation of its keys that is configured; what it signed with others does not count.
    #[schema(example = 1)]
    pub key_generation: u32,
    /// Least epoch that is configured: what it said in lower ones does not count; 0: none.
    pub min_epoch: u64,
    /// Where it is dialled; absent: it dials us.
    pub address: Option<String>,
    /// Dials that failed since there was a session; absent: none did.
    pub failed_dials: Option<FailedDialsView>,
    /// Whether there is a session with it now.
    pub connected: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether we dialled.
    pub dialled: Option<bool>,
    /// Address of the other side.
    pub peer_address: Option<String>,
    /// Whether it tells us what managers exchange; absent: it has not said yet. False: it knows plain status reports only.
    pub tells_us: Option<bool>,
    /// Time from our last message to its answer, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Messages sent in this session.
    pub sent: u64,
    /// Requests answered in this session.
    pub answered: u64,
    /// How its domain is seen: `fresh`, `indirect`, `stale`, `unreachable`, `withdrawn`, `excluded`; absent: not heard of.
    pub freshness: Option<String>,
    /// Milliseconds since anything came on the session; absent: there is none.
    pub heard_before_ms: Option<u64>,
    /// Whether what it passes on of others is taken; not for five minutes after it sent too many bad items.
    pub relays: bool,
    /// Items of it that were dropped since the manager's start.
    pub dropped: u64,
    /// What its operators may ask of us (`peers.requests`): `maintenance`, `emergency-priority`, `incident`; empty: nothing.
    #[serde(default)]
    pub may_ask: Vec<String>,
}

/// Dials of a peer that failed, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailedDialsView {
    /// When the first did.
    pub since: Timestamp,
    /// When the last did.
    pub at: Timestamp,
    /// How many.
    #[schema(example = 3)]
    pub times: u64,
    /// What the network or TLS said of the last.
    #[schema(example = "cannot reach mx/manager-west at west:7107: Connection refused (os error 111)")]
    pub why: String,
}

/// How domains are connected, as far as it is known here: there may be connections that nobody told us of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphView {
    /// The domain of this manager.
    pub domain: String,
    /// Connections between managers, by domain.
    pub connections: Vec<DomainConnectionView>,
    /// Domains whose loss would cut others off from this one.
    pub bottlenecks: Vec<BottleneckView>,
    /// Domains of the roster to which no way is known that is up.
    pub unreached: Vec<String>,
    /// Domains of which all connections are known here: our own, and neighbours that tell us theirs.
    #[serde(default)]
    pub known_whole: Vec<String>,
    /// All others: they may have connections that nobody tells us of.
    #[serde(default)]
    pub known_in_part: Vec<String>,
}

/// A connection between the managers of two domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainConnectionView {
    /// One domain.
    pub one: String,
    /// The other.
    pub other: String,
    /// `session`: it is ours; `told`: a neighbour says that it has it; `way`: a document came over it; `configured`: it is to be
    /// ours and is not up.
    pub known_by: String,
    /// Whether it is known first hand: ours. All others stand here by the word of those who told or relayed.
    #[serde(default)]
    pub first_hand: bool,
}

/// A domain through which alone others are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BottleneckView {
    /// Which.
    pub domain: String,
    /// Those that would be cut off.
    pub cuts_off: Vec<String>,
    /// Whether there can be no other way to them. If not, some domain that could lead round it is known in part alone.
    #[serde(default)]
    pub certain: bool,
}

/// What is known of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainView {
    /// Its name.
    pub domain: String,
    /// Whether it is the domain of this manager.
    pub own: bool,
    /// The area that it belongs to, if any.
    pub area: Option<String>,
    /// `member`, or `aggregator`: it also publishes roll-ups.
    pub role: String,
    /// How it is seen: `fresh`, `indirect`, `stale`, `unreachable`, `withdrawn`, `excluded`; `unheard`: it has said nothing yet.
    pub freshness: String,
    /// Age of its newest document, milliseconds; of a domain that is known through a sum alone, what it is at most.
    pub age_ms: u64,
    /// Through whom alone it is known, where that is silent, or tells of it in sum; absent: by what it says itself.
    #[serde(default)]
    pub known_through: Option<KnownThroughView>,
    /// It has signed two manifests of one version: its key is used twice.
    pub disputed: bool,
    /// Its documents that are held here, one an audience.
    pub documents: Vec<DocumentView>,
    /// Areas in sum, as it publishes them: of an aggregator.
    pub rollups: Vec<RollupView>,
}

/// Another domain through which alone one is known: by what that relays, or by the sum that it publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownThroughView {
    /// Which.
    pub domain: String,
    /// How that sees it, where it tells of it in sum; absent: it relays what the domain says itself.
    pub state: Option<String>,
    /// What is in the sum of it is at most so old, milliseconds.
    pub max_age_ms: Option<u64>,
    /// Whether that is heard itself. If not, nothing is known of the one behind it, and it is told as `stale`, never `unreachable`.
    pub heard: bool,
    /// The same in words.
    pub text: String,
}

/// An area in sum, as an aggregator publishes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollupView {
    /// The area.
    pub area: String,
    /// The domain that adds up.
    pub aggregator: String,
    /// How many sources are in the sum and how fresh, in words: `2 fresh, 1 stale (max age 94 s); 1 excluded left out`.
    pub sum_of: String,
    /// Components by reference point: `known`, `connected`, `silent`, `impaired`.
    #[schema(value_type = Object)]
    pub components: serde_json::Value,
    /// Alarms raised, by severity.
    #[schema(value_type = Object)]
    pub raised: serde_json::Value,
    /// Ends of links to other domains: `states` counted; `qberRatio`, `secretKeyRateBps` and `keyStoreFillRatio` as `min`, `max` and
    /// `count`. A link that both of its ends tell of is counted at both.
    #[schema(value_type = Object)]
    pub links: serde_json::Value,
    /// How many sources are in which state; `fresh`, `indirect` and `stale` are in the sum.
    pub domains: BTreeMap<String, u64>,
    /// The oldest that is in the sum is at most so old, milliseconds.
    pub max_age_ms: u64,
    /// `agrees`: adding up its sources here gives the same; `differs`; `cannot be checked`: not all of them are held here.
    pub check: String,
    /// What differs, or why it cannot be checked.
    pub detail: String,
    /// What aggregators that add up the same area do with its members that this one does not, in words. Sums of two are never added.
    pub differences: Vec<String>,
    /// All members of the area that the aggregator knows of.
    pub sources: Vec<RollupSourceView>,
}

/// A domain that is in a sum, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollupSourceView {
    /// Which.
    pub domain: String,
    /// How the aggregator sees it.
    pub state: String,
    /// It is at most so old, milliseconds; absent: it was not heard of.
    pub max_age_ms: Option<u64>,
    /// Which of its documents: for the `federation`, its `area`, or an `aggregator`.
    pub audience: Option<String>,
    /// The first version of that document that said this.
    pub version: Option<String>,
    /// First half of the hash of the manifest of that version, in base64url.
    pub manifest_hash: Option<String>,
}

/// A document of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentView {
    /// For whom it is.
    pub audience: String,
    /// Key generation, epoch and number, with dots.
    pub version: String,
    /// When it was signed, by the domain's clock.
    pub issued: Timestamp,
    /// Bytes of its signed manifest.
    pub manifest_bytes: u64,
    /// By which neighbour it came; the domain itself, if it came directly.
    pub from: String,
    /// Relays on its way, oldest first.
    pub via: Vec<String>,
    /// What it says.
    pub sections: Vec<SectionView>,
}

/// A section of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionView {
    /// Its name.
    pub name: String,
    /// Bytes as sent.
    pub bytes: u64,
    /// What it says, as far as this manager knows such sections; null: it does not, or the section is malformed.
    #[schema(value_type = Object)]
    pub content: serde_json::Value,
    /// What is wrong with it, if anything.
    pub malformed: Option<String>,
    /// Why it is not shown, where import policies of this manager are to blame.
    pub withheld: Option<String>,
}

/// A link to another domain, from both ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainLinkView {
    /// Its name.
    pub id: String,
    /// The domain at the other end.
    pub domain: String,
    /// The worse of what both ends say: `up`, `degraded`, `down`, `unknown`. While the other domain is not heard (`freshness` neither `fresh`
    /// nor `indirect`) what it said counts no more: then it is what ours says, and `one-sided` instead of `up`.
    pub state: String,
    /// What our end says; absent: it is not in our configuration.
    #[schema(value_type = Option<Object>)]
    pub ours: Option<serde_json::Value>,
    /// What the other end says; absent: nothing was told.
    #[schema(value_type = Option<Object>)]
    pub theirs: Option<serde_json::Value>,
    /// How the other domain is seen: whether what it says still holds.
    pub freshness: String,
    /// Age of the newest that the other domain said, milliseconds; absent: it has said nothing yet.
    #[serde(default)]
    pub age_ms: Option<u64>,
    /// What the two ends say differently, in words.
    pub differences: Vec<String>,
}

/// What a peer's domain is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewView {
    /// The peer's domain.
    pub domain: String,
    /// Our documents that it gets.
    pub own: Vec<DocumentView>,
    /// Domains whose documents are passed on to it.
    pub relayed: Vec<String>,
}

/// Something that was told to a peer's domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisclosureView {
    /// When.
    pub time: Timestamp,
    /// For whom the document is.
    pub audience: String,
    /// Version of our document.
    pub version: String,
    /// Sections that went.
    pub sections: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}
