//! Queries of history: samples as reported, or steps of a length, from the level that serves them best.

use std::{collections::BTreeMap, path::Path};

use super::{
    Level, Retention, Rollup, SeriesKey,
    codec::{Damaged, unpack, unpack_rollups},
    db::{HistoryDb, path},
};
use crate::{model::Timestamp, storage::error::StorageError};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct HistoryQuery {
    /// Of this series.
    pub key: SeriesKey,
    /// From this time on.
    pub from: Timestamp,
    /// Up to, and without, this time.
    pub to: Timestamp,
    /// Length of the steps in milliseconds; 0: samples as reported.
    pub step_ms: i64,
    /// Most points to give.
    pub limit: usize,
}

/// What there is.
#[derive(Clone, Debug, PartialEq)]
pub enum History {
    /// Samples in order of time; where there are more than asked for, how many.
    Samples(Vec<(Timestamp, f64)>, Option<usize>),
    /// Steps in order of time, from this level; where there are more than asked for, how many.
    Steps(Level, Vec<Rollup>, Option<usize>),
}

/// The level that serves steps of a length: the coarsest whose own steps fit into them evenly, among those that are kept;
/// a finer one has gone earlier.
fn level(step_ms: i64, retention: &Retention) -> Level {
    let fits = |level: &Level| {
        let own = level.step_ms();
        own > 0 && step_ms % own == 0 && !retention.of(*level).is_zero()
    };
    [Level::Hour, Level::Minute].into_iter().find(fits).unwrap_or(Level::Raw)
}

/// Answers a query. Reads a database: not for a shard's or connection's thread.
pub fn read(data_dir: &Path, query: &HistoryQuery, retention: &Retention) -> Result<History, StorageError> {
    let (from, to) = (query.from.0, query.to.0);
    let level = if query.step_ms == 0 { Level::Raw } else { level(query.step_ms, retention) };
    let chunks = match HistoryDb::open_read_only(data_dir)? {
        Some(db) => db.chunks(query.key, level, from - level.step_ms(), to)?,
        None => Vec::new(),
    };
    let damaged = |error: Damaged| StorageError::BadState { path: path(data_dir), what: error.to_string() };
    if query.step_ms == 0 {
        let mut samples = Vec::new();
        for chunk in chunks {
            samples.extend(unpack(&chunk).map_err(damaged)?.into_iter().filter(|(time, _)| (from..to).contains(time)));
        }
        // Samples of one time stay in the order of acceptance.
        samples.sort_by_key(|(time, _)| *time);
        let more = (samples.len() > query.limit).then_some(samples.len());
        samples.truncate(query.limit);
        return Ok(History::Samples(samples.into_iter().map(|(time, value)| (Timestamp(time), value)).collect(), more));
    }
    let mut steps: BTreeMap<i64, Rollup> = BTreeMap::new();
    let mut join = |mut rollup: Rollup| {
        rollup.start = Rollup::start_of(rollup.start, query.step_ms);
        if (Rollup::start_of(from, query.step_ms)..to).contains(&rollup.start) {
            steps.entry(rollup.start).and_modify(|known| known.join(&rollup)).or_insert(rollup);
        }
    };
    for chunk in chunks {
        if level == Level::Raw {
            let samples = unpack(&chunk).map_err(damaged)?;
            samples.into_iter().for_each(|(time, value)| join(Rollup::of(time, time, value)));
        } else {
            unpack_rollups(&chunk).map_err(damaged)?.into_iter().for_each(&mut join);
        }
    }
    let more = (steps.len() > query.limit).then_some(steps.len());
    Ok(History::Steps(level, steps.into_values().take(query.limit).collect(), more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn steps_are_served_by_the_coarsest_level_that_fits() {
        let day = Duration::from_secs(86_400);
        let all = Retention { raw: day, minute: day, hour: day };
        assert_eq!(level(3_600_000, &all), Level::Hour);
        assert_eq!(level(86_400_000, &all), Level::Hour);
        assert_eq!(level(900_000, &all), Level::Minute);
        assert_eq!(level(90_000, &all), Level::Raw);
        let no_hours = Retention { hour: Duration::ZERO, ..all };
        assert_eq!(level(3_600_000, &no_hours), Level::Minute);
    }
}
