//! The story without a manager, and the demo against one of a few lines.

use super::{story::Told, watch::Seen, *};
use crate::model::{Alarm, AlarmKey, AlarmReport, OperatorState, Severity};

fn alarm(id: u64, component: &str, alarm_type: &str, is_cleared: bool, raise_count: u64) -> Alarm {
    Alarm {
        id,
        key: AlarmKey {
            component: component.into(),
            resource: String::new(),
            alarm_type_id: alarm_type.into(),
            alarm_type_qualifier: String::new(),
        },
        is_cleared,
        report: AlarmReport {
            severity: Severity::Major,
            text: "too high".into(),
            event_type: String::new(),
            probable_cause: String::new(),
            observed: None,
            threshold: None,
            repair_actions: Vec::new(),
        },
        raised_by: "policy:qber".into(),
        time_created: Timestamp(0),
        last_raised: Timestamp(0),
        last_changed: Timestamp(0),
        raise_count,
        operator_state: OperatorState::None,
        status_changes: Vec::new(),
        operator_actions: Vec::new(),
    }
}

/// A manager that notices what the network's own figures say.
fn noticed(network: &Network) -> Vec<Alarm> {
    let reports = network.reports();
    let value =
        |report: usize, name: &str| reports[report].iter().find_map(|object| object["values"][name].as_f64()).unwrap();
    let draining = value(3, "key_output_rate_bps") > 2.0 * value(3, "key_input_rate_bps");
    vec![
        alarm(1, "mq/alice", "qber-threshold-exceeded", value(0, "qber_ratio") < 0.055, 1),
        alarm(2, "mq/bob", "qber-threshold-exceeded", value(1, "qber_ratio") < 0.055, 1),
        alarm(3, "mk/km-alice", "key-store-exhaustion-forecast", !draining, 1),
    ]
}

fn play(length: Option<Duration>, see: impl Fn(&Network) -> Vec<Alarm>) -> (Vec<Told>, Duration) {
    let mut network = Network::new(5);
    let mut story = Story::new(length);
    let mut told = Vec::new();
    let mut now = Duration::ZERO;
    while !story.is_over() && now < Duration::from_secs(120) {
        network.step(INTERVAL);
        let alarms = see(&network);
        told.extend(story.advance(now, &alarms, &mut network, true));
        now += INTERVAL;
    }
    (told, now)
}

#[test]
fn everything_happens_and_is_noticed_within_the_shortest_demo() {
    let (told, took) = play(Some(SHORTEST), noticed);
    let missed = told.iter().any(|told| matches!(told, Told::Missed(_)));
    assert!(!missed, "{told:#?}");
    assert_eq!(told.iter().filter(|told| matches!(told, Told::Noticed(_))).count(), 5);
    assert!(took < SHORTEST, "{took:?}");
}

#[test]
fn a_blind_manager_is_found_out() {
    let (told, _) = play(Some(SHORTEST), |_| Vec::new());
    let missed: Vec<_> = told.iter().filter(|told| matches!(told, Told::Missed(_))).collect();
    assert_eq!(missed.len(), 2, "{told:#?}");
    assert!(matches!(missed[0], Told::Missed(text) if text.contains("mq/alice and mq/bob")), "{missed:?}");
}

#[test]
fn without_a_length_the_story_begins_again() {
    let (told, _) = play(None, noticed);
    assert!(told.iter().filter(|told| matches!(told, Told::Pause(_))).count() > 1);
}

#[test]
fn what_came_and_went_between_two_looks_is_told() {
    let mut seen = Seen::default();
    let change = |changes: Vec<Change>| -> Vec<&str> {
        let name = |change: &Change| match change {
            Change::Raised(_) => "raised",
            Change::Changed(_) => "changed",
            Change::Cleared(_) => "cleared",
        };
        changes.iter().map(name).collect()
    };
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", false, 1)])), ["raised"]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", false, 1)])), [""; 0]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", true, 1)])), ["cleared"]);
    assert_eq!(change(seen.changes(&[alarm(1, "mq/a", "t", true, 2)])), ["raised", "cleared"]);
    let mut worse = alarm(1, "mq/a", "t", false, 3);
    assert_eq!(change(seen.changes(std::slice::from_ref(&worse))), ["raised"]);
    worse.report.severity = Severity::Critical;
    assert_eq!(change(seen.changes(&[worse])), ["changed"]);
    assert_eq!(change(seen.changes(&[alarm(2, "mq/b", "t", true, 1)])), ["raised", "cleared"]);
}

#[test]
fn the_folder_has_a_configuration_that_is_accepted_and_goes_away() {
    let site = Site::build(None).unwrap();
    let config = site.load().unwrap();
    assert_eq!(config.interfaces.len(), 4);
    assert_eq!((config.components.len(), config.policies.len()), (6, 2));
    let folder = site.folder().to_path_buf();
    drop(site);
    assert!(!folder.exists());

    let keep = tempfile::tempdir().unwrap();
    let folder = keep.path().join("kept");
    let site = Site::build(Some(&folder)).unwrap();
    assert!(site.stays());
    drop(site);
    assert!(folder.join("pki/mq-alice.key").exists());
    // Again in the same folder.
    Site::build(Some(&folder)).unwrap().load().unwrap();
}
