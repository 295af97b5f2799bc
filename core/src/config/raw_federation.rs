//! `[federation]` and `[[peers]]` as written: every key with its place, nothing compared with anything else yet.

use std::time::Duration;

use super::{
    federation::{FederationRole, Period},
    reader::TableReader,
    source::{Place, Spot},
};
use crate::model::{disclosure::Topic, peer_request::RequestKind};

/// Keys of `[federation]`.
pub const FEDERATION: &[&str] = &[
    "name",
    "area",
    "role",
    "signing_key",
    "key_generation",
    "min_epoch",
    "refresh",
    "disclose",
    "disclose_area",
    "disclose_aggregators",
    "export",
    "import",
    "origins",
    "links",
    "key_relations",
    "services",
    "settlements",
];
/// Keys of `[[federation.links]]` and `[[federation.key_relations]]`.
pub const LINK: &[&str] = &["name", "domain", "from"];
/// Keys of `[[federation.services]]`.
pub const SERVICE: &[&str] = &["name", "domains", "from", "key_rate", "without_key", "availability", "window"];
/// Keys of `[[federation.settlements]]`.
pub const SETTLEMENT: &[&str] = &["domain", "peers", "period"];
/// Keys of `[[federation.origins]]`.
pub const ORIGIN: &[&str] = &["domain", "area", "role", "key_generation", "min_epoch", "signing_keys"];
/// Keys of `[[peers]]`.
pub const PEER: &[&str] = &[
    "id",
    "domain",
    "address",
    "trust_anchors",
    "revocation_lists",
    "signing_keys",
    "area",
    "role",
    "key_generation",
    "min_epoch",
    "export",
    "import",
    "pseudonym_key",
    "requests",
];

/// `[federation]`
#[derive(Debug)]
pub struct RawFederation {
    pub(super) name: Option<Spot<String>>,
    pub(super) area: Option<Spot<String>>,
    pub(super) role: Option<Spot<FederationRole>>,
    pub(super) signing_key: Option<Spot<String>>,
    pub(super) key_generation: Option<Spot<u64>>,
    pub(super) min_epoch: Option<Spot<u64>>,
    pub(super) refresh: Option<Spot<Duration>>,
    pub(super) disclose: Option<Spot<Vec<Topic>>>,
    pub(super) disclose_area: Option<Spot<Vec<Topic>>>,
    pub(super) disclose_aggregators: Option<Spot<Vec<Topic>>>,
    pub(super) export: Option<Spot<Vec<Spot<String>>>>,
    pub(super) import: Option<Spot<Vec<Spot<String>>>>,
    pub(super) origins: Vec<RawOrigin>,
    pub(super) links: Vec<RawLink>,
    pub(super) key_relations: Vec<RawLink>,
    pub(super) services: Vec<RawService>,
    pub(super) settlements: Vec<RawSettlement>,
}

/// `[[federation.services]]`
#[derive(Debug)]
pub struct RawService {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) domains: Option<Spot<Vec<Spot<String>>>>,
    pub(super) from: Option<Spot<Vec<Spot<String>>>>,
    pub(super) key_rate: Option<Spot<f64>>,
    pub(super) without_key: Option<Spot<Duration>>,
    pub(super) availability: Option<Spot<f64>>,
    pub(super) window: Option<Spot<Duration>>,
}

/// `[[federation.settlements]]`
#[derive(Debug)]
pub struct RawSettlement {
    pub(super) place: Place,
    pub(super) domain: Option<Spot<String>>,
    pub(super) peers: Option<Spot<Vec<Spot<String>>>>,
    pub(super) period: Option<Spot<Period>>,
}

/// `[[federation.links]]`, `[[federation.key_relations]]`
#[derive(Debug)]
pub struct RawLink {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) domain: Option<Spot<String>>,
    pub(super) from: Option<Spot<Vec<Spot<String>>>>,
}

/// A domain with its keys: `[[federation.origins]]`, and a part of `[[peers]]`.
#[derive(Debug)]
pub struct RawOrigin {
    pub(super) place: Place,
    pub(super) domain: Option<Spot<String>>,
    pub(super) area: Option<Spot<String>>,
    pub(super) role: Option<Spot<FederationRole>>,
    pub(super) key_generation: Option<Spot<u64>>,
    pub(super) min_epoch: Option<Spot<u64>>,
    pub(super) signing_keys: Option<Spot<Vec<Spot<String>>>>,
}

/// `[[peers]]`
#[derive(Debug)]
pub struct RawPeer {
    pub(super) place: Place,
    pub(super) id: Option<Spot<String>>,
    pub(super) origin: RawOrigin,
    pub(super) address: Option<Spot<String>>,
    pub(super) trust_anchors: Option<Spot<Vec<Spot<String>>>>,
    pub(super) revocation_lists: Option<Spot<Vec<Spot<String>>>>,
    pub(super) export: Option<Spot<Vec<Spot<String>>>>,
    pub(super) import: Option<Spot<Vec<Spot<String>>>>,
    pub(super) pseudonym_key: Option<Spot<String>>,
    pub(super) requests: Option<Vec<RequestKind>>,
}

const ROLES: [(&str, FederationRole); 2] =
    [("member", FederationRole::Member), ("aggregator", FederationRole::Aggregator)];

/// Most key generations: far more than anybody will use, and well within what the protocol counts.
const GENERATIONS: std::ops::RangeInclusive<u64> = 1..=1_000_000;
/// Epochs: the integers that every JSON reader has exactly, as the protocol counts.
const EPOCHS: std::ops::RangeInclusive<u64> = 0..=(1 << 53) - 1;

/// Reads `[federation]`.
pub(super) fn federation(table: &TableReader<'_>) -> RawFederation {
    let name = "[federation]";
    RawFederation {
        name: table.required_text("name", name, "name = \"european-qkd\", the same in all its managers"),
        area: table.text("area"),
        role: table.word("role", &ROLES),
        signing_key: table.required_text("signing_key", name, "signing_key = \"keys/signing.key\""),
        key_generation: table.number("key_generation", GENERATIONS),
        min_epoch: table.number("min_epoch", EPOCHS),
        refresh: table.duration("refresh", Duration::from_secs(1)..=Duration::from_secs(3_600)),
        export: table.texts("export"),
        import: table.texts("import"),
        disclose: topics(table, "disclose", &Topic::ALL),
        disclose_area: topics(table, "disclose_area", &Topic::TO_SEVERAL),
        disclose_aggregators: topics(table, "disclose_aggregators", &Topic::TO_SEVERAL),
        origins: table
            .tables_as("origins", "[[federation.origins]]", ORIGIN)
            .iter()
            .map(|one| origin(one, "[[federation.origins]]"))
            .collect(),
        links: links(table, "links", "[[federation.links]]"),
        key_relations: links(table, "key_relations", "[[federation.key_relations]]"),
        services: table.tables_as("services", "[[federation.services]]", SERVICE).iter().map(service).collect(),
        settlements: table
            .tables_as("settlements", "[[federation.settlements]]", SETTLEMENT)
            .iter()
            .map(settlement)
            .collect(),
    }
}

fn topics(table: &TableReader<'_>, key: &str, of: &[Topic]) -> Option<Spot<Vec<Topic>>> {
    let words: Vec<(&'static str, Topic)> = of.iter().map(|topic| (topic.as_str(), *topic)).collect();
    let topics = table.words(key, &words)?;
    Some(Spot::new(topics, table.place_of(key)))
}

fn links(table: &TableReader<'_>, key: &str, name: &str) -> Vec<RawLink> {
    table.tables_as(key, name, LINK).iter().map(|one| link(one, name)).collect()
}

/// Time that a service is looked at over.
const WINDOW: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(31 * 86_400);

fn service(table: &TableReader<'_>) -> RawService {
    let name = "[[federation.services]]";
    for (key, example) in [("from", "from = \"mk/km-1 gov-vpn\""), ("domains", "domains = [\"west\"]")] {
        if !table.has(key) {
            table.missing(key, name, example);
        }
    }
    RawService {
        place: table.place,
        name: table.required_text("name", name, "name = \"gov-vpn\", the same in all domains that it spans"),
        domains: table.texts("domains"),
        from: table.texts("from"),
        key_rate: table.real("key_rate"),
        without_key: table.duration("without_key", Duration::from_secs(1)..=Duration::from_secs(86_400)),
        availability: table.real("availability"),
        window: table.duration("window", WINDOW),
    }
}

fn settlement(table: &TableReader<'_>) -> RawSettlement {
    let name = "[[federation.settlements]]";
    if !table.has("peers") {
        table.missing("peers", name, "peers = [\"km-west-1\"], as usage calls that domain's side");
    }
    RawSettlement {
        place: table.place,
        domain: table.required_text("domain", name, "domain = \"west\""),
        peers: table.texts("peers"),
        period: table.word("period", &[Period::Hour, Period::Day].map(|period| (period.as_str(), period))),
    }
}

fn link(table: &TableReader<'_>, name: &str) -> RawLink {
    if !table.has("from") {
        table.missing("from", name, "from = [\"mq/border-1\", \"mk/km-1 west-link\"]");
    }
    RawLink {
        place: table.place,
        name: table.required_text("name", name, "name = \"vienna-brno\", the same in both domains"),
        domain: table.required_text("domain", name, "domain = \"west\""),
        from: table.texts("from"),
    }
}

fn origin(table: &TableReader<'_>, name: &str) -> RawOrigin {
    RawOrigin {
        place: table.place,
        domain: table.required_text("domain", name, "domain = \"west\""),
        area: table.text("area"),
        role: table.word("role", &ROLES),
        key_generation: table.number("key_generation", GENERATIONS),
        min_epoch: table.number("min_epoch", EPOCHS),
        signing_keys: table.texts("signing_keys"),
    }
}

/// Reads one of `[[peers]]`.
pub(super) fn peer(table: &TableReader<'_>) -> RawPeer {
    RawPeer {
        place: table.place,
        id: table.required_text("id", "[[peers]]", "id = \"manager-west\""),
        origin: origin(table, "[[peers]]"),
        address: table.text("address"),
        trust_anchors: table.texts("trust_anchors"),
        revocation_lists: table.texts("revocation_lists"),
        export: table.texts("export"),
        import: table.texts("import"),
        pseudonym_key: table.text("pseudonym_key"),
        requests: table.words("requests", &RequestKind::ALL.map(|kind| (kind.configured(), kind))),
    }
}
