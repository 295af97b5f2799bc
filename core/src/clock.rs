//! The manager's one clock: monotonic, anchored once to wall time, so that a jump of wall time changes no timer.
//!
//! Everything that is stored, timed or held off uses it; each batch records its reading. It never shows less than what
//! the journal already holds, whatever wall time said in between.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// Reads the time. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Timestamp,
    started: Instant,
}

/// Wall time now, as the operating system has it.
#[must_use]
pub fn wall_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Clock {
    /// Anchors to wall time, or to `not_before` if wall time lies behind it.
    #[must_use]
    pub fn start(not_before: Timestamp) -> Self {
        Self { anchor: wall_time().max(not_before), started: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.anchor.plus(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// How far wall time is ahead of this clock, in milliseconds; a jump shows as a sudden change.
    #[must_use]
    pub fn wall_offset(&self) -> i64 {
        wall_time().since(self.now())
    }
}
