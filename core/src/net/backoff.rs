//! How long to wait before a component is dialled again. Pure: randomness and durations come in as arguments.

use std::time::Duration;

use crate::config::limits::{DIAL_BACKOFF_MAX, DIAL_BACKOFF_MIN};

/// Doubling waits with full jitter, so that a hundred components that went away together are not dialled together.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// Starts with the shortest wait.
    #[must_use]
    pub const fn new() -> Self {
        Self { ceiling: DIAL_BACKOFF_MIN }
    }

    /// The next wait: anything up to the ceiling, which then doubles.
    pub fn next_wait(&mut self, random: &mut fastrand::Rng) -> Duration {
        let wait = self.ceiling.mul_f64(random.f64());
        self.ceiling = self.ceiling.saturating_mul(2).min(DIAL_BACKOFF_MAX);
        wait
    }

    /// A connection has ended that was up for so long. One that lasted starts the waits over; one that was lost at
    /// once does not, or a component that accepts and closes would be dialled without end.
    pub fn connection_ended(&mut self, lasted: Duration) {
        if lasted >= DIAL_BACKOFF_MAX {
            self.ceiling = DIAL_BACKOFF_MIN;
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_longest_wait() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut backoff = Backoff::new();
        let mut ceiling = DIAL_BACKOFF_MIN;
        for _ in 0..20 {
            assert_eq!(backoff.ceiling, ceiling);
            assert!(backoff.next_wait(&mut random) <= ceiling);
            ceiling = (ceiling * 2).min(DIAL_BACKOFF_MAX);
        }
        assert_eq!(backoff.ceiling, DIAL_BACKOFF_MAX);
    }

    #[test]
    fn waits_are_spread() {
        let mut random = fastrand::Rng::with_seed(1);
        let waits: Vec<Duration> = (0..100)
            .map(|_| {
                let mut backoff = Backoff { ceiling: DIAL_BACKOFF_MAX };
                backoff.next_wait(&mut random)
            })
            .collect();
        let below = waits.iter().filter(|wait| **wait < DIAL_BACKOFF_MAX / 2).count();
        assert!((30..70).contains(&below), "{below} of 100 in the lower half");
    }

    #[test]
    fn only_a_connection_that_lasted_starts_over() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut backoff = Backoff::new();
        for _ in 0..10 {
            backoff.next_wait(&mut random);
        }
        backoff.connection_ended(Duration::from_secs(1));
        assert_eq!(backoff.ceiling, DIAL_BACKOFF_MAX);
        backoff.connection_ended(DIAL_BACKOFF_MAX);
        assert_eq!(backoff.ceiling, DIAL_BACKOFF_MIN);
    }
}
