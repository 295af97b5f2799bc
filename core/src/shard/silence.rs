//! Components that should have reported and did not.
//!
//! In: which components are expected to report how often (`expected_interval`), and when each last had a report accepted.
//! Out: those that have been silent for too long. Too long is one and a half intervals, since a report may be late; before
//! the first report the time counts from the manager's start, so that a restart is no storm of alarms. Knows neither
//! alarms nor reports.
//!
//! An accepted report costs nothing here: a component's deadline is looked at when it comes, and put off if there was a
//! report meanwhile.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Symbol, Timestamp};

/// The components that are expected to report.
#[derive(Debug, Default)]
pub struct Silence {
    expected: HashMap<u32, Expected>,
    deadlines: BTreeSet<(Timestamp, u32)>,
    silent: usize,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    interval_ms: i64,
    started: Timestamp,
    is_silent: bool,
}

impl Expected {
    /// When silence is too long, if the last report was then.
    fn deadline(&self, last_report: Option<Timestamp>) -> Timestamp {
        let since = last_report.map_or(self.started, |last| last.max(self.started));
        since.plus(self.interval_ms.saturating_add(self.interval_ms / 2))
    }
}

/// A component that has become silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Its symbol.
    pub component: Symbol,
    /// How often it is expected to report.
    pub interval_ms: i64,
}

impl Silence {
    /// Expects a component to report every `interval_ms`, counted from `started` on.
    pub fn expect(&mut self, component: Symbol, interval_ms: i64, started: Timestamp) {
        let expected = Expected { interval_ms, started, is_silent: false };
        self.expected.insert(component.0, expected);
        self.deadlines.insert((expected.deadline(None), component.0));
    }

    /// Expects other components, or others intervals, from `since` on. Those that count as silent and are not under the new
    /// intervals, in the order of their symbols.
    pub fn change(
        &mut self,
        expected: Vec<(Symbol, i64)>,
        since: Timestamp,
        now: Timestamp,
        last_report: impl Fn(u32) -> Option<Timestamp>,
    ) -> Vec<Symbol> {
        let mut before = std::mem::take(self);
        let mut ended = BTreeSet::new();
        for (component, interval_ms) in expected {
            let Some(known) = before.expected.remove(&component.0) else {
                self.expect(component, interval_ms, since);
                continue;
            };
            let is_other = known.interval_ms != interval_ms;
            let mut known = Expected { interval_ms, ..known };
            let deadline = known.deadline(last_report(component.0));
            // Under the same interval it stays silent until it reports, also where time counts from a later start.
            if known.is_silent && is_other && deadline > now {
                known.is_silent = false;
                ended.insert(component.0);
            }
            self.silent += usize::from(known.is_silent);
            if !known.is_silent {
                self.deadlines.insert((deadline, component.0));
            }
            self.expected.insert(component.0, known);
        }
        let gone = before.expected.into_iter().filter(|(_, expected)| expected.is_silent);
        ended.extend(gone.map(|(component, _)| component));
        ended.into_iter().map(Symbol).collect()
    }

    /// Components expected.
    pub fn expected(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.expected.keys().copied().map(Symbol)
    }

    /// Sets what is known of a component anew: after a restart, or when something was taken back.
    pub fn set(&mut self, component: Symbol, is_silent: bool, last_report: Option<Timestamp>) {
        let Some(expected) = self.expected.get_mut(&component.0) else { return };
        self.silent -= usize::from(expected.is_silent);
        self.silent += usize::from(is_silent);
        expected.is_silent = is_silent;
        if !is_silent {
            // A deadline that is there already only asks once more.
            self.deadlines.insert((expected.deadline(last_report), component.0));
        }
    }

    /// A report was accepted. True: the component was silent, and no longer is.
    pub fn heard(&mut self, component: Symbol, now: Timestamp) -> bool {
        if self.silent == 0 || !self.expected.get(&component.0).is_some_and(|expected| expected.is_silent) {
            return false;
        }
        self.set(component, false, Some(now));
        true
    }

    /// Components that have become silent by now, in the order of their deadlines.
    pub fn due(
        &mut self,
        now: Timestamp,
        of_shard: impl Fn(u32) -> bool,
        last_report: impl Fn(u32) -> Option<Timestamp>,
    ) -> Vec<Silent> {
        if self.deadlines.first().is_none_or(|&(deadline, _)| deadline > now) {
            return Vec::new();
        }
        let mut silent = BTreeSet::new();
        let due: Vec<(Timestamp, u32)> = self.deadlines.range(..=(now, u32::MAX)).copied().collect();
        for (deadline, component) in due.into_iter().filter(|(_, component)| of_shard(*component)) {
            self.deadlines.remove(&(deadline, component));
            let Some(expected) = self.expected.get_mut(&component).filter(|expected| !expected.is_silent) else {
                continue;
            };
            let deadline = expected.deadline(last_report(component));
            if deadline > now {
                self.deadlines.insert((deadline, component));
            } else {
                expected.is_silent = true;
                self.silent += 1;
                silent.insert((deadline, component));
            }
        }
        let interval = |component: u32| self.expected.get(&component).map_or(0, |expected| expected.interval_ms);
        silent
            .into_iter()
            .map(|(_, component)| Silent { component: Symbol(component), interval_ms: interval(component) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MK: Symbol = Symbol(7);

    fn at(silence: &mut Silence, now: i64, last: Option<i64>) -> usize {
        silence.due(Timestamp(now), |_| true, |_| last.map(Timestamp)).len()
    }

    #[test]
    fn silence_counts_from_the_last_report_or_the_start() {
        let mut silence = Silence::default();
        silence.expect(MK, 1_000, Timestamp(10_000));
        assert_eq!(at(&mut silence, 11_499, None), 0);
        assert_eq!(at(&mut silence, 11_500, Some(11_000)), 0, "it reported meanwhile");
        assert_eq!(at(&mut silence, 12_499, Some(11_000)), 0);
        assert_eq!(at(&mut silence, 12_500, Some(11_000)), 1);
        assert_eq!(at(&mut silence, 99_000, Some(11_000)), 0, "said once");
        assert!(silence.heard(MK, Timestamp(99_500)));
        assert!(!silence.heard(MK, Timestamp(99_600)));
        assert_eq!(at(&mut silence, 101_000, Some(99_500)), 1);
    }

    #[test]
    fn a_change_keeps_who_is_silent_and_ends_what_is_no_silence_any_more() {
        let (other, fresh) = (Symbol(8), Symbol(9));
        let mut silence = Silence::default();
        silence.expect(MK, 1_000, Timestamp(0));
        silence.expect(other, 1_000, Timestamp(0));
        assert_eq!(at(&mut silence, 1_500, None), 2);
        // One is expected as before, one no longer, one from now on.
        let change = |silence: &mut Silence, now: i64, expected: &[(Symbol, i64)]| {
            silence.change(expected.to_vec(), Timestamp(now), Timestamp(now), |_| None)
        };
        assert_eq!(change(&mut silence, 2_000, &[(MK, 1_000), (fresh, 1_000)]), [other]);
        assert_eq!(at(&mut silence, 3_400, None), 0, "the fresh one counts from the change on");
        assert_eq!(at(&mut silence, 3_500, None), 1);
        assert!(!silence.heard(other, Timestamp(3_600)));
        assert!(silence.heard(MK, Timestamp(3_600)));
        // Under a longer interval the silence of the fresh one is none; it is told again when it is one.
        assert_eq!(change(&mut silence, 3_700, &[(MK, 1_000), (fresh, 2_000)]), [fresh]);
        assert_eq!(at(&mut silence, 4_999, Some(3_600)), 0);
        assert_eq!(change(&mut silence, 9_000, &[]), [], "nobody is silent whom nobody expects");
        assert_eq!(at(&mut silence, 99_000, None), 0);
    }

    #[test]
    fn a_report_from_before_the_start_does_not_count() {
        let mut silence = Silence::default();
        silence.expect(MK, 1_000, Timestamp(10_000));
        assert_eq!(at(&mut silence, 11_000, Some(2_000)), 0);
        assert_eq!(at(&mut silence, 11_500, Some(2_000)), 1);
        assert!(!silence.heard(Symbol(8), Timestamp(12_000)), "nobody expects that one");
    }

    proptest! {
        /// However often it is looked: silent exactly when one and a half intervals have passed since the last report.
        #[test]
        fn looking_more_often_changes_nothing(steps in prop::collection::vec((1_i64..900, any::<bool>()), 1..60)) {
            let mut silence = Silence::default();
            silence.expect(MK, 1_000, Timestamp(0));
            let (mut now, mut last, mut is_silent) = (0, 0, false);
            for (step, reports) in steps {
                now += step;
                if reports {
                    prop_assert_eq!(silence.heard(MK, Timestamp(now)), is_silent);
                    (last, is_silent) = (now, false);
                }
                let expected = !is_silent && now - last >= 1_500;
                prop_assert_eq!(at(&mut silence, now, Some(last)), usize::from(expected));
                is_silent |= expected;
            }
        }
    }
}
