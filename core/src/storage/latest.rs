//! The last reports of the journal: what a changed plugin is rehearsed with.
//!
//! In: a data directory whose manager may be running, how many reports, and which. Out: reports as they were taken in, in the order of
//! the journal. Looks back over a few segments and no further, so that a rare report does not make it read everything.

use std::{collections::VecDeque, ops::Range, path::Path, sync::Arc};

use super::{
    JournalPosition,
    decode::{BatchEnvelope, decode},
    error::StorageError,
    journal::reader::{JournalReader, ReadMode},
    record::{BatchRecord, Cause},
};
use crate::model::{ReportBatch, Timestamp};

/// Segments that are looked at.
const SEGMENTS_BACK: usize = 4;

/// A report of the journal.
#[derive(Clone, Debug)]
pub struct LatestReport {
    /// When it was worked through.
    pub time: Timestamp,
    /// Symbol of the handler that had it.
    pub handler: u32,
    /// It alone.
    pub report: ReportBatch,
}

/// The last `count` reports that `wanted` says yes to, by their record and place in it.
///
/// # Errors
/// If the journal cannot be read.
pub fn latest(
    data_dir: &Path,
    count: usize,
    wanted: impl Fn(&BatchRecord, usize) -> bool,
) -> Result<Vec<LatestReport>, StorageError> {
    let starts: Vec<u64> = {
        let reader = JournalReader::open(data_dir, ReadMode::Live)?;
        reader.segments().iter().map(|segment| segment.header.first_block).collect()
    };
    let mut found = VecDeque::new();
    let mut end = u64::MAX;
    for start in starts.into_iter().rev().take(SEGMENTS_BACK) {
        // Older than what was found so far, so it goes before it.
        let mut older = blocks(data_dir, start..end, count - found.len(), &wanted)?;
        older.append(&mut found);
        found = older;
        if found.len() >= count {
            break;
        }
        end = start;
    }
    let report = |(record, index): (Arc<BatchRecord>, usize)| LatestReport {
        time: record.time,
        handler: record.handler,
        report: record.input.single(index),
    };
    Ok(found.into_iter().map(report).collect())
}

type Place = (Arc<BatchRecord>, usize);

/// The last reports of these blocks.
fn blocks(
    data_dir: &Path,
    range: Range<u64>,
    count: usize,
    wanted: &impl Fn(&BatchRecord, usize) -> bool,
) -> Result<VecDeque<Place>, StorageError> {
    let mut reader = JournalReader::open(data_dir, ReadMode::Live)?;
    reader.skip_to(range.start);
    let mut found: VecDeque<Place> = VecDeque::new();
    loop {
        let path = reader.segment().map_or_else(|| data_dir.to_owned(), |segment| segment.path.clone());
        let Some((_, block)) = reader.next_block()? else { return Ok(found) };
        if block.header.number >= range.end {
            return Ok(found);
        }
        for (index, bytes) in block.batches().enumerate() {
            let position = JournalPosition(block.header.number << 16 | index as u64);
            let failed = |source| StorageError::Batch { path: path.clone(), position, source };
            if BatchEnvelope::read(bytes).map_err(failed)?.cause != Cause::Reports {
                continue;
            }
            let record = Arc::new(decode(bytes).map_err(failed)?);
            let chosen = (0..record.input.len()).filter(|&index| wanted(&record, index));
            found.extend(chosen.map(|index| (Arc::clone(&record), index)));
            found.drain(..found.len().saturating_sub(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{
        faults::Faults,
        testing::{Told, commit, report, start},
    };

    #[test]
    fn the_last_ones_are_found_over_the_bounds_of_segments() {
        let folder = tempfile::tempdir().unwrap();
        let running = start(folder.path(), &Faults::default());
        for number in 1..=400 {
            let record = report(&running.recovered.symbols, 0, "mk/km-1", number, 0.5);
            assert!(matches!(commit(&running.journal, &record), Told::Committed(_)));
        }
        let all = |_: &BatchRecord, _: usize| true;
        assert!(JournalReader::open(folder.path(), ReadMode::Live).unwrap().segments().len() > 1);
        let sequences = |reports: Vec<LatestReport>| -> Vec<u64> {
            reports.iter().flat_map(|one| one.report.reports.iter().map(|head| head.sequence)).collect()
        };
        let last = sequences(latest(folder.path(), 300, all).unwrap());
        assert_eq!((last.len(), last[0], last[299]), (300, 101, 400));
        assert!(last.is_sorted());
        let even = |record: &BatchRecord, index: usize| record.input.reports[index].sequence.is_multiple_of(2);
        assert_eq!(sequences(latest(folder.path(), 3, even).unwrap()), [396, 398, 400]);
        assert_eq!(latest(folder.path(), 1_000, all).unwrap().len(), 400);
    }
}
