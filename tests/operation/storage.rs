//! Backup, restore, verify and repair of a data directory, with a manager at work and without.

use std::{
    fs,
    path::Path,
    process::Output,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use harness::{
    ManagerProcess, PATIENCE, RawClient, Settings, eventually, performance, report, report::with, response_code,
};
use serde_json::{Value, json};

fn numbered(sequence: u64) -> Value {
    let value = with(report("km-1", performance(json!({"stored_key_count": sequence}))), "sequence", sequence);
    with(value, "incarnation", 1)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn storage(manager: &ManagerProcess, arguments: &[&Path]) -> Output {
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
    manager.command(&[&["storage"], arguments.as_slice()].concat())
}

/// Sends the reports of these numbers one by one, each accepted.
fn accepted(client: &mut RawClient, numbers: impl IntoIterator<Item = u64>) {
    for sequence in numbers {
        let answer = client.ask(&numbered(sequence));
        assert_eq!(response_code(&answer), "success", "{answer}");
    }
}

#[test]
fn a_backup_made_while_reports_come_in_goes_on_as_a_manager() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.keep_ports();
    let (data, backup) = (manager.data_dir(), manager.root().join("backup"));
    let (acknowledged, stops) = (AtomicU64::new(0), AtomicBool::new(false));
    let before = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = manager.connect("mk", "km-1");
            let mut sequence = 0;
            while !stops.load(Ordering::Relaxed) {
                sequence += 1;
                accepted(&mut client, [sequence]);
                acknowledged.store(sequence, Ordering::Relaxed);
            }
        });
        eventually("some reports", PATIENCE, || (acknowledged.load(Ordering::Relaxed) > 100).then_some(()));
        let before = acknowledged.load(Ordering::Relaxed);
        let output = storage(&manager, &["backup".as_ref(), &data, &backup]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("is a backup of"), "{}", said(&output));
        let after = acknowledged.load(Ordering::Relaxed);
        eventually("reports behind the backup", PATIENCE, || {
            (acknowledged.load(Ordering::Relaxed) > after + 20).then_some(())
        });
        stops.store(true, Ordering::Relaxed);
        before
    });
    let last = acknowledged.load(Ordering::Relaxed);
    manager.kill();
    fs::rename(&data, manager.root().join("lost")).unwrap();
    let output = storage(&manager, &["restore".as_ref(), &backup, &data]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("What came later is not in it"), "{}", said(&output));
    let again = storage(&manager, &["restore".as_ref(), &backup, &data]);
    assert!(said(&again).contains("is not empty"), "{}", said(&again));
    manager.launch();
    let restored = manager.api().accepted_sequences("mk/km-1");
    let restored_to = *restored.last().unwrap();
    assert_eq!(restored, (1..=restored_to).collect::<Vec<_>>(), "nothing is missing in between");
    assert!((before..=last).contains(&restored_to), "{before} to {last}: {restored_to}");
    // What the backup has not is sent again; it is new to this manager.
    let mut client = manager.connect("mk", "km-1");
    accepted(&mut client, restored_to + 1..=last);
    assert_eq!(manager.api().accepted_sequences("mk/km-1"), (1..=last).collect::<Vec<_>>());
    manager.stop();
    let output = storage(&manager, &["verify".as_ref(), &data]);
    assert!(output.status.success() && said(&output).contains("is in order"), "{}", said(&output));
}

#[test]
fn a_damaged_journal_is_named_and_repaired_and_the_state_stays() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    accepted(&mut manager.connect("mk", "km-1"), 1..=50);
    manager.stop();
    let data = manager.data_dir();
    let fine = storage(&manager, &["repair".as_ref(), &data]);
    assert!(fine.status.success() && said(&fine).contains("nothing to repair"), "{}", said(&fine));
    let segment = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).unwrap();

    let found = storage(&manager, &["verify".as_ref(), &data]);
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    assert!(
        said(&found).contains(segment.to_str().unwrap()) && said(&found).contains("qkdnm storage repair"),
        "{}",
        said(&found)
    );
    manager.expect_errors();
    manager.expect_log("is damaged");
    let refused = manager.try_launch().unwrap_err();
    assert!(!refused.success(), "a manager does not start on it");

    let plan = storage(&manager, &["repair".as_ref(), &data]);
    assert_eq!(plan.status.code(), Some(1), "{}", said(&plan));
    assert!(
        said(&plan).contains("Nothing was changed") && said(&plan).contains("the state reflects all but 0"),
        "{}",
        said(&plan)
    );
    let done = storage(&manager, &["repair".as_ref(), &data, "--yes".as_ref()]);
    assert!(done.status.success(), "{}", said(&done));
    let output = storage(&manager, &["verify".as_ref(), &data]);
    assert!(output.status.success(), "{}", said(&output));
    manager.launch();
    assert_eq!(manager.api().value("mk/km-1", "stored_key_count"), Some(50.0), "the state is as it was");
    let mut client = manager.connect("mk", "km-1");
    let repeat = client.ask(&numbered(50));
    assert_eq!(response_code(&repeat), "success", "a repeat, since the numbering is known: {repeat}");
    accepted(&mut client, [51]);
    assert_eq!(manager.api().value("mk/km-1", "stored_key_count"), Some(51.0));
}
