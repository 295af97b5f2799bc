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
    /// Validity of that document, in milliseconds.
    pub valid_for_ms: u64,
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

impl Evidence {
    /// In how many milliseconds time alone makes another state of it; `None` if it never does.
    #[must_use]
    pub(super) fn lasts(&self) -> Option<u64> {
        if !self.member || self.leaving {
            return None;
        }
        if self.age <= self.valid_for {
            return Some((self.valid_for - self.age).saturating_add(1));
        }
        let patience = self.valid_for.saturating_mul(4);
        (self.since_advance < patience).then(|| patience - self.since_advance)
    }
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

/// Clocks of honest machines run at most one in a hundred wrong, each of two: one millisecond in so many of a delay that
/// grows is the clocks'.
const CLOCK_RATES: u64 = 50;

/// The least delay between an origin's `issuedAt` and our receipt, whatever its clock says: what comes later than that has
/// been held up on its way. The least grows by what two clocks of different rates may make of the time since, so that it
/// accuses nobody for the rate of its clock, however long ago the quickest came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delays {
    epoch: u64,
    /// The least, and our monotonic time of then.
    least: Option<(i128, u64)>,
}

impl Delays {
    /// By how much, in milliseconds, this one came later than the quickest, which it may be itself.
    pub(super) fn excess(&mut self, epoch: u64, issued_at: u64, receipt: u64) -> u64 {
        let offset = i128::from(receipt) - i128::from(issued_at);
        let known = self.least.filter(|_| self.epoch == epoch);
        let least = known.map(|(least, at)| least + i128::from(receipt.saturating_sub(at) / CLOCK_RATES));
        match least {
            Some(least) if least < offset => u64::try_from(offset - least).unwrap_or(u64::MAX),
            _ => {
                *self = Self { epoch, least: Some((offset, receipt)) };
                0
            }
        }
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
        assert_eq!(delays.excess(1, day + 3_000, 32_100), 29_380, "less what two clocks may have made of 31 s");
        assert_eq!(delays.excess(2, day + 3_000, 32_100), 0, "a new epoch may be another machine with another clock");
    }

    /// Excess told of refreshes of every 15 s in so many hours, each under way for 20 ms, by an origin whose clock runs so many
    /// millionths too slow, to a reader whose clock runs as much too fast.
    fn most_excess(hours: u64, millionths: i64, held_back: impl Fn(u64) -> u64) -> u64 {
        let mut delays = Delays::default();
        let runs = |at: u64, wrong: i64| u64::try_from(at as i64 + at as i64 * wrong / 1_000_000).unwrap();
        let refreshes = (0..hours * 3_600_000).step_by(15_000);
        let excess = |at: u64| {
            let issued_at = 1_700_000_000_000 + runs(at, -millionths);
            delays.excess(1, issued_at, runs(at + 20 + held_back(at), millionths))
        };
        refreshes.map(excess).max().unwrap()
    }

    #[test]
    fn clocks_of_different_rates_accuse_nobody() {
        for millionths in [-10_000, -500, 0, 500, 10_000] {
            for hours in [1, 30] {
                let most = most_excess(hours, millionths, |_| 0);
                assert!(most <= 5, "{millionths} millionths, {hours} h: {most} ms");
            }
        }
    }

    #[test]
    fn what_is_held_back_after_hours_shows_whatever_the_rates() {
        for (millionths, least) in [(0, 58_000), (500, 58_000), (10_000, 58_000)] {
            // From the third hour on a relay keeps everything for a minute.
            let most = most_excess(4, millionths, |at| if at > 7_200_000 { 60_000 } else { 0 });
            assert!((least..61_000).contains(&most), "{millionths} millionths: {most} ms");
        }
    }

    #[test]
    fn a_state_lasts_until_time_makes_another_of_it() {
        let at = |passed: u64| Evidence {
            age: 3 + passed,
            valid_for: 10,
            since_advance: passed,
            direct: true,
            leaving: false,
            member: true,
        };
        let (mut now, mut seen) = (0, vec![judge(&at(0))]);
        while let Some(lasts) = at(now).lasts() {
            assert_eq!(judge(&at(now + lasts - 1)), judge(&at(now)));
            now += lasts;
            seen.push(judge(&at(now)));
        }
        assert_eq!((now, seen), (40, vec![Freshness::Fresh, Freshness::Stale, Freshness::Unreachable]));
    }

    #[test]
    fn a_validity_without_end_lasts_as_long_as_can_be_told() {
        let endless =
            Evidence { age: 0, valid_for: u64::MAX, since_advance: 0, direct: true, leaving: false, member: true };
        assert_eq!((endless.lasts(), judge(&endless)), (Some(u64::MAX), Freshness::Fresh));
        assert_eq!(Evidence { age: u64::MAX, ..endless }.lasts(), Some(1));
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
