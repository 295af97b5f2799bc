//! The configuration as written: every key of every table, read and typed, with its place, nothing yet compared with
//! anything else. What is absent here gets its default in `check`.

use std::{net::SocketAddr, time::Duration};

use super::{
    Durability, Enrolment, FcapsFunction, OnFailure, PolicyMode, ReadWithoutToken, Role, limits,
    problem::Problem,
    raw_match::{self, RawMatch},
    raw_transport::{self, RawInterface, RawTls},
    reader::{Found, TableReader},
    source::{Place, Spot},
    tree::{Entry, Node, Table, Value},
};
use crate::model::ReferencePoint;

/// Keys of each table; `load` uses them for the environment too.
pub mod keys {
    /// Tables at the top.
    pub const TOP: &[&str] = &[
        "manager",
        "log",
        "tls",
        "interfaces",
        "components",
        "handlers",
        "policies",
        "collectors",
        "subscriptions",
        "exporters",
        "federation",
        "peers",
        "plugins",
        "storage",
        "api",
    ];
    /// `[manager]`
    pub const MANAGER: &[&str] = &["id", "domain", "data_dir", "shards", "enrolment", "reload_on_change"];
    /// `[log]`
    pub const LOG: &[&str] = &["format", "level"];
    /// `[tls]`
    pub const TLS: &[&str] =
        &["certificate", "private_key", "trust_anchors", "revocation_lists", "key_exchange", "allow_tls12"];
    /// `[interfaces]`
    pub const INTERFACES: &[&str] = &["mq", "mops", "mqrp", "mk", "mc", "mu", "mx"];
    /// `[interfaces.*]`
    pub const INTERFACE: &[&str] = &[
        "listen",
        "max_connections",
        "max_connections_per_identity",
        "max_line_bytes",
        "max_in_flight",
        "handshake_timeout",
        "idle_timeout",
        "request_timeout",
        "certificate",
        "private_key",
        "trust_anchors",
        "revocation_lists",
        "key_exchange",
        "allow_tls12",
    ];
    /// `[[components]]`
    pub const COMPONENT: &[&str] = &[
        "id",
        "reference_point",
        "identity",
        "vendor",
        "model",
        "version",
        "site",
        "tags",
        "expected_interval",
        "dial",
        "sees",
    ];
    /// `components.sees`
    pub const SEES: &[&str] = &["components", "resources", "types", "names"];
    /// `components.identity`
    pub const IDENTITY: &[&str] = &["san", "fingerprint", "subject"];
    /// `[[handlers]]`
    pub const HANDLER: &[&str] = &[
        "name",
        "reference_point",
        "match",
        "plugin",
        "sha256",
        "on_failure",
        "then",
        "allow_key_names",
        "config",
        "config_files",
    ];
    /// `handlers.match`
    pub const MATCH: &[&str] = &["id", "vendor", "model", "version", "site", "tags", "any", "not"];
    /// `handlers.match.any` and `handlers.match.not`
    pub const MATCH_PART: &[&str] = &["id", "vendor", "model", "version", "site", "tags"];
    /// `[[policies]]`
    pub const POLICY: &[&str] =
        &["name", "function", "plugin", "sha256", "applies_to", "mode", "config", "config_files"];
    /// `policies.applies_to`
    pub const APPLIES_TO: &[&str] =
        &["reference_point", "id", "vendor", "model", "version", "site", "tags", "any", "not"];
    /// `applies_to.any` and `applies_to.not`
    pub const APPLIES_TO_PART: &[&str] = &["reference_point", "id", "vendor", "model", "version", "site", "tags"];
    /// `[[subscriptions]]`
    pub const SUBSCRIPTION: &[&str] = &[
        "name",
        "applies_to",
        "events",
        "method",
        "period",
        "thresholds",
        "dampening",
        "immediate",
        "durable",
        "poll_interval",
    ];
    /// `subscriptions.events`
    pub const EVENT: &[&str] = &["types", "names", "resources"];
    /// `subscriptions.thresholds`
    pub const THRESHOLD: &[&str] = &["name", "level", "direction", "hysteresis"];
    /// `[plugins]`
    pub const PLUGINS: &[&str] = &[
        "allow_native",
        "require_signature",
        "trusted_keys",
        "cache_dir",
        "cpu_time",
        "wall_time",
        "memory",
        "table_elements",
        "answer_size",
        "state_per_component",
        "log_lines_per_second",
    ];
    /// `[storage]`
    pub const STORAGE: &[&str] =
        &["durability", "journal_retention", "journal_max_size", "journal_segment_size", "history"];
    /// `storage.history`
    pub const HISTORY: &[&str] = &["raw", "minute", "hour"];
    /// `[api]`
    pub const API: &[&str] = &["listen", "tokens", "read_without_token"];
    /// `api.tokens`
    pub const TOKEN: &[&str] = &["name", "sha256", "role", "expires"];
}

pub(super) const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Everything.
#[derive(Debug, Default)]
pub struct Raw {
    pub(super) manager: RawManager,
    pub(super) log_json: Option<Spot<bool>>,
    pub(super) log_level: Option<Spot<String>>,
    pub(super) tls: RawTls,
    pub(super) interfaces: Vec<RawInterface>,
    pub(super) components: Vec<RawComponent>,
    pub(super) handlers: Vec<RawHandler>,
    pub(super) policies: Vec<RawPolicy>,
    pub(super) collectors: Vec<super::raw_collector::RawCollector>,
    pub(super) subscriptions: Vec<super::raw_subscription::RawSubscription>,
    pub(super) exporters: Vec<super::raw_exporter::RawExporter>,
    pub(super) federation: Option<super::raw_federation::RawFederation>,
    pub(super) peers: Vec<super::raw_federation::RawPeer>,
    pub(super) plugins: RawPlugins,
    pub(super) storage: RawStorage,
    pub(super) api: RawApi,
    pub(super) written: Written,
}

/// Which tables are there at all, even if nothing in them can be read or their name is misspelt: what is wrong with them was
/// reported, and that they are missing would be false.
#[derive(Debug, Default)]
pub struct Written {
    /// Reference points of `[interfaces.*]`, if there is any of them.
    pub(super) interfaces: Option<Vec<ReferencePoint>>,
    /// `[[components]]`
    pub(super) components: bool,
}

/// `[manager]`
#[derive(Debug, Default)]
pub struct RawManager {
    pub(super) id: Option<Spot<String>>,
    pub(super) domain: Option<Spot<String>>,
    pub(super) data_dir: Option<Spot<String>>,
    pub(super) shards: Option<Spot<u64>>,
    pub(super) enrolment: Option<Spot<Enrolment>>,
    pub(super) reload_on_change: Option<Spot<bool>>,
}

/// `[[components]]`
#[derive(Debug)]
pub struct RawComponent {
    pub(super) id: Option<Spot<String>>,
    pub(super) reference_point: Option<Spot<ReferencePoint>>,
    pub(super) identity: Option<RawIdentity>,
    pub(super) vendor: Option<Spot<String>>,
    pub(super) model: Option<Spot<String>>,
    pub(super) version: Option<Spot<String>>,
    pub(super) site: Option<Spot<String>>,
    pub(super) tags: Option<Spot<Vec<Spot<String>>>>,
    pub(super) expected_interval: Option<Spot<Duration>>,
    pub(super) dial: Option<Spot<String>>,
    pub(super) sees: Vec<RawSees>,
}

/// `components.sees`
#[derive(Debug)]
pub struct RawSees {
    pub(super) place: Place,
    pub(super) components: Option<Spot<Vec<Spot<String>>>>,
    pub(super) resources: Option<Spot<Vec<Spot<String>>>>,
    pub(super) types: Option<Spot<Vec<Spot<String>>>>,
    pub(super) names: Option<Spot<Vec<Spot<String>>>>,
}

/// `components.identity`
#[derive(Debug)]
pub struct RawIdentity {
    pub(super) place: Place,
    pub(super) san: Option<Spot<String>>,
    pub(super) fingerprint: Option<Spot<String>>,
    pub(super) subject: Option<Spot<String>>,
}

/// `[[handlers]]`
#[derive(Debug)]
pub struct RawHandler {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) reference_point: Option<Spot<ReferencePoint>>,
    pub(super) matches: RawMatch,
    pub(super) plugin: Option<Spot<String>>,
    pub(super) sha256: Option<Spot<String>>,
    pub(super) on_failure: Option<Spot<OnFailure>>,
    pub(super) then: Option<Spot<String>>,
    pub(super) allow_key_names: Option<Spot<Vec<Spot<String>>>>,
    pub(super) config: Option<Node>,
    pub(super) config_files: Option<Node>,
}

/// `[[policies]]`
#[derive(Debug)]
pub struct RawPolicy {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) function: Option<Spot<FcapsFunction>>,
    pub(super) plugin: Option<Spot<String>>,
    pub(super) sha256: Option<Spot<String>>,
    pub(super) applies_to: RawMatch,
    pub(super) mode: Option<Spot<PolicyMode>>,
    pub(super) config: Option<Node>,
    pub(super) config_files: Option<Node>,
}

/// `[plugins]`
#[derive(Debug, Default)]
pub struct RawPlugins {
    pub(super) allow_native: Option<Spot<bool>>,
    pub(super) require_signature: Option<Spot<bool>>,
    pub(super) trusted_keys: Option<Spot<Vec<Spot<String>>>>,
    pub(super) cache_dir: Option<Spot<String>>,
    pub(super) cpu_time: Option<Spot<Duration>>,
    pub(super) wall_time: Option<Spot<Duration>>,
    pub(super) memory: Option<Spot<u64>>,
    pub(super) table_elements: Option<Spot<u64>>,
    pub(super) answer_size: Option<Spot<u64>>,
    pub(super) state_per_component: Option<Spot<u64>>,
    pub(super) log_lines_per_second: Option<Spot<u64>>,
}

/// `[storage]`
#[derive(Debug, Default)]
pub struct RawStorage {
    pub(super) durability: Option<Spot<Durability>>,
    pub(super) journal_retention: Option<Spot<Duration>>,
    pub(super) journal_max_size: Option<Spot<u64>>,
    pub(super) journal_segment_size: Option<Spot<u64>>,
    /// `raw`, `minute`, `hour`
    pub(super) history: [Option<Spot<Duration>>; 3],
}

/// `[api]`
#[derive(Debug, Default)]
pub struct RawApi {
    pub(super) listen: Option<Spot<SocketAddr>>,
    pub(super) tokens: Vec<RawToken>,
    pub(super) read_without_token: Option<Spot<ReadWithoutToken>>,
}

/// `api.tokens`
#[derive(Debug)]
pub struct RawToken {
    pub(super) name: Option<Spot<String>>,
    pub(super) sha256: Option<Spot<String>>,
    pub(super) role: Option<Spot<Role>>,
    pub(super) expires: Option<Spot<String>>,
}

/// Reads the whole tree.
#[must_use]
pub fn read(table: &Table, found: &Found) -> Raw {
    let top = TableReader::new(found, table, Place::default(), "the configuration", keys::TOP);
    // A table that is misspelt is not among these any more.
    let is_there = |table: &str| top.has(table) || found.is_meant(table);
    let mut raw = Raw::default();
    if let Some(table) = top.table("manager", "[manager]", keys::MANAGER) {
        raw.manager = manager(&table);
    } else if !is_there("manager") {
        let problem = Problem::nowhere("there is no [manager] table");
        found.add(
            problem.help("add [manager] with `id = \"manager-east\"`, the manager ID on Mx, and `domain = \"east\"`"),
        );
    }
    if let Some(table) = top.table("log", "[log]", keys::LOG) {
        raw.log_json = table.word("format", &[("text", false), ("json", true)]);
        raw.log_level = table.text("level");
    }
    raw.tls = raw_transport::tls_of(&top, is_there("tls"));
    let interfaces = top.table("interfaces", "[interfaces]", keys::INTERFACES);
    raw.interfaces = interfaces.iter().flat_map(|table| raw_transport::interfaces(table, found)).collect();
    raw.written = Written {
        interfaces: is_there("interfaces").then(|| interfaces.iter().flat_map(raw_transport::points).collect()),
        components: is_there("components"),
    };
    raw.components = top.tables("components", keys::COMPONENT).iter().map(component).collect();
    raw.handlers = top.tables("handlers", keys::HANDLER).iter().map(|table| handler(table, found)).collect();
    raw.policies = top.tables("policies", keys::POLICY).iter().map(|table| policy(table, found)).collect();
    let collectors = top.tables("collectors", super::raw_collector::COLLECTOR);
    raw.collectors = collectors.iter().map(|table| super::raw_collector::collector(table, found)).collect();
    let subscriptions = top.tables("subscriptions", keys::SUBSCRIPTION);
    raw.subscriptions = subscriptions.iter().map(|table| super::raw_subscription::subscription(table, found)).collect();
    let exporters = top.tables("exporters", super::raw_exporter::EXPORTER);
    raw.exporters = exporters.iter().map(|table| super::raw_exporter::exporter(table, found)).collect();
    let federation = top.table("federation", "[federation]", super::raw_federation::FEDERATION);
    raw.federation = federation.map(|table| super::raw_federation::federation(&table));
    let peers = top.tables("peers", super::raw_federation::PEER);
    raw.peers = peers.iter().map(super::raw_federation::peer).collect();
    if let Some(table) = top.table("plugins", "[plugins]", keys::PLUGINS) {
        raw.plugins = plugins(&table);
    }
    if let Some(table) = top.table("storage", "[storage]", keys::STORAGE) {
        raw.storage = storage(&table);
    }
    if let Some(table) = top.table("api", "[api]", keys::API) {
        raw.api = api(&table, found);
    }
    raw
}

pub(super) const POINTS: [(&str, ReferencePoint); 7] = [
    ("mq", ReferencePoint::Mq),
    ("mops", ReferencePoint::Mops),
    ("mqrp", ReferencePoint::Mqrp),
    ("mk", ReferencePoint::Mk),
    ("mc", ReferencePoint::Mc),
    ("mu", ReferencePoint::Mu),
    ("mx", ReferencePoint::Mx),
];

fn manager(table: &TableReader<'_>) -> RawManager {
    let enrolment =
        [("listed", Enrolment::Listed), ("certificate", Enrolment::Certificate), ("approve", Enrolment::Approve)];
    RawManager {
        id: table.required_text("id", "[manager]", "id = \"manager-east\", the manager ID on Mx"),
        domain: table.required_text("domain", "[manager]", "domain = \"east\", the network that it speaks for"),
        data_dir: table.text("data_dir"),
        shards: table.number("shards", 0..=limits::MAX_SHARDS),
        enrolment: table.word("enrolment", &enrolment),
        reload_on_change: table.flag("reload_on_change"),
    }
}

fn component(table: &TableReader<'_>) -> RawComponent {
    let name = "[[components]]";
    let second = Duration::from_secs(1);
    RawComponent {
        id: table.required_text("id", name, "id = \"km-1\""),
        reference_point: required_point(table, name),
        identity: table.table("identity", "identity", keys::IDENTITY).map(|identity| RawIdentity {
            place: identity.place,
            san: identity.text("san"),
            fingerprint: identity.text("fingerprint"),
            subject: identity.text("subject"),
        }),
        vendor: table.text("vendor"),
        model: table.text("model"),
        version: table.text("version"),
        site: table.text("site"),
        tags: table.texts("tags"),
        expected_interval: table.duration("expected_interval", second / 10..=YEAR),
        dial: table.text("dial"),
        sees: table.tables_as("sees", "[[components.sees]]", keys::SEES).iter().map(sees).collect(),
    }
}

fn sees(table: &TableReader<'_>) -> RawSees {
    if !table.has("components") {
        table.missing("components", "sees", "components = [\"mk/km-*\"]");
    }
    RawSees {
        place: table.place,
        components: table.texts("components"),
        resources: table.texts("resources"),
        types: table.texts("types"),
        names: table.texts("names"),
    }
}

fn required_point(table: &TableReader<'_>, name: &str) -> Option<Spot<ReferencePoint>> {
    if !table.has("reference_point") {
        table.missing("reference_point", name, "reference_point = \"mk\" (or mq, mops, mqrp, mc, mu, mx)");
    }
    table.word("reference_point", &POINTS)
}

pub(super) fn plugin_config(table: &TableReader<'_>, found: &Found) -> Option<Node> {
    let Entry { node, .. } = table.entry("config")?;
    if matches!(node.value, Value::Table(_)) {
        return Some(node.clone());
    }
    let label = format!("expected a table, found {}", node.value.kind());
    found.add(Problem::error(node.place, "`config` has a value of the wrong type").label(label));
    None
}

fn handler(table: &TableReader<'_>, found: &Found) -> RawHandler {
    let name = "[[handlers]]";
    let on_failure =
        [("reject", OnFailure::Reject), ("keep-raw", OnFailure::KeepRaw), ("fallback", OnFailure::Fallback)];
    RawHandler {
        place: table.place,
        name: table.required_text("name", name, "name = \"mq-acme\""),
        reference_point: required_point(table, name),
        matches: raw_match::of(table.table("match", "match", keys::MATCH), keys::MATCH_PART, found),
        plugin: table.required_text("plugin", name, "plugin = \"plugins/acme_mq.wasm\""),
        sha256: table.text("sha256"),
        on_failure: table.word("on_failure", &on_failure),
        then: table.text("then"),
        allow_key_names: table.texts("allow_key_names"),
        config: plugin_config(table, found),
        config_files: table.entry("config_files").map(|entry| entry.node.clone()),
    }
}

fn policy(table: &TableReader<'_>, found: &Found) -> RawPolicy {
    let name = "[[policies]]";
    let functions = [
        ("fault", FcapsFunction::Fault),
        ("configuration", FcapsFunction::Configuration),
        ("accounting", FcapsFunction::Accounting),
        ("performance", FcapsFunction::Performance),
        ("security", FcapsFunction::Security),
    ];
    let modes = [("active", PolicyMode::Active), ("shadow", PolicyMode::Shadow), ("off", PolicyMode::Off)];
    if !table.has("function") {
        table.missing("function", name, "function = \"performance\" (or fault, configuration, accounting, security)");
    }
    RawPolicy {
        place: table.place,
        name: table.required_text("name", name, "name = \"qber\""),
        function: table.word("function", &functions),
        plugin: table.required_text("plugin", name, "plugin = \"builtin:threshold\""),
        sha256: table.text("sha256"),
        applies_to: raw_match::of(
            table.table("applies_to", "applies_to", keys::APPLIES_TO),
            keys::APPLIES_TO_PART,
            found,
        ),
        mode: table.word("mode", &modes),
        config: plugin_config(table, found),
        config_files: table.entry("config_files").map(|entry| entry.node.clone()),
    }
}

fn plugins(table: &TableReader<'_>) -> RawPlugins {
    RawPlugins {
        allow_native: table.flag("allow_native"),
        require_signature: table.flag("require_signature"),
        trusted_keys: table.texts("trusted_keys"),
        cache_dir: table.text("cache_dir"),
        cpu_time: table.duration("cpu_time", Duration::from_millis(1)..=Duration::from_secs(60)),
        wall_time: table.duration("wall_time", Duration::from_millis(100)..=Duration::from_secs(600)),
        memory: table.size("memory", 1 << 20..=4 << 30),
        table_elements: table.number("table_elements", 1..=10_000_000),
        answer_size: table.size("answer_size", 1 << 10..=64 << 20),
        state_per_component: table.size("state_per_component", 64..=16 << 20),
        log_lines_per_second: table.number("log_lines_per_second", 0..=100_000),
    }
}

fn storage(table: &TableReader<'_>) -> RawStorage {
    let second = Duration::from_secs(1);
    let history = table.table("history", "storage.history", keys::HISTORY);
    let level = |key: &str| history.as_ref().and_then(|table| table.duration(key, Duration::ZERO..=YEAR * 100));
    RawStorage {
        durability: table.word("durability", &[("sync", Durability::Sync), ("os", Durability::Os)]),
        journal_retention: table.duration("journal_retention", second..=YEAR * 100),
        journal_max_size: table.size("journal_max_size", 1 << 17..=1 << 50),
        journal_segment_size: table.size("journal_segment_size", 1 << 16..=4 << 30),
        history: [level("raw"), level("minute"), level("hour")],
    }
}

fn api(table: &TableReader<'_>, found: &Found) -> RawApi {
    let roles = [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];
    let name = "[[api.tokens]]";
    let tokens = table.tables_as("tokens", name, keys::TOKEN);
    let token = |token: &TableReader<'_>| {
        if !token.has("role") {
            token.missing("role", name, "role = \"viewer\" (or operator, admin)");
        }
        RawToken {
            name: token.required_text("name", name, "name = \"ops\""),
            sha256: token.required_text("sha256", name, "sha256 = \"...\", the digest of the token"),
            role: token.word("role", &roles),
            expires: token.time("expires"),
        }
    };
    RawApi {
        listen: table.text("listen").and_then(|text| raw_transport::address(text, found)),
        tokens: tokens.iter().map(token).collect(),
        read_without_token: table.word("read_without_token", &ReadWithoutToken::WORDS),
    }
}
