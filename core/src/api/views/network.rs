//! Inventory, topology and usage as the API shows them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{ComponentRef, Timestamp},
    state::network::{EntryKind, Place},
};

/// What is known of one thing: an inventory value, a node, a link or a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkEntryView {
    /// Who says so.
    pub component: ComponentRef,
    /// `inventory`, `node`, `link` or `route`.
    pub kind: String,
    /// Part of the component that an inventory value belongs to; empty for the component itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Name of the inventory value, or id in the topology.
    pub name: String,
    /// The value; a node, link or route as reported.
    pub value: serde_json::Value,
    /// When the manager first learnt of it.
    pub since: Timestamp,
    /// When it was last told another value.
    pub changed: Timestamp,
    /// When that was true at its source.
    pub time: Timestamp,
}

/// One change of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkChangeView {
    /// Number of the change; higher is newer.
    pub number: u64,
    /// Who said so.
    pub component: ComponentRef,
    /// `inventory`, `node`, `link` or `route`.
    pub kind: String,
    /// Part of the component that an inventory value belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Name of the inventory value, or id in the topology.
    pub name: String,
    /// What was known before; null: nothing.
    pub before: serde_json::Value,
    /// What is known since; null: it is gone.
    pub after: serde_json::Value,
    /// When the report was accepted.
    pub at: Timestamp,
}

/// Which part of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFilter {
    /// What this component says.
    pub component: Option<ComponentRef>,
    /// Inventory; else topology.
    pub inventory: bool,
    /// Of this part of a component.
    pub resource: Option<String>,
    /// Of this name or id.
    pub name: Option<String>,
}

/// Where an entry stands in the list of all: by component, then by kind, resource and name. As text: hexadecimal, which needs
/// no quoting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkCursor {
    /// Who says so.
    pub component: ComponentRef,
    /// What is said.
    pub place: Place,
}

/// No page of inventory or topology ends with this cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no cursor of this list; send back what `next` of the page before says")]
pub struct NetworkCursorError(pub String);

impl fmt::Display for NetworkCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { kind, resource, name } = &self.place;
        let text = [&self.component.to_string(), kind.as_str(), resource, name].join("\u{1f}");
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for NetworkCursor {
    type Err = NetworkCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let pairs = text.as_bytes().chunks(2);
            let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
            let plain = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
            let mut parts = plain.split('\u{1f}');
            let component = parts.next()?.parse().ok()?;
            let kind = EntryKind::parse(parts.next()?)?;
            let place = Place { kind, resource: parts.next()?.into(), name: parts.next()?.into() };
            Some(Self { component, place })
        };
        read().ok_or_else(|| NetworkCursorError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for NetworkCursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What usage is added up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// The application.
    #[default]
    Application,
    /// The user.
    User,
    /// The other side.
    Peer,
    /// The component that reported it.
    Component,
}

/// Which usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Reported by this component.
    pub component: Option<ComponentRef>,
    /// Intervals that ended at or after this.
    pub from: Option<Timestamp>,
    /// Intervals that ended before this.
    pub to: Option<Timestamp>,
}

/// Usage added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageTotalView {
    /// The application, user, peer or component; empty where it was not said.
    pub name: String,
    /// Intervals, each counted once.
    pub intervals: u64,
    /// Bits of keys consumed.
    pub consumed_bits: f64,
    /// Keys supplied.
    pub supplied_keys: f64,
    /// Bits relayed.
    pub relayed_bits: f64,
    /// Begin of the first interval.
    pub from: Timestamp,
    /// End of the last.
    pub to: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let component: ComponentRef = "mk/km 1|x".parse().unwrap();
        let place = Place { kind: EntryKind::Link, resource: "".into(), name: "l/1 é".into() };
        let cursor = NetworkCursor { component, place };
        let text = cursor.to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(text.parse::<NetworkCursor>().unwrap(), cursor);
        for bad in ["", "zz", "6", "é", "ff"] {
            assert!(bad.parse::<NetworkCursor>().is_err(), "{bad}");
        }
    }
}
