//! Services with other domains that miss what was agreed: an alarm, its end, and a window that outlives the manager.

use harness::{ManagerProcess, eventually, patience};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Two managers of which the first knows of a service with the second, of which this was agreed.
fn started(agreed: &str) -> Cluster {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    let table = format!(
        "[[federation.services]]\nname = \"gov-vpn\"\ndomains = [\"west\"]\nfrom = [\"mk/km-1 over\"]\n{agreed}\nwindow = \"1h\"\n[[peers]]\n"
    );
    let more = &mut cluster.managers[0].settings_mut().more;
    *more = more.replacen("[[peers]]\n", &table, 1);
    *more = more.replacen("\"capabilities\"]", "\"capabilities\", \"services\"]", 1);
    cluster.managers.iter_mut().for_each(ManagerProcess::launch);
    cluster.await_all_fresh();
    cluster
}

fn say(cluster: &Cluster, state: &str, rate: u64) {
    let mut client = cluster.managers[0].connect("mk", "km-1");
    let answer = client.ask(&harness::report(
        "km-1",
        json!([
            { "type": "state", "resource": "over", "values": { "kma_link_state": state } },
            { "type": "performance", "resource": "over", "values": { "effective_secret_key_rate_bps": rate } },
        ]),
    ));
    assert_eq!(harness::response_code(&answer), "success", "{answer}");
    client.finish();
}

fn alarms(cluster: &Cluster) -> Vec<Value> {
    let mut alarms = cluster.managers[0].api().list("/api/v1/alarms");
    alarms.retain(|alarm| alarm["alarmTypeId"] == "sla-violated");
    alarms
}

/// The service as the first manager measures it.
#[track_caller]
fn await_measured(cluster: &Cluster, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, patience(), || {
        let all = cluster.managers[0].api().list("/api/v1/domain-comparisons");
        all.into_iter().find(|one| one["kind"] == "service").map(|one| one["ours"].clone()).filter(&is)
    })
}

#[test]
fn a_service_that_misses_what_was_agreed_has_one_alarm_until_it_is_met_again() {
    let mut cluster = started("key_rate = 1000");
    say(&cluster, "up", 1_200);
    await_measured(&cluster, "met", |ours| ours["state"] == "met");
    assert_eq!(alarms(&cluster), Vec::<Value>::new());
    say(&cluster, "up", 800);
    let api = cluster.managers[0].api();
    let alarm = api.await_alarm("sla-violated", |alarm| alarm["isCleared"] == false);
    assert_eq!((&alarm["resource"], &alarm["severity"]), (&"service gov-vpn".into(), &"major".into()), "{alarm}");
    let text = alarm["text"].as_str().unwrap();
    assert!(text.contains("with west misses what was agreed: a key rate of 1000 bit/s"), "{text}");
    say(&cluster, "up", 1_100);
    api.await_alarm("sla-violated", |alarm| alarm["isCleared"] == true);
    // What is not configured any more is not missed, either.
    say(&cluster, "up", 700);
    api.await_alarm("sla-violated", |alarm| alarm["isCleared"] == false);
    assert_eq!(alarms(&cluster).len(), 1, "{:?}", alarms(&cluster));
    let more = &mut cluster.managers[0].settings_mut().more;
    let (before, rest) = more.split_once("[[federation.services]]").unwrap();
    let (_, after) = rest.split_once("[[peers]]").unwrap();
    *more = format!("{before}[[peers]]{after}");
    assert_eq!(cluster.managers[0].reload_settings().json()["result"], "applied");
    let alarm = cluster.managers[0].api().await_alarm("sla-violated", |alarm| alarm["isCleared"] == true);
    assert_eq!(alarm["text"], "the service is not configured any more", "{alarm}");
}

#[test]
fn a_window_goes_on_after_a_restart_and_so_does_what_was_missed_in_it() {
    let mut cluster = started("without_key = \"1s\"");
    say(&cluster, "down", 0);
    let without = |ours: &Value| ours["longestWithoutKeyS"]["measured"].as_f64().unwrap_or(0.0);
    await_measured(&cluster, "a time without key", |ours| without(ours) > 2.0);
    cluster.managers[0].api().await_alarm("sla-violated", |alarm| alarm["isCleared"] == false);
    say(&cluster, "up", 1_200);
    let before = await_measured(&cluster, "the last figures", |ours| ours["state"] == "missed");
    cluster.managers[0].stop();
    cluster.managers[0].launch();
    let after = await_measured(&cluster, "the first figures", |ours| ours["observedS"].as_f64().is_some());
    assert!(without(&after) >= without(&before), "{before} {after}");
    assert!(after["observedS"].as_f64() >= before["observedS"].as_f64(), "{before} {after}");
    assert_eq!(after["since"], before["since"], "{before} {after}");
    let again = |alarm: &Value| alarm["isCleared"] == false && alarm["raiseCount"].as_u64() >= Some(2);
    cluster.managers[0].api().await_alarm("sla-violated", again);
}
