//! Telling when an origin is seen in another way than before, without looking at all of them all the time.
//!
//! An origin is looked at when something of it has changed, and all are when time alone may have made a difference.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    event::Event,
    freshness::{Freshness, judge},
    identity::OriginId,
    node::Node,
};

/// How origins were last seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    told: BTreeMap<OriginId, Freshness>,
    touched: BTreeSet<OriginId>,
    /// Our monotonic time from which on time alone may have changed how one is seen.
    next: u64,
}

impl Seen {
    /// Something of an origin has changed.
    pub(super) fn may_have_changed(&mut self, origin: &OriginId) {
        self.touched.insert(origin.clone());
    }

    /// Something of all has.
    pub(super) fn all_may_have_changed(&mut self) {
        self.next = 0;
    }
}

impl Node {
    /// Tells of every origin that is seen in another way than before.
    pub(super) fn look_around(&mut self, now: u64) {
        let mut origins = std::mem::take(&mut self.seen.touched);
        if now >= self.seen.next {
            origins = self.slots.keys().map(|slot| slot.origin.clone()).collect();
            self.seen.next = u64::MAX;
        }
        origins.remove(&self.me);
        for origin in origins {
            let Some((evidence, _)) = self.evidence(&origin, now) else { continue };
            let next = evidence.lasts().map_or(u64::MAX, |lasts| now.saturating_add(lasts));
            self.seen.next = self.seen.next.min(next);
            let now = judge(&evidence);
            let before = self.seen.told.insert(origin.clone(), now);
            if before != Some(now) {
                self.event(Event::Standing { origin, before, now });
            }
        }
    }
}
