//! What a node has to say to those who run it.

use super::{
    company::CutOff,
    freshness::Freshness,
    identity::{OriginId, Slot},
    version::Version,
};

/// Why an item was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Too many items, sections, bytes or audiences, or too long a validity.
    OverLimit,
    /// More than the neighbour's tokens for this slot.
    TooOften,
    /// The neighbour does not relay just now, or may not relay this.
    NotARelay,
    /// Not in the roster.
    UnknownOrigin,
    /// Signed for another federation.
    OtherFederation,
    /// We do not belong to its audience.
    Audience,
    /// No manifest, or not what a manifest of ours looks like.
    Form,
    /// A form of manifest that we do not know; or the version is out of range, of another key generation, or of an epoch
    /// below the roster's least.
    Version,
    /// Not one of the origin's keys now.
    UnknownKey,
    /// Another algorithm than the roster's.
    Algorithm,
    /// The signature is wrong.
    Signature,
    /// A section that its manifest does not name.
    Section,
    /// What was said to be a proof of two manifests is none.
    Proof,
}

impl Fault {
    /// As logs and metrics write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OverLimit => "over-limit",
            Self::TooOften => "too-often",
            Self::NotARelay => "not-a-relay",
            Self::UnknownOrigin => "unknown-domain",
            Self::OtherFederation => "other-federation",
            Self::Audience => "audience",
            Self::Form => "form",
            Self::Version => "version",
            Self::UnknownKey => "unknown-key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Section => "section",
            Self::Proof => "proof",
        }
    }

    /// Whether the neighbour that sent it is to blame: an honest one would have found it out. Not where it may merely have
    /// another roster, other limits or another clock than we do.
    #[must_use]
    pub fn blames_neighbour(self) -> bool {
        matches!(
            self,
            Self::OtherFederation | Self::Form | Self::Algorithm | Self::Signature | Self::Section | Self::Proof
        )
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session is up.
    SessionUp(OriginId),
    /// The last session with a neighbour has ended.
    SessionDown(OriginId),
    /// We signed a manifest.
    Published {
        /// Which.
        slot: Slot,
        /// Its version.
        version: Version,
        /// Not only a refresh.
        changed: bool,
    },
    /// A document is held now.
    Accepted {
        /// Which.
        slot: Slot,
        /// Its version.
        version: Version,
        /// By which neighbour it came.
        from: OriginId,
        /// Not only a refresh.
        changed: bool,
    },
    /// An item was dropped.
    Dropped {
        /// Who sent it.
        from: OriginId,
        /// Whose it said it was.
        slot: Option<Slot>,
        /// Why.
        fault: Fault,
    },
    /// A neighbour sent too many bad items and relays nothing for a while.
    Quarantined(OriginId),
    /// An origin signed two manifests of one version.
    Disputed {
        /// Where.
        slot: Slot,
        /// Which.
        version: Version,
    },
    /// How an origin is seen has changed.
    Standing {
        /// Which.
        origin: OriginId,
        /// Before; absent: nothing was known of it.
        before: Option<Freshness>,
        /// Now.
        now: Freshness,
    },
    /// We met a newer manifest of our own domain, and took a new epoch.
    HeardOurselves(Version),
    /// We met newer manifests of our own domain again and again: somebody else publishes as us. We have stopped.
    StoppedPublishing,
    /// No epoch could be stored, or there is none left: nothing is published.
    NoEpoch,
    /// The signing key is not to be had.
    NoSignature,
    /// We take ourselves to be cut off.
    Isolated(CutOff),
    /// Sessions are back: half of those before, or the first after none.
    Rejoined,
    /// A roster with a lower version than ours.
    OldRoster {
        /// Its version.
        version: u64,
    },
}
