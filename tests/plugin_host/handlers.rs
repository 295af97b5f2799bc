//! A handler that behaves: what it is given, what it answers, what is counted.

use qkdn_manager::model::{Fault, ObjectKind, ReportBatch, ReportHead, report_batch::ObjectText};
use serde_json::{Value, json};

use super::Bench;

#[test]
fn a_batch_comes_in_and_refusals_and_alarms_come_out() {
    let bench = Bench::new();
    let mut handler = bench.handler(Value::Null);
    let handled = handler.handle(&bench.reports(&[&[0.03, 0.04], &[], &[1.5], &[0.6]])).unwrap();
    assert_eq!(handled.refusals, [(2, "extension[3].values.qber_ratio: 1.5 is more than 1".to_owned())]);
    assert_eq!(handled.alarms.len(), 1);
    assert_eq!((handled.alarms[0].report, handled.alarms[0].severity.as_str()), (3, "major"));
    assert_eq!(handled.alarms[0].text, "QBER is 0.6.");
    let metrics = bench.metrics.plugins.get("test-handler").unwrap();
    assert_eq!((metrics.activity().calls(), metrics.activity().reports, metrics.activity().failures()), (1, 4, 0));
    assert!(metrics.activity().nanoseconds > 0);
}

fn with_texts() -> ReportBatch {
    let text = br#"[{"type":"alarm","id":1}][{"type":"event"}]"#;
    let head = |text_start, text_end| ReportHead { component: 1, text_start, text_end, ..ReportHead::default() };
    ReportBatch {
        reports: vec![head(0, 25), head(25, 43), head(43, 43)],
        text: text.to_vec(),
        objects: vec![
            ObjectText { report: 0, index: 0, kind: ObjectKind::Alarm, start: 1, end: 24 },
            ObjectText { report: 1, index: 0, kind: ObjectKind::Event, start: 26, end: 42 },
        ],
        faults: vec![Fault { report: 1, path: "extension[0]".to_owned(), message: "expected a time".to_owned() }],
        ..ReportBatch::default()
    }
}

#[test]
fn only_the_texts_that_were_asked_for_are_given() {
    let bench = Bench::new();
    let loaded = bench.load_handler(json!({ "echo": true, "objects": ["alarm"], "raw": true })).unwrap();
    assert!(loaded.needs().raw);
    assert_eq!(loaded.needs().objects, [ObjectKind::Alarm]);
    let mut batch = with_texts();
    batch.faults.clear();
    let handled = loaded.instantiate().unwrap().handle(&batch).unwrap();
    assert_eq!(
        handled.refusals,
        [
            (0, r#"raw [{"type":"alarm","id":1}]"#.to_owned()),
            (1, r#"raw [{"type":"event"}]"#.to_owned()),
            (2, "raw []".to_owned())
        ]
    );
    assert_eq!(handled.samples.len(), 1, "the event was not asked for");
    assert_eq!(handled.samples[0].resource, r#"alarm {"type":"alarm","id":1}"#);

    let handled = bench.handler(json!({ "echo": true })).handle(&with_texts()).unwrap();
    assert_eq!(handled.refusals, [(1, "extension[0]: expected a time".to_owned())]);
    assert_eq!(handled.samples, []);
}

#[test]
fn arrays_that_do_not_fit_together_reach_no_guest() {
    let bench = Bench::new();
    let mut handler = bench.handler(Value::Null);
    let mut batch = bench.reports(&[&[0.1], &[0.2]]);
    batch.reports[0].samples_end = 9;
    assert_eq!(handler.handle(&batch).unwrap_err().kind(), "bad-question");
    let mut batch = bench.reports(&[&[0.1], &[0.2]]);
    batch.flags.pop();
    assert_eq!(handler.handle(&batch).unwrap_err().kind(), "bad-question");
    assert_eq!(bench.metrics.plugins.get("test-handler").unwrap().activity().calls(), 0);
    handler.handle(&bench.reports(&[&[0.1]])).unwrap();
}
