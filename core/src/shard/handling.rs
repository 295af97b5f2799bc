//! The handler stage: what the handler of a batch says of each report, and what is done when it fails.
//!
//! A failed batch is tried again report by report, so that one report spoils nothing but itself. What fails alone is
//! treated as `on_failure` says. A plugin that fails several times in a row is left alone for a while ([`Pause`]).
//! Where a handler has one that follows it (`then`), reports that it accepts go through that one too; each fails for
//! itself.

use crate::{
    config::{
        OnFailure,
        limits::{HANDLER_CHAIN, PLUGIN_FAILURES_IN_A_ROW, PLUGIN_PAUSE_MAX, PLUGIN_PAUSE_MIN},
    },
    model::{ReportBatch, Timestamp},
    plugin::{ComponentAlarm, Handled, InterfaceHandler, NormalSample, PluginFailure},
    shard::{chain::Steps, core::Surroundings, plugins::ActiveHandler},
};

/// What is to become of a report, before the rules of numbering had their say.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// The handler accepts it.
    Accept,
    /// The handler refuses it, for this reason.
    Refuse(String),
    /// The handler failed; it is kept as received.
    KeepRaw,
    /// The handler failed; it is answered `internal`.
    Fail(String),
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedCall {
    /// The plugin, as configured.
    pub plugin: String,
    /// The report that failed alone, if it was one: it goes to quarantine.
    pub report: Option<u32>,
    /// Why.
    pub failure: PluginFailure,
}

/// What the handler stage found out about a batch.
#[derive(Debug, Default)]
pub struct Handling {
    /// One for each report.
    pub fates: Vec<Fate>,
    /// Alarms that components sent.
    pub alarms: Vec<ComponentAlarm>,
    /// Samples to add, sorted by report.
    pub samples: Vec<NormalSample>,
    /// What failed.
    pub failed: Vec<FailedCall>,
    /// Plugins that work again after having failed.
    pub recovered: Vec<String>,
}

/// Leaves a plugin alone that keeps failing: after [`PLUGIN_FAILURES_IN_A_ROW`] failures for a second, doubled each
/// time it fails again, up to a minute. One success ends it.
#[derive(Debug, Default)]
pub struct Pause {
    in_a_row: u32,
    until: Timestamp,
    length_ms: i64,
}

impl Pause {
    /// Why the plugin may not be called now, if so.
    pub fn check(&self, now: Timestamp) -> Result<(), PluginFailure> {
        if self.in_a_row >= PLUGIN_FAILURES_IN_A_ROW && now < self.until {
            return Err(PluginFailure::Paused(format!(
                "failed {} times in a row, tried again at {}",
                self.in_a_row, self.until
            )));
        }
        Ok(())
    }

    /// A call failed.
    pub fn failed(&mut self, now: Timestamp) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= PLUGIN_FAILURES_IN_A_ROW {
            let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            self.length_ms = (self.length_ms * 2).clamp(ms(PLUGIN_PAUSE_MIN), ms(PLUGIN_PAUSE_MAX));
            self.until = now.plus(self.length_ms);
        }
    }

    /// A call went well; true if the one before had not.
    pub fn succeeded(&mut self) -> bool {
        let had_failed = self.in_a_row > 0;
        *self = Self::default();
        had_failed
    }
}

struct Slot {
    active: ActiveHandler,
    instance: Option<Box<dyn InterfaceHandler>>,
    pause: Pause,
}

impl Slot {
    fn call(&mut self, batch: &ReportBatch, now: Timestamp, handling: &mut Handling) -> Result<Handled, PluginFailure> {
        self.pause.check(now)?;
        let result = match &mut self.instance {
            Some(instance) => instance.handle(batch),
            none => (self.active.make)().and_then(|instance| none.insert(instance).handle(batch)),
        };
        match &result {
            Ok(_) if self.pause.succeeded() => handling.recovered.push(self.active.config.name.clone()),
            Ok(_) => {}
            Err(_) => self.pause.failed(now),
        }
        result
    }
}

/// The handlers of one shard.
pub struct HandlerStage(Vec<Slot>);

impl HandlerStage {
    /// Handlers without instances yet: one is made at the first call.
    #[must_use]
    pub fn new(handlers: &[ActiveHandler]) -> Self {
        let slot = |active: &ActiveHandler| Slot { active: active.clone(), instance: None, pause: Pause::default() };
        Self(handlers.iter().map(slot).collect())
    }

    /// Takes over other handlers; what is the same plugin as before keeps its instance. The names of those that are not.
    pub fn switch(&mut self, handlers: &[ActiveHandler]) -> Vec<String> {
        let mut before = std::mem::take(&mut self.0);
        for active in handlers {
            let same = |slot: &Slot| slot.active.symbol == active.symbol && slot.active.is_same_plugin(active);
            let slot = match before.iter().position(same) {
                Some(at) => Slot { active: active.clone(), ..before.remove(at) },
                None => Slot { active: active.clone(), instance: None, pause: Pause::default() },
            };
            self.0.push(slot);
        }
        before.into_iter().map(|slot| slot.active.config.name).collect()
    }

    /// Symbol of a handler's name.
    #[must_use]
    pub fn symbol(&self, handler: usize) -> u32 {
        self.0.get(handler).map_or(0, |slot| slot.active.symbol)
    }

    /// Runs a batch through its handler, and through those that follow it.
    pub fn handle(&mut self, handler: usize, batch: &ReportBatch, now: Timestamp, around: &Surroundings) -> Handling {
        let mut handling = self.step(handler, batch, now, |index| batch.single(index));
        if self.then(handler).is_some() {
            self.chain(handler, batch, now, around, &mut handling);
        }
        handling
    }

    /// Position of the handler that follows.
    fn then(&self, handler: usize) -> Option<usize> {
        self.0.get(handler)?.active.then
    }

    fn reads_alarms(&self, handler: usize) -> bool {
        self.0.get(handler).is_some_and(|slot| slot.active.reads_alarms)
    }

    /// The steps behind the first of a chain.
    fn chain(
        &mut self,
        first: usize,
        batch: &ReportBatch,
        now: Timestamp,
        around: &Surroundings,
        handling: &mut Handling,
    ) {
        let mut steps = Steps::begin(self.name(first), self.reads_alarms(first), handling);
        let mut handler = first;
        // The configuration has no longer ones, and none that bites its tail.
        for _ in 1..HANDLER_CHAIN {
            let Some(next) = self.then(handler) else { break };
            let (name, reads_alarms) = (self.name(next), self.reads_alarms(next));
            for part in steps.parts(batch, handling, &name) {
                let one = |position: usize| {
                    let index = part.get(position).copied().unwrap_or(usize::MAX);
                    steps.pass_on(batch.single(index), index, handling, reads_alarms, around)
                };
                let mut together = ReportBatch::default();
                (0..part.len()).for_each(|position| together.append(&one(position)));
                let answer = self.step(next, &together, now, one);
                steps.join(&name, reads_alarms, &part, answer, handling);
            }
            steps.end(name, reads_alarms, handling);
            handler = next;
        }
    }

    /// What one handler says of a batch; `single` brings one of its reports alone.
    fn step(
        &mut self,
        handler: usize,
        batch: &ReportBatch,
        now: Timestamp,
        single: impl Fn(usize) -> ReportBatch,
    ) -> Handling {
        let mut handling = Handling { fates: vec![Fate::Accept; batch.len()], ..Handling::default() };
        match self.call(handler, batch, now, &mut handling) {
            Ok(handled) => take(handled, 0, &mut handling),
            Err(failure) if batch.len() == 1 => self.alone(handler, batch, 0, failure, now, &mut handling),
            Err(failure) => {
                if !matches!(failure, PluginFailure::Paused(_)) {
                    handling.failed.push(FailedCall { plugin: self.name(handler), report: None, failure });
                }
                for index in 0..batch.len() {
                    let one = single(index);
                    match self.call(handler, &one, now, &mut handling) {
                        Ok(handled) => take(handled, index, &mut handling),
                        Err(failure) => self.alone(handler, &one, index, failure, now, &mut handling),
                    }
                }
            }
        }
        handling.samples.sort_by_key(|sample| sample.report);
        handling
    }

    fn call(
        &mut self,
        handler: usize,
        batch: &ReportBatch,
        now: Timestamp,
        handling: &mut Handling,
    ) -> Result<Handled, PluginFailure> {
        match self.0.get_mut(handler) {
            Some(slot) => slot.call(batch, now, handling),
            None => Err(PluginFailure::Instantiate("no handler is configured for this component".to_owned())),
        }
    }

    fn name(&self, handler: usize) -> String {
        self.0.get(handler).map_or_else(String::new, |slot| slot.active.config.name.clone())
    }

    /// The handler failed on report `index` by itself (`one` holds nothing else).
    fn alone(
        &mut self,
        handler: usize,
        one: &ReportBatch,
        index: usize,
        failure: PluginFailure,
        now: Timestamp,
        handling: &mut Handling,
    ) {
        let report = u32::try_from(index).unwrap_or(u32::MAX);
        let (on_failure, fallback) = self
            .0
            .get(handler)
            .map_or((OnFailure::Reject, handler), |slot| (slot.active.on_failure(), slot.active.fallback));
        let told = format!("handler {} failed ({})", self.name(handler), failure.kind());
        handling.failed.push(FailedCall { plugin: self.name(handler), report: Some(report), failure });
        let fate = match on_failure {
            OnFailure::KeepRaw => Fate::KeepRaw,
            OnFailure::Fallback if fallback != handler => match self.call(fallback, one, now, handling) {
                Ok(handled) => return take(handled, index, handling),
                Err(failure) => {
                    handling.failed.push(FailedCall { plugin: self.name(fallback), report: Some(report), failure });
                    Fate::Fail(told)
                }
            },
            OnFailure::Reject | OnFailure::Fallback => Fate::Fail(told),
        };
        if let Some(place) = handling.fates.get_mut(index) {
            *place = fate;
        }
    }
}

/// Takes over an answer for reports from position `first` on.
fn take(handled: Handled, first: usize, handling: &mut Handling) {
    let offset = u32::try_from(first).unwrap_or(u32::MAX);
    for (report, reason) in handled.refusals {
        if let Some(fate) = handling.fates.get_mut(report as usize + first) {
            *fate = Fate::Refuse(reason);
        }
    }
    handling
        .alarms
        .extend(handled.alarms.into_iter().map(|alarm| ComponentAlarm { report: alarm.report + offset, ..alarm }));
    handling
        .samples
        .extend(handled.samples.into_iter().map(|sample| NormalSample { report: sample.report + offset, ..sample }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{ComponentMatch, HandlerConfig, PluginSource},
        model::{ReferencePoint, ReportHead},
        shard::chain_tests::around,
    };
    use std::sync::Arc;

    /// Refuses reports with sequence 1, fails on those with sequence 2.
    struct Picky;
    impl InterfaceHandler for Picky {
        fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
            if reports.reports.iter().any(|head| head.sequence == 2) {
                return Err(PluginFailure::Trap("two".into()));
            }
            let refused = reports.reports.iter().enumerate().filter(|(_, head)| head.sequence == 1);
            Ok(Handled {
                refusals: refused.map(|(i, _)| (u32::try_from(i).unwrap(), "one".to_owned())).collect(),
                ..Handled::default()
            })
        }
    }
    struct Mild;
    impl InterfaceHandler for Mild {
        fn handle(&mut self, _: &ReportBatch) -> Result<Handled, PluginFailure> {
            Ok(Handled::default())
        }
    }

    fn stage(on_failure: OnFailure) -> HandlerStage {
        let active = |name: &str, make: fn() -> Box<dyn InterfaceHandler>| ActiveHandler {
            config: HandlerConfig {
                name: name.into(),
                reference_point: ReferencePoint::Mk,
                matches: ComponentMatch::default(),
                plugin: PluginSource::Builtin("mk".into()),
                sha256: None,
                on_failure,
                then: None,
                allow_key_names: vec![],
                config: serde_json::Value::Null,
            },
            symbol: 0,
            digest: "".into(),
            fallback: 1,
            then: None,
            reads_alarms: false,
            make: Arc::new(move || Ok(make())),
        };
        HandlerStage::new(&[active("picky", || Box::new(Picky)), active("mild", || Box::new(Mild))])
    }

    fn batch(sequences: &[u64]) -> ReportBatch {
        let reports = sequences.iter().map(|&sequence| ReportHead { sequence, ..ReportHead::default() }).collect();
        ReportBatch { reports, ..ReportBatch::default() }
    }

    #[test]
    fn a_failing_report_spoils_only_itself() {
        let handling = stage(OnFailure::Reject).handle(0, &batch(&[0, 1, 2, 3]), Timestamp(0), &around());
        assert_eq!(
            handling.fates,
            [Fate::Accept, Fate::Refuse("one".into()), Fate::Fail("handler picky failed (trap)".into()), Fate::Accept]
        );
        let failed: Vec<_> = handling.failed.iter().map(|call| call.report).collect();
        assert_eq!(failed, [None, Some(2)]);
    }

    #[test]
    fn on_failure_decides() {
        assert_eq!(stage(OnFailure::KeepRaw).handle(0, &batch(&[2]), Timestamp(0), &around()).fates, [Fate::KeepRaw]);
        assert_eq!(stage(OnFailure::Fallback).handle(0, &batch(&[2]), Timestamp(0), &around()).fates, [Fate::Accept]);
    }

    #[test]
    fn a_plugin_that_keeps_failing_is_left_alone_and_tried_again() {
        let mut stage = stage(OnFailure::Reject);
        for _ in 0..PLUGIN_FAILURES_IN_A_ROW {
            stage.handle(0, &batch(&[2]), Timestamp(1_000), &around());
        }
        let paused = stage.handle(0, &batch(&[0]), Timestamp(1_001), &around());
        assert_eq!(paused.fates, [Fate::Fail("handler picky failed (paused)".into())]);
        let again = stage.handle(0, &batch(&[0]), Timestamp(2_000), &around());
        assert_eq!(again.fates, [Fate::Accept]);
        assert_eq!(again.recovered, ["picky"]);
    }
}
