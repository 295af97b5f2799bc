//! What is known to be somewhere and not here: whom it is asked of, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::{identity::Slot, manifest::Hash, session::SessionId, slots::outranks, version::Version};

/// Something of a slot that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// Of which slot.
    pub slot: Slot,
    /// The proof of a dispute; otherwise the document.
    pub proof: bool,
}

#[derive(Debug, Default)]
struct Pull {
    /// Who is said to have it, and which.
    candidates: BTreeMap<SessionId, (Version, Hash)>,
    /// Who was asked, and until when we wait.
    asked: Option<(SessionId, u64)>,
}

/// All that is wanted. Bounded by the slots.
#[derive(Debug, Default)]
pub(super) struct Pulling {
    pulls: BTreeMap<Wanted, Pull>,
    /// How often in a row each session's neighbour did not have what it was said to have.
    misses: BTreeMap<SessionId, u32>,
}

impl Pulling {
    /// Notes that a session's neighbour has something that is not here.
    pub(super) fn offer(&mut self, wanted: Wanted, session: SessionId, version: Version, hash: Hash) {
        let pull = self.pulls.entry(wanted).or_default();
        let offered = pull.candidates.entry(session).or_insert((version, hash));
        if outranks((version, hash), *offered) {
            *offered = (version, hash);
        }
    }

    /// A session's neighbour has brought something that was wanted.
    pub(super) fn kept_its_word(&mut self, session: SessionId) {
        self.misses.remove(&session);
    }

    /// What is here now needs not be asked for: candidates with no more than it are dropped.
    pub(super) fn arrived(&mut self, wanted: &Wanted, version: Version, hash: Hash) {
        if let Some(pull) = self.pulls.get_mut(wanted) {
            pull.candidates.retain(|_, offered| outranks(*offered, (version, hash)));
            pull.asked = None;
            if pull.candidates.is_empty() {
                self.pulls.remove(wanted);
            }
        }
    }

    /// The proof is here.
    pub(super) fn proven(&mut self, slot: &Slot) {
        self.pulls.remove(&Wanted { slot: slot.clone(), proof: true });
    }

    /// A session's neighbour did not have it after all, or does not answer: others may.
    pub(super) fn disappointed(&mut self, wanted: &Wanted, session: SessionId) {
        if self.drop_candidate(wanted, session) {
            *self.misses.entry(session).or_default() += 1;
        }
    }

    /// Whether it was one.
    fn drop_candidate(&mut self, wanted: &Wanted, session: SessionId) -> bool {
        let Some(pull) = self.pulls.get_mut(wanted) else { return false };
        let was = pull.candidates.remove(&session).is_some();
        pull.asked = pull.asked.filter(|(asked, _)| *asked != session);
        if pull.candidates.is_empty() {
            self.pulls.remove(wanted);
        }
        was
    }

    /// An answer has come, and did not bring all: it may be asked for again at once.
    pub(super) fn retry(&mut self, wanted: &Wanted) {
        if let Some(pull) = self.pulls.get_mut(wanted) {
            pull.asked = None;
        }
    }

    /// A session has ended.
    pub(super) fn ended(&mut self, session: SessionId) {
        let wanted: Vec<Wanted> = self.pulls.keys().cloned().collect();
        for wanted in &wanted {
            self.drop_candidate(wanted, session);
        }
        self.misses.remove(&session);
    }

    /// Keeps the candidates that a rule keeps.
    pub(super) fn retain(&mut self, keep: impl Fn(&Wanted, SessionId) -> bool) {
        self.pulls.retain(|wanted, pull| {
            pull.candidates.retain(|session, _| keep(wanted, *session));
            !pull.candidates.is_empty()
        });
    }

    /// Whom to ask for what now. Who was asked too long ago is passed over from here on.
    pub(super) fn due(&mut self, now: u64, patience: u64) -> BTreeMap<SessionId, BTreeSet<Wanted>> {
        let late: Vec<(Wanted, SessionId)> = self
            .pulls
            .iter()
            .filter_map(|(wanted, pull)| {
                pull.asked.filter(|(_, until)| *until <= now).map(|(session, _)| (wanted.clone(), session))
            })
            .collect();
        late.iter().for_each(|(wanted, session)| self.disappointed(wanted, *session));
        let mut ask: BTreeMap<SessionId, BTreeSet<Wanted>> = BTreeMap::new();
        for (wanted, pull) in self.pulls.iter_mut().filter(|(_, pull)| pull.asked.is_none()) {
            // Who kept its word first, whatever others claim to have: else a liar could have all questions to itself.
            let misses = |session: &SessionId| self.misses.get(session).copied().unwrap_or(0);
            let better = |one: (&SessionId, &(Version, Hash)), other: (&SessionId, &(Version, Hash))| {
                let (ones, others) = (misses(one.0), misses(other.0));
                ones < others || (ones == others && outranks(*one.1, *other.1))
            };
            let best = pull.candidates.iter().reduce(|best, other| if better(other, best) { other } else { best });
            if let Some((&session, _)) = best {
                pull.asked = Some((session, now + patience));
                ask.entry(session).or_default().insert(wanted.clone());
            }
        }
        ask
    }

    /// Number of things wanted.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.pulls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::protocol::{Audience, OriginId};

    #[test]
    fn one_is_asked_and_when_it_does_not_answer_the_next() {
        let slot = Slot { origin: OriginId::from("a"), audience: Audience::Federation };
        let wanted = Wanted { slot, proof: false };
        let version = |seq| Version { key_gen: 1, epoch: 1, seq };
        let mut pulling = Pulling::default();
        pulling.offer(wanted.clone(), SessionId(1), version(1), Hash::default());
        pulling.offer(wanted.clone(), SessionId(2), version(2), Hash::default());
        let asked = |map: BTreeMap<SessionId, BTreeSet<Wanted>>| map.into_keys().collect::<Vec<_>>();
        assert_eq!(asked(pulling.due(0, 10)), [SessionId(2)]);
        assert!(asked(pulling.due(9, 10)).is_empty());
        assert_eq!(asked(pulling.due(10, 10)), [SessionId(1)]);
        pulling.arrived(&wanted, version(1), Hash::default());
        assert_eq!(pulling.len(), 0);
    }
}
