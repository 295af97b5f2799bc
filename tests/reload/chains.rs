//! Handlers one after the other: a vendor's that translates, the standard one that checks; what each refuses or fails on, and
//! that the same follows when the journal is run again.

use harness::{ManagerProcess, PATIENCE, RawClient, Settings, eventually, guests, performance, report, report::with};
use serde_json::{Value, json};

use crate::{applied, start};

/// The value that sets off what the guests are configured to do.
const MARKER: f64 = 666.0;

/// The guest makes a QBER of each event: its place in the extension. What follows it is in `more`.
fn vendor(more: &str) -> String {
    let plugin = guests::wasm("guest-handler");
    format!(
        "[[handlers]]\nname = \"vendor\"\nreference_point = \"mq\"\nmatch = {{ vendor = \"acme\", not = [{{ version = \"*-beta\" }}] }}\n\
         plugin = {plugin:?}\nconfig = {{ echo = true, objects = [\"event\"], misbehave = \"panic\" }}\n{more}"
    )
}

/// The standard handler, and behind it a guest that fails and has what it fails on kept.
fn checked_twice() -> String {
    let plugin = guests::wasm("guest-handler");
    format!(
        "[[handlers]]\nname = \"first\"\nreference_point = \"mk\"\nplugin = \"builtin:mk\"\nthen = \"second\"\n\
         [[handlers]]\nname = \"second\"\nreference_point = \"mk\"\nplugin = {plugin:?}\non_failure = \"keep-raw\"\n\
         config = {{ misbehave = \"panic\" }}\n"
    )
}

/// Values, and behind them this many events.
fn said(id: &str, values: Value, events: usize) -> Value {
    let mut extension = performance(values);
    let event = json!({ "type": "event", "name": "e", "time": "2026-11-28T12:00:00Z" });
    let Value::Array(objects) = &mut extension else { panic!("{extension}") };
    objects.extend(vec![event; events]);
    report(id, extension)
}

/// Sends these together, so that they share a batch where possible; what is answered to each.
fn answers(client: &mut RawClient, reports: &[Value]) -> Vec<String> {
    let reports: Vec<Value> =
        reports.iter().enumerate().map(|(index, one)| with(one.clone(), "messageId", index.to_string())).collect();
    client.send_all(&reports);
    let mut answers = vec![String::new(); reports.len()];
    for _ in &reports {
        let answer = client.receive();
        let index: usize = answer["messageId"].as_str().unwrap().parse().unwrap();
        answers[index] = answer["response"].as_str().unwrap().to_owned();
    }
    answers
}

#[test]
fn what_one_handler_made_is_checked_by_the_next_and_each_step_answers_for_itself() {
    let settings = Settings::one("mq", &[])
        .component("mq", "a-1", "vendor = \"acme\"\nversion = \"2.4\"")
        .component("mq", "b-1", "vendor = \"acme\"\nversion = \"2.5-beta\"")
        .interface("mk", "")
        .component("mk", "km-1", "");
    let more = format!(
        "{}{}[[policies]]\nname = \"watch\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
         config = {{ value = \"qber_ratio\", raise_above = 0.9, alarm_type = \"qber-threshold-exceeded\" }}\n\
         [[policies]]\nname = \"drift\"\nfunction = \"configuration\"\nplugin = \"builtin:configuration-drift\"\n\
         config = {{ baseline = {{ everywhere = {{ software_version = \"2.4.1\" }} }} }}\n",
        vendor("then = \"mq-standard\"\n"),
        checked_twice()
    );
    let mut manager = start(settings.with(&more));
    manager.expect_warnings();
    manager.expect_errors();
    let mut client = manager.connect("mq", "a-1");
    let told = answers(
        &mut client,
        &[
            said("a-1", json!({ "link_loss_db": 1.0 }), 1),
            said("a-1", json!({ "link_loss_db": 2.0 }), 2),
            said("a-1", json!({ "link_loss_db": -1.0 }), 0),
            said("a-1", json!({ "qber_ratio": 1.5 }), 0),
            said("a-1", json!({ "link_loss_db": MARKER }), 0),
            said("a-1", json!({ "link_loss_db": 3.0 }), 0),
        ],
    );
    assert_eq!(
        told,
        [
            "success",
            "rejected: mq-standard: what vendor made of it, values.qber_ratio: 2 is more than 1",
            "rejected: mq-standard: extension[0].values.link_loss_db: -1 is less than 0",
            "rejected: vendor: extension[0].values.qber_ratio: 1.5 is more than 1",
            "internal: handler vendor failed (trap)",
            "success",
        ]
    );
    let alarm = manager.api().await_alarm("qber-threshold-exceeded", |alarm| alarm["isCleared"] == false);
    assert!(alarm["resource"].as_str().unwrap().starts_with("event "), "what was made is seen by policies: {alarm}");

    let mut both = said("a-1", json!({ "link_loss_db": 3.0 }), 1);
    let inventory = json!({ "type": "inventory", "values": { "software_version": "2.3.0" } });
    both["extension"].as_array_mut().unwrap().push(inventory);
    assert_eq!(answers(&mut client, &[both]), ["success"]);
    manager.api().await_alarm("configuration-drift", |alarm| alarm["component"] == "mq/a-1");

    // The second step fails: the first one's word counts no less for that, and the report is kept as received.
    let mut km = manager.connect("mk", "km-1");
    let told = answers(
        &mut km,
        &[
            said("km-1", json!({ "key_store_fill_ratio": 0.5 }), 0),
            said("km-1", json!({ "key_store_fill_ratio": MARKER }), 0),
            said("km-1", json!({ "link_loss_db": MARKER }), 0),
            said("km-1", json!({ "key_store_fill_ratio": 0.25 }), 0),
        ],
    );
    let refused = "rejected: first: extension[0].values.key_store_fill_ratio: 666 is more than 1";
    assert_eq!(told, ["success", refused, "success", "success"]);
    let kept = eventually("what was quarantined", PATIENCE, || {
        manager.api().list("/api/v1/quarantine").into_iter().find(|one| one["plugin"] == "second")
    });
    assert_eq!(kept["component"], "mk/km-1", "{kept}");
    assert_eq!(manager.api().value("mk/km-1", "link_loss_db"), None, "it was kept as received");

    let shown = manager.command(&["component", "explain", "mq/a-1"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for (ordinal, name, why) in [
        ("1st", "vendor", "the first that matches; what it accepts goes through `mq-standard`"),
        ("2nd", "mq-standard", "what `vendor` accepts goes through it"),
        ("1st", "watch", "it matches"),
    ] {
        let is_it = |line: &str| line.starts_with(ordinal) && line.contains(name) && line.ends_with(why);
        assert!(shown.lines().any(|line| is_it(line.trim_end())), "{ordinal} {name}:\n{shown}");
    }
    let other = manager.api().get("/api/v1/components/mq/b-1/explanation").json();
    assert_eq!(other["handlers"][0]["why"], "`not` leaves it out: version *-beta", "{other:#}");
    assert_eq!(other["handlers"][1]["step"], 1, "{other:#}");

    // Without the second step nobody checks what the first one made.
    manager.settings_mut().more = more.replacen("then = \"mq-standard\"\n", "", 1);
    let view = applied(&manager);
    let changed = json!([{ "name": "vendor", "keys": ["then"] }]);
    assert_eq!(view["change"]["handlers"]["changed"], changed, "{view}");
    assert_eq!(answers(&mut client, &[said("a-1", json!({ "link_loss_db": 4.0 }), 2)]), ["success"]);
    manager.settings_mut().more = more;
    applied(&manager);
    let told = answers(&mut client, &[said("a-1", json!({ "link_loss_db": 5.0 }), 2)]);
    assert!(told[0].starts_with("rejected: mq-standard: what vendor made of it"), "{told:?}");

    drop((client, km));
    manager.crash_and_restart();
    assert_eq!(manager.api().value("mq/a-1", "link_loss_db"), Some(4.0));
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}

#[test]
fn a_chain_that_cannot_be_is_refused_with_its_place_and_what_runs_goes_on() {
    let mut manager: ManagerProcess = start(Settings::one("mq", &["a-1"]).with(&vendor("then = \"mq-standard\"\n")));
    manager.expect_errors();
    for (then, problem) in [
        ("vendor", "reports would go round for ever: vendor, vendor"),
        ("mq-standrad", "no handler is called `mq-standrad`"),
        ("mk-standard", "`mk-standard` reads the reports of mk"),
    ] {
        manager.settings_mut().more = vendor(&format!("then = \"{then}\"\n"));
        let refused = manager.reload_settings();
        assert_eq!(refused.status, 422, "{then}");
        let told = refused.json()["problems"].clone();
        let it = told.as_array().unwrap().iter().find(|one| one["message"] == problem);
        assert!(it.is_some_and(|one| one["line"].is_u64() && one["help"].is_string()), "{told:#}");
    }
    let handlers = manager.api().list("/api/v1/handlers");
    let then: Vec<&Value> = handlers.iter().map(|one| &one["then"]).collect();
    assert_eq!(then, [&json!("mq-standard"), &Value::Null]);
}
