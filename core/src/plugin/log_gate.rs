//! How many log lines of a plugin get through: so many a second, the rest is counted.
//!
//! One gate serves all instances of a configured plugin.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Written; so many were dropped since the last one that was written in an earlier second.
    Write {
        /// Lines dropped.
        dropped: u64,
    },
    /// Dropped.
    Drop,
}

#[derive(Debug, Default)]
struct Window {
    second: u64,
    written: u32,
    dropped: u64,
}

impl Window {
    fn admit(&mut self, second: u64, limit: u32) -> Admission {
        let mut dropped = 0;
        if second != self.second {
            dropped = std::mem::take(&mut self.dropped);
            *self = Self { second, ..Self::default() };
        }
        if self.written >= limit {
            self.dropped += 1 + dropped;
            return Admission::Drop;
        }
        self.written += 1;
        Admission::Write { dropped }
    }
}

/// Lets so many lines a second through.
#[derive(Debug)]
pub(super) struct LogGate {
    limit: u32,
    since: Instant,
    window: Mutex<Window>,
}

impl LogGate {
    /// A gate for `limit` lines a second.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, since: Instant::now(), window: Mutex::default() }
    }

    /// Lines a second.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether a line may be written now.
    pub(super) fn admit(&self) -> Admission {
        let second = self.since.elapsed().as_secs();
        self.window.lock().unwrap_or_else(PoisonError::into_inner).admit(second, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_rate_are_dropped_and_told_in_the_next_second() {
        let mut window = Window::default();
        assert_eq!(window.admit(0, 2), Admission::Write { dropped: 0 });
        assert_eq!(window.admit(0, 2), Admission::Write { dropped: 0 });
        assert_eq!(window.admit(0, 2), Admission::Drop);
        assert_eq!(window.admit(0, 2), Admission::Drop);
        assert_eq!(window.admit(1, 2), Admission::Write { dropped: 2 });
        assert_eq!(window.admit(2, 2), Admission::Write { dropped: 0 });
    }

    #[test]
    fn a_limit_of_none_drops_everything() {
        let mut window = Window::default();
        assert_eq!(window.admit(3, 0), Admission::Drop);
        assert_eq!(window.admit(4, 0), Admission::Drop);
    }
}
