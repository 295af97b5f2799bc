//! One manager with plugins of every bad kind, each with a component of its own: each is answered in bounded time and told by its name, and
//! the manager and everybody else go on. What cannot be loaded is refused at a reload, and what runs goes on.

use std::path::Path;

use harness::{
    ManagerProcess, PATIENCE, RawClient, Settings, eventually, guests, performance, report, response_code,
    settings::ADMIN_TOKEN,
};
use serde_json::{Value, json};

/// The value that sets off what the guests are configured to do.
const MARKER: f64 = 666.0;

/// What a guest is configured to do, how its report is answered, and the kind of failure that is counted.
const BAD: [(&str, &str, &str); 10] = [
    ("panic", "internal", "trap"),
    ("recurse", "internal", "trap"),
    ("loop", "internal", "cpu-time"),
    ("slow", "success", ""),
    ("eat-memory", "internal", "memory"),
    ("chatter", "success", ""),
    ("big-answer", "internal", "answer-too-large"),
    ("many-refusals", "internal", "answer-too-large"),
    ("position-out-of-range", "internal", "bad-answer"),
    ("not-a-number", "internal", "bad-answer"),
];

fn handler(name: &str, plugin: &Path, config: &str) -> String {
    format!(
        "[[handlers]]\nname = {name:?}\nreference_point = \"mk\"\nmatch = {{ id = \"km-{name}\" }}\nplugin = {plugin:?}\n\
         config = {{ {config} }}\n"
    )
}

fn loss(client: &mut RawClient, id: &str, value: f64) -> Value {
    client.ask(&report(id, performance(json!({ "link_loss_db": value }))))
}

fn activity(manager: &ManagerProcess, name: &str) -> Value {
    let all = manager.api().list("/api/v1/plugin-activity");
    all.into_iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_bad_handler_is_answered_for_told_by_its_name_and_harms_nobody_else() {
    let plugin = guests::wasm("guest-handler");
    let mut settings = Settings::one("mk", &["km-good"]);
    // Two shards: what is slow shares one with others. Touching all of its memory takes longer than 50 ms on a busy machine.
    settings.manager = "shards = 2\n".to_owned();
    settings = settings.plugins("cpu_time = \"400ms\"");
    for (name, ..) in BAD {
        let config = format!("misbehave = {name:?}");
        settings = settings.component("mk", &format!("km-{name}"), "").with(&handler(name, &plugin, &config));
    }
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let mut good = manager.connect("mk", "km-good");
    for (name, code, kind) in BAD {
        let id = format!("km-{name}");
        let mut client = manager.connect("mk", &id);
        assert_eq!(response_code(&loss(&mut client, &id, 1.0)), "success", "{name} begins well");
        let answer = loss(&mut client, &id, MARKER);
        assert_eq!(response_code(&answer), code, "{name}: {answer}");
        assert_eq!(response_code(&loss(&mut client, &id, 2.0)), "success", "{name} goes on");
        assert_eq!(response_code(&loss(&mut good, "km-good", 1.0)), "success", "others go on while {name} is bad");
        let activity = activity(&manager, name);
        let failures = if kind.is_empty() { json!({}) } else { json!({ kind: 1 }) };
        assert_eq!(activity["total"]["failuresByKind"], failures, "{name}: {activity}");
        if !kind.is_empty() {
            let resource = format!("plugin {name}");
            manager.api().await_alarm("plugin-failed", |alarm| alarm["resource"] == resource.as_str());
            assert!(activity["lastFailure"]["text"].as_str().unwrap().starts_with(kind), "{activity}");
        }
    }
    // Each limit is named with the key that changes it.
    let told = |name: &str| activity(&manager, name)["lastFailure"]["text"].as_str().unwrap().to_owned();
    for (name, key) in
        [("loop", "plugins.cpu_time"), ("eat-memory", "plugins.memory"), ("big-answer", "plugins.answer_size")]
    {
        assert!(told(name).contains(key), "{name}: {}", told(name));
    }
    assert!(activity(&manager, "chatter")["logLinesDropped"].as_u64().unwrap() > 900);
    // What they failed on is kept, with the trace.
    let of_panic = eventually("the report in quarantine", PATIENCE, || {
        manager.api().list("/api/v1/quarantine").into_iter().find(|one| one["plugin"] == "panic")
    });
    assert_eq!(of_panic["component"], "mk/km-panic", "{of_panic}");
    assert!(of_panic["failure"].as_str().unwrap().contains("the beast was in the batch"), "{of_panic}");
    assert!(of_panic["report"].as_str().unwrap().contains("link_loss_db = 666"), "{of_panic}");
    manager.stop();
}

#[test]
fn a_policy_that_hoards_state_is_shown_no_more_than_it_may_remember() {
    let plugin = guests::wasm("guest-policy");
    let mut settings = Settings::one("mk", &["km-1"]).plugins("state_per_component = \"64B\"").with(&format!(
        "[[policies]]\nname = \"hoard\"\nfunction = \"fault\"\nplugin = {plugin:?}\nconfig = {{ value = \"link_loss_db\", limit = \
         1000.0, state_width = 4 }}\n"
    ));
    settings.manager = "shards = 1\n".to_owned();
    let mut manager = ManagerProcess::start(settings);
    manager.expect_log("plugins.state_per_component");
    let mut client = manager.connect("mk", "km-1");
    for link in 0..5 {
        let resource = format!("link-{link}");
        let object = json!([{ "type": "performance", "resource": resource, "values": { "link_loss_db": 1.0 } }]);
        assert_eq!(response_code(&client.ask(&report("km-1", object))), "success");
    }
    let activity = activity(&manager, "hoard");
    let (total, hidden) = (&activity["total"], &activity["samplesNotShown"]);
    assert_eq!((&total["subjects"], &total["stateBytes"], hidden), (&json!(2), &json!(64), &json!(3)), "{activity}");
    manager.stop();
}

#[test]
fn what_is_no_plugin_of_this_manager_is_refused_with_the_reason_and_what_runs_goes_on() {
    let mut settings = Settings::one("mk", &["km-1"]);
    settings.manager = "reload_on_change = false\n".to_owned();
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let folder = manager.root().to_path_buf();
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.join(name), bytes).unwrap();
        folder.join(name)
    };
    let version = |number: &[u8]| guests::variant("guest-handler", &[(b"@0.1.0", number)]);
    let schema = |to: &[u8]| guests::variant("guest-handler", &[(br#""type": "object","#, to)]);
    let mut client = manager.connect("mk", "km-1");
    for (plugin, config, wanted) in [
        (guests::wasm("guest-policy"), "", "belongs into [[policies]]"),
        (guests::wasm("guest-exchange"), "", "it is an exchange policy"),
        (write("newer.wasm", version(b"@0.9.0")), "", "it gives qkdn:manager/host@0.1.0"),
        (write("older.wasm", version(b"@0.0.9")), "", "it gives qkdn:manager/host@0.1.0"),
        (write("lies.wasm", schema(br#""type": "objekt","#)), "", "schema"),
        // Its schema takes what it refuses itself.
        (guests::wasm("guest-handler"), "misbehave = \"no-such-thing\"", "no-such-thing"),
        (guests::wasm("guest-handler"), "misbehave = \"loop-in-configure\"", "plugins.cpu_time"),
        (guests::wasm("guest-handler"), "misbehave = \"panic-in-bind\"", "no symbols, please"),
        (write("half.wasm", std::fs::read(guests::wasm("guest-handler")).unwrap()[..5_000].to_vec()), "", "half.wasm"),
    ] {
        manager.settings_mut().more = handler("bad", &plugin, config);
        let answer = manager.reload_settings();
        let told = answer.json()["problems"].to_string();
        assert_eq!(answer.status, 422, "{}: {told}", plugin.display());
        assert!(told.contains(wanted), "{} is told by `{wanted}`: {told}", plugin.display());
        assert_eq!(response_code(&loss(&mut client, "km-1", 1.0)), "success", "{} harms nobody", plugin.display());
    }
    let hoard = guests::wasm("guest-policy");
    manager.settings_mut().more = format!(
        "[[policies]]\nname = \"hoard\"\nfunction = \"fault\"\nplugin = {hoard:?}\nconfig = {{ value = \"link_loss_db\", misbehave = \
         \"hoard-state\" }}\n"
    );
    let told = manager.reload_settings().json()["problems"].to_string();
    assert!(told.contains("1048576 values of state") && told.contains("at most 64"), "{told}");
    assert_eq!(response_code(&loss(&mut client, "km-1", 1.0)), "success");

    // A later version of the same contract that uses nothing new is as good as its own.
    let later = write("later.wasm", version(b"@0.1.7"));
    manager.settings_mut().more = handler("1", &later, "");
    let answer = manager.reload_settings();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = manager.api().post("/api/v1/plugins/1/reload?dryRun=true", Some(ADMIN_TOKEN), &json!({}));
    assert_eq!(answer.json()["result"], "unchanged", "{}", answer.text);
    assert_eq!(response_code(&loss(&mut client, "km-1", 1.0)), "success");
    assert_eq!(activity(&manager, "1")["total"]["calls"], 1);
    manager.stop();
}
