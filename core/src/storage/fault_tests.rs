//! Failed writes and syncs, full disks, and kills at every step of a commit (feature `fault-points`).

use std::{
    fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    JournalPosition,
    data_dir::DataDir,
    faults::Faults,
    journal::JournalHealth,
    recovery::recover,
    retention::Retention,
    state_db::{
        StateFlush,
        writer::{StateWriter, StateWriterParts},
    },
    testing::{Told, clock, commit, report, start, submit},
    verify::verify,
};
use crate::{state::SequenceVerdict, storage::journal::reader::ReadMode, telemetry::metrics::Metrics};

/// Commits until `acknowledged` batches are in, trying again what failed; the number of failures.
fn drive(data_dir: &Path, faults: &Faults, acknowledged: u64) -> u64 {
    let running = start(data_dir, faults);
    let symbols = &running.recovered.symbols;
    let (mut failures, mut last) = (0, JournalPosition(0));
    for sequence in 0..acknowledged {
        loop {
            match commit(&running.journal, &report(symbols, 0, "mk/a", sequence, 1.0)) {
                Told::Committed(position) => {
                    assert!(position > last, "positions rise over failures");
                    last = position;
                    break;
                }
                Told::Failed(epoch, reason) => {
                    failures += 1;
                    assert!(epoch >= failures && reason.starts_with("the journal cannot"), "{epoch} {reason}");
                    assert!(failures < 10_000_000);
                }
            }
        }
    }
    assert_eq!(running.journal.health(), JournalHealth::Ok);
    assert_eq!(running.metrics.commits_failed.get(), failures);
    assert_eq!(running.metrics.commits.get(), acknowledged);
    failures
}

/// Everything acknowledged is there, and once.
fn assert_all_there(data_dir: &Path, acknowledged: u64) {
    let found = verify(data_dir, ReadMode::Still).unwrap();
    assert_eq!(found.reports, acknowledged);
    let recovered = recover(data_dir, &Faults::default()).unwrap();
    let component = recovered.symbols.find("mk/a").unwrap();
    let state = &recovered.components[&component.0];
    assert_eq!(state.reports, acknowledged);
    assert_eq!(state.window.position(), Some((0, acknowledged - 1)));
}

#[test]
fn failed_writes_and_syncs_lose_nothing_that_was_acknowledged_and_bring_back_nothing_that_failed() {
    for spec in ["sync=eio@3", "write=enospc@5..9", "after_partial_write=eio@2", "before_write=eio@1;sync=eio@4..6"] {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::parse(spec).unwrap();
        let failures = drive(dir.path(), &faults, 12);
        assert!(failures > 0, "{spec}");
        assert_all_there(dir.path(), 12);
        // The next run goes on behind all of it.
        drive(dir.path(), &Faults::default(), 1);
    }
}

#[test]
fn a_failed_block_does_not_come_back_when_the_process_dies_twice_before_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("sync=eio@4").unwrap();
    let running = start(dir.path(), &faults);
    let symbols = &running.recovered.symbols;
    for sequence in 0..3 {
        assert!(matches!(commit(&running.journal, &report(symbols, 0, "mk/a", sequence, 1.0)), Told::Committed(_)));
    }
    // Whole on disk, but told failed; only the header of the segment made then says that it is void.
    assert!(matches!(commit(&running.journal, &report(symbols, 0, "mk/a", 3, 1.0)), Told::Failed(..)));
    // It is told before the next segment is made.
    let deadline = Instant::now() + Duration::from_secs(30);
    while running.journal.health() != JournalHealth::Ok {
        assert!(Instant::now() < deadline, "the next segment is made");
        std::thread::yield_now();
    }
    drop(running);
    for round in ["after the failed commit", "after a recovery that ended before it made a segment"] {
        let found = verify(dir.path(), ReadMode::Still).unwrap();
        assert_eq!(found.reports, 3, "{round}");
        // Recovery alone makes no new segment: as if the process died right behind it.
        let recovered = recover(dir.path(), &Faults::default()).unwrap();
        let component = recovered.symbols.find("mk/a").unwrap();
        assert_eq!(recovered.components[&component.0].window.position(), Some((0, 2)), "{round}");
    }
    drive(dir.path(), &Faults::default(), 0);
    assert_all_there(dir.path(), 3);
}

#[test]
fn a_full_disk_fails_batches_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    // The first segment can be made, then the disk is full: the write fails, and so do three new segments.
    let faults = Faults::parse("write=enospc@2;segment_create=enospc@2..4").unwrap();
    assert!(drive(dir.path(), &faults, 5) >= 3);
    assert!(faults.hits("segment_create") >= 5);
    assert_all_there(dir.path(), 5);
}

#[test]
fn every_batch_of_an_earlier_epoch_fails() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("sync=eio@1").unwrap();
    let running = start(dir.path(), &faults);
    let symbols = &running.recovered.symbols;
    let told: Vec<_> =
        (0..50).map(|sequence| submit(&running.journal, &report(symbols, 0, "mk/a", sequence, 1.0), 0)).collect();
    for told in told {
        assert!(matches!(told.recv().unwrap(), Told::Failed(1, _)));
    }
    assert_eq!(running.journal.epoch(), 1);
    assert!(matches!(commit(&running.journal, &report(symbols, 0, "mk/a", 0, 1.0)), Told::Committed(_)));
}

#[test]
fn a_failed_roll_fails_the_batch_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::parse("segment_roll=eio@1").unwrap();
    assert_eq!(drive(dir.path(), &faults, 400), 1);
    assert!(faults.hits("segment_roll") >= 2);
    assert_all_there(dir.path(), 400);
}

fn state_writer(data_dir: &Path, faults: &Faults) -> (super::testing::Running, StateWriter, Arc<Metrics>) {
    let mut running = start(data_dir, faults);
    let fresh = recover(data_dir, &Faults::default()).unwrap();
    let db = std::mem::replace(&mut running.recovered.db, fresh.db);
    let metrics = Arc::new(Metrics::default());
    let registry = Arc::clone(&running.recovered.registry);
    let parts = StateWriterParts {
        db,
        symbols: (Arc::clone(&running.recovered.symbols), running.recovered.symbols_in_db),
        retention: Retention::new(data_dir, Duration::from_secs(60), u64::MAX, clock(), registry),
        metrics: Arc::clone(&metrics),
        faults: faults.clone(),
    };
    (running, StateWriter::start(parts).unwrap(), metrics)
}

#[test]
fn a_failed_flush_is_tried_again_and_loses_nothing() {
    for point in ["state_flush", "during_state_flush"] {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::parse(&format!("{point}=enospc@1")).unwrap();
        let (running, writer, metrics) = state_writer(dir.path(), &faults);
        let mut record = report(&running.recovered.symbols, 0, "mk/a", 0, 1.0);
        record.effects.quarantined.clear();
        let Told::Committed(position) = commit(&running.journal, &record) else { panic!("not committed") };
        let mut state = crate::state::ComponentState::default();
        let _ = state.accept(&record.input, 0, false, &[], record.time);
        let component = record.input.reports[0].component;
        writer.flush(StateFlush { position, components: vec![(component, state)], ..StateFlush::default() });
        while metrics.state_flushes.get() == 0 {
            std::thread::yield_now();
        }
        writer.stop();
        assert_eq!(metrics.state_flushes_failed.get(), 1, "{point}");
        drop(running);
        let again = recover(dir.path(), &Faults::default()).unwrap();
        assert_eq!(again.batches_replayed, 0);
        assert_eq!(again.components[&component].reports, 1);
    }
}

const CHILD_DIR: &str = "QKDNM_STORAGE_TEST_DIR";

/// What the next test runs in a process of its own, until a fault kills it; does nothing without that process's
/// environment.
#[test]
fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let dir = Path::new(&dir);
    let faults = Faults::from_env().unwrap();
    let _lock = DataDir::lock(&dir.join("data")).unwrap();
    let running = start(&dir.join("data"), &faults);
    let symbols = Arc::clone(&running.recovered.symbols);
    let component = symbols.intern("mk/a");
    let mut state = running.recovered.components.get(&component.0).cloned().unwrap_or_default();
    let mut db = running.recovered.db;
    let mut known = running.recovered.symbols_in_db;
    let registry = Arc::clone(&running.recovered.registry);
    let mut retention = Retention::new(&dir.join("data"), Duration::from_secs(3600), 48 << 10, clock(), registry);
    let mut acknowledged = fs::OpenOptions::new().create(true).append(true).open(dir.join("acknowledged")).unwrap();
    let first = state.window.position().map_or(0, |(_, highest)| highest + 1);
    for sequence in first..first + 400 {
        let record = report(&symbols, 0, "mk/a", sequence, 1.0);
        let Told::Committed(position) = commit(&running.journal, &record) else { panic!("not committed") };
        writeln!(acknowledged, "{sequence}").unwrap();
        let _ = state.accept(&record.input, 0, false, &[], record.time);
        if sequence % 7 == 0 {
            let components = vec![(component.0, state.clone())];
            let flush = StateFlush { position, components, ..StateFlush::default() };
            let new = symbols.from(known);
            db.write((known, &new), &[flush], || faults.hit("during_state_flush")).unwrap();
            known += new.len();
            retention.run(&db, &db.positions().unwrap(), &faults);
        }
    }
}

#[test]
fn a_kill_at_any_step_loses_nothing_acknowledged_and_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let kills = [
        "before_write=kill@9",
        "after_partial_write=kill@17",
        "after_write_before_sync=kill@5",
        "after_sync_before_tell=kill@11",
        "during_state_flush=kill@3",
        "segment_create=kill@2",
        "segment_roll=kill@2",
        "checkpoint=kill@1",
        "retention_delete=kill@1",
        "recovery_before_reset=kill@1",
        "sync=kill@40",
        "",
    ];
    for spec in kills {
        let child = Command::new(&program)
            .args(["--exact", "storage::fault_tests::child_that_is_killed"])
            .env(CHILD_DIR, dir.path())
            .env("QKDNM_FAULTS", spec)
            .output()
            .unwrap();
        let expected = if spec.is_empty() { (Some(0), None) } else { (None, Some(9)) };
        let output = String::from_utf8_lossy(&child.stdout);
        assert_eq!((child.status.code(), child.status.signal()), expected, "{spec}: {output}");
        let acknowledged = fs::read_to_string(dir.path().join("acknowledged")).unwrap();
        let acknowledged: Vec<u64> = acknowledged.lines().map(|line| line.parse().unwrap()).collect();
        let last = acknowledged.last().copied().unwrap();
        let recovered = recover(&dir.path().join("data"), &Faults::default()).unwrap();
        let state = &recovered.components[&recovered.symbols.find("mk/a").unwrap().0];
        // What was written and not yet told may be there: it is answered as a repeat when it is sent again.
        let (_, highest) = state.window.position().unwrap();
        assert!(highest == last || highest == last + 1, "{spec}: {highest} against {last}");
        assert_eq!(state.reports, highest + 1, "{spec}: each once");
        let hash = 1.0_f64.to_bits();
        let known = |sequence: &u64| highest - sequence < 1_000;
        for sequence in acknowledged.iter().filter(|sequence| known(sequence)) {
            assert_eq!(state.window.check(0, *sequence, hash), SequenceVerdict::Repeat, "{spec}: {sequence}");
        }
        if highest > last {
            // As the component would do: it sends again and gets the acknowledgement of a repeat.
            let mut file = fs::OpenOptions::new().append(true).open(dir.path().join("acknowledged")).unwrap();
            writeln!(file, "{highest}").unwrap();
        }
    }
}
