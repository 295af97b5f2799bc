//! A simulated component behind the real manager: notifications by themselves, over `kill -9` of the manager.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use harness::{ManagerProcess, PATIENCE, Settings, eventually};
use qkdn_manager::simulate::{Client, ClientConfig, Counts, client::Trust};
use serde_json::{Value, json};

use crate::standing::{await_state, standing};

const STORES: &str = r#"
[[subscriptions]]
name = "stores"
events = [{ types = ["performance"] }]
method = "on-change"
durable = true
poll_interval = "1s"
"#;

fn start(manager: &ManagerProcess, serves_subscriptions: bool) -> Client {
    let identity = manager.component_identity("mk", "km-1");
    let address = format!("localhost:{}", manager.address("mk").port());
    let component = "mk/km-1".parse().unwrap();
    let trust = Trust::from_files(&[manager.pki.anchor_file()]).unwrap();
    let tls = trust.client_from_files(&identity.certificate_file, &identity.key_file).unwrap();
    let mut config = ClientConfig::new(component, address, tls);
    config.backoff_max = Duration::from_millis(500);
    config.serves_subscriptions = serves_subscriptions;
    Client::start(config).unwrap()
}

fn objects(keys: u64) -> Vec<Value> {
    vec![json!({ "type": "performance", "values": { "stored_key_count": keys } })]
}

fn await_count(what: &str, counts: &Arc<Counts>, read: impl Fn(&Counts) -> u64, least: u64) {
    eventually(what, PATIENCE, || (read(counts) >= least).then_some(()));
}

#[test]
fn every_change_arrives_once_over_a_crash_of_the_manager() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(STORES));
    manager.keep_ports();
    let client = runtime.block_on(async { start(&manager, true) });
    let counts = client.counts();
    let report = |keys| assert!(runtime.block_on(client.report(qkdn_manager::model::Timestamp(0), objects(keys))));
    report(0);
    await_state(&manager, "granted");
    let mut expected = 1;
    for round in 0..2 {
        for keys in 1..=10 {
            report(round * 10 + keys);
            expected += 1;
            await_count("a notification", &counts, |counts| counts.notifications.load(Ordering::Relaxed), expected);
        }
        eventually("all of them counted", PATIENCE, || {
            (standing(&manager)["notifications"].as_u64()? >= 10).then_some(())
        });
        assert_eq!(standing(&manager)["missing"], 0);
        assert_eq!(
            manager.api().value("mk/km-1", "stored_key_count"),
            Some(f64::from(u32::try_from(round).unwrap() * 10 + 10))
        );
        if round == 0 {
            manager.crash_and_restart();
            await_state(&manager, "granted");
            assert_eq!(counts.subscriptions.load(Ordering::Relaxed), 2, "granted, and resumed");
        }
    }
    assert_eq!(counts.refused.load(Ordering::Relaxed), 0, "{:?}", counts.last_trouble());
    runtime.block_on(client.finish(Duration::from_secs(10)));
}

#[test]
fn one_that_serves_none_is_polled() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(STORES));
    let client = runtime.block_on(async { start(&manager, false) });
    let counts = client.counts();
    assert!(runtime.block_on(client.report(qkdn_manager::model::Timestamp(0), objects(7))));
    await_state(&manager, "polled");
    await_count("two requests", &counts, |counts| counts.requests.load(Ordering::Relaxed), 2);
    assert_eq!(counts.notifications.load(Ordering::Relaxed), 0);
    runtime.block_on(client.finish(Duration::from_secs(10)));
}
