//! Section 1: TLS versions, groups, ALPN.

use harness::{ManagerProcess, RawClient, Settings, raw_client::Hello, report, response_code};
use rustls::NamedGroup;
use serde_json::json;

fn is_served(manager: &ManagerProcess, hello: &Hello) -> Result<RawClient, String> {
    let mut client = RawClient::try_connect(manager.address("mk"), hello).map_err(|error| error.to_string())?;
    client.try_send_bytes(format!("{}\n", report("km-1", json!([]))).as_bytes()).map_err(|error| error.to_string())?;
    let answer = client.try_receive().map_err(|closing| format!("{closing:?}"))?;
    assert_eq!(response_code(&answer), "success");
    Ok(client)
}

#[test]
fn the_hybrid_group_is_agreed_on_and_alpn_named() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let hello = Hello::new(&manager.pki.issue("mk", "km-1"), &manager.pki.anchor());
    let client = is_served(&manager, &hello).unwrap();
    assert_eq!(client.key_exchange_group(), Some(NamedGroup::X25519MLKEM768));
    assert_eq!(client.alpn(), Some(&b"qkdn/1"[..]));
}

#[test]
fn classical_groups_are_accepted_unless_the_hybrid_is_required() {
    let settings = Settings::one("mk", &["km-1"]).interface("mops", "key_exchange = \"hybrid-required\"");
    let manager = ManagerProcess::start(settings.component("mops", "link-1", ""));
    manager.expect_warnings();
    let mut hello = Hello::new(&manager.pki.issue("mk", "km-1"), &manager.pki.anchor());
    hello.groups = vec![NamedGroup::X25519];
    let client = is_served(&manager, &hello).unwrap();
    assert_eq!(client.key_exchange_group(), Some(NamedGroup::X25519));

    let mut hello = Hello::new(&manager.pki.issue("mops", "link-1"), &manager.pki.anchor());
    hello.groups = vec![NamedGroup::X25519];
    assert!(RawClient::try_connect(manager.address("mops"), &hello).is_err(), "no group in common");
    hello.groups = Vec::new();
    assert!(RawClient::try_connect(manager.address("mops"), &hello).is_ok());
}

#[test]
fn a_client_without_alpn_is_served_and_one_with_another_is_not() {
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut hello = Hello::new(&manager.pki.issue("mk", "km-1"), &manager.pki.anchor());
    hello.alpn = Vec::new();
    assert!(is_served(&manager, &hello).unwrap().alpn().is_none());
    hello.alpn = vec![b"h2".to_vec()];
    assert!(is_served(&manager, &hello).is_err());
    hello.alpn = vec![b"h2".to_vec(), b"qkdn/1".to_vec()];
    assert_eq!(is_served(&manager, &hello).unwrap().alpn(), Some(&b"qkdn/1"[..]));
}

#[test]
fn tls_1_2_is_spoken_only_where_it_is_allowed() {
    let settings = Settings::one("mk", &["km-1"]).interface("mc", "allow_tls12 = true").component("mc", "c-1", "");
    let manager = ManagerProcess::start(settings);
    manager.expect_warnings();
    let mut hello = Hello::new(&manager.pki.issue("mk", "km-1"), &manager.pki.anchor());
    hello.tls12 = true;
    assert!(RawClient::try_connect(manager.address("mk"), &hello).is_err());
    let mut hello = Hello::new(&manager.pki.issue("mc", "c-1"), &manager.pki.anchor());
    hello.tls12 = true;
    let mut client = RawClient::try_connect(manager.address("mc"), &hello).unwrap();
    assert_eq!(response_code(&client.ask(&report("c-1", json!([])))), "success");
}

#[test]
fn what_is_not_tls_harms_nobody() {
    use std::io::{Read, Write};
    let manager = ManagerProcess::start(
        Settings::default().interface("mk", "handshake_timeout = \"1s\"").component("mk", "km-1", ""),
    );
    manager.expect_warnings();
    let mut speaker = std::net::TcpStream::connect(manager.address("mk")).unwrap();
    speaker.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut silent = std::net::TcpStream::connect(manager.address("mk")).unwrap();
    for socket in [&mut speaker, &mut silent] {
        socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // Reset or end: what counts is that the manager lets go of it.
        let ended = socket.read_to_end(&mut rest);
        assert!(
            !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "the manager still holds the connection"
        );
    }
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", json!([])))), "success");
}
