//! What the manager knows of its domain beside values and alarms: inventory, topology, usage; with every change, through
//! crashes, each interval counted once.

use harness::{ManagerProcess, PATIENCE, RawClient, Settings, eventually, report, response_code};
use serde_json::{Value, json};

fn say(client: &mut RawClient, id: &str, object: Value) {
    assert_eq!(response_code(&client.ask(&report(id, json!([object])))), "success");
}

fn texts(items: &[Value], keys: &[&str]) -> Vec<String> {
    let one = |item: &Value| keys.iter().map(|key| item[*key].to_string()).collect::<Vec<_>>().join(" ");
    items.iter().map(one).collect()
}

#[test]
fn inventory_and_topology_are_known_with_every_change_also_after_a_crash() {
    let settings = Settings::default()
        .interface("mq", "")
        .component("mq", "qm-1", "")
        .interface("mc", "")
        .component("mc", "c-1", "");
    let mut manager = ManagerProcess::start(settings);
    let mut module = manager.connect("mq", "qm-1");
    let mut controller = manager.connect("mc", "c-1");
    say(&mut module, "qm-1", json!({"type": "inventory", "values": {"vendor": "acme", "software_version": "1"}}));
    say(&mut module, "qm-1", json!({"type": "inventory", "resource": "p-1", "values": {"link_id": "l-1"}}));
    say(&mut module, "qm-1", json!({"type": "inventory", "values": {"software_version": "2"}}));
    let whole = json!({"type": "topology", "nodes": [{"id": "n-1"}], "links": [{"id": "l-1", "a": "n-1", "b": "n-2"}]});
    say(&mut controller, "c-1", whole);
    let part = json!({"type": "topology", "partial": true, "links": [{"id": "l-2", "a": "n-2", "b": "n-3"}]});
    say(&mut controller, "c-1", part);
    let check = |manager: &ManagerProcess| {
        let known = manager.api().list("/api/v1/inventory?component=mq/qm-1");
        assert_eq!(
            texts(&known, &["resource", "name", "value"]),
            ["null \"software_version\" \"2\"", "null \"vendor\" \"acme\"", "\"p-1\" \"link_id\" \"l-1\"",]
        );
        assert!(known[0]["since"].as_str() < known[0]["changed"].as_str(), "{}", known[0]);
        assert_eq!(known[1]["since"], known[1]["changed"]);
        let known = manager.api().list("/api/v1/topology");
        assert_eq!(texts(&known, &["kind", "name"]), ["\"node\" \"n-1\"", "\"link\" \"l-1\"", "\"link\" \"l-2\""]);
    };
    check(&manager);
    drop((module, controller));
    manager.crash_and_restart();
    check(&manager);

    let mut controller = manager.connect("mc", "c-1");
    say(&mut controller, "c-1", json!({"type": "topology", "links": [{"id": "l-2", "a": "n-2", "b": "n-3"}]}));
    assert_eq!(texts(&manager.api().list("/api/v1/topology"), &["name"]), ["\"l-2\""]);
    let changes = eventually("the changes in the database", PATIENCE, || {
        let changes = manager.api().list("/api/v1/topology/changes");
        (changes.len() == 5).then_some(changes)
    });
    assert_eq!(texts(&changes, &["name"]), ["\"l-1\"", "\"n-1\"", "\"l-2\"", "\"l-1\"", "\"n-1\""], "each once");
    assert!(changes[0]["after"].is_null() && changes[4]["before"].is_null(), "{changes:?}");
    let changes = manager.api().list("/api/v1/inventory/changes?name=software_version");
    assert_eq!(texts(&changes, &["before", "after"]), ["\"1\" \"2\"", "null \"1\""]);
    let page = manager.api().get("/api/v1/inventory?limit=2").json();
    let rest = manager.api().get(&format!("/api/v1/inventory?cursor={}", page["next"].as_str().unwrap())).json();
    assert_eq!(texts(rest["items"].as_array().unwrap(), &["name"]), ["\"link_id\""]);
    let shown = manager.command(&["inventory", "list", "--name", "vendor"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("acme"), "{shown:?}");
}

#[test]
fn usage_counts_once_over_repeats_reconnects_and_crashes_and_old_intervals_are_rejected() {
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]));
    let started = manager.api().get("/api/v1/health").json()["started"].clone();
    let usage = |id: &str, application: &str, end: &Value| {
        json!({"type": "usage", "usageId": id, "application": application, "user": "bank", "startTime": end,
               "endTime": end, "suppliedKeys": 2, "consumedBits": 512})
    };
    let mut client = manager.connect("mk", "km-1");
    for (id, application) in [("u-1", "app-1"), ("u-2", "app-1"), ("u-1", "app-1"), ("u-3", "app-2")] {
        say(&mut client, "km-1", usage(id, application, &started));
    }
    let twice = json!([usage("u-4", "app-2", &started), usage("u-4", "app-2", &started)]);
    assert_eq!(response_code(&client.ask(&report("km-1", twice))), "success");
    let old = json!([{"type": "event", "name": "x"}, usage("u-9", "app-1", &json!("2026-01-01T00:00:00Z"))]);
    let answer = client.ask(&report("km-1", old));
    let response = answer["response"].as_str().unwrap();
    assert!(response.starts_with("rejected: extension[1].endTime: ended more than 35 days ago"), "{response}");
    let totals = |manager: &ManagerProcess, by: &str, intervals: &[u64]| {
        eventually("the totals in the database", PATIENCE, || {
            let totals = manager.api().list(&format!("/api/v1/usage?by={by}"));
            let found: Vec<u64> = totals.iter().filter_map(|total| total["intervals"].as_u64()).collect();
            (found == intervals).then_some(totals)
        })
    };
    let by_application = totals(&manager, "application", &[2, 2]);
    assert_eq!(texts(&by_application, &["name", "suppliedKeys"]), ["\"app-1\" 4.0", "\"app-2\" 4.0"]);
    drop(client);
    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-1");
    for id in ["u-1", "u-2", "u-3", "u-4", "u-5"] {
        say(&mut client, "km-1", usage(id, "app-1", &started));
    }
    totals(&manager, "user", &[5]);
    assert_eq!(manager.api().metric("qkdn_state_usage_repeats_seen_total", &[]) as u64, 4);
    let shown = manager.command(&["usage", "total", "--by", "component"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("2560"), "{shown:?}");
    drop(client);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}
