//! Who speaks, to whom.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// A domain, by its domain ID. Cheap to copy, and cheap to compare, since it is a key of most of what is held: the first bytes
/// stand in it, and copies of one name, such as the roster's, are known by their place.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub struct OriginId {
    /// The first eight bytes as a number, with zeros behind a shorter text: ordered as the texts are.
    head: u64,
    text: Arc<str>,
}

impl OriginId {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for OriginId {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
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
        self.head.cmp(&other.head).then_with(|| match Arc::ptr_eq(&self.text, &other.text) {
            true => Ordering::Equal,
            false => self.text.cmp(&other.text),
        })
    }
}

impl Hash for OriginId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl From<Arc<str>> for OriginId {
    fn from(text: Arc<str>) -> Self {
        let mut head = [0; 8];
        let length = text.len().min(head.len());
        head[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { head: u64::from_be_bytes(head), text }
    }
}

impl From<&str> for OriginId {
    fn from(text: &str) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<OriginId> for Arc<str> {
    fn from(domain: OriginId) -> Self {
        domain.text
    }
}

impl fmt::Debug for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OriginId").field(&self.text).finish()
    }
}

impl fmt::Display for OriginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn domains_are_ordered_as_their_names_are(one in "[a-c\\x00]{0,12}", other in "[a-c\\x00]{0,12}") {
            let (a, b) = (OriginId::from(one.as_str()), OriginId::from(other.as_str()));
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            prop_assert_eq!(a == b, one == other);
            prop_assert_eq!(a.cmp(&a.clone()), Ordering::Equal);
        }
    }
}
