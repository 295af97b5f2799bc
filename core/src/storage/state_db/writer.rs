//! The thread that writes the state database, off the commit path.
//!
//! Shards hand in what changed once the batch behind it is committed; several flushes go into one transaction. A failed
//! transaction is counted and tried again together with what came since: nothing is lost by it, the journal still has
//! everything. The queue is bounded: beyond `QUEUE` flushes, those of one shard are merged. Writing takes at most
//! about an eighth of the time, so that a slow disk is left to the journal.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{Positions, StateDb, StateFlush, SubjectKey, subjects};
use crate::{
    config::limits::QUARANTINE_ENTRIES,
    model::SymbolTable,
    storage::{error::StorageError, faults::Faults, record::PolicyStates, retention::Retention},
    telemetry::metrics::Metrics,
};

/// Flushes waiting before those of one shard are merged.
const QUEUE: usize = 64;
/// Wait after a failed transaction.
const RETRY: Duration = Duration::from_secs(1);
/// A transaction that took a time is followed by a pause of this many times as long.
const PAUSE_FACTOR: u32 = 7;
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Queue {
    flushes: Vec<StateFlush>,
    is_stopping: bool,
    failure: Option<String>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running state writer.
pub struct StateWriter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread owns.
pub struct StateWriterParts {
    /// The database, as recovery left it.
    pub db: StateDb,
    /// Symbols, and how many of them the database holds.
    pub symbols: (Arc<SymbolTable>, usize),
    /// Deletes old segments and makes checkpoints.
    pub retention: Retention,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Fault points.
    pub faults: Faults,
}

impl StateWriter {
    /// Starts the thread.
    pub fn start(parts: StateWriterParts) -> Result<Self, StorageError> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let path = parts.db.path.clone();
        let positions = parts.db.positions()?;
        let worker = Worker { shared: Arc::clone(&shared), parts, positions, pending: Vec::new() };
        let thread = std::thread::Builder::new().name("state-db".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(StorageError::io("start the thread of", &path))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Hands in what a shard changed up to a committed batch. Never waits for the disk.
    pub fn flush(&self, flush: StateFlush) {
        let mut queue = self.shared.queue();
        let full = queue.flushes.len() >= QUEUE;
        match queue.flushes.iter_mut().rev().find(|waiting| full && waiting.shard == flush.shard) {
            Some(waiting) => merge(waiting, flush),
            None => queue.flushes.push(flush),
        }
        drop(queue);
        self.shared.changed.notify_one();
    }

    /// Why the last transaction failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.queue().failure.clone()
    }

    /// Writes what was handed in and ends the thread.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.shared.queue().is_stopping = true;
            self.shared.changed.notify_one();
            let _ = thread.join();
        }
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    shared: Arc<Shared>,
    parts: StateWriterParts,
    positions: Positions,
    /// Taken from the queue and not yet written.
    pending: Vec<StateFlush>,
}

impl Worker {
    fn run(mut self) {
        let _vital = self.parts.metrics.vital.enter("state-db");
        loop {
            let is_stopping = self.take();
            let begin = Instant::now();
            let pause = match self.write() {
                Ok(()) => (begin.elapsed() * PAUSE_FACTOR).min(PAUSE_MAX),
                Err(error) => {
                    self.failed(&error);
                    RETRY
                }
            };
            if is_stopping {
                return;
            }
            self.parts.retention.run(&self.parts.db, &self.positions, &self.parts.faults);
            self.pause(pause);
        }
    }

    /// Waits for flushes and takes them; whether the writer is stopping.
    fn take(&mut self) -> bool {
        let mut queue = self.shared.queue();
        while queue.flushes.is_empty() && self.pending.is_empty() && !queue.is_stopping {
            queue = self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        for flush in queue.flushes.drain(..) {
            match self.pending.iter_mut().find(|waiting| waiting.shard == flush.shard) {
                Some(waiting) => merge(waiting, flush),
                None => self.pending.push(flush),
            }
        }
        queue.is_stopping
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let StateWriterParts { db, symbols: (table, known), metrics, faults, .. } = &mut self.parts;
        faults.hit("state_flush").map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let new_symbols = table.from(*known);
        db.write((*known, &new_symbols), &self.pending, || faults.hit("during_state_flush"))?;
        *known += new_symbols.len();
        metrics.state_flushes.increment();
        for flush in self.pending.drain(..) {
            let position = self.positions.shards.entry(flush.shard).or_default();
            *position = flush.position.max(*position);
        }
        if self.shared.queue().failure.take().is_some() {
            tracing::info!("the state database is written again");
        }
        Ok(())
    }

    fn failed(&self, error: &rusqlite::Error) {
        self.parts.metrics.state_flushes_failed.increment();
        let text = error.to_string();
        let mut queue = self.shared.queue();
        if queue.failure.as_ref() != Some(&text) {
            let path = self.parts.db.path.display();
            tracing::error!(%path, error = text, "the state database cannot be written; it is tried again, the journal has everything");
            queue.failure = Some(text);
        }
    }

    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut queue = self.shared.queue();
        while !queue.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Puts a later flush of the same shard on top of an earlier one.
pub(super) fn merge(earlier: &mut StateFlush, later: StateFlush) {
    earlier.position = earlier.position.max(later.position);
    earlier.components = latest(earlier.components.drain(..).chain(later.components), |component| component.0);
    let timer = |timer: &crate::storage::record::TimerChange| (timer.policy, timer.component, timer.resource);
    earlier.timers = latest(earlier.timers.drain(..).chain(later.timers), timer);
    earlier.alarms = latest(earlier.alarms.drain(..).chain(later.alarms), |alarm| alarm.id);
    earlier.quarantined.extend(later.quarantined);
    let surplus = earlier.quarantined.len().saturating_sub(QUARANTINE_ENTRIES);
    earlier.quarantined.drain(..surplus);
    earlier.network.extend(later.network);
    earlier.usage.extend(later.usage);
    earlier.decisions.extend(later.decisions);
    earlier.policy_states.extend(later.policy_states);
    earlier.policy_states = latest_states(&earlier.policy_states);
}

/// The last item of each key, in order of first appearance.
fn latest<T, K: std::hash::Hash + Eq>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        match places.entry(key(&item)) {
            std::collections::hash_map::Entry::Occupied(place) => {
                if let Some(earlier) = kept.get_mut(*place.get()) {
                    *earlier = item;
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(item);
            }
        }
    }
    kept
}

fn latest_states(groups: &[PolicyStates]) -> Vec<PolicyStates> {
    let mut last: HashMap<SubjectKey, &[f64]> = HashMap::new();
    for states in groups {
        last.extend(
            subjects(states).map(|(component, resource, values)| ((states.policy, component, resource), values)),
        );
    }
    // Widths may differ between subjects if a policy was changed: one group for each policy and width.
    let mut merged: HashMap<(u32, usize), PolicyStates> = HashMap::new();
    for ((policy, component, resource), values) in last {
        let group = merged.entry((policy, values.len())).or_default();
        group.policy = policy;
        group.components.push(component);
        group.resources.push(resource);
        group.values.extend_from_slice(values);
    }
    merged.into_values().collect()
}
