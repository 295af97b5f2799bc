//! When a collector's next turn is.
//!
//! In: how the last collection went, and a random number. Out: a wait. After a success it is the interval, after failures
//! twice as long each time, up to the longest; always a random part of a tenth shorter, so that many collectors do not ask
//! in step and none is later than its interval says.

use std::time::Duration;

/// Of one collector.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    interval: Duration,
    longest: Duration,
    failures: u32,
}

/// The part of a wait that is left to chance.
const JITTER: f64 = 0.1;

impl Schedule {
    /// None has failed yet.
    #[must_use]
    pub const fn new(interval: Duration, longest: Duration) -> Self {
        Self { interval, longest, failures: 0 }
    }

    /// The wait before the first collection: a tenth of an interval at most.
    #[must_use]
    pub fn first(&self, random: f64) -> Duration {
        self.interval.mul_f64(JITTER * random.clamp(0.0, 1.0))
    }

    /// The wait after a collection; `random` is from 0 to 1.
    pub fn after(&mut self, succeeded: bool, random: f64) -> Duration {
        let wait = if succeeded {
            self.failures = 0;
            self.interval
        } else {
            let doubled = self.interval.saturating_mul(1 << self.failures.min(20));
            self.failures = self.failures.saturating_add(1);
            doubled.min(self.longest.max(self.interval))
        };
        wait.mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn failures_double_the_wait_up_to_the_longest_and_a_success_ends_that() {
        let mut schedule = Schedule::new(10 * SECOND, 60 * SECOND);
        let waits: Vec<u64> = (0..5).map(|_| schedule.after(false, 0.0).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 60, 60]);
        assert_eq!(schedule.after(true, 0.0), 10 * SECOND);
        assert_eq!(schedule.after(false, 0.0), 10 * SECOND);
    }

    proptest! {
        /// A wait is never longer than the interval or the longest, and never much shorter than the interval.
        #[test]
        fn waits_are_bounded(
            interval in 1_u64..100_000, longest in 1_u64..1_000_000, steps in prop::collection::vec((any::<bool>(), 0.0..1.0), 1..80),
        ) {
            let (interval, longest) = (Duration::from_millis(interval), Duration::from_millis(longest));
            let mut schedule = Schedule::new(interval, longest);
            for (succeeded, random) in steps {
                let wait = schedule.after(succeeded, random);
                prop_assert!(wait <= interval.max(longest) && wait >= interval.mul_f64(0.89));
                prop_assert!(!succeeded || wait <= interval);
            }
        }
    }
}
