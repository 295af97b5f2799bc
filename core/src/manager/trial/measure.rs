//! What a call of a plugin costs, beside one of the empty plugin of its role that is given the same.
//!
//! In: a plugin and reports. Out: nanoseconds and instructions a report, alone and with 64 in a call, and the memory of the instance that
//! did it. Both take turns, so that what else the machine does falls on both. Measured is the call as a shard makes it;
//! decoding, state and storage are left out. Instructions are counted apart, since counting takes time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Sandbox, Setting, Trial, TrialError};
use crate::{
    config::{PluginKind, PluginSource, limits::BATCH_REPORTS},
    model::{ObjectKind, ReportBatch, Symbol},
    plugin::{FcapsPolicy, InterfaceHandler, LoadedPolicy, Observations, PluginFailure, PolicyNeeds, SeenObject},
};

/// Time of one measurement.
const SPAN: Duration = Duration::from_millis(60);
/// Measurements of each; medians are told.
pub(super) const ROUNDS: usize = 5;

/// What a plugin costs.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The plugin.
    pub plugin: String,
    /// Nanoseconds for a report that is alone in its call.
    pub alone_ns: f64,
    /// Nanoseconds for a report with 64 in a call.
    pub together_ns: f64,
    /// WebAssembly instructions for a report that is alone in its call.
    pub alone_instructions: u64,
    /// WebAssembly instructions for a report with 64 in a call.
    pub together_instructions: u64,
    /// Bytes of memory of the instance.
    pub memory: Option<usize>,
}

/// An instance with what it is asked: one report, and many.
pub(super) enum Measured {
    Handler(Box<dyn InterfaceHandler>, [ReportBatch; 2]),
    Policy(Box<dyn FcapsPolicy>, [Observations; 2]),
}

impl Measured {
    fn call(&mut self, size: usize) -> Result<(), PluginFailure> {
        match self {
            Self::Handler(handler, batches) => {
                batches.get(size).map_or(Ok(()), |batch| handler.handle(batch).map(drop))
            }
            Self::Policy(policy, seen) => seen.get(size).map_or(Ok(()), |seen| policy.evaluate(seen).map(drop)),
        }
    }

    fn memory(&self) -> Option<usize> {
        match self {
            Self::Handler(handler, _) => handler.memory(),
            Self::Policy(policy, _) => policy.memory(),
        }
    }

    /// Nanoseconds of a call.
    pub(super) fn time(&mut self, size: usize) -> Result<f64, PluginFailure> {
        let (started, mut calls) = (Instant::now(), 0_u32);
        loop {
            for _ in 0..16 {
                self.call(size)?;
            }
            calls += 16;
            let elapsed = started.elapsed();
            if elapsed >= SPAN {
                return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(calls));
            }
        }
    }
}

impl Sandbox {
    /// Measures a plugin with the reports of a recording, and the empty plugin of its role.
    ///
    /// # Errors
    /// If one of them cannot be loaded or fails, or the reports have nothing for it.
    pub fn measure(&self, setting: &Setting<'_>, lines: &[String]) -> Result<[Cost; 2], TrialError> {
        let trial = self.trial(setting)?;
        let config = empty_config(&trial);
        let name = if setting.role == PluginKind::Handler { "empty-handler" } else { "empty-policy" };
        let plugin = PluginSource::Builtin(name.to_owned());
        let empty = Setting { plugin: &plugin, name, config: &config, ..*setting };
        let counted = [self.count(setting, lines)?, self.count(&empty, lines)?];
        let mut pair = [measured(trial, lines)?, measured(self.trial(&empty)?, lines)?];
        let mut times: [[Vec<f64>; 2]; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (one, times) in pair.iter_mut().zip(&mut times) {
                for (size, times) in times.iter_mut().enumerate() {
                    times.push(one.time(size).map_err(TrialError::Failed)?);
                }
            }
        }
        let [own, empty] = times;
        let [measured, floor] = pair;
        #[expect(clippy::cast_precision_loss, reason = "64")]
        let cost = |plugin: &str, [alone, together]: [Vec<f64>; 2], counted: [u64; 2], one: &Measured| Cost {
            plugin: plugin.to_owned(),
            alone_ns: median(alone),
            together_ns: median(together) / BATCH_REPORTS as f64,
            alone_instructions: counted[0],
            together_instructions: counted[1] / BATCH_REPORTS as u64,
            memory: one.memory(),
        };
        let [counted, counted_floor] = counted;
        Ok([cost(setting.name, own, counted, &measured), cost(name, empty, counted_floor, &floor)])
    }

    /// Instructions of a call with one report and of one with many, in an engine of its own.
    fn count(&self, setting: &Setting<'_>, lines: &[String]) -> Result<[u64; 2], TrialError> {
        let (sandbox, counter) = self.counting()?;
        let mut measured = measured(sandbox.trial(setting)?, lines)?;
        let mut counted = [0; 2];
        for (size, counted) in counted.iter_mut().enumerate() {
            // The first call of an instance does what no other does.
            measured.call(size).map_err(TrialError::Failed)?;
            let before = counter.load(Ordering::Relaxed);
            measured.call(size).map_err(TrialError::Failed)?;
            *counted = counter.load(Ordering::Relaxed) - before;
        }
        Ok(counted)
    }
}

/// The empty plugin is to be given what the measured one is given.
fn empty_config(trial: &Trial) -> serde_json::Value {
    let kinds = |objects: &[ObjectKind]| objects.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
    if let Some(policy) = trial.plugins.policies.first() {
        let needs = policy.needs();
        let names: Vec<String> = needs.names.iter().map(|name| trial.symbols.text(*name).to_string()).collect();
        return json!({ "names": names, "objects": kinds(&needs.objects), "state_width": needs.state_width });
    }
    let needs = trial.plugins.handlers.first().map(|handler| handler.needs().clone()).unwrap_or_default();
    json!({ "raw": needs.raw, "objects": kinds(&needs.objects) })
}

/// An instance, and the recording's first report alone and its reports up to 64, from the beginning again if there are fewer.
pub(super) fn measured(mut trial: Trial, lines: &[String]) -> Result<Measured, TrialError> {
    let mut reports = Vec::new();
    let policy = trial.plugins.policies.first().cloned();
    for line in lines {
        let mut report = ReportBatch::default();
        if trial.decode(line, &mut report).is_ok() && is_for(policy.as_ref(), &report) {
            reports.push(report);
        }
        if reports.len() == BATCH_REPORTS {
            break;
        }
    }
    if let Some(policy) = policy {
        let (one, many) = sizes(&reports).ok_or(TrialError::NothingForIt)?;
        return policy_of(&policy, &one, &many);
    }
    let (one, many) = sizes(&reports).ok_or(TrialError::NothingForIt)?;
    let handler = trial.plugins.handlers.first().ok_or(TrialError::NothingForIt)?;
    let joined = |reports: &[ReportBatch]| {
        let mut joined = ReportBatch::default();
        reports.iter().for_each(|report| joined.append(report));
        joined
    };
    let instance = handler.instantiate().map_err(TrialError::Failed)?;
    Ok(Measured::Handler(instance, [joined(&one), joined(&many)]))
}

/// Whether a handler, or this policy, has something to do with a report.
pub(super) fn is_for(policy: Option<&Arc<LoadedPolicy>>, report: &ReportBatch) -> bool {
    policy.is_none_or(|policy| !observations(policy.needs(), std::slice::from_ref(report)).components.is_empty())
}

fn policy_of(
    policy: &std::sync::Arc<LoadedPolicy>,
    one: &[ReportBatch],
    many: &[ReportBatch],
) -> Result<Measured, TrialError> {
    let instance = policy.instantiate().map_err(TrialError::Failed)?;
    Ok(Measured::Policy(instance, [observations(policy.needs(), one), observations(policy.needs(), many)]))
}

fn sizes(reports: &[ReportBatch]) -> Option<(Vec<ReportBatch>, Vec<ReportBatch>)> {
    let first = reports.first()?.clone();
    Some((vec![first], reports.iter().cycle().take(BATCH_REPORTS).cloned().collect()))
}

/// What a policy would be shown of reports whose components have no state yet; objects as of the component itself.
fn observations(needs: &PolicyNeeds, reports: &[ReportBatch]) -> Observations {
    let mut seen = Observations { now: 1_767_225_600_000, ..Observations::default() };
    for report in reports {
        let component = report.component(0).0;
        let shown = |index: &usize| report.names.get(*index).is_some_and(|name| needs.names.contains(&Symbol(*name)));
        for index in report.samples(0).filter(shown) {
            let resource = report.resources.get(index).copied().unwrap_or(0);
            let subject = subject(&mut seen, component, if needs.per_component { 0 } else { resource });
            seen.subject.push(subject);
            seen.names.push(report.names.get(index).copied().unwrap_or(0));
            seen.values.push(report.values.get(index).copied().unwrap_or(0.0));
            seen.sample_resources.push(resource);
        }
        for object in report.objects.iter().filter(|object| needs.objects.contains(&object.kind)) {
            let subject = subject(&mut seen, component, 0);
            let samples_before = u32::try_from(seen.values.len()).unwrap_or(u32::MAX);
            let text = report.object_text(object).to_owned();
            seen.objects.push(SeenObject { subject, samples_before, kind: object.kind, text });
        }
    }
    seen.state = vec![0.0; seen.components.len() * needs.state_width];
    seen
}

fn subject(seen: &mut Observations, component: u32, resource: u32) -> u32 {
    let known = seen.components.iter().zip(&seen.resources).position(|known| known == (&component, &resource));
    let position = known.unwrap_or_else(|| {
        seen.components.push(component);
        seen.resources.push(resource);
        seen.components.len() - 1
    });
    u32::try_from(position).unwrap_or(u32::MAX)
}

pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}
