//! Commands that need no running manager, and their exit codes.

use std::{fs, path::Path, process::Command};

use harness::{ManagerProcess, RawClient, Settings, TestPki, binary, raw_client::Hello, report, response_code};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;

fn qkdnm(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary::qkdnm()).args(arguments).current_dir(dir).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

#[test]
fn check_names_every_problem_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let pki = TestPki::new(&dir.path().join("pki"));
    let identity = pki.issue_manager("m");
    let good = Settings::one("mk", &["km-1"]).to_toml(&dir.path().join("data"), &pki, &identity);
    fs::write(dir.path().join("good.toml"), &good).unwrap();
    let (code, text) = qkdnm(dir.path(), &["check", "good.toml"]);
    assert_eq!(code, Some(0), "{text}");
    let bad = good
        .replace("[log]", "[log]\nformt = \"json\"")
        .replace("reference_point = \"mk\"", "reference_point = \"mz\"");
    fs::write(dir.path().join("bad.toml"), bad).unwrap();
    let (code, text) = qkdnm(dir.path(), &["check", "bad.toml"]);
    assert_eq!(code, Some(2), "{text}");
    for part in ["bad.toml", "formt", "format", "mz"] {
        assert!(text.contains(part), "the text names `{part}`:\n{text}");
    }
    let (code, _) = qkdnm(dir.path(), &["check", "nowhere.toml"]);
    assert_eq!(code, Some(2));
}

#[test]
fn check_tells_whose_certificate_it_is_and_where_a_key_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let pki = TestPki::new(&dir.path().join("pki"));
    let (own, other) = (pki.issue_manager("manager-test"), pki.issue("mk", "km-1"));
    let settings = Settings::one("mk", &["km-1"]).interface("mq", "");
    let checked = |identity: &harness::Identity| {
        fs::write(dir.path().join("m.toml"), settings.to_toml(&dir.path().join("data"), &pki, identity)).unwrap();
        qkdnm(dir.path(), &["check", "m.toml"])
    };
    let (code, text) = checked(&own);
    assert!(code == Some(0) && !text.contains("the certificate names"), "{text}");
    let (code, text) = checked(&other);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the certificate names mk/km-1, expected urn:qkdn:mx:manager-test"), "{text}");
    assert_eq!(text.matches("the certificate names").count(), 1, "once for all interfaces: {text}");
    let mut swapped = own;
    swapped.key_file.clone_from(&other.key_file);
    let (code, text) = checked(&swapped);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is not the key of the certificate") && text.contains("m.toml:"), "{text}");
}

#[test]
fn a_bad_configuration_does_not_start() {
    let mut settings = Settings::one("mk", &["km-1"]);
    settings.manager = "shards = \"many\"".to_owned();
    let mut manager = ManagerProcess::start(Settings::default());
    manager.stop();
    *manager.settings_mut() = settings;
    manager.expect_errors();
    assert!(manager.try_launch().is_err_and(|status| status.code() == Some(2)));
}

#[test]
fn two_managers_do_not_share_a_folder() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let config = manager.root().join("manager.toml");
    let (code, text) = qkdnm(manager.root(), &["run", "--config", config.to_str().unwrap()]);
    assert!(code.is_some_and(|code| code != 0), "{text}");
    assert!(text.to_lowercase().contains("lock") || text.contains("already"), "{text}");
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
}

#[test]
fn the_products_own_pki_serves_a_manager_and_its_components() {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().join("pki");
    let pki_text = pki.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let (code, text) = qkdnm(dir.path(), arguments);
        assert_eq!(code, Some(0), "qkdnm {}: {text}", arguments.join(" "));
    };
    run(&["pki", "init", pki_text]);
    run(&["pki", "issue", pki_text, "--reference-point", "mx", "--component-id", "manager-test"]);
    run(&["pki", "issue", pki_text, "--reference-point", "mk", "--component-id", "km-1"]);
    let (code, _) = qkdnm(dir.path(), &["pki", "issue", pki_text, "--reference-point", "mk", "--component-id", "km-1"]);
    assert!(code.is_some_and(|code| code != 0), "nothing is overwritten");
    let manager = ManagerProcess::start_with(|_, _| {
        let file = |name: &str| pki.join(name).display().to_string();
        let tls = format!(
            "certificate = {:?}\nprivate_key = {:?}\ntrust_anchors = {:?}",
            file("manager-test.pem"),
            file("manager-test.key"),
            file("ca.pem")
        );
        Settings::default().interface("mk", &tls).component("mk", "km-1", "")
    });
    let anchor = CertificateDer::from_pem_file(pki.join("ca.pem")).unwrap();
    let identity = harness::Identity::from_files(&pki.join("km-1.pem"), &pki.join("km-1.key"));
    let mut client = RawClient::try_connect(manager.address("mk"), &Hello::new(&identity, &anchor)).unwrap();
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
}

#[test]
fn reports_are_listed_on_the_command_line() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    for sequence in 1..=3 {
        let message = harness::report::with(report("km-1", json!([])), "sequence", sequence);
        assert_eq!(response_code(&client.ask(&message)), "success");
    }
    let output = manager.command(&["report", "list", "--component", "mk/km-1", "--from-sequence", "2", "-o", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let items = value.get("items").unwrap_or(&value).as_array().unwrap_or_else(|| panic!("a list: {text}"));
    let numbers: Vec<_> = items.iter().filter_map(|report| report["sequence"].as_u64()).collect();
    assert_eq!(numbers, [2, 3]);
    for arguments in [["component", "list"], ["alarm", "list"]] {
        assert!(manager.command(&arguments).status.success(), "{arguments:?}");
    }
    let nobody = manager.command(&["component", "show", "mk/nobody"]);
    assert!(!nobody.status.success());
}
