//! What is different between two configurations, key by key, with both values and where each came from.
//!
//! [`super::change`] says what a reload would have to do; this says what a person wants to read. Lists of tables are
//! compared by name, so that a table that moved is the same one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    change,
    origin::{Document, Origin, token},
    secrets,
};

/// What became of a key or of a table of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Only the new one has it.
    Added,
    /// Both have it, with another value.
    Changed,
    /// Only the old one has it.
    Removed,
    /// The tables of a list stand in another order, which counts for handlers and policies.
    Reordered,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What: `log.level`, `interfaces.mq.listen`, `components[mq/alice-1].site`, `policies[qber]`.
    pub key: String,
    /// What became of it.
    pub kind: Kind,
    /// What it was, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What it is, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
    /// Where what it was came from; of a table that was removed, its name's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was_from: Option<Origin>,
    /// Where what it is came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_from: Option<Origin>,
    /// Whether only a start takes it over: a reload would refuse it.
    pub needs_restart: bool,
}

/// Everything that is different. Secrets are compared, and not told; a document without them says nothing about them.
#[must_use]
pub fn between(was: &Document, is: &Document) -> Vec<Difference> {
    let mut found = Vec::new();
    let (before, now) = (Side::of(was), Side::of(is));
    tables(&before, &now, "", "", "", &mut found);
    found
}

/// A document, and what of it may be shown.
struct Side<'a> {
    document: &'a Document,
    shown: Value,
}

impl<'a> Side<'a> {
    fn of(document: &'a Document) -> Self {
        Self { document, shown: secrets::hidden(document.configuration.clone()) }
    }

    fn value(&self, pointer: &str) -> Option<&'a Value> {
        self.document.configuration.pointer(pointer)
    }

    fn origin(&self, pointer: &str) -> Option<Origin> {
        let named = || ["name", "id"].iter().find_map(|key| self.document.origins.get(&format!("{pointer}/{key}")));
        self.document.origins.get(pointer).or_else(named).cloned()
    }
}

/// Compares what stands at two pointers; `key` is what people call it.
fn tables(was: &Side<'_>, is: &Side<'_>, before: &str, now: &str, key: &str, found: &mut Vec<Difference>) {
    match (was.value(before), is.value(now)) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let token = token(name);
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                tables(was, is, &format!("{before}/{token}"), &format!("{now}/{token}"), &key, found);
            }
        }
        (old, new) if is_list(before) && (named(old).is_some() || named(new).is_some()) => {
            lists(was, is, [before, now], key, [named(old), named(new)], found);
        }
        (old, new) if old != new => found.push(difference(was, is, before, now, key)),
        _ => {}
    }
}

/// Tables of lists are told apart by their names.
fn is_list(pointer: &str) -> bool {
    pointer == "/api/tokens" || pointer.matches('/').count() == 1
}

/// Positions of the tables of a list by name. `None` where it is no list of tables with names.
fn named(value: Option<&Value>) -> Option<Vec<(String, usize)>> {
    let Value::Array(items) = value? else { return None };
    items.iter().enumerate().map(|(index, item)| Some((name(item)?, index))).collect()
}

fn name(table: &Value) -> Option<String> {
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    match (text("reference_point"), text("id"), text("name")) {
        // IDs of components are unique on their reference point.
        (Some(point), Some(id), _) => Some(format!("{point}/{id}")),
        (_, Some(id), None) => Some(id.to_owned()),
        (.., name) => name.map(str::to_owned),
    }
}

fn lists(
    was: &Side<'_>,
    is: &Side<'_>,
    at: [&str; 2],
    key: &str,
    names: [Option<Vec<(String, usize)>>; 2],
    found: &mut Vec<Difference>,
) {
    let [old, new] = names.map(Option::unwrap_or_default);
    let position: BTreeMap<&str, usize> = new.iter().map(|(name, index)| (name.as_str(), *index)).collect();
    let former: BTreeMap<&str, usize> = old.iter().map(|(name, index)| (name.as_str(), *index)).collect();
    let all = old.iter().chain(new.iter().filter(|(name, _)| !former.contains_key(name.as_str())));
    for (name, _) in all {
        // Nothing stands behind the last one.
        let pointer = |list: &str, index: Option<&usize>| {
            index.map_or_else(|| format!("{list}/-"), |index| format!("{list}/{index}"))
        };
        let before = pointer(at[0], former.get(name.as_str()));
        let now = pointer(at[1], position.get(name.as_str()));
        tables(was, is, &before, &now, &format!("{key}[{name}]"), found);
    }
    let order = |list: &[(String, usize)], other: &BTreeMap<&str, usize>| -> Vec<String> {
        list.iter().map(|(name, _)| name.clone()).filter(|name| other.contains_key(name.as_str())).collect()
    };
    let (before, now) = (order(&old, &position), order(&new, &former));
    if matches!(key, "handlers" | "policies") && before != now {
        found.push(Difference {
            key: key.to_owned(),
            kind: Kind::Reordered,
            was: Some(before.into()),
            is: Some(now.into()),
            was_from: None,
            is_from: None,
            needs_restart: false,
        });
    }
}

fn difference(was: &Side<'_>, is: &Side<'_>, before: &str, now: &str, key: &str) -> Difference {
    let (old, new) = (was.shown.pointer(before).cloned(), is.shown.pointer(now).cloned());
    let kind = match (&old, &new) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        _ => Kind::Changed,
    };
    Difference {
        key: key.to_owned(),
        kind,
        was_from: old.as_ref().and_then(|_| was.origin(before)),
        is_from: new.as_ref().and_then(|_| is.origin(now)),
        was: old,
        is: new,
        needs_restart: change::is_read_at_start(key),
    }
}
