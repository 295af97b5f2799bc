//! What managers see of each other's domains, directly and by way of others, and over ends and new starts.

use std::sync::atomic::{AtomicBool, Ordering};

use harness::{eventually, patience};
use serde_json::json;

use crate::cluster::{Cluster, section, version};

#[test]
fn a_change_in_one_domain_is_seen_in_all() {
    let cluster = Cluster::mesh(&["east", "north", "west"]);
    cluster.await_all_fresh();
    let health = section(&cluster.domain(0, "west"), "health");
    assert_eq!(health["components"]["mk"]["known"], 1, "{health}");
    assert!(health["components"]["mx"].is_null(), "managers of others are not of this domain: {health}");
    cluster.says(2, 0.1);
    for at in 0..2 {
        eventually("the alarm in the west", patience(), || (cluster.raised(at, "west", "major") == 1).then_some(()));
    }
    let types = section(&cluster.domain(0, "west"), "alarms")["types"].clone();
    assert_eq!(types["key-store-low"], 1, "{types}");
    cluster.says(2, 0.9);
    eventually("the end of it", patience(), || (cluster.raised(0, "west", "major") == 0).then_some(()));
    // What is shown beforehand is what arrives.
    let preview = cluster.managers[2].api().get("/api/v1/peers/manager-east/preview").json();
    let held = cluster.domain(0, "west");
    assert_eq!(preview["own"][0]["sections"], held["documents"][0]["sections"]);
    let told = cluster.managers[2].api().list("/api/v1/peers/manager-east/disclosures");
    assert!(told.iter().any(|one| one["sections"].as_array().unwrap().contains(&"alarms".into())), "{told:?}");
    let output = cluster.managers[0].command(&["domain", "list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("west") && text.contains("from itself") && text.contains("3 domains"), "{text}");
    let output = cluster.managers[0].command(&["peer", "list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("manager-west") && text.contains("connected"), "{text}");
}

#[test]
fn a_name_that_a_component_chose_stays_in_its_domain() {
    let cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    let mut client = cluster.managers[1].connect("mk", "km-1");
    let alarm = json!([{ "type": "alarm", "alarmTypeId": "rack-7-ask-jane", "severity": "major", "resource": "laser-of-jane" }]);
    assert_eq!(harness::response_code(&client.ask(&harness::report("km-1", alarm))), "success");
    eventually("the alarm in the west", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    let seen = cluster.domain(0, "west");
    assert_eq!(section(&seen, "alarms")["types"], json!({ "other": 1 }));
    assert!(!seen.to_string().contains("jane"), "{seen}");
    client.finish();
}

#[test]
fn a_manager_that_was_killed_comes_back_in_a_new_epoch() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    let before = version(&cluster.domain(0, "west"));
    cluster.managers[1].kill();
    cluster.says(0, 0.1);
    // Nothing is fresh any more without a session; it is still within its time.
    cluster.await_seen(0, "west", "indirect");
    cluster.managers[1].launch();
    cluster.await_all_fresh();
    let after = version(&cluster.domain(0, "west"));
    assert!(after.1 > before.1, "{after:?} is of a later life than {before:?}");
    eventually("what changed meanwhile", patience(), || (cluster.raised(1, "east", "major") == 1).then_some(()));
}

#[test]
fn a_manager_that_stops_in_good_order_has_withdrawn() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    cluster.managers[1].stop();
    cluster.await_seen(0, "west", "withdrawn");
    let alarms = cluster.managers[0].api().list("/api/v1/alarms");
    assert!(alarms.iter().all(|alarm| alarm["alarmTypeId"] != "peer-stale"), "{alarms:?}");
}

#[test]
fn when_a_relay_is_cut_another_path_is_taken() {
    // A ring: east and west have north and south between them.
    let mut cluster = Cluster::prepare(&["east", "north", "south", "west"]);
    cluster.lines = "refresh = \"1s\"";
    cluster.start(&[(0, 1), (1, 3), (3, 2), (2, 0)]);
    let seen = cluster.await_seen(0, "west", "indirect");
    assert_eq!(seen["documents"][0]["via"].as_array().unwrap().len(), 1, "{seen}");
    cluster.says(3, 0.1);
    eventually("the alarm in the west", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    cluster.managers[1].kill();
    let before = version(&cluster.domain(0, "west"));
    let seen = eventually("word of the west by the south", patience(), || {
        let seen = cluster.domain(0, "west");
        (version(&seen) > before && seen["documents"][0]["via"][0] == "south").then_some(seen)
    });
    assert_eq!(seen["freshness"], "indirect", "{seen}");
    // Nobody speaks for the north any more: it grows old, and that is an alarm.
    cluster.await_seen(0, "north", "stale");
    let alarm = cluster.managers[0].api().await_alarm("peer-stale", |alarm| alarm["isCleared"] == false);
    assert_eq!(alarm["resource"], "domain north");
    cluster.managers[1].launch();
    cluster.await_seen(0, "north", "fresh");
    cluster.managers[0].api().await_alarm("peer-stale", |alarm| alarm["isCleared"] == true);
}

#[test]
fn a_signing_key_is_exchanged_without_a_new_start() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    let before = version(&cluster.domain(0, "west"));
    // The new key's public half first to the peer, beside the old one; then the new key to its owner.
    let new = cluster.managers[1].root().join("next.key");
    let made = cluster.managers[1].command(&["pki", "signing-key", new.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let old = crate::cluster::key(&cluster.managers[1]);
    let (old_public, new_public) = (old.with_extension("pub"), new.with_extension("pub"));
    let more = &mut cluster.managers[0].settings_mut().more;
    *more = more.replace(&format!("{old_public:?}"), &format!("[{old_public:?}, {new_public:?}]"));
    assert_eq!(cluster.managers[0].reload_settings().json()["result"], "applied");
    let more = &mut cluster.managers[1].settings_mut().more;
    *more = more.replace(&format!("{old:?}"), &format!("{new:?}"));
    assert_eq!(cluster.managers[1].reload_settings().json()["result"], "applied");
    cluster.says(1, 0.1);
    eventually("the alarm, under the new key", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    assert!(version(&cluster.domain(0, "west")) > before);
    // The old one is worth nothing any more.
    let more = &mut cluster.managers[0].settings_mut().more;
    *more = more.replace(&format!("[{old_public:?}, {new_public:?}]"), &format!("{new_public:?}"));
    assert_eq!(cluster.managers[0].reload_settings().json()["result"], "applied");
    cluster.says(1, 0.9);
    eventually("the end of the alarm", patience(), || (cluster.raised(0, "west", "major") == 0).then_some(()));
}

/// Has a manager take over a configuration with one text in the place of another.
fn take_over(cluster: &mut Cluster, at: usize, from: &str, to: &str) {
    let more = &mut cluster.managers[at].settings_mut().more;
    assert!(more.contains(from), "{from} in {more}");
    *more = more.replace(from, to);
    let answer = cluster.managers[at].reload_settings();
    assert_eq!(answer.json()["result"], "applied", "{}", answer.text);
}

/// Ends the load, also when the test fails meanwhile.
struct EndsLoad<'a>(&'a AtomicBool);

impl Drop for EndsLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_signing_key_is_exchanged_while_much_changes_and_nothing_is_dropped() {
    let mut cluster = Cluster::mesh(&["east", "west"]);
    cluster.await_all_fresh();
    let old = crate::cluster::key(&cluster.managers[1]);
    let address = cluster.managers[1].address("mk");
    let (identity, anchor) = (cluster.managers[1].component_identity("mk", "km-1"), cluster.managers[1].pki.anchor());
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = harness::RawClient::connect(address, &identity, &anchor);
            let mut low = false;
            while !ends.load(Ordering::Relaxed) {
                low = !low;
                let values = json!({ "key_store_fill_ratio": if low { 0.1 } else { 0.9 } });
                let answer = client.ask(&harness::report("km-1", harness::performance(values)));
                assert_eq!(harness::response_code(&answer), "success");
            }
            let values = json!({ "key_store_fill_ratio": 0.1 });
            client.ask(&harness::report("km-1", harness::performance(values)));
            client.finish();
        });
        let ends = EndsLoad(&ends);
        let mut current = old;
        for round in 0..3 {
            let new = cluster.managers[1].root().join(format!("next-{round}.key"));
            let made = cluster.managers[1].command(&["pki", "signing-key", new.to_str().unwrap()]);
            assert!(made.status.success(), "{made:?}");
            let (before, after) = (current.with_extension("pub"), new.with_extension("pub"));
            take_over(&mut cluster, 0, &format!("{before:?}"), &format!("[{before:?}, {after:?}]"));
            take_over(&mut cluster, 1, &format!("{current:?}"), &format!("{new:?}"));
            let exchanged = version(&cluster.domain(1, "west"));
            eventually("what the new key signed", patience(), || {
                (version(&cluster.domain(0, "west")) >= exchanged).then_some(())
            });
            take_over(&mut cluster, 0, &format!("[{before:?}, {after:?}]"), &format!("{after:?}"));
            current = new;
        }
        drop(ends);
    });
    eventually("the last word", patience(), || (cluster.raised(0, "west", "major") == 1).then_some(()));
    let log = cluster.managers[0].log();
    assert!(!log.contains("Dropped what a peer sent"), "{log}");
    cluster.await_all_fresh();
}

#[test]
fn a_peer_is_added_without_a_new_start() {
    let mut cluster = Cluster::prepare(&["east", "north", "west"]);
    cluster.start(&[(0, 1)]);
    cluster.await_seen(0, "north", "fresh");
    assert_eq!(cluster.domain(0, "west")["freshness"], "unheard");
    cluster.configure(&[(0, 1), (1, 2), (0, 2)]);
    for manager in &cluster.managers {
        let answer = manager.reload_settings();
        // Of the north nothing is different the second time.
        let result = answer.json()["result"].clone();
        assert!(result == "applied" || result == "unchanged", "{}", answer.text);
    }
    cluster.await_all_fresh();
    // And one is taken away.
    cluster.configure(&[(0, 1), (1, 2)]);
    for manager in &cluster.managers {
        let answer = manager.reload_settings();
        // Of the north nothing is different the second time.
        let result = answer.json()["result"].clone();
        assert!(result == "applied" || result == "unchanged", "{}", answer.text);
    }
    cluster.await_seen(0, "west", "indirect");
}
