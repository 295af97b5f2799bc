//! The seven reference points on a QKDN manager (Q.QKDN_Mk clause 6, Y.3802).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A reference point: who is on the other side of an interface of the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReferencePoint {
    /// QKD module; component ID: QKD module ID.
    Mq,
    /// Optical switching or splitting function in a QKD link; component ID: QKD link ID.
    Mops,
    /// Quantum relay point function in a QKD link; component ID: QKD link ID.
    Mqrp,
    /// Key manager; component ID: KM ID.
    Mk,
    /// QKDN controller; component ID: QKD controller ID.
    Mc,
    /// User network manager; component ID: user network manager ID.
    Mu,
    /// Another QKDN manager; component ID: its manager ID.
    Mx,
}

impl ReferencePoint {
    /// All seven, in the order of the draft's clause 6.
    pub const ALL: [Self; 7] = [Self::Mq, Self::Mops, Self::Mqrp, Self::Mk, Self::Mc, Self::Mu, Self::Mx];

    /// Lower-case name, as in files, metrics and certificates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mq => "mq",
            Self::Mops => "mops",
            Self::Mqrp => "mqrp",
            Self::Mk => "mk",
            Self::Mc => "mc",
            Self::Mu => "mu",
            Self::Mx => "mx",
        }
    }

    /// What stands on the other side, for messages to people.
    #[must_use]
    pub const fn component_kind(self) -> &'static str {
        match self {
            Self::Mq => "QKD module",
            Self::Mops => "optical switch of a QKD link",
            Self::Mqrp => "quantum relay point of a QKD link",
            Self::Mk => "key manager",
            Self::Mc => "QKDN controller",
            Self::Mu => "user network manager",
            Self::Mx => "QKDN manager",
        }
    }

    /// Default TCP port of the listener (PROTOCOL section 1).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        7101 + self as u16
    }

    /// Position in [`Self::ALL`], for tables indexed by reference point.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ReferencePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the seven names.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no reference point (expected one of mq, mops, mqrp, mk, mc, mu, mx)")]
pub struct UnknownReferencePoint(pub String);

impl FromStr for ReferencePoint {
    type Err = UnknownReferencePoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|point| point.as_str() == text).ok_or_else(|| UnknownReferencePoint(text.to_owned()))
    }
}
