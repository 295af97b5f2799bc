//! Who belongs to the federation. From the configuration; nothing is discovered.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    identity::{Audience, OriginId},
    version::Version,
};

/// What an origin is to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Speaks for its own domain.
    #[default]
    Member,
    /// Also publishes roll-ups over others.
    Aggregator,
}

impl Role {
    /// As configuration and API write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Aggregator => "aggregator",
        }
    }
}

/// A public key that signs for an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in signatures' headers.
    pub kid: String,
    /// Algorithm, such as `EdDSA` or `ML-DSA-65`.
    pub algorithm: String,
    /// As the algorithm has it.
    pub public: Vec<u8>,
    /// Unix time in milliseconds from which it counts; 0: always.
    pub not_before: u64,
    /// Unix time in milliseconds up to which it counts; `u64::MAX`: always.
    pub not_after: u64,
}

/// An origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its area, or empty.
    pub area: Arc<str>,
    /// Its role.
    pub role: Role,
    /// Generation of its keys; raised when they are replaced after a compromise.
    pub key_gen: u32,
    /// Its keys of this generation.
    pub keys: Vec<Key>,
    /// No document of a lower epoch is accepted.
    pub min_epoch: u64,
}

impl Member {
    /// Whether a document of this version counts under this entry: of its keys' generation, and not of an epoch below its
    /// least.
    #[must_use]
    pub fn admits(&self, version: Version) -> bool {
        version.key_gen == self.key_gen && version.epoch >= self.min_epoch
    }
}

/// All origins, the own one too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Name of the federation.
    pub federation: Arc<str>,
    /// Rises with every change; a lower one is refused.
    pub version: u64,
    /// By domain ID.
    pub members: BTreeMap<OriginId, Member>,
}

impl Roster {
    /// Our own copy of a domain's name, which is cheap to compare; `None` if it does not belong.
    #[must_use]
    pub(super) fn name_of(&self, origin: &OriginId) -> Option<OriginId> {
        self.members.get_key_value(origin).map(|(name, _)| name.clone())
    }

    /// Whether an origin may see what is said to an audience by `speaker`, who sees it anyway.
    #[must_use]
    pub fn entitled(&self, reader: &OriginId, speaker: &OriginId, audience: &Audience) -> bool {
        let (Some(member), true) = (self.members.get(reader), self.members.contains_key(speaker)) else {
            return false;
        };
        reader == speaker
            || match audience {
                Audience::Federation => true,
                Audience::Area(area) => member.area == *area,
                Audience::Aggregator => member.role == Role::Aggregator,
                Audience::Adjacent(domain) => domain == reader,
            }
    }
}
