//! What is to be sent on a session: a map from slots to "send the newest", never a queue of what once was.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    identity::{OriginId, Slot},
    manifest::Hash,
    message::Item,
    version::Version,
};

/// What a session owes its neighbour.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Documents to send, and not before when.
    pub documents: BTreeMap<Slot, u64>,
    /// Slots to announce.
    pub announce: BTreeSet<Slot>,
    /// When the first of them was noted.
    pub announce_since: u64,
    /// Proofs to send.
    pub proofs: BTreeSet<Slot>,
    /// Small items in their order: roots, digests, echoes. Bounded: one of each kind is made at a time.
    pub small: Vec<Item>,
    /// Reports without answer: what each carried.
    pub in_flight: BTreeMap<u64, Vec<Slot>>,
    /// When a document of a slot was last sent.
    pub last_sent: BTreeMap<Slot, u64>,
}

/// What a neighbour is known to hold of a slot.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Version of its document.
    pub version: Version,
    /// Its manifest.
    pub hash: Hash,
    /// Hashes of its sections, if these are known.
    pub sections: BTreeSet<Hash>,
}

impl Outbox {
    /// Notes a slot to be announced.
    pub(super) fn announce(&mut self, slot: Slot, now: u64) {
        if self.announce.is_empty() {
            self.announce_since = now;
        }
        self.announce.insert(slot);
    }

    /// Replaces the small item of the same kind, or adds it.
    pub(super) fn put_small(&mut self, item: Item) {
        // A digest that asks for one and a digest that answers are two kinds.
        let asks = |item: &Item| matches!(item, Item::Digest { wants_yours: true, .. });
        let same =
            |other: &Item| std::mem::discriminant(other) == std::mem::discriminant(&item) && asks(other) == asks(&item);
        self.small.retain(|other| !same(other));
        self.small.push(item);
    }
}

/// Neighbours that a session's peer has sessions with itself, by its own word.
pub(super) type Direct = BTreeSet<OriginId>;
