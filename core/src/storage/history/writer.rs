//! The thread that follows the feed and writes history.
//!
//! It takes what comes, and writes what changed at least every [`HISTORY_FLUSH`], at most an eighth of the time. A failed
//! write is counted, told and tried again with what came since. It never holds up anybody: who is slow here reads the journal
//! later.

use std::{
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Retention,
    db::HistoryDb,
    series::{Run, Store},
};
use crate::{
    config::limits::{HISTORY_FINISHED_CHUNKS, HISTORY_FLUSH},
    model::{Symbol, Timestamp},
    storage::{
        JournalPosition,
        error::StorageError,
        feed::{Fed, Feed, Follower},
        record::{AnswerCode, BatchRecord, Cause},
    },
    telemetry::metrics::Metrics,
};

/// A write that took a time is followed by a pause of this many times as long.
const PAUSE_FACTOR: u32 = 7;
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Batches that are worth waking the thread for before it is to write.
const GROUP: usize = 32;

/// The running writer.
#[derive(Debug)]
pub struct HistoryWriter {
    thread: JoinHandle<()>,
}

impl HistoryWriter {
    /// Opens the database, follows the feed from where history stands, and starts the thread. `committed` is the last
    /// batch of the journal now; a history that was never written begins there.
    pub fn start(
        data_dir: &Path,
        feed: &Feed,
        committed: JournalPosition,
        retention: Retention,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StorageError> {
        let mut db = HistoryDb::open(data_dir)?;
        let (position, number) = db.standing()?;
        // A journal that begins anew (its folder was emptied) has lower positions than history remembers.
        let from = position.filter(|position| *position <= committed).unwrap_or(committed);
        if position != Some(from) {
            // So that a crash before the first flush does not make history begin behind what came meanwhile.
            db.write(&[], from, Timestamp(0), &retention)?;
        }
        let follower = feed.follow(data_dir, from, committed).in_groups_of(GROUP);
        let levels = super::Level::ALL.map(|level| !retention.of(level).is_zero());
        let worker = Worker {
            db,
            follower,
            store: Store::new(number, levels),
            retention,
            metrics,
            last_time: Timestamp(0),
            times: Vec::new(),
            is_owed: false,
            is_failing: false,
        };
        let thread = std::thread::Builder::new().name("history".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(StorageError::io("start the thread of", data_dir))?;
        Ok(Self { thread })
    }

    /// Waits until everything is written, once the feed has been stopped.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("The writer of history ended with a panic.");
        }
    }
}

struct Worker {
    db: HistoryDb,
    follower: Follower,
    store: Store,
    retention: Retention,
    metrics: Arc<Metrics>,
    /// The manager's clock, as far as batches told it.
    last_time: Timestamp,
    /// Room for the times of a run of reports.
    times: Vec<i64>,
    is_owed: bool,
    is_failing: bool,
}

impl Worker {
    fn run(mut self) {
        let mut next_flush = Instant::now() + HISTORY_FLUSH;
        loop {
            let wait = next_flush.saturating_duration_since(Instant::now());
            match self.follower.next(wait) {
                Ok(Fed::Batch(_, record)) => self.take(&record),
                Ok(Fed::Gap(to)) => {
                    self.metrics.history_gaps.increment();
                    tracing::error!(%to, "History has a gap: the journal was deleted before it was read.");
                }
                Ok(Fed::Nothing) => {}
                Ok(Fed::Stopped) => break,
                Err(error) => {
                    self.metrics.history_gaps.increment();
                    tracing::error!(%error, "History cannot read the journal and goes on with what is new.");
                }
            }
            let is_full = self.store.finished() >= HISTORY_FINISHED_CHUNKS;
            // A group is written as a whole: what came with it would wait for the next time.
            let is_due = Instant::now() >= next_flush && !self.follower.has_more();
            if self.is_owed && (is_full || is_due) {
                let took = self.flush();
                next_flush = Instant::now() + HISTORY_FLUSH.max((took * PAUSE_FACTOR).min(PAUSE_MAX));
            } else if !self.is_owed && Instant::now() >= next_flush {
                next_flush = Instant::now() + HISTORY_FLUSH;
            }
        }
        self.flush();
    }

    fn take(&mut self, record: &BatchRecord) {
        self.is_owed = true;
        self.last_time = self.last_time.max(record.time);
        if record.cause != Cause::Reports {
            return;
        }
        let mut from = 0;
        while from < record.input.len() {
            from = if record.input.times.is_empty() && record.effects.added_samples.is_empty() {
                self.take_run(record, from)
            } else {
                self.take_report(record, from);
                from + 1
            };
        }
    }

    /// Takes the accepted reports from this one on that name the same values of the same component; where they end.
    fn take_run(&mut self, record: &BatchRecord, from: usize) -> usize {
        let input = &record.input;
        let shape = |index: usize| {
            let range = input.samples(index);
            (input.component(index), input.names.get(range.clone()), input.resources.get(range))
        };
        let first = shape(from);
        let is_accepted = |index: usize| record.answers.get(index) == Some(&(AnswerCode::Accepted as u8));
        let goes_on = |index: &usize| is_accepted(*index) && shape(*index) == first;
        let until = from + (from..input.len()).take_while(goes_on).count();
        let (Symbol(component), Some(names), Some(resources)) = first else { return from + 1 };
        let range = input.samples(from).start..input.samples(until.max(from + 1) - 1).end;
        let Some(values) = input.values.get(range).filter(|_| until > from) else { return from + 1 };
        self.times.clear();
        self.times.extend(input.reports.get(from..until).unwrap_or_default().iter().map(|head| head.time));
        let refused = self.store.add_run(&Run { component, names, resources, times: &self.times, values });
        self.metrics.history_dropped.add(refused);
        until
    }

    /// Takes a report with times of its own, or in a batch that its handler added samples to.
    fn take_report(&mut self, record: &BatchRecord, index: usize) {
        let (input, added) = (&record.input, &record.effects.added_samples);
        let Some(head) = input.reports.get(index) else { return };
        if record.answers.get(index) != Some(&(AnswerCode::Accepted as u8)) {
            return;
        }
        let range = input.samples(index);
        let names = input.names.get(range.clone()).unwrap_or_default();
        let resources = input.resources.get(range.clone()).unwrap_or_default();
        let values = input.values.get(range.clone()).unwrap_or_default();
        let flags = input.flags.get(range).unwrap_or_default();
        for (((&name, &resource), &value), &flags) in names.iter().zip(resources).zip(values).zip(flags) {
            self.add((head.component, resource, name), input.sample_time(index, flags), value);
        }
        for sample in added.iter().filter(|sample| sample.report as usize == index) {
            self.add((head.component, sample.resource, sample.name), head.time, sample.value);
        }
    }

    fn add(&mut self, key: super::SeriesKey, time: i64, value: f64) {
        if !self.store.add(key, time, value) {
            self.metrics.history_dropped.increment();
        }
    }

    fn flush(&mut self) -> Duration {
        let began = Instant::now();
        let chunks = self.store.take_changed();
        let written = self.db.write(&chunks, self.follower.position(), self.last_time, &self.retention);
        match written {
            Ok(()) => {
                self.is_owed = false;
                self.metrics.history_chunks.add(chunks.len() as u64);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("History is written again.");
                }
            }
            Err(error) => {
                // What is lost of this flush is read again from the journal at the next start: the position stands.
                self.metrics.history_failed.increment();
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "History cannot be written.");
                }
                self.store.put_back(chunks);
            }
        }
        began.elapsed()
    }
}
