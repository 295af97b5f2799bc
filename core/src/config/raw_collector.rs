//! `[[collectors]]` as written: every key with its place, nothing compared with anything else yet.

use std::time::Duration;

use super::{
    raw::plugin_config,
    reader::{Found, TableReader},
    source::{Place, Spot},
    tree::Node,
};

/// Keys of `[[collectors]]`.
pub const COLLECTOR: &[&str] =
    &["name", "components", "plugin", "sha256", "http", "interval", "timeout", "retry_max", "config", "config_files"];
/// Keys of `[[collectors.http]]`.
pub const HOST: &[&str] = &["name", "url", "trust_anchors", "certificate", "private_key", "allow_tls12"];

/// `[[collectors]]`
#[derive(Debug)]
pub struct RawCollector {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) components: Option<Spot<Vec<Spot<String>>>>,
    pub(super) plugin: Option<Spot<String>>,
    pub(super) sha256: Option<Spot<String>>,
    pub(super) http: Vec<RawHost>,
    pub(super) interval: Option<Spot<Duration>>,
    pub(super) timeout: Option<Spot<Duration>>,
    pub(super) retry_max: Option<Spot<Duration>>,
    pub(super) config: Option<Node>,
    pub(super) config_files: Option<Node>,
}

/// `[[collectors.http]]`
#[derive(Debug)]
pub struct RawHost {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) url: Option<Spot<String>>,
    pub(super) trust_anchors: Option<Spot<Vec<Spot<String>>>>,
    pub(super) certificate: Option<Spot<String>>,
    pub(super) private_key: Option<Spot<String>>,
    pub(super) allow_tls12: Option<Spot<bool>>,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads one.
pub(super) fn collector(table: &TableReader<'_>, found: &Found) -> RawCollector {
    let name = "[[collectors]]";
    if !table.has("components") {
        table.missing("components", name, "components = [\"mk/kme-1\"], whom it reports for");
    }
    RawCollector {
        place: table.place,
        name: table.required_text("name", name, "name = \"kme-1\""),
        components: table.texts("components"),
        plugin: table.required_text("plugin", name, "plugin = \"plugins/collector-etsi014.wasm\""),
        sha256: table.text("sha256"),
        http: table.tables_as("http", "[[collectors.http]]", HOST).iter().map(host).collect(),
        interval: table.duration("interval", SECOND / 10..=DAY),
        timeout: table.duration("timeout", SECOND / 10..=SECOND * 60),
        retry_max: table.duration("retry_max", SECOND / 10..=DAY),
        config: plugin_config(table, found),
        config_files: table.entry("config_files").map(|entry| entry.node.clone()),
    }
}

fn host(table: &TableReader<'_>) -> RawHost {
    let name = "[[collectors.http]]";
    RawHost {
        place: table.place,
        name: table.required_text("name", name, "name = \"kme\", by which the plugin asks for it"),
        url: table.required_text("url", name, "url = \"https://kme-1.example.net\""),
        trust_anchors: table.texts("trust_anchors"),
        certificate: table.text("certificate"),
        private_key: table.text("private_key"),
        allow_tls12: table.flag("allow_tls12"),
    }
}
