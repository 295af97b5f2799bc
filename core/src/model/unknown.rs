//! Words of reports that the catalogue does not have: slips of whoever wrote the component, or a vendor's own.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Catalogue, OBJECT_TYPES, Timestamp};

/// What kind of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnknownKind {
    /// The `type` of an extension object.
    Type,
    /// The name of a value of a `performance` object.
    Performance,
    /// The name of a value of a `state` object.
    State,
}

/// A word that the catalogue does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Where it stood.
    pub kind: UnknownKind,
    /// As written; a long one is cut.
    pub text: String,
}

/// A word that the catalogue does not have, and how often a component used it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownUse {
    /// The word.
    pub unknown: Unknown,
    /// The word of the catalogue that it resembles, if any: probably it was meant. Found out when somebody looks.
    pub meant: Option<&'static str>,
    /// How often, since the manager started or it was last forgotten for others.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
}

impl UnknownKind {
    /// The words that could have been meant.
    #[must_use]
    pub fn known(self) -> Vec<&'static str> {
        let catalogue = Catalogue::get();
        match self {
            Self::Type => OBJECT_TYPES.to_vec(),
            Self::Performance => catalogue.performance.iter().map(|value| value.name.as_str()).collect(),
            Self::State => catalogue.state.iter().map(|value| value.name.as_str()).collect(),
        }
    }
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "type",
            Self::Performance => "performance value",
            Self::State => "state value",
        })
    }
}
