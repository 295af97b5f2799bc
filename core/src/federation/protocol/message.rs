//! What travels between managers, as values. Its JSON form is `federation/messages`.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    identity::{OriginId, Slot},
    jws::Jws,
    manifest::{Hash, SectionBody},
    version::Version,
};

/// A manifest with some or all of its sections, and what the sender says of its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// As signed by the origin.
    pub jws: Jws,
    /// How old it is, by the sender's word.
    pub age_ms: u64,
    /// Relays on its way.
    pub hops: u32,
    /// The relays, oldest first.
    pub via: Vec<OriginId>,
    /// Sections sent with it.
    pub sections: Vec<SectionBody>,
}

/// One slot in a digest or announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub slot: Slot,
    /// The version that the sender holds.
    pub version: Version,
    /// Of its manifest.
    pub hash: Hash,
    /// The sender holds a proof of two manifests in this epoch.
    pub disputed: bool,
}

/// A document asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which.
    pub slot: Slot,
    /// Hashes of sections that the asker has already.
    pub have: Vec<Hash>,
    /// The proof of a dispute is asked for, not the document.
    pub proof: bool,
}

/// Two manifests that one origin signed under one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// That with the lower hash.
    pub first: Jws,
    /// The other.
    pub second: Jws,
}

/// What a neighbour wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Names of sections; absent: all.
    pub sections: Option<BTreeSet<Arc<str>>>,
    /// Least time between two documents of one slot, in milliseconds.
    pub min_interval_ms: u64,
    /// Whether documents of others are passed on to it.
    pub relay: bool,
}

impl Default for Subscription {
    fn default() -> Self {
        Self { sections: None, min_interval_ms: 0, relay: true }
    }
}

/// One object of a report or request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `mx.manifest` with its `mx.section`s.
    Document(Document),
    /// `mx.root`: a comparison; `fresh` says that the session is new and nothing was left out.
    Root {
        /// Over all that both may see.
        hash: Hash,
        /// Nothing was left out for being new.
        complete: bool,
    },
    /// `mx.digest`: what the sender holds; `complete` as in a root.
    Digest {
        /// One entry a slot.
        claims: Vec<Claim>,
        /// Nothing was left out for being new.
        complete: bool,
        /// The receiver is asked for its own.
        wants_yours: bool,
    },
    /// `mx.announce`: what the sender has had lately.
    Announce(Vec<Claim>),
    /// `mx.echo`: a sign of life, and with whom the sender has sessions if that has changed since it was last told.
    Echo {
        /// Domains.
        direct: Option<BTreeSet<OriginId>>,
    },
    /// `mx.proof`: two manifests of one version.
    Proof(Box<Proof>),
}

/// What a request (`mx.want`) is answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was there of what was asked.
    pub items: Vec<Item>,
}
