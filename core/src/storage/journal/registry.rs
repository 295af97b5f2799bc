//! The segments that are no longer written, and what of each shard they hold: from this retention knows which ones the
//! state database covers.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{model::Timestamp, storage::JournalPosition};

/// A segment that is no longer written.
#[derive(Clone, Debug)]
pub struct ClosedSegment {
    /// Its file.
    pub path: PathBuf,
    /// Number of the first block behind it.
    pub next_block: u64,
    /// Time of its last block.
    pub last_time: Timestamp,
    /// Bytes on disk.
    pub bytes: u64,
    /// The last batch of each shard in it. Empty for segments of earlier runs: their shards are gone and the state
    /// database covered all of them when this run began.
    pub last_positions: HashMap<u16, JournalPosition>,
}

/// Closed segments by number.
#[derive(Debug, Default)]
pub struct SegmentRegistry(Mutex<BTreeMap<u64, ClosedSegment>>);

impl SegmentRegistry {
    /// Starts with the segments of earlier runs.
    #[must_use]
    pub fn new(closed: BTreeMap<u64, ClosedSegment>) -> Self {
        Self(Mutex::new(closed))
    }

    fn closed(&self) -> MutexGuard<'_, BTreeMap<u64, ClosedSegment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a segment that was closed.
    pub(crate) fn add(&self, number: u64, segment: ClosedSegment) {
        self.closed().insert(number, segment);
    }

    /// Takes out a segment that was deleted.
    pub(crate) fn remove(&self, number: u64) {
        self.closed().remove(&number);
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<(u64, ClosedSegment)> {
        self.closed().iter().map(|(&number, segment)| (number, segment.clone())).collect()
    }
}
