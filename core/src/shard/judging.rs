//! What is answered to each report: the rules of numbering and the handler's word together, and the state of accepted
//! reports.

use std::sync::Arc;

use hashbrown::hash_map::Entry;

use super::core::{Known, ShardCore, Worked};
use crate::{
    model::{
        ReasonCode, Refusal, ReportBatch, ReportHead, Symbol, Timestamp, report_batch::head_flags,
        response::RefusalDetail,
    },
    shard::{
        alarms::{AlarmChanges, own_report},
        handling::{Fate, Handling},
        silence::Silent,
        undo::ComponentBefore,
    },
    state::{
        ComponentState, SequenceVerdict,
        source_clock::{OUT_OF_RANGE, OffsetChange},
        usage::digest,
    },
    storage::record::AnswerCode,
};

/// How the sentence of a refusal begins whose number was accepted with other content.
const CONFLICT: &str = "sequence conflict";
/// Alarm type of a component that does not report.
pub(super) const SILENT: &str = "component-silent";

impl ShardCore {
    /// The rules of numbering and the handler's word together: answers, and the state of accepted reports.
    pub(super) fn judge(
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
                    let usage = match (&verdict, fate) {
                        (SequenceVerdict::New, Fate::Accept) if !batch.objects.is_empty() => {
                            known.state.usage_refusal(batch, index, now)
                        }
                        _ => None,
                    };
                    match usage {
                        Some(reason) => Err(Refusal::new(ReasonCode::Rejected, reason)),
                        None => verdict_and_fate(verdict, fate, head),
                    }
                }
            };
            match answer {
                Ok(AnswerCode::Repeat) => worked.record.answers.push(AnswerCode::Repeat as u8),
                Ok(code) => {
                    if self.accept(batch, index, code, now, worked) {
                        self.conflict_ends(head.component, now, changes);
                    }
                    self.watch_clock(head, now, changes);
                    self.silence_ends(head.component, now, changes);
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
        let known = match self.components.entry(component) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let entry = self.around.registry.by_symbol(component)?;
                place.insert(Known::new(ComponentState::default(), entry))
            }
        };
        if known.seen_by.0 != self.config.generation {
            known.seen_by = (self.config.generation, self.config.rules.card(&known.entry.component).policies);
        }
        Some(known)
    }

    /// Takes a report over; whether a new incarnation of the component's numbering began with it.
    fn accept(
        &mut self,
        batch: &ReportBatch,
        index: usize,
        code: AnswerCode,
        now: Timestamp,
        worked: &mut Worked,
    ) -> bool {
        let (number, gaps) = (self.batch_number, &self.around.metrics.sequence_gaps);
        let (Some(head), Some(known)) = (batch.reports.get(index), self.components.get_mut(&batch.component(index).0))
        else {
            return false;
        };
        let clock = known.clock;
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
                network: Arc::clone(&state.network),
                clock,
            });
        }
        let (before, was) = (state.window.gaps(), state.window.position());
        let added = &worked.record.effects.added_samples;
        let accepted = state.accept(batch, index, code == AnswerCode::KeptRaw, added, now);
        if let Some(undo) = accepted.sequence {
            gaps.add(state.window.gaps() - before);
            worked.undo.sequences.push((head.component, undo));
        }
        let is = state.window.position();
        let is_reborn = was.is_some_and(|(was, _)| is.is_some_and(|(is, _)| is > was));
        if accepted.dropped > 0 {
            self.around.metrics.network_entries_dropped.add(accepted.dropped);
        }
        for entry in &accepted.usage {
            let end = entry.usage.end().unwrap_or_default();
            worked.undo.usage.push((head.component, digest(&entry.usage.usage_id), end));
        }
        let report = u32::try_from(index).unwrap_or(u32::MAX);
        self.around.metrics.usage_repeats.add(accepted.uncounted.len() as u64);
        worked.uncounted.extend(accepted.uncounted.into_iter().map(|object| (report, object)));
        worked.network.extend(accepted.network);
        worked.usage.extend(accepted.usage);
        is_reborn
    }

    /// A component whose source times are steadily off gets an alarm.
    fn watch_clock(&mut self, head: &ReportHead, now: Timestamp, changes: &mut AlarmChanges) {
        if head.flags & head_flags::HAS_TIME == 0 {
            return;
        }
        let replaced = head.flags & head_flags::TIME_REPLACED != 0;
        let offset = if replaced { OUT_OF_RANGE } else { now.0.saturating_sub(head.time) };
        let Some(change) = self.components.get_mut(&head.component).and_then(|known| known.clock.observe(offset))
        else {
            return;
        };
        let key = self.key(head.component, Symbol::NONE, "clock-offset", "manager");
        let text = match change {
            OffsetChange::Right => {
                return self.alarms.clear(&key, "its source times agree with the manager's clock", now, changes);
            }
            OffsetChange::Off(OUT_OF_RANGE) => {
                "its source times lie more than 24 h back or 5 min ahead and are replaced by the time of receipt"
                    .to_owned()
            }
            OffsetChange::Off(ms) if ms > 0 => format!("its source times are steadily {} s behind", ms / 1_000),
            OffsetChange::Off(ms) => format!("its source times are steadily {} s ahead", -(ms / 1_000)),
        };
        let report = own_report("clock-offset", text, &["Check the time service (NTP, PTP) of the component."]);
        self.alarms.raise(key, report, "manager", now, changes);
    }

    /// Expects components to report, as configured, from `started` on. Called once everything from before the start is
    /// restored.
    pub fn expect_reports(&mut self, started: Timestamp) {
        let config = Arc::clone(&self.config);
        for &(component, interval_ms) in config.expected.iter() {
            if self.is_ours(&self.around.symbols.text(component)) {
                self.silence.expect(component, interval_ms, started);
            }
        }
        self.remember_silence();
    }

    /// Silence as the alarms have it: after a restart, and when something was taken back.
    pub(super) fn remember_silence(&mut self) {
        let expected: Vec<Symbol> = self.silence.expected().collect();
        for component in expected {
            let is_silent = self.alarms.is_raised(&self.key(component.0, Symbol::NONE, SILENT, "manager"));
            let last_report = self.components.get(&component.0).and_then(|known| known.state.last_report);
            self.silence.set(component, is_silent, last_report);
        }
    }

    /// Raises alarms for components that have become silent; true if there are any.
    pub(super) fn silence_falls(
        &mut self,
        now: Timestamp,
        of_shard: impl Fn(u32) -> bool,
        changes: &mut AlarmChanges,
    ) -> bool {
        let components = &self.components;
        let last_report = |component: u32| components.get(&component).and_then(|known| known.state.last_report);
        let silent = self.silence.due(now, of_shard, last_report);
        for Silent { component, interval_ms } in &silent {
            let last = self.components.get(&component.0).and_then(|known| known.state.last_report);
            let since = last.map_or_else(
                || "no report was ever accepted".to_owned(),
                |last| format!("the last report was accepted at {last}"),
            );
            let text = format!("{since}; one is expected every {} s", *interval_ms as f64 / 1_000.0);
            let report = own_report(
                SILENT,
                text,
                &[
                    "Look whether the component is connected (qkdnm component show) and whether its reports are refused.",
                    "Check the component itself and the network to it.",
                ],
            );
            let key = self.key(component.0, Symbol::NONE, SILENT, "manager");
            self.alarms.raise(key, report, "manager", now, changes);
        }
        !silent.is_empty()
    }

    /// An accepted report ends a component's silence.
    fn silence_ends(&mut self, component: u32, now: Timestamp, changes: &mut AlarmChanges) {
        if self.silence.heard(Symbol(component), now) {
            let key = self.key(component, Symbol::NONE, SILENT, "manager");
            self.alarms.clear(&key, "it reports again", now, changes);
        }
    }

    /// With a new incarnation the numbers that were in conflict are past.
    fn conflict_ends(&mut self, component: u32, now: Timestamp, changes: &mut AlarmChanges) {
        let key = self.key(component, Symbol::NONE, "report-sequence-conflict", "manager");
        if self.alarms.is_raised(&key) {
            self.alarms.clear(&key, "a new incarnation has begun", now, changes);
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
                    "The alarm ends when the component begins a higher incarnation; if it has none, close it once the cause is found.",
                ],
            );
            self.alarms.raise(key, report, "manager", now, changes);
        }
    }
}

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
