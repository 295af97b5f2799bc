//! Which domains operators are told about by an alarm, and when not to: whoever is cut off himself complains about nobody.
//!
//! In: how domains are seen, and whether we take ourselves to be cut off. Out: alarms to raise and to clear. It knows nothing of
//! how domains come to be seen so, nor of what an alarm says.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::federation::protocol::{Freshness, OriginId};

/// After a time apart: how long domains have to be heard of again before they are complained about.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long nothing may be heard of a peer from the beginning: time to set up a federation, manager by manager.
const SET_UP: Duration = Duration::from_secs(180);

/// What is to be done about alarms of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// It is stale or unreachable.
    Raise(OriginId, Freshness),
    /// A peer, of which nothing was ever heard.
    NeverHeard(OriginId),
    /// It is not, for this reason.
    Clear(OriginId, Freshness, &'static str),
}

/// What has been complained about, and what was held back.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    isolated: bool,
    rejoined: Option<Instant>,
    stale: BTreeSet<OriginId>,
    held_back: BTreeMap<OriginId, Freshness>,
    /// Who is heard by way of others, and since when these are heard and it is not.
    behind: BTreeMap<OriginId, (Freshness, Option<Instant>)>,
    /// Peers of whom nothing was ever heard: since when, and whether it was said.
    unheard: BTreeMap<OriginId, (Instant, bool)>,
}

impl Complaints {
    /// A domain is seen otherwise. Of one that `is_relayed` it is waited whether somebody on the way is silent: then it is not to be
    /// blamed. It may be seen first, as all of them grow old at about the same time.
    pub(super) fn standing(
        &mut self,
        origin: &OriginId,
        (before, now): (Option<Freshness>, Freshness),
        is_relayed: bool,
    ) -> Vec<Complaint> {
        match (before, now) {
            (Some(_), Freshness::Stale | Freshness::Unreachable)
                if is_relayed && before != Some(Freshness::Excluded) =>
            {
                let waits = self.behind.entry(origin.clone()).or_insert((now, None));
                waits.0 = now;
                Vec::new()
            }
            // What was stored before a start, or was left out for a while, is old until something newer comes: no fault yet.
            (None | Some(Freshness::Excluded), Freshness::Stale) => Vec::new(),
            (_, Freshness::Stale) => self.complain(origin, now).into_iter().collect(),
            (_, Freshness::Unreachable) => {
                let mut told = self.complain(origin, now).into_iter().collect::<Vec<_>>();
                if !told.is_empty() {
                    self.stale.remove(origin);
                    told.insert(0, Complaint::Clear(origin.clone(), Freshness::Stale, "the domain is unreachable"));
                }
                told
            }
            // It may have been complained about before it was heard for the first time, also in a former life of this manager.
            (None, _) => vec![Complaint::Clear(origin.clone(), Freshness::Unreachable, "heard of for the first time")],
            (Some(_), _) => {
                self.behind.remove(origin);
                self.stale.remove(origin);
                self.held_back.remove(origin);
                let clear = |what| Complaint::Clear(origin.clone(), what, "heard of again");
                vec![clear(Freshness::Stale), clear(Freshness::Unreachable)]
            }
        }
    }

    fn complain(&mut self, origin: &OriginId, seen: Freshness) -> Option<Complaint> {
        if self.isolated || self.rejoined.is_some() {
            self.held_back.insert(origin.clone(), seen);
            return None;
        }
        if seen == Freshness::Stale {
            self.stale.insert(origin.clone());
        }
        Some(Complaint::Raise(origin.clone(), seen))
    }

    /// We take ourselves to be cut off: what was complained about just before is taken back.
    pub(super) fn isolated(&mut self) -> Vec<Complaint> {
        (self.isolated, self.rejoined) = (true, None);
        let taken_back = std::mem::take(&mut self.stale);
        self.held_back.extend(taken_back.iter().map(|origin| (origin.clone(), Freshness::Stale)));
        let clear = |origin| Complaint::Clear(origin, Freshness::Stale, "it is probably this manager that is cut off");
        taken_back.into_iter().map(clear).collect()
    }

    /// We are back.
    pub(super) fn rejoined(&mut self, now: Instant) {
        (self.isolated, self.rejoined) = (false, Some(now));
    }

    /// Domains that are silent, or one on the way to them is.
    pub(super) fn behind_others(&self) -> Vec<OriginId> {
        self.behind.keys().cloned().collect()
    }

    /// Time passes: what was held back, and is no better by now, is the fault of others after all. These are behind a silent one still.
    pub(super) fn tick(&mut self, now: Instant, behind: &BTreeSet<OriginId>) -> Vec<Complaint> {
        let mut told = self.at_fault_after_all(now, behind);
        told.extend(self.after_isolation(now));
        told
    }

    /// Time passes for peers of whom nothing was ever heard, which are these now.
    pub(super) fn unheard(&mut self, now: Instant, unheard: &BTreeSet<OriginId>) -> Vec<Complaint> {
        let mut told = Vec::new();
        for (origin, (_, was_told)) in self.unheard.extract_if(.., |origin, _| !unheard.contains(origin)) {
            if was_told {
                told.push(Complaint::Clear(origin, Freshness::Unreachable, "heard of, or no peer any more"));
            }
        }
        for origin in unheard {
            let (since, was_told) = self.unheard.entry(origin.clone()).or_insert((now, false));
            if !*was_told && now.saturating_duration_since(*since) >= SET_UP {
                *was_told = true;
                told.push(Complaint::NeverHeard(origin.clone()));
            }
        }
        told
    }

    /// Those whose way is heard again for a while, and who are not.
    fn at_fault_after_all(&mut self, now: Instant, behind: &BTreeSet<OriginId>) -> Vec<Complaint> {
        let mut blamed = Vec::new();
        for (origin, (seen, heard_again)) in &mut self.behind {
            if behind.contains(origin) {
                *heard_again = None;
                continue;
            }
            if now.saturating_duration_since(*heard_again.get_or_insert(now)) >= PATIENCE {
                blamed.push((origin.clone(), *seen));
            }
        }
        let mut told = Vec::new();
        for (origin, seen) in blamed {
            self.behind.remove(&origin);
            told.extend(self.standing(&origin, (Some(Freshness::Indirect), seen), false));
        }
        told
    }

    fn after_isolation(&mut self, now: Instant) -> Vec<Complaint> {
        if self.rejoined.is_none_or(|since| now.saturating_duration_since(since) < PATIENCE) {
            return Vec::new();
        }
        self.rejoined = None;
        let held_back = std::mem::take(&mut self.held_back);
        held_back.iter().filter_map(|(origin, seen)| self.complain(origin, *seen)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> OriginId {
        OriginId::from(name)
    }

    #[test]
    fn one_domain_that_is_silent_is_complained_about_and_taken_back_when_it_speaks() {
        let mut complaints = Complaints::default();
        let west = id("west");
        let told = complaints.standing(&west, (Some(Freshness::Fresh), Freshness::Stale), false);
        assert_eq!(told, [Complaint::Raise(west.clone(), Freshness::Stale)]);
        let told = complaints.standing(&west, (Some(Freshness::Stale), Freshness::Unreachable), false);
        assert_eq!(told.last(), Some(&Complaint::Raise(west.clone(), Freshness::Unreachable)));
        let told = complaints.standing(&west, (Some(Freshness::Unreachable), Freshness::Indirect), false);
        assert!(told.iter().all(|one| matches!(one, Complaint::Clear(..))) && told.len() == 2);
    }

    #[test]
    fn what_is_old_from_the_disk_or_was_left_out_is_no_fault_yet() {
        let mut complaints = Complaints::default();
        for before in [None, Some(Freshness::Excluded)] {
            assert_eq!(complaints.standing(&id("west"), (before, Freshness::Stale), false), []);
        }
    }

    #[test]
    fn a_peer_of_whom_nothing_was_ever_heard_is_complained_about_after_a_while_and_once() {
        let (mut complaints, start, none) = (Complaints::default(), Instant::now(), BTreeSet::new());
        let west = BTreeSet::from([id("west")]);
        assert_eq!(complaints.unheard(start, &west), []);
        assert_eq!(complaints.unheard(start + SET_UP / 2, &west), []);
        assert_eq!(complaints.unheard(start + SET_UP, &west), [Complaint::NeverHeard(id("west"))]);
        assert_eq!(complaints.unheard(start + SET_UP * 2, &west), []);
        let is_cleared = |told: &[Complaint]| matches!(told, [Complaint::Clear(west, Freshness::Unreachable, _)] if *west == id("west"));
        assert!(is_cleared(&complaints.unheard(start + SET_UP * 2, &none)), "it is no peer any more, or heard");
        assert_eq!(complaints.unheard(start + SET_UP * 3, &none), []);
        // Who never was silent for so long was not complained about; in a former life he may have been.
        complaints.unheard(start, &west);
        assert_eq!(complaints.unheard(start + SET_UP / 2, &none), []);
        assert!(is_cleared(&complaints.standing(&id("west"), (None, Freshness::Fresh), false)));
    }

    #[test]
    fn who_is_cut_off_complains_about_nobody_and_about_those_alone_who_stay_away() {
        let mut complaints = Complaints::default();
        let names = [id("east"), id("north"), id("west")];
        // One was seen as stale before it was clear that it is we.
        complaints.standing(&names[0], (Some(Freshness::Fresh), Freshness::Stale), false);
        assert!(
            matches!(complaints.isolated().as_slice(), [Complaint::Clear(east, Freshness::Stale, _)] if *east == names[0])
        );
        for name in &names[1..] {
            assert_eq!(complaints.standing(name, (Some(Freshness::Fresh), Freshness::Stale), false), []);
        }
        let back = Instant::now();
        complaints.rejoined(back);
        assert_eq!(complaints.tick(back, &BTreeSet::new()), []);
        for name in &names[..2] {
            complaints.standing(name, (Some(Freshness::Stale), Freshness::Fresh), false);
        }
        assert_eq!(
            complaints.tick(back + PATIENCE, &BTreeSet::new()),
            [Complaint::Raise(names[2].clone(), Freshness::Stale)]
        );
        assert_eq!(complaints.tick(back + 2 * PATIENCE, &BTreeSet::new()), [], "once");
    }

    #[test]
    fn who_is_behind_a_silent_one_is_not_complained_about_until_that_is_heard_and_it_is_not() {
        let mut complaints = Complaints::default();
        let (far, near) = (id("far"), id("near"));
        assert_eq!(complaints.standing(&far, (Some(Freshness::Indirect), Freshness::Stale), true), []);
        let told = complaints.standing(&near, (Some(Freshness::Fresh), Freshness::Stale), false);
        assert_eq!(told, [Complaint::Raise(near.clone(), Freshness::Stale)], "the one that is silent");
        assert_eq!(complaints.standing(&far, (Some(Freshness::Stale), Freshness::Unreachable), true), []);
        let (begin, behind) = (Instant::now(), BTreeSet::from([far.clone()]));
        assert_eq!(complaints.tick(begin + 9 * PATIENCE, &behind), []);
        // The way is back, goes, and is back.
        let back = begin + 10 * PATIENCE;
        assert_eq!(complaints.tick(back, &BTreeSet::new()), [], "it may take a moment until what it relays is here");
        assert_eq!(complaints.tick(back + PATIENCE, &behind), []);
        let back = back + 2 * PATIENCE;
        assert_eq!(complaints.tick(back, &BTreeSet::new()), []);
        let told = complaints.tick(back + PATIENCE, &BTreeSet::new());
        assert_eq!(told.last(), Some(&Complaint::Raise(far.clone(), Freshness::Unreachable)));
        assert_eq!(complaints.tick(back + 9 * PATIENCE, &BTreeSet::new()), [], "once");
        // One that is heard again with its way is not complained about at all.
        complaints.standing(&far, (Some(Freshness::Indirect), Freshness::Stale), true);
        complaints.standing(&far, (Some(Freshness::Stale), Freshness::Indirect), false);
        assert_eq!(complaints.behind_others(), []);
    }
}
