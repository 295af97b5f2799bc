//! Components as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outward::OutwardSubscriptionView;
use crate::{
    api::unit,
    model::{
        ComponentRef, ReferencePoint, Severity, Symbol, SymbolTable, Timestamp,
        report_batch::SampleKind,
        unknown::{Unknown, UnknownKind, UnknownUse},
    },
    state::LastValue,
};

/// A component in a list: who it is and whether it is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSummary {
    /// Reference point and ID together: `mk/km-1`.
    pub component: ComponentRef,
    /// The reference point it reports on.
    pub reference_point: ReferencePoint,
    /// Its component ID (Q.QKDN_Mk table 1).
    pub id: String,
    /// What stands behind the reference point, for people: `key manager`.
    pub kind: String,
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
    /// Whether it stands in the configuration (otherwise its certificate alone vouches for it).
    pub configured: bool,
    /// Connections open now.
    pub connection_count: usize,
    /// When a report of it was last accepted.
    pub last_report: Option<Timestamp>,
    /// Reports accepted, repeats not counted.
    pub reports: u64,
    /// Silence for longer raises an alarm; absent: silence raises nothing.
    #[serde(default)]
    pub expected_interval_ms: Option<u64>,
    /// Since when the manager holds it for silent (its alarm `component-silent`); absent: it does not.
    #[serde(default)]
    pub silent_since: Option<Timestamp>,
    /// The worst severity among its alarms that are not cleared.
    pub worst_alarm: Option<Severity>,
    /// Alarms of it that are not cleared.
    pub raised_alarms: usize,
    /// Words of its reports that the catalogue does not have and that resemble one of it: probably slips. Since the
    /// manager's start.
    #[serde(default)]
    pub likely_slips: usize,
    /// The collector that asks for it, if it does not report by itself.
    #[serde(default)]
    pub collector: Option<String>,
}

/// A word of a component's reports that the catalogue does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnknownView {
    /// Where it stood.
    pub kind: UnknownKind,
    /// As written, up to 64 characters.
    pub text: String,
    /// How often.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
    /// The word that was probably meant, if it resembles one.
    #[serde(default)]
    pub meant: Option<String>,
}

impl From<UnknownUse> for UnknownView {
    fn from(UnknownUse { unknown: Unknown { kind, text }, meant, count, last }: UnknownUse) -> Self {
        Self { kind, text, count, last, meant: meant.map(str::to_owned) }
    }
}

impl ComponentSummary {
    /// A summary that says who the component is and nothing else: not configured, not connected, never heard of.
    #[must_use]
    pub fn new(component: ComponentRef) -> Self {
        Self {
            reference_point: component.reference_point,
            id: component.id.as_str().to_owned(),
            kind: component.reference_point.component_kind().to_owned(),
            component,
            vendor: String::new(),
            model: String::new(),
            version: String::new(),
            site: String::new(),
            tags: Vec::new(),
            configured: false,
            connection_count: 0,
            last_report: None,
            reports: 0,
            expected_interval_ms: None,
            silent_since: None,
            worst_alarm: None,
            raised_alarms: 0,
            likely_slips: 0,
            collector: None,
        }
    }
}

/// A component with all that the manager knows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentDetail {
    /// What lists show of it.
    #[serde(flatten)]
    pub summary: ComponentSummary,
    /// Connections open now, the newest first: requests go to that one.
    pub connections: Vec<ConnectionView>,
    /// Where the manager dials it, if it does.
    pub dial: Option<String>,
    /// Incarnation of its numbering; absent before the first numbered report.
    pub incarnation: Option<u64>,
    /// Highest sequence number accepted in it.
    pub last_sequence: Option<u64>,
    /// Sequence numbers that are missing and may still come.
    #[serde(default)]
    pub outstanding: u64,
    /// Sequence numbers that never came.
    pub gaps: u64,
    /// Reports with something that is kept as text: inventory, topology, usage and the like, and what `unknown` has.
    pub kept: u64,
    /// Words of its reports that the catalogue does not have, the latest first; since the manager's start, the last few.
    #[serde(default)]
    pub unknown: Vec<UnknownView>,
    /// Name of the handler that takes its reports.
    pub handler: String,
    /// Names of the policies that watch it.
    pub policies: Vec<String>,
    /// The last value of everything it reported.
    pub values: Vec<ValueView>,
    /// The manager's subscriptions at it.
    #[serde(default)]
    pub outward_subscriptions: Vec<OutwardSubscriptionView>,
}

/// A connection of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Address of the other side.
    pub peer_address: String,
    /// Open since.
    pub since: Timestamp,
    /// Group of the TLS key exchange, such as `X25519MLKEM768`.
    pub key_exchange: String,
    /// Whether the manager dialled.
    pub dialled: bool,
}

/// A value that a component reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueView {
    /// Name, as in the catalogue.
    pub name: String,
    /// Part of the component that it speaks of; empty for the component itself.
    pub resource: String,
    /// What was reported.
    pub value: ReportedValue,
    /// Unit of a number, if its name says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// When it was true at its source.
    pub time: Timestamp,
}

/// A number, a word of the catalogue or a flag, plain in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ReportedValue {
    /// A `state` value that is true or false.
    Flag(bool),
    /// A `performance` value.
    Number(f64),
    /// A `state` value with its word; empty where the word is not in the catalogue.
    Word(String),
}

impl std::fmt::Display for ReportedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Word(word) if word.is_empty() => f.write_str("?"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl ReportedValue {
    /// What a sample of the given kind stands for.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "symbols are whole numbers below 2^32")]
    pub fn new(kind: SampleKind, value: f64, symbols: &SymbolTable) -> Self {
        match kind {
            SampleKind::Number => Self::Number(value),
            SampleKind::Word => Self::Word(symbols.text(Symbol(value as u32)).as_ref().to_owned()),
            SampleKind::Flag => Self::Flag(value != 0.0),
        }
    }
}

impl ValueView {
    /// A value as the arrays hold it, with its symbols resolved.
    #[must_use]
    pub fn new(last: &LastValue, symbols: &SymbolTable) -> Self {
        let name = symbols.text(Symbol(last.name)).as_ref().to_owned();
        let kind = crate::model::report_batch::sample_kind(last.kind);
        let unit = if kind == SampleKind::Number { unit::of(&name).map(str::to_owned) } else { None };
        Self {
            resource: symbols.text(Symbol(last.resource)).as_ref().to_owned(),
            value: ReportedValue::new(kind, last.value, symbols),
            unit,
            time: Timestamp(last.time),
            name,
        }
    }
}

/// Criteria that a component has to meet, all that are given. Texts are compared exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentFilter {
    /// On this reference point.
    pub reference_point: Option<ReferencePoint>,
    /// Connected now, or not.
    pub connected: Option<bool>,
    /// Of this vendor.
    pub vendor: Option<String>,
    /// Of this model.
    pub model: Option<String>,
    /// At this site.
    pub site: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Silent for too long (true), or not.
    pub silent: Option<bool>,
}

impl ComponentFilter {
    /// Whether a component meets all criteria.
    #[must_use]
    pub fn matches(&self, component: &ComponentSummary) -> bool {
        let same = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        self.reference_point.is_none_or(|point| point == component.reference_point)
            && self.connected.is_none_or(|connected| connected == (component.connection_count > 0))
            && same(&self.vendor, &component.vendor)
            && same(&self.model, &component.model)
            && same(&self.site, &component.site)
            && self.silent.is_none_or(|silent| silent == component.silent_since.is_some())
            && self.tag.as_ref().is_none_or(|tag| component.tags.contains(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Catalogue, ComponentId};

    #[test]
    fn values_get_their_names_words_and_units_back() {
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        let symbol = |text: &str| symbols.intern(text).0;
        let last =
            |name, kind, value| LastValue { name: symbol(name), resource: symbol("link-1"), kind, value, time: 5 };
        let seen = |last: LastValue| serde_json::to_string(&ValueView::new(&last, &symbols)).unwrap();
        assert_eq!(
            seen(last("qber_ratio", 0, 0.031)),
            r#"{"name":"qber_ratio","resource":"link-1","value":0.031,"unit":"ratio","time":"1970-01-01T00:00:00.005Z"}"#
        );
        let word = ValueView::new(&last("operational_state", 1, f64::from(symbol("enabled"))), &symbols);
        assert_eq!((word.value, word.unit), (ReportedValue::Word("enabled".into()), None));
        assert_eq!(ValueView::new(&last("tamper_detected", 2, 1.0), &symbols).value, ReportedValue::Flag(true));
        let json = seen(last("tamper_detected", 2, 0.0));
        assert_eq!(serde_json::from_str::<ValueView>(&json).unwrap().value, ReportedValue::Flag(false));
    }

    #[test]
    fn every_criterion_excludes_on_its_own() {
        let mut component =
            ComponentSummary::new(ComponentRef::new(ReferencePoint::Mk, ComponentId::new("km-1").unwrap()));
        component.vendor = "acme".into();
        component.tags = vec!["metro".into()];
        let with = |change: fn(&mut ComponentFilter)| {
            let mut filter = ComponentFilter::default();
            change(&mut filter);
            filter.matches(&component)
        };
        assert!(with(|_| {}));
        assert!(with(|f| f.reference_point = Some(ReferencePoint::Mk)));
        assert!(!with(|f| f.reference_point = Some(ReferencePoint::Mq)));
        assert!(!with(|f| f.connected = Some(true)));
        assert!(with(|f| f.connected = Some(false)));
        assert!(!with(|f| f.vendor = Some("ACME".into())));
        assert!(!with(|f| f.model = Some("k2".into())));
        assert!(!with(|f| f.site = Some("vienna".into())));
        assert!(with(|f| f.silent = Some(false)));
        assert!(!with(|f| f.silent = Some(true)));
        assert!(with(|f| f.tag = Some("metro".into())));
        assert!(!with(|f| f.tag = Some("core".into())));
    }
}
