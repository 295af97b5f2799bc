//! Trust that changes while connections are open.

use std::{fs, process::Command};

use harness::{Closing, ManagerProcess, RawClient, Settings, report, response_code};
use serde_json::json;

#[test]
fn a_revocation_ends_the_connection_it_concerns_and_no_other() {
    let mut identities = Vec::new();
    let manager = ManagerProcess::start_with(|pki, _| {
        let list = pki.revoke(&[]);
        identities = vec![pki.issue("mk", "km-1"), pki.issue("mk", "km-2")];
        Settings::one("mk", &["km-1", "km-2"]).tls(&format!("revocation_lists = [{list:?}]"))
    });
    manager.expect_warnings();
    let connect = |n: usize| RawClient::connect(manager.address("mk"), &identities[n], &manager.pki.anchor());
    let (mut first, mut second) = (connect(0), connect(1));
    assert_eq!(response_code(&first.ask(&report("km-1", json!([])))), "success");
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "success");
    manager.pki.revoke(&[&identities[0]]);
    manager.reload();
    let (answers, closing) = first.drain();
    assert!(answers.iter().all(|answer| response_code(answer) != "success"), "{answers:?}");
    assert_eq!(closing, Closing::Orderly);
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "success", "the other connection stays");
}

#[test]
fn a_new_certificate_of_the_manager_is_served_without_dropping_anybody() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
    let before = served_serial(&manager);
    // Issued to the same name, so to the same files.
    let _ = manager.pki.issue_manager("manager-test");
    manager.reload();
    harness::eventually("the new certificate on new connections", harness::PATIENCE, || {
        (served_serial(&manager) != before).then_some(())
    });
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success", "the old connection stays");
}

#[test]
fn a_broken_certificate_file_changes_nothing() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    manager.expect_log("ERROR");
    let good = fs::read(&manager.identity().certificate_file).unwrap();
    let before = served_serial(&manager);
    fs::write(&manager.identity().certificate_file, "this is no certificate").unwrap();
    manager.reload();
    harness::eventually("a line about the file in the log", harness::PATIENCE, || {
        manager.log().contains("manager-test.pem").then_some(())
    });
    assert_eq!(served_serial(&manager), before);
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
    fs::write(&manager.identity().certificate_file, good).unwrap();
}

/// The certificate that the listener shows, as openssl reads it.
fn served_serial(manager: &ManagerProcess) -> String {
    let identity = manager.pki.issue("mk", "km-1");
    let script = format!(
        "openssl s_client -connect {} -cert {:?} -key {:?} -CAfile {:?} </dev/null 2>/dev/null \
         | openssl x509 -noout -serial",
        manager.address("mk"),
        identity.certificate_file,
        identity.key_file,
        manager.pki.anchor_file()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
