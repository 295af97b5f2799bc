//! Policies: state goes in and comes back, verdicts come out, bad answers change nothing.

use serde_json::json;

use qkdn_manager::plugin::SeenObject;

use super::{Bench, MARKER};

#[test]
fn state_comes_back_and_verdicts_with_it() {
    let bench = Bench::new();
    let loaded = bench
        .load_policy(json!({ "value": "qber_ratio", "limit": 0.5, "state_width": 2, "components": ["mk/km-1"] }))
        .unwrap();
    assert_eq!(loaded.needs().names, [bench.symbol("qber_ratio")]);
    assert_eq!((loaded.needs().state_width, loaded.needs().per_component), (2, false));
    assert!(bench.symbols.find("mk/km-1").is_some());
    let mut policy = loaded.instantiate().unwrap();
    let seen = bench.observations(2, &[10.0, 7.0, 20.0, 8.0], &[0.1, 0.6, 0.2]);
    let outcome = policy.evaluate(&seen).unwrap();
    assert_eq!(outcome.state, [12.0, 7.0, 21.0, 8.0]);
    assert_eq!(outcome.raised.len(), 1);
    let alarm = &outcome.raised[0];
    assert_eq!((alarm.subject, alarm.observed, alarm.threshold), (1, Some(0.6), Some(0.5)));
    assert_eq!(outcome.timers, [(1, 1_001_000)]);
    assert_eq!(outcome.requests, [(1, vec!["qber_ratio".to_owned()])]);

    let outcome = policy.on_time(&bench.observations(1, &[1.0, 2.0], &[])).unwrap();
    assert_eq!(outcome.state, [1.0, 2.0]);
    assert_eq!(outcome.cleared[0].text, "It is 1000000.");
}

#[test]
fn objects_come_with_their_subject_and_place_and_evidence_goes_back() {
    let bench = Bench::new();
    let loaded = bench
        .load_policy(json!({ "value": "qber_ratio", "limit": 0.5, "objects": ["event"], "object_resource": "name" }))
        .unwrap();
    assert_eq!(loaded.needs().objects, [qkdn_manager::model::ObjectKind::Event]);
    assert_eq!(loaded.needs().object_resource, "name");
    let mut policy = loaded.instantiate().unwrap();
    let mut seen = bench.observations(2, &[0.0; 2], &[0.1, 0.6]);
    let object = |subject| SeenObject {
        subject,
        samples_before: 1,
        kind: qkdn_manager::model::ObjectKind::Event,
        text: "{\"name\":\"x\"}".to_owned(),
    };
    seen.objects = vec![object(1)];
    let outcome = policy.evaluate(&seen).unwrap();
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(outcome.raised[0].evidence, [fact("observed", "0.6"), fact("count", "1")]);
    assert_eq!(outcome.raised[1].text, "event after 1 samples: {\"name\":\"x\"}");
    assert_eq!(outcome.raised[1].subject, 1);
    seen.objects = vec![object(2)];
    assert_eq!(policy.evaluate(&seen).unwrap_err().kind(), "bad-question");
    let error = bench.load_policy(json!({ "value": "qber_ratio", "objects": ["events"] })).unwrap_err();
    assert!(error.to_string().contains("`events` is no type of extension objects"), "{error}");
}

#[test]
fn instances_are_interchangeable() {
    let bench = Bench::new();
    let loaded = bench.load_policy(json!({ "value": "qber_ratio" })).unwrap();
    let seen = bench.observations(3, &[0.0; 3], &[0.1, 0.2, 0.3, 0.4, 5.0]);
    let one = loaded.instantiate().unwrap().evaluate(&seen).unwrap();
    let mut second = loaded.instantiate().unwrap();
    second.evaluate(&bench.observations(1, &[0.0], &[9.0])).unwrap();
    assert_eq!(second.evaluate(&seen).unwrap(), one);
}

#[test]
fn bad_answers_are_refused_and_the_next_call_works() {
    for (misbehaviour, kind, wanted) in [
        ("short-state", "bad-answer", "the state has 1 values; it went in with 2"),
        ("subject-out-of-range", "bad-answer", "position 9, but the question had 2"),
        ("unknown-severity", "bad-answer", "`Major` is no severity"),
        ("too-many-verdicts", "answer-too-large", "2000 verdicts, and at most 1024"),
        ("panic", "trap", "unreachable"),
    ] {
        let bench = Bench::new();
        let mut policy = bench.policy(json!({ "value": "qber_ratio", "limit": 1000, "misbehave": misbehaviour }));
        let failure = policy.evaluate(&bench.observations(2, &[0.0; 2], &[MARKER])).unwrap_err();
        assert_eq!(failure.kind(), kind, "{misbehaviour}");
        assert!(failure.detail().contains(wanted), "{misbehaviour}: {failure}");
        let outcome = policy.evaluate(&bench.observations(2, &[0.0; 2], &[0.1])).unwrap();
        assert_eq!(outcome.state, [1.0, 0.0], "{misbehaviour}");
        assert_eq!(bench.metrics.plugins.get("test-policy").unwrap().activity().failures(), 1);
    }
}

#[test]
fn nans_are_canonical() {
    let bench = Bench::new();
    let mut policy = bench.policy(json!({ "value": "qber_ratio", "limit": 1000, "misbehave": "nan-state" }));
    let outcome = policy.evaluate(&bench.observations(1, &[0.0], &[MARKER])).unwrap();
    assert_eq!(outcome.state[0].to_bits(), 0x7ff8_0000_0000_0000);
}

#[test]
fn subjects_that_do_not_fit_reach_no_guest() {
    let bench = Bench::new();
    let mut policy = bench.policy(json!({ "value": "qber_ratio" }));
    let mut seen = bench.observations(2, &[0.0; 2], &[0.1]);
    seen.subject[0] = 2;
    assert_eq!(policy.evaluate(&seen).unwrap_err().kind(), "bad-question");
    let seen = bench.observations(2, &[0.0; 3], &[0.1]);
    assert_eq!(policy.evaluate(&seen).unwrap_err().kind(), "bad-question");
}
