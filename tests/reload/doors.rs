//! Listeners, limits, tokens and dialled components.

use std::net::TcpStream;

use harness::{
    Closing, ManagerProcess, RawClient, Settings, eventually, performance,
    raw_client::Hello,
    raw_client::RawListener,
    report, response_code,
    settings::{OPERATOR_TOKEN, VIEWER_TOKEN},
    waiting::patience,
};
use serde_json::{Value, json};

use crate::{applied, free_address, start};

fn fill(id: &str) -> Value {
    report(id, performance(json!({ "key_store_fill_ratio": 0.5 })))
}

fn listen(settings: &mut Settings, point: &str, address: &str) {
    let mut interfaces = settings.interfaces.iter_mut();
    interfaces.find(|interface| interface.reference_point == point).unwrap().listen = address.to_owned();
}

#[test]
fn a_listener_is_added_moved_and_removed_and_the_others_stay() {
    let (here, there) = (free_address(), free_address());
    let mut manager = start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let mut other = manager.connect("mk", "km-1");
    let connect = |manager: &ManagerProcess, address: &str| {
        let identity = manager.component_identity("mq", "qm-1");
        RawClient::try_connect(address.parse().unwrap(), &Hello::new(&identity, &manager.pki.anchor()))
    };
    let settings = manager.settings_mut();
    *settings = settings.clone().interface("mq", "").component("mq", "qm-1", "");
    listen(settings, "mq", &here);
    applied(&manager);
    let mut module = connect(&manager, &here).unwrap();
    assert_eq!(response_code(&module.ask(&fill("qm-1"))), "success");

    // Moved: new connections go to the new address, the one that is up stays.
    listen(manager.settings_mut(), "mq", &there);
    let view = applied(&manager);
    assert_eq!(
        (&view["connectionsClosed"], &view["change"]["interfaces"]["changed"][0]["keys"]),
        (&json!(0), &json!(["listen"]))
    );
    assert_eq!(response_code(&module.ask(&fill("qm-1"))), "success");
    assert_eq!(response_code(&connect(&manager, &there).unwrap().ask(&fill("qm-1"))), "success");
    eventually("nobody at the old address", patience(), || TcpStream::connect(&here).is_err().then_some(()));
    let interfaces = manager.api().list("/api/v1/interfaces");
    assert!(interfaces.iter().any(|one| one["listen"] == json!([there.clone()])), "{interfaces:?}");

    // Removed: what is up ends in good order.
    let settings = manager.settings_mut();
    settings.interfaces.retain(|interface| interface.reference_point != "mq");
    settings.components.retain(|lines| !lines.contains("qm-1"));
    applied(&manager);
    let (last, closing) = module.drain();
    assert_eq!(last.iter().map(response_code).collect::<Vec<_>>(), ["unavailable"], "{last:?}");
    assert_eq!(closing, Closing::Orderly);
    eventually("nobody at the new address", patience(), || TcpStream::connect(&there).is_err().then_some(()));
    assert_eq!(response_code(&other.ask(&fill("km-1"))), "success");
}

#[test]
fn an_address_that_is_taken_refuses_the_whole() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut manager = start(Settings::one("mk", &["km-1"]));
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    let settings = manager.settings_mut();
    *settings = settings.clone().interface("mq", "").component("mk", "km-2", "");
    listen(settings, "mq", &taken.local_addr().unwrap().to_string());
    let answer = manager.reload_settings();
    assert_eq!((answer.status, answer.content_type.as_str()), (422, "application/problem+json"));
    let problems = answer.json()["problems"].clone();
    assert!(problems[0]["message"].as_str().unwrap().contains("another program listens there"), "{problems}");
    assert!(problems[0]["line"].is_u64(), "{problems}");
    let mut second = manager.connect("mk", "km-2");
    assert_eq!(response_code(&second.ask(&fill("km-2"))), "unknown-component");
    assert_eq!(response_code(&client.ask(&fill("km-1"))), "success");
}

#[test]
fn limits_hold_for_connections_that_are_up() {
    let mut manager = start(Settings::one("mk", &["km-1", "km-2"]));
    manager.expect_warnings();
    let (mut first, mut second) = (manager.connect("mk", "km-1"), manager.connect("mk", "km-2"));
    let long = |id: &str| {
        let mut message = fill(id);
        message["extension"][0]["values"]["padding"] = "x".repeat(8_000).into();
        message
    };
    assert_eq!(response_code(&first.ask(&long("km-1"))), "success");
    manager.settings_mut().interfaces[0].lines =
        "max_line_bytes = 4096\nmax_connections_per_identity = 1\nidle_timeout = \"1s\"\n".to_owned();
    let view = applied(&manager);
    assert_eq!(
        view["change"]["interfaces"]["changed"][0]["keys"],
        json!(["max_connections_per_identity", "max_line_bytes", "idle_timeout"])
    );
    first.send(&long("km-1"));
    let (last, _) = first.drain();
    assert_eq!(last.iter().map(response_code).collect::<Vec<_>>(), ["too-large"], "{last:?}");
    // The second is idle and ends by the new time, not by the old one of ten minutes.
    let (last, closing) = second.drain();
    assert_eq!((last.len(), closing), (0, Closing::Orderly));
    drop((first, second));
    manager.settings_mut().interfaces[0].lines = "max_connections_per_identity = 1\n".to_owned();
    applied(&manager);
    eventually("no connection", patience(), || {
        (manager.api().metric("qkdn_net_connections_open", &["reference_point=\"mk\""]) == 0.0).then_some(())
    });
    assert!(!manager.log().contains("Connection opened."));
    manager.settings_mut().log_level = "info,qkdn_manager::manager::live=debug".to_owned();
    assert_eq!(applied(&manager)["change"]["settings"], json!(["log.level"]));
    let mut one = manager.connect("mk", "km-2");
    assert_eq!(response_code(&one.ask(&fill("km-2"))), "success");
    assert!(manager.log().contains("Connection opened."), "the log says more from now on");
    let refused = manager.connect("mk", "km-2").drain();
    assert!(refused.0.is_empty(), "a second connection of the same identity is refused: {refused:?}");
    assert_eq!(response_code(&one.ask(&fill("km-2"))), "success");
}

#[test]
fn tokens_count_from_the_reload_on_and_only_an_admin_may_reload() {
    let mut manager = start(Settings::one("mk", &["km-1"]));
    for token in [None, Some(VIEWER_TOKEN), Some(OPERATOR_TOKEN)] {
        let status = manager.api().post("/api/v1/configuration/reload", token, &json!({})).status;
        assert_eq!(status, if token.is_none() { 401 } else { 403 });
    }
    let unchanged = manager.reload_settings().json();
    assert_eq!(unchanged["result"], "unchanged", "{unchanged}");
    // SHA-256 of `abc`, from FIPS 180-2.
    manager.settings_mut().more = "[[api.tokens]]\nname = \"late\"\n\
         sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\nrole = \"admin\"\n"
        .to_owned();
    let api_lines = manager.settings_mut().more.clone();
    // The tokens of the settings stand in one list with it, so it goes into a file of its own.
    manager.settings_mut().more = String::new();
    std::fs::create_dir(manager.root().join("conf.d")).unwrap();
    std::fs::write(manager.root().join("conf.d/tokens.toml"), api_lines).unwrap();
    assert_eq!(manager.api().post("/api/v1/configuration/reload", Some("abc"), &json!({})).status, 401);
    let view = applied(&manager);
    assert_eq!(view["change"]["tokens"]["added"], json!(["late"]), "{view}");
    assert!(!view.to_string().contains("ba7816bf"), "no digest of a token is told: {view}");
    let unchanged = manager.api().post("/api/v1/configuration/reload", Some("abc"), &json!({})).json();
    assert_eq!((&unchanged["result"], &unchanged["by"]), (&json!("unchanged"), &json!("late")));
    std::fs::remove_file(manager.root().join("conf.d/tokens.toml")).unwrap();
    applied(&manager);
    assert_eq!(manager.api().post("/api/v1/configuration/reload", Some("abc"), &json!({})).status, 401);
}

#[test]
fn a_component_that_only_listens_is_dialled_from_the_reload_on_and_left_when_it_goes() {
    let mut manager = start(Settings::one("mk", &["km-1"]));
    manager.expect_warnings();
    let listener = RawListener::bind(&manager.component_identity("mk", "km-2"), &manager.pki.anchor());
    let dial = format!("dial = \"{}\"", listener.address());
    let before = manager.settings_mut().clone();
    *manager.settings_mut() = before.clone().component("mk", "km-2", &dial);
    applied(&manager);
    let mut connection = listener.accept().unwrap();
    assert_eq!(response_code(&connection.ask(&fill("km-2"))), "success");
    // A change of something else leaves it alone.
    *manager.settings_mut() = before.clone().component("mk", "km-2", &dial).component("mk", "km-3", "");
    applied(&manager);
    assert_eq!(response_code(&connection.ask(&fill("km-2"))), "success");
    *manager.settings_mut() = before;
    applied(&manager);
    let (last, closing) = connection.drain();
    assert_eq!(last.iter().map(response_code).collect::<Vec<_>>(), ["unknown-component"], "{last:?}");
    assert_eq!(closing, Closing::Orderly);
}
