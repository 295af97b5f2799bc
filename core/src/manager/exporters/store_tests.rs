//! Outboxes over a real file: what is told after a gap, to a new exporter, and after a restart.

use std::{path::Path, sync::Arc, time::Duration};

use super::store::{Outgoing, Store};
use crate::{
    alarm::{AlarmBoard, clear, raise},
    config::{
        ComponentMatch, ExporterConfig, FcapsFunction, PluginSource, PolicyConfig, PolicyMode,
        exporter::{ExporterFilter, ExporterKind, ExporterUrl},
    },
    export::Functions,
    model::{Alarm, AlarmKey, AlarmReport, ReportBatch, Severity, Timestamp},
    storage::{
        JournalPosition,
        record::{BatchRecord, Cause, Effects},
    },
    telemetry::metrics::Metrics,
};

pub(super) fn config(name: &str, kind: ExporterKind) -> Arc<ExporterConfig> {
    Arc::new(ExporterConfig {
        name: name.into(),
        kind,
        url: ExporterUrl { https: false, host: "localhost".into(), port: 1, path: "/".into() },
        filter: ExporterFilter::default(),
        secret: None,
        tls: None,
        timeout: Duration::from_secs(1),
        retry_min: Duration::from_secs(1),
        retry_max: Duration::from_secs(1),
        batch_size: 1,
        outbox: 100,
        refused_after: 1,
        unreachable_after: Duration::from_secs(1),
        resend_interval: Duration::from_secs(1),
    })
}

pub(super) fn raised(id: u64, time: i64) -> Alarm {
    let key = AlarmKey {
        component: format!("mk/km-{id}"),
        resource: String::new(),
        alarm_type_id: "key-store-low".into(),
        alarm_type_qualifier: String::new(),
    };
    let report = AlarmReport {
        severity: Severity::Major,
        text: "low".into(),
        event_type: String::new(),
        probable_cause: String::new(),
        observed: None,
        threshold: None,
        repair_actions: Vec::new(),
        additional_information: Vec::new(),
    };
    raise(None, key, report, "component", || id, Timestamp(time)).unwrap()
}

pub(super) fn batch(alarms: Vec<Alarm>) -> BatchRecord {
    BatchRecord {
        shard: 0,
        time: Timestamp(1),
        cause: Cause::Manager,
        handler: 0,
        input: ReportBatch::default(),
        answers: Vec::new(),
        refusals: Vec::new(),
        effects: Effects { alarms, ..Effects::default() },
        note: String::new(),
    }
}

fn open(folder: &Path, configs: &[Arc<ExporterConfig>], board: &AlarmBoard, committed: u64) -> Store {
    let (metrics, functions) = (Metrics::default(), Functions::default());
    Store::open(folder, configs, functions, board, JournalPosition(committed), &metrics).unwrap()
}

fn policy(name: &str, function: FcapsFunction) -> PolicyConfig {
    PolicyConfig {
        name: name.into(),
        function,
        plugin: PluginSource::Builtin(name.into()),
        sha256: None,
        applies_to: ComponentMatch::default(),
        mode: PolicyMode::Active,
        config: serde_json::Value::Null,
    }
}

/// What waits: alarm, what happened, whether it is a resync.
fn waiting(store: &Store, index: usize) -> Vec<(u64, &'static str, bool)> {
    let events = store.next(index, 100).unwrap();
    events.iter().map(|one| (one.event.alarm.id, one.event.kind.as_str(), one.event.resync)).collect()
}

fn board(alarms: &[Alarm]) -> AlarmBoard {
    let board = AlarmBoard::default();
    alarms.iter().for_each(|alarm| board.publish(Arc::new(alarm.clone())));
    board
}

#[test]
fn after_a_gap_the_target_is_told_what_is_so_and_nothing_older() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [config("noc", ExporterKind::Webhook)];
    let store = open(folder.path(), &configs, &AlarmBoard::default(), 1);
    let (one, two, three) = (raised(1, 10), raised(2, 20), raised(3, 30));
    store.take(JournalPosition(2), &batch(vec![one.clone()]));
    assert_eq!(waiting(&store, 0), [(1, "raised", false)]);
    let over = clear(&one, "", Timestamp(15)).unwrap();
    let gone = clear(&three, "", Timestamp(31)).unwrap();
    let now = board(&[over, two.clone(), gone.clone()]);
    store.gap(JournalPosition(9), &now);
    let told = [(1, "raised", false), (1, "cleared", true), (2, "raised", true)];
    assert_eq!(waiting(&store, 0), told, "the third came and went, and was never told");
    // The list was ahead of the journal, which now brings what led to it.
    store.take(JournalPosition(10), &batch(vec![two.clone(), three, gone]));
    assert_eq!(waiting(&store, 0), told);
    let over = clear(&two, "", Timestamp(40)).unwrap();
    store.take(JournalPosition(11), &batch(vec![over]));
    assert_eq!(waiting(&store, 0)[3..], [(2, "cleared", false)]);
}

#[test]
fn what_waits_outlives_a_restart_and_a_new_exporter_is_told_what_is_so() {
    let folder = tempfile::tempdir().unwrap();
    let one = raised(1, 10);
    let store = open(folder.path(), &[config("noc", ExporterKind::Webhook)], &AlarmBoard::default(), 1);
    store.take(JournalPosition(2), &batch(vec![one.clone()]));
    assert!(store.flush());
    drop(store);
    let configs = [config("new", ExporterKind::Webhook), config("noc", ExporterKind::Webhook)];
    let store = open(folder.path(), &configs, &board(std::slice::from_ref(&one)), 5);
    assert_eq!(store.position(), JournalPosition(2), "the journal is read on from here");
    assert_eq!(waiting(&store, 1), [(1, "raised", false)]);
    assert_eq!(waiting(&store, 0), [(1, "raised", true)]);
    let events = store.next(1, 9).unwrap();
    store.delivered(1, &events, &[]);
    assert_eq!(waiting(&store, 1), []);
    drop(store);
    // One is gone, the other is told other alarms than before.
    let mut changed = config("noc", ExporterKind::Webhook).as_ref().clone();
    changed.filter.alarm_types = vec!["key-*".into()];
    let store = open(folder.path(), &[Arc::new(changed)], &board(&[one]), 5);
    assert_eq!(waiting(&store, 0), [(1, "raised", true)]);
    assert_eq!(store.level(0).unwrap().delivered, JournalPosition(2));
}

#[test]
fn a_journal_that_begins_anew_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [config("noc", ExporterKind::Webhook)];
    let store = open(folder.path(), &configs, &AlarmBoard::default(), 9);
    drop(store);
    let store = open(folder.path(), &configs, &board(&[raised(1, 10)]), 3);
    assert_eq!(store.position(), JournalPosition(3));
    assert_eq!(waiting(&store, 0), [(1, "raised", true)]);
}

#[test]
fn a_parked_state_that_is_no_longer_true_does_not_fire_again() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [config("am", ExporterKind::Alertmanager), config("noc", ExporterKind::Webhook)];
    let store = open(folder.path(), &configs, &AlarmBoard::default(), 1);
    let one = raised(1, 10);
    store.take(JournalPosition(2), &batch(vec![one.clone()]));
    for index in [0, 1] {
        let events: Vec<Outgoing> = store.next(index, 9).unwrap();
        store.park(index, events[0].number, "status 400", Timestamp(11));
        assert_eq!((waiting(&store, index), store.parked(index, 9).unwrap().len()), (Vec::new(), 1));
    }
    store.take(JournalPosition(3), &batch(vec![clear(&one, "", Timestamp(12)).unwrap()]));
    assert_eq!(store.retry(0).unwrap(), (0, 1), "Alertmanager takes an event for the state of now");
    assert_eq!(store.retry(1).unwrap(), (1, 0));
    assert_eq!(waiting(&store, 0), [(1, "cleared", false)]);
    assert_eq!(waiting(&store, 1), [(1, "raised", false), (1, "cleared", false)]);
}

#[test]
fn an_alarm_ends_under_the_function_that_it_was_raised_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut of_security = config("soc", ExporterKind::Webhook).as_ref().clone();
    of_security.filter.functions = vec![FcapsFunction::Security];
    let configs = [Arc::new(of_security)];
    let store = open(folder.path(), &configs, &AlarmBoard::default(), 1);
    let by = |policy: &str, id| Alarm { raised_by: format!("policy:{policy}"), ..raised(id, 10) };
    let (first, second) = (by("watch", 1), by("watch", 2));
    store.take(JournalPosition(2), &batch(vec![first]));
    assert_eq!(waiting(&store, 0), [], "a policy that nobody knows is of the fault function");
    // A reload brings the policy; then another takes it away, and its alarms end for that.
    store.learn(&[policy("watch", FcapsFunction::Security)]);
    store.take(JournalPosition(3), &batch(vec![second.clone()]));
    store.learn(&[]);
    let over = clear(&second, "the policy is gone", Timestamp(20)).unwrap();
    store.take(JournalPosition(4), &batch(vec![over]));
    assert_eq!(waiting(&store, 0), [(2, "raised", false), (2, "cleared", false)]);
    // The same over a restart without the policy.
    let third = by("watch", 3);
    store.take(JournalPosition(5), &batch(vec![third.clone()]));
    assert!(store.flush());
    drop(store);
    let store = open(folder.path(), &configs, &AlarmBoard::default(), 9);
    store.take(JournalPosition(6), &batch(vec![clear(&third, "the policy is gone", Timestamp(30)).unwrap()]));
    assert_eq!(waiting(&store, 0)[2..], [(3, "raised", false), (3, "cleared", false)]);
    assert!(store.next(0, 9).unwrap().iter().all(|one| one.event.function == FcapsFunction::Security));
}
