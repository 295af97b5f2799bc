//! Retention: old segments of the journal go, and a checkpoint stays from which the rest can be replayed.
//!
//! A segment may go when it is older than `journal_retention` or the journal is larger than `journal_max_size`, when the
//! state database reflects all of it, and when a checkpoint (a copy of the state database, `checkpoints/BLOCK.db`)
//! needs nothing of it. Checkpoints are made each time the journal grew by an eighth of its greatest size, and when there is
//! something to delete and no checkpoint behind it. Runs on the state writer's thread.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    error::StorageError,
    faults::Faults,
    journal::{
        Clock,
        registry::{ClosedSegment, SegmentRegistry},
    },
    state_db::{Positions, StateDb},
};

/// How long and how much of the journal is kept; may be changed while it is.
#[derive(Debug)]
pub struct JournalBounds {
    keep_ms: AtomicU64,
    max_size: AtomicU64,
}

impl JournalBounds {
    /// Keeps other amounts from the next run on.
    pub fn set(&self, keep: Duration, max_size: u64) {
        self.keep_ms.store(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.max_size.store(max_size, Ordering::Relaxed);
    }

    fn keep_ms(&self) -> i64 {
        i64::try_from(self.keep_ms.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
    }

    fn max_size(&self) -> u64 {
        self.max_size.load(Ordering::Relaxed)
    }
}

/// Rules and state of retention.
pub struct Retention {
    checkpoints_dir: PathBuf,
    bounds: Arc<JournalBounds>,
    clock: Clock,
    registry: Arc<SegmentRegistry>,
    bytes_at_checkpoint: u64,
    failure: Option<String>,
}

impl Retention {
    /// Retention of a data directory's journal.
    #[must_use]
    pub fn new(data_dir: &Path, keep: Duration, max_size: u64, clock: Clock, registry: Arc<SegmentRegistry>) -> Self {
        let checkpoints_dir = checkpoints_dir(data_dir);
        let bytes_at_checkpoint = total(&registry.list());
        let bounds = Arc::new(JournalBounds { keep_ms: AtomicU64::default(), max_size: AtomicU64::default() });
        bounds.set(keep, max_size);
        Self { checkpoints_dir, bounds, clock, registry, bytes_at_checkpoint, failure: None }
    }

    /// What is kept, to be changed while it runs.
    #[must_use]
    pub fn bounds(&self) -> Arc<JournalBounds> {
        Arc::clone(&self.bounds)
    }

    /// Deletes and copies what is due. Failures are logged once and tried again at the next run.
    pub(super) fn run(&mut self, db: &StateDb, positions: &Positions, faults: &Faults) {
        let result = self.try_run(db, positions, faults).map_err(|error| error.chain());
        if let Err(text) = &result
            && self.failure.as_ref() != Some(text)
        {
            tracing::error!(error = text, "journal retention failed; old segments stay for now");
        }
        self.failure = result.err();
    }

    fn try_run(&mut self, db: &StateDb, positions: &Positions, faults: &Faults) -> Result<(), StorageError> {
        let closed = self.registry.list();
        let due = self.due(&closed, positions);
        let checkpoints = list_checkpoints(&self.checkpoints_dir)?;
        let newest = checkpoints.last().map_or(0, |(block, _)| *block);
        let behind_due = due.last().is_some_and(|(_, segment)| segment.next_block > newest);
        let size = total(&closed);
        let grown = size.saturating_sub(self.bytes_at_checkpoint) >= self.bounds.max_size() / 8;
        if behind_due || grown {
            let needs = self.checkpoint(db, positions, &closed, faults)?;
            self.bytes_at_checkpoint = size;
            return self.delete(&due, needs.max(newest), faults);
        }
        self.delete(&due, newest, faults)
    }

    /// The oldest segments that may go, as far as the rules and the state database say.
    fn due(&self, closed: &[(u64, ClosedSegment)], positions: &Positions) -> Vec<(u64, ClosedSegment)> {
        let now = (self.clock)();
        let (keep, max_size) = (self.bounds.keep_ms(), self.bounds.max_size());
        let mut size = total(closed);
        let mut due = Vec::new();
        for (number, segment) in closed {
            let is_old = now.since(segment.last_time) > keep;
            if !(is_old || size > max_size) || !is_covered(segment, positions) {
                break;
            }
            size = size.saturating_sub(segment.bytes);
            due.push((*number, segment.clone()));
        }
        due
    }

    /// Copies the state database; the first block that replay from the copy needs.
    fn checkpoint(
        &self,
        db: &StateDb,
        positions: &Positions,
        closed: &[(u64, ClosedSegment)],
        faults: &Faults,
    ) -> Result<u64, StorageError> {
        let needs = first_needed(closed, positions);
        let path = self.checkpoints_dir.join(format!("{needs:012}.db"));
        if path.exists() {
            return Ok(needs);
        }
        fs::create_dir_all(&self.checkpoints_dir).map_err(StorageError::io("create", &self.checkpoints_dir))?;
        faults.hit("checkpoint").map_err(StorageError::io("write", &path))?;
        let unfinished = path.with_extension("tmp");
        let _ = fs::remove_file(&unfinished);
        db.copy_to(&unfinished).map_err(StorageError::database("copy it to a checkpoint", &unfinished))?;
        let durable = fs::File::open(&unfinished).and_then(|file| file.sync_all());
        durable
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| fs::File::open(&self.checkpoints_dir)?.sync_all())
            .map_err(StorageError::io("write", &path))?;
        Ok(needs)
    }

    /// Deletes the due segments that the newest checkpoint does not need, then checkpoints that lack their journal.
    fn delete(&mut self, due: &[(u64, ClosedSegment)], newest: u64, faults: &Faults) -> Result<(), StorageError> {
        let mut first_left = 0;
        for (number, segment) in due.iter().take_while(|(_, segment)| segment.next_block <= newest) {
            faults.hit("retention_delete").map_err(StorageError::io("delete", &segment.path))?;
            match fs::remove_file(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::Io { what: "delete", path: segment.path.clone(), source: error });
                }
                _ => self.registry.remove(*number),
            }
            first_left = segment.next_block;
            self.bytes_at_checkpoint = self.bytes_at_checkpoint.saturating_sub(segment.bytes);
        }
        for (block, path) in list_checkpoints(&self.checkpoints_dir)? {
            if block < first_left {
                fs::remove_file(&path).map_err(StorageError::io("delete", &path))?;
            }
        }
        Ok(())
    }
}

fn total(closed: &[(u64, ClosedSegment)]) -> u64 {
    closed.iter().map(|(_, segment)| segment.bytes).sum()
}

fn is_covered(segment: &ClosedSegment, positions: &Positions) -> bool {
    segment.last_positions.iter().all(|(shard, last)| positions.of(*shard) >= *last)
}

/// The first block that is needed beside a state at `positions`: the first of the first segment that is not covered.
fn first_needed(closed: &[(u64, ClosedSegment)], positions: &Positions) -> u64 {
    closed
        .iter()
        .take_while(|(_, segment)| is_covered(segment, positions))
        .last()
        .map_or(1, |(_, segment)| segment.next_block)
}

/// The folder of checkpoints within a data directory.
#[must_use]
pub fn checkpoints_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("checkpoints")
}

/// Checkpoints in order, each with the first block that replay from it needs.
pub fn list_checkpoints(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StorageError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(StorageError::io("list", dir))?,
    };
    let mut checkpoints = Vec::new();
    for entry in entries {
        let path = entry.map_err(StorageError::io("list", dir))?.path();
        let is_checkpoint = path.extension().is_some_and(|extension| extension == "db");
        let block = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(block)) = (is_checkpoint, block) {
            checkpoints.push((block, path));
        }
    }
    checkpoints.sort_unstable();
    Ok(checkpoints)
}
