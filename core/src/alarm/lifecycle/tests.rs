use proptest::prelude::*;

use super::*;
use crate::model::Severity;

fn key() -> AlarmKey {
    AlarmKey {
        component: "mq/module-1".into(),
        resource: "link-1".into(),
        alarm_type_id: "qber-threshold-exceeded".into(),
        alarm_type_qualifier: "qber".into(),
    }
}

fn report(severity: Severity, text: &str) -> AlarmReport {
    AlarmReport {
        severity,
        text: text.into(),
        event_type: "quality-of-service".into(),
        probable_cause: "threshold-crossed".into(),
        observed: Some(0.07),
        threshold: Some(0.06),
        repair_actions: vec!["Check the link.".into()],
        additional_information: Vec::new(),
    }
}

fn raised() -> Alarm {
    raise(None, key(), report(Severity::Major, "QBER 7 %"), "policy:qber", || 7, Timestamp(10)).unwrap()
}

fn again(alarm: &Alarm, severity: Severity, text: &str, now: i64) -> Option<Alarm> {
    raise(Some(alarm), key(), report(severity, text), "policy:qber", || unreachable!(), Timestamp(now))
}

#[test]
fn a_first_report_makes_an_alarm_with_one_entry() {
    let alarm = raised();
    assert_eq!((alarm.id, alarm.raise_count, alarm.is_cleared), (7, 1, false));
    assert_eq!(
        (alarm.time_created, alarm.last_raised, alarm.last_changed),
        (Timestamp(10), Timestamp(10), Timestamp(10))
    );
    assert_eq!(alarm.status_changes.len(), 1);
    assert_eq!(AlarmChange::between(None, &alarm), AlarmChange::Raised);
}

#[test]
fn a_new_text_at_the_same_severity_is_no_change() {
    assert_eq!(again(&raised(), Severity::Major, "QBER 7.1 %", 20), None);
}

#[test]
fn a_new_severity_is_a_change_and_not_a_raise() {
    let before = raised();
    let alarm = again(&before, Severity::Critical, "QBER 12 %", 20).unwrap();
    assert_eq!((alarm.last_raised, alarm.last_changed, alarm.raise_count), (Timestamp(10), Timestamp(20), 1));
    assert_eq!(alarm.report.text, "QBER 12 %");
    assert_eq!(alarm.status_changes[0].severity, Some(Severity::Critical));
    assert_eq!(AlarmChange::between(Some(&before), &alarm), AlarmChange::Changed);
}

#[test]
fn clearing_keeps_the_severity_and_raising_again_counts() {
    let before = raised();
    let cleared = clear(&before, "QBER 4 %", Timestamp(30)).unwrap();
    assert!(cleared.is_cleared);
    assert_eq!((cleared.report.severity, cleared.report.text.as_str()), (Severity::Major, "QBER 4 %"));
    assert_eq!(cleared.status_changes[0].severity, None);
    assert_eq!(AlarmChange::between(Some(&before), &cleared), AlarmChange::Cleared);
    assert_eq!(clear(&cleared, "again", Timestamp(31)), None);
    let back = again(&cleared, Severity::Major, "QBER 7 %", 40).unwrap();
    assert_eq!((back.raise_count, back.last_raised, back.time_created), (2, Timestamp(40), Timestamp(10)));
    assert_eq!(AlarmChange::between(Some(&cleared), &back), AlarmChange::Raised);
    assert_eq!(AlarmChange::between(Some(&before), &back), AlarmChange::Changed);
}

#[test]
fn a_closed_alarm_that_is_raised_again_needs_attention_again() {
    let closed = operate(&raised(), "ops", OperatorState::Closed, "fibre replaced", Timestamp(20)).unwrap();
    let cleared = clear(&closed, "", Timestamp(30)).unwrap();
    assert_eq!(cleared.operator_state, OperatorState::Closed);
    let back = again(&cleared, Severity::Major, "QBER 7 %", 40).unwrap();
    assert_eq!(back.operator_state, OperatorState::None);
    assert_eq!((back.operator_actions[0].operator.as_str(), back.operator_actions[0].time), ("manager", Timestamp(40)));
    assert_eq!(back.operator_actions[1].text, "fibre replaced");
}

#[test]
fn an_acknowledgement_outlives_clear_and_raise() {
    let known = operate(&raised(), "ops", OperatorState::Acknowledged, "", Timestamp(20)).unwrap();
    let back = again(&clear(&known, "", Timestamp(30)).unwrap(), Severity::Minor, "", 40).unwrap();
    assert_eq!(back.operator_state, OperatorState::Acknowledged);
    assert_eq!(back.operator_actions.len(), 1);
}

#[test]
fn operating_without_news_is_refused_and_says_who_was_first() {
    let before = raised();
    let known = operate(&before, "ops", OperatorState::Acknowledged, "", Timestamp(20)).unwrap();
    assert_eq!(AlarmChange::between(Some(&before), &known), AlarmChange::Operated);
    let error = operate(&known, "night", OperatorState::Acknowledged, "", Timestamp(30)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "alarm 7 is acknowledged already (by ops at 1970-01-01T00:00:00.020Z); add a comment to record something more"
    );
    let commented = operate(&known, "night", OperatorState::Acknowledged, "on my way", Timestamp(30)).unwrap();
    assert_eq!(commented.operator_actions[0].text, "on my way");
    let back = operate(&commented, "ops", OperatorState::None, "", Timestamp(40)).unwrap();
    assert_eq!(back.operator_state, OperatorState::None);
    let long = "ü".repeat(limits::ALARM_TEXT_CHARS + 1);
    assert_eq!(
        operate(&back, "ops", OperatorState::Closed, &long, Timestamp(50)),
        Err(OperateError::CommentTooLong { chars: limits::ALARM_TEXT_CHARS + 1 })
    );
}

#[test]
fn what_was_reported_is_cut_to_the_limits() {
    let mut report = report(Severity::Major, &"ü".repeat(limits::ALARM_TEXT_CHARS + 1));
    report.repair_actions = vec!["Check.".to_owned(); limits::ALARM_REPAIR_ACTIONS + 1];
    report.observed = Some(f64::NAN);
    let alarm = raise(None, key(), report, "component", || 1, Timestamp(1)).unwrap();
    assert_eq!(alarm.report.text.chars().count(), limits::ALARM_TEXT_CHARS);
    assert!(alarm.report.text.ends_with("ü…"));
    assert_eq!(alarm.status_changes[0].text, alarm.report.text);
    assert_eq!((alarm.report.repair_actions.len(), alarm.report.observed), (limits::ALARM_REPAIR_ACTIONS, None));
}

#[derive(Clone, Debug)]
enum Step {
    Raise(usize),
    Clear,
    Operate(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        3 => (0_usize..5).prop_map(Step::Raise),
        2 => Just(Step::Clear),
        2 => (0_usize..3, any::<bool>()).prop_map(|(state, comment)| Step::Operate(state, comment)),
    ];
    // Clocks mostly go forward.
    prop::collection::vec((step, -3_i64..20), 1..150)
}

const STATES: [OperatorState; 3] = [OperatorState::None, OperatorState::Acknowledged, OperatorState::Closed];

proptest! {
    #[test]
    fn the_laws_hold_on_every_way(steps in steps()) {
        let mut alarm = raised();
        let mut now = 10;
        for (step, later) in steps {
            now += later;
            let before = alarm.clone();
            match step {
                Step::Raise(severity) => {
                    let severity = Severity::ALL[severity];
                    let after = again(&before, severity, "text", now);
                    prop_assert_eq!(after.is_none(), !before.is_cleared && before.report.severity == severity);
                    if let Some(after) = after {
                        prop_assert_eq!(again(&after, severity, "other", now + 1), None, "a repeat changes nothing");
                        prop_assert!(!after.is_cleared);
                        prop_assert!(clear(&after, "", Timestamp(now)).is_some(), "what is raised can be cleared");
                        let reopened = before.is_cleared && before.operator_state == OperatorState::Closed;
                        let expected = if reopened { OperatorState::None } else { before.operator_state };
                        prop_assert_eq!(after.operator_state, expected);
                        alarm = after;
                    }
                }
                Step::Clear => {
                    let after = clear(&before, "", Timestamp(now));
                    prop_assert_eq!(after.is_none(), before.is_cleared);
                    if let Some(after) = after {
                        prop_assert_eq!(clear(&after, "", Timestamp(now + 1)), None, "a repeat changes nothing");
                        prop_assert_eq!(&after.operator_actions, &before.operator_actions);
                        prop_assert_eq!(after.operator_state, before.operator_state);
                        prop_assert_eq!(after.report.severity, before.report.severity);
                        alarm = after;
                    }
                }
                Step::Operate(state, comment) => {
                    let state = STATES[state];
                    let result = operate(&before, "ops", state, if comment { "why" } else { "" }, Timestamp(now));
                    prop_assert_eq!(result.is_err(), before.operator_state == state && !comment);
                    if let Ok(after) = result {
                        prop_assert_eq!(after.operator_state, state);
                        prop_assert_eq!(after.is_cleared, before.is_cleared);
                        prop_assert_eq!(&after.report, &before.report);
                        prop_assert_eq!(&after.status_changes, &before.status_changes);
                        prop_assert_eq!(after.last_changed, before.last_changed);
                        alarm = after;
                    }
                }
            }
            prop_assert!(alarm.status_changes.len() <= limits::ALARM_STATUS_CHANGES);
            prop_assert!(alarm.operator_actions.len() <= limits::ALARM_STATUS_CHANGES);
            prop_assert!(alarm.status_changes.is_sorted_by(|newer, older| newer.time >= older.time));
            prop_assert!(alarm.operator_actions.is_sorted_by(|newer, older| newer.time >= older.time));
            prop_assert_eq!(alarm.status_changes[0].time, alarm.last_changed);
            prop_assert_eq!(alarm.status_changes[0].severity.is_none(), alarm.is_cleared);
            prop_assert!(alarm.time_created <= alarm.last_raised && alarm.last_raised <= alarm.last_changed);
        }
    }
}
