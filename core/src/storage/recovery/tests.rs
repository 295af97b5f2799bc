//! Recovery equals a model, whatever was flushed and wherever the crash was.

use proptest::prelude::*;

use super::*;
use crate::{
    config::limits::ALARM_STATUS_CHANGES,
    model::{AlarmKey, AlarmReport, OperatorState, Severity, ShownCertificate, Timestamp, Verdict},
    storage::{
        JournalPosition,
        journal::{Journal, segment::list_segments},
        record::{AddedSample, Cause, Effects},
        retention::Retention,
        state_db::writer::{StateWriter, StateWriterParts},
        testing::{Told, clock, commit, report, start},
    },
    telemetry::metrics::Metrics,
};
use std::time::Duration;

fn alarm(id: u64, text: &str) -> Alarm {
    Alarm {
        id,
        key: AlarmKey {
            component: "mk/a".to_owned(),
            resource: String::new(),
            alarm_type_id: "x".to_owned(),
            alarm_type_qualifier: String::new(),
        },
        is_cleared: false,
        report: AlarmReport {
            severity: Severity::Minor,
            text: text.to_owned(),
            event_type: String::new(),
            probable_cause: String::new(),
            observed: Some(0.1 + 0.2),
            threshold: None,
            repair_actions: vec![],
            additional_information: Vec::new(),
        },
        raised_by: "manager".to_owned(),
        time_created: Timestamp(1),
        last_raised: Timestamp(1),
        last_changed: Timestamp(1),
        raise_count: ALARM_STATUS_CHANGES as u64,
        operator_state: OperatorState::None,
        status_changes: vec![],
        operator_actions: vec![],
    }
}

/// A batch with something of everything, made from a few small numbers.
fn batch(symbols: &SymbolTable, shard: u16, step: u64, numbers: [u8; 4]) -> BatchRecord {
    let [component, answer, resource, value] = numbers;
    let component = format!("mk/{shard}-{}", component % 3);
    let mut record = report(symbols, shard, &component, step, f64::from(value) / 7.0);
    record.answers[0] = answer % 4;
    let resource = symbols.intern(&format!("r-{}", resource % 4)).0;
    let (policy, subject) = (symbols.intern("qber").0, symbols.intern(&component).0);
    let at = if value % 2 == 0 { 0 } else { 1_000 + step };
    record.effects = Effects {
        added_samples: vec![AddedSample { value: 0.1, report: 0, name: policy, resource, kind: 0 }],
        policy_states: vec![PolicyStates {
            policy,
            components: vec![subject],
            resources: vec![resource],
            // Now and then the policy keeps no state of the subject any more.
            values: if value % 5 == 4 { vec![] } else { vec![f64::from(value), f64::NAN, -0.0] },
        }],
        timers: vec![TimerChange { at, policy, component: subject, resource, padding: 0 }],
        alarms: vec![alarm(u64::from(value % 5) + 1, &format!("step {step}"))],
        quarantined: (answer == 2)
            .then(|| Quarantined {
                plugin: "p".to_owned(),
                component,
                time: record.time,
                failure: step.to_string(),
                report: "{}".to_owned(),
            })
            .into_iter()
            .collect(),
    };
    record
}

/// State in a form that compares bit for bit.
fn picture(state: &StoredState) -> String {
    let mut components: Vec<_> = state.components.iter().map(|(k, v)| (*k, format!("{v:?}"))).collect();
    components.sort();
    let mut policies: Vec<_> = state
        .policy_states
        .iter()
        .map(|(k, v)| (*k, v.iter().map(|value| value.to_bits()).collect::<Vec<_>>()))
        .collect();
    policies.sort();
    let mut timers: Vec<_> = state.timers.iter().collect();
    timers.sort();
    let (alarms, quarantined) = (&state.alarms, &state.quarantined);
    format!("{components:#?}\n{policies:?}\n{timers:?}\n{alarms:?}\n{quarantined:?}\n{}", state.next_alarm_id)
}

fn recovered_picture(recovered: &Recovered) -> String {
    picture(&StoredState {
        decisions: BTreeMap::new(),
        components: recovered.components.clone(),
        policy_states: recovered.policy_states.clone(),
        timers: recovered.timers.clone(),
        alarms: recovered.alarms.iter().map(|alarm| (alarm.id, alarm.clone())).collect(),
        quarantined: recovered.quarantined.clone(),
        next_alarm_id: recovered.next_alarm_id,
    })
}

fn model() -> Tail {
    Tail::new(StoredState { next_alarm_id: 1, ..StoredState::default() }, Positions::default())
}

/// What a shard would flush: everything it has, which is an after-image of what changed as well.
fn flush_of(shard: u16, position: JournalPosition, model: &Tail, new: &mut Vec<Quarantined>) -> StateFlush {
    StateFlush { shard, position, quarantined: std::mem::take(new), ..model.changes(position) }
}

fn texts(symbols: &SymbolTable) -> Vec<Arc<str>> {
    symbols.from(0)
}

fn commit_ok(journal: &Journal, record: &BatchRecord) -> JournalPosition {
    match commit(journal, record) {
        Told::Committed(position) => position,
        Told::Failed(_, reason) => panic!("{reason}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two shards commit and flush as they like over several runs; at the end of each run the process dies, and the last
    /// block of the last run may be torn. What comes back is the model of the committed batches.
    #[test]
    fn recovery_is_the_model_of_what_was_committed(
        runs in prop::collection::vec(
            (prop::collection::vec((0_u16..2, any::<[u8; 4]>(), 0_u8..4), 1..12), any::<prop::sample::Index>()), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut committed = model();
        let mut step = 0;
        let mut names: Vec<Arc<str>> = Vec::new();
        for (steps, cut) in runs {
            let mut running = start(dir.path(), &Faults::default());
            prop_assert_eq!(recovered_picture(&running.recovered), picture(&committed.state));
            prop_assert!(running.recovered.symbols.from(0).starts_with(&names));
            let symbols = Arc::clone(&running.recovered.symbols);
            // Each shard has its own picture of its components.
            let mut shards = [model(), model()];
            let mut quarantined = [Vec::new(), Vec::new()];
            let mut history = Vec::new();
            let mut flushed = None;
            for (shard, numbers, flush) in steps {
                step += 1;
                let mut record = batch(&symbols, shard, step, numbers);
                // Alarms belong to one shard.
                record.effects.alarms.retain(|alarm| alarm.id % 2 == u64::from(shard));
                let position = commit_ok(&running.journal, &record);
                let own = usize::from(shard);
                // A shard starts from what was recovered.
                for index in 0..record.input.len() {
                    let component = record.input.reports[index].component;
                    if let Some(state) = running.recovered.components.get(&component) {
                        shards[own].state.components.entry(component).or_insert_with(|| state.clone());
                    }
                }
                shards[own].apply(&record);
                quarantined[own].extend(record.effects.quarantined.iter().cloned());
                history.push((position, record));
                if flush == 0 {
                    let flush = flush_of(shard, position, &shards[own], &mut quarantined[own]);
                    let known = running.recovered.symbols_in_db;
                    let new = symbols.from(known);
                    running.recovered.db.write((known, &new), &[flush], || Ok(())).unwrap();
                    running.recovered.symbols_in_db += new.len();
                    flushed = Some(position);
                }
            }
            let last = history.last().map(|(position, _)| *position);
            names = texts(&symbols);
            drop(running);
            // The crash: the last block is cut somewhere, unless the state database was told of it already.
            let segments = list_segments(&journal_dir(dir.path())).unwrap();
            let path = &segments.last().unwrap().1;
            let whole = fs::read(path).unwrap();
            if flushed != last && cut.index(2) == 0 {
                let begin = last_block_begin(&whole);
                fs::write(path, &whole[..begin + cut.index(whole.len() - begin)]).unwrap();
                history.pop();
                // Names that only the lost block used are lost with it.
                names.clear();
            }
            for (_, record) in &history {
                committed.apply(record);
            }
        }
        let first = recover(dir.path(), &Faults::default()).unwrap();
        prop_assert_eq!(recovered_picture(&first), picture(&committed.state));
        let names = texts(&first.symbols);
        drop(first);
        let second = recover(dir.path(), &Faults::default()).unwrap();
        prop_assert_eq!(second.batches_replayed, 0, "recovering twice is recovering once");
        prop_assert_eq!(recovered_picture(&second), picture(&committed.state));
        prop_assert_eq!(texts(&second.symbols), names);
    }
}

fn last_block_begin(bytes: &[u8]) -> usize {
    let mut at = crate::storage::journal::segment::SEGMENT_HEADER;
    let mut begin = at;
    while let Ok(block) = Block::read(&bytes[at..]) {
        begin = at;
        at += block.size();
    }
    begin
}

#[test]
fn a_fresh_directory_has_the_catalogue_first() {
    let dir = tempfile::tempdir().unwrap();
    let recovered = recover(dir.path(), &Faults::default()).unwrap();
    let expected = SymbolTable::new();
    Catalogue::get().intern(&expected);
    assert_eq!(texts(&recovered.symbols), texts(&expected));
    assert_eq!((recovered.journal.next_block, recovered.next_alarm_id), (1, 1));
}

fn writer(
    data_dir: &Path,
    recovered: Recovered,
    keep: Duration,
    max_size: u64,
    faults: &Faults,
) -> (StateWriter, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let retention = Retention::new(data_dir, keep, max_size, clock(), Arc::clone(&recovered.registry));
    let parts = StateWriterParts {
        db: recovered.db,
        symbols: (recovered.symbols, recovered.symbols_in_db),
        retention,
        metrics: Arc::clone(&metrics),
        faults: faults.clone(),
    };
    (StateWriter::start(parts).unwrap(), metrics)
}

#[test]
fn the_state_writer_saves_replay_and_an_operator_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    let symbols = Arc::clone(&running.recovered.symbols);
    let mut shard = model();
    let (state_writer, metrics) =
        writer(dir.path(), running.recovered, Duration::from_secs(3600), u64::MAX, &Faults::default());
    for step in 1..=300 {
        let record = batch(&symbols, 0, step, [1, 0, 1, 3]);
        let position = commit_ok(&running.journal, &record);
        shard.apply(&record);
        state_writer.flush(shard.changes(position));
    }
    state_writer.stop();
    assert!(metrics.state_flushes.get() >= 1 && state_writer.failure().is_none());
    running.journal.stop();
    let connection = rusqlite::Connection::open(state_db_path(dir.path())).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("SELECT component || ' ' || highest FROM components"), "mk/0-1 300");
    assert_eq!(
        text("SELECT resource || ' ' || round(value, 3) FROM last_values WHERE name = 'qber_ratio'"),
        "link-1 0.429"
    );
    assert_eq!(
        text("SELECT policy || ' ' || component || ' ' || at FROM timers"),
        "qber mk/0-1 1970-01-01T00:00:01.300Z"
    );
    assert_eq!(text("SELECT severity || ' ' || state || ' ' || text FROM alarms"), "minor raised step 300");
    assert_eq!(text("SELECT policy || ' ' || resource || ' ' || state FROM policy_states"), "qber r-1 [3.0,null,-0.0]");
    drop(connection);
    let again = recover(dir.path(), &Faults::default()).unwrap();
    assert_eq!(again.batches_replayed, 0, "the database had everything");
    assert_eq!(recovered_picture(&again), picture(&shard.state));
}

#[test]
fn old_segments_go_once_the_database_has_them_and_a_checkpoint_stays() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    let symbols = Arc::clone(&running.recovered.symbols);
    let registry = Arc::clone(&running.recovered.registry);
    let mut shard = model();
    let mut step = 0;
    let mut feed = |until: usize| {
        let mut last = JournalPosition(0);
        while registry.list().len() < until {
            step += 1;
            let record = batch(&symbols, 0, step, [1, 0, 1, 3]);
            last = commit_ok(&running.journal, &record);
            shard.apply(&record);
        }
        shard.changes(last)
    };
    let _ = feed(8);
    let mut db = running.recovered.db;
    let keep = Duration::from_secs(u64::from(u32::MAX));
    let mut retention = Retention::new(dir.path(), keep, u64::MAX, clock(), Arc::clone(&registry));
    // As a reload of the configuration does.
    retention.bounds().set(keep, 40 << 10);
    retention.run(&db, &db.positions().unwrap(), &Faults::default());
    assert_eq!(registry.list().len(), 8, "nothing is deleted that the database lacks");
    let flush = feed(10);
    db.write((0, &symbols.from(0)), &[flush], || Ok(())).unwrap();
    retention.run(&db, &db.positions().unwrap(), &Faults::default());
    let left = registry.list();
    assert!(left.len() <= 3 && !left.is_empty(), "{left:?}");
    let on_disk = list_segments(&journal_dir(dir.path())).unwrap();
    assert_eq!(on_disk.len(), left.len() + 1, "the registry and the segment being written");
    let checkpoints = crate::storage::retention::list_checkpoints(&dir.path().join("checkpoints")).unwrap();
    assert_eq!(checkpoints.len(), 1);
    assert!(
        checkpoints[0].0 >= JournalReader::open(dir.path(), ReadMode::Live).unwrap().segments()[0].header.first_block
    );
    running.journal.stop();
    drop(db);
    let again = recover(dir.path(), &Faults::default()).unwrap();
    assert_eq!(recovered_picture(&again), picture(&shard.state));
}

#[test]
fn a_missing_database_with_a_journal_that_begins_late_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &Faults::default());
    for step in 1..200 {
        commit_ok(&running.journal, &batch(&running.recovered.symbols, 0, step, [1, 0, 1, 3]));
    }
    drop(running);
    let segments = list_segments(&journal_dir(dir.path())).unwrap();
    assert!(segments.len() > 1);
    fs::remove_file(&segments[0].1).unwrap();
    fs::remove_file(state_db_path(dir.path())).unwrap();
    assert!(matches!(recover(dir.path(), &Faults::default()), Err(StorageError::BadState { .. })));
}

#[test]
fn the_last_decision_about_each_component_comes_back_from_the_journal_and_from_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let decision = |verdict, authority: &str| EnrolmentDecision {
        component: "mk/a".parse().unwrap(),
        verdict,
        certificate: ShownCertificate { authority: authority.to_owned(), ..ShownCertificate::default() },
        by: "ops".to_owned(),
        note: String::new(),
        time: Timestamp(7),
    };
    let running = start(dir.path(), &Faults::default());
    let first = report(&running.recovered.symbols, 0, "mk/a", 1, 0.5);
    for (verdict, authority) in [(Verdict::Approved, "one"), (Verdict::Rejected, "one"), (Verdict::Approved, "two")] {
        let note = serde_json::to_string(&decision(verdict, authority)).unwrap();
        let (input, answers) = (crate::model::ReportBatch::default(), Vec::new());
        commit_ok(&running.journal, &BatchRecord { cause: Cause::Decision, input, answers, note, ..first.clone() });
    }
    running.journal.stop();
    drop(running);
    let expected = [decision(Verdict::Rejected, "one"), decision(Verdict::Approved, "two")];
    let from_journal = recover(dir.path(), &Faults::default()).unwrap();
    assert_eq!((from_journal.decisions.as_slice(), from_journal.batches_replayed), (&expected[..], 3));
    drop(from_journal);
    let from_database = recover(dir.path(), &Faults::default()).unwrap();
    assert_eq!((from_database.decisions.as_slice(), from_database.batches_replayed), (&expected[..], 0));
}
