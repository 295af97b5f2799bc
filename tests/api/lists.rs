//! Lists: pages and their links, CSV, resources, filters of alarms, several histories at once.

use serde_json::json;

use crate::site::Site;

#[test]
fn resources_alarms_and_histories_are_found_by_what_they_are() {
    let site = Site::start();
    let parts = site.json("/api/v1/resources?component=mk/km-1");
    let names: Vec<&str> =
        parts["items"].as_array().unwrap().iter().filter_map(|part| part["resource"].as_str()).collect();
    assert_eq!(names, ["kma-1", "kma-2"], "{parts}");
    let part = site.json("/api/v1/resources/mk/km-1/kma-1");
    assert_eq!((&part["raisedAlarms"], &part["worstAlarm"]), (&json!(1), &json!("major")), "{part}");
    assert_eq!(part["lastValues"][0]["name"], "key_store_fill_ratio");
    assert_eq!(site.json("/api/v1/resources?alarmed=true")["items"].as_array().map(Vec::len), Some(1));
    let first = site.json("/api/v1/resources?limit=1");
    let next = format!("/api/v1/resources?limit=1&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(site.json(&next)["items"][0]["resource"], "kma-2");

    let count = |query: &str| site.json(&format!("/api/v1/alarms{query}"))["items"].as_array().map_or(0, Vec::len);
    assert_eq!([count(""), count("?function=P"), count("?function=fault")], [2, 2, 0]);
    assert_eq!([count("?since=-1h"), count("?since=2100-01-01T00:00:00Z"), count("?referencePoint=mq")], [2, 0, 0]);
    let alarm = site.json("/api/v1/alarms?cleared=false")["items"][0].clone();
    let expected = json!(["key_store_fill_ratio", "ratio", "performance", 0.2, 0.3]);
    let members = ["valueName", "unit", "function", "threshold", "clearThreshold"].map(|name| alarm[name].clone());
    assert_eq!(json!(members), expected, "{alarm}");

    let component = site.json("/api/v1/components/mk/km-1");
    assert_eq!((&component["expectedIntervalMs"], &component["silentSince"]), (&json!(3_600_000), &json!(null)));
    let policy = site.json("/api/v1/policies/store-low");
    assert_eq!((&policy["config"]["raise_below"], &policy["lastFailure"]), (&json!(0.2), &json!(null)));
    assert_eq!(site.json("/api/v1/catalogue")["performance"][0]["kind"].as_str().map(str::is_empty), Some(false));
    assert_eq!(site.json("/api/v1/health")["interfaces"][1]["accepted"], 2, "Mq comes first, then Mk");
}

#[test]
fn lists_are_tables_for_whoever_wants_them_so() {
    let site = Site::start();
    let components = site.csv("/api/v1/components?format=csv");
    assert_eq!(
        components.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(),
        ["component", "mq/qm-1", "mk/km-1", "mk/km-2"]
    );
    for list in [
        "resources",
        "alarms",
        "values",
        "inventory",
        "topology",
        "inventory/changes",
        "topology/changes",
        "usage",
        "policies",
        "handlers",
        "plugins",
        "interfaces",
        "subscriptions",
        "reports?component=mk/km-1",
    ] {
        let joint = if list.contains('?') { '&' } else { '?' };
        let rows = site.csv(&format!("/api/v1/{list}{joint}format=csv"));
        assert!(rows[0].len() >= 5, "{list}: {rows:?}");
    }
}

#[test]
fn a_list_is_watched_for_as_many_rounds_as_asked_and_only_what_reads_can_be() {
    let mut site = Site::start();
    let watched = site.manager.command(&["component", "list", "--watch", "0.1", "--times", "2"]);
    let text = String::from_utf8(watched.stdout).unwrap();
    assert_eq!((watched.status.code(), text.matches("mk/km-2").count()), (Some(0), 2), "{text}");
    let refused = site.manager.command(&["alarm", "acknowledge", "1", "--watch"]);
    assert_eq!(refused.status.code(), Some(2));
    // An event wakes a watch that was told no time: the second round comes with the report, not with the patience of ten
    // seconds.
    let root = site.manager.api().root().to_owned();
    let child = std::process::Command::new(harness::binary::qkdnm())
        .args(["alarm", "list", "--all", "--watch", "--times", "2", "-o", "json", "--api", &root])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let answer = site.client.ask(&harness::report(
        "km-1",
        json!([
        { "type": "performance", "resource": "kma-3", "values": { "key_store_fill_ratio": 0.01 } }]),
    ));
    assert_eq!(harness::response_code(&answer), "success");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("kma-3"), "the second round has the new alarm");
}
