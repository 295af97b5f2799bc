//! When a simulated component has something to tell a subscriber (status protocol, section 6), without I/O and written from
//! the protocol alone.
//!
//! In go the component's current objects and a reading of a clock in milliseconds; out come the objects of a notification.
//! Numbers are told when they cross a threshold if the subscription has any, everything else when it changes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::message::Selection;

/// `notificationMethod`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Method {
    /// Every period.
    Periodic,
    /// Once.
    OneTime,
    /// On change.
    OnEventDetection,
}

/// `matchingDir`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Matching {
    /// Upwards.
    Ascending,
    /// Downwards.
    Descending,
    /// Either way.
    #[default]
    Crossed,
}

/// An entry of `thresholds`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Name of a value.
    pub name: String,
    /// Where it lies.
    pub level: f64,
    /// Which way counts.
    #[serde(default)]
    pub matching_dir: Matching,
    /// How far the value has to go back before it counts again.
    #[serde(default)]
    pub hysteresis: f64,
}

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wish {
    /// What is wanted: at least one of these names it.
    pub events: Vec<Selection>,
    /// When.
    pub notification_method: Method,
    /// How often, for periodic ones.
    #[serde(default)]
    pub repetition_period_ms: u64,
    /// Levels of values.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// Least time between two notifications.
    #[serde(default)]
    pub dampening_period_ms: u64,
    /// The first one at once.
    #[serde(default)]
    pub immediate_report: bool,
    /// It is over after so many; 0: never.
    #[serde(default)]
    pub max_reports: u64,
}

impl Wish {
    /// What is wrong with it, if anything.
    #[must_use]
    pub fn complaint(&self) -> Option<&'static str> {
        if self.events.is_empty() {
            return Some("events: expected at least one");
        }
        (self.notification_method == Method::Periodic && self.repetition_period_ms == 0)
            .then_some("repetitionPeriodMs: a periodic subscription needs one above 0")
    }
}

/// One threshold and one value, which counts as `high` from its upper edge on until it is below the lower one; the
/// hysteresis lies between them.
fn crossed(threshold: &Threshold, high: &mut Option<bool>, value: f64) -> bool {
    let Threshold { level, hysteresis, .. } = threshold;
    let (up, down) = match threshold.matching_dir {
        Matching::Ascending => (*level, level - hysteresis),
        Matching::Descending => (level + hysteresis, *level),
        Matching::Crossed => (level + hysteresis, level - hysteresis),
    };
    let falling = threshold.matching_dir == Matching::Descending;
    let was = *high;
    let is = match (was, falling) {
        (None, false) => value >= *level,
        (None, true) => value > *level,
        (Some(false), false) => value >= up,
        (Some(false), true) => value > up,
        (Some(true), false) => value >= down,
        (Some(true), true) => value > down,
    };
    *high = Some(is);
    let way = match threshold.matching_dir {
        Matching::Ascending => is,
        Matching::Descending => !is,
        Matching::Crossed => true,
    };
    way && was.is_some_and(|was| was != is)
}

/// A value: type of its object, resource and name.
type Place = (String, String, String);

/// One subscription's memory of what was told.
#[derive(Debug)]
pub struct Trigger {
    wish: Wish,
    told: u64,
    began: bool,
    next: u64,
    not_before: u64,
    known: BTreeMap<Place, Value>,
    sides: BTreeMap<(usize, String), Option<bool>>,
    pending: Vec<Place>,
}

impl Trigger {
    /// Begins now.
    #[must_use]
    pub fn new(wish: Wish, now: u64) -> Self {
        let at_once = wish.immediate_report || wish.notification_method == Method::OneTime;
        let next = if at_once { now } else { now.saturating_add(wish.repetition_period_ms) };
        Self {
            wish,
            told: 0,
            began: false,
            next,
            not_before: now,
            known: BTreeMap::new(),
            sides: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// Learns what is so when the subscription is granted, so that what changes from then on is told. With
    /// `immediateReport` the first look tells it.
    pub fn learn(&mut self, status: &[Value]) {
        if self.wish.notification_method == Method::OnEventDetection
            && !self.wish.immediate_report
            && !status.is_empty()
        {
            let selected = self.selected(status);
            self.observe(&selected);
            self.began = true;
        }
    }

    /// Whether nothing will be told any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let once = self.wish.notification_method == Method::OneTime && self.told > 0;
        once || (self.wish.max_reports > 0 && self.told >= self.wish.max_reports)
    }

    /// When to look even if nothing changes.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        match self.wish.notification_method {
            _ if self.is_over() => None,
            Method::OnEventDetection => (!self.began || !self.pending.is_empty()).then_some(self.not_before),
            Method::Periodic | Method::OneTime => Some(self.next),
        }
    }

    /// Takes what is so now; what to tell.
    pub fn look(&mut self, status: &[Value], now: u64) -> Option<Vec<Value>> {
        if self.is_over() {
            return None;
        }
        let selected = self.selected(status);
        if self.wish.notification_method != Method::OnEventDetection {
            if now < self.next {
                return None;
            }
            // Periods that were missed are not caught up.
            let following = self.next.saturating_add(self.wish.repetition_period_ms);
            self.next =
                if following > now { following } else { now.saturating_add(self.wish.repetition_period_ms.max(1)) };
            return Some(self.tell(selected, now));
        }
        self.observe(&selected);
        if !std::mem::replace(&mut self.began, true) {
            return self.wish.immediate_report.then(|| self.tell(selected, now));
        }
        if self.pending.is_empty() || now < self.not_before {
            return None;
        }
        let objects = selected.into_iter().filter_map(|object| self.reduced(object)).collect();
        Some(self.tell(objects, now))
    }

    /// What at least one event names; a value named by two comes once.
    fn selected(&self, status: &[Value]) -> Vec<Value> {
        let mut selected = Vec::new();
        for object in status {
            let mut parts = self
                .wish
                .events
                .iter()
                .flat_map(|event| event.select(std::slice::from_ref(object)))
                .collect::<Vec<_>>();
            let Some(mut whole) = parts.pop() else { continue };
            for part in parts {
                if let (Some(values), Value::Object(more)) = (whole["values"].as_object_mut(), &part["values"]) {
                    values.extend(more.clone());
                }
            }
            selected.push(whole);
        }
        selected
    }

    /// An object with what is pending of it.
    fn reduced(&self, mut object: Value) -> Option<Value> {
        let (kind, resource) = address(&object);
        let Some(values) = object.get_mut("values").and_then(Value::as_object_mut) else {
            return self.pending.contains(&(kind, resource, String::new())).then_some(object);
        };
        values.retain(|name, _| self.pending.contains(&(kind.clone(), resource.clone(), name.clone())));
        (!values.is_empty()).then_some(object)
    }

    fn tell(&mut self, objects: Vec<Value>, now: u64) -> Vec<Value> {
        self.told += 1;
        self.pending.clear();
        self.not_before = now.saturating_add(self.wish.dampening_period_ms);
        objects
    }

    fn observe(&mut self, selected: &[Value]) {
        for object in selected {
            let (kind, resource) = address(object);
            match object["values"].as_object() {
                // Objects without values (topology, alarms) change as a whole.
                None => self.changed((kind, resource, String::new()), object),
                Some(values) => {
                    for (name, value) in values {
                        let place = (kind.clone(), resource.clone(), name.clone());
                        if kind == "performance" && !self.wish.thresholds.is_empty() {
                            self.crossed(place, value);
                        } else {
                            self.changed(place, value);
                        }
                    }
                }
            }
        }
    }

    fn changed(&mut self, place: Place, value: &Value) {
        let before = self.known.insert(place.clone(), value.clone());
        if self.began && before.as_ref() != Some(value) {
            self.note(place);
        }
    }

    fn crossed(&mut self, place: Place, value: &Value) {
        let Some(value) = value.as_f64() else { return };
        let mut counts = false;
        for (number, threshold) in self.wish.thresholds.iter().enumerate() {
            if threshold.name == place.2 {
                // Each of them has to see the value.
                counts |= crossed(threshold, self.sides.entry((number, place.1.clone())).or_default(), value);
            }
        }
        if counts {
            self.note(place);
        }
    }

    fn note(&mut self, place: Place) {
        if !self.pending.contains(&place) {
            self.pending.push(place);
        }
    }
}

fn address(object: &Value) -> (String, String) {
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    (text("type"), text("resource"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn wish(more: Value) -> Wish {
        let mut object = json!({ "events": [{}], "notificationMethod": "ON_EVENT_DETECTION" });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn status(fill: f64, state: &str) -> Vec<Value> {
        vec![
            json!({ "type": "performance", "values": { "key_store_fill_ratio": fill, "stored_key_count": 7 } }),
            json!({ "type": "state", "values": { "operational_state": state } }),
        ]
    }

    #[test]
    fn a_change_tells_what_changed_and_dampening_gathers() {
        let mut trigger = Trigger::new(wish(json!({ "immediateReport": true, "dampeningPeriodMs": 1_000 })), 0);
        assert_eq!(trigger.look(&status(0.5, "enabled"), 0), Some(status(0.5, "enabled")));
        assert_eq!(trigger.look(&status(0.6, "enabled"), 300), None);
        assert_eq!(trigger.look(&status(0.6, "disabled"), 600), None);
        assert_eq!(trigger.due(), Some(1_000));
        let told = trigger.look(&status(0.7, "disabled"), 1_000).unwrap();
        assert_eq!(told[0], json!({ "type": "performance", "values": { "key_store_fill_ratio": 0.7 } }));
        assert_eq!(told[1], json!({ "type": "state", "values": { "operational_state": "disabled" } }));
        assert_eq!(trigger.due(), None);
    }

    #[test]
    fn what_changes_after_the_grant_is_told_by_the_first_look() {
        let mut trigger = Trigger::new(wish(json!({})), 0);
        trigger.learn(&status(0.5, "enabled"));
        assert!(trigger.look(&status(0.6, "enabled"), 0).is_some());
        let mut trigger = Trigger::new(wish(json!({ "immediateReport": true })), 0);
        trigger.learn(&status(0.5, "enabled"));
        assert_eq!(trigger.look(&status(0.5, "enabled"), 0), Some(status(0.5, "enabled")));
    }

    #[test]
    fn thresholds_have_hysteresis_and_states_change() {
        let low =
            json!({ "name": "key_store_fill_ratio", "level": 0.2, "matchingDir": "DESCENDING", "hysteresis": 0.1 });
        let mut trigger = Trigger::new(wish(json!({ "thresholds": [low] })), 0);
        let fills = [0.5, 0.3, 0.15, 0.25, 0.1, 0.35, 0.2];
        let told = fills.into_iter().filter(|fill| trigger.look(&status(*fill, "enabled"), 0).is_some());
        assert_eq!(told.collect::<Vec<_>>(), [0.15, 0.2]);
        assert!(trigger.look(&status(0.2, "disabled"), 0).is_some());
    }

    #[test]
    fn periods_are_kept_and_ends_are_ends() {
        let mut periodic =
            Trigger::new(wish(json!({ "notificationMethod": "PERIODIC", "repetitionPeriodMs": 1_000 })), 0);
        let times = [0, 500, 1_000, 1_200, 2_100, 9_000, 9_100, 10_100];
        let told = times.into_iter().filter(|time| periodic.look(&status(0.5, "x"), *time).is_some());
        assert_eq!(told.collect::<Vec<_>>(), [1_000, 2_100, 9_000, 10_100]);
        let mut once = Trigger::new(wish(json!({ "notificationMethod": "ONE_TIME" })), 0);
        assert!(once.look(&status(0.5, "x"), 0).is_some() && once.is_over());
        assert_eq!((once.look(&status(0.6, "x"), 9), once.due()), (None, None));
        let mut limited = Trigger::new(wish(json!({ "maxReports": 2 })), 0);
        let told = [0.1, 0.2, 0.3, 0.4].into_iter().filter(|fill| limited.look(&status(*fill, "x"), 0).is_some());
        assert_eq!(told.count(), 2);
    }

    #[test]
    fn two_events_that_name_one_value_tell_it_once() {
        let events = json!({ "events": [{ "names": ["stored_key_count"] }, { "types": ["performance"] }],
            "notificationMethod": "ONE_TIME" });
        let told = Trigger::new(wish(events), 0).look(&status(0.5, "x"), 0).unwrap();
        assert_eq!(told, [status(0.5, "x")[0].clone()]);
    }

    proptest! {
        /// Whoever follows the notifications of every change knows what is so, whenever nothing is pending.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0_u8..4, any::<bool>(), 0_u64..400), 1..60), dampening in 0_u64..1_000) {
            let mut trigger =
                Trigger::new(wish(json!({ "immediateReport": true, "dampeningPeriodMs": dampening })), 0);
            let (mut now, mut known, mut last) = (0, BTreeMap::new(), None);
            for (fill, enabled, passed) in steps {
                now += passed;
                let status = status(f64::from(fill), if enabled { "enabled" } else { "disabled" });
                if let Some(told) = trigger.look(&status, now) {
                    prop_assert!(last.is_none_or(|last| now >= last + dampening));
                    last = Some(now);
                    for object in told {
                        known.extend(object["values"].as_object().unwrap().clone());
                    }
                }
                if trigger.due().is_none() {
                    for object in &status {
                        for (name, value) in object["values"].as_object().unwrap() {
                            prop_assert_eq!(known.get(name), Some(value));
                        }
                    }
                }
            }
        }

        /// Both ways take turns, and one way needs the way back.
        #[test]
        fn crossings_take_turns(values in prop::collection::vec(0.0_f64..20.0, 2..80)) {
            for matching_dir in [Matching::Ascending, Matching::Descending, Matching::Crossed] {
                let threshold = Threshold { name: String::new(), level: 10.0, matching_dir, hysteresis: 2.0 };
                let (mut high, mut before) = (None, None);
                for value in &values {
                    if crossed(&threshold, &mut high, *value) {
                        let side = high == Some(true);
                        match matching_dir {
                            Matching::Ascending => prop_assert!(*value >= 10.0),
                            Matching::Descending => prop_assert!(*value <= 10.0),
                            Matching::Crossed => prop_assert_ne!(before.replace(side), Some(side)),
                        }
                    }
                }
            }
        }
    }
}
