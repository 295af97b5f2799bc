//! Whether a component's clock is steadily off (PROTOCOL section 3, Time): source times order nothing, but an operator
//! who reads them should know.
//!
//! Pure: in goes, for each accepted report with a source time, how far that lies behind the time of acceptance. Single
//! late reports mean nothing; a row of equally late ones means a clock.

use crate::config::limits::{CLOCK_OFFSET_CLEAR_MS, CLOCK_OFFSET_RAISE_MS, CLOCK_OFFSET_REPORTS};

/// The source time was so far off that it was replaced; by how much is not known any more.
pub const OUT_OF_RANGE: i64 = i64::MAX;

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetChange {
    /// The clock is off by this many milliseconds (positive: behind), or [`OUT_OF_RANGE`].
    Off(i64),
    /// It is right again.
    Right,
}

/// The clock of one component, as its reports show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceClock {
    last: i64,
    in_a_row: u32,
    is_off: bool,
}

impl SourceClock {
    /// Takes the next offset in.
    pub fn observe(&mut self, offset_ms: i64) -> Option<OffsetChange> {
        let counts = if self.is_off {
            offset_ms.saturating_abs() <= CLOCK_OFFSET_CLEAR_MS
        } else {
            let alike =
                self.last.saturating_sub(offset_ms).saturating_abs() <= offset_ms.saturating_abs() / 100 + 5_000;
            offset_ms.saturating_abs() >= CLOCK_OFFSET_RAISE_MS && (self.in_a_row == 0 || alike)
        };
        self.last = offset_ms;
        self.in_a_row = if counts { self.in_a_row + 1 } else { 0 };
        if self.in_a_row < CLOCK_OFFSET_REPORTS {
            return None;
        }
        self.in_a_row = 0;
        self.is_off = !self.is_off;
        Some(if self.is_off { OffsetChange::Off(offset_ms) } else { OffsetChange::Right })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(clock: &mut SourceClock, offsets: impl IntoIterator<Item = i64>) -> Vec<OffsetChange> {
        offsets.into_iter().filter_map(|offset| clock.observe(offset)).collect()
    }

    #[test]
    fn a_steady_offset_is_told_once_and_its_end_too() {
        let mut clock = SourceClock::default();
        assert_eq!(all(&mut clock, (0..40).map(|i| 60_000 + i * 10)).len(), 1);
        assert_eq!(all(&mut clock, (0..40).map(|i| i * 10)), [OffsetChange::Right]);
        assert_eq!(all(&mut clock, std::iter::repeat_n(-45_000, 10)), [OffsetChange::Off(-45_000)]);
    }

    #[test]
    fn late_reports_alone_are_no_clock() {
        let mut clock = SourceClock::default();
        // A backlog that is sent after an outage: each report is less late than the one before it.
        assert_eq!(all(&mut clock, (0..100).map(|i| 3_600_000 - i * 600_000)), []);
        assert_eq!(all(&mut clock, (0..100).map(|i| if i % 5 == 0 { 60_000 } else { 20 })), []);
    }

    #[test]
    fn times_out_of_range_count() {
        let mut clock = SourceClock::default();
        assert_eq!(all(&mut clock, std::iter::repeat_n(OUT_OF_RANGE, 10)), [OffsetChange::Off(OUT_OF_RANGE)]);
    }
}
