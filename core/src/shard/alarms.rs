//! The alarms of a shard's components, as the shard has them ahead of the disk.
//!
//! The rules of an alarm's life are in `alarm::lifecycle`; here they are applied to the table, with what changed noted
//! for the journal and for taking it back.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    alarm::{self, OperateError},
    config::limits::ALARMS_PER_COMPONENT,
    model::{Alarm, AlarmKey, AlarmReport, Catalogue, OperatorState, Severity, Timestamp},
};

/// Alarms by key. Numbers come from one counter for all shards.
#[derive(Debug)]
pub struct AlarmTable {
    alarms: HashMap<AlarmKey, Arc<Alarm>>,
    of_component: HashMap<String, usize>,
    next_id: Arc<AtomicU64>,
}

/// Alarms changed by a batch, in order: what they were and what they are.
#[derive(Debug, Default)]
pub struct AlarmChanges {
    /// As they were; `None`: new.
    pub before: Vec<(AlarmKey, Option<Arc<Alarm>>)>,
    /// As they are.
    pub after: Vec<Arc<Alarm>>,
    /// New alarms not raised because the component has too many.
    pub dropped: u64,
}

/// A report with its event type and probable cause filled in from the catalogue where they are empty.
#[must_use]
pub fn complete(mut report: AlarmReport, alarm_type: &str) -> AlarmReport {
    if let Some(known) = Catalogue::get().alarm_type(alarm_type) {
        if report.event_type.is_empty() {
            report.event_type.clone_from(&known.event);
        }
        if report.probable_cause.is_empty() {
            report.probable_cause.clone_from(&known.cause);
        }
    }
    report
}

/// A report of an alarm of the manager's own, with the catalogue's severity, event type and cause.
#[must_use]
pub fn own_report(alarm_type: &str, text: String, repair_actions: &[&str]) -> AlarmReport {
    let severity = Catalogue::get()
        .alarm_type(alarm_type)
        .and_then(|known| known.severity.parse().ok())
        .unwrap_or(Severity::Major);
    let report = AlarmReport {
        severity,
        text,
        event_type: String::new(),
        probable_cause: String::new(),
        observed: None,
        threshold: None,
        repair_actions: repair_actions.iter().map(|&action| action.to_owned()).collect(),
        additional_information: Vec::new(),
    };
    complete(report, alarm_type)
}

impl AlarmTable {
    /// An empty table.
    #[must_use]
    pub fn new(next_id: Arc<AtomicU64>) -> Self {
        Self { alarms: HashMap::new(), of_component: HashMap::new(), next_id }
    }

    /// An alarm from before a restart.
    pub fn restore(&mut self, alarm: Arc<Alarm>) {
        self.put(alarm);
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Alarm>> {
        self.alarms.values()
    }

    /// Whether an alarm is raised.
    #[must_use]
    pub fn is_raised(&self, key: &AlarmKey) -> bool {
        self.alarms.get(key).is_some_and(|alarm| !alarm.is_cleared)
    }

    fn put(&mut self, alarm: Arc<Alarm>) {
        if self.alarms.insert(alarm.key.clone(), Arc::clone(&alarm)).is_none() {
            *self.of_component.entry(alarm.key.component.clone()).or_insert(0) += 1;
        }
    }

    fn remove(&mut self, key: &AlarmKey) {
        if self.alarms.remove(key).is_some()
            && let Some(count) = self.of_component.get_mut(&key.component)
        {
            *count = count.saturating_sub(1);
        }
    }

    fn changed(&mut self, alarm: Alarm, changes: &mut AlarmChanges) -> Arc<Alarm> {
        let alarm = Arc::new(alarm);
        changes.before.push((alarm.key.clone(), self.alarms.get(&alarm.key).cloned()));
        changes.after.push(Arc::clone(&alarm));
        self.put(Arc::clone(&alarm));
        alarm
    }

    /// Raises an alarm, or changes it.
    pub fn raise(
        &mut self,
        key: AlarmKey,
        report: AlarmReport,
        raised_by: &str,
        now: Timestamp,
        changes: &mut AlarmChanges,
    ) {
        let existing = self.alarms.get(&key);
        if existing.is_none()
            && self.of_component.get(&key.component).is_some_and(|&count| count >= ALARMS_PER_COMPONENT)
        {
            changes.dropped += 1;
            return;
        }
        let report = complete(report, &key.alarm_type_id);
        let next_id = &self.next_id;
        let id = || next_id.fetch_add(1, Ordering::Relaxed);
        if let Some(alarm) = alarm::raise(existing.map(AsRef::as_ref), key, report, raised_by, id, now) {
            self.changed(alarm, changes);
        }
    }

    /// Clears an alarm if it is raised.
    pub fn clear(&mut self, key: &AlarmKey, text: &str, now: Timestamp, changes: &mut AlarmChanges) {
        if let Some(alarm) = self.alarms.get(key).and_then(|existing| alarm::clear(existing, text, now)) {
            self.changed(alarm, changes);
        }
    }

    /// Takes over what an operator says. `None`: there is no such alarm.
    pub fn operate(
        &mut self,
        key: &AlarmKey,
        operator: &str,
        state: OperatorState,
        comment: &str,
        now: Timestamp,
        changes: &mut AlarmChanges,
    ) -> Option<Result<Arc<Alarm>, OperateError>> {
        let existing = self.alarms.get(key)?;
        let operated = alarm::operate(existing, operator, state, comment, now);
        Some(operated.map(|alarm| self.changed(alarm, changes)))
    }

    /// Takes one change back.
    pub fn undo(&mut self, key: &AlarmKey, before: Option<Arc<Alarm>>) {
        match before {
            Some(alarm) => self.put(alarm),
            None => self.remove(key),
        }
    }
}
