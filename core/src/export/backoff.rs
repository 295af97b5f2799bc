//! When a delivery that failed is tried again. Pure: the random number and the target's wish come in as arguments.

use std::time::Duration;

use crate::config::limits::EXPORTER_RETRY_AFTER_MAX;

/// Doubling waits, each between half and all of its ceiling, so that exporters that lost one target do not come back
/// together and none comes back at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Starts with the shortest wait.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        Self { min, max, ceiling: min }
    }

    /// The next wait; `random` is from 0 to 1. A target that said how long to wait (`Retry-After`) is not tried before,
    /// within reason.
    pub fn next_wait(&mut self, random: f64, retry_after: Option<Duration>) -> Duration {
        let wait = self.ceiling / 2 + (self.ceiling / 2).mul_f64(random.clamp(0.0, 1.0));
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        wait.max(retry_after.unwrap_or_default().min(EXPORTER_RETRY_AFTER_MAX))
    }

    /// A delivery succeeded.
    pub const fn reset(&mut self) {
        self.ceiling = self.min;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_to_the_cap_and_are_never_short(
            min in 1_u64..10_000, max in 1_u64..1_000_000, random in proptest::collection::vec(0.0..=1.0_f64, 1..60),
        ) {
            let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
            let mut backoff = Backoff::new(min, max);
            let mut ceiling = min;
            for random in random {
                let wait = backoff.next_wait(random, None);
                prop_assert!(wait >= ceiling / 2 && wait <= ceiling, "{wait:?} of {ceiling:?}");
                ceiling = (ceiling * 2).min(max.max(min));
            }
            backoff.reset();
            prop_assert!(backoff.next_wait(1.0, None) <= min);
        }
    }

    #[test]
    fn the_targets_wish_counts_within_reason() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        assert_eq!(backoff.next_wait(1.0, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(backoff.next_wait(1.0, Some(Duration::ZERO)), Duration::from_secs(2), "never sooner than by itself");
        assert_eq!(backoff.next_wait(0.0, Some(Duration::from_secs(1 << 40))), EXPORTER_RETRY_AFTER_MAX);
    }
}
