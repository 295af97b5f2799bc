//! `[[exporters]]` as written: every key with its place, nothing compared with anything else yet.

use std::time::Duration;

use super::{
    FcapsFunction,
    exporter::ExporterKind,
    limits,
    problem::Problem,
    raw::POINTS,
    reader::{Found, TableReader},
    source::{Place, Spot},
};
use crate::model::{ReferencePoint, Severity};

/// Keys of `[[exporters]]`.
pub const EXPORTER: &[&str] = &[
    "name",
    "kind",
    "url",
    "filter",
    // Known, so that it can be refused with the reason.
    "secret",
    "secret_file",
    "secret_env",
    "trust_anchors",
    "certificate",
    "private_key",
    "allow_tls12",
    "timeout",
    "retry_min",
    "retry_max",
    "batch_size",
    "outbox",
    "refused_after",
    "unreachable_after",
    "resend_interval",
];
/// Keys of `exporters.filter`.
pub const FILTER: &[&str] = &["severity_at_least", "functions", "alarm_types", "reference_points", "components"];

/// `[[exporters]]`
#[derive(Debug)]
pub struct RawExporter {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) kind: Option<Spot<ExporterKind>>,
    pub(super) url: Option<Spot<String>>,
    pub(super) filter: RawFilter,
    pub(super) secret_file: Option<Spot<String>>,
    pub(super) secret_env: Option<Spot<String>>,
    pub(super) trust_anchors: Option<Spot<Vec<Spot<String>>>>,
    pub(super) certificate: Option<Spot<String>>,
    pub(super) private_key: Option<Spot<String>>,
    pub(super) allow_tls12: Option<Spot<bool>>,
    pub(super) timeout: Option<Spot<Duration>>,
    pub(super) retry_min: Option<Spot<Duration>>,
    pub(super) retry_max: Option<Spot<Duration>>,
    pub(super) batch_size: Option<Spot<u64>>,
    pub(super) outbox: Option<Spot<u64>>,
    pub(super) refused_after: Option<Spot<u64>>,
    pub(super) unreachable_after: Option<Spot<Duration>>,
    pub(super) resend_interval: Option<Spot<Duration>>,
}

/// `exporters.filter`
#[derive(Debug, Default)]
pub struct RawFilter {
    pub(super) severity_at_least: Option<Spot<Severity>>,
    pub(super) functions: Vec<FcapsFunction>,
    pub(super) alarm_types: Vec<Spot<String>>,
    pub(super) reference_points: Vec<ReferencePoint>,
    pub(super) components: Vec<Spot<String>>,
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads one.
pub(super) fn exporter(table: &TableReader<'_>, found: &Found) -> RawExporter {
    let name = "[[exporters]]";
    if !table.has("kind") {
        table.missing("kind", name, "kind = \"webhook\" (or alertmanager)");
    }
    if let Some(entry) = table.entry("secret") {
        let problem = Problem::error(entry.key, "a secret is never written into the configuration")
            .help("put it into a file of its own and name that: secret_file = \"secrets/webhook\"; or secret_env = \"VARIABLE\"");
        found.add(problem);
    }
    RawExporter {
        place: table.place,
        name: table.required_text("name", name, "name = \"noc\""),
        kind: table.word("kind", &[("alertmanager", ExporterKind::Alertmanager), ("webhook", ExporterKind::Webhook)]),
        url: table.required_text("url", name, "url = \"https://noc.example.net/alarms\""),
        filter: table.table("filter", "exporters.filter", FILTER).map(|table| filter(&table)).unwrap_or_default(),
        secret_file: table.text("secret_file"),
        secret_env: table.text("secret_env"),
        trust_anchors: table.texts("trust_anchors"),
        certificate: table.text("certificate"),
        private_key: table.text("private_key"),
        allow_tls12: table.flag("allow_tls12"),
        timeout: table.duration("timeout", SECOND / 10..=SECOND * 300),
        retry_min: table.duration("retry_min", SECOND / 100..=SECOND * 3_600),
        retry_max: table.duration("retry_max", SECOND / 100..=DAY),
        batch_size: table.number("batch_size", 1..=limits::EXPORTER_BATCH_MAX as u64),
        outbox: table.number("outbox", 1..=limits::EXPORTER_OUTBOX_MAX as u64),
        refused_after: table.number("refused_after", 1..=1_000),
        unreachable_after: table.duration("unreachable_after", SECOND / 10..=DAY),
        resend_interval: table.duration("resend_interval", SECOND / 2..=DAY),
    }
}

fn filter(table: &TableReader<'_>) -> RawFilter {
    let functions = [
        ("fault", FcapsFunction::Fault),
        ("configuration", FcapsFunction::Configuration),
        ("accounting", FcapsFunction::Accounting),
        ("performance", FcapsFunction::Performance),
        ("security", FcapsFunction::Security),
    ];
    let texts = |key: &str| table.texts(key).map(|list| list.value).unwrap_or_default();
    RawFilter {
        severity_at_least: table
            .word("severity_at_least", &Severity::ALL.map(|severity| (severity.as_str(), severity))),
        functions: table.words("functions", &functions).unwrap_or_default(),
        alarm_types: texts("alarm_types"),
        reference_points: table.words("reference_points", &POINTS).unwrap_or_default(),
        components: texts("components"),
    }
}
