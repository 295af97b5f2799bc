//! Storage that cannot take anything: `unavailable` while it lasts, an alarm about it, and on it goes.

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
