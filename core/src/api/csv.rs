//! Lists as comma-separated values (RFC 4180), for spreadsheets and scripts: one header line, one line an item.
//!
//! In: items in their JSON form, and the columns of their type. A column is a path into that form, with points between its
//! steps, so that names are the same as in JSON. Texts are as they are, with one exception: one that begins like a
//! formula (`=`, `+`, `-`, `@`) gets an apostrophe before it, since texts come from components and spreadsheets run
//! formulas. What has parts of its own (a list, an object) is written as JSON; what is absent is empty.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::views::{
    AlarmView, AuditEntryView, CollectorView, ComponentSummary, DisclosureView, DomainAlarmView, DomainComparisonView,
    DomainLinkView, DomainView, EnrolmentView, ExporterView, HandlerView, HistoryPoint, InterfaceView, LastValueView,
    NetworkChangeView, NetworkEntryView, PeerRequestView, PeerView, PluginActivityView, PluginLineView, PluginView,
    PolicyView, QuarantineView, ReportView, ResourceView, SubscriptionView, UsageTotalView,
};

/// What a list of it looks like as a table. Columns are added at the end, never renamed or removed.
pub trait Tabular: Serialize {
    /// Its columns, as paths into its JSON form.
    const COLUMNS: &'static [&'static str];
}

macro_rules! tabular {
    ($($item:ty: [$($column:literal),* $(,)?];)*) => {
        $(impl Tabular for $item { const COLUMNS: &'static [&'static str] = &[$($column),*]; })*
        /// Names of the types that have columns, and these; for the test that none is made up.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &[&str])] = &[$((stringify!($item), <$item as Tabular>::COLUMNS)),*];
    };
}

tabular! {
    ComponentSummary: [
        "component", "referencePoint", "id", "kind", "vendor", "model", "site", "tags", "configured", "connectionCount",
        "lastReport", "reports", "worstAlarm", "raisedAlarms", "expectedIntervalMs", "silentSince",
        "likelySlips", "version",
    ];
    EnrolmentView: [
        "component", "state", "san", "fingerprint", "subject", "issuer", "authority", "notAfter", "address", "connections",
        "firstSeen", "lastSeen", "decidedBy", "decided", "note",
    ];
    ResourceView: [
        "component", "referencePoint", "id", "resource", "site", "values", "inventory", "lastValue", "worstAlarm",
        "raisedAlarms",
    ];
    AlarmView: [
        "id", "severity", "isCleared", "operatorState", "function", "component", "resource", "alarmTypeId",
        "alarmTypeQualifier", "text", "eventType", "probableCause", "valueName", "observed", "threshold",
        "clearThreshold", "unit", "raisedBy", "timeCreated", "lastRaised", "lastChanged", "raiseCount",
        "maintenance",
    ];
    NetworkEntryView: ["component", "kind", "resource", "name", "value", "since", "changed", "time"];
    NetworkChangeView: ["number", "at", "component", "kind", "resource", "name", "before", "after"];
    UsageTotalView: ["name", "intervals", "consumedBits", "suppliedKeys", "relayedBits", "from", "to"];
    CollectorView: [
        "name", "state", "components", "plugin", "collections", "collectionsFailed", "requests", "requestsFailed", "reports",
        "reportsRefused", "lastSuccess", "failingSince", "lastError", "nextCollection", "intervalMs",
    ];
    ExporterView: [
        "name", "kind", "state", "url", "pending", "parked", "firing", "eventsDelivered", "requestsFailed", "superseded",
        "lastSuccess", "failingSince", "lastError", "nextAttempt", "cursor", "delivered",
    ];
    PeerView: [
        "id", "domain", "address", "connected", "since", "dialled", "peerAddress", "tellsUs", "roundTripMs", "sent",
        "answered", "freshness", "mayAsk", "keyGeneration", "minEpoch", "failedDials",
    ];
    PeerRequestView: [
        "id", "direction", "peer", "domain", "kind", "state", "reason", "links", "link", "from", "until", "effect", "cause",
        "severity", "alarmType", "since", "by", "made", "expires", "settled", "explanation",
    ];
    DomainView: ["domain", "own", "freshness", "ageMs", "disputed", "documents", "area", "role", "rollups", "knownThrough"];
    DomainLinkView: ["id", "domain", "state", "freshness", "ours", "theirs", "differences", "ageMs"];
    DomainComparisonView: ["domain", "kind", "id", "state", "freshness", "ours", "theirs", "differences"];
    DomainAlarmView: ["link", "domains", "severity", "sides", "first", "ends"];
    DisclosureView: ["time", "audience", "version", "sections", "bytes"];
    ReportView: [
        "position", "component", "received", "time", "incarnation", "sequence", "outcome", "refusal", "answersRequest",
        "values", "extension",
    ];
    LastValueView: ["component", "resource", "name", "value", "unit", "time"];
    HistoryPoint: ["time", "value", "min", "max", "mean", "last", "count"];
    PolicyView: [
        "name", "function", "mode", "plugin", "version", "sha256", "counters.calls", "counters.failures",
        "counters.reports", "counters.seconds", "counters.verdictsDropped", "lastFailure.time", "lastFailure.text",
    ];
    HandlerView: [
        "name", "referencePoint", "onFailure", "plugin", "version", "sha256", "counters.calls", "counters.failures",
        "counters.reports", "counters.seconds", "lastFailure.time", "lastFailure.text", "then",
    ];
    PluginView: ["plugin", "role", "name", "version", "sha256", "usedBy", "summary", "signedBy", "signature"];
    PluginActivityView: [
        "name", "role", "plugin", "version", "sha256", "total.calls", "total.failures", "total.reports",
        "total.reportsRefused", "total.seconds", "total.cpuSeconds", "total.p50Us", "total.p90Us", "total.p99Us",
        "total.maxUs", "total.memoryBytes", "total.subjects", "total.stateBytes", "total.instancesMade",
        "logLinesDropped", "verdictsDropped", "samplesNotShown", "lastFailure.time", "lastFailure.text",
    ];
    PluginLineView: ["id", "time", "plugin", "kind", "level", "text"];
    QuarantineView: ["time", "plugin", "component", "failure", "report"];
    InterfaceView: [
        "referencePoint", "listen", "keyExchange", "components.known", "components.connected", "connections",
        "maxConnections", "lines", "accepted", "refused",
    ];
    SubscriptionView: [
        "id", "subscriber", "created", "granted.notificationMethod", "granted.durable", "connected", "lastSequence",
        "acknowledged", "backlog", "backlogBytes", "lost",
    ];
    AuditEntryView: ["number", "time", "kind", "who", "what", "detail"];
}

/// A list as CSV, its header included.
pub fn table<T: Tabular>(items: &[T]) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(T::COLUMNS)?;
    for item in items {
        let item = serde_json::to_value(item).map_err(std::io::Error::from)?;
        writer.write_record(T::COLUMNS.iter().map(|column| cell(at(&item, column)).into_owned()))?;
    }
    text(writer)
}

/// One document as CSV: a line for each of its parts, with the path and the value.
pub fn document(document: &impl Serialize) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["name", "value"])?;
    let document = serde_json::to_value(document).map_err(std::io::Error::from)?;
    for (name, value) in leaves(&document) {
        writer.write_record([name.as_str(), &cell(value)])?;
    }
    text(writer)
}

/// The parts of a document that have none of their own: path and value as text.
#[must_use]
pub fn parts(document: &Value) -> Vec<(String, String)> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    leaves(document)
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, shown(value)))
        .collect()
}

fn text(writer: csv::Writer<Vec<u8>>) -> Result<String, csv::Error> {
    let bytes = writer.into_inner().map_err(|error| std::io::Error::from(error.error().kind()))?;
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error).into())
}

fn at<'a>(item: &'a Value, column: &str) -> &'a Value {
    column.split('.').fold(item, |part, step| part.get(step).unwrap_or(&Value::Null))
}

/// Members of objects by their names, items of lists of objects by their places; a list of plain values is one part.
fn leaves(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), document)];
    while let Some((path, value)) = waiting.pop() {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(members) if !members.is_empty() => {
                waiting.extend(members.iter().rev().map(|(name, member)| (below(name), member)));
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                waiting.extend(items.iter().enumerate().rev().map(|(place, item)| (below(&place.to_string()), item)));
            }
            leaf => found.push((path, leaf)),
        }
    }
    found
}

fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => Cow::Owned(format!("'{text}")),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Item {
        name: &'static str,
        part: Value,
    }

    impl Tabular for Item {
        const COLUMNS: &'static [&'static str] = &["name", "part.a", "part.b", "gone"];
    }

    #[test]
    fn items_become_lines_quoted_where_they_have_to_be() {
        let items = [
            Item { name: "a \"b\", c", part: serde_json::json!({ "a": -1.5, "b": [1, "x"] }) },
            Item { name: "=HYPERLINK(1)", part: Value::Null },
        ];
        let expected = "name,part.a,part.b,gone\r\n\"a \"\"b\"\", c\",-1.5,\"[1,\"\"x\"\"]\",\r\n'=HYPERLINK(1),,,\r\n";
        assert_eq!(table(&items).unwrap(), expected);
        assert_eq!(table::<Item>(&[]).unwrap(), "name,part.a,part.b,gone\r\n");
    }

    #[test]
    fn a_document_becomes_its_parts() {
        let text = document(&serde_json::json!({ "a": { "b": 1, "c": [] }, "d": [{ "e": "x" }] })).unwrap();
        assert_eq!(text, "name,value\r\na.b,1\r\na.c,[]\r\nd.0.e,x\r\n");
    }
}
