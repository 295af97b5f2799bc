//! The outboxes of all exporters, in memory and on disk, and what is remembered of every alarm.
//!
//! The thread that follows the journal puts events in; each exporter's task takes them out when its target has them. Both
//! hold the lock for one small transaction. While the disk refuses, what was not written is kept and written first; nothing
//! is sent that is not in the file.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    alarm::AlarmBoard,
    config::{ExporterConfig, FcapsFunction, PolicyConfig, exporter::ExporterKind, limits::EXPORTER_PARKED},
    export::{Event, EventKind, Filter, Functions, Known, outbox::Outbox},
    model::{Alarm, Severity, Timestamp},
    storage::{
        JournalPosition,
        error::StorageError,
        exports::{ExportChanges, ExportDb, StoredEvent, StoredExporter, StoredExports},
        record::BatchRecord,
    },
    telemetry::{exporter::ExporterMetrics, metrics::Metrics},
};

/// An event on its way out.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) number: u64,
    /// Events of the same alarm that were left out before it.
    pub(super) superseded: u64,
    /// The severity under which the target has the alarm as firing.
    pub(super) told: Option<Severity>,
    pub(super) event: Event,
}

/// What is kept for one exporter.
struct Tray {
    config: Arc<ExporterConfig>,
    filter: Filter,
    outbox: Outbox,
    parked: BTreeSet<u64>,
    firing: BTreeMap<u64, Severity>,
    delivered: JournalPosition,
    /// Alarms that it was told from the list and not from the journal, which may be behind.
    told_ahead: HashMap<u64, Known>,
    metrics: Arc<ExporterMetrics>,
    fresh: Arc<Notify>,
}

impl Tray {
    fn new(config: &Arc<ExporterConfig>, metrics: &Metrics) -> Self {
        let metrics = Arc::clone(&metrics.exporters.entry(config.name.clone()).or_default());
        Self {
            filter: Filter::new(&config.filter),
            outbox: Outbox::new(config.outbox),
            config: Arc::clone(config),
            parked: BTreeSet::new(),
            firing: BTreeMap::new(),
            delivered: JournalPosition(0),
            told_ahead: HashMap::new(),
            metrics,
            fresh: Arc::default(),
        }
    }

    fn stored(&self) -> StoredExporter {
        let (name, audience) = (self.config.name.clone(), self.config.audience());
        StoredExporter { name, audience, delivered: self.delivered }
    }

    fn count(&self) {
        self.metrics.waiting.set(self.outbox.len() as u64);
        self.metrics.parked_now.set(self.parked.len() as u64);
    }
}

struct Inner {
    db: ExportDb,
    unwritten: ExportChanges,
    is_failing: bool,
    position: JournalPosition,
    known: HashMap<u64, Known>,
    trays: Vec<Tray>,
    functions: Functions,
    next_number: u64,
}

/// How far an exporter is.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) cursor: JournalPosition,
    pub(super) delivered: JournalPosition,
    pub(super) pending: usize,
    pub(super) parked: usize,
    pub(super) firing: usize,
}

/// All of it. Exporters are named by their place in the configuration.
pub(super) struct Store(Mutex<Inner>);

impl Store {
    /// Opens the file, or makes it. `committed` is the last batch of the journal; the list of alarms is at least as new. A
    /// target that is new, or is to be told other alarms than before, is told all that are raised.
    pub(super) fn open(
        data_dir: &Path,
        configs: &[Arc<ExporterConfig>],
        functions: Functions,
        board: &AlarmBoard,
        committed: JournalPosition,
        metrics: &Metrics,
    ) -> Result<Self, StorageError> {
        let db = ExportDb::open(data_dir)?;
        let stored = db.load()?;
        let trays = configs.iter().map(|config| Tray::new(config, metrics)).collect();
        let next_number = stored.events.last().map_or(0, |event| event.number) + 1;
        let position = stored.position.filter(|position| *position <= committed);
        let mut inner = Inner {
            db,
            unwritten: ExportChanges::default(),
            is_failing: false,
            position: position.unwrap_or(committed),
            known: HashMap::new(),
            trays,
            functions,
            next_number,
        };
        let replaced = stored.position.is_some() && position.is_none();
        inner.take_over(&stored);
        let changed = inner.take_over_exporters(&stored);
        if position.is_none() {
            inner.remember(board);
            inner.unwritten.position = Some(committed);
        }
        if replaced {
            tracing::error!(
                "The journal ends before what exporters have seen of it: targets are told anew what is so."
            );
        }
        for index in 0..inner.trays.len() {
            if replaced || changed.contains(&index) {
                inner.resync(index, board);
            }
        }
        inner.flush()?;
        Ok(Self(Mutex::new(inner)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Policies that a reload brings.
    pub(super) fn learn(&self, policies: &[PolicyConfig]) {
        self.inner().functions.learn(policies);
    }

    /// Told when there is something new for an exporter.
    pub(super) fn fresh(&self, index: usize) -> Arc<Notify> {
        self.inner().trays.get(index).map(|tray| Arc::clone(&tray.fresh)).unwrap_or_default()
    }

    /// The journal position that everything reflects.
    pub(super) fn position(&self) -> JournalPosition {
        self.inner().position
    }

    /// Takes in what a batch did to alarms; whether there was anything.
    pub(super) fn take(&self, position: JournalPosition, record: &BatchRecord) -> bool {
        let mut inner = self.inner();
        inner.position = position;
        inner.unwritten.position = Some(position);
        for (place, alarm) in (0..).zip(&record.effects.alarms) {
            inner.alarm(position, place, alarm);
        }
        !record.effects.alarms.is_empty()
    }

    /// Batches up to a position are gone from the journal: every target is told anew what is so.
    pub(super) fn gap(&self, to: JournalPosition, board: &AlarmBoard) {
        let mut inner = self.inner();
        inner.position = inner.position.max(to);
        inner.unwritten.position = Some(inner.position);
        for index in 0..inner.trays.len() {
            inner.resync(index, board);
        }
        inner.remember(board);
    }

    /// Writes what is not written; whether that worked.
    pub(super) fn flush(&self) -> bool {
        self.inner().flush_and_tell().is_ok()
    }

    /// Whether the last write failed.
    pub(super) fn is_failing(&self) -> bool {
        self.inner().is_failing
    }

    /// The next events of an exporter.
    pub(super) fn next(&self, index: usize, most: usize) -> Result<Vec<Outgoing>, StorageError> {
        let mut inner = self.inner();
        inner.flush_and_tell()?;
        let Some(tray) = inner.trays.get(index) else { return Ok(Vec::new()) };
        let one_of_each = tray.config.kind == ExporterKind::Alertmanager;
        let stored = inner.db.events(&tray.outbox.first(most, one_of_each))?;
        let mut events = Vec::with_capacity(stored.len());
        let mut unreadable = Vec::new();
        for StoredEvent { number, superseded, body, .. } in stored {
            match serde_json::from_str::<Event>(&body) {
                Ok(event) => {
                    let told = tray.firing.get(&event.alarm.id).copied();
                    events.push(Outgoing { number, superseded, told, event });
                }
                Err(error) => {
                    tracing::error!(exporter = tray.config.name, number, %error, "An event in the outbox cannot be read and is left out.");
                    unreadable.push(number);
                }
            }
        }
        inner.done(index, &unreadable);
        Ok(events)
    }

    /// Events that arrived; under which severity each alarm fires at the target now, where that is of interest.
    pub(super) fn delivered(&self, index: usize, events: &[Outgoing], firing: &[(u64, Option<Severity>)]) {
        let mut inner = self.inner();
        let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
        inner.done(index, &numbers);
        let Inner { trays, unwritten, .. } = &mut *inner;
        let Some(tray) = trays.get_mut(index) else { return };
        tray.metrics.delivered.add(numbers.len() as u64);
        for (alarm, severity) in firing {
            match severity {
                Some(severity) => tray.firing.insert(*alarm, *severity),
                None => tray.firing.remove(alarm),
            };
            unwritten.firing.push((tray.config.name.clone(), *alarm, severity.map(|severity| severity.to_string())));
        }
        let last = events.iter().map(|event| JournalPosition(event.event.position)).max();
        tray.delivered = tray.delivered.max(last.unwrap_or_default());
        let stored = tray.stored();
        unwritten.exporters.push(stored);
        // Not written: it is sent again after a crash, which is allowed.
        let _told = inner.flush_and_tell();
    }

    /// Parks an event that the target refused.
    pub(super) fn park(&self, index: usize, number: u64, why: &str, now: Timestamp) {
        let mut inner = self.inner();
        let Inner { trays, unwritten, .. } = &mut *inner;
        let Some(tray) = trays.get_mut(index) else { return };
        tray.outbox.remove(number);
        tray.parked.insert(number);
        tray.metrics.parked.increment();
        unwritten.parked.push((number, now, why.to_owned()));
        while tray.parked.len() > EXPORTER_PARKED {
            let Some(oldest) = tray.parked.pop_first() else { break };
            tray.metrics.parked_lost.increment();
            tracing::error!(exporter = tray.config.name, "Too many events are parked; the oldest was given up.");
            unwritten.done.push(oldest);
        }
        tray.count();
        let _told = inner.flush_and_tell();
    }

    /// Puts parked events back; how many, and how many were let go because they are no longer true.
    pub(super) fn retry(&self, index: usize) -> Result<(usize, usize), StorageError> {
        let mut inner = self.inner();
        inner.flush_and_tell()?;
        let Some(name) = inner.trays.get(index).map(|tray| tray.config.name.clone()) else { return Ok((0, 0)) };
        let parked = inner.db.parked(&name, usize::MAX)?;
        let (mut again, mut outdated) = (Vec::new(), Vec::new());
        let Inner { trays, unwritten, known, .. } = &mut *inner;
        let Some(tray) = trays.get_mut(index) else { return Ok((0, 0)) };
        for event in parked {
            // An Alertmanager takes an event for the state of now; a webhook tells the order by `sequence`.
            let is_outdated = tray.config.kind == ExporterKind::Alertmanager
                && serde_json::from_str::<Event>(&event.body)
                    .is_ok_and(|read| known.get(&event.alarm).is_some_and(|known| known.is_ahead_of(&read.alarm)));
            tray.parked.remove(&event.number);
            if is_outdated {
                outdated.push(event.number);
            } else {
                tray.outbox.put(event.number, event.alarm);
                again.push(event.number);
            }
        }
        tray.count();
        let counts = (again.len(), outdated.len());
        unwritten.again.extend(again);
        unwritten.done.extend(outdated);
        inner.flush_and_tell()?;
        Ok(counts)
    }

    /// Parked events of an exporter.
    pub(super) fn parked(&self, index: usize, limit: usize) -> Result<Vec<StoredEvent>, StorageError> {
        let mut inner = self.inner();
        inner.flush_and_tell()?;
        let Some(tray) = inner.trays.get(index) else { return Ok(Vec::new()) };
        inner.db.parked(&tray.config.name, limit)
    }

    /// Alarms that fire at the target and of which nothing new waits.
    pub(super) fn firing(&self, index: usize) -> Vec<(u64, Severity)> {
        let inner = self.inner();
        let Some(tray) = inner.trays.get(index) else { return Vec::new() };
        let settled = tray.firing.iter().filter(|(alarm, _)| !tray.outbox.has(**alarm));
        settled.map(|(alarm, severity)| (*alarm, *severity)).collect()
    }

    /// How far an exporter is.
    pub(super) fn level(&self, index: usize) -> Option<Level> {
        let inner = self.inner();
        let tray = inner.trays.get(index)?;
        Some(Level {
            cursor: inner.position,
            delivered: tray.delivered,
            pending: tray.outbox.len(),
            parked: tray.parked.len(),
            firing: tray.firing.len(),
        })
    }

    /// The FCAPS function of an alarm, and whether its severity is one that the exporter is to tell by itself.
    pub(super) fn judge(&self, index: usize, alarm: &Alarm) -> (FcapsFunction, bool) {
        let inner = self.inner();
        let bad = inner.trays.get(index).is_some_and(|tray| tray.filter.is_bad_enough(alarm.report.severity));
        (inner.judged(alarm).function, bad)
    }
}

impl Inner {
    fn take_over(&mut self, stored: &StoredExports) {
        for (alarm, text) in &stored.known {
            match serde_json::from_str(text) {
                Ok(known) => drop(self.known.insert(*alarm, known)),
                Err(error) => {
                    tracing::error!(alarm, %error, "What exporters remember of an alarm cannot be read; its next event may be missing.");
                }
            }
        }
    }

    /// Takes over what is stored of the exporters; which of them are new, or told other alarms than before.
    fn take_over_exporters(&mut self, stored: &StoredExports) -> BTreeSet<usize> {
        let mut changed = BTreeSet::new();
        for (index, tray) in self.trays.iter_mut().enumerate() {
            let name = &tray.config.name;
            let before = stored.exporters.iter().find(|exporter| exporter.name == *name);
            tray.delivered = before.map_or(JournalPosition(0), |exporter| exporter.delivered);
            if before.is_none_or(|exporter| exporter.audience != tray.config.audience()) {
                changed.insert(index);
            }
            for event in stored.events.iter().filter(|event| event.exporter == *name) {
                if event.parked {
                    tray.parked.insert(event.number);
                } else {
                    tray.outbox.put(event.number, event.alarm);
                }
            }
            for left_out in tray.outbox.leave_out() {
                self.unwritten.left_out.push((left_out.number, left_out.by));
                tray.metrics.left_out.increment();
            }
            let firing = stored.firing.iter().filter(|(exporter, ..)| exporter == name);
            tray.firing.extend(firing.filter_map(|(_, alarm, severity)| Some((*alarm, severity.parse().ok()?))));
            self.unwritten.exporters.push(tray.stored());
            tray.count();
        }
        let is_gone = |exporter: &&StoredExporter| self.trays.iter().all(|tray| tray.config.name != exporter.name);
        for exporter in stored.exporters.iter().filter(is_gone) {
            let waiting = stored.events.iter().filter(|event| event.exporter == exporter.name).count();
            tracing::info!(
                exporter = exporter.name,
                waiting,
                "The exporter is no longer configured; what waited for it is let go."
            );
            self.unwritten.gone.push(exporter.name.clone());
        }
        changed
    }

    /// Remembers every alarm as it is on the list.
    fn remember(&mut self, board: &AlarmBoard) {
        for alarm in board.all() {
            let known = self.judged(&alarm);
            self.note(alarm.id, known);
        }
    }

    /// What is known of an alarm once it is as given.
    fn judged(&self, alarm: &Alarm) -> Known {
        Known::of(alarm, self.known.get(&alarm.id), self.functions.of(alarm))
    }

    fn note(&mut self, alarm: u64, known: Known) {
        self.known.insert(alarm, known);
        // Plain values: their JSON cannot fail.
        self.unwritten.known.push((alarm, serde_json::to_string(&known).unwrap_or_default()));
    }

    fn alarm(&mut self, position: JournalPosition, place: u32, alarm: &Alarm) {
        let before = self.known.get(&alarm.id).copied();
        let kind = Known::change(before.as_ref(), alarm);
        let is_old = before.is_some_and(|before| before.is_ahead_of(alarm));
        let after = self.judged(alarm);
        if !is_old {
            self.note(alarm.id, after);
        }
        let Some(kind) = kind.filter(|_| !is_old) else { return };
        let function = after.function;
        for index in 0..self.trays.len() {
            let Some(tray) = self.trays.get_mut(index) else { continue };
            if tray.told_ahead.get(&alarm.id).is_some_and(|told| told.covers(alarm)) {
                continue;
            }
            tray.told_ahead.remove(&alarm.id);
            if tray.filter.wants(alarm, &after) {
                let event = Event { position: position.0, place, kind, resync: false, function, alarm: alarm.clone() };
                self.put(index, &event);
            }
        }
    }

    /// Tells an exporter's target what is so: every alarm that is raised, and of those that it may take for raised, that
    /// they are not.
    fn resync(&mut self, index: usize, board: &AlarmBoard) {
        let mut alarms = board.all();
        alarms.sort_unstable_by_key(|alarm| alarm.id);
        let mut told = 0;
        for (place, alarm) in (0..).zip(alarms) {
            let before = self.known.get(&alarm.id).copied();
            let after = self.judged(&alarm);
            let function = after.function;
            let Some(tray) = self.trays.get_mut(index) else { return };
            let was_raised = before.is_some_and(|before| !before.is_cleared) || tray.firing.contains_key(&alarm.id);
            let wanted = tray.filter.wants(&alarm, &after);
            if !wanted && tray.firing.remove(&alarm.id).is_some() {
                // It is not told of any more; the alert ends by itself.
                self.unwritten.firing.push((tray.config.name.clone(), alarm.id, None));
            }
            if !wanted || (alarm.is_cleared && !was_raised) {
                continue;
            }
            tray.told_ahead.insert(alarm.id, after);
            told += 1;
            let kind = if alarm.is_cleared { EventKind::Cleared } else { EventKind::Raised };
            let position = self.position.0;
            let event = Event { position, place, kind, resync: true, function, alarm: alarm.as_ref().clone() };
            self.put(index, &event);
        }
        let Some(tray) = self.trays.get(index) else { return };
        tray.metrics.resyncs.increment();
        tracing::info!(exporter = tray.config.name, alarms = told, "The target is told anew what is so.");
    }

    fn put(&mut self, index: usize, event: &Event) {
        let Some(tray) = self.trays.get_mut(index) else { return };
        let number = self.next_number;
        self.next_number += 1;
        let body = serde_json::to_string(event).unwrap_or_default();
        self.unwritten.events.push((number, tray.config.name.clone(), event.alarm.id, body));
        tray.outbox.put(number, event.alarm.id);
        for left_out in tray.outbox.leave_out() {
            self.unwritten.left_out.push((left_out.number, left_out.by));
            tray.metrics.left_out.increment();
        }
        tray.count();
        tray.fresh.notify_one();
    }

    fn done(&mut self, index: usize, numbers: &[u64]) {
        let Some(tray) = self.trays.get_mut(index) else { return };
        numbers.iter().for_each(|number| tray.outbox.remove(*number));
        tray.count();
        self.unwritten.done.extend(numbers);
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        if !self.unwritten.is_empty() {
            self.db.write(&self.unwritten)?;
            self.unwritten = ExportChanges::default();
        }
        Ok(())
    }

    fn flush_and_tell(&mut self) -> Result<(), StorageError> {
        match self.flush() {
            Ok(()) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("The outboxes of exporters are written again.");
                }
                Ok(())
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(
                        error = error.chain(),
                        "The outboxes of exporters cannot be written; nothing is sent."
                    );
                }
                Err(error)
            }
        }
    }
}
