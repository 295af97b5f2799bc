//! How old a document is, and how an origin is seen, without comparing clocks.

/// How an origin is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// Within its validity, and we have a session with the origin.
    Fresh,
    /// Within its validity, by relay.
    Indirect,
    /// Older than its validity.
    Stale,
    /// Nothing newer by any path for four times its validity.
    Unreachable,
    /// It has left in good order.
    Withdrawn,
    /// No longer in the roster, or signed by keys that were replaced.
    Excluded,
}

impl Freshness {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Fresh, Self::Indirect, Self::Stale, Self::Unreachable, Self::Withdrawn, Self::Excluded];

    /// As the API and metrics write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Indirect => "indirect",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Withdrawn => "withdrawn",
            Self::Excluded => "excluded",
        }
    }
}

/// How an origin is seen, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub freshness: Freshness,
    /// Age of its newest document, in milliseconds.
    pub age_ms: u64,
    /// It has signed two manifests of one version.
    pub disputed: bool,
}

/// What [`judge`] looks at.
pub(super) struct Evidence {
    /// Age of the document now, in milliseconds.
    pub age: u64,
    /// Its validity, in milliseconds.
    pub valid_for: u64,
    /// Milliseconds since a higher version came by any path.
    pub since_advance: u64,
    /// There is a session with the origin.
    pub direct: bool,
    /// The origin said that it leaves.
    pub leaving: bool,
    /// In the roster, with these keys.
    pub member: bool,
}

/// The state that the evidence makes.
#[must_use]
pub(super) fn judge(evidence: &Evidence) -> Freshness {
    if !evidence.member {
        Freshness::Excluded
    } else if evidence.leaving {
        Freshness::Withdrawn
    } else if evidence.age <= evidence.valid_for {
        if evidence.direct { Freshness::Fresh } else { Freshness::Indirect }
    } else if evidence.since_advance >= evidence.valid_for.saturating_mul(4) {
        Freshness::Unreachable
    } else {
        Freshness::Stale
    }
}

/// Half of the time for which the least delay is remembered.
const HALF_WINDOW: u64 = 1_800_000;

/// The least delay between an origin's `issuedAt` and our receipt, whatever its clock says: what comes later than that has
/// been held up on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    epoch: u64,
    /// Start of the newer half, and the least of each half.
    newer_since: u64,
    newer: Option<i128>,
    older: Option<i128>,
}

impl Delays {
    /// By how much, in milliseconds, this one came later than the quickest, which it may be itself.
    pub(super) fn excess(&mut self, epoch: u64, issued_at: u64, receipt: u64) -> u64 {
        let offset = i128::from(receipt) - i128::from(issued_at);
        if self.epoch != epoch {
            *self = Self { epoch, newer_since: receipt, newer: None, older: None };
        }
        if receipt.saturating_sub(self.newer_since) >= HALF_WINDOW {
            self.older = self.newer.take();
            self.newer_since = receipt;
        }
        let newer = self.newer.map_or(offset, |least| least.min(offset));
        self.newer = Some(newer);
        let least = self.older.map_or(newer, |least| least.min(newer));
        u64::try_from(offset - least).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_shows_whatever_the_clocks_say() {
        let mut delays = Delays::default();
        let day = 86_400_000;
        assert_eq!(delays.excess(1, day + 1_000, 100), 0);
        assert_eq!(delays.excess(1, day + 2_000, 1_100), 0);
        assert_eq!(delays.excess(1, day + 3_000, 32_100), 30_000);
        assert_eq!(delays.excess(2, day + 3_000, 32_100), 0, "a new epoch may be another machine with another clock");
    }

    #[test]
    fn a_clock_that_runs_slow_is_forgotten_after_an_hour() {
        let mut delays = Delays::default();
        delays.excess(1, 10_000, 10_000);
        assert_eq!(delays.excess(1, 10_000 + HALF_WINDOW - 50, 10_000 + HALF_WINDOW), 50);
        assert_eq!(delays.excess(1, 10_000 + 2 * HALF_WINDOW - 100, 10_000 + 2 * HALF_WINDOW), 50);
    }

    #[test]
    fn the_states_in_their_order() {
        let base = || Evidence { age: 10, valid_for: 10, since_advance: 0, direct: true, leaving: false, member: true };
        assert_eq!(judge(&base()), Freshness::Fresh);
        assert_eq!(judge(&Evidence { direct: false, ..base() }), Freshness::Indirect);
        assert_eq!(judge(&Evidence { age: 11, ..base() }), Freshness::Stale);
        assert_eq!(judge(&Evidence { age: 51, since_advance: 40, ..base() }), Freshness::Unreachable);
        assert_eq!(judge(&Evidence { leaving: true, age: 99, ..base() }), Freshness::Withdrawn);
        assert_eq!(judge(&Evidence { member: false, ..base() }), Freshness::Excluded);
    }
}
