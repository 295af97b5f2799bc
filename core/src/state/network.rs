//! Inventory and topology as a component reports them: what is known, since when, and every change.
//!
//! In: `inventory` and `topology` objects of accepted reports, as JSON text. Out: changes, each with what was known before.
//! An inventory value stays until another is reported; a topology replaces the sender's earlier one unless it is `partial`.
//! Knows nothing of who reads it, or of where changes are kept.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    config::limits::NETWORK_ENTRIES_PER_COMPONENT,
    model::{ObjectKind, Timestamp},
};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// An inventory value.
    Inventory,
    /// A node of the topology.
    Node,
    /// A link of the topology.
    Link,
    /// A route.
    Route,
}

impl EntryKind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Inventory, Self::Node, Self::Link, Self::Route];

    /// Name, as in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Node => "node",
            Self::Link => "link",
            Self::Route => "route",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an entry is about, within its component.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// What it is.
    pub kind: EntryKind,
    /// Part of the component, of an inventory value; empty for the component itself.
    pub resource: Box<str>,
    /// Name of the inventory value, or id in the topology.
    pub name: Box<str>,
}

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// JSON: the inventory value, or the node, link or route as reported.
    pub value: Box<str>,
    /// When the manager first learnt of it.
    pub since: Timestamp,
    /// When it was last told another value.
    pub changed: Timestamp,
    /// When that was true at its source.
    pub time: Timestamp,
}

/// A change of what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkChange {
    /// Symbol of the component that said so.
    pub component: u32,
    /// What it is about.
    pub place: Place,
    /// JSON of what was known before; absent: nothing.
    pub before: Option<Box<str>>,
    /// What is known now; absent: it is gone.
    pub after: Option<Entry>,
    /// When the manager accepted the report.
    pub at: Timestamp,
}

/// Everything a component reported of inventory and topology.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network(pub BTreeMap<Place, Entry>);

/// When something was said, and when that was true.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Time of acceptance.
    pub at: Timestamp,
    /// Source time.
    pub time: Timestamp,
}

impl Network {
    /// Takes an object over; what changes is noted. Entries beyond the limit are left out and counted in the answer.
    pub fn take(
        this: &mut Arc<Self>,
        component: u32,
        kind: ObjectKind,
        text: &str,
        said: Said,
        changes: &mut Vec<NetworkChange>,
    ) -> u64 {
        // Checked by the standard handlers; what a vendor's let pass and is no object says nothing here.
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return 0 };
        let wanted = match kind {
            ObjectKind::Inventory => inventory(&object),
            ObjectKind::Topology => topology(&object),
            ObjectKind::Alarm | ObjectKind::Usage | ObjectKind::Event => return 0,
        };
        let replaces = kind == ObjectKind::Topology && object.get("partial") != Some(&Value::Bool(true));
        let from = changes.len();
        let mut dropped = 0;
        let (mut room, known) = (NETWORK_ENTRIES_PER_COMPONENT.saturating_sub(this.0.len()), &this.0);
        let mut note = |place: Place, before: Option<&Entry>, after: Option<Box<str>>| {
            let entry = after.map(|value| Entry {
                value,
                since: before.map_or(said.at, |entry| entry.since),
                changed: said.at,
                time: said.time,
            });
            let before = before.map(|entry| entry.value.clone());
            changes.push(NetworkChange { component, place, before, after: entry, at: said.at });
        };
        if replaces {
            for (place, entry) in known.iter().filter(|(place, _)| place.kind != EntryKind::Inventory) {
                if !wanted.contains_key(place) {
                    note(place.clone(), Some(entry), None);
                    room += 1;
                }
            }
        }
        for (place, value) in wanted {
            match known.get(&place) {
                Some(entry) if entry.value == value => {}
                None if room == 0 => dropped += 1,
                before => {
                    room -= usize::from(before.is_none());
                    note(place, before, Some(value));
                }
            }
        }
        let news = changes.get(from..).unwrap_or_default();
        if !news.is_empty() {
            let network = Arc::make_mut(this);
            news.iter().for_each(|change| network.apply(change));
        }
        dropped
    }

    /// Applies a change.
    pub fn apply(&mut self, change: &NetworkChange) {
        match &change.after {
            Some(entry) => self.0.insert(change.place.clone(), entry.clone()),
            None => self.0.remove(&change.place),
        };
    }
}

type Wanted = BTreeMap<Place, Box<str>>;

fn inventory(object: &Map<String, Value>) -> Wanted {
    let resource = object.get("resource").and_then(Value::as_str).unwrap_or_default();
    let values = object.get("values").and_then(Value::as_object).into_iter().flatten();
    let place = |name: &str| Place { kind: EntryKind::Inventory, resource: resource.into(), name: name.into() };
    values.map(|(name, value)| (place(name), value.to_string().into())).collect()
}

fn topology(object: &Map<String, Value>) -> Wanted {
    let lists = [("nodes", EntryKind::Node), ("links", EntryKind::Link), ("routes", EntryKind::Route)];
    let mut wanted = Wanted::new();
    for (list, kind) in lists {
        for entry in object.get(list).and_then(Value::as_array).into_iter().flatten() {
            let Some(id) = entry.get("id").and_then(Value::as_str) else { continue };
            // Of one id twice the last counts.
            wanted.insert(Place { kind, resource: "".into(), name: id.into() }, entry.to_string().into());
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn said(at: i64) -> Said {
        Said { at: Timestamp(at), time: Timestamp(at - 1) }
    }

    fn take(network: &mut Arc<Network>, object: &Value, at: i64) -> Vec<String> {
        let kind = ObjectKind::parse(object["type"].as_str().unwrap()).unwrap();
        let mut changes = Vec::new();
        Network::take(network, 7, kind, &object.to_string(), said(at), &mut changes);
        changes
            .iter()
            .map(|change| {
                let after = change.after.as_ref().map_or("gone", |entry| &entry.value);
                format!(
                    "{} {}: {} -> {after}",
                    change.place.kind.as_str(),
                    change.place.name,
                    change.before.as_deref().unwrap_or("new")
                )
            })
            .collect()
    }

    #[test]
    fn inventory_values_stay_until_they_change() {
        let mut network = Arc::new(Network::default());
        let object = json!({"type": "inventory", "values": {"vendor": "acme", "max_loss_db": 12}});
        assert_eq!(
            take(&mut network, &object, 5),
            ["inventory max_loss_db: new -> 12", "inventory vendor: new -> \"acme\""]
        );
        assert!(take(&mut network, &object, 6).is_empty());
        let object = json!({"type": "inventory", "values": {"vendor": "other"}});
        assert_eq!(take(&mut network, &object, 9), ["inventory vendor: \"acme\" -> \"other\""]);
        assert_eq!(network.0.len(), 2);
        let entry = network.0.values().last().unwrap();
        assert_eq!((entry.since, entry.changed, entry.time), (Timestamp(5), Timestamp(9), Timestamp(8)));
    }

    #[test]
    fn a_topology_replaces_the_one_before_unless_it_is_partial() {
        let mut network = Arc::new(Network::default());
        take(&mut network, &json!({"type": "inventory", "values": {"vendor": "acme"}}), 1);
        let first = json!({"type": "topology", "nodes": [{"id": "n1"}], "links": [{"id": "l1", "a": "n1", "b": "n2"}]});
        assert_eq!(take(&mut network, &first, 2).len(), 2);
        let part = json!({"type": "topology", "partial": true, "links": [{"id": "l1", "a": "n1", "b": "n3"}, {"id": "l2", "a": "x", "b": "y"}]});
        assert_eq!(take(&mut network, &part, 3).len(), 2);
        assert_eq!(network.0.len(), 4);
        let whole = json!({"type": "topology", "links": [{"id": "l2", "a": "x", "b": "y"}]});
        assert_eq!(
            take(&mut network, &whole, 4),
            ["node n1: {\"id\":\"n1\"} -> gone", "link l1: {\"a\":\"n1\",\"b\":\"n3\",\"id\":\"l1\"} -> gone"]
        );
        assert_eq!(network.0.len(), 2, "inventory is not topology");
    }

    proptest! {
        /// Applying the noted changes to what was known gives what is known.
        #[test]
        fn changes_tell_everything(steps in prop::collection::vec((any::<bool>(), prop::collection::vec((0_u8..5, 0_u8..3), 0..6)), 0..12)) {
            let mut network = Arc::new(Network::default());
            let mut retold = Network::default();
            for (at, (partial, links)) in steps.into_iter().enumerate() {
                let links: Vec<Value> = links.iter().map(|(id, b)| json!({"id": id.to_string(), "a": "x", "b": b})).collect();
                let object = json!({"links": links, "partial": partial}).to_string();
                let mut changes = Vec::new();
                Network::take(&mut network, 7, ObjectKind::Topology, &object, said(at as i64), &mut changes);
                for change in &changes {
                    let before = retold.0.get(&change.place).map(|entry| &entry.value);
                    prop_assert_eq!(before, change.before.as_ref());
                    retold.apply(change);
                }
                prop_assert_eq!(&retold, network.as_ref());
            }
        }
    }
}
