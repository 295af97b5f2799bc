//! The journal's thread: group commit, and what happens when a commit fails.
//!
//! A failed write, sync or segment is handled the same way: the file is closed and never written or synced again (what a
//! failed sync leaves in the page cache cannot be trusted), the epoch goes up, everything waiting under the old epoch is
//! told so, and the log goes on in a new segment whose header declares the failed block void. While no
//! segment can be made, batches fail at once; a new attempt is made at most every [`RETRY`].

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use super::{
    JournalHealth, JournalOptions, JournalStart, Message, Shared,
    block::{AFTER_SYNC, BlockBuilder, MAX_BATCHES},
    registry::ClosedSegment,
    segment::{SegmentFile, SegmentHeader, journal_dir},
};
use crate::{
    config::{Durability, limits::SEALED_GROUP},
    model::{SymbolTable, Timestamp},
    storage::{JournalPosition, SealedBatch, decode::BatchEnvelope},
    telemetry::metrics::Metrics,
};

/// Least time between two attempts to begin a segment after a failure.
const RETRY: Duration = Duration::from_millis(100);
/// Without batches, attempts are made this often, so that readiness comes back by itself.
const IDLE_RETRY: Duration = Duration::from_secs(1);
/// A block is closed at this size; large enough for 50,000 ordinary reports.
const BLOCK_BYTES: usize = 4 << 20;
/// How long a block waits for batches that follow at once.
const GATHER: Duration = Duration::from_millis(1);
/// How often it looks for them.
const GATHER_LOOK: Duration = Duration::from_micros(200);
/// So many batches do not wait for more.
const GATHER_BATCHES: usize = 16;
/// A block is closed with so many batches: a group more fits behind them.
const MOST_BATCHES: usize = MAX_BATCHES - SEALED_GROUP;
/// Buffer kept between blocks.
const KEPT_BUFFER: usize = 8 << 20;

pub(super) struct Writer {
    options: JournalOptions,
    dir: PathBuf,
    symbols: Arc<SymbolTable>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    waiting: Receiver<Message>,
    batches: Vec<SealedBatch>,
    /// Shards whose last batch is followed by another.
    followed: HashSet<u16>,
    builder: BlockBuilder,
    segment: Option<SegmentFile>,
    /// The last batch of each shard in the segment.
    last_positions: HashMap<u16, JournalPosition>,
    last_time: Timestamp,
    next_block: u64,
    next_segment: u64,
    void_from: u64,
    symbols_written: usize,
    /// Everything written is on stable storage.
    is_synced: bool,
    last_attempt: Option<Instant>,
    is_stopping: bool,
}

impl Writer {
    pub(super) fn open(
        options: JournalOptions,
        start: &JournalStart,
        symbols: Arc<SymbolTable>,
        metrics: Arc<Metrics>,
        shared: Arc<Shared>,
        waiting: Receiver<Message>,
    ) -> io::Result<Self> {
        let mut writer = Self {
            dir: journal_dir(&options.data_dir),
            last_time: (options.clock)(),
            options,
            symbols,
            metrics,
            shared,
            waiting,
            batches: Vec::new(),
            followed: HashSet::new(),
            builder: BlockBuilder::default(),
            segment: None,
            last_positions: HashMap::new(),
            next_block: start.next_block,
            next_segment: start.next_segment,
            void_from: start.void_from,
            symbols_written: start.symbols_written,
            is_synced: true,
            last_attempt: None,
            is_stopping: false,
        };
        writer.begin_segment()?;
        writer.last_attempt = None;
        Ok(writer)
    }

    pub(super) fn run(mut self) {
        let _vital = self.metrics.vital.enter("journal");
        while !self.is_stopping {
            let message = if self.segment.is_some() {
                self.waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.waiting.recv_timeout(IDLE_RETRY)
            };
            match message {
                Ok(Message::Batches(batches)) => {
                    self.collect(batches);
                    self.gather();
                    if !self.batches.is_empty() {
                        self.commit();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.begin_segment() {
                        self.report_failing(&failure("begin a new segment", &error));
                    }
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    /// Takes everything waiting, up to a bound; what belongs to an earlier epoch fails here.
    fn collect(&mut self, first: Vec<SealedBatch>) {
        let epoch = self.shared.epoch.load(Ordering::Acquire);
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(batches) = next.take() {
            for batch in batches {
                if batch.is_followed {
                    self.followed.insert(batch.shard);
                } else {
                    self.followed.remove(&batch.shard);
                }
                if batch.epoch == epoch {
                    bytes += batch.bytes.len();
                    self.batches.push(batch);
                } else {
                    batch.tell.failed(epoch, "computed on state that a failed commit took back");
                }
            }
            // A group is far smaller than what a block may still hold.
            if bytes >= BLOCK_BYTES || self.batches.len() >= MOST_BATCHES {
                return;
            }
            match self.waiting.try_recv() {
                Ok(Message::Batches(batches)) => next = Some(batches),
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => self.is_stopping = true,
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    /// Waits for batches that follow at once, within bounds: they share the sync instead of waiting for the next one. Of a
    /// shard with nothing else in hand nothing is waited for, so that who reports alone does not wait at all.
    fn gather(&mut self) {
        let until = Instant::now() + GATHER;
        let bytes = |batches: &[SealedBatch]| batches.iter().map(|batch| batch.bytes.len()).sum::<usize>();
        while !self.followed.is_empty()
            && self.batches.len() < GATHER_BATCHES
            && bytes(&self.batches) < BLOCK_BYTES
            && !self.is_stopping
            && Instant::now() < until
        {
            // Looking now and then is cheaper than a wake-up for each batch, for the shards as well.
            std::thread::sleep(GATHER_LOOK);
            match self.waiting.try_recv() {
                Ok(Message::Batches(batches)) => self.collect(batches),
                Ok(Message::Stop) => self.is_stopping = true,
                Err(_) => {}
            }
        }
        self.followed.clear();
    }

    fn commit(&mut self) {
        match self.write_block() {
            Ok(()) => self.tell_committed(),
            Err(reason) => self.fail(&reason),
        }
        self.batches.clear();
        self.builder.shrink(KEPT_BUFFER);
    }

    /// Writes the collected batches as one block and makes it durable.
    fn write_block(&mut self) -> Result<(), String> {
        self.ready_segment()?;
        let new_symbols = self.symbols.from(self.symbols_written);
        let time = (self.options.clock)();
        let reports = self.batches.iter().map(|batch| batch.reports).sum();
        let flags = if self.is_synced { AFTER_SYNC } else { 0 };
        let batches = self.batches.iter().map(|batch| batch.bytes.as_slice());
        let symbols = (self.symbols_written, new_symbols.as_slice());
        let block = self.builder.build(self.next_block, time, flags, symbols, (reports, batches));
        if self.segment.as_ref().is_some_and(|segment| segment.is_full(block.len())) {
            // The block is built again behind the roll: its flags and the new segment's header depend on it.
            self.roll()?;
            return self.write_block();
        }
        let Some(segment) = &mut self.segment else { return Err("there is no segment".to_owned()) };
        let faults = &self.options.faults;
        segment.append(block, faults).map_err(|error| failure("write a block", &error))?;
        self.is_synced = false;
        faults.hit("after_write_before_sync").map_err(|error| failure("sync", &error))?;
        if self.options.durability == Durability::Sync {
            let begin = Instant::now();
            segment.sync(faults).map_err(|error| failure("sync", &error))?;
            self.is_synced = true;
            self.metrics.sync_nanoseconds.add(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        self.metrics.journal_bytes.add(block.len() as u64);
        self.metrics.reports_committed.add(u64::from(reports));
        self.symbols_written += new_symbols.len();
        self.last_time = time;
        Ok(())
    }

    fn tell_committed(&mut self) {
        // From here on the block counts: a fault can only kill.
        let _ = self.options.faults.hit("after_sync_before_tell");
        self.metrics.commits.increment();
        self.metrics.batches.add(self.batches.len() as u64);
        let block = self.next_block;
        self.next_block += 1;
        self.last_attempt = None;
        self.set_health(JournalHealth::Ok);
        for (index, batch) in self.batches.drain(..).enumerate() {
            let position = JournalPosition(block << 16 | index as u64);
            if let Ok(envelope) = BatchEnvelope::read(&batch.bytes) {
                self.last_positions.insert(envelope.shard, position);
            }
            batch.tell.committed(position);
        }
    }

    /// Nothing of the collected batches is stored.
    fn fail(&mut self, reason: &str) {
        self.metrics.commits_failed.increment();
        if let Some(segment) = self.segment.take() {
            if self.options.durability == Durability::Os {
                // Not synced before, so one sync of it is meaningful: its earlier blocks get older than a new segment.
                self.is_synced = segment.sync(&self.options.faults).is_ok();
            } else {
                self.is_synced = true;
            }
            if segment.header.first_block == self.next_block {
                // It holds nothing that counts.
                let _ = std::fs::remove_file(&segment.path);
            } else {
                self.register(&segment);
            }
        }
        // The number is given again; what stands on disk under it does not count.
        self.void_from = self.next_block;
        let epoch = self.shared.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.report_failing(reason);
        for batch in self.batches.drain(..) {
            batch.tell.failed(epoch, reason);
        }
        if self.is_attempt_due()
            && let Err(error) = self.begin_segment()
        {
            self.report_failing(&failure("begin a new segment", &error));
        }
    }

    fn ready_segment(&mut self) -> Result<(), String> {
        if self.segment.is_some() {
            return Ok(());
        }
        if !self.is_attempt_due() {
            return Err(match &*self.shared.health.lock().unwrap_or_else(PoisonError::into_inner) {
                JournalHealth::Failing { reason, .. } => reason.clone(),
                JournalHealth::Ok => "there is no segment".to_owned(),
            });
        }
        self.begin_segment().map_err(|error| failure("begin a new segment", &error))
    }

    fn is_attempt_due(&self) -> bool {
        self.last_attempt.is_none_or(|last| last.elapsed() >= RETRY)
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if self.segment.is_some() {
            return Ok(());
        }
        self.last_attempt = Some(Instant::now());
        let header = SegmentHeader {
            first_block: self.next_block,
            void_from: self.void_from,
            symbols_before: u32::try_from(self.symbols_written).unwrap_or(u32::MAX),
            created: (self.options.clock)(),
        };
        let number = self.next_segment;
        // A number is used once, even if its file could not be made: a rest of it may be left.
        self.next_segment += 1;
        let (size, faults) = (self.options.segment_size, &self.options.faults);
        self.segment = Some(SegmentFile::create(&self.dir, number, header, size, faults)?);
        self.last_positions.clear();
        self.set_health(JournalHealth::Ok);
        Ok(())
    }

    /// Closes the full segment and begins the next one.
    fn roll(&mut self) -> Result<(), String> {
        self.options.faults.hit("segment_roll").map_err(|error| failure("begin a new segment", &error))?;
        if let Some(segment) = self.segment.take() {
            self.register(&segment);
            if !self.is_synced {
                segment.sync(&self.options.faults).map_err(|error| failure("sync", &error))?;
                self.is_synced = true;
            }
        }
        self.void_from = self.next_block;
        self.begin_segment().map_err(|error| failure("begin a new segment", &error))
    }

    fn register(&mut self, segment: &SegmentFile) {
        let closed = ClosedSegment {
            path: segment.path.clone(),
            next_block: self.next_block,
            last_time: self.last_time,
            bytes: segment.end.max(self.options.segment_size),
            last_positions: std::mem::take(&mut self.last_positions),
        };
        self.shared.registry.add(segment.number, closed);
    }

    /// Ends in good order: what still waits is committed or told, the room allocated ahead is given back.
    fn close(mut self) {
        while let Ok(message) = self.waiting.try_recv() {
            let Message::Batches(batches) = message else { continue };
            self.collect(batches);
            if !self.batches.is_empty() {
                self.commit();
            }
        }
        if let Some(segment) = &self.segment
            && let Err(error) = segment.trim()
        {
            tracing::warn!(path = %segment.path.display(), %error, "the last segment could not be trimmed");
        }
    }

    fn set_health(&self, health: JournalHealth) {
        let mut current = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != health {
            if health == JournalHealth::Ok {
                tracing::info!("the journal stores again");
            }
            *current = health;
        }
    }

    fn report_failing(&self, reason: &str) {
        let mut current = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &*current {
            JournalHealth::Failing { since, .. } => *since,
            JournalHealth::Ok => (self.options.clock)(),
        };
        let failing = JournalHealth::Failing { since, reason: reason.to_owned() };
        if *current != failing {
            tracing::error!(dir = %self.dir.display(), reason, "the journal cannot store; reports are answered `unavailable`");
            *current = failing;
        }
    }
}

fn failure(what: &str, error: &io::Error) -> String {
    format!("the journal cannot {what}: {error}")
}
