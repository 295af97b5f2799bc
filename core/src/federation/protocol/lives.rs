//! The lives of our publishing: when an epoch ends and the next begins. Section 2 of `ALGORITHM.md`.

use super::{
    event::Event,
    node::{Node, Now},
    version::{epoch, second_of},
};

/// How far ahead of ours a heard epoch may be, in seconds.
const CENTURY: u64 = 100 * 365 * 86_400;
/// A clock that jumps by more than this, in milliseconds, was set.
const CLOCK_STEP: u128 = 2_000;

impl Node {
    /// Takes a new epoch above `last`, if one can be had and stored.
    pub(super) fn take_epoch(&mut self, last: u64, now: Now) {
        let last = last.max(self.own.epoch.unwrap_or(0));
        let next = epoch(last, now.wall, self.epochs.random()).filter(|next| self.epochs.record(*next));
        if next.is_none() {
            self.event(Event::NoEpoch);
        }
        self.own.begin(next);
    }

    /// Takes an epoch above those that we heard of as ours. Not twice within a few seconds: what a life long past left at
    /// several places counts as one, and two twins do not chase each other as fast as the network carries them.
    pub(super) fn follow_ourselves(&mut self, now: Now) {
        let Some(heard) = self.own.next_to_follow(now.mono) else { return };
        let before = self.own.stopped;
        if self.own.heard(now.mono) {
            if !before {
                self.event(Event::StoppedPublishing);
            }
            return;
        }
        self.follow_epoch(heard, now);
        self.sign_what_is_due(now);
    }

    /// Takes a new epoch above one that we heard of. One that is a century ahead no clock of ours ever took: it is a
    /// thief's, and to follow it would use up the epochs that are left. Then only new keys help.
    fn follow_epoch(&mut self, heard: u64, now: Now) {
        let latest = second_of(self.own.epoch.unwrap_or(0)).max(now.wall / 1_000);
        if second_of(heard) > latest + CENTURY {
            self.own.begin(None);
            return self.event(Event::NoEpoch);
        }
        self.take_epoch(heard, now);
    }

    /// Notices that the wall clock was set: it has not gone on as the monotonic clock has.
    pub(super) fn watch_clock(&mut self, now: Now) {
        let last = std::mem::replace(&mut self.last_input, now);
        let (passed, shown) = (now.mono.saturating_sub(last.mono), i128::from(now.wall) - i128::from(last.wall));
        self.clock_was_set |= (shown - i128::from(passed)).unsigned_abs() > CLOCK_STEP + u128::from(passed / 50);
    }
}
