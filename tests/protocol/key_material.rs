//! Section 4: key material never travels, and where somebody sends it all the same, it leaves no trace.

use std::{fs, path::Path};

use harness::{ManagerProcess, Settings, report, response_code};
use serde_json::json;

/// Something that is found again wherever it was written.
const SECRET: &str = "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtNzE5";

fn files_that_hold(dir: &Path, text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_that_hold(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text)) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn key_material_is_refused_alarmed_and_kept_nowhere() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    for object in [
        json!({"type": "performance", "values": {"stored_key_count": 1}, "key": SECRET}),
        json!({"type": "vendor.acme", "Key_Data": SECRET}),
        json!({"type": "vendor.acme", "deep": [{"er": {"KEY-MATERIAL": SECRET}}]}),
        json!({"type": "vendor.acme", "keys": [SECRET]}),
        json!({"type": "vendor.acme", "keys": [{"key_ID": "k-1", "key": SECRET}]}),
        json!({"type": "vendor.acme", "keyContainer": [{"x": [{"secret-key": SECRET}]}]}),
        json!({"type": "inventory", "values": {"keyValue": SECRET}}),
    ] {
        let answer = client.ask(&report("km-1", json!([object])));
        assert_eq!(response_code(&answer), "rejected", "{object}: {answer}");
        assert!(!answer.to_string().contains(SECRET), "the refusal does not repeat it");
    }
    for object in [
        json!({"type": "vendor.acme", "keys": 12, "key": true, "key_size": "256"}),
        json!({"type": "vendor.acme", "keys": [1, 2, 3]}),
        json!({"type": "vendor.acme", "monkey": "banana", "key": {"count": 5}}),
    ] {
        let answer = client.ask(&report("km-1", json!([object])));
        assert_eq!(response_code(&answer), "success", "{object}: {answer}");
    }
    let alarm = manager.api().await_alarm("key-material-refused", |alarm| alarm["isCleared"] == false);
    assert_eq!(alarm["severity"], "critical");
    assert_eq!(alarm["component"], "mk/km-1");
    assert!(!manager.log().contains(SECRET), "not in the log");
    let mut manager = manager;
    manager.stop();
    assert_eq!(files_that_hold(&manager.data_dir(), SECRET.as_bytes()), Vec::<String>::new(), "not on disk");
}
