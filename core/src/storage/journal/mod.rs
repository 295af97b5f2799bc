//! The journal: an append-only log of blocks in segment files, one block a commit.
//!
//! Shards hand in encoded batches; one thread takes what waits, writes it as one block behind the last, makes it durable
//! as configured, and tells every batch its position. The log begins at any segment with the symbols that earlier
//! segments and the state database define. Decision and measurements: `core/decisions/0001-journal-is-a-segment-log.md`.
//!
//! | part | what it knows |
//! |---|---|
//! | `block` | bytes of a commit |
//! | `segment` | files: names, headers, room ahead, append, sync |
//! | `writer` | the thread: group commit, failure, roll |
//! | `reader` | blocks in order; torn tail or damage |
//! | `registry` | closed segments, for retention |

pub mod block;
pub mod reader;
pub mod registry;
pub mod segment;
mod writer;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use self::{registry::SegmentRegistry, segment::journal_dir, writer::Writer};
use super::{SealedBatch, error::StorageError, faults::Faults};
use crate::{
    config::{Durability, limits::JOURNAL_QUEUE},
    model::{SymbolTable, Timestamp},
    telemetry::metrics::Metrics,
};

/// Most bytes of one batch; the encoder's own bound, compressed, stays below it.
pub const MAX_BATCH_BYTES: usize = 300 << 20;

/// The manager's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where and how the journal is written.
#[derive(Clone)]
pub struct JournalOptions {
    /// The data directory; the journal is its folder `journal`.
    pub data_dir: PathBuf,
    /// When a block counts as stored.
    pub durability: Durability,
    /// Size of a segment file.
    pub segment_size: u64,
    /// The manager's clock.
    pub clock: Clock,
    /// Fault points, for tests.
    pub faults: Faults,
}

/// Where the log goes on, as recovery found it.
#[derive(Clone, Debug)]
pub struct JournalStart {
    /// Number of the next block.
    pub next_block: u64,
    /// Number of the next segment file.
    pub next_segment: u64,
    /// Blocks of earlier segments from this number on do not count.
    pub void_from: u64,
    /// Symbols that the log defines already: those with lower numbers.
    pub symbols_written: usize,
}

/// Whether the journal can store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalHealth {
    /// It can.
    Ok,
    /// It cannot.
    Failing {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
}

/// What the thread and others see.
pub(crate) struct Shared {
    pub(crate) epoch: AtomicU64,
    pub(crate) health: Mutex<JournalHealth>,
    pub(crate) registry: Arc<SegmentRegistry>,
}

pub(crate) enum Message {
    Batches(Vec<SealedBatch>),
    Stop,
}

/// Batches that the journal did not take; nobody was told.
pub enum NotTaken {
    /// It has as many waiting as it takes; there will be room.
    Full(Vec<SealedBatch>),
    /// It was stopped.
    Stopped(Vec<SealedBatch>),
}

/// The running journal.
pub struct Journal {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    faults: Faults,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens a new segment and starts the thread. An error means that nothing could be stored now.
    pub fn start(
        options: JournalOptions,
        start: &JournalStart,
        symbols: Arc<SymbolTable>,
        registry: Arc<SegmentRegistry>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StorageError> {
        let dir = journal_dir(&options.data_dir);
        fs::create_dir_all(&dir).map_err(StorageError::io("create", &dir))?;
        let shared = Arc::new(Shared { epoch: AtomicU64::new(0), health: Mutex::new(JournalHealth::Ok), registry });
        let faults = options.faults.clone();
        let (queue, waiting) = sync_channel(JOURNAL_QUEUE);
        let writer = Writer::open(options, start, symbols, metrics, Arc::clone(&shared), waiting)
            .map_err(StorageError::io("begin a segment in", &dir))?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(StorageError::io("start the thread of", &dir))?;
        Ok(Self { queue, shared, faults, thread: Mutex::new(Some(thread)) })
    }

    /// Hands in a batch; waits while [`JOURNAL_QUEUE`] groups of batches wait. The batch comes back if the journal was stopped
    /// or the batch is larger than [`MAX_BATCH_BYTES`]; its `tell` is not called then.
    pub fn submit(&self, batch: SealedBatch) -> Result<(), SealedBatch> {
        if !self.admits(&batch) {
            return Err(batch);
        }
        self.queue.send(Message::Batches(vec![batch])).map_err(|refused| match refused.0 {
            Message::Batches(mut batches) if batches.len() == 1 => batches.swap_remove(0),
            _ => unreachable!("one batch was sent"),
        })
    }

    /// Whether a batch is one that may be handed in.
    #[must_use]
    pub fn admits(&self, batch: &SealedBatch) -> bool {
        batch.bytes.len() <= MAX_BATCH_BYTES && self.faults.hit("before_submit").is_ok()
    }

    /// Hands in batches together, in their order, each of which it [admits](Self::admits); never waits.
    pub fn offer(&self, batches: Vec<SealedBatch>) -> Result<(), NotTaken> {
        let back = |message| match message {
            Message::Batches(batches) => batches,
            Message::Stop => Vec::new(),
        };
        self.queue.try_send(Message::Batches(batches)).map_err(|error| match error {
            TrySendError::Full(message) => NotTaken::Full(back(message)),
            TrySendError::Disconnected(message) => NotTaken::Stopped(back(message)),
        })
    }

    /// The epoch under which batches are taken. A shard that has nothing uncommitted may take it over; one that has
    /// waits for [`super::Tell::failed`].
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// For `/readyz`.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Commits what was handed in before, closes the segment and ends the thread. What is handed in later comes back.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // An error means that the thread has ended already.
            let _ = self.queue.send(Message::Stop);
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
