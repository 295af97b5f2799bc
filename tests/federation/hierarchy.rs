//! Two areas with two members and an aggregator each, and one aggregator for the nation: members see their own area, and of the
//! other the sum.

use std::process::Command;

use harness::{ManagerProcess, binary, eventually, patience};
use serde_json::{Value, json};

use crate::cluster::{Cluster, section};

const NAMES: [&str; 7] = ["hub-n", "n1", "n2", "hub-s", "s1", "s2", "nation"];
/// Peers: members of their aggregator and of each other, aggregators of each other, the nation's of both.
const PAIRS: [(usize, usize); 9] = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (0, 3), (6, 0), (6, 3)];
const HUB_N: usize = 0;
const HUB_S: usize = 3;
const N1: usize = 1;
const S1: usize = 4;
const S2: usize = 5;
const NATION: usize = 6;

/// Lines that say where a domain belongs.
fn place(domain: &str) -> &'static str {
    match domain {
        "hub-n" => "area = \"north\"\nrole = \"aggregator\"\n",
        "hub-s" => "area = \"south\"\nrole = \"aggregator\"\n",
        "nation" => "role = \"aggregator\"\n",
        "n1" | "n2" => "area = \"north\"\n",
        _ => "area = \"south\"\n",
    }
}

/// Members tell everybody nothing, and their area more than aggregators.
fn disclosed(domain: &str) -> &'static str {
    match domain {
        "hub-n" | "hub-s" | "nation" => "disclose = [\"health\", \"alarms\"]\n",
        _ => {
            "disclose = []\ndisclose_area = [\"health\", \"alarms\", \"alarm-types\"]\ndisclose_aggregators = [\"health\", \
             \"alarms\"]\n"
        }
    }
}

/// Puts every domain into its place, in the configuration of one manager.
fn put_in_place(cluster: &mut Cluster, at: usize) {
    let more = &mut cluster.managers[at].settings_mut().more;
    let own = format!("name = \"test\"\n{}{}", place(NAMES[at]), disclosed(NAMES[at]));
    let lines = more.lines().filter(|line| !line.starts_with("disclose = "));
    *more = lines.map(|line| format!("{line}\n")).collect::<String>().replacen("name = \"test\"\n", &own, 1);
    for domain in NAMES {
        let line = format!("domain = {domain:?}\n");
        *more = more.replace(&line, &format!("{line}{}", place(domain)));
    }
}

fn nation() -> Cluster {
    let mut cluster = Cluster::prepare(&NAMES);
    cluster.lines = "refresh = \"1s\"";
    cluster.configure(&PAIRS);
    (0..NAMES.len()).for_each(|at| put_in_place(&mut cluster, at));
    cluster.managers.iter_mut().for_each(ManagerProcess::launch);
    cluster
}

/// Waits until an area in sum, as one manager sees it, is as it should be.
#[track_caller]
fn await_sum(cluster: &Cluster, at: usize, aggregator: &str, area: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    eventually(&format!("{area} by {aggregator} at {}", NAMES[at]), patience(), || {
        let seen = cluster.domain(at, aggregator);
        let rollups = seen["rollups"].as_array().cloned().unwrap_or_default();
        let now = rollups.into_iter().find(|one| one["area"] == area).unwrap_or(seen);
        if now["sumOf"] != last["sumOf"] || now["check"] != last["check"] {
            eprintln!("{now}");
        }
        last = now;
        is(&last).then(|| last.clone())
    })
}

fn qkdnm(cluster: &Cluster, at: usize, arguments: &[&str]) -> String {
    let api = cluster.managers[at].api().root().to_owned();
    let done = Command::new(binary::qkdnm()).args(["--api", &api]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn a_member_sees_its_own_area_and_of_another_the_sum() {
    let cluster = nation();
    // Of one of them alone it would be no sum.
    [S1, S2].iter().for_each(|at| cluster.says(*at, 0.1));
    let is_whole = |sum: &Value| sum["raised"]["major"] == 2 && sum["components"]["mk"]["known"] == 2;
    let sum = await_sum(&cluster, N1, "hub-s", "south", |sum| is_whole(sum) && sum["domains"] == json!({ "fresh": 2 }));
    assert_eq!(sum["check"], "cannot be checked", "what it is made of is not for this area: {sum:#}");
    // Its own area it sees domain by domain, and adds up itself.
    let own = cluster.await_seen(N1, "n2", "fresh");
    assert_eq!(section(&own, "health")["components"]["mk"]["known"], 1);
    await_sum(&cluster, N1, "hub-n", "north", |sum| {
        sum["check"] == "agrees" && sum["domains"] == json!({ "fresh": 2 })
    });
    // Aggregators have what the other's sum is made of, as far as it was told to aggregators; the nation's has that of both.
    await_sum(&cluster, NATION, "hub-s", "south", |sum| sum["domains"] == json!({ "fresh": 2 }));
    let sum = await_sum(&cluster, NATION, "nation", "south", |sum| is_whole(sum) && sum["check"] == "agrees");
    assert_eq!(sum["domains"], json!({ "indirect": 2 }), "it has no session with them: {sum:#}");
    // That hub-s has one is no difference between the sums.
    assert_eq!(sum["differences"], json!([]), "{sum:#}");
    await_sum(&cluster, HUB_N, "nation", "south", |sum| is_whole(sum) && sum["check"] == "agrees");
    // Of a member of the other area nothing is here but what its aggregator tells in sum.
    for domain in ["s1", "s2"] {
        let seen = cluster.domain(N1, domain);
        let said: Vec<&Value> =
            seen["documents"].as_array().unwrap().iter().flat_map(|one| one["sections"].as_array().unwrap()).collect();
        assert!(said.is_empty(), "{domain}: {seen:#}");
        assert_eq!(seen["freshness"], "indirect", "{domain}: {seen:#}");
        let through = &seen["knownThrough"];
        let told = [&through["domain"], &through["state"], &through["heard"]];
        assert_eq!(told, [&json!("hub-s"), &json!("fresh"), &json!(true)], "{domain}: {seen:#}");
    }
    let told = cluster.managers[S1].api().get("/api/v1/peers/manager-hub-s/preview").json();
    let audiences: Vec<&str> =
        told["own"].as_array().unwrap().iter().map(|one| one["audience"].as_str().unwrap()).collect();
    assert_eq!(audiences, ["federation", "area:south", "aggregator"], "{told:#}");
    assert_eq!(told["own"][0]["sections"], json!([]), "{told:#}");
    let text = qkdnm(&cluster, N1, &["domain", "list"]);
    assert!(text.contains("ADDED UP BY") && text.contains("2 fresh (max age "), "{text}");
    let text = qkdnm(&cluster, N1, &["domain", "show", "hub-s"]);
    assert!(
        text.contains("Area south: sum of 2 fresh") && text.contains("s1") && text.contains("raised major: 2"),
        "{text}"
    );
}

#[test]
fn a_sum_carries_its_worst_freshness_and_one_alone_is_no_sum() {
    let mut cluster = nation();
    await_sum(&cluster, N1, "hub-s", "south", |sum| sum["domains"] == json!({ "fresh": 2 }));
    cluster.managers[S2].kill();
    let is_stale = |sum: &Value| sum["domains"] == json!({ "fresh": 1, "stale": 1 });
    let sum = await_sum(&cluster, N1, "hub-s", "south", is_stale);
    assert_eq!(sum["components"]["mk"]["known"], 2, "what is stale is in the sum: {sum:#}");
    assert!(
        sum["maxAgeMs"].as_u64().unwrap() >= 6_000 && sum["sumOf"].as_str().unwrap().contains("1 stale"),
        "{sum:#}"
    );
    // What is unreachable is left out, and the other told in confidence: what it said alone would be no sum.
    let is_alone = |sum: &Value| sum["domains"] == json!({ "fresh": 1, "unreachable": 1 });
    let sum = await_sum(&cluster, N1, "hub-s", "south", is_alone);
    assert_eq!(sum["components"], json!({}), "{sum:#}");
    assert!(sum["sumOf"].as_str().unwrap().contains("1 unreachable left out"), "{sum:#}");
    cluster.managers[S2].launch();
    await_sum(&cluster, N1, "hub-s", "south", |sum| sum["components"]["mk"]["known"] == 2);
}

#[test]
fn who_is_known_through_a_silent_aggregator_alone_is_told_as_that_and_complained_about_by_nobody() {
    let mut cluster = nation();
    await_sum(&cluster, N1, "hub-s", "south", |sum| sum["domains"] == json!({ "fresh": 2 }));
    // The nation's aggregator hears what members tell aggregators, by way of the area's alone.
    for domain in ["s1", "s2"] {
        cluster.await_seen(NATION, domain, "indirect");
    }
    let before = [HUB_N, N1, NATION].map(|at| cluster.managers[at].log().len());
    cluster.managers[HUB_S].kill();
    for (at, alarms) in [(NATION, 1), (HUB_N, 1), (N1, 0)] {
        if alarms == 1 {
            let of_it = |alarm: &Value| alarm["resource"] == "domain hub-s" && alarm["isCleared"] == false;
            cluster.managers[at].api().await_alarm("peer-unreachable", of_it);
        }
        for domain in ["s1", "s2"] {
            let seen = eventually(&format!("{domain} known through hub-s at {}", NAMES[at]), patience(), || {
                let seen = cluster.domain(at, domain);
                let is_long_ago = at == N1 || seen["ageMs"].as_u64()? > 15_000;
                (seen["knownThrough"]["heard"] == false && is_long_ago).then_some(seen)
            });
            assert_eq!(
                (&seen["freshness"], &seen["knownThrough"]["domain"]),
                (&json!("stale"), &json!("hub-s")),
                "{seen:#}"
            );
        }
        let text = qkdnm(&cluster, at, &["domain", "show", "s1"]);
        assert!(text.contains("stale") && text.contains("known only through hub-s, which is not heard"), "{text}");
    }
    // What the nation cannot hear it does not tell others as unreachable.
    await_sum(&cluster, HUB_N, "nation", "south", |sum| sum["domains"] == json!({ "unheard": 2 }));
    cluster.managers[HUB_S].launch();
    for domain in ["s1", "s2"] {
        let seen = cluster.await_seen(NATION, domain, "indirect");
        assert_eq!(seen["knownThrough"], Value::Null, "{seen:#}");
    }
    for (at, before) in [HUB_N, N1, NATION].into_iter().zip(before) {
        let log = &cluster.managers[at].log()[before..];
        let raised =
            |domain: &str| log.lines().filter(|line| line.contains("Alarm raised") && line.contains(domain)).count();
        assert_eq!((raised("domain s1"), raised("domain s2")), (0, 0), "{}: {log}", NAMES[at]);
    }
}

#[test]
fn a_sum_by_who_is_no_aggregator_is_not_believed() {
    let mut cluster = nation();
    await_sum(&cluster, N1, "hub-s", "south", |sum| sum["domains"] == json!({ "fresh": 2 }));
    // To this manager it is a member of the area like others.
    let more = &mut cluster.managers[N1].settings_mut().more;
    *more = more.replace(
        "domain = \"hub-s\"\narea = \"south\"\nrole = \"aggregator\"\n",
        "domain = \"hub-s\"\narea = \"south\"\n",
    );
    let answer = cluster.managers[N1].reload_settings();
    assert_eq!(answer.json()["result"], "applied", "{}", answer.text);
    eventually("the sum gone", patience(), || {
        let seen = cluster.domain(N1, "hub-s");
        let sections = seen["documents"][0]["sections"].as_array()?.clone();
        let rollup = sections.into_iter().find(|section| section["name"] == "rollup")?;
        let refused = rollup["malformed"].as_str().is_some_and(|why| why.contains("hub-s is none"));
        (refused && rollup["content"] == json!({}) && seen["rollups"] == json!([])).then_some(())
    });
}
