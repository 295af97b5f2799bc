//! When a component that serves no subscriptions is asked, as a schedule without I/O.
//!
//! Every wish has its interval, each turn with a random tenth more or less, so that many components are not asked all at
//! once. At one component there is never more than one request of the schedule open, and a least time between two.

use std::time::Duration;

use crate::config::limits::POLL_LEAST;

/// One thing to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wish {
    /// Position of the subscription.
    pub subscription: usize,
    /// Position in its events.
    pub event: usize,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    wish: Wish,
    interval: i64,
    next: i64,
}

/// The schedule of one component.
#[derive(Clone, Debug, Default)]
pub struct Polling {
    planned: Vec<Planned>,
    open: bool,
    not_before: i64,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An interval and a random tenth more or less; `chance` is between 0 and 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within days")]
fn jittered(interval: i64, chance: f64) -> i64 {
    (interval as f64 * (0.9 + 0.2 * chance.clamp(0.0, 1.0))) as i64
}

impl Polling {
    /// Plans the events of a subscription: the first time within a tenth of the interval if `at_once`, else after one.
    pub fn start(
        &mut self,
        subscription: usize,
        events: usize,
        interval: Duration,
        at_once: bool,
        now: i64,
        chance: f64,
    ) {
        self.stop(subscription);
        let interval = millis(interval).max(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within days")]
        let soon = (interval as f64 * 0.1 * chance.clamp(0.0, 1.0)) as i64;
        let first = now.saturating_add(if at_once { soon } else { jittered(interval, chance) });
        let wishes = (0..events).map(|event| Wish { subscription, event });
        self.planned.extend(wishes.map(|wish| Planned { wish, interval, next: first }));
    }

    /// Plans a subscription no longer.
    pub fn stop(&mut self, subscription: usize) {
        self.planned.retain(|planned| planned.wish.subscription != subscription);
    }

    /// Plans nothing any more; what was open is forgotten.
    pub fn clear(&mut self) {
        self.planned.clear();
        self.open = false;
    }

    /// When the next request is due, in milliseconds; none while one is open.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        let next = self.planned.iter().map(|planned| planned.next).min()?;
        (!self.open).then(|| next.max(self.not_before))
    }

    /// What is to be asked for now; counts as open until [`Self::closed`].
    pub fn take(&mut self, now: i64, chance: f64) -> Option<Wish> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        let planned = self.planned.iter_mut().min_by_key(|planned| planned.next)?;
        // From now on, not from when it was due: what was missed is not caught up.
        planned.next = now.saturating_add(jittered(planned.interval, chance));
        self.open = true;
        self.not_before = now.saturating_add(millis(POLL_LEAST));
        Some(planned.wish)
    }

    /// The open request is answered, or given up.
    pub fn closed(&mut self) {
        self.open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn nothing_is_due_without_a_plan_or_while_one_is_open() {
        let mut polling = Polling::default();
        assert_eq!((polling.due(), polling.take(0, 0.5)), (None, None));
        polling.start(0, 2, Duration::from_secs(10), true, 1_000, 0.0);
        assert_eq!(polling.due(), Some(1_000));
        assert_eq!(polling.take(1_000, 0.5), Some(Wish { subscription: 0, event: 0 }));
        assert_eq!((polling.due(), polling.take(99_000, 0.5)), (None, None));
        polling.closed();
        assert_eq!(polling.due(), Some(1_500), "the second event, after the least time");
        polling.clear();
        assert_eq!(polling.due(), None);
    }

    proptest! {
        #[test]
        fn intervals_and_the_least_time_are_kept_and_everybody_has_a_turn(
            intervals in prop::collection::vec((1_u64..100, 1_usize..4), 1..4),
            steps in prop::collection::vec((0.0_f64..1.0, 0_i64..3_000), 50..200),
        ) {
            let mut polling = Polling::default();
            for (subscription, (seconds, events)) in intervals.iter().enumerate() {
                polling.start(subscription, *events, Duration::from_secs(*seconds), true, 0, 0.5);
            }
            let mut last: HashMap<Wish, i64> = HashMap::new();
            let (mut before, mut now) = (None::<i64>, 0);
            for (chance, answered_after) in steps {
                now = now.max(polling.due().unwrap());
                let wish = polling.take(now, chance).unwrap();
                prop_assert_eq!(polling.take(i64::MAX, chance), None);
                if let Some(before) = before {
                    prop_assert!(now - before >= millis(POLL_LEAST));
                }
                if let Some(last) = last.insert(wish, now) {
                    let (seconds, _) = intervals[wish.subscription];
                    prop_assert!(now - last >= i64::try_from(seconds * 900).unwrap() - 1);
                }
                before = Some(now);
                now += answered_after;
                polling.closed();
            }
            // The least interval is not above 100 s, and a request takes at most 3 s: all had a turn if there was time.
            let wishes: usize = intervals.iter().map(|(_, events)| events).sum();
            if now > 200_000 {
                prop_assert_eq!(last.len(), wishes);
            }
        }
    }
}
