//! Storage that cannot take anything: `unavailable` while it lasts, an alarm about it, and on it goes. And threads that
//! break: the process says so and ends with an exit code of its own.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{
    ManagerProcess, PATIENCE, RawClient, Settings, eventually, performance, report, report::with, response_code,
};
use serde_json::{Value, json};

fn numbered(sequence: u64) -> Value {
    with(report("km-1", performance(json!({"stored_key_count": sequence}))), "sequence", sequence)
}

fn retry_after(answer: &Value) -> Option<u64> {
    answer["extension"].as_array()?.iter().find(|object| object["type"] == "retry")?["retryAfterMs"].as_u64()
}

/// Sends the same report until it is accepted; whether it was ever refused comes back.
fn send_until_accepted(client: &mut RawClient, sequence: u64) -> bool {
    let mut refused = false;
    eventually(&format!("report {sequence} accepted"), PATIENCE, || {
        let answer = client.ask(&numbered(sequence));
        match response_code(&answer) {
            "success" => Some(()),
            "unavailable" | "overloaded" => {
                assert!(retry_after(&answer).is_some(), "it says when to come again: {answer}");
                refused = true;
                None
            }
            other => panic!("answered {other}: {answer}"),
        }
    });
    refused
}

#[test]
fn failing_writes_are_answered_unavailable_and_pass() {
    for fault in ["write=enospc@3..5", "sync=eio@4", "segment_create=enospc@2..3;sync=eio@2"] {
        let settings = Settings::one("mk", &["km-1"]).environment("QKDNM_FAULTS", fault);
        let mut manager = ManagerProcess::start(settings);
        manager.expect_errors();
        let mut client = manager.connect("mk", "km-1");
        let refused = (1..=20).filter(|sequence| send_until_accepted(&mut client, *sequence)).count();
        assert!(refused > 0, "{fault} was never met");
        manager.settings_mut().environment.clear();
        manager.crash_and_restart();
        let numbers = manager.api().accepted_sequences("mk/km-1");
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "{fault}");
    }
}

#[test]
fn an_alarm_of_the_managers_own_is_raised_although_its_first_commit_failed() {
    // The first sync is that of the note about the start, the second that of the alarm.
    let settings = Settings::one("mk", &["km-1"]).environment("QKDNM_FAULTS", "sync=eio@2");
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let failed = |manager: &ManagerProcess| manager.api().metric("qkdn_storage_commits_failed_total", &[]);
    eventually("the commit of the start", PATIENCE, || {
        (manager.api().metric("qkdn_storage_commits_made_total", &[]) >= 1.0).then_some(())
    });
    assert!(failed(&manager) < 0.5, "nothing but the start was committed");
    // Somebody else's certificate: no report, so nobody sends anything again.
    let stranger = manager.pki.issue("mq", "module-1");
    let hello = harness::raw_client::Hello::new(&stranger, &manager.pki.anchor());
    if let Ok(mut client) = RawClient::try_connect(manager.address("mk"), &hello) {
        let _ = client.try_receive();
    }
    manager.api().await_alarm("authentication-failed", |alarm| alarm["isCleared"] == false);
    assert!(failed(&manager) > 0.5, "the fault was met");
    manager.settings_mut().environment.clear();
    manager.crash_and_restart();
    manager.api().await_alarm("authentication-failed", |_| true);
}

#[test]
fn a_thread_that_breaks_ends_the_process_with_a_code_of_its_own_and_nothing_acknowledged_is_lost() {
    for (fault, thread) in [("before_submit=panic@4", "shard-0"), ("before_write=panic@4", "journal")] {
        let mut settings = Settings::one("mk", &["km-1"]).environment("QKDNM_FAULTS", fault);
        settings.manager.push_str("shards = 1");
        let mut manager = ManagerProcess::start(settings);
        manager.expect_errors();
        manager.expect_log("panicked at");
        let mut client = manager.connect("mk", "km-1");
        let mut accepted = 0;
        for sequence in 1..=10 {
            client.send(&numbered(sequence));
            match client.try_receive() {
                Ok(answer) if response_code(&answer) == "success" => accepted = sequence,
                _ => break,
            }
        }
        assert!((1..10).contains(&accepted), "{fault}: {accepted} reports were accepted");
        let status = manager.wait();
        assert_eq!(status.code(), Some(4), "{fault}");
        let log = manager.log();
        assert!(log.contains("A thread broke") && log.contains(thread), "{fault}: {log}");
        let audit = fs::read_to_string(manager.data_dir().join("audit.jsonl")).unwrap();
        assert!(audit.contains(&format!("the thread {thread} broke")), "{fault}: {audit}");
        manager.settings_mut().environment.clear();
        manager.launch();
        let numbers = manager.api().accepted_sequences("mk/km-1");
        assert!(numbers.starts_with(&(1..=accepted).collect::<Vec<_>>()), "{fault}: {numbers:?}");
    }
}

#[test]
fn readyz_says_which_thread_broke() {
    let settings = Settings::one("mk", &["km-1"]).environment("QKDNM_FAULTS", "before_write=panic@2");
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    manager.expect_log("panicked at");
    let mut client = manager.connect("mk", "km-1");
    client.send(&numbered(1));
    let answer = eventually("a probe that fails", PATIENCE, || {
        let answer = manager.api().get("/readyz");
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.text.contains("thread journal broke"), "{}", answer.text);
    assert_eq!(manager.wait().code(), Some(4));
}

/// A small file system of its own; gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_answered_unavailable_and_the_manager_recovers() {
    let outer = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&outer.path().join("disk"), "24m") else {
        eprintln!("SKIPPED: this user may not mount a tmpfs, so a disk that is really full was not tried.");
        return;
    };
    let manager = ManagerProcess::start_with(|_, root| {
        // data_dir is a fixed name below the manager's folder; on the small disk by way of a link.
        fs::create_dir_all(disk.0.join("data")).unwrap();
        std::os::unix::fs::symlink(disk.0.join("data"), root.join("data")).unwrap();
        Settings::one("mk", &["km-1"]).with("[storage]\njournal_segment_size = \"1MiB\"")
    });
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    assert!(!send_until_accepted(&mut client, 1));
    let filler = disk.0.join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[7; 64 * 1024]).is_ok() {}
    drop(file);
    // Reports with much text, so that what is allocated ahead is used up.
    let mut sequence = 1;
    let refusal = eventually("a refusal for want of space", PATIENCE * 2, || {
        for _ in 0..64 {
            sequence += 1;
            let text: String = (0..20_000).map(|_| fastrand::alphanumeric()).collect();
            let message =
                with(report("km-1", json!([{"type": "vendor.acme.log", "text": text}])), "sequence", sequence);
            let answer = client.ask(&message);
            if response_code(&answer) != "success" {
                return Some(answer);
            }
        }
        None
    });
    assert_eq!(response_code(&refusal), "unavailable", "{refusal}");
    assert!(retry_after(&refusal).is_some(), "{refusal}");
    assert_eq!(manager.api().get("/livez").status, 200, "it lives");
    fs::remove_file(&filler).unwrap();
    sequence += 1;
    send_until_accepted(&mut client, sequence);
    manager.api().await_alarm("storage-failed", |alarm| alarm["isCleared"] == true);
    drop(manager);
    drop(disk);
}
