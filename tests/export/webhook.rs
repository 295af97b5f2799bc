//! Webhooks: every raise and clear arrives at least once, in order, signed, whatever happens in between.

use std::{collections::BTreeMap, fs, path::Path};

use harness::{
    ManagerProcess, RawClient, Settings, TestPki, eventually, report, response_code, settings::OPERATOR_TOKEN,
    waiting::patience,
};
use serde_json::{Value, json};

use crate::receiver::{Receiver, Reply, SECRET};

fn exporter(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[exporters]]\nname = {name:?}\nkind = \"webhook\"\nurl = {url:?}\nsecret_env = \"QKDNM_TEST_WEBHOOK\"\n\
         timeout = \"1s\"\nretry_min = \"20ms\"\nretry_max = \"200ms\"\n{more}\n"
    )
}

fn settings(exporters: &str) -> Settings {
    Settings::one("mq", &["module-1"]).environment("QKDNM_TEST_WEBHOOK", SECRET).with(exporters)
}

/// Raises or clears an alarm of the component's own.
fn say(client: &mut RawClient, resource: &str, severity: Option<&str>) {
    let state = severity.map_or_else(|| json!({"cleared": true}), |word| json!({"severity": word, "text": "Hot."}));
    let mut object = json!({"type": "alarm", "alarmTypeId": "vendor-overheated", "resource": resource});
    object.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
    assert_eq!(response_code(&client.ask(&report("module-1", json!([object])))), "success");
}

/// Kinds of the events of one resource, in the order of their sequence, repeats left out, after checks of every event.
fn story(events: &[Value], resource: &str) -> Vec<String> {
    let mut by_sequence = BTreeMap::new();
    for event in events.iter().filter(|event| event["data"]["alarm"]["resource"] == resource) {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["subject"], "mq/module-1");
        assert_eq!(event["source"], "/domains/test/managers/manager-test");
        let kind = event["type"].as_str().unwrap().trim_start_matches("qkdnm.alarm.").to_owned();
        let id = event["id"].as_str().unwrap().to_owned();
        let before = by_sequence.insert(event["sequence"].as_str().unwrap().to_owned(), (id.clone(), kind.clone()));
        assert!(before.is_none_or(|before| before == (id, kind)), "what comes again is the same");
    }
    by_sequence.into_values().map(|(_, kind)| kind).collect()
}

/// Whether the first arrivals are in the order of the sequence.
fn in_order(events: &[Value]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let first: Vec<&str> = events
        .iter()
        .filter_map(|event| event["sequence"].as_str())
        .filter(|text| seen.insert(text.to_owned()))
        .collect();
    first.is_sorted()
}

#[test]
fn a_target_that_fails_in_every_way_gets_every_event_in_order() {
    let script = vec![
        Reply::Status(500, ""),
        Reply::Close,
        Reply::Hang,
        Reply::Status(429, "retry-after: 1\r\n"),
        Reply::Status(302, "location: http://127.0.0.1:1/\r\n"),
        Reply::Status(404, ""),
        Reply::Status(503, ""),
    ];
    let tries = script.len();
    let receiver = Receiver::start(script);
    let manager = ManagerProcess::start(settings(&exporter("noc", &receiver.url(), "")));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    for _ in 0..3 {
        say(&mut client, "laser-1", Some("major"));
        say(&mut client, "laser-2", Some("minor"));
        say(&mut client, "laser-1", Some("critical"));
        say(&mut client, "laser-1", None);
        say(&mut client, "laser-2", None);
    }
    let events = eventually("all events", patience(), || Some(receiver.taken()).filter(|events| events.len() >= 15));
    assert!(in_order(&events));
    assert_eq!(story(&events, "laser-1"), ["raised", "severity-changed", "cleared"].repeat(3));
    assert_eq!(story(&events, "laser-2"), ["raised", "cleared"].repeat(3));
    let seen = receiver.seen();
    assert_eq!(seen.len(), 15 + tries, "once each, but for the tries that failed");
    seen.iter().for_each(|request| request.verify());
    assert!(seen.iter().all(|request| request.header("content-type") == "application/cloudevents+json"));
    assert!(seen[..=tries].windows(2).all(|two| two[0].header("webhook-id") == two[1].header("webhook-id")));
    let waited = |at: usize| seen[at].header("webhook-timestamp").parse::<u64>().unwrap();
    assert!(waited(4) > waited(3), "Retry-After is kept to");
    let listed = manager.api().list("/api/v1/exporters");
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("noc"), &json!("working")));
    assert_eq!((&listed[0]["pending"], &listed[0]["eventsDelivered"]), (&json!(0), &json!(15)));
    let failed = manager.api().metric("qkdn_exporter_requests_failed_total", &["exporter=\"noc\""]);
    // The one that the target closed on a kept connection was sent again at once, which is no failure yet.
    assert!((failed - 6.0).abs() < 0.5, "{failed}");
    assert!(!manager.log().contains("C2FVsBQIhrscChlQIMV"), "the secret is in no log");
}

#[test]
fn what_the_journal_acknowledged_is_told_through_kill_9() {
    let receiver = Receiver::start(Vec::new());
    let mut manager = ManagerProcess::start(settings(&exporter("noc", &receiver.url(), "")));
    manager.expect_warnings();
    let rounds = 6;
    for round in 0..rounds {
        // Every other time the target is away, so that the outbox has to hold the event; else it is a race.
        receiver.otherwise((round % 2 == 0).then_some(Reply::Close));
        let mut client = manager.connect("mq", "module-1");
        say(&mut client, "laser-1", Some("major"));
        manager.kill();
        receiver.otherwise((round % 3 == 0).then_some(Reply::Status(503, "")));
        manager.launch();
        let mut client = manager.connect("mq", "module-1");
        say(&mut client, "laser-1", None);
        manager.crash_and_restart();
    }
    receiver.otherwise(None);
    let whole = ["raised", "cleared"].repeat(rounds);
    let events = eventually("every raise and clear", patience(), || {
        Some(receiver.taken()).filter(|events| story(events, "laser-1").len() >= whole.len())
    });
    assert_eq!(story(&events, "laser-1"), whole);
    assert!(in_order(&events));
    receiver.seen().iter().for_each(|request| request.verify());
    let listed = eventually("nothing waits", patience(), || {
        manager.api().list("/api/v1/exporters").pop().filter(|one| one["pending"] == 0)
    });
    assert_eq!(listed["parked"], 0);
}

#[test]
fn a_refused_event_is_parked_shown_and_sent_again() {
    let receiver = Receiver::start(Vec::new());
    receiver.refuse(Some("laser-bad"));
    let manager = ManagerProcess::start(settings(&exporter("noc", &receiver.url(), "refused_after = 2")));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, "laser-bad", Some("major"));
    say(&mut client, "laser-1", Some("major"));
    eventually("the one behind it", patience(), || (!story(&receiver.taken(), "laser-1").is_empty()).then_some(()));
    let shown = eventually("the parked event", patience(), || {
        let shown = manager.api().get("/api/v1/exporters/noc").json();
        (shown["parked"] == 1).then_some(shown)
    });
    assert_eq!(shown["parkedEvents"][0]["why"], "status 422");
    manager.api().await_alarm("exporter-events-refused", |alarm| alarm["isCleared"] == false);
    let text = manager.command(&["exporter", "show", "noc"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("vendor-overheated"));
    receiver.refuse(None);
    assert_eq!(manager.api().post("/api/v1/exporters/noc/retry", None, &json!({})).status, 401);
    let answer = manager.api().post("/api/v1/exporters/noc/retry", Some(OPERATOR_TOKEN), &json!({}));
    assert_eq!(answer.json(), json!({"requeued": 1, "outdated": 0}));
    eventually("the parked one", patience(), || (!story(&receiver.taken(), "laser-bad").is_empty()).then_some(()));
    manager.api().await_alarm("exporter-events-refused", |alarm| alarm["isCleared"] == true);
    let status = manager.api().get("/api/v1/exporters/nobody").status;
    assert_eq!(status, 404);
}

#[test]
fn a_full_outbox_keeps_the_newest_of_every_alarm_and_counts_the_rest() {
    let receiver = Receiver::start(Vec::new());
    receiver.otherwise(Some(Reply::Status(503, "")));
    let manager = ManagerProcess::start(settings(&exporter("noc", &receiver.url(), "outbox = 4")));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    for _ in 0..10 {
        say(&mut client, "laser-1", Some("major"));
        say(&mut client, "laser-1", None);
    }
    say(&mut client, "laser-2", Some("minor"));
    manager.api().await_alarm("exporter-outbox-full", |alarm| alarm["isCleared"] == false);
    receiver.otherwise(None);
    let events = eventually("what is left", patience(), || {
        Some(receiver.taken()).filter(|events| !story(events, "laser-2").is_empty())
    });
    let of_laser: Vec<&Value> = events.iter().filter(|event| event["data"]["alarm"]["resource"] == "laser-1").collect();
    assert_eq!(of_laser.last().unwrap()["type"], "qkdnm.alarm.cleared", "the newest is told");
    let told: u64 = of_laser.iter().map(|event| 1 + event["superseded"].as_u64().unwrap_or(0)).sum();
    assert_eq!(told, 20, "every event is told, or counted with one that is");
    manager.api().await_alarm("exporter-outbox-full", |alarm| alarm["isCleared"] == true);
}

#[test]
fn an_unreachable_target_is_told_by_the_other_exporter() {
    let (dead, alive) = (Receiver::start(Vec::new()), Receiver::start(Vec::new()));
    dead.otherwise(Some(Reply::Close));
    let toml = exporter("dead", &dead.url(), "unreachable_after = \"1s\"")
        + &exporter("alive", &alive.url(), "batch_size = 10\nfilter = { alarm_types = [\"exporter-*\"] }");
    let manager = ManagerProcess::start(settings(&toml));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, "laser-1", Some("major"));
    let told = eventually("the alarm about the dead one", patience(), || alive.taken().into_iter().next());
    assert_eq!(told["data"]["alarm"]["alarmTypeId"], "exporter-unreachable");
    assert_eq!(told["data"]["alarm"]["resource"], "exporter dead");
    assert_eq!(told["subject"], "mx/manager-test");
    assert_eq!(alive.seen()[0].header("content-type"), "application/cloudevents-batch+json");
    alive.seen()[0].verify();
    let doctor = manager.command(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("dead does not reach"), "the doctor knows");
    let list = manager.command(&["exporter", "list"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("unreachable"));
    dead.otherwise(None);
    manager.api().await_alarm("exporter-unreachable", |alarm| alarm["isCleared"] == true);
    eventually("what waited", patience(), || (!story(&dead.taken(), "laser-1").is_empty()).then_some(()));
    assert!(story(&alive.taken(), "laser-1").is_empty(), "the filter holds");
}

#[test]
fn a_new_exporter_is_told_what_is_so_and_a_test_says_that_it_is_one() {
    let receiver = Receiver::start(Vec::new());
    let mut manager = ManagerProcess::start(settings(""));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, "laser-1", Some("major"));
    say(&mut client, "laser-2", Some("major"));
    say(&mut client, "laser-2", None);
    drop(client);
    manager.stop();
    manager.change_settings(|settings| settings.more.push_str(&exporter("noc", &receiver.url(), "")));
    manager.launch();
    let event = eventually("what is so", patience(), || receiver.taken().into_iter().next());
    assert_eq!((&event["resync"], &event["type"]), (&json!(true), &json!("qkdnm.alarm.raised")));
    let answer = manager.api().post("/api/v1/exporters/noc/test", Some(OPERATOR_TOKEN), &json!({})).json();
    assert_eq!((&answer["delivered"], &answer["status"]), (&json!(true), &json!(204)));
    let taken = receiver.taken();
    assert_eq!(taken.last().unwrap()["type"], "qkdnm.exporter.test");
    assert!(story(&taken, "laser-2").is_empty(), "what was over before is nothing to tell");
    receiver.otherwise(Some(Reply::Status(401, "")));
    let failed = manager.api().post("/api/v1/exporters/noc/test", Some(OPERATOR_TOKEN), &json!({})).json();
    assert_eq!((&failed["delivered"], &failed["error"]), (&json!(false), &json!("status 401")));
    receiver.seen().iter().for_each(|request| request.verify());
}

#[test]
fn every_mistake_is_told_with_its_line_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manager.toml");
    let text = "[manager]\nid = \"m\"\ndomain = \"d\"\n[[exporters]]\nname = \"a b\"\nkind = \"webhok\"\nurl = \"noc\"\n\
                [[exporters]]\nname = \"x\"\nkind = \"webhook\"\nurl = \"https://h/\"\nsecret = \"s\"\n\
                filter = { severity_at_least = \"worst\" }\nbatch_size = 0\n";
    fs::write(&file, text).unwrap();
    let output = std::process::Command::new(harness::binary::qkdnm())
        .args(["check", "-o", "json", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines: Vec<u64> = found["problems"].as_array().unwrap().iter().filter_map(|one| one["line"].as_u64()).collect();
    for line in [5, 6, 7, 8, 12, 13, 14] {
        assert!(lines.contains(&line), "line {line}: {found:#}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"s\""), "a secret is not repeated");
}

#[test]
fn over_tls_the_target_is_checked_and_the_manager_shows_its_certificate() {
    let other = tempfile::tempdir().unwrap();
    let other = TestPki::new(other.path());
    let mut receiver = None;
    let manager = ManagerProcess::start_with(|pki, folder| {
        let target = Receiver::start_tls(pki, &pki.issue_manager("noc"));
        let own = pki.issue_manager("exporting");
        let secret = folder.join("secret");
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let one = |name: &str, anchor: &Path, client: &str| {
            format!(
                "[[exporters]]\nname = {name:?}\nkind = \"webhook\"\nurl = \"https://localhost:{}/{name}\"\n\
                 secret_file = {secret:?}\ntrust_anchors = {anchor:?}\nretry_max = \"1s\"\n{client}\n",
                target.address.port()
            )
        };
        let client = format!("certificate = {:?}\nprivate_key = {:?}", own.certificate_file, own.key_file);
        let toml = one("right", &pki.anchor_file(), &client)
            + &one("stranger", &other.anchor_file(), &client)
            + &one("unknown", &pki.anchor_file(), "");
        receiver = Some(target);
        Settings::one("mq", &["module-1"]).with(&toml)
    });
    manager.expect_warnings();
    let receiver = receiver.unwrap();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, "laser-1", Some("major"));
    eventually("the event", patience(), || (!story(&receiver.taken(), "laser-1").is_empty()).then_some(()));
    receiver.seen().iter().for_each(|request| request.verify());
    let errors = eventually("what the others say", patience(), || {
        let mut list = manager.api().list("/api/v1/exporters");
        let errors: Vec<String> =
            list.drain(..).filter_map(|one| one["lastError"].as_str().map(ToOwned::to_owned)).collect();
        (errors.len() == 2).then_some(errors)
    });
    assert!(errors[0].contains("invalid peer certificate"), "{errors:?}");
    assert!(errors[1].to_lowercase().contains("certificate"), "{errors:?}");
    assert_eq!(receiver.seen().len(), 1, "nobody else got through");
}
