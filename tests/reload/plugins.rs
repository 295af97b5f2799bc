//! Other versions of single plugins: what would be different is shown before, nothing is lost on the way, and there is a way back.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use harness::{
    HttpAnswer, ManagerProcess, Settings, guests, performance, report, response_code, settings::ADMIN_TOKEN,
};
use serde_json::{Value, json};

use crate::load::{Load, assert_whole};

/// What has the guest panic where a QBER is 666.
const PANICS: &str = "misbehave = \"panic\"";

/// A manager with a handler of its own in `guest.wasm`.
fn start_with(config: &str, components: &[&str], shards: usize, reload_on_change: bool) -> (ManagerProcess, PathBuf) {
    let place = OnceCell::new();
    let manager = ManagerProcess::start_with(|_, folder| {
        let file = place.get_or_init(|| folder.join("guest.wasm"));
        fs::copy(guests::wasm("guest-handler"), file).unwrap();
        let mut settings = Settings::one("mk", components).with(&format!(
            "[[handlers]]\nname = \"guest\"\nreference_point = \"mk\"\nplugin = \"guest.wasm\"\nconfig = {{ {config} }}\n"
        ));
        settings.manager = format!("shards = {shards}\nreload_on_change = {reload_on_change}\n");
        settings
    });
    (manager, place.into_inner().unwrap())
}

fn post(manager: &ManagerProcess, path: &str) -> HttpAnswer {
    manager.api().post(&format!("/api/v1/plugins/{path}"), Some(ADMIN_TOKEN), &json!({}))
}

fn done(manager: &ManagerProcess, path: &str, result: &str) -> Value {
    let answer = post(manager, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let view = answer.json();
    assert_eq!(view["result"], result, "{path}: {view}");
    view
}

fn activity(manager: &ManagerProcess) -> Value {
    let all = manager.api().list("/api/v1/plugin-activity");
    all.into_iter().find(|one| one["name"] == "guest").unwrap()
}

fn digest(manager: &ManagerProcess) -> String {
    activity(manager)["sha256"].as_str().unwrap().to_owned()
}

/// The guest, and a note behind it: another plugin by its digest, the same by what it does.
fn noted(file: &Path, note: u8) {
    let mut bytes = fs::read(guests::wasm("guest-handler")).unwrap();
    bytes.extend([0, 3, 1, b'n', note]);
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_plugin_is_exchanged_under_load_and_no_report_is_lost_or_answered_twice() {
    let names: Vec<String> = (1..=6).map(|number| format!("km-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut manager, file) = start_with("", &names, 2, false);
    manager.expect_warnings();
    let components: Vec<String> = names.iter().map(|name| format!("mk/{name}")).collect();
    let load = Load::start(&manager, &components);
    load.go_on(500);
    let mut longest = 0.0_f64;
    for note in 1..=6 {
        noted(&file, note);
        let view = done(&manager, "guest/reload", "applied");
        assert_eq!(
            (&view["rehearsal"]["different"], &view["rehearsal"]["failuresNow"]),
            (&json!(0), &json!(0)),
            "{view}"
        );
        longest = longest.max(view["heldMs"].as_f64().unwrap());
        load.go_on(200);
        if note % 2 == 0 {
            done(&manager, "guest/rollback", "applied");
            load.go_on(200);
        }
    }
    let outcomes = load.stop();
    println!("connections held for {longest:.3} ms at most");
    assert_whole(&manager, "mk", &outcomes);
    assert_eq!(manager.api().metric("qkdn_wire_messages_refused_total", &[]), 0.0);
    assert_eq!(manager.api().metric("qkdn_plugin_calls_failed_total", &["plugin=\"guest\""]), 0.0);
    manager.stop();
}

#[test]
fn what_would_be_different_is_shown_and_there_is_a_way_back() {
    let (mut manager, file) = start_with(PANICS, &["km-1"], 1, false);
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-1");
    let mut ask =
        |qber: f64| response_code(&client.ask(&report("km-1", performance(json!({ "qber_ratio": qber }))))).to_owned();
    for qber in [0.03, 0.6, 0.04] {
        assert_eq!(ask(qber), "success");
    }
    let (before, calls) = (digest(&manager), activity(&manager)["total"]["calls"].clone());
    assert_eq!(post(&manager, "nobody/reload").status, 404);
    assert_eq!(post(&manager, "guest/rollback").status, 409, "there was no other version");
    done(&manager, "guest/reload", "unchanged");

    // It says something else about the report in the middle.
    fs::write(&file, guests::variant("guest-handler", &[(b"QBER is ", b"qber at ")])).unwrap();
    let view = done(&manager, "guest/reload?dryRun=true", "would-apply");
    let rehearsal = &view["rehearsal"];
    assert_eq!((&rehearsal["reports"], &rehearsal["different"]), (&json!(3), &json!(1)), "{view}");
    let one = &rehearsal["differences"][0];
    assert!(
        one["before"].to_string().contains("QBER is 0.6") && one["now"].to_string().contains("qber at 0.6"),
        "{one}"
    );
    assert_eq!(
        (digest(&manager), &activity(&manager)["total"]["calls"]),
        (before.clone(), &calls),
        "nothing has changed"
    );
    let said = manager.admin_command(&["plugin", "reload", "guest", "--dry-run"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("something else follows from 1") && said.contains("+ "), "{said}");

    done(&manager, "guest/reload", "applied");
    let after = digest(&manager);
    assert_ne!(after, before);
    // What is gone back from is not taken over by itself, but when it is asked for.
    done(&manager, "guest/rollback", "applied");
    assert_eq!(digest(&manager), before);
    assert_eq!(activity(&manager)["heldBackSha256"], after.as_str());
    let top = manager.command(&["plugin", "top", "--once"]);
    assert!(String::from_utf8_lossy(&top.stdout).contains("guest (rolled back)"), "{top:?}");
    manager
        .api()
        .await_alarm("plugin-rolled-back", |alarm| alarm["isCleared"] == false && alarm["resource"] == "plugin guest");
    manager.reload();
    let answer = manager.reload_settings();
    assert_eq!((answer.status, digest(&manager)), (200, before), "{}", answer.text);
    done(&manager, "guest/reload", "applied");
    assert_eq!(digest(&manager), after);
    manager.api().await_alarm("plugin-rolled-back", |alarm| alarm["isCleared"] == true);
    assert_eq!(ask(0.05), "success");
    drop(client);
    manager.stop();
}

#[test]
fn a_version_that_fails_more_is_refused_and_if_it_is_wanted_all_the_same_gone_back_from_by_itself() {
    let (mut manager, file) = start_with(PANICS, &["km-1"], 1, true);
    manager.expect_errors();
    let mut client = manager.connect("mk", "km-1");
    let mut ask =
        |qber: f64| response_code(&client.ask(&report("km-1", performance(json!({ "qber_ratio": qber }))))).to_owned();
    for _ in 0..4 {
        assert_eq!(ask(0.03), "success");
    }
    let before = digest(&manager);
    // It panics where the one in force does not.
    let worse = guests::variant("guest-handler", &[(&guests::constant(666.0), &guests::constant(0.03))]);
    fs::write(&file, worse).unwrap();
    // The change of the file is seen, tried, and refused.
    manager.api().await_alarm("configuration-refused", |alarm| {
        alarm["isCleared"] == false && alarm["text"].as_str().unwrap().contains("4 calls fail, 0 did")
    });
    let answer = post(&manager, "guest/reload");
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(
        answer.json()["rehearsal"]["firstFailure"].as_str().unwrap().contains("the beast was in the batch"),
        "{}",
        answer.text
    );
    assert_eq!((digest(&manager), ask(0.03)), (before.clone(), "success".to_owned()));

    done(&manager, "guest/reload?anyway=true", "applied");
    assert_ne!(digest(&manager), before);
    for _ in 0..3 {
        assert_eq!(ask(0.03), "internal");
    }
    let alarm = manager.api().await_alarm("plugin-rolled-back", |alarm| alarm["isCleared"] == false);
    assert!(alarm["text"].as_str().unwrap().contains("calls of the new version failed, 0 of 5"), "{alarm}");
    assert_eq!((digest(&manager), ask(0.03)), (before, "success".to_owned()));
    let top = manager.command(&["plugin", "top", "--once", "-o", "json"]);
    let top: Value = serde_json::from_slice(&top.stdout).unwrap();
    let guest = top["items"].as_array().unwrap().iter().find(|one| one["name"] == "guest").unwrap();
    assert_eq!(guest["total"]["failuresByKind"], json!({ "trap": 3 }), "{guest}");
    assert_eq!(guest["instances"][0]["instance"], "shard-0", "{guest}");
    drop(client);
    manager.stop();
}

#[test]
fn state_and_alarms_of_a_policy_go_on_in_a_version_that_takes_them_over() {
    let golden = harness::binary::repository().join("tests/guests/golden-policy/golden-policy.wasm");
    let place = OnceCell::new();
    let mut manager = ManagerProcess::start_with(|_, folder| {
        let file = place.get_or_init(|| folder.join("count.wasm"));
        fs::copy(&golden, file).unwrap();
        let policy = "[[policies]]\nname = \"count\"\nfunction = \"fault\"\nplugin = \"count.wasm\"\nconfig = { value = \
                      \"link_loss_db\", limit = 0.05, state_width = 2 }\n";
        let mut settings = Settings::one("mk", &["km-1"]).with(policy);
        settings.manager = "shards = 1\nreload_on_change = false\n".to_owned();
        settings
    });
    manager.expect_warnings();
    let file = place.into_inner().unwrap();
    let mut client = manager.connect("mk", "km-1");
    let say = |client: &mut harness::RawClient, name: &str, value: f64| {
        client.send(&report("km-1", performance(json!({ name: value }))));
        // A policy may ask for a report before the answer comes.
        std::iter::repeat_with(|| client.receive()).find(|line| line["messageType"] == "statusReportResponse").unwrap()
    };
    for _ in 0..3 {
        assert_eq!(response_code(&say(&mut client, "qber_ratio", 0.1)), "success");
    }
    let raised = manager.api().await_alarm("golden-count", |alarm| alarm["isCleared"] == false);
    let of_policy = |manager: &ManagerProcess| {
        let all = manager.api().list("/api/v1/plugin-activity");
        all.into_iter().find(|one| one["name"] == "count").unwrap()["total"]["stateBytes"].as_u64().unwrap()
    };
    assert_eq!(of_policy(&manager), 8);
    // Another plugin of the same name, which keeps two values and takes the count over.
    fs::copy(guests::wasm("guest-policy"), &file).unwrap();
    done(&manager, "count/reload", "applied");
    let alarm = manager.api().await_alarm("golden-count", |_| true);
    assert_eq!(
        (&alarm["isCleared"], &alarm["raiseCount"]),
        (&json!(false), &raised["raiseCount"]),
        "it goes on: {alarm}"
    );
    assert_eq!(response_code(&say(&mut client, "link_loss_db", 0.01)), "success");
    assert_eq!(of_policy(&manager), 16);
    // What was taken over is stored: it is the fifth that raises the new one's alarm, and says so.
    drop(client);
    manager.crash_and_restart();
    client = manager.connect("mk", "km-1");
    assert_eq!(response_code(&say(&mut client, "link_loss_db", 0.1)), "success");
    let counted = manager.api().await_alarm("test-alarm", |_| true);
    assert_eq!(counted["additionalInformation"][1], json!({ "name": "count", "value": "5" }), "{counted}");
    manager.api().await_alarm("golden-count", |alarm| alarm["isCleared"] == false);
    // The one before cannot take the state of the new one, so its alarm ends with it.
    fs::copy(&golden, &file).unwrap();
    done(&manager, "count/reload", "applied");
    let over = manager.api().await_alarm("golden-count", |alarm| alarm["isCleared"] == true);
    assert!(over["text"].as_str().unwrap().contains("begins afresh"), "{over}");
    drop(client);
    manager.stop();
}
