//! Peers that were dialled and not reached: since when, how often, and why at last; and those of whom nothing was ever heard. For whoever
//! looks why there is no session.
//!
//! In: dials that failed, with what the network or TLS said, and sessions that came. Out: what is told of a peer. When a peer is dialled
//! again is decided by the protocol.

use std::collections::{BTreeMap, BTreeSet};

use super::driver::Core;
use crate::{clock::wall_time, federation::protocol::OriginId, model::Timestamp};

impl Core {
    /// A peer was dialled and not reached; without a reason it was not even dialled.
    pub(super) fn dial_failed(&mut self, domain: &OriginId, why: Option<String>) {
        let Some(why) = why.filter(|_| self.membership.peers.contains_key(domain)) else { return };
        if self.unreached.failed(domain, why.clone(), wall_time()) {
            tracing::info!(%domain, why, "A peer is not reached. It is dialled again and again; `qkdnm peer show` tells how that goes.");
        }
    }

    /// Peers are others now: of whom is not dialled any more nothing is told.
    pub(super) fn forget_dials(&mut self) {
        let peers = &self.membership.peers;
        self.unreached.keep_only(|domain| peers.get(domain).is_some_and(|peer| peer.address.is_some()));
    }

    /// Domains of peers with which there is no session, and of which nothing is known.
    pub(super) fn unheard(&self) -> BTreeSet<OriginId> {
        let now = self.now().mono;
        let is_unheard = |domain: &&OriginId| {
            self.node.standing(domain, now).is_none()
                && self.sessions.values().all(|session| session.domain != **domain)
        };
        self.membership.peers.keys().filter(is_unheard).cloned().collect()
    }
}

/// Dials of a peer that failed, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FailedDials {
    /// The first.
    pub since: Timestamp,
    /// The last.
    pub at: Timestamp,
    /// How many.
    pub times: u64,
    /// What was said of the last.
    pub why: String,
}

/// Peers that were not reached when they were dialled last.
#[derive(Debug, Default)]
pub(super) struct Unreached(BTreeMap<OriginId, FailedDials>);

impl Unreached {
    /// A dial failed. Whether it is the first since the peer was reached.
    pub(super) fn failed(&mut self, domain: &OriginId, why: String, at: Timestamp) -> bool {
        let fresh = FailedDials { since: at, at, times: 0, why: String::new() };
        let one = self.0.entry(domain.clone()).or_insert(fresh);
        (one.at, one.why) = (at, why);
        one.times += 1;
        one.times == 1
    }

    /// There is a session, whoever dialled.
    pub(super) fn reached(&mut self, domain: &OriginId) {
        self.0.remove(domain);
    }

    /// Who is not dialled any more is not told of.
    pub(super) fn keep_only(&mut self, is_dialled: impl Fn(&OriginId) -> bool) {
        self.0.retain(|domain, _| is_dialled(domain));
    }

    /// What failed of a peer since it was reached last.
    pub(super) fn of(&self, domain: &OriginId) -> Option<&FailedDials> {
        self.0.get(domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_from_the_first_and_forgotten_with_a_session() {
        let (west, mut unreached) = (OriginId::from("west"), Unreached::default());
        assert!(unreached.failed(&west, "no such name".to_owned(), Timestamp(1)));
        assert!(!unreached.failed(&west, "refused".to_owned(), Timestamp(2)));
        let told = FailedDials { since: Timestamp(1), at: Timestamp(2), times: 2, why: "refused".to_owned() };
        assert_eq!(unreached.of(&west), Some(&told));
        unreached.keep_only(|domain| *domain == west);
        unreached.reached(&west);
        assert_eq!(unreached.of(&west), None);
        assert!(unreached.failed(&west, "refused".to_owned(), Timestamp(3)));
        unreached.keep_only(|_| false);
        assert_eq!(unreached.of(&west), None);
    }
}
