//! Keys used with other domains, by full period: what is settled between them.
//!
//! In: usage as it was counted (each `usageId` once), added up by what it calls the other side and by period, and which names stand
//! for which domain. Out: for each domain the periods in which anything was used. A period counts when it is over: what comes late
//! changes it, and is told then. An interval belongs to the period in which it ends; one that ends with the period belongs to it.

use std::collections::BTreeMap;

use super::section::{Settlement, Total, minute};
use crate::{
    config::federation::{Period, SettlementConfig},
    model::Timestamp,
};

/// Usage of one side in one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// What usage calls the other side.
    pub peer: String,
    /// Number of the period since 1970.
    pub number: i64,
    /// Intervals.
    pub intervals: u64,
    /// Bits consumed, keys supplied, bits relayed.
    pub figures: [f64; 3],
}

/// Periods that are told: two days of hours, or a month of days.
#[must_use]
pub const fn told(period: Period) -> i64 {
    match period {
        Period::Hour => 48,
        Period::Day => 31,
    }
}

/// Numbers of the first period that is told now, and of the one that is not over.
#[must_use]
pub const fn range(period: Period, now: Timestamp) -> (i64, i64) {
    let running = now.0.div_euclid(period.millis());
    (running - told(period), running)
}

/// What each domain is told.
///
/// # Errors
/// If what was used cannot be read.
pub fn settled<E>(
    config: &[SettlementConfig],
    now: Timestamp,
    used: impl Fn(Period) -> Result<Vec<Used>, E>,
) -> Result<Vec<(String, Settlement)>, E> {
    let all =
        |period: Period| if config.iter().any(|one| one.period == period) { used(period) } else { Ok(Vec::new()) };
    let (hours, days) = (all(Period::Hour)?, all(Period::Day)?);
    let of_one = |one: &SettlementConfig| {
        let (first, running) = range(one.period, now);
        let mut totals: BTreeMap<i64, Total> = BTreeMap::new();
        let used = if one.period == Period::Hour { &hours } else { &days };
        for used in used.iter().filter(|used| one.peers.contains(&used.peer) && (first..running).contains(&used.number))
        {
            let new = || Total { start: minute(Timestamp(used.number * one.period.millis())), ..Total::default() };
            let total = totals.entry(used.number).or_insert_with(new);
            total.intervals += used.intervals;
            total.consumed_bits += used.figures[0];
            total.supplied_keys += used.figures[1];
            total.relayed_bits += used.figures[2];
        }
        let settlement = Settlement { period: one.period.as_str().to_owned(), totals: totals.into_values().collect() };
        (one.domain.clone(), settlement)
    };
    Ok(config.iter().map(of_one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(peer: &str, number: i64, bits: f64) -> Used {
        Used { peer: peer.into(), number, intervals: 1, figures: [bits, 1.0, 0.0] }
    }

    #[test]
    fn full_periods_of_a_domains_names_are_added_up_and_no_others() {
        let config = |domain: &str, peers: &[&str]| SettlementConfig {
            domain: domain.into(),
            peers: peers.iter().map(ToString::to_string).collect(),
            period: Period::Hour,
        };
        let now = Timestamp(1_000 * 3_600_000 + 5);
        let all = vec![
            used("w1", 999, 10.0),
            used("w2", 999, 20.0),
            used("w1", 998, 5.0),
            used("w1", 1_000, 7.0), // not over
            used("w1", 900, 7.0),   // too old
            used("n1", 999, 40.0),
            used("somebody", 999, 80.0),
        ];
        let config = [config("west", &["w1", "w2"]), config("north", &["n1"]), config("south", &["s1"])];
        let settled = settled(&config, now, |_| Ok::<_, ()>(all.clone())).unwrap();
        let bits = |at: usize| {
            settled[at].1.totals.iter().map(|total| (total.consumed_bits, total.intervals)).collect::<Vec<_>>()
        };
        assert_eq!(bits(0), [(5.0, 1), (30.0, 2)]);
        assert_eq!(settled[0].1.totals[1].start, "1970-02-11T15:00:00Z");
        assert_eq!(bits(1), [(40.0, 1)]);
        assert!(bits(2).is_empty());
    }
}
