//! The laws of subscriptions.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{
    globs::overlap,
    objects::{bundles, objects},
    outbox::Outbox,
    trigger::{Trigger, TriggerState},
    visibility::{Gate, Visibility},
    *,
};
use crate::{
    config::SeesRule,
    wire::subscription::{EventFilter, MatchingDir, NotificationMethod, SubscriptionSpec, Threshold},
};

fn spec(thresholds: Vec<Threshold>, dampening: u64) -> SubscriptionSpec {
    SubscriptionSpec {
        events: vec![EventFilter::default()],
        notification_method: NotificationMethod::OnEventDetection,
        repetition_period_ms: None,
        thresholds,
        dampening_period_ms: Some(dampening),
        immediate_report: false,
        max_reports: None,
        expiry_time: None,
        correlation_id: None,
        durable: false,
    }
}

fn number(name: &str, time: i64, value: f64) -> Change {
    let key =
        SeriesKey { subject: "mk/km-1".into(), kind: "performance".into(), name: name.into(), ..SeriesKey::default() };
    Change { key, time: Timestamp(time), content: Content::Number(value) }
}

fn threshold(matching_dir: MatchingDir, hysteresis: f64) -> Threshold {
    Threshold { name: "v".into(), level: 10.0, matching_dir, hysteresis }
}

/// Values that are told, value by value.
fn told(threshold: Threshold, values: &[f64]) -> Vec<f64> {
    let mut trigger = Trigger::new(&spec(vec![threshold], 0), Timestamp(0));
    let told = values.iter().enumerate().filter(|(at, value)| {
        let at = *at as i64;
        trigger.take(number("v", at, **value), Timestamp(at)).is_some()
    });
    told.map(|(_, value)| *value).collect()
}

#[test]
fn thresholds_with_hysteresis_in_each_direction() {
    use MatchingDir::{Ascending, Crossed, Descending};
    let values = [9.0, 10.0, 9.5, 10.5, 8.0, 10.0, 11.5, 9.9, 8.5, 12.0];
    assert_eq!(told(threshold(Ascending, 0.0), &values), [10.0, 10.5, 10.0, 12.0]);
    assert_eq!(told(threshold(Ascending, 1.0), &values), [10.0, 10.0, 12.0]);
    assert_eq!(told(threshold(Descending, 0.0), &[11.0, 10.0, 10.1, 9.0, 9.5, 12.0, 3.0]), [10.0, 9.0, 3.0]);
    assert_eq!(told(threshold(Descending, 1.0), &[11.5, 10.0, 10.9, 9.0, 9.5, 12.0, 3.0]), [10.0, 3.0]);
    assert_eq!(told(threshold(Crossed, 1.0), &[9.0, 10.5, 11.0, 9.5, 8.9, 10.9, 11.0]), [11.0, 8.9, 11.0]);
    // The first value only says where the series stands.
    assert_eq!(told(threshold(Crossed, 0.0), &[12.0, 12.5]), [] as [f64; 0]);
    assert_eq!(told(threshold(Ascending, 5.0), &[12.0, 6.0, 12.0, 4.0, 12.0]), [12.0]);
}

#[test]
fn other_numbers_are_not_told_where_there_are_thresholds_but_states_are() {
    let mut trigger = Trigger::new(&spec(vec![threshold(MatchingDir::Crossed, 0.0)], 0), Timestamp(0));
    assert_eq!(trigger.take(number("w", 1, 1.0), Timestamp(1)), None);
    let mut state = number("operational_state", 2, 0.0);
    state.key.kind = "state".into();
    state.content = Content::Word("enabled".into());
    assert_eq!(trigger.take(state.clone(), Timestamp(2)), Some(state));
}

#[test]
fn periods_go_on_in_step_and_are_not_made_up_for() {
    let mut periodic = spec(Vec::new(), 0);
    periodic.notification_method = NotificationMethod::Periodic;
    periodic.repetition_period_ms = Some(100);
    let mut trigger = Trigger::new(&periodic, Timestamp(1_000));
    assert_eq!(trigger.due(), Some(Timestamp(1_100)));
    assert!(!trigger.period_over(Timestamp(1_099)) && trigger.period_over(Timestamp(1_105)));
    assert_eq!(trigger.due(), Some(Timestamp(1_200)));
    assert!(trigger.period_over(Timestamp(1_730)) && !trigger.period_over(Timestamp(1_730)));
    assert_eq!(trigger.due(), Some(Timestamp(1_800)));
    assert_eq!(trigger.take(number("v", 1, 1.0), Timestamp(1)), None);
}

#[test]
fn what_is_known_at_the_beginning_is_no_change() {
    let mut trigger = Trigger::new(&spec(Vec::new(), 0), Timestamp(0));
    trigger.learn(&number("v", 0, 1.0));
    assert_eq!(trigger.take(number("v", 1, 1.0), Timestamp(1)), None);
    assert!(trigger.take(number("v", 2, 2.0), Timestamp(2)).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Value(usize, u8),
    Wait(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_usize..3, 0_u8..4).prop_map(|(series, value)| Step::Value(series, value)),
        3 => (1_i64..150).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..80)
}

fn restarted(spec: &SubscriptionSpec, trigger: &Trigger) -> Trigger {
    let kept = postcard::to_allocvec(trigger.state()).unwrap();
    let state: TriggerState = postcard::from_bytes(&kept).unwrap();
    assert_eq!(&state, trigger.state());
    Trigger::resumed(spec, state)
}

proptest! {
    #[test]
    fn dampening_tells_the_last_value_and_no_series_too_often(steps in steps()) {
        let (spec, names) = (spec(Vec::new(), 100), ["a", "b", "c"]);
        let (mut trigger, mut now) = (Trigger::new(&spec, Timestamp(0)), 0_i64);
        let (mut last, mut seen): (HashMap<String, Content>, HashMap<String, Content>) = Default::default();
        let mut when: HashMap<String, i64> = HashMap::new();
        let mut tell = |change: Change, now: i64| {
            let before = when.insert(change.key.name.clone(), now);
            assert!(before.is_none_or(|before| now - before >= 100), "told at {before:?} and {now}");
            assert_ne!(seen.insert(change.key.name, change.content.clone()), Some(change.content));
            seen.clone()
        };
        for step in steps {
            match step {
                Step::Value(series, value) => {
                    let change = number(names[series], now, f64::from(value));
                    last.insert(names[series].into(), change.content.clone());
                    if let Some(change) = trigger.take(change, Timestamp(now)) {
                        tell(change, now);
                    }
                }
                Step::Wait(time) => {
                    let until = now + time;
                    while let Some(due) = trigger.due().filter(|due| due.0 <= until) {
                        now = due.0;
                        trigger.tick(due).into_iter().for_each(|change| drop(tell(change, now)));
                    }
                    now = until;
                }
                Step::Restart => trigger = restarted(&spec, &trigger),
            }
        }
        now += 200;
        trigger.tick(Timestamp(now)).into_iter().for_each(|change| drop(tell(change, now)));
        prop_assert_eq!(trigger.due(), None);
        prop_assert_eq!(seen, last);
    }

    #[test]
    fn hysteresis_never_tells_twice_without_going_back(values in prop::collection::vec(0.0..20.0_f64, 0..60), hysteresis in 0.0..5.0_f64) {
        for dir in MatchingDir::ALL {
            let (mut trigger, mut lately): (_, Option<(f64, f64, f64)>) = (Trigger::new(&spec(vec![threshold(dir, hysteresis)], 0), Timestamp(0)), None);
            for (at, value) in values.iter().enumerate() {
                let at = at as i64;
                if let Some((_, low, high)) = &mut lately {
                    *low = low.min(*value);
                    *high = high.max(*value);
                }
                if trigger.take(number("v", at, *value), Timestamp(at)).is_some() {
                    match (dir, lately) {
                        (_, None) => {}
                        (MatchingDir::Ascending, Some((_, low, _))) => prop_assert!(low < 10.0 - hysteresis),
                        (MatchingDir::Descending, Some((_, _, high))) => prop_assert!(high > 10.0 + hysteresis),
                        (MatchingDir::Crossed, Some((before, ..))) => prop_assert!((before >= 10.0) != (*value >= 10.0)),
                    }
                    lately = Some((*value, *value, *value));
                }
            }
        }
    }

    #[test]
    fn numbers_have_no_holes_but_those_that_gaps_tell(steps in prop::collection::vec(0_u8..5, 0..200), most in 1_usize..8) {
        let (mut outbox, mut on_the_way) = (Outbox::default(), Vec::new());
        let mut accounted = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                0 | 1 => drop(outbox.put(vec!["{}".into()], most, 1 << 20)),
                2 => {
                    if let Some(out) = outbox.send(3) {
                        if let Some((from, to)) = out.gap {
                            accounted.extend(from..=to);
                        }
                        // No number is passed over in silence.
                        prop_assert!((1..out.number).all(|number| accounted.contains(&number)), "{}", out.number);
                        accounted.insert(out.number);
                        on_the_way.push(out.number);
                    }
                }
                3 => {
                    if let Some(number) = on_the_way.pop() {
                        prop_assert!(outbox.answered(number));
                        prop_assert!(!outbox.answered(number + 1_000));
                    }
                }
                _ => {
                    outbox.send_again();
                    on_the_way.clear();
                    outbox = postcard::from_bytes(&postcard::to_allocvec(&outbox).unwrap()).unwrap();
                }
            }
            prop_assert!(outbox.in_flight() <= 3 && outbox.len() <= most.max(4) + 3);
            prop_assert!(outbox.acknowledged() <= outbox.last());
        }
    }

    #[test]
    fn globs_overlap_where_some_text_matches_both(left in "[ab*?]{0,5}", right in "[ab*?]{0,5}", text in "[ab]{0,6}") {
        let both = [&left, &right].iter().all(|glob| wildmatch::WildMatch::new(glob).matches(&text));
        prop_assert!(!both || overlap(&left, &right), "{left} {right} {text}");
        prop_assert_eq!(overlap(&left, &right), overlap(&right, &left));
        let literal = !text.is_empty();
        prop_assert!(!literal || overlap(&left, &text) == wildmatch::WildMatch::new(&left).matches(&text));
    }

    #[test]
    fn bundles_keep_all_objects_in_order_and_within_the_limit(sizes in prop::collection::vec(1_usize..30, 0..40)) {
        let objects: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
        let (bundles, dropped) = bundles(objects.clone(), 20);
        let fit: Vec<String> = objects.into_iter().filter(|object| object.len() < 20).collect();
        prop_assert_eq!(dropped as usize, sizes.len() - fit.len());
        prop_assert!(bundles.iter().all(|bundle| !bundle.is_empty() && bundle.iter().map(|o| o.len() + 1).sum::<usize>() <= 20));
        prop_assert_eq!(bundles.concat(), fit);
    }
}

fn filter(types: &[&str], names: &[&str], components: &[&str]) -> EventFilter {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    EventFilter { types: list(types), names: list(names), resources: Vec::new(), components: list(components) }
}

#[test]
fn nothing_is_seen_but_ones_own_component_and_what_is_permitted() {
    let key =
        |subject: &str, kind: &str| SeriesKey { subject: subject.into(), kind: kind.into(), ..SeriesKey::default() };
    let alone = Visibility::new("mu/net-1", &[]);
    assert!(alone.permits(&key("mu/net-1", "alarm")) && !alone.permits(&key("mu/net-10", "alarm")));
    assert!(!Visibility::new("mu/*", &[]).permits(&key("mu/net-1", "alarm")));
    let rule = SeesRule { components: vec!["mk/km-*".into()], types: vec!["alarm".into()], ..SeesRule::default() };
    let sees = Visibility::new("mu/net-1", &[rule]);
    assert!(sees.permits(&key("mk/km-2", "alarm")) && !sees.permits(&key("mk/km-2", "state")));
    let gate = Gate::new(sees, &[filter(&[], &[], &["mk/*", "mq/*"])]);
    assert!(gate.passes(&key("mk/km-2", "alarm")) && !gate.passes(&key("mq/q-1", "alarm")));
    assert!(gate.passes_component("mk/km-9") && !gate.passes_component("mu/net-1"));
}

#[test]
fn wishes_are_granted_in_part_and_what_fails_is_told() {
    let rule = SeesRule {
        components: vec!["mk/km-*".into()],
        types: vec!["alarm".into(), "performance".into()],
        ..SeesRule::default()
    };
    let sees = Visibility::new("mu/net-1", &[rule]);
    let (granted, failed) = sees.grant(&[
        filter(&["alarm", "state"], &[], &["mk/km-1", "mq/q-1"]),
        filter(&["performance"], &["stored_key_count", "no_such_value"], &["mk/*"]),
        filter(&["usage"], &[], &["mk/km-1"]),
        filter(&["weather"], &[], &[]),
        filter(&[], &[], &[]),
    ]);
    assert_eq!(
        granted,
        [
            filter(&["alarm"], &[], &["mk/km-1"]),
            filter(&["performance"], &["stored_key_count"], &["mk/*"]),
            filter(&[], &[], &[]),
        ]
    );
    let failed: Vec<_> = failed.iter().map(|failed| (failed.event, failed.reason.split(':').next().unwrap())).collect();
    assert_eq!(
        failed,
        [(0, "not-authorized"), (0, "not-authorized"), (1, "rejected"), (2, "not-authorized"), (3, "rejected")]
    );
}

#[test]
fn values_of_one_subject_and_time_share_an_object() {
    let mut alarm = number("qber", 5, 0.0);
    alarm.key.kind = "alarm".into();
    alarm.content = Content::Alarm(r#"{"alarmTypeId":"qber","severity":"major"}"#.into());
    let mut other = number("a", 5, 3.0);
    other.key.resource = "app-1".into();
    let texts = objects(&[number("a", 5, 1.0), number("b", 5, 2.5), other, alarm, number("a", 6, 9.0)], true);
    let read: Vec<serde_json::Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let subject = serde_json::json!({"referencePoint": "mk", "componentId": "km-1"});
    assert_eq!(read.len(), 4);
    assert_eq!(read[0]["values"], serde_json::json!({"a": 1.0, "b": 2.5}));
    assert!(read.iter().all(|object| object["subject"] == subject));
    assert_eq!(
        (&read[1]["resource"], &read[2]["severity"], &read[3]["values"]["a"]),
        (&"app-1".into(), &"major".into(), &9.0.into())
    );
    assert!(!objects(&[number("a", 5, 1.0)], false)[0].contains("subject"));
}
