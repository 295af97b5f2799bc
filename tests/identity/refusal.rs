//! Certificates that are refused, each with its cause.

use harness::{
    Identity, ManagerProcess, RawClient, Settings, TestPki, pki::Request, raw_client::Hello, report, response_code,
};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::json;

/// Tries to report; what the manager lets through comes back.
fn attempt(manager: &ManagerProcess, identity: Option<&Identity>) -> Result<String, String> {
    let mut hello = Hello::new(&manager.pki.issue("mk", "nobody"), &manager.pki.anchor());
    hello.identity = identity.cloned();
    let mut client = RawClient::try_connect(manager.address("mk"), &hello).map_err(|error| error.to_string())?;
    let line = format!("{}\n", report("km-1", json!([])));
    client.try_send_bytes(line.as_bytes()).map_err(|error| error.to_string())?;
    let answer = client.try_receive().map_err(|closing| format!("{closing:?}"))?;
    Ok(response_code(&answer).to_owned())
}

fn refused_handshakes(manager: &ManagerProcess) -> f64 {
    manager.api().metric("qkdn_net_handshakes_refused_total", &[])
}

#[test]
fn every_wrong_certificate_is_refused_counted_and_named() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let foreign_dir = tempfile::tempdir().unwrap();
    let foreign = TestPki::new(foreign_dir.path());
    let mut expired = Request::uri("expired", "urn:qkdn:mk:km-1");
    expired.expired = true;
    let mut server_only = Request::uri("server-only", "urn:qkdn:mk:km-1");
    server_only.usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let cases = [
        ("another authority", Some(foreign.issue("mk", "km-1")), "issuer"),
        ("another reference point", Some(manager.pki.issue("mq", "km-1")), "reference"),
        ("expired", Some(manager.pki.issue_as(expired)), "expired"),
        ("no client usage", Some(manager.pki.issue_as(server_only)), "usage"),
        ("no identity of ours", Some(manager.pki.issue_as(Request::uri("web", "https://example.org/"))), "identity"),
        ("no certificate", None, "certificate"),
    ];
    for (count, (what, identity, word)) in cases.iter().enumerate() {
        let result = attempt(&manager, identity.as_ref());
        assert!(result.is_err(), "{what} came through: {result:?}");
        harness::eventually(&format!("the refusal for {what} in the metrics"), harness::PATIENCE, || {
            (refused_handshakes(&manager) > count as f64).then_some(())
        });
        harness::eventually(&format!("the cause of {what} in the log"), harness::PATIENCE, || {
            manager.log().to_lowercase().contains(word).then_some(())
        });
    }
    assert_eq!(attempt(&manager, Some(&manager.pki.issue("mk", "km-1"))), Ok("success".to_owned()));
}

#[test]
fn a_listener_has_its_own_anchors() {
    let other_dir = tempfile::tempdir().unwrap();
    let other = TestPki::new(other_dir.path());
    let anchor = format!("trust_anchors = [{:?}]", other.anchor_file());
    let settings = Settings::one("mk", &["km-1"]).interface("mq", &anchor).component("mq", "module-1", "");
    let manager = ManagerProcess::start(settings);
    manager.expect_warnings();
    let ask = |identity: &Identity| {
        let hello = Hello::new(identity, &manager.pki.anchor());
        let mut client = RawClient::try_connect(manager.address("mq"), &hello).ok()?;
        client.try_send_bytes(format!("{}\n", report("module-1", json!([]))).as_bytes()).ok()?;
        client.try_receive().ok()
    };
    assert!(ask(&manager.pki.issue("mq", "module-1")).is_none(), "the authority of Mk does not vouch on Mq");
    assert!(ask(&other.issue("mq", "module-1")).is_some_and(|answer| response_code(&answer) == "success"));
}

#[test]
fn a_revoked_certificate_is_refused() {
    let mut revoked = None;
    let manager = ManagerProcess::start_with(|pki, _| {
        let identity = pki.issue("mk", "km-1");
        let list = pki.revoke(&[&identity]);
        revoked = Some(identity);
        Settings::one("mk", &["km-1"]).tls(&format!("revocation_lists = [{list:?}]"))
    });
    manager.expect_warnings();
    assert!(attempt(&manager, revoked.as_ref()).is_err());
    harness::eventually("the cause in the log", harness::PATIENCE, || {
        manager.log().to_lowercase().contains("revoked").then_some(())
    });
    let good = manager.pki.issue("mk", "km-1");
    assert_eq!(attempt(&manager, Some(&good)), Ok("success".to_owned()), "another certificate of the same component");
}

#[test]
fn a_list_of_another_authority_bars_nobody() {
    let other_dir = tempfile::tempdir().unwrap();
    let other = TestPki::new(other_dir.path());
    let list = other.revoke(&[&other.issue("mk", "km-9")]);
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).tls(&format!("revocation_lists = [{list:?}]")));
    assert_eq!(attempt(&manager, Some(&manager.pki.issue("mk", "km-1"))), Ok("success".to_owned()));
}
