//! Chains of handlers: what each step sees, who refuses, what becomes of a step that fails, and that the cut into batches
//! makes no difference.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{
    core::Surroundings,
    handling::{Fate, HandlerStage, Handling},
    plugins::ActiveHandler,
};
use crate::{
    config::{ComponentMatch, HandlerConfig, OnFailure, PluginSource, limits::BATCH_SAMPLES},
    dispatch::{ComponentCard, Registry},
    model::{
        Fault, ObjectKind, ReferencePoint, ReportBatch, ReportHead, Symbol, SymbolTable, Timestamp,
        report_batch::{ObjectText, sample_object},
    },
    plugin::{ComponentAlarm, Handled, InterfaceHandler, NormalSample, PluginFailure},
};

/// What shards share, without components.
pub(super) fn around() -> Surroundings {
    let symbols = Arc::new(SymbolTable::new());
    Surroundings {
        registry: Arc::new(Registry::new(Arc::clone(&symbols), 1)),
        symbols,
        metrics: Arc::default(),
        manager: "mx/m".into(),
        next_alarm_id: Arc::default(),
        shards: 1,
    }
}

type Body = Arc<dyn Fn(&ReportBatch) -> Result<Handled, PluginFailure> + Send + Sync>;

struct Played(Body);

impl InterfaceHandler for Played {
    fn handle(&mut self, reports: &ReportBatch) -> Result<Handled, PluginFailure> {
        (self.0)(reports)
    }
}

/// A step: its name, who follows, whether it reads alarms, what it does.
fn step(name: &str, then: Option<usize>, reads_alarms: bool, body: Body) -> ActiveHandler {
    ActiveHandler {
        config: HandlerConfig {
            name: name.into(),
            reference_point: ReferencePoint::Mk,
            matches: ComponentMatch::default(),
            plugin: PluginSource::Builtin("mk".into()),
            sha256: None,
            on_failure: OnFailure::Reject,
            then: None,
            allow_key_names: vec![],
            config: serde_json::Value::Null,
        },
        symbol: 0,
        digest: "".into(),
        fallback: usize::MAX,
        then,
        reads_alarms,
        make: Arc::new(move || Ok(Box::new(Played(Arc::clone(&body))))),
    }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap()
}

/// Adds the value `sequence` under `name` on `link-1`; refuses 3, fails on 5, raises an alarm with 7.
fn translator(name: Symbol) -> Body {
    Arc::new(move |reports| {
        let mut handled = Handled::default();
        if reports.reports.iter().any(|head| head.sequence == 5) {
            return Err(PluginFailure::Trap("five".into()));
        }
        for (index, head) in reports.reports.iter().enumerate() {
            let report = position(index);
            let resource = "link-1".to_owned();
            handled.samples.push(NormalSample { report, name: name.0, resource, value: head.sequence as f64, kind: 0 });
            if head.sequence == 3 {
                handled.refusals.push((report, "extension[0]: three".into()));
            }
            if head.sequence == 7 {
                handled.alarms.push(alarm(report, "seven"));
            }
        }
        Ok(handled)
    })
}

fn alarm(report: u32, kind: &str) -> ComponentAlarm {
    ComponentAlarm {
        report,
        resource: "link-1".into(),
        alarm_type: kind.into(),
        qualifier: String::new(),
        severity: "major".into(),
        text: "it says \"so\"".into(),
        event_type: String::new(),
        probable_cause: String::new(),
    }
}

/// Refuses values above 10, with the path; fails on 6; takes alarms over. Keeps what it saw.
fn checker(saw: &Arc<Mutex<Vec<ReportBatch>>>) -> Body {
    let saw = Arc::clone(saw);
    Arc::new(move |reports| {
        let mut handled = Handled::default();
        if reports.reports.iter().any(|head| head.sequence == 6) {
            return Err(PluginFailure::Trap("six".into()));
        }
        for index in 0..reports.len() {
            for sample in reports.samples(index) {
                if reports.values[sample] > 10.0 {
                    let object = sample_object(reports.flags[sample]);
                    let reason = format!("extension[{object}].values.x: {} is more than 10", reports.values[sample]);
                    handled.refusals.push((position(index), reason));
                }
            }
        }
        for object in &reports.objects {
            let read: serde_json::Value = serde_json::from_str(reports.object_text(object)).unwrap();
            let kind = read["alarmTypeId"].as_str().unwrap().to_owned();
            handled.alarms.push(ComponentAlarm { text: "checked".into(), ..alarm(object.report, &kind) });
        }
        saw.lock().unwrap().push(reports.clone());
        Ok(handled)
    })
}

struct Chain {
    around: Surroundings,
    stage: HandlerStage,
    saw: Arc<Mutex<Vec<ReportBatch>>>,
    name: Symbol,
    component: Symbol,
}

/// `acme`, then `standard`, which does as `on_failure` says where it fails; behind them one that accepts everything.
fn chain(on_failure: OnFailure) -> Chain {
    let around = around();
    let name = around.symbols.intern("qber_ratio");
    let component = around.registry.admit(&"mk/a".parse().unwrap(), ComponentCard::default).symbol;
    let saw = Arc::default();
    let mut second = step("standard", None, true, checker(&saw));
    (second.config.on_failure, second.fallback) = (on_failure, 2);
    let stage = HandlerStage::new(&[
        step("acme", Some(1), false, translator(name)),
        second,
        step("mild", None, false, Arc::new(|_| Ok(Handled::default()))),
    ]);
    Chain { around, stage, saw, name, component }
}

impl Chain {
    fn batch(&self, sequences: &[u64]) -> ReportBatch {
        let head = |&sequence: &u64| ReportHead { sequence, component: self.component.0, ..ReportHead::default() };
        ReportBatch { reports: sequences.iter().map(head).collect(), ..ReportBatch::default() }
    }

    fn handle(&mut self, batch: &ReportBatch) -> Handling {
        self.stage.handle(0, batch, Timestamp(0), &self.around)
    }

    fn saw(&self) -> Vec<Vec<u64>> {
        let sequences = |batch: &ReportBatch| batch.reports.iter().map(|head| head.sequence).collect();
        self.saw.lock().unwrap().iter().map(sequences).collect()
    }
}

fn refused(reason: &str) -> Fate {
    Fate::Refuse(reason.to_owned())
}

#[test]
fn a_step_sees_what_the_one_before_made_and_a_refusal_names_the_step_and_the_path() {
    let mut chain = chain(OnFailure::Reject);
    let mut batch = chain.batch(&[1, 3, 20]);
    let own = ReportBatch {
        reports: vec![ReportHead { component: chain.component.0, samples_end: 1, ..ReportHead::default() }],
        names: vec![9],
        resources: vec![0],
        values: vec![11.0],
        flags: vec![4 << 8],
        ..ReportBatch::default()
    };
    batch.append(&own);
    let handling = chain.handle(&batch);
    let made = "standard: what acme made of it, values.x: 20 is more than 10";
    let received = "standard: extension[4].values.x: 11 is more than 10";
    assert_eq!(handling.fates, [Fate::Accept, refused("acme: extension[0]: three"), refused(made), refused(received)]);
    assert_eq!(chain.saw(), [[1, 20, 0]], "what the first step refused goes no further");
    let saw = chain.saw.lock().unwrap()[0].clone();
    let link = chain.around.symbols.find("link-1").unwrap();
    assert_eq!((&saw.names[..2], &saw.resources[..2]), (&[chain.name.0; 2][..], &[link.0; 2][..]));
    assert_eq!(saw.names[2..], [9, chain.name.0], "its own values come first");
    let samples: Vec<(u32, f64)> = handling.samples.iter().map(|sample| (sample.report, sample.value)).collect();
    assert_eq!(samples, [(0, 1.0)], "nothing follows from what was refused");
}

#[test]
fn on_failure_is_asked_of_the_step_that_failed() {
    for (on_failure, fate, kept) in [
        (OnFailure::Reject, Fate::Fail("handler standard failed (trap)".into()), vec![1, 8]),
        (OnFailure::KeepRaw, Fate::KeepRaw, vec![1, 8]),
        (OnFailure::Fallback, Fate::Accept, vec![1, 6, 8]),
    ] {
        let mut chain = chain(on_failure);
        let handling = chain.handle(&chain.batch(&[1, 3, 6, 5, 8]));
        let first = Fate::Fail("handler acme failed (trap)".into());
        let fates = [Fate::Accept, refused("acme: extension[0]: three"), fate, first, Fate::Accept];
        assert_eq!(handling.fates, fates, "{on_failure:?}");
        let failed: Vec<_> = handling.failed.iter().map(|call| (call.plugin.as_str(), call.report)).collect();
        let expected = [("acme", None), ("acme", Some(3)), ("standard", None), ("standard", Some(2))];
        assert_eq!(failed, expected, "the report that each failed on, as it was received");
        let values: Vec<u64> = handling.samples.iter().map(|sample| sample.value as u64).collect();
        assert_eq!(values, kept, "{on_failure:?}: a report that is kept as received has none of what was made of it");
    }
}

#[test]
fn alarms_of_a_step_are_objects_for_the_next_which_has_the_last_word() {
    let mut chain = chain(OnFailure::Reject);
    let mut batch = chain.batch(&[7]);
    let object = br#"{"type":"alarm","alarmTypeId":"own"}"#;
    batch.text = object.to_vec();
    batch.reports[0].text_end = position(object.len());
    batch.objects.push(ObjectText {
        report: 0,
        index: 0,
        kind: ObjectKind::Alarm,
        start: 0,
        end: position(object.len()),
    });
    let mut whole = chain.batch(&[1]);
    whole.append(&batch);
    let handling = chain.handle(&whole);
    let told: Vec<_> = handling.alarms.iter().map(|one| (one.report, &*one.alarm_type, &*one.text)).collect();
    assert_eq!(told, [(1, "own", "checked"), (1, "seven", "checked")]);
    let saw = chain.saw.lock().unwrap()[0].clone();
    assert_eq!(saw.extension_text(1).as_bytes(), object, "the extension stays as it was received");
    let made: serde_json::Value = serde_json::from_str(saw.object_text(&saw.objects[1])).unwrap();
    let expected = serde_json::json!({
        "type": "alarm", "alarmTypeId": "seven", "severity": "major", "text": "it says \"so\"", "resource": "link-1",
    });
    assert_eq!(made, expected);
}

#[test]
fn what_stands_for_a_value_that_could_not_be_read_settles_it() {
    let mut chain = chain(OnFailure::Reject);
    let mut batch = chain.batch(&[1]);
    for path in ["extension[0].values.qber_ratio", "extension[1].values.snr_db", "extension[2].resource"] {
        batch.faults.push(Fault { report: 0, path: path.into(), message: "expected a number".into() });
    }
    chain.handle(&batch);
    let saw = chain.saw.lock().unwrap()[0].clone();
    let left: Vec<&str> = saw.faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(left, ["extension[1].values.snr_db", "extension[2].resource"]);
}

#[test]
fn a_call_of_a_later_step_has_no_more_values_than_one_of_the_first() {
    let mut chain = chain(OnFailure::Reject);
    let one = |chain: &Chain, values: usize| ReportBatch {
        reports: vec![ReportHead {
            sequence: 1,
            component: chain.component.0,
            samples_end: position(values),
            ..ReportHead::default()
        }],
        names: vec![9; values],
        resources: vec![0; values],
        values: vec![1.0; values],
        flags: vec![0; values],
        ..ReportBatch::default()
    };
    let mut batch = one(&chain, BATCH_SAMPLES / 2 - 1);
    batch.append(&one(&chain, BATCH_SAMPLES / 2));
    let handling = chain.handle(&batch);
    assert_eq!(handling.fates, [Fate::Accept, Fate::Accept]);
    let sizes: Vec<usize> = chain.saw.lock().unwrap().iter().map(|batch| batch.values.len()).collect();
    assert_eq!(sizes, [BATCH_SAMPLES / 2, BATCH_SAMPLES / 2 + 1]);
    let handling = chain.handle(&one(&chain, BATCH_SAMPLES));
    let reason = "standard: with what acme made of it there are 8193 values, and at most 8192 are handled";
    assert_eq!(handling.fates, [refused(reason)]);
}

#[test]
fn every_part_of_a_large_batch_is_shown_what_the_step_before_made_of_it() {
    let mut chain = chain(OnFailure::Reject);
    let (other, saw) = (chain.around.symbols.intern("snr_db"), Arc::clone(&chain.saw));
    let adds = translator(other);
    let second: Body = Arc::new(move |reports| {
        saw.lock().unwrap().push(reports.clone());
        adds(reports)
    });
    chain.stage =
        HandlerStage::new(&[step("acme", Some(1), false, translator(chain.name)), step("second", None, false, second)]);
    let own = BATCH_SAMPLES / 2;
    let mut batch = ReportBatch::default();
    for sequence in 10..18 {
        let mut one = chain.batch(&[sequence]);
        one.reports[0].samples_end = position(own);
        (one.names, one.resources) = (vec![9; own], vec![0; own]);
        (one.values, one.flags) = (vec![1.0; own], vec![0; own]);
        batch.append(&one);
    }
    let handling = chain.handle(&batch);
    assert_eq!(handling.fates, vec![Fate::Accept; 8]);
    let made: Vec<(u64, Vec<f64>)> =
        chain.saw.lock().unwrap().iter().map(|part| (part.reports[0].sequence, part.values[own..].to_vec())).collect();
    let expected: Vec<(u64, Vec<f64>)> = (10..18).map(|sequence| (sequence, vec![sequence as f64])).collect();
    assert_eq!(made, expected);
}

proptest! {
    #[test]
    fn the_cut_into_batches_makes_no_difference(sequences in prop::collection::vec(0_u64..14, 0..12)) {
        let mut together = chain(OnFailure::KeepRaw);
        let batch = together.batch(&sequences);
        let whole = together.handle(&batch);
        for (index, sequence) in sequences.iter().enumerate() {
            // Alone, and by plugins that are not tired of failing.
            let mut apart = chain(OnFailure::KeepRaw);
            let alone = apart.handle(&apart.batch(&[*sequence]));
            if !whole.failed.iter().any(|call| call.failure.kind() == "paused") {
                prop_assert_eq!(&whole.fates[index], &alone.fates[0]);
            }
            let of_it = |samples: &[NormalSample], report: usize| -> Vec<f64> {
                samples.iter().filter(|sample| sample.report as usize == report).map(|sample| sample.value).collect()
            };
            if whole.fates[index] == alone.fates[0] {
                prop_assert_eq!(of_it(&whole.samples, index), of_it(&alone.samples, 0));
            }
        }
    }
}
