//! The work of a shard without its thread: from a batch of reports (or a tick, or an alarm of the manager's) to what
//! is answered and what follows, as a record for the journal.
//!
//! Equal state and equal input give an equal record, which is how recorded traffic is run again. No I/O, no clock: the
//! time comes with the call.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::AtomicU64},
};

use hashbrown::HashMap;

use crate::{
    dispatch::{ComponentEntry, Registry, registry::shard_of},
    model::{Alarm, AlarmKey, EnrolmentDecision, ReportBatch, ReportHead, Symbol, SymbolTable, Timestamp},
    plugin::NormalSample,
    shard::{
        alarms::{AlarmChanges, AlarmTable},
        handling::HandlerStage,
        mailbox::{AlarmRequest, OperateRequest},
        observing::{PolicySlot, SubjectImage},
        plugins::{ActivePolicy, ShardConfig},
        silence::Silence,
        undo::BatchUndo,
    },
    state::{ComponentState, NetworkChange, UsageEntry, source_clock::SourceClock},
    storage::record::{AddedSample, BatchRecord, Cause, Effects},
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
    /// How many shards there are.
    pub shards: usize,
}

pub(super) struct Known {
    pub(super) state: ComponentState,
    pub(super) entry: Arc<ComponentEntry>,
    pub(super) touched: u64,
    pub(super) clock: SourceClock,
    /// For each policy, whether it sees the component; as of the configuration of this generation.
    pub(super) seen_by: (u64, Vec<bool>),
}

impl Known {
    pub(super) fn new(state: ComponentState, entry: Arc<ComponentEntry>) -> Self {
        Self { state, entry, touched: 0, clock: SourceClock::default(), seen_by: (0, Vec::new()) }
    }
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
    /// Usage objects whose `usageId` was counted before: report and place in its extension.
    pub uncounted: HashSet<(u32, u32)>,
    /// Changes of inventory and topology.
    pub network: Vec<NetworkChange>,
    /// Usage that counts.
    pub usage: Vec<UsageEntry>,
}

/// State and plugins of one shard.
pub struct ShardCore {
    pub(super) number: u16,
    pub(super) around: Surroundings,
    pub(super) config: Arc<ShardConfig>,
    pub(super) handlers: HandlerStage,
    pub(super) policies: Vec<PolicySlot>,
    pub(super) components: HashMap<u32, Known>,
    pub(super) alarms: AlarmTable,
    pub(super) batch_number: u64,
    pub(super) failing: HashSet<String>,
    pub(super) silence: Silence,
}

impl ShardCore {
    /// A shard without components.
    #[must_use]
    pub fn new(number: u16, around: Surroundings, config: Arc<ShardConfig>) -> Self {
        let slot = |active: &ActivePolicy| PolicySlot::new(active.clone(), config.state_per_component);
        Self {
            number,
            handlers: HandlerStage::new(&config.plugins.handlers),
            policies: config.plugins.policies.iter().map(slot).collect(),
            config,
            components: HashMap::new(),
            alarms: AlarmTable::new(Arc::clone(&around.next_alarm_id)),
            batch_number: 0,
            failing: HashSet::new(),
            silence: Silence::default(),
            around,
        }
    }

    /// The configuration that it works by.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.config.generation
    }

    /// Whether a component belongs to this shard.
    pub(super) fn is_ours(&self, component: &str) -> bool {
        shard_of(component, self.around.shards) == usize::from(self.number)
    }

    /// State of a component from before a restart.
    pub fn restore_component(&mut self, symbol: u32, state: ComponentState) {
        if let Some(entry) = self.around.registry.by_symbol(symbol) {
            self.components.insert(symbol, Known::new(state, entry));
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

    /// Takes over the state of shards that ran before, under other plugins perhaps, as far as it belongs to this one.
    pub fn succeed(&mut self, before: &[Self]) {
        let (symbols, shards, number) =
            (Arc::clone(&self.around.symbols), self.around.shards, usize::from(self.number));
        let is_ours = |component: &str| shard_of(component, shards) == number;
        let ours = |component: u32| is_ours(&symbols.text(Symbol(component)));
        for core in before {
            for (symbol, known) in core.components.iter().filter(|(symbol, _)| ours(**symbol)) {
                self.restore_component(*symbol, known.state.clone());
            }
            for SubjectImage { policy, component, resource, state, timer } in
                core.policies.iter().flat_map(PolicySlot::images).filter(|image| ours(image.component))
            {
                self.restore_subject(policy, component, resource, state, timer);
            }
            core.alarms.all().filter(|alarm| is_ours(&alarm.key.component)).for_each(|alarm| {
                self.alarms.restore(Arc::clone(alarm));
            });
        }
        self.remember_silence();
    }

    /// State of a component as this shard has it.
    #[must_use]
    pub fn component(&self, symbol: u32) -> Option<(&ComponentState, &Arc<ComponentEntry>)> {
        self.components.get(&symbol).map(|known| (&known.state, &known.entry))
    }

    /// A policy's subject as it is.
    #[must_use]
    pub fn subject(&self, policy: usize, subject: u32) -> Option<SubjectImage<'_>> {
        self.policies.get(policy).map(|slot| slot.image(subject))
    }

    pub(super) fn begin(&mut self, cause: Cause, now: Timestamp) -> Worked {
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
            uncounted: HashSet::new(),
            network: Vec::new(),
            usage: Vec::new(),
        }
    }

    pub(super) fn finish(&self, mut worked: Worked, changes: AlarmChanges) -> Worked {
        if changes.dropped > 0 {
            self.around.metrics.alarms_dropped.add(changes.dropped);
        }
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
        let handling = self.handlers.handle(handler, &batch, now, &self.around);
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
        let mut merged = ReportBatch {
            text: batch.text.clone(),
            objects: batch.objects.clone(),
            times: batch.times.clone(),
            ..ReportBatch::default()
        };
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

    pub(super) fn key(&self, component: u32, resource: Symbol, alarm_type: &str, qualifier: &str) -> AlarmKey {
        AlarmKey {
            component: self.around.symbols.text(Symbol(component)).as_ref().to_owned(),
            resource: self.around.symbols.text(resource).as_ref().to_owned(),
            alarm_type_id: alarm_type.to_owned(),
            alarm_type_qualifier: qualifier.to_owned(),
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
        called |= self.silence_falls(now, &of_shard, &mut changes);
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

    /// The record of what an operator decided about a component.
    pub fn decided(&mut self, decision: &EnrolmentDecision, now: Timestamp) -> Worked {
        let mut worked = self.begin(Cause::Decision, now);
        worked.record.note = serde_json::to_string(decision).unwrap_or_default();
        worked
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
        for (component, digest, end) in undo.usage.into_iter().rev() {
            if let Some(known) = self.components.get_mut(&component) {
                known.state.usage.undo(&digest, end);
            }
        }
        for before in undo.components {
            if let Some(known) = self.components.get_mut(&before.component) {
                known.state.values = before.values;
                known.state.last_report = before.last_report;
                known.state.reports = before.reports;
                known.state.kept = before.kept;
                known.state.network = before.network;
                known.clock = before.clock;
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
        self.remember_silence();
    }
}
