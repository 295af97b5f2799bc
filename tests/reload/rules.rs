//! Components, handlers and policies that come, change and go.

use harness::{Closing, ManagerProcess, Settings, guests, performance, report, response_code};
use serde_json::{Value, json};

use crate::{applied, policy, start, start_with_guest};

fn fill(level: f64) -> Value {
    performance(json!({ "key_store_fill_ratio": level }))
}

fn low_alarm(manager: &ManagerProcess, cleared: bool) -> Value {
    manager.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == cleared)
}

#[test]
fn a_changed_threshold_takes_effect_and_the_alarm_of_a_removed_policy_ends_with_its_reason() {
    let mut manager = start(Settings::one("mk", &["km-1"]).with(&policy(0.2)));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.3)))), "success");
    assert!(manager.api().list("/api/v1/alarms").is_empty());

    manager.settings_mut().more = policy(0.4);
    let view = applied(&manager);
    assert_eq!(view["change"]["policies"]["changed"], json!([{ "name": "low", "keys": ["config"] }]), "{view}");
    assert!(manager.api().list("/api/v1/alarms").is_empty(), "a policy says what it thinks at its next look");
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.3)))), "success");
    let raised = low_alarm(&manager, false);

    // A change that leaves the alarm right keeps it, and the state that goes with it.
    manager.settings_mut().more = policy(0.35);
    applied(&manager);
    assert_eq!(low_alarm(&manager, false)["raiseCount"], raised["raiseCount"]);
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.9)))), "success");
    low_alarm(&manager, true);

    // A policy that is gone cannot clear any more.
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.1)))), "success");
    low_alarm(&manager, false);
    manager.settings_mut().more = String::new();
    applied(&manager);
    let over = low_alarm(&manager, true);
    assert_eq!(over["text"], "policy low is not in force any more", "{over}");
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.05)))), "success");

    // It comes back without what it knew, and finds out.
    manager.settings_mut().more = policy(0.2);
    applied(&manager);
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.05)))), "success");
    low_alarm(&manager, false);

    // In shadow mode it takes no effect; as an alarm of another type it is another alarm.
    manager.settings_mut().more = format!("{}mode = \"shadow\"\n", policy(0.2));
    applied(&manager);
    assert!(low_alarm(&manager, true)["text"].as_str().unwrap().contains("shadow"));
    manager.settings_mut().more = policy(0.2);
    applied(&manager);
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.05)))), "success");
    low_alarm(&manager, false);
    manager.settings_mut().more = policy(0.2).replace("key-store-low", "key-store-empty");
    applied(&manager);
    low_alarm(&manager, true);
    assert_eq!(response_code(&client.ask(&report("km-1", fill(0.05)))), "success");
    manager.api().await_alarm("key-store-empty", |alarm| alarm["isCleared"] == false);

    // Where it does not apply any more, its alarm ends too.
    manager.settings_mut().more =
        format!("{}applies_to = {{ id = \"other-*\" }}\n", policy(0.2).replace("key-store-low", "key-store-empty"));
    applied(&manager);
    let over = manager.api().await_alarm("key-store-empty", |alarm| alarm["isCleared"] == true);
    assert_eq!(over["text"], "policy low does not watch mk/km-1 any more", "{over}");
    drop(client);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}

#[test]
fn a_component_is_added_and_removed_and_nobody_else_notices() {
    let mut manager = start(Settings::one("mk", &["km-1", "km-2"]).with(&policy(0.2)).component("mk", "km-3", ""));
    manager.expect_warnings();
    let (mut first, mut second) = (manager.connect("mk", "km-1"), manager.connect("mk", "km-2"));
    let mut stranger = manager.connect("mk", "km-new");
    assert_eq!(response_code(&stranger.ask(&report("km-new", fill(0.5)))), "unknown-component");
    assert_eq!(response_code(&first.ask(&report("km-1", fill(0.1)))), "success");
    assert_eq!(response_code(&second.ask(&report("km-2", fill(0.1)))), "success");
    let inventory = json!([{ "type": "inventory", "values": { "software_version": "1.2" } }]);
    assert_eq!(response_code(&second.ask(&report("km-2", inventory))), "success");
    let alarm_of = |component: &str, cleared: bool| {
        let (component, api) = (component.to_owned(), manager.api());
        api.await_alarm("key-store-low", move |alarm| {
            alarm["component"] == component.as_str() && alarm["isCleared"] == cleared
        })
    };
    alarm_of("mk/km-1", false);
    alarm_of("mk/km-2", false);

    let components = &mut manager.settings_mut().components;
    components.retain(|lines| !lines.contains("\"km-2\""));
    components.push("id = \"km-new\"\nreference_point = \"mk\"\n".to_owned());
    let view = applied(&manager);
    assert_eq!(view["change"]["components"]["added"], json!(["mk/km-new"]), "{view}");
    assert_eq!(view["change"]["components"]["removed"], json!(["mk/km-2"]), "{view}");
    assert_eq!(view["connectionsClosed"], 1, "{view}");

    // The one that was added is heard over the connection that it has.
    assert_eq!(response_code(&stranger.ask(&report("km-new", fill(0.5)))), "success");
    // The one that was removed is told why, in good order.
    let (last, closing) = second.drain();
    assert_eq!(last.iter().map(response_code).collect::<Vec<_>>(), ["unknown-component"], "{last:?}");
    assert_eq!(closing, Closing::Orderly);
    let over = manager
        .api()
        .await_alarm("key-store-low", |alarm| alarm["component"] == "mk/km-2" && alarm["isCleared"] == true);
    assert_eq!(over["text"], "mk/km-2 is not in the configuration any more");
    let mut again = manager.connect("mk", "km-2");
    assert_eq!(response_code(&again.ask(&report("km-2", fill(0.5)))), "unknown-component");
    // What it said is still there.
    let shown = manager.api().get("/api/v1/components/mk/km-2").json();
    assert_eq!((&shown["reports"], &shown["configured"]), (&json!(2), &json!(false)), "{shown}");
    assert_eq!(manager.api().list("/api/v1/inventory?component=mk/km-2").len(), 1);
    // And the others are as they were.
    assert_eq!(response_code(&first.ask(&report("km-1", fill(0.1)))), "success");
    let mine = |alarm: &Value| alarm["component"] == "mk/km-1" && alarm["isCleared"] == false;
    assert!(manager.api().list("/api/v1/alarms").iter().any(mine));
}

#[test]
fn a_handler_is_put_before_the_standard_one_changed_and_taken_away() {
    let mut manager = start(Settings::one("mk", &["km-1", "km-2"]));
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    let handler_of = |id: &str| manager.api().get(&format!("/api/v1/components/mk/{id}")).json()["handler"].clone();
    let qber = |value: f64| report("km-1", performance(json!({ "qber_ratio": value })));
    assert_eq!(response_code(&client.ask(&qber(0.9))), "success");
    assert_eq!(handler_of("km-1"), "mk-standard");

    // The guest refuses what has a QBER above 1, and asks for reports as they were received.
    let guest = |config: &str| {
        let plugin = guests::wasm("guest-handler");
        format!(
            "[[handlers]]\nname = \"guest\"\nreference_point = \"mk\"\nmatch = {{ id = \"km-1\" }}\nplugin = {plugin:?}\n\
             config = {{ names = [\"qber_ratio\"]{config} }}\n"
        )
    };
    assert_eq!(handler_of("km-2"), "mk-standard");
    let with_guest = guest("");
    manager.settings_mut().more = with_guest;
    let view = applied(&manager);
    assert_eq!(view["change"]["handlers"]["added"], json!(["guest"]), "{view}");
    assert_eq!(response_code(&client.ask(&qber(1.5))), "rejected", "over the connection that was there before");
    assert_eq!(response_code(&client.ask(&qber(0.3))), "success");
    let shown = manager.api().get("/api/v1/components/mk/km-1").json();
    assert_eq!(shown["handler"], "guest");

    manager.settings_mut().more = guest(", raw = true, misbehave = \"panic\"") + "on_failure = \"keep-raw\"\n";
    applied(&manager);
    let view = manager.api().get("/api/v1/handlers").json();
    assert!(
        view["items"].as_array().unwrap().iter().any(|one| one["name"] == "guest" && one["onFailure"] == "keep-raw")
    );

    manager.settings_mut().more = String::new();
    applied(&manager);
    assert_eq!(response_code(&client.ask(&qber(0.9))), "success");
    assert_eq!(manager.api().get("/api/v1/components/mk/km-1").json()["handler"], "mk-standard");
    let reports = manager.api().list("/api/v1/reports?component=mk/km-1");
    let outcomes: Vec<&str> = reports.iter().map(|report| report["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "refused", "accepted", "accepted"]);
}

#[test]
fn a_plugin_file_that_changed_is_taken_over_and_a_broken_one_is_refused() {
    let (mut manager, folder) = start_with_guest();
    manager.expect_errors();
    let file = &folder.join("guest.wasm");
    let mut client = manager.connect("mk", "km-1");
    let mut ask = |qber: f64| {
        let answer = client.ask(&report("km-1", performance(json!({ "qber_ratio": qber }))));
        response_code(&answer).to_owned()
    };
    let digest = |manager: &ManagerProcess| {
        let handlers = manager.api().list("/api/v1/handlers");
        handlers.iter().find(|one| one["name"] == "guest").unwrap()["sha256"].clone()
    };
    let (before, bytes) = (digest(&manager), std::fs::read(file).unwrap());
    assert_eq!(ask(1.5), "rejected");
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    let refused = manager.reload_settings();
    assert_eq!(refused.status, 422);
    let problem = refused.json()["problems"][0].clone();
    assert!(problem["message"].as_str().unwrap().contains("guest.wasm") && problem["line"].is_u64(), "{problem}");
    assert_eq!(
        (digest(&manager), ask(1.5)),
        (before.clone(), "rejected".to_owned()),
        "the one that runs is another copy"
    );
    // A custom section: another plugin by its digest, the same by what it does.
    std::fs::write(file, [bytes.as_slice(), &[0, 5, 4, b'n', b'o', b't', b'e']].concat()).unwrap();
    let view = applied(&manager);
    assert_eq!(view["change"]["files"], json!([file.to_str().unwrap()]), "{view}");
    assert_ne!(digest(&manager), before);
    assert_eq!((ask(1.5), ask(0.2)), ("rejected".to_owned(), "success".to_owned()));
    drop(client);
    manager.stop();
}

#[test]
fn a_start_ends_what_a_reload_would_have_ended() {
    let silent = "expected_interval = \"1s\"";
    let settings = Settings::one("mk", &["km-1"]).component("mk", "km-2", "").component("mk", "km-3", silent);
    let mut manager = start(settings.with(&policy(0.2)));
    manager.expect_warnings();
    for id in ["km-1", "km-2"] {
        let mut client = manager.connect("mk", id);
        assert_eq!(response_code(&client.ask(&report(id, fill(0.1)))), "success");
    }
    manager.api().await_alarm("component-silent", |alarm| alarm["isCleared"] == false);
    let raised = |manager: &ManagerProcess| {
        let alarms = manager.api().list("/api/v1/alarms");
        alarms.iter().filter(|alarm| alarm["isCleared"] == false).count()
    };
    assert_eq!(raised(&manager), 3);
    // As it was, nothing ends.
    manager.stop();
    manager.launch();
    assert_eq!(raised(&manager), 3);
    // One component less, one that nobody expects to report any more, and then no policy either.
    manager.stop();
    let components = &mut manager.settings_mut().components;
    components.retain(|lines| !lines.contains("km-2"));
    components.iter_mut().for_each(|lines| *lines = lines.replace(silent, ""));
    manager.launch();
    harness::eventually("two alarms to end", harness::PATIENCE, || (raised(&manager) == 1).then_some(()));
    manager.crash_and_restart();
    assert_eq!(raised(&manager), 1);
    manager.stop();
    manager.settings_mut().more = String::new();
    manager.launch();
    harness::eventually("the last alarm to end", harness::PATIENCE, || (raised(&manager) == 0).then_some(()));
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}
