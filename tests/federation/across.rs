//! Links between domains as a third one sees them: paths over several domains, what is not disclosed, and links in trouble that are one
//! entry whoever says so.

use harness::{eventually, patience};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Links between three domains, each with the positions of those at its ends.
const LINKS: [(&str, usize, usize); 3] = [("east-north", 0, 1), ("east-west", 0, 2), ("north-west", 1, 2)];
const NAMES: [&str; 3] = ["east", "north", "west"];

/// Three domains with a link between each two, as each says.
fn triangle() -> Cluster {
    triangle_with("")
}

/// The same with these lines in `[federation]`.
fn triangle_with(lines: &'static str) -> Cluster {
    let mut cluster = Cluster::prepare(&NAMES);
    cluster.lines = lines;
    cluster.configure(&[(0, 1), (1, 2), (0, 2)]);
    for at in 0..3 {
        let ends = LINKS.iter().filter(|(_, one, other)| [*one, *other].contains(&at));
        let tables: String = ends
            .map(|(name, one, other)| {
                let domain = NAMES[one + other - at];
                format!("[[federation.links]]\nname = {name:?}\ndomain = {domain:?}\nfrom = [\"mk/km-1 {name}\"]\n")
            })
            .collect();
        let more = &mut cluster.managers[at].settings_mut().more;
        *more = more.replacen("[[peers]]\n", &format!("{tables}[[peers]]\n"), 1);
    }
    cluster.managers.iter_mut().for_each(harness::ManagerProcess::launch);
    cluster.await_all_fresh();
    for (link, one, other) in LINKS {
        for at in [one, other] {
            says(&cluster, at, link, "up", 1_500);
        }
    }
    cluster
}

fn says(cluster: &Cluster, at: usize, link: &str, state: &str, rate: u64) {
    let mut client = cluster.managers[at].connect("mk", "km-1");
    let extension = json!([
        { "type": "state", "resource": link, "values": { "kma_link_state": state } },
        { "type": "performance", "resource": link,
          "values": { "secret_key_rate_bps": rate, "key_store_fill_ratio": 0.47 } },
    ]);
    let answer = client.ask(&harness::report("km-1", extension));
    assert_eq!(harness::response_code(&answer), "success", "{answer}");
    client.finish();
}

fn discloses(cluster: &mut Cluster, at: usize, topics: &str) {
    let more = &mut cluster.managers[at].settings_mut().more;
    let begin = more.find("disclose = [").unwrap();
    let end = begin + more[begin..].find('\n').unwrap();
    more.replace_range(begin..end, &format!("disclose = [\"health\", \"alarms\"{topics}]"));
    assert_eq!(cluster.managers[at].reload_settings().json()["result"], "applied");
}

#[track_caller]
fn await_path(cluster: &Cluster, (from, to): (&str, &str), is: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/domain-path?from={from}&to={to}");
    let mut last = Value::Null;
    eventually(&format!("the path from {from} to {to}"), patience(), || {
        last = cluster.managers[0].api().get(&path).json();
        is(&last).then(|| last.clone())
    })
}

fn links(path: &Value) -> Vec<&str> {
    path["hops"].as_array().unwrap().iter().map(|hop| hop["link"].as_str().unwrap()).collect()
}

#[track_caller]
fn await_alarm(cluster: &Cluster, at: usize, is: impl Fn(&Value) -> bool) -> Value {
    eventually("a link in trouble", patience(), || {
        let all = cluster.managers[at].api().list("/api/v1/domain-alarms");
        all.into_iter().find(&is)
    })
}

#[test]
fn a_path_is_found_over_links_that_others_disclose_and_what_is_not_disclosed_is_said() {
    let mut cluster = triangle();
    // Of the link between the two others nothing is told to us.
    let path = await_path(&cluster, ("east", "north"), |path| path["state"] == "up");
    assert_eq!((links(&path), &path["alternative"]), (vec!["east-north"], &Value::Null));
    assert_eq!(path["withoutOtherWay"], json!(["east-north"]));
    assert_eq!(path["bottleneckRateBps"]["value"], 1500.0);
    assert!(!cluster.domain(0, "west").to_string().contains("north-west"));
    // One of the two tells everybody of its links, without figures.
    discloses(&mut cluster, 2, ", \"link-states\"");
    let path = await_path(&cluster, ("east", "north"), |path| path["alternative"]["state"] == "up");
    let other = &path["alternative"];
    assert_eq!(
        (links(other), &other["sharedLinks"], &other["state"]),
        (vec!["east-west", "north-west"], &json!([]), &json!("up"))
    );
    assert_eq!(path["withoutOtherWay"], json!([]));
    let ends = &other["hops"][1]["ends"];
    assert_eq!(
        (&ends[0]["domain"], &ends[0]["state"], &ends[0]["toldTo"]),
        (&json!("west"), &json!("up"), &json!("federation"))
    );
    assert_eq!((&ends[1]["domain"], &ends[1]["state"]), (&json!("north"), &Value::Null));
    assert_eq!(other["bottleneckRateBps"]["notDisclosed"], json!(["north-west"]));
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "path", "west", "north"]).stdout).unwrap();
    for told in ["From west to north: up, 1 link", "not disclosed", "Another way, up, shares nothing with it"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // The other one too, with figures in steps.
    discloses(&mut cluster, 1, ", \"link-states\", \"link-figures\"");
    let path = await_path(&cluster, ("west", "north"), |path| path["hops"][0]["ends"][1]["secretKeyRateBps"] == 1000.0);
    assert_eq!(path["lowestStoreFillRatio"], json!({ "value": 0.4, "link": "north-west", "notDisclosed": [] }));
    // Who has trouble is gone round.
    says(&cluster, 1, "east-north", "down", 0);
    let path = await_path(&cluster, ("east", "north"), |path| links(path).len() == 2);
    assert_eq!((&path["state"], &path["alternative"]), (&json!("up"), &Value::Null));
    assert_eq!(path["withoutOtherWay"], json!(["east-west", "north-west"]));
    // Names of nothing and of nobody.
    let answer = cluster.managers[0].api().get("/api/v1/domain-path?from=east&to=nort");
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert!(answer.text.contains("did you mean `north`?"), "{}", answer.text);
    assert_eq!(cluster.managers[0].api().get("/api/v1/domain-path?from=east&to=east").status, 404);
    let json = cluster.managers[0].command(&["domain", "path", "east", "north", "--json"]).stdout;
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["from"], "east");
}

#[test]
fn a_link_in_trouble_is_one_entry_with_what_both_ends_say() {
    let mut cluster = triangle();
    for at in [1, 2] {
        discloses(&mut cluster, at, ", \"link-states\"");
    }
    // East, at neither end, hears of it from one end, then from both.
    says(&cluster, 1, "north-west", "degraded", 1_500);
    let alarm = await_alarm(&cluster, 0, |alarm| alarm["link"] == "north-west" && alarm["sides"] == "disagree");
    assert_eq!((&alarm["severity"], &alarm["first"]), (&json!("minor"), &json!("north")));
    await_alarm(&cluster, 2, |alarm| alarm["link"] == "north-west" && alarm["sides"] == "disagree");
    says(&cluster, 2, "north-west", "down", 0);
    let alarm = await_alarm(&cluster, 0, |alarm| alarm["sides"] == "both");
    assert_eq!(
        (&alarm["severity"], &alarm["first"], &alarm["domains"]),
        (&json!("critical"), &json!("north"), &json!(["north", "west"]))
    );
    assert!(alarm["ends"][0]["since"].as_str() < alarm["ends"][1]["since"].as_str(), "{alarm}");
    assert_eq!(cluster.managers[0].api().list("/api/v1/domain-alarms").len(), 1);
    // Who is at an end of it sees the same.
    let alarm = await_alarm(&cluster, 2, |alarm| alarm["sides"] == "both");
    assert_eq!((&alarm["first"], &alarm["ends"][1]["toldTo"]), (&json!("north"), &json!("own")));
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "alarms"]).stdout).unwrap();
    assert!(
        text.contains("both say so") && text.contains("north: degraded ") && text.contains("1 link in trouble"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let text = String::from_utf8(cluster.managers[0].command(&["domain", "alarms", "--wide"]).stdout).unwrap();
    assert!(text.contains("north: degraded since") && text.contains("SEEN FIRST"), "{text}");
    // One of the two ends says that it is over; the other, when it is cut off, says nothing that still holds.
    says(&cluster, 1, "north-west", "up", 1_500);
    await_alarm(&cluster, 0, |alarm| alarm["sides"] == "disagree" && alarm["severity"] == "critical");
    discloses(&mut cluster, 1, "");
    let alarm = await_alarm(&cluster, 0, |alarm| alarm["sides"] == "one");
    assert_eq!(alarm["ends"][0]["state"], Value::Null, "{alarm}");
    says(&cluster, 2, "north-west", "up", 1_500);
    eventually("no link in trouble", patience(), || {
        cluster.managers[0].api().list("/api/v1/domain-alarms").is_empty().then_some(())
    });
}

#[test]
fn a_link_is_not_up_by_the_word_of_one_end_while_the_other_is_silent() {
    let mut cluster = triangle_with("refresh = \"1s\"");
    let link = |cluster: &Cluster, is: &dyn Fn(&Value) -> bool| {
        eventually("the link to the west", patience(), || {
            let links = cluster.managers[0].api().list("/api/v1/domain-links");
            links.into_iter().find(|link| link["id"] == "east-west" && is(link))
        })
    };
    link(&cluster, &|link| link["state"] == "up" && link["theirs"]["state"] == "up");
    cluster.managers[2].kill();
    let told = link(&cluster, &|link| link["freshness"] == "stale");
    assert_eq!((&told["state"], &told["ours"]["state"]), (&json!("one-sided"), &json!("up")), "{told:#}");
    assert_eq!(told["theirs"]["state"], "up", "what it said last is shown with its age: {told:#}");
    assert!(told["ageMs"].as_u64().unwrap() > 3_000, "{told:#}");
    let path = await_path(&cluster, ("east", "west"), |path| path["state"] == "one-sided");
    assert_eq!((links(&path), &path["hops"][0]["state"]), (vec!["east-west"], &json!("one-sided")), "{path:#}");
    let text = |arguments: &[&str]| String::from_utf8(cluster.managers[0].command(arguments).stdout).unwrap();
    let table = text(&["domain", "links"]);
    let row = table.lines().find(|line| line.starts_with("east-west")).unwrap();
    assert!(row.contains("one-sided") && (row.contains("up (stale, ") || row.contains("up (unreachable, ")), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let told = text(&["domain", "path", "east", "west"]);
    assert!(told.contains("one-sided, 1 link") && told.contains("the other is not heard"), "{told}");
    // Trouble that we see ourselves is trouble all the same.
    says(&cluster, 0, "east-west", "down", 0);
    link(&cluster, &|link| link["state"] == "down");
    says(&cluster, 0, "east-west", "up", 1_500);
    cluster.managers[2].launch();
    link(&cluster, &|link| link["freshness"] == "fresh");
    says(&cluster, 2, "east-west", "up", 1_500);
    link(&cluster, &|link| link["state"] == "up");
    // What was said by one that has left in good order says nothing about now either.
    cluster.managers[2].stop();
    let told = link(&cluster, &|link| link["freshness"] == "withdrawn");
    assert_eq!((&told["state"], &told["ours"]["state"]), (&json!("one-sided"), &json!("up")), "{told:#}");
}
