//! `[[subscriptions]]` as written: every key with its place, nothing compared with anything else yet.

use std::time::Duration;

use super::{
    raw::keys,
    raw_match::{self, RawMatch},
    reader::{Found, TableReader},
    source::{Place, Spot},
    subscription::{Direction, NotificationMethod},
};

/// `[[subscriptions]]`
#[derive(Debug)]
pub struct RawSubscription {
    pub(super) name: Option<Spot<String>>,
    pub(super) applies_to: RawMatch,
    pub(super) events: Vec<RawEvent>,
    pub(super) method: Option<Spot<NotificationMethod>>,
    pub(super) period: Option<Spot<Duration>>,
    /// Also with a value that was refused.
    pub(super) period_is_there: bool,
    pub(super) thresholds: Vec<RawThreshold>,
    pub(super) dampening: Option<Spot<Duration>>,
    pub(super) immediate: Option<Spot<bool>>,
    pub(super) durable: Option<Spot<bool>>,
    pub(super) poll_interval: Option<Spot<Duration>>,
}

/// `subscriptions.events`
#[derive(Debug)]
pub struct RawEvent {
    pub(super) types: Vec<Spot<String>>,
    pub(super) names: Vec<Spot<String>>,
    pub(super) resources: Vec<Spot<String>>,
}

/// `subscriptions.thresholds`
#[derive(Debug)]
pub struct RawThreshold {
    pub(super) place: Place,
    pub(super) name: Option<Spot<String>>,
    pub(super) level: Option<Spot<f64>>,
    pub(super) direction: Option<Spot<Direction>>,
    pub(super) hysteresis: Option<Spot<f64>>,
}

const DAY: Duration = Duration::from_secs(86_400);
/// Shorter ones are no status any more.
const SHORTEST: Duration = Duration::from_millis(100);

/// Reads one.
pub(super) fn subscription(table: &TableReader<'_>, found: &Found) -> RawSubscription {
    let name = "[[subscriptions]]";
    let methods = [
        ("periodic", NotificationMethod::Periodic),
        ("one-time", NotificationMethod::OneTime),
        ("on-change", NotificationMethod::OnChange),
    ];
    for (key, example) in [
        ("method", "method = \"on-change\" (or periodic, one-time)"),
        ("events", "events = [{ types = [\"performance\"] }]; {} is everything that a component has"),
    ] {
        if !table.has(key) {
            table.missing(key, name, example);
        }
    }
    RawSubscription {
        name: table.required_text("name", name, "name = \"key-stores\""),
        applies_to: raw_match::of(
            table.table("applies_to", "applies_to", keys::APPLIES_TO),
            keys::APPLIES_TO_PART,
            found,
        ),
        events: table.tables_as("events", "[[subscriptions.events]]", keys::EVENT).iter().map(event).collect(),
        method: table.word("method", &methods),
        period: table.duration("period", SHORTEST..=DAY),
        period_is_there: table.has("period"),
        thresholds: table
            .tables_as("thresholds", "[[subscriptions.thresholds]]", keys::THRESHOLD)
            .iter()
            .map(threshold)
            .collect(),
        dampening: table.duration("dampening", Duration::from_millis(1)..=DAY),
        immediate: table.flag("immediate"),
        durable: table.flag("durable"),
        poll_interval: table.duration("poll_interval", Duration::from_secs(1)..=DAY),
    }
}

fn event(table: &TableReader<'_>) -> RawEvent {
    let texts = |key| table.texts(key).map(|list| list.value).unwrap_or_default();
    RawEvent { types: texts("types"), names: texts("names"), resources: texts("resources") }
}

fn threshold(table: &TableReader<'_>) -> RawThreshold {
    let directions =
        [("ascending", Direction::Ascending), ("descending", Direction::Descending), ("crossed", Direction::Crossed)];
    if !table.has("level") {
        table.missing("level", "thresholds", "level = 0.2");
    }
    RawThreshold {
        place: table.place,
        name: table.required_text("name", "thresholds", "name = \"key_store_fill_ratio\""),
        level: table.real("level"),
        direction: table.word("direction", &directions),
        hysteresis: table.real("hysteresis"),
    }
}
