//! Who speaks, to whom.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// A domain, by its domain ID. Cheap to copy, and copies are cheap to compare: what is kept of a domain is named by copies
/// of the roster's name for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OriginId(Arc<str>);

impl PartialEq for OriginId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for OriginId {}

impl PartialOrd for OriginId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OriginId {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl Hash for OriginId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl OriginId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for OriginId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may see a document. In text: `federation`, `aggregator`, `area:<area>`, `adjacent:<domain>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Audience {
    /// Every origin of the roster.
    Federation,
    /// Origins of this area.
    Area(Arc<str>),
    /// Origins with the role of an aggregator.
    Aggregator,
    /// One domain, told directly and never by way of others.
    Adjacent(OriginId),
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Federation => f.write_str("federation"),
            Self::Aggregator => f.write_str("aggregator"),
            Self::Area(area) => write!(f, "area:{area}"),
            Self::Adjacent(domain) => write!(f, "adjacent:{domain}"),
        }
    }
}

impl FromStr for Audience {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "federation" => Ok(Self::Federation),
            None if text == "aggregator" => Ok(Self::Aggregator),
            Some(("area", area)) if !area.is_empty() => Ok(Self::Area(area.into())),
            Some(("adjacent", domain)) if !domain.is_empty() => Ok(Self::Adjacent(domain.into())),
            _ => Err(format!(
                "`{text}` is no audience: expected `federation`, `aggregator`, `area:<area>` or `adjacent:<domain>`"
            )),
        }
    }
}

impl TryFrom<String> for Audience {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.to_string()
    }
}

/// Where a document has its place: at most one document is held of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// Whose document.
    pub origin: OriginId,
    /// For whom.
    pub audience: Audience,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.origin, self.audience)
    }
}
