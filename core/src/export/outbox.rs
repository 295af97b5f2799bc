//! What waits for one target: the order in which it is told, and what may be left out when too much waits.
//!
//! Events go out in the order in which they happened. A full outbox drops no alarm's newest state: it leaves out the oldest
//! event that a later one of the same alarm supersedes, and counts it with that one. When nothing is superseded any more,
//! the outbox holds one event for each alarm, and grows no further than there are alarms. Only numbers are kept here; the
//! events themselves are on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An event that was left out, and the later one of its alarm that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The one that is gone.
    pub number: u64,
    /// The one that supersedes it.
    pub by: u64,
}

/// The waiting events of one target, by the numbers that the database gave them.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    limit: usize,
    waiting: BTreeMap<u64, u64>,
    of_alarm: HashMap<u64, BTreeSet<u64>>,
    superseded: BTreeSet<u64>,
}

impl Outbox {
    /// An empty one that leaves out what it may when more than `limit` events wait.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether an event of this alarm waits.
    #[must_use]
    pub fn has(&self, alarm: u64) -> bool {
        self.of_alarm.contains_key(&alarm)
    }

    /// Takes in an event; also one from before, out of its order.
    pub fn put(&mut self, number: u64, alarm: u64) {
        self.waiting.insert(number, alarm);
        let numbers = self.of_alarm.entry(alarm).or_default();
        numbers.insert(number);
        if let Some(last) = numbers.last() {
            self.superseded.extend(numbers.range(..last));
        }
    }

    /// What has to be left out now.
    pub fn leave_out(&mut self) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        while self.waiting.len() > self.limit {
            let Some(number) = self.superseded.first().copied() else { break };
            let alarm = self.waiting.get(&number).copied();
            let numbers = alarm.and_then(|alarm| self.of_alarm.get(&alarm));
            let by = numbers.and_then(|numbers| numbers.range(number + 1..).next().copied());
            self.remove(number);
            left_out.extend(by.map(|by| LeftOut { number, by }));
        }
        left_out
    }

    /// Takes out an event that is delivered or parked.
    pub fn remove(&mut self, number: u64) {
        let Some(alarm) = self.waiting.remove(&number) else { return };
        self.superseded.remove(&number);
        if let Some(numbers) = self.of_alarm.get_mut(&alarm) {
            numbers.remove(&number);
            match numbers.last() {
                None => drop(self.of_alarm.remove(&alarm)),
                Some(last) => {
                    self.superseded.remove(last);
                }
            }
        }
    }

    /// The first events, at most so many; with `one_of_each` no two of one alarm.
    #[must_use]
    pub fn first(&self, most: usize, one_of_each: bool) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let fits = |(_, alarm): &(&u64, &u64)| !one_of_each || seen.insert(**alarm);
        self.waiting.iter().take(most).take_while(fits).map(|(number, _)| *number).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_outbox_leaves_out_the_oldest_that_is_superseded() {
        let mut outbox = Outbox::new(3);
        for (number, alarm) in [(1, 70), (2, 80), (3, 70)] {
            outbox.put(number, alarm);
        }
        assert_eq!(outbox.leave_out(), []);
        outbox.put(4, 80);
        assert_eq!(outbox.leave_out(), [LeftOut { number: 1, by: 3 }]);
        outbox.put(5, 90);
        assert_eq!(outbox.leave_out(), [LeftOut { number: 2, by: 4 }]);
        outbox.put(6, 60);
        assert_eq!(outbox.leave_out(), [], "one of each alarm is left, and none is lost");
        assert_eq!(outbox.first(9, true), [3, 4, 5, 6]);
    }

    #[test]
    fn a_request_has_no_two_events_of_an_alarm_if_so_wanted() {
        let mut outbox = Outbox::new(10);
        for (number, alarm) in [(1, 7), (2, 8), (3, 7), (4, 9)] {
            outbox.put(number, alarm);
        }
        assert_eq!(outbox.first(9, true), [1, 2]);
        assert_eq!(outbox.first(9, false), [1, 2, 3, 4]);
        assert_eq!(outbox.first(1, false), [1]);
    }

    /// What may happen to an outbox.
    #[derive(Clone, Debug)]
    enum Step {
        Put(u64),
        Deliver(usize),
    }

    proptest! {
        #[test]
        fn the_newest_of_every_alarm_stays_in_order_and_everything_is_accounted_for(
            limit in 1_usize..8,
            steps in proptest::collection::vec(prop_oneof![
                4 => (0_u64..6).prop_map(Step::Put), 1 => (1_usize..4).prop_map(Step::Deliver)
            ], 0..120),
        ) {
            let mut outbox = Outbox::new(limit);
            let (mut put, mut counted): (Vec<(u64, u64)>, HashMap<u64, u64>) = (Vec::new(), HashMap::new());
            let mut delivered: Vec<u64> = Vec::new();
            for step in steps {
                match step {
                    Step::Put(alarm) => {
                        let number = put.len() as u64 + 1;
                        put.push((number, alarm));
                        outbox.put(number, alarm);
                        for LeftOut { number, by } in outbox.leave_out() {
                            let moved = counted.remove(&number).unwrap_or(0) + 1;
                            *counted.entry(by).or_default() += moved;
                            prop_assert!(by > number);
                        }
                    }
                    Step::Deliver(most) => {
                        for number in outbox.first(most, false) {
                            prop_assert!(delivered.last().is_none_or(|last| *last < number), "in order");
                            delivered.push(number);
                            outbox.remove(number);
                        }
                    }
                }
                prop_assert!(outbox.len() <= limit.max(6), "one of each alarm at most beyond the limit");
                for alarm in 0..6 {
                    let newest = put.iter().rev().find(|(_, of)| *of == alarm).map(|(number, _)| *number);
                    let there = newest.is_none_or(|n| outbox.waiting.contains_key(&n) || delivered.contains(&n));
                    prop_assert!(there, "the newest state of alarm {} is there", alarm);
                }
            }
            delivered.extend(outbox.first(usize::MAX, false));
            let accounted: u64 = delivered.iter().map(|n| 1 + counted.get(n).copied().unwrap_or(0)).sum();
            prop_assert_eq!(accounted, put.len() as u64, "told, or counted with one that is told");
        }
    }
}
