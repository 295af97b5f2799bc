//! Parts of components as the API shows them: the links, detectors, key stores and ports that reports and alarms name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NetworkEntryView, ValueView};
use crate::model::{ComponentRef, ReferencePoint, Severity, Timestamp};

/// A part of a component in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceView {
    /// Whose part.
    pub component: ComponentRef,
    /// The component's reference point.
    pub reference_point: ReferencePoint,
    /// The component's ID.
    pub id: String,
    /// The part, as reports name it; never empty.
    pub resource: String,
    /// Site of the component, as configured.
    pub site: String,
    /// Values known of it.
    pub values: usize,
    /// Inventory values known of it.
    pub inventory: usize,
    /// Time of the newest value at its source.
    pub last_value: Option<Timestamp>,
    /// The worst severity among its alarms that are not cleared.
    pub worst_alarm: Option<Severity>,
    /// Alarms of it that are not cleared.
    pub raised_alarms: usize,
}

/// A part of a component with all that the manager knows of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDetail {
    /// What lists show of it.
    #[serde(flatten)]
    pub summary: ResourceView,
    /// The last value of everything reported of it.
    pub last_values: Vec<ValueView>,
    /// Its inventory.
    pub inventory_entries: Vec<NetworkEntryView>,
}

/// Criteria that a part has to meet, all that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Of a component on this reference point.
    pub reference_point: Option<ReferencePoint>,
    /// Of this component.
    pub component: Option<ComponentRef>,
    /// Of this name.
    pub resource: Option<String>,
    /// Of a component at this site.
    pub site: Option<String>,
    /// With alarms that are not cleared (true), or without (false).
    pub alarmed: Option<bool>,
}

/// Where a part stands in the list of all: by component, then by name. As text: hexadecimal, which needs no quoting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceCursor {
    /// Whose part.
    pub component: ComponentRef,
    /// The part.
    pub resource: String,
}

/// No page of resources ends with this cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no cursor of a list of resources; send back what `next` of the page before says")]
pub struct ResourceCursorError(pub String);

impl fmt::Display for ResourceCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}\u{1f}{}", self.component, self.resource);
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ResourceCursor {
    type Err = ResourceCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let pairs = text.as_bytes().chunks(2);
            let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
            let plain = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
            let (component, resource) = plain.split_once('\u{1f}')?;
            Some(Self { component: component.parse().ok()?, resource: resource.to_owned() })
        };
        read().ok_or_else(|| ResourceCursorError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ResourceCursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = ResourceCursor { component: "mk/km 1,ü".parse().unwrap(), resource: "link/1".into() };
        assert_eq!(cursor.to_string().parse::<ResourceCursor>().unwrap(), cursor);
        for text in ["", "zz", "6", "é", "ff", "6d6b"] {
            assert!(text.parse::<ResourceCursor>().is_err(), "{text}");
        }
    }
}
