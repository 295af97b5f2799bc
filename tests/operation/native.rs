//! The two native examples in a real manager: the handler in C gives modules a QBER that they do not report, the policy in
//! Rust notices that it has shifted. Through a crash, pinned, and in the replay of the record.

use std::{fs, path::Path};

use harness::{
    ManagerProcess, Settings,
    native::{c_library, rust_example},
    performance, report, response_code,
};
use serde_json::{Value, json};

fn sha256(path: &Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn settings(folder: &Path) -> Settings {
    let handler = c_library(folder, "examples/native-c/visibility.c", &[]);
    let policy = folder.join("libshift.so");
    fs::copy(rust_example(), &policy).unwrap();
    Settings::default().interface("mq", "").component("mq", "alice", "vendor = \"acme\"").with(&format!(
        "[[handlers]]\nname = \"mq-visibility\"\nreference_point = \"mq\"\nmatch = {{ vendor = \"acme\" }}\n\
         plugin = \"native:{}\"\nsha256 = \"{}\"\n\
         [[policies]]\nname = \"shift\"\nfunction = \"performance\"\nplugin = \"native:{}\"\nsha256 = \"{}\"\n\
         config = {{ value = \"qber_ratio\", expected = 0.03, slack = 0.002, decide_at = 0.01 }}\n",
        handler.display(),
        sha256(&handler),
        policy.display(),
        sha256(&policy),
    ))
}

#[test]
fn native_examples_in_c_and_rust_work_through_a_crash() {
    let mut manager = ManagerProcess::start_with(|_, folder| settings(folder).plugins("allow_native = true"));
    manager.expect_log("Alarm raised");
    let mut module = manager.connect("mq", "alice");
    let visibility = |value: f64| report("alice", performance(json!({ "visibility_ratio": value })));
    assert_eq!(response_code(&module.ask(&visibility(0.94))), "success");
    harness::waiting::eventually("a QBER", harness::waiting::patience(), || {
        manager.api().value("mq/alice", "qber_ratio").filter(|qber| (qber - 0.03).abs() < 1e-12)
    });
    let refused = module.ask(&visibility(1.5));
    assert_eq!(refused["response"], "rejected: extension[0].values.visibility_ratio: 1.5 is not between 0 and 1");

    // The sum of deviations is the policy's state: what came before the crash counts after it.
    for _ in 0..3 {
        assert_eq!(response_code(&module.ask(&visibility(0.93))), "success");
    }
    assert!(manager.api().list("/api/v1/alarms").is_empty());
    drop(module);
    manager.crash_and_restart();
    let mut module = manager.connect("mq", "alice");
    assert_eq!(response_code(&module.ask(&visibility(0.93))), "success");
    let alarm = manager.api().await_alarm("level-shifted", |alarm: &Value| alarm["isCleared"] == false);
    assert_eq!(alarm["component"], "mq/alice");
    let plugins = manager.command(&["plugin", "list"]);
    assert!(String::from_utf8_lossy(&plugins.stdout).contains("level-shift"), "{plugins:?}");
    let interfaces = manager.command(&["interface", "list"]);
    let address = manager.address("mq").to_string();
    assert!(String::from_utf8_lossy(&interfaces.stdout).contains(&address), "{interfaces:?}");
    let plugins = manager.command(&["policy", "list"]);
    assert!(String::from_utf8_lossy(&plugins.stdout).contains("libshift.so"), "{plugins:?}");

    drop(module);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
    let told = String::from_utf8_lossy(&replayed.stdout) + String::from_utf8_lossy(&replayed.stderr);
    assert!(told.contains("plugin shift is native: equal input need not give equal output"), "{told}");
}

#[test]
fn native_plugins_are_refused_unless_allowed_and_pinned_ones_unless_unchanged() {
    let mut manager = ManagerProcess::start_with(|_, folder| settings(folder).plugins("allow_native = true"));
    manager.stop();
    let config = manager.write_config();
    let check = |manager: &ManagerProcess| {
        let output = manager.command(&["check", config.to_str().unwrap()]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(&manager).0, Some(0));

    manager.settings_mut().plugins.clear();
    manager.write_config();
    let (code, told) = check(&manager);
    assert_eq!(code, Some(2));
    assert_eq!(told.matches("native plugins are not allowed").count(), 2, "{told}");

    manager.settings_mut().plugins.push_str("allow_native = true\n");
    manager.write_config();
    let library = manager.root().join("libvisibility.so");
    let mut changed = fs::read(&library).unwrap();
    changed.push(0);
    fs::write(&library, changed).unwrap();
    let (code, told) = check(&manager);
    assert_eq!(code, Some(2));
    assert!(told.contains("it is not the plugin that was approved"), "{told}");
}
