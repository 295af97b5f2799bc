//! What an operator has at hand: `openssl`, `curl`, `sqlite3`.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Output, Stdio},
};

use harness::{ManagerProcess, Settings, performance, report, response_code, settings::OPERATOR_TOKEN};
use serde_json::{Value, json};

use crate::programs::is_installed;

#[test]
fn a_conversation_is_held_with_openssl() {
    if !is_installed("openssl", "version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let identity = manager.pki.issue("mk", "km-1");
    let mut openssl = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-no_ign_eof",
            "-verify_return_error",
            "-alpn",
            "qkdn/1",
            "-servername",
            "localhost",
        ])
        .args(["-connect", &manager.address("mk").to_string()])
        .arg("-CAfile")
        .arg(manager.pki.anchor_file())
        .arg("-cert")
        .arg(&identity.certificate_file)
        .arg("-key")
        .arg(&identity.key_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = openssl.stdin.take().unwrap();
    let mut shown = BufReader::new(openssl.stdout.take().unwrap()).lines();
    let lines = [
        r#"{"messageType":"statusReport","componentId":"km-1","sequence":1,"extension":[{"type":"performance","values":{"stored_key_count":42}}]}"#,
        "this is not JSON",
        r#"{"messageType":"statusReport","componentId":"km-1","messageId":"m-3"}"#,
    ];
    let mut answers = Vec::new();
    for line in lines {
        writeln!(typed, "{line}").unwrap();
        let answer: Value = serde_json::from_str(&shown.next().expect("an answer").unwrap()).unwrap();
        answers.push(response_code(&answer).to_owned());
    }
    assert_eq!(answers, ["success", "malformed", "success"]);
    // s_client ends its side when its input ends (-no_ign_eof, since -quiet would have it stay).
    drop(typed);
    let ended = harness::eventually("the end of openssl", harness::PATIENCE, || openssl.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
    assert!(shown.next().is_none(), "nothing came unasked");
}

fn curl(arguments: &[&str]) -> Output {
    Command::new("curl").args(["--silent", "--show-error", "--max-time", "30"]).args(arguments).output().unwrap()
}

#[test]
fn the_api_is_read_with_curl() {
    if !is_installed("curl", "--version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let answer = client.ask(&report("km-1", performance(json!({"stored_key_count": 42}))));
    assert_eq!(response_code(&answer), "success");
    let root = manager.api().root().to_owned();
    let json_of = |path: &str| {
        let output = curl(&["--fail", &format!("{root}{path}")]);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let list = json_of("/api/v1/components");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert!(list.as_object().unwrap().contains_key("next"), "{list}");
    let component = json_of("/api/v1/components/mk/km-1");
    assert!(component.to_string().contains("stored_key_count"), "{component}");
    assert!(json_of("/api/v1/alarms")["items"].is_array());
    let reports = json_of("/api/v1/reports?component=mk/km-1&fromSequence=0");
    assert!(reports["items"].is_array(), "{reports}");
    for path in ["/livez", "/readyz", "/metrics"] {
        let output = curl(&["--fail", "--output", "/dev/null", &format!("{root}{path}")]);
        assert!(output.status.success(), "{path}");
    }
    // Errors are told as RFC 9457 has it.
    let output = curl(&["--include", &format!("{root}/api/v1/components/mk/nobody")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    assert!(text.to_lowercase().contains("application/problem+json"), "{text}");
    // Writing needs a token.
    let target = format!("{root}/api/v1/alarms/1/acknowledge");
    let status = |more: &[&str]| {
        let mut arguments = vec!["--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST"];
        arguments.extend(["--header", "Content-Type: application/json", "--data", "{}"]);
        arguments.extend(more);
        arguments.push(&target);
        String::from_utf8(curl(&arguments).stdout).unwrap()
    };
    assert_eq!(status(&[]), "401");
    let bearer = format!("Authorization: Bearer {OPERATOR_TOKEN}");
    assert_eq!(status(&["--header", &bearer]), "404", "entitled, but there is no such alarm");
}

#[test]
fn the_state_is_read_with_sqlite3() {
    if !is_installed("sqlite3", "-version") {
        return;
    }
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let mut client = manager.connect("mk", "km-1");
    let answer = client.ask(&report("km-1", performance(json!({"stored_key_count": 4242}))));
    assert_eq!(response_code(&answer), "success");
    let database = manager.data_dir().join("state.db");
    let sqlite = |statement: &str| {
        let output = Command::new("sqlite3").arg("-readonly").arg(&database).arg(statement).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    harness::eventually("the component in the state database", harness::PATIENCE, || {
        let tables = sqlite(".tables");
        let dump = sqlite(".dump");
        (tables.contains("component") && dump.contains("km-1")).then_some(())
    });
    assert_eq!(sqlite("PRAGMA integrity_check").trim(), "ok");
}
