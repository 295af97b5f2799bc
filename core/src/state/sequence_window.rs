//! Repeats and gaps in the numbering of a component's reports (PROTOCOL section 3).
//!
//! Numbers may arrive out of order within [`SEQUENCE_WINDOW`] below the highest accepted. For each of those the window
//! keeps a fingerprint of what was accepted under it, so that a repeat is told from a conflict.

use serde::{Deserialize, Serialize};

use crate::config::limits::SEQUENCE_WINDOW;

/// Numbers that the window holds: the highest accepted and those below it that may still arrive.
const SPAN: u64 = SEQUENCE_WINDOW + 1;
const SLOTS: usize = SPAN as usize;

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceVerdict {
    /// Not accepted before: handle the report.
    New,
    /// Accepted before with the same content: answer like the first, change nothing.
    Repeat,
    /// Accepted before with other content: refuse.
    Conflict,
    /// Below the window, or of an earlier incarnation: refuse, and tell where the numbering stands.
    Behind {
        /// Incarnation the window is at.
        incarnation: u64,
        /// Highest number accepted in it.
        last: u64,
    },
}

/// The numbering of one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct SequenceWindow {
    incarnation: u64,
    /// Highest number accepted; none before the first.
    highest: Option<u64>,
    /// First number accepted in this incarnation; nothing below it is missing.
    first: u64,
    gaps: u64,
    /// Fingerprint of what was accepted under number n at `n % SLOTS`, 0 where nothing was. Empty before the first.
    accepted: Vec<u32>,
    /// Numbers within the window that are missing; follows from the rest, and is counted on the way.
    #[serde(skip)]
    outstanding: u64,
}

/// A window as it is stored.
#[derive(Deserialize)]
struct Stored {
    incarnation: u64,
    highest: Option<u64>,
    first: u64,
    gaps: u64,
    accepted: Vec<u32>,
}

impl From<Stored> for SequenceWindow {
    fn from(Stored { incarnation, highest, first, gaps, accepted }: Stored) -> Self {
        let mut window = Self { incarnation, highest, first, gaps, accepted, outstanding: 0 };
        window.outstanding = window.count_outstanding();
        window
    }
}

/// How to take one [`SequenceWindow::accept`] back.
#[derive(Clone, Debug)]
pub enum SequenceUndo {
    /// One place changed, and the counters.
    Slot {
        /// Where.
        slot: usize,
        /// What stood there.
        fingerprint: u32,
        /// Highest before.
        highest: Option<u64>,
        /// Gaps before.
        gaps: u64,
        /// First number before.
        first: u64,
        /// Outstanding before.
        outstanding: u64,
    },
    /// More changed than that: the window as it was.
    Whole(Box<SequenceWindow>),
}

const fn fingerprint(content_hash: u64) -> u32 {
    let folded = (content_hash ^ (content_hash >> 32)) as u32;
    if folded == 0 { 1 } else { folded }
}

const fn slot(sequence: u64) -> usize {
    (sequence % SPAN) as usize
}

impl SequenceWindow {
    /// The incarnation and highest number accepted, if any.
    #[must_use]
    pub fn position(&self) -> Option<(u64, u64)> {
        self.highest.map(|highest| (self.incarnation, highest))
    }

    /// Numbers that left the window without having been accepted, over all incarnations.
    #[must_use]
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Numbers between the first and the highest of this incarnation that have not come and still may.
    #[must_use]
    pub const fn outstanding(&self) -> u64 {
        self.outstanding
    }

    fn count_outstanding(&self) -> u64 {
        let Some(highest) = self.highest else { return 0 };
        let from = self.first.max(highest.saturating_sub(SPAN - 1));
        let empty = |number: &u64| self.accepted.get(slot(*number)).copied().unwrap_or(0) == 0;
        (from..highest).filter(empty).count() as u64
    }

    /// What a report with this number and content would be. Changes nothing.
    #[must_use]
    pub fn check(&self, incarnation: u64, sequence: u64, content_hash: u64) -> SequenceVerdict {
        let Some(highest) = self.highest else { return SequenceVerdict::New };
        if incarnation > self.incarnation {
            return SequenceVerdict::New;
        }
        if incarnation < self.incarnation || sequence.saturating_add(SPAN) <= highest {
            return SequenceVerdict::Behind { incarnation: self.incarnation, last: highest };
        }
        if sequence > highest {
            return SequenceVerdict::New;
        }
        match self.accepted.get(slot(sequence)).copied().unwrap_or(0) {
            0 => SequenceVerdict::New,
            known if known == fingerprint(content_hash) => SequenceVerdict::Repeat,
            _ => SequenceVerdict::Conflict,
        }
    }

    /// Records a number as accepted. Only for what [`Self::check`] called new.
    pub fn accept(&mut self, incarnation: u64, sequence: u64, content_hash: u64) -> SequenceUndo {
        let print = fingerprint(content_hash);
        let one_place = match self.highest {
            Some(highest) => incarnation == self.incarnation && sequence <= highest.saturating_add(1),
            None => false,
        };
        if !one_place {
            let before = Box::new(self.clone());
            self.jump(incarnation, sequence);
            self.set(slot(sequence), print);
            self.outstanding = self.count_outstanding();
            return SequenceUndo::Whole(before);
        }
        let (highest, gaps, first, outstanding) = (self.highest, self.gaps, self.first, self.outstanding);
        let place = slot(sequence);
        if highest.is_some_and(|highest| sequence > highest) {
            if let Some(bottom) = sequence.checked_sub(SPAN) {
                self.leave(bottom);
            }
            self.highest = Some(sequence);
            // What became a gap is no longer awaited.
            self.outstanding -= self.gaps - gaps;
        } else if sequence < first {
            self.outstanding += first - sequence - 1;
            self.first = sequence;
        } else {
            self.outstanding -= 1;
        }
        let fingerprint = self.set(place, print);
        SequenceUndo::Slot { slot: place, fingerprint, highest, gaps, first, outstanding }
    }

    /// Takes back the latest `accept` not yet taken back.
    pub fn undo(&mut self, undo: SequenceUndo) {
        match undo {
            SequenceUndo::Slot { slot, fingerprint, highest, gaps, first, outstanding } => {
                self.set(slot, fingerprint);
                self.highest = highest;
                self.gaps = gaps;
                self.first = first;
                self.outstanding = outstanding;
            }
            SequenceUndo::Whole(before) => *self = *before,
        }
    }

    fn jump(&mut self, incarnation: u64, sequence: u64) {
        match self.highest {
            Some(highest) if incarnation == self.incarnation => {
                // Everything between is missing for now; what falls out of the window is missing for good.
                if let Some(bottom) = sequence.checked_sub(SPAN) {
                    for number in highest.saturating_sub(SPAN - 1)..=bottom.min(highest) {
                        self.leave(number);
                        self.set(slot(number), 0);
                    }
                    self.gaps += bottom.saturating_sub(highest);
                }
            }
            _ => {
                self.accepted.clear();
                self.accepted.resize(SLOTS, 0);
                self.first = sequence;
            }
        }
        self.incarnation = incarnation;
        self.highest = Some(sequence);
    }

    /// Counts a number that leaves the window if nothing was accepted under it.
    fn leave(&mut self, number: u64) {
        if number >= self.first && self.accepted.get(slot(number)).copied().unwrap_or(0) == 0 {
            self.gaps += 1;
        }
    }

    fn set(&mut self, place: usize, print: u32) -> u32 {
        self.accepted.get_mut(place).map_or(0, |entry| std::mem::replace(entry, print))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The rules of PROTOCOL section 3, written down without regard to cost.
    #[derive(Default)]
    struct Model {
        incarnation: u64,
        accepted: HashMap<u64, u64>,
        first: u64,
        gaps_before: u64,
    }

    impl Model {
        fn highest(&self) -> Option<u64> {
            self.accepted.keys().max().copied()
        }
        fn gaps(&self) -> u64 {
            let Some(highest) = self.highest() else { return self.gaps_before };
            let first = self.first;
            let missing = (first..(highest + 1).saturating_sub(SPAN).max(first))
                .filter(|n| !self.accepted.contains_key(n))
                .count();
            self.gaps_before + missing as u64
        }
        fn outstanding(&self) -> u64 {
            let Some(highest) = self.highest() else { return 0 };
            let from = self.first.max((highest + 1).saturating_sub(SPAN));
            (from..highest).filter(|n| !self.accepted.contains_key(n)).count() as u64
        }
        fn check(&self, incarnation: u64, sequence: u64, hash: u64) -> SequenceVerdict {
            match self.highest() {
                None => SequenceVerdict::New,
                Some(_) if incarnation > self.incarnation => SequenceVerdict::New,
                Some(last) if incarnation < self.incarnation || sequence + SPAN <= last => {
                    SequenceVerdict::Behind { incarnation: self.incarnation, last }
                }
                Some(_) => match self.accepted.get(&sequence) {
                    None => SequenceVerdict::New,
                    Some(known) if *known == hash => SequenceVerdict::Repeat,
                    Some(_) => SequenceVerdict::Conflict,
                },
            }
        }
        fn accept(&mut self, incarnation: u64, sequence: u64, hash: u64) {
            if incarnation > self.incarnation || self.accepted.is_empty() {
                self.gaps_before = self.gaps();
                self.accepted.clear();
                self.incarnation = incarnation;
                self.first = sequence;
            }
            self.first = self.first.min(sequence);
            self.accepted.insert(sequence, hash);
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, i64, u64)>> {
        let jump = prop_oneof![8 => -6_i64..12, 2 => -1_100_i64..1_100, 1 => 1_000_i64..5_000];
        prop::collection::vec((prop_oneof![20 => Just(0_u64), 1 => Just(1)], jump, 1_u64..4), 1..200)
    }

    #[test]
    fn the_window_reaches_1024_below_the_highest() {
        let mut window = SequenceWindow::default();
        window.accept(0, 5_000, 7);
        assert_eq!(window.check(0, 5_000 - 1_024, 7), SequenceVerdict::New);
        assert_eq!(window.check(0, 5_000 - 1_025, 7), SequenceVerdict::Behind { incarnation: 0, last: 5_000 });
        window.accept(0, 5_000 - 1_024, 7);
        assert_eq!(window.check(0, 5_000 - 1_024, 7), SequenceVerdict::Repeat);
        assert_eq!(window.check(0, 5_000, 7), SequenceVerdict::Repeat);
    }

    #[test]
    fn what_may_still_come_is_outstanding_and_what_may_not_is_a_gap() {
        let mut window = SequenceWindow::default();
        for number in [1, 2, 5] {
            window.accept(0, number, 7);
        }
        assert_eq!((window.outstanding(), window.gaps()), (2, 0));
        window.accept(0, 3, 7);
        assert_eq!((window.outstanding(), window.gaps()), (1, 0));
        let stored = postcard::to_allocvec(&window).unwrap();
        assert_eq!(postcard::from_bytes::<SequenceWindow>(&stored).unwrap(), window);
        window.accept(0, 4 + SPAN, 7);
        assert_eq!((window.outstanding(), window.gaps()), (SPAN - 2, 1));
    }

    proptest! {
        #[test]
        fn follows_the_rules_and_can_be_taken_back(steps in steps()) {
            let (mut window, mut model, mut incarnation, mut at) = (SequenceWindow::default(), Model::default(), 0, 0_i64);
            for (restart, jump, hash) in steps {
                incarnation += restart;
                at = (at + jump).max(0);
                let sequence = at as u64;
                let verdict = window.check(incarnation, sequence, hash);
                prop_assert_eq!(verdict, model.check(incarnation, sequence, hash));
                if verdict == SequenceVerdict::New {
                    let before = window.clone();
                    let undo = window.accept(incarnation, sequence, hash);
                    let mut back = window.clone();
                    back.undo(undo);
                    prop_assert_eq!(back.check(incarnation, sequence, hash), SequenceVerdict::New);
                    prop_assert_eq!(back.position(), before.position());
                    prop_assert!(before.highest.is_none() || back == before);
                    model.accept(incarnation, sequence, hash);
                }
                prop_assert_eq!(window.gaps(), model.gaps());
                prop_assert_eq!(window.outstanding(), model.outstanding());
                if let Some((_, highest)) = window.position() {
                    prop_assert_eq!(Some(highest), model.highest());
                }
            }
        }
    }
}
