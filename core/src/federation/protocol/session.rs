//! A connection with the manager of another domain, and what is known of the other side over it.

use std::collections::BTreeMap;

use super::{
    identity::{OriginId, Slot},
    limits::Settings,
    manifest::Hash,
    message::Subscription,
    outbox::{Direct, Known, Outbox},
    slots::outranks,
    version::Version,
};

/// Tells sessions apart; given by whoever runs the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Tokens for documents of a slot.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    filled_at: u64,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// Domain of the other side.
    pub peer: OriginId,
    /// We dialled.
    pub dialled: bool,
    /// Monotonic time of its start.
    pub since: u64,
    /// When anything last came.
    pub heard_at: u64,
    /// When we last sent anything.
    pub said_at: u64,
    /// What the other side wants to be told; nothing before it said so.
    pub subscription: Option<Subscription>,
    /// What we owe it.
    pub outbox: Outbox,
    /// What it holds.
    pub knows: BTreeMap<Slot, Known>,
    /// With whom it has sessions.
    pub direct: Direct,
    /// With whom we have sessions, as last told.
    pub told_direct: Option<Direct>,
    buckets: BTreeMap<Slot, Bucket>,
}

impl Session {
    /// A new one.
    #[must_use]
    pub(super) fn new(peer: OriginId, dialled: bool, now: u64) -> Self {
        Self {
            peer,
            dialled,
            since: now,
            heard_at: now,
            said_at: now,
            subscription: None,
            outbox: Outbox::default(),
            knows: BTreeMap::new(),
            direct: Direct::new(),
            told_direct: None,
            buckets: BTreeMap::new(),
        }
    }

    /// Whether the neighbour is known to hold this document or a higher one.
    #[must_use]
    pub(super) fn holds(&self, slot: &Slot, version: Version, hash: Hash) -> bool {
        self.knows.get(slot).is_some_and(|known| !outranks((version, hash), (known.version, known.hash)))
    }

    /// Whether there is anything to be said to the neighbour now.
    #[must_use]
    pub(super) fn owes(&self, settings: &Settings, now: u64) -> bool {
        let outbox = &self.outbox;
        let announces = !outbox.announce.is_empty() && outbox.announce_since + settings.announce <= now;
        self.said_at + settings.heartbeat <= now
            || !outbox.small.is_empty()
            || !outbox.proofs.is_empty()
            || announces
            || outbox.documents.values().any(|at| *at <= now)
    }

    /// Notes what the neighbour holds, if that is more than was known.
    pub(super) fn note(&mut self, slot: &Slot, known: Known) {
        match self.knows.get(slot) {
            Some(before) if outranks((before.version, before.hash), (known.version, known.hash)) => {}
            Some(before) if before.hash == known.hash && known.sections.is_empty() => {}
            _ => {
                self.knows.insert(slot.clone(), known);
            }
        }
    }

    /// Takes a token for a document of a slot; false if there is none.
    pub(super) fn take_token(&mut self, slot: &Slot, settings: &Settings, now: u64) -> bool {
        let full = Bucket { tokens: settings.bucket, filled_at: now };
        let bucket = self.buckets.entry(slot.clone()).or_insert(full);
        let gained = now.saturating_sub(bucket.filled_at) / 1_000;
        if gained > 0 {
            let filled_at = bucket.filled_at + gained * 1_000;
            let gained = u32::try_from(gained).unwrap_or(u32::MAX);
            *bucket = Bucket { tokens: bucket.tokens.saturating_add(gained).min(settings.bucket), filled_at };
        }
        if bucket.tokens == 0 {
            return false;
        }
        bucket.tokens -= 1;
        true
    }
}
