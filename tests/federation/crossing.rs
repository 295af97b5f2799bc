//! What crosses the border between two domains besides links: key relations, services against what was agreed, and settlement; told to
//! the domain concerned, to no other, and side by side with what that domain tells.

use std::time::{SystemTime, UNIX_EPOCH};

use harness::{eventually, patience};
use qkdn_manager::model::Timestamp;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Tables of one manager about one other domain.
fn tables(cluster: &mut Cluster, at: usize, other: &str, peer: &str, topics: &str) {
    let tables = format!(
        "[[federation.key_relations]]\nname = \"rel-east-west\"\ndomain = {other:?}\nfrom = [\"mk/km-1 over\"]\n\
         [[federation.services]]\nname = \"gov-vpn\"\ndomains = [{other:?}]\nfrom = [\"mk/km-1 over\"]\n\
         key_rate = 1000\nwithout_key = \"10m\"\navailability = 0.5\nwindow = \"1h\"\n\
         [[federation.settlements]]\ndomain = {other:?}\npeers = [{peer:?}]\nperiod = \"hour\"\n[[peers]]\n"
    );
    let more = &mut cluster.managers[at].settings_mut().more;
    *more = more.replacen("[[peers]]\n", &tables, 1);
    *more = more.replacen("\"capabilities\"]", &format!("\"capabilities\"{topics}]"), 1);
}

const ALL_TOPICS: &str = ", \"key-relations\", \"services\", \"settlement\"";

fn say(cluster: &Cluster, at: usize, extension: Value) {
    let mut client = cluster.managers[at].connect("mk", "km-1");
    let answer = client.ask(&harness::report("km-1", extension));
    assert_eq!(harness::response_code(&answer), "success", "{answer}");
    client.finish();
}

fn measured(state: &str, rate: u64) -> Value {
    json!([
        { "type": "state", "resource": "over", "values": { "kma_link_state": state } },
        { "type": "performance", "resource": "over",
          "values": { "effective_secret_key_rate_bps": rate, "key_store_fill_ratio": 0.5 } },
    ])
}

/// An interval of the last full hour.
fn used(id: &str, peer: &str, bits: u64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let end = now / 3_600_000 * 3_600_000 - 600_000;
    let (start, end) = (Timestamp(end - 60_000).to_string(), Timestamp(end).to_string());
    json!([{ "type": "usage", "usageId": id, "application": "app", "peer": peer, "startTime": start, "endTime": end,
             "consumedBits": bits }])
}

/// What one manager shows of a thing that it and another domain tell of.
#[track_caller]
fn await_comparison(cluster: &Cluster, at: usize, kind: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("both sides of the {kind} at {at}"), patience(), || {
        let all = cluster.managers[at].api().list("/api/v1/domain-comparisons");
        all.into_iter().find(|one| one["kind"] == kind && is(one))
    })
}

#[test]
fn what_crosses_the_border_is_told_to_the_domain_concerned_and_compared_there() {
    let mut cluster = Cluster::prepare(&["east", "north", "west"]);
    cluster.configure(&[(0, 1), (1, 2), (0, 2)]);
    tables(&mut cluster, 0, "west", "km-west", ALL_TOPICS);
    tables(&mut cluster, 2, "east", "km-east", ALL_TOPICS);
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    say(&cluster, 0, measured("up", 1_200));
    say(&cluster, 2, measured("degraded", 800));
    // Each `usageId` counts once; what is used with somebody else is not settled here.
    for (id, peer, bits) in [("u-1", "km-west", 2_560), ("u-1", "km-west", 2_560), ("u-2", "km-south", 512)] {
        say(&cluster, 0, used(id, peer, bits));
    }
    say(&cluster, 2, used("u-1", "km-east", 2_304));

    let both = |one: &Value| one["ours"].is_object() && one["theirs"].is_object();
    let relation = await_comparison(&cluster, 0, "key-relation", |one| {
        both(one)
            && one["state"] == "degraded"
            && one["ours"]["keyRateBps"].is_number()
            && one["theirs"]["keyRateBps"].is_number()
    });
    assert_eq!((&relation["id"], &relation["domain"]), (&json!("rel-east-west"), &json!("west")));
    assert_eq!((&relation["ours"]["keyRateBps"], &relation["theirs"]["keyRateBps"]), (&json!(1200.0), &json!(800.0)));
    let differences = json!(["we say up, they say degraded", "key rate 1200 here, 800 there (+400)"]);
    assert_eq!(relation["differences"], differences);
    // Something has to be observed before there is a verdict on what is over time.
    let service = await_comparison(&cluster, 0, "service", |one| both(one) && one["ours"]["state"] == "met");
    assert_eq!(service["theirs"]["state"], "missed", "{service}");
    assert_eq!(service["theirs"]["keyRateBps"], json!({ "objective": 1000.0, "measured": 800.0, "state": "missed" }));
    assert_eq!(service["ours"]["availabilityRatio"]["measured"], 1.0, "{service}");
    assert!(service["theirs"]["since"].as_str().unwrap().ends_with(":00Z"), "{service}");
    let settled = await_comparison(&cluster, 0, "settlement", both);
    assert_eq!((&settled["ours"]["consumedBits"], &settled["ours"]["intervals"]), (&json!(2560.0), &json!(1)));
    assert_eq!(settled["differences"], json!(["bits consumed 2560 here, 2304 there (+256)"]));
    // The other side sees the same with its own first.
    let settled = await_comparison(&cluster, 2, "settlement", both);
    assert_eq!(settled["differences"], json!(["bits consumed 2304 here, 2560 there (-256)"]));

    // The third domain hears nothing of all this, not even names.
    for domain in ["east", "west"] {
        let seen = cluster.domain(1, domain).to_string();
        let documents = cluster.domain(1, domain)["documents"].clone();
        let sections = documents.as_array().unwrap().iter().flat_map(|one| one["sections"].as_array().unwrap());
        let names: Vec<&str> = sections.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["alarms", "capabilities", "health"], "{seen}");
        assert!(!seen.contains("gov-vpn") && !seen.contains("rel-east-west"), "{seen}");
    }
    // What is shown beforehand is what the peer gets.
    let preview = cluster.managers[0].api().get("/api/v1/peers/manager-west/preview").json().to_string();
    assert!(
        preview.contains("gov-vpn") && preview.contains("rel-east-west") && preview.contains("consumedBits"),
        "{preview}"
    );
    let preview = cluster.managers[0].api().get("/api/v1/peers/manager-north/preview").json().to_string();
    assert!(!preview.contains("gov-vpn") && !preview.contains("rel-east-west"), "{preview}");
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "show", "west"]).stdout).unwrap();
    for told in ["What it and this domain tell of the same", "bits consumed 2560 here", "we say met, they say missed"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "compare", "north"]).stdout).unwrap();
    assert!(text.contains("0 comparisons"), "{text}");
}

#[test]
fn what_is_configured_and_not_disclosed_stays_here_and_a_warning_says_so() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    tables(&mut cluster, 0, "west", "km-west", "");
    let file = cluster.managers[0].write_config();
    let output = cluster.managers[0].command(&["check", &file.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for word in ["key-relations", "services", "settlement"] {
        assert!(text.contains(&format!("`federation.disclose` has no `{word}`")), "{word}: {text}");
    }
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    say(&cluster, 0, measured("up", 1_200));
    say(&cluster, 0, json!([{ "type": "alarm", "alarmTypeId": "link-down", "severity": "major" }]));
    // A change that is told shows that the rest had its chance.
    eventually("the alarm", patience(), || (cluster.raised(1, "east", "major") == 1).then_some(()));
    let seen = cluster.domain(1, "east");
    assert_eq!(seen["documents"].as_array().unwrap().len(), 1, "{seen}");
    // It is told as soon as it is disclosed.
    let more = &mut cluster.managers[0].settings_mut().more;
    *more = more.replacen("\"capabilities\"]", &format!("\"capabilities\"{ALL_TOPICS}]"), 1);
    assert_eq!(cluster.managers[0].reload_settings().json()["result"], "applied");
    let relation = await_comparison(&cluster, 1, "key-relation", |one| one["theirs"].is_object());
    assert_eq!(relation["differences"], json!(["we say nothing of it"]));
}
