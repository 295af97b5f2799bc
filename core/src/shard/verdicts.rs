//! What follows from accepted reports: policies are shown them, their verdicts become alarms and requests; what a plugin
//! could not take goes to quarantine, and the plugin gets an alarm of its own.

use super::core::{ShardCore, Worked};
use crate::{
    config::limits::{QUARANTINE_TEXT_BYTES, VERDICTS_PER_CALL},
    model::{AlarmKey, AlarmReport, ReportBatch, Severity, Symbol, SymbolTable, Timestamp, alarm::Fact},
    plugin::{ClearedAlarm, ComponentAlarm, RaisedAlarm},
    shard::{
        alarms::{AlarmChanges, own_report},
        handling::FailedCall,
        mailbox::AlarmRequest,
        observing::{BatchContext, Evaluated, alike},
    },
    storage::record::{AnswerCode, Quarantined},
};

impl ShardCore {
    /// Alarms that components sent in accepted reports.
    pub(super) fn component_alarms(
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
                        additional_information: Vec::new(),
                    };
                    self.alarms.raise(key, report, "component", now, changes);
                }
                Err(_) => self.alarms.clear(&key, &alarm.text, now, changes),
            }
        }
    }

    pub(super) fn quarantine(&self, batch: &ReportBatch, failed: &[FailedCall], now: Timestamp, worked: &mut Worked) {
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
    pub(super) fn observe(
        &mut self,
        batch: &ReportBatch,
        now: Timestamp,
        worked: &mut Worked,
        changes: &mut AlarmChanges,
    ) {
        let accepted: Vec<usize> = (0..batch.len())
            .filter(|&index| worked.record.answers.get(index) == Some(&(AnswerCode::Accepted as u8)))
            .collect();
        if accepted.is_empty() {
            return;
        }
        let alike = alike(batch);
        for position in 0..self.policies.len() {
            let components = &self.components;
            // Neighbours are mostly of one component.
            let mut last = (0, false);
            let sees = |index: &usize| {
                let component = batch.component(*index).0;
                if last.0 != component {
                    let known = components.get(&component);
                    let sees = known.and_then(|known| known.seen_by.1.get(position).copied()).unwrap_or(false);
                    last = (component, sees);
                }
                last.1
            };
            let shown: Vec<usize> = accepted.iter().copied().filter(sees).collect();
            let symbols = &self.around.symbols;
            let resource = |component: u32, text: &str| {
                components.get(&component)?.entry.resource(text, symbols).map(|symbol| symbol.0)
            };
            let context = BatchContext { alike: &alike, resource: &resource, uncounted: &worked.uncounted };
            let Some(slot) = self.policies.get_mut(position) else { continue };
            let undo = &mut worked.undo.subjects;
            let evaluated = slot.evaluate(batch, shown.iter().copied(), &context, now, undo, position);
            self.count_crowded_out(position);
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
                        let (components, symbols) = (&self.components, &self.around.symbols);
                        let resource = |component: u32, text: &str| {
                            components.get(&component)?.entry.resource(text, symbols).map(|symbol| symbol.0)
                        };
                        let context = BatchContext { alike: &alike, resource: &resource, uncounted: &worked.uncounted };
                        let Some(slot) = self.policies.get_mut(position) else { continue };
                        let undo = &mut worked.undo.subjects;
                        match slot.evaluate(batch, std::iter::once(index), &context, now, undo, position) {
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

    /// Samples of parts of components that a policy may keep no more state of.
    fn count_crowded_out(&mut self, position: usize) {
        let Some(slot) = self.policies.get_mut(position) else { return };
        let samples = slot.take_crowded_out();
        if samples == 0 {
            return;
        }
        self.around.metrics.samples_crowded_out.add(samples);
        let counted = self.around.metrics.plugins.entry(slot.active.config.name.clone()).or_default();
        if counted.samples_crowded_out.get() == 0 {
            tracing::warn!(
                target: "plugin",
                plugin = slot.active.config.name,
                "Samples are not shown to it: a component has more parts than plugins.state_per_component has room for the \
                 state of. They are counted."
            );
        }
        counted.samples_crowded_out.add(samples);
    }

    pub(super) fn policy_failed(
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

    pub(super) fn verdicts(
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
        let mut about_alarms: Vec<(u32, Result<ClearedAlarm, RaisedAlarm>)> =
            outcome.cleared.into_iter().map(|over| (over.step, Ok(over))).collect();
        about_alarms.extend(outcome.raised.into_iter().map(|alarm| (alarm.step, Err(alarm))));
        about_alarms.sort_by_key(|(step, _)| *step);
        for (_, verdict) in about_alarms {
            match verdict {
                Ok(over) => {
                    if let Some(key) = key(self, over.subject, &over.alarm_type, &over.qualifier) {
                        self.alarms.clear(&key, &over.text, now, changes);
                    }
                }
                Err(alarm) => {
                    let key = key(self, alarm.subject, &alarm.alarm_type, &alarm.qualifier);
                    if let (Some(key), Some(report)) = (key, report_of(alarm)) {
                        self.alarms.raise(key, report, &raised_by, now, changes);
                    }
                }
            }
        }
        for (subject, names) in outcome.requests {
            if let Some(&(component, _)) = evaluated.keys.get(subject as usize) {
                worked.requests.push((component, names));
            }
        }
    }

    /// Alarms about plugins: raised at the first failure, cleared by the first call that goes well.
    pub(super) fn plugin_alarms(&mut self, failed: Vec<FailedCall>, recovered: Vec<String>, worked: &mut Worked) {
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
}

fn report_of(alarm: RaisedAlarm) -> Option<AlarmReport> {
    Some(AlarmReport {
        severity: alarm.severity.parse().ok()?,
        text: alarm.text,
        event_type: alarm.event_type,
        probable_cause: alarm.probable_cause,
        observed: alarm.observed,
        threshold: alarm.threshold,
        repair_actions: alarm.repair_actions,
        additional_information: alarm.evidence.into_iter().map(|(name, value)| Fact { name, value }).collect(),
    })
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
