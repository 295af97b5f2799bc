//! Reloads that are refused, files that are noticed, and what the manager says of both.

use std::fs;

use harness::{ManagerProcess, Settings, eventually, performance, report, response_code, waiting::patience};
use serde_json::{Value, json};

use crate::{applied, policy, start};

fn status(manager: &ManagerProcess) -> Value {
    manager.api().get("/api/v1/configuration/reload").json()
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_whole() {
    let mut manager = start(Settings::one("mk", &["km-1"]).with(&policy(0.2)));
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    let good = manager.settings_mut().clone();
    let certificate = fs::read(&manager.identity().certificate_file).unwrap();
    // Mistakes of three kinds at once: in the file, in what a plugin makes of its configuration, in a certificate.
    *manager.settings_mut() = good.clone().component("mk", "km-2", "sight = \"vienna\"");
    manager.settings_mut().more = policy(0.2).replace("raise_below", "raise_bellow");
    fs::write(&manager.identity().certificate_file, "this is no certificate").unwrap();
    let answer = manager.reload_settings();
    assert_eq!(answer.status, 422, "{}", answer.text);
    let problems = answer.json()["problems"].as_array().unwrap().clone();
    let told = |words: &str| {
        let found = problems.iter().find(|problem| problem.to_string().contains(words));
        let problem = found.unwrap_or_else(|| panic!("nothing about {words}: {problems:#?}"));
        assert!(problem["file"].as_str().unwrap().ends_with("manager.toml") && problem["line"].is_u64(), "{problem}");
    };
    told("sight");
    told("raise_bellow");
    told("manager-test.pem");

    // Nothing is different.
    let mut second = manager.connect("mk", "km-2");
    let fill = |level: f64| performance(json!({ "key_store_fill_ratio": level }));
    assert_eq!(response_code(&second.ask(&report("km-2", fill(0.5)))), "unknown-component");
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.1)))), "success");
    manager.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);

    // And everybody is told: alarm, counters, audit trail, status, log.
    let alarm = manager.api().await_alarm("configuration-refused", |alarm| alarm["isCleared"] == false);
    assert_eq!((&alarm["component"], &alarm["resource"]), (&json!("mx/manager-test"), &json!("configuration")));
    assert_eq!(manager.api().metric("qkdn_config_reloads_total", &["result=\"refused\""]), 1.0);
    assert_eq!(manager.api().metric("qkdn_config_files_differ", &[]), 1.0);
    let status_now = status(&manager);
    assert_eq!((&status_now["generation"], &status_now["filesDiffer"]), (&json!(1), &json!(true)), "{status_now}");
    assert_eq!(status_now["last"]["result"], "refused");
    assert!(manager.log().contains("manager.toml:"), "the log names the places");
    let audit = manager.command(&["audit", "show", manager.data_dir().to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains("configuration not reloaded"), "{audit:?}");

    // The command line says the same, and what it would do once it is right.
    let refused = manager.admin_command(&["config", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("raise_bellow") && text.contains("sight") && text.contains("manager.toml:"), "{text}");
    *manager.settings_mut() = good.with(&policy(0.3).replace("\"low\"", "\"lower\""));
    fs::write(&manager.identity().certificate_file, certificate).unwrap();
    manager.write_config();
    let tried = manager.admin_command(&["config", "reload", "--dry-run"]);
    assert!(String::from_utf8_lossy(&tried.stdout).contains("policy lower added"), "{tried:?}");
    assert_eq!(manager.api().list("/api/v1/policies").len(), 1, "it was only asked");
    let done = manager.admin_command(&["config", "reload"]);
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("Reloaded in "), "{done:?}");
    manager.api().await_alarm("configuration-refused", |alarm| alarm["isCleared"] == true);
    let shown = manager.command(&["config", "status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("are in force"), "{shown:?}");
    assert_eq!(manager.api().metric("qkdn_config_files_differ", &[]), 0.0);
}

#[test]
fn what_a_start_alone_takes_over_is_named_and_refuses_the_rest() {
    let mut manager = start(Settings::one("mk", &["km-1"]));
    manager.expect_errors();
    let good = manager.settings_mut().clone();
    *manager.settings_mut() =
        good.clone().component("mk", "km-2", "").with("[storage]\ndurability = \"os\"\nhistory = { raw = \"1d\" }\n");
    manager.settings_mut().manager = "shards = 7\n".to_owned();
    let answer = manager.reload_settings();
    assert_eq!(answer.status, 422);
    let needs = answer.json()["needsRestart"].clone();
    let keys: Vec<&str> = needs.as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["manager.shards", "storage.durability", "storage.history.raw"], "{needs}");
    assert_eq!((&needs[1]["running"], &needs[1]["file"]), (&json!("sync"), &json!("os")));
    let mut second = manager.connect("mk", "km-2");
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "unknown-component", "whole or not at all");
    *manager.settings_mut() = good.component("mk", "km-2", "");
    applied(&manager);
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "success");
}

#[test]
fn changed_files_are_noticed_once_they_stand_still() {
    let mut settings = Settings::one("mk", &["km-1"]).with(&policy(0.2));
    settings.manager = String::new();
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    let generation = |manager: &ManagerProcess| status(manager)["generation"].as_u64().unwrap();
    let wait = |manager: &ManagerProcess, expected: u64| {
        eventually("the files to be taken over", patience(), || {
            (status(manager)["last"]["generation"] == expected).then_some(())
        });
    };
    // The main file, then one of conf.d, then a certificate under the same name.
    manager.settings_mut().more = policy(0.4);
    manager.write_config();
    wait(&manager, 2);
    assert_eq!(status(&manager)["last"]["by"], "files");
    assert_eq!(
        response_code(&client.ask(&report("km-1", performance(json!({ "key_store_fill_ratio": 0.3 }))))),
        "success"
    );
    manager.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);
    fs::create_dir(manager.root().join("conf.d")).unwrap();
    let more = "[[components]]\nid = \"km-2\"\nreference_point = \"mk\"\n";
    fs::write(manager.root().join("conf.d/more.toml"), more).unwrap();
    wait(&manager, 3);
    let mut second = manager.connect("mk", "km-2");
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "success");
    let _ = manager.pki.issue_manager("manager-test");
    wait(&manager, 4);
    assert!(status(&manager)["last"]["summary"].as_str().unwrap().contains("manager-test.pem has other content"));
    assert_eq!(response_code(&second.ask(&report("km-2", json!([])))), "success", "connections stay");

    // A file that is wrong is refused once, not every second; put back, the alarm ends.
    fs::write(manager.root().join("conf.d/more.toml"), "[[components]]\n").unwrap();
    manager.api().await_alarm("configuration-refused", |alarm| alarm["isCleared"] == false);
    let refused = |manager: &ManagerProcess| manager.api().metric("qkdn_config_reloads_total", &["result=\"refused\""]);
    assert_eq!(refused(&manager), 1.0);
    fs::write(manager.root().join("conf.d/more.toml"), more).unwrap();
    manager.api().await_alarm("configuration-refused", |alarm| alarm["isCleared"] == true);
    assert_eq!((refused(&manager), generation(&manager)), (1.0, 4));

    // Switched off, files are only said to differ.
    manager.settings_mut().manager = "reload_on_change = false\n".to_owned();
    manager.write_config();
    wait(&manager, 5);
    manager.settings_mut().more = policy(0.1);
    manager.write_config();
    eventually("the files to differ", patience(), || (status(&manager)["filesDiffer"] == true).then_some(()));
    assert_eq!(generation(&manager), 5);
    manager.reload();
    wait(&manager, 6);
    assert_eq!(status(&manager)["last"]["by"], "SIGHUP");
}
