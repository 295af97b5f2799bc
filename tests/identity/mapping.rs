//! Certificates that the configuration maps to components.

use std::process::Command;

use harness::{ManagerProcess, RawClient, Settings, pki::Request, report, response_code};
use serde_json::json;

fn code(manager: &ManagerProcess, identity: &harness::Identity, component: &str) -> String {
    let mut client = RawClient::connect(manager.address("mk"), identity, &manager.pki.anchor());
    match client.try_send_bytes(format!("{}\n", report(component, json!([]))).as_bytes()) {
        Ok(()) => client.try_receive().map_or_else(|_| "closed".to_owned(), |answer| response_code(&answer).to_owned()),
        Err(_) => "closed".to_owned(),
    }
}

#[test]
fn a_mapping_replaces_the_name_in_the_certificate() {
    let mut identities = Vec::new();
    let manager = ManagerProcess::start_with(|pki, _| {
        let mut by_name = Request::uri("by-name", "urn:qkdn:mk:km-1");
        by_name.dns = vec!["km-1.example".to_owned()];
        let by_name = pki.issue_as(by_name);
        let by_fingerprint = pki.issue_as(Request::uri("by-fingerprint", "https://example.org/"));
        let by_subject = pki.issue_as(Request::uri("by-subject", "https://example.org/"));
        let fingerprint = fingerprint(&by_fingerprint);
        identities = vec![by_name, by_fingerprint, by_subject];
        Settings::default()
            .interface("mk", "")
            .component("mk", "km-1", r#"identity = { san = "km-1.example" }"#)
            .component("mk", "km-2", &format!(r#"identity = {{ fingerprint = "sha256:{fingerprint}" }}"#))
            .component("mk", "km-3", r#"identity = { subject = "CN=by-subject" }"#)
    });
    manager.expect_warnings();
    for (identity, component) in identities.iter().zip(["km-1", "km-2", "km-3"]) {
        assert_eq!(code(&manager, identity, component), "success", "{component}");
    }
    let plain = manager.pki.issue("mk", "km-1");
    assert_ne!(code(&manager, &plain, "km-1"), "success", "the mapping replaces the SAN URI");
    assert_ne!(code(&manager, &identities[1], "km-3"), "success");
}

/// SHA-256 of the certificate as openssl tells it.
fn fingerprint(identity: &harness::Identity) -> String {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&identity.certificate_file)
        .output()
        .expect("openssl is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split_once('=').unwrap().1.replace(':', "").to_lowercase()
}
