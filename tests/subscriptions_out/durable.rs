//! Durable subscriptions: resumed over `kill -9`, asked for anew when forgotten, ended when they are not wanted any more.

use harness::{ManagerProcess, PATIENCE, Settings, eventually, response_code};
use serde_json::{Value, json};

use crate::standing::{answer, await_standing, await_state, grant, notification, receive};

fn subscription(name: &str, names: &str) -> String {
    format!(
        "[[subscriptions]]\nname = \"{name}\"\nevents = [{{ names = [\"{names}\"] }}]\nmethod = \"on-change\"\ndurable = true\n"
    )
}

fn manager() -> ManagerProcess {
    ManagerProcess::start(Settings::one("mk", &["km-1"]).with(&subscription("stores", "stored_key_count")))
}

fn remembered(manager: &ManagerProcess) -> Value {
    let text = std::fs::read_to_string(manager.data_dir().join("subscriptions.json")).unwrap_or_default();
    let file: Value = serde_json::from_str(&text).unwrap_or_default();
    file["components"]["mk/km-1"].clone()
}

fn await_remembered(manager: &ManagerProcess, id: &str) {
    eventually(&format!("{id} in the data directory"), PATIENCE, || {
        (remembered(manager)["stores"]["id"] == id).then_some(())
    });
}

#[test]
fn it_is_resumed_after_the_manager_was_killed_and_its_numbering_goes_on() {
    let mut manager = manager();
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    grant(&mut client, &subscribe, "s-1");
    assert_eq!(response_code(&client.ask(&notification("s-1", 1, 50))), "success");
    await_remembered(&manager, "s-1");
    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-1");
    let resume = receive(&mut client, "subscribe");
    assert_eq!(resume["extension"][0]["subscriptionId"], "s-1");
    grant(&mut client, &resume, "s-1");
    for number in [2, 3] {
        assert_eq!(response_code(&client.ask(&notification("s-1", number, 50 + number))), "success");
    }
    let standing = await_standing(&manager, "two notifications", |standing| standing["notifications"] == 2);
    assert_eq!((&standing["state"], &standing["durable"]), (&json!("granted"), &json!(true)));
    assert_eq!(standing["missing"], 0);
    assert_eq!(manager.api().value("mk/km-1", "stored_key_count"), Some(53.0));
}

#[test]
fn one_that_the_component_has_forgotten_is_asked_for_anew_at_once() {
    let mut manager = manager();
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    grant(&mut client, &subscribe, "s-1");
    await_remembered(&manager, "s-1");
    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-1");
    let resume = receive(&mut client, "subscribe");
    answer(&mut client, &resume, "rejected: no such subscription", json!([]));
    let anew = receive(&mut client, "subscribe");
    assert!(anew["extension"][0].get("subscriptionId").is_none(), "{anew}");
    grant(&mut client, &anew, "s-2");
    await_state(&manager, "granted");
    await_remembered(&manager, "s-2");
}

#[test]
fn one_that_is_not_wanted_any_more_is_ended_and_a_changed_one_is_another_one() {
    let mut manager = manager();
    let mut client = manager.connect("mk", "km-1");
    let subscribe = receive(&mut client, "subscribe");
    grant(&mut client, &subscribe, "s-1");
    await_remembered(&manager, "s-1");
    manager.stop();
    manager.settings_mut().more = subscription("stores", "key_input_rate_bps");
    manager.launch();
    let mut client = manager.connect("mk", "km-1");
    let end = receive(&mut client, "unsubscribe");
    assert_eq!(end["extension"], json!([{ "type": "subscription", "subscriptionId": "s-1" }]));
    answer(&mut client, &end, "success", json!([]));
    let other = receive(&mut client, "subscribe");
    assert!(other["extension"][0].get("subscriptionId").is_none(), "{other}");
    grant(&mut client, &other, "s-2");
    await_remembered(&manager, "s-2");
    manager.stop();
    manager.settings_mut().more = String::new();
    manager.launch();
    let mut client = manager.connect("mk", "km-1");
    let end = receive(&mut client, "unsubscribe");
    assert_eq!(end["extension"][0]["subscriptionId"], "s-2");
    answer(&mut client, &end, "rejected: no such subscription", json!([]));
    eventually("an empty memory", PATIENCE, || remembered(&manager).is_null().then_some(()));
}
