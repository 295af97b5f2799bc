//! The work of a shard without its thread: from a batch of reports (or a tick, or an alarm of the manager's) to what
//! is answered and what follows, as a record for the journal.
//!
//! Equal state and equal input give an equal record, which is how recorded traffic is run again. No I/O, no clock: the
//! time comes with the call.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicU64},
};

use crate::{
    config::limits::{QUARANTINE_TEXT_BYTES, VERDICTS_PER_CALL},
    dispatch::{ComponentEntry, Registry},
    model::{
        Alarm, AlarmKey, AlarmReport, ReasonCode, Refusal, ReportBatch, ReportHead, Severity, Symbol, SymbolTable,
        Timestamp, report_batch::head_flags, response::RefusalDetail,
    },
    plugin::{ComponentAlarm, NormalSample},
    shard::{
        alarms::{AlarmChanges, AlarmTable, own_report},
        handling::{FailedCall, Fate, HandlerStage, Handling},
        mailbox::{AlarmRequest, OperateRequest},
        observing::{Evaluated, PolicySlot},
        plugins::PluginSet,
        undo::{BatchUndo, ComponentBefore},
    },
    state::{ComponentState, SequenceVerdict},
    storage::record::{AddedSample, AnswerCode, BatchRecord, Cause, Effects, Quarantined},
    telemetry::metrics::Metrics,
};

/// What a shard shares with the rest of the manager.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Names and numbers.
    pub symbols: Arc<SymbolTable>,
    /// Components known.
    pub registry: Arc<Registry>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// `mx/` and the manager's ID: the component of alarms about the manager itself.
    pub manager: Arc<str>,
    /// Next number of an alarm, for all shards.
    pub next_alarm_id: Arc<AtomicU64>,
    /// Bytes of policy state for each component and policy.
    pub state_per_component: usize,
}

struct Known {
    state: ComponentState,
    entry: Arc<ComponentEntry>,
    touched: u64,
}

/// A batch worked through.
#[derive(Debug)]
pub struct Worked {
    /// For the journal.
    pub record: BatchRecord,
    /// To take it back.
    pub undo: BatchUndo,
    /// Alarms as they are now.
    pub alarms: Vec<Arc<Alarm>>,
    /// Components whose state changed.
    pub touched: Vec<u32>,
    /// Subjects whose state or timer changed: policy and subject.
    pub subjects: Vec<(usize, u32)>,
    /// Status report requests of policies: component symbol and value names.
    pub requests: Vec<(u32, Vec<String>)>,
    /// Alarms about plugins, for the shard that owns the manager's own.
    pub about_plugins: Vec<AlarmRequest>,
}

/// State and plugins of one shard.
pub struct ShardCore {
    number: u16,
    around: Surroundings,
    handlers: HandlerStage,
    policies: Vec<PolicySlot>,
    components: HashMap<u32, Known>,
    alarms: AlarmTable,
    batch_number: u64,
    failing: HashSet<String>,
}

impl ShardCore {
    /// A shard without components.
    #[must_use]
    pub fn new(number: u16, around: Surroundings, plugins: &PluginSet) -> Self {
        Self {
            number,
            handlers: HandlerStage::new(&plugins.handlers),
            policies: plugins
                .policies
                .iter()
                .map(|active| PolicySlot::new(active.clone(), around.state_per_component))
                .collect(),
            components: HashMap::new(),
            alarms: AlarmTable::new(Arc::clone(&around.next_alarm_id)),
            batch_number: 0,
            failing: HashSet::new(),
            around,
        }
    }

    /// State of a component from before a restart.
    pub fn restore_component(&mut self, symbol: u32, state: ComponentState) {
        if let Some(entry) = self.around.registry.by_symbol(symbol) {
            self.components.insert(symbol, Known { state, entry, touched: 0 });
        }
    }

    /// State of a policy's subject from before a restart.
    pub fn restore_subject(&mut self, policy: u32, component: u32, resource: u32, state: &[f64], timer: u64) {
        if let Some(slot) = self.policies.iter_mut().find(|slot| slot.active.symbol == policy) {
            slot.restore(component, resource, state, timer);
        }
    }

    /// An alarm from before a restart.
    pub fn restore_alarm(&mut self, alarm: Arc<Alarm>) {
        self.alarms.restore(alarm);
    }

    /// Takes over the state of a shard that ran before, under other plugins perhaps.
    pub fn succeed(&mut self, before: Self) {
        for (symbol, known) in before.components {
            self.restore_component(symbol, known.state);
        }
        for slot in &before.policies {
            for ((component, resource), state, timer) in slot.images() {
                self.restore_subject(slot.active.symbol, component, resource, state, timer);
            }
        }
        self.alarms = before.alarms;
    }

    /// State of a component as this shard has it.
    #[must_use]
    pub fn component(&self, symbol: u32) -> Option<(&ComponentState, &Arc<ComponentEntry>)> {
        self.components.get(&symbol).map(|known| (&known.state, &known.entry))
    }

    /// Key, state and timer of a policy's subject, with the symbol of the policy.
    #[must_use]
    pub fn subject(&self, policy: usize, subject: u32) -> Option<(u32, (u32, u32), &[f64], u64)> {
        self.policies.get(policy).map(|slot| {
            let (key, state, timer) = slot.image(subject);
            (slot.active.symbol, key, state, timer)
        })
    }

    fn begin(&mut self, cause: Cause, now: Timestamp) -> Worked {
        self.batch_number += 1;
        Worked {
            record: BatchRecord {
                shard: self.number,
                time: now,
                cause,
                handler: 0,
                input: ReportBatch::default(),
                answers: Vec::new(),
                refusals: Vec::new(),
                effects: Effects::default(),
                note: String::new(),
            },
            undo: BatchUndo { number: self.batch_number, ..BatchUndo::default() },
            alarms: Vec::new(),
            touched: Vec::new(),
            subjects: Vec::new(),
            requests: Vec::new(),
            about_plugins: Vec::new(),
        }
    }

    fn finish(&self, mut worked: Worked, changes: AlarmChanges) -> Worked {
        worked.record.effects.alarms = changes.after.iter().map(|alarm| alarm.as_ref().clone()).collect();
        worked.undo.alarms = changes.before;
        worked.alarms = changes.after;
        worked.subjects = worked.undo.subjects.iter().map(|before| (before.policy, before.subject)).collect();
        worked
    }

    /// Works through a batch of status reports for one handler.
    pub fn reports(&mut self, batch: ReportBatch, handler: usize, now: Timestamp) -> Worked {
        let mut worked = self.begin(Cause::Reports, now);
        let mut changes = AlarmChanges::default();
        worked.record.handler = self.handlers.symbol(handler);
        let handling = self.handlers.handle(handler, &batch, now);
        let merged = self.merge_samples(&batch, &handling.samples, &mut worked);
        let view = merged.as_ref().unwrap_or(&batch);
        self.judge(&batch, &handling, now, &mut worked, &mut changes);
        self.component_alarms(&batch, &handling.alarms, now, &worked.record.answers, &mut changes);
        self.quarantine(&batch, &handling.failed, now, &mut worked);
        self.observe(view, now, &mut worked, &mut changes);
        self.plugin_alarms(handling.failed, handling.recovered, &mut worked);
        worked.record.input = batch;
        self.finish(worked, changes)
    }

    /// Appends the normal-form samples of a vendor's handler to the reports' own.
    fn merge_samples(&self, batch: &ReportBatch, samples: &[NormalSample], worked: &mut Worked) -> Option<ReportBatch> {
        if samples.is_empty() {
            return None;
        }
        let mut merged = ReportBatch { text: batch.text.clone(), ..ReportBatch::default() };
        let mut rest = samples.iter().peekable();
        for (index, head) in batch.reports.iter().enumerate() {
            let range = batch.samples(index);
            merged.names.extend_from_slice(batch.names.get(range.clone()).unwrap_or_default());
            merged.resources.extend_from_slice(batch.resources.get(range.clone()).unwrap_or_default());
            merged.values.extend_from_slice(batch.values.get(range.clone()).unwrap_or_default());
            merged.flags.extend_from_slice(batch.flags.get(range).unwrap_or_default());
            let entry = self.around.registry.by_symbol(head.component);
            while let Some(sample) = rest.next_if(|sample| sample.report as usize == index) {
                let resource = if sample.resource.is_empty() {
                    Some(Symbol::NONE)
                } else {
                    entry.as_ref().and_then(|entry| entry.resource(&sample.resource, &self.around.symbols))
                };
                let Some(resource) = resource else { continue };
                merged.names.push(sample.name);
                merged.resources.push(resource.0);
                merged.values.push(sample.value);
                merged.flags.push(sample.kind & 0xff);
                worked.record.effects.added_samples.push(AddedSample {
                    value: sample.value,
                    report: sample.report,
                    name: sample.name,
                    resource: resource.0,
                    kind: sample.kind & 0xff,
                });
            }
            let samples_end = u32::try_from(merged.values.len()).unwrap_or(u32::MAX);
            merged.reports.push(ReportHead { samples_end, ..*head });
        }
        Some(merged)
    }

    /// The rules of numbering and the handler's word together: answers, and the state of accepted reports.
    fn judge(
        &mut self,
        batch: &ReportBatch,
        handling: &Handling,
        now: Timestamp,
        worked: &mut Worked,
        changes: &mut AlarmChanges,
    ) {
        for (index, (head, fate)) in batch.reports.iter().zip(&handling.fates).enumerate() {
            let numbered = head.flags & head_flags::HAS_SEQUENCE != 0;
            let answer = match self.known(head.component) {
                None => Err(Refusal::new(
                    ReasonCode::Internal,
                    "the component has left the manager's tables; connect again",
                )),
                Some(known) => {
                    let verdict = if numbered {
                        known.state.window.check(head.incarnation, head.sequence, head.content_hash)
                    } else {
                        SequenceVerdict::New
                    };
                    verdict_and_fate(verdict, fate, head)
                }
            };
            match answer {
                Ok(AnswerCode::Repeat) => worked.record.answers.push(AnswerCode::Repeat as u8),
                Ok(code) => {
                    self.accept(batch, index, code, now, worked);
                    worked.record.answers.push(code as u8);
                }
                Err(refusal) => {
                    self.note_conflict(head, &refusal, now, changes);
                    worked.record.answers.push(AnswerCode::Refused as u8);
                    worked.record.refusals.push((u32::try_from(index).unwrap_or(u32::MAX), refusal));
                }
            }
        }
    }

    fn known(&mut self, component: u32) -> Option<&mut Known> {
        if !self.components.contains_key(&component) {
            let entry = self.around.registry.by_symbol(component)?;
            self.components.insert(component, Known { state: ComponentState::default(), entry, touched: 0 });
        }
        self.components.get_mut(&component)
    }

    fn accept(&mut self, batch: &ReportBatch, index: usize, code: AnswerCode, now: Timestamp, worked: &mut Worked) {
        let (number, gaps) = (self.batch_number, &self.around.metrics.sequence_gaps);
        let (Some(head), Some(known)) = (batch.reports.get(index), self.components.get_mut(&batch.component(index).0))
        else {
            return;
        };
        let state = &mut known.state;
        if known.touched != number {
            known.touched = number;
            worked.touched.push(head.component);
            worked.undo.components.push(ComponentBefore {
                component: head.component,
                values: Arc::clone(&state.values),
                last_report: state.last_report,
                reports: state.reports,
                kept: state.kept,
            });
        }
        let before = state.window.gaps();
        let added = &worked.record.effects.added_samples;
        if let Some(undo) = state.accept(batch, index, code == AnswerCode::KeptRaw, added, now) {
            gaps.add(state.window.gaps() - before);
            worked.undo.sequences.push((head.component, undo));
        }
    }

    /// Other content under a number accepted before: somebody may be speaking in the component's name.
    fn note_conflict(&mut self, head: &ReportHead, refusal: &Refusal, now: Timestamp, changes: &mut AlarmChanges) {
        if refusal.code == ReasonCode::Rejected && refusal.sentence.starts_with(CONFLICT) {
            let key = self.key(head.component, Symbol::NONE, "report-sequence-conflict", "manager");
            let report = own_report(
                "report-sequence-conflict",
                refusal.sentence.clone(),
                &[
                    "Look for a second sender with the same component ID, or a component that restarted without a new incarnation.",
                ],
            );
            self.alarms.raise(key, report, "manager", now, changes);
        }
    }

    fn key(&self, component: u32, resource: Symbol, alarm_type: &str, qualifier: &str) -> AlarmKey {
        AlarmKey {
            component: self.around.symbols.text(Symbol(component)).as_ref().to_owned(),
            resource: self.around.symbols.text(resource).as_ref().to_owned(),
            alarm_type_id: alarm_type.to_owned(),
            alarm_type_qualifier: qualifier.to_owned(),
        }
    }

    /// Alarms that components sent in accepted reports.
    fn component_alarms(
        &mut self,
        batch: &ReportBatch,
        alarms: &[ComponentAlarm],
        now: Timestamp,
        answers: &[u8],
        changes: &mut AlarmChanges,
    ) {
        for alarm in alarms {
            if answers.get(alarm.report as usize) != Some(&(AnswerCode::Accepted as u8)) {
                continue;
            }
            let mut key =
                self.key(batch.component(alarm.report as usize).0, Symbol::NONE, &alarm.alarm_type, &alarm.qualifier);
            key.resource.clone_from(&alarm.resource);
            match alarm.severity.parse::<Severity>() {
                Ok(severity) => {
                    let report = AlarmReport {
                        severity,
                        text: alarm.text.clone(),
                        event_type: alarm.event_type.clone(),
                        probable_cause: alarm.probable_cause.clone(),
                        observed: None,
                        threshold: None,
                        repair_actions: Vec::new(),
                    };
                    self.alarms.raise(key, report, "component", now, changes);
                }
                Err(_) => self.alarms.clear(&key, &alarm.text, now, changes),
            }
        }
    }

    fn quarantine(&self, batch: &ReportBatch, failed: &[FailedCall], now: Timestamp, worked: &mut Worked) {
        for call in failed {
            let Some(report) = call.report else { continue };
            let index = report as usize;
            if worked.record.answers.get(index) == Some(&(AnswerCode::Repeat as u8)) {
                continue;
            }
            self.around.metrics.quarantined.increment();
            worked.record.effects.quarantined.push(Quarantined {
                plugin: call.plugin.clone(),
                component: self.around.symbols.text(batch.component(index)).as_ref().to_owned(),
                time: now,
                failure: call.failure.to_string(),
                report: describe(batch, index, &self.around.symbols),
            });
        }
    }

    /// Shows accepted reports to the policies and takes their verdicts.
    fn observe(&mut self, batch: &ReportBatch, now: Timestamp, worked: &mut Worked, changes: &mut AlarmChanges) {
        let accepted: Vec<usize> = (0..batch.len())
            .filter(|&index| worked.record.answers.get(index) == Some(&(AnswerCode::Accepted as u8)))
            .collect();
        if accepted.is_empty() {
            return;
        }
        for position in 0..self.policies.len() {
            let components = &self.components;
            let sees = |index: &usize| {
                components
                    .get(&batch.component(*index).0)
                    .is_some_and(|known| known.entry.card.load().policies.get(position).copied().unwrap_or(false))
            };
            let shown: Vec<usize> = accepted.iter().copied().filter(sees).collect();
            let Some(slot) = self.policies.get_mut(position) else { continue };
            let evaluated = slot.evaluate(batch, shown.iter().copied(), now, &mut worked.undo.subjects, position);
            match evaluated {
                None => {}
                Some(Ok(evaluated)) => self.verdicts(position, evaluated, now, worked, changes),
                Some(Err(failure)) => {
                    let alone = shown.len() == 1 || failure.kind() == "paused";
                    self.policy_failed(
                        position,
                        if alone { shown.first().copied() } else { None },
                        batch,
                        failure,
                        now,
                        worked,
                    );
                    if alone {
                        continue;
                    }
                    for &index in &shown {
                        let Some(slot) = self.policies.get_mut(position) else { continue };
                        match slot.evaluate(batch, std::iter::once(index), now, &mut worked.undo.subjects, position) {
                            None => {}
                            Some(Ok(evaluated)) => self.verdicts(position, evaluated, now, worked, changes),
                            Some(Err(failure)) => {
                                self.policy_failed(position, Some(index), batch, failure, now, worked)
                            }
                        }
                    }
                }
            }
        }
    }

    fn policy_failed(
        &mut self,
        position: usize,
        report: Option<usize>,
        batch: &ReportBatch,
        failure: crate::plugin::PluginFailure,
        now: Timestamp,
        worked: &mut Worked,
    ) {
        let Some(slot) = self.policies.get(position) else { return };
        let paused = failure.kind() == "paused";
        let call = FailedCall {
            plugin: slot.active.config.name.clone(),
            report: report.and_then(|index| u32::try_from(index).ok()),
            failure,
        };
        if !paused {
            self.quarantine(batch, std::slice::from_ref(&call), now, worked);
        }
        self.plugin_alarms(vec![call], vec![], worked);
    }

    fn verdicts(
        &mut self,
        position: usize,
        evaluated: Evaluated,
        now: Timestamp,
        worked: &mut Worked,
        changes: &mut AlarmChanges,
    ) {
        let Some(slot) = self.policies.get(position) else { return };
        let (name, active) = (slot.active.config.name.clone(), slot.active.is_active());
        if !evaluated.states.components.is_empty() {
            worked.record.effects.policy_states.push(evaluated.states);
        }
        worked.record.effects.timers.extend(evaluated.timers);
        if evaluated.recovered {
            self.plugin_alarms(vec![], vec![name.clone()], worked);
        }
        let outcome = evaluated.outcome;
        let count = outcome.raised.len() + outcome.cleared.len() + outcome.requests.len();
        if !active || count > VERDICTS_PER_CALL {
            if count > 0 {
                self.around.metrics.plugins.entry(name).or_default().verdicts_dropped.add(count as u64);
            }
            return;
        }
        let raised_by = format!("policy:{name}");
        let key = |core: &Self, subject: u32, alarm_type: &str, qualifier: &str| {
            let &(component, resource) = evaluated.keys.get(subject as usize)?;
            Some(core.key(
                component,
                Symbol(resource),
                alarm_type,
                if qualifier.is_empty() { &name } else { qualifier },
            ))
        };
        for alarm in outcome.cleared {
            if let Some(key) = key(self, alarm.subject, &alarm.alarm_type, &alarm.qualifier) {
                self.alarms.clear(&key, &alarm.text, now, changes);
            }
        }
        for alarm in outcome.raised {
            let (Some(key), Ok(severity)) =
                (key(self, alarm.subject, &alarm.alarm_type, &alarm.qualifier), alarm.severity.parse())
            else {
                continue;
            };
            let report = AlarmReport {
                severity,
                text: alarm.text,
                event_type: alarm.event_type,
                probable_cause: alarm.probable_cause,
                observed: alarm.observed,
                threshold: alarm.threshold,
                repair_actions: alarm.repair_actions,
            };
            self.alarms.raise(key, report, &raised_by, now, changes);
        }
        for (subject, names) in outcome.requests {
            if let Some(&(component, _)) = evaluated.keys.get(subject as usize) {
                worked.requests.push((component, names));
            }
        }
    }

    /// Alarms about plugins: raised at the first failure, cleared by the first call that goes well.
    fn plugin_alarms(&mut self, failed: Vec<FailedCall>, recovered: Vec<String>, worked: &mut Worked) {
        let key = |plugin: &str| AlarmKey {
            component: self.around.manager.as_ref().to_owned(),
            resource: format!("plugin {plugin}"),
            alarm_type_id: "plugin-failed".to_owned(),
            alarm_type_qualifier: String::new(),
        };
        for plugin in recovered {
            if self.failing.remove(&plugin) {
                let text = format!("{plugin} answers again");
                worked.about_plugins.push(AlarmRequest { key: key(&plugin), report: None, text });
            }
        }
        for call in failed {
            if self.failing.insert(call.plugin.clone()) {
                let text = format!("{} failed: {}", call.plugin, call.failure);
                let report = own_report(
                    "plugin-failed",
                    text,
                    &[
                        "See the plugin's log lines and the quarantine for what it failed on.",
                        "Replace the plugin, or set on_failure for its handler.",
                    ],
                );
                worked.about_plugins.push(AlarmRequest {
                    key: key(&call.plugin),
                    report: Some(report),
                    text: String::new(),
                });
            }
        }
    }

    /// Calls policies whose timers are due. `None`: there were none.
    pub fn tick(&mut self, now: Timestamp, of_shard: impl Fn(u32) -> bool) -> Option<Worked> {
        let mut worked = self.begin(Cause::Tick, now);
        let mut changes = AlarmChanges::default();
        let mut called = false;
        for position in 0..self.policies.len() {
            let Some(slot) = self.policies.get_mut(position) else { continue };
            match slot.tick(now, &of_shard, &mut worked.undo.subjects, position) {
                None => {}
                Some(Ok(evaluated)) => {
                    called = true;
                    self.verdicts(position, evaluated, now, &mut worked, &mut changes);
                }
                Some(Err(failure)) => {
                    self.policy_failed(position, None, &ReportBatch::default(), failure, now, &mut worked)
                }
            }
        }
        (called || !worked.about_plugins.is_empty()).then(|| self.finish(worked, changes))
    }

    /// Raises or clears alarms of the manager's own. `None`: nothing changed.
    pub fn alarms(&mut self, requests: Vec<AlarmRequest>, now: Timestamp) -> Option<Worked> {
        let worked = self.begin(Cause::Manager, now);
        let mut changes = AlarmChanges::default();
        for request in requests {
            match request.report {
                Some(report) => self.alarms.raise(request.key, report, "manager", now, &mut changes),
                None => self.alarms.clear(&request.key, &request.text, now, &mut changes),
            }
        }
        (!changes.after.is_empty()).then(|| self.finish(worked, changes))
    }

    /// Takes over what an operator says of an alarm.
    pub fn operate(
        &mut self,
        request: &OperateRequest,
        now: Timestamp,
    ) -> (Option<Worked>, Option<Result<Arc<Alarm>, crate::alarm::OperateError>>) {
        let worked = self.begin(Cause::Operator, now);
        let mut changes = AlarmChanges::default();
        let result =
            self.alarms.operate(&request.key, &request.operator, request.state, &request.comment, now, &mut changes);
        let worked = (!changes.after.is_empty()).then(|| self.finish(worked, changes));
        (worked, result)
    }

    /// The record that a start leaves in the journal.
    pub fn start_note(&mut self, note: String, now: Timestamp) -> Worked {
        let mut worked = self.begin(Cause::Start, now);
        worked.record.note = note;
        worked
    }

    /// Takes a batch back.
    pub fn undo(&mut self, undo: BatchUndo) {
        for (component, sequence) in undo.sequences.into_iter().rev() {
            if let Some(known) = self.components.get_mut(&component) {
                known.state.window.undo(sequence);
            }
        }
        for before in undo.components {
            if let Some(known) = self.components.get_mut(&before.component) {
                known.state.values = before.values;
                known.state.last_report = before.last_report;
                known.state.reports = before.reports;
                known.state.kept = before.kept;
            }
        }
        for before in undo.subjects.iter().rev() {
            if let Some(slot) = self.policies.get_mut(before.policy) {
                slot.undo(before);
            }
        }
        for (key, before) in undo.alarms.into_iter().rev() {
            self.alarms.undo(&key, before);
        }
    }
}

const CONFLICT: &str = "sequence conflict";

fn verdict_and_fate(verdict: SequenceVerdict, fate: &Fate, head: &ReportHead) -> Result<AnswerCode, Refusal> {
    match (verdict, fate) {
        (SequenceVerdict::Repeat, _) => Ok(AnswerCode::Repeat),
        (SequenceVerdict::Conflict, _) => Err(Refusal::new(
            ReasonCode::Rejected,
            format!(
                "{CONFLICT}: number {} was accepted before with other content; use a new number, or a higher incarnation after a restart",
                head.sequence
            ),
        )),
        (SequenceVerdict::Behind { incarnation, last }, _) => Err(Refusal {
            code: ReasonCode::Rejected,
            sentence: format!(
                "sequence {} of incarnation {} is behind: incarnation {incarnation} has reached {last}; go on above it, or with a higher incarnation",
                head.sequence, head.incarnation
            ),
            detail: RefusalDetail::Sequence { incarnation, last },
        }),
        (SequenceVerdict::New, Fate::Accept) => Ok(AnswerCode::Accepted),
        (SequenceVerdict::New, Fate::KeepRaw) => Ok(AnswerCode::KeptRaw),
        (SequenceVerdict::New, Fate::Refuse(reason)) => Err(Refusal::new(ReasonCode::Rejected, reason.clone())),
        (SequenceVerdict::New, Fate::Fail(reason)) => Err(Refusal::new(ReasonCode::Internal, reason.clone())),
    }
}

/// What a report says, for the quarantine: its kept text, or its samples by name.
fn describe(batch: &ReportBatch, index: usize, symbols: &SymbolTable) -> String {
    let mut text = batch.extension_text(index).to_owned();
    if text.is_empty() {
        let range = batch.samples(index);
        let names = batch.names.get(range.clone()).unwrap_or_default();
        for (name, value) in names.iter().zip(batch.values.get(range).unwrap_or_default()) {
            text.push_str(&format!("{} = {value}\n", symbols.text(Symbol(*name))));
        }
    }
    let end = (0..=QUARANTINE_TEXT_BYTES.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.truncate(end);
    text
}
