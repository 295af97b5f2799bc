//! What managers of two domains ask of each other: asked, decided, refused, lost and found again, expired; and what somebody with a
//! peer's certificate gets by asking too much.

use harness::{ManagerProcess, RawClient, eventually, patience, response_code};
use serde_json::{Value, json};

use crate::cluster::{Cluster, section};

/// Two managers with a link between them, each letting the other ask for these kinds; nothing runs yet.
fn prepared(allowed: &str) -> Cluster {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    for (at, other) in [(0, "west"), (1, "east")] {
        let more = &mut cluster.managers[at].settings_mut().more;
        let tables = format!(
            "[[federation.links]]\nname = \"vienna-brno\"\ndomain = {other:?}\nfrom = [\"mk/km-1\"]\n[[peers]]\nrequests = [{allowed}]\n"
        );
        *more = more.replacen("[[peers]]\n", &tables, 1);
        *more = more.replacen("\"capabilities\"]", "\"capabilities\", \"maintenance\", \"incidents\"]", 1);
    }
    cluster
}

const ALL: &str = "\"maintenance\", \"emergency-priority\", \"incident\"";

fn started(allowed: &str) -> Cluster {
    let mut cluster = prepared(allowed);
    cluster.managers.iter_mut().for_each(ManagerProcess::launch);
    cluster.await_all_fresh();
    cluster
}

/// Runs a command with a token, and gives what it printed.
#[track_caller]
fn tell(manager: &ManagerProcess, arguments: &[&str]) -> Value {
    let output = manager.admin_command(&[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn asks_for_maintenance(manager: &ManagerProcess, peer: &str, more: &[&str]) -> String {
    let arguments =
        ["peer", "request", "maintenance", peer, "--link", "vienna-brno", "--from", "now", "--until", "+2h"];
    let asked = tell(manager, &[&arguments[..], &["--effect", "interrupted"], more].concat());
    assert_eq!((&asked["direction"], &asked["state"]), (&"sent".into(), &"sent".into()), "{asked}");
    asked["id"].as_str().unwrap().to_owned()
}

/// Waits until one manager has a request in a state.
#[track_caller]
fn await_state(manager: &ManagerProcess, id: &str, state: &str) -> Value {
    eventually(&format!("request {id} {state}"), patience(), || {
        let answer = manager.api().get(&format!("/api/v1/peer-requests/{id}"));
        (answer.status == 200).then(|| answer.json()).filter(|one| one["state"] == state)
    })
}

fn audit(manager: &ManagerProcess) -> Vec<Value> {
    let page = tell(manager, &["audit", "list"]);
    page["items"].as_array().unwrap().clone()
}

/// Waits for a line of the audit trail about a request.
#[track_caller]
fn await_audited(manager: &ManagerProcess, id: &str, kind: &str, what: &str) {
    eventually(&format!("audited: {what}"), patience(), || {
        let fits = |entry: &Value| {
            let text = entry["what"].as_str().unwrap();
            entry["kind"] == kind && text.contains(id) && text.contains(what)
        };
        audit(manager).iter().any(fits).then_some(())
    });
}

#[test]
fn maintenance_is_announced_acknowledged_and_explains_alarms_on_the_link() {
    let cluster = started(ALL);
    let (east, west) = (&cluster.managers[0], &cluster.managers[1]);
    let id = asks_for_maintenance(east, "manager-west", &[]);
    let waiting = await_state(west, &id, "pending");
    assert_eq!((&waiting["direction"], &waiting["domain"]), (&"received".into(), &"east".into()), "{waiting}");
    await_state(east, &id, "pending");
    let alarm = west.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == false);
    assert!(alarm["text"].as_str().unwrap().contains("domain east asks for what an operator decides"), "{alarm}");
    assert_eq!(alarm["resource"], "requests of domain east", "{alarm}");
    let list = String::from_utf8(west.command(&["peer", "requests"]).stdout).unwrap();
    assert!(list.contains(&id) && list.contains("waiting for us"), "{list}");
    tell(west, &["peer", "requests", "accept", &id]);
    let done = await_state(east, &id, "accepted");
    assert_eq!(done["reason"], Value::Null, "{done}");
    west.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == true);
    await_audited(east, &id, "operator", "asked domain west for maintenance");
    await_audited(east, &id, "federation", "is accepted there");
    await_audited(west, &id, "federation", "asks us for maintenance");
    await_audited(west, &id, "operator", "accepted request");
    // An alarm on the link is raised all the same, and shown with what is known of it.
    cluster.says(1, 0.1);
    let alarm = west.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);
    assert_eq!(alarm["maintenance"]["announcedBy"], "east", "{alarm}");
    assert_eq!(
        (&alarm["maintenance"]["request"], &alarm["maintenance"]["link"]),
        (&id.as_str().into(), &"vienna-brno".into())
    );
    let list = String::from_utf8(west.command(&["alarm", "list"]).stdout).unwrap();
    assert!(list.lines().any(|line| line.contains("key-store-low") && line.contains("raised, maintenance")), "{list}");
    // The sections say it too: which link to the other end, how much to all.
    let told = eventually("the section", patience(), || {
        let east = cluster.domain(1, "east");
        let documents = east["documents"].as_array().unwrap().clone();
        let sections = documents.iter().filter(|document| document["audience"] == "adjacent:west");
        let mut sections = sections.flat_map(|document| document["sections"].as_array().unwrap().clone());
        let found = sections.find(|section| section["name"] == "maintenance")?;
        (found["content"]["windows"][0]["state"] == "acknowledged").then_some(found)
    });
    assert_eq!(told["content"]["windows"][0]["links"], json!(["vienna-brno"]), "{told}");
    eventually("the count for all", patience(), || {
        let east = cluster.domain(1, "east");
        (section(&east, "maintenance") == json!({ "announced": 1, "underWay": 1 })).then_some(())
    });
    let text = String::from_utf8(west.command(&["domain", "show", "east"]).stdout).unwrap();
    assert!(text.contains(&format!("windows 1 id: {id}")) && text.contains("windows 1 effect: interrupted"), "{text}");
}

#[test]
fn an_incident_is_handed_over_from_its_alarm_and_no_word_of_the_alarm_leaves() {
    let cluster = started(ALL);
    let (east, west) = (&cluster.managers[0], &cluster.managers[1]);
    cluster.says(0, 0.1);
    let alarm = east.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);
    let number = alarm["id"].to_string();
    let asked =
        tell(east, &["peer", "request", "incident", "manager-west", "--link", "vienna-brno", "--alarm", &number]);
    let id = asked["id"].as_str().unwrap();
    let waiting = await_state(west, id, "pending");
    assert_eq!((&waiting["severity"], &waiting["alarmType"]), (&"major".into(), &"key-store-low".into()), "{waiting}");
    assert!(!waiting.to_string().contains("km-1"), "{waiting}");
    tell(west, &["peer", "requests", "accept", id]);
    await_state(east, id, "accepted");
    // The incident is told to the domain at the other end, and that it was taken over.
    let incident = eventually("the incident, handed over", patience(), || {
        let east = cluster.domain(1, "east");
        let documents = east["documents"].as_array().unwrap().clone();
        let sections = documents.iter().filter(|document| document["audience"] == "adjacent:west");
        let mut sections = sections.flat_map(|document| document["sections"].as_array().unwrap().clone());
        let found = sections.find(|section| section["name"] == "incidents")?["content"]["open"][0].clone();
        (found["state"] == "handed-over").then_some(found)
    });
    assert_eq!((incident["id"].to_string(), &incident["link"]), (number, &"vienna-brno".into()), "{incident}");
    let counted = section(&cluster.domain(1, "east"), "incidents");
    assert_eq!(counted, json!({ "raised": { "major": 1 } }));
}

#[test]
fn nothing_may_be_asked_by_default_and_the_refusal_says_which_key_changes_it() {
    let mut cluster = started("");
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    let refused = await_state(&cluster.managers[0], &id, "refused");
    assert_eq!(refused["reason"], "not-allowed");
    assert!(refused["explanation"].as_str().unwrap().contains("`requests` in the [[peers]] table"), "{refused}");
    let west = &cluster.managers[1];
    assert_eq!(west.api().get(&format!("/api/v1/peer-requests/{id}")).status, 404, "nothing of it is kept");
    eventually("the refusal in the trail", patience(), || {
        let says = |entry: &Value| {
            let what = entry["what"].as_str().unwrap();
            let asked = &entry["detail"]["asked"];
            what.contains("add \"maintenance\" to `requests`")
                && what.contains("maintenance of vienna-brno from ")
                && asked["links"] == json!(["vienna-brno"])
                && asked["until"].is_string()
        };
        audit(west).iter().any(says).then_some(())
    });
    assert_eq!(west.api().metric("qkdn_federation_requests_refused_total", &["reason=\"not-allowed\""]), 1.0);
    // What the refusal says helps, without a new start.
    let more = &mut cluster.managers[1].settings_mut().more;
    *more = more.replace("requests = []", "requests = [\"maintenance\"]");
    assert_eq!(cluster.managers[1].reload_settings().json()["result"], "applied");
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    await_state(&cluster.managers[1], &id, "pending");
    // That, and nothing else.
    let arguments =
        ["peer", "request", "emergency-priority", "manager-west", "--link", "vienna-brno", "--until", "+1h"];
    let asked = tell(&cluster.managers[0], &[&arguments[..], &["--cause", "path-lost"]].concat());
    await_state(&cluster.managers[0], asked["id"].as_str().unwrap(), "refused");
}

#[test]
fn what_makes_no_sense_is_not_sent_and_who_may_not_is_told_so() {
    let cluster = started(ALL);
    let api = cluster.managers[0].api();
    let path = "/api/v1/peers/manager-west/requests";
    let body = |link: &str| json!({ "kind": "maintenance", "links": [link], "from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "effect": "none" });
    assert_eq!(api.post(path, None, &body("vienna-brno")).status, 401);
    let refused = cluster.managers[0].admin_command(&[
        "peer",
        "request",
        "emergency-priority",
        "manager-west",
        "--link",
        "moon-mars",
        "--until",
        "+1h",
        "--cause",
        "exercise",
    ]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("no link with domain west"), "{text}");
    assert!(text.contains("vienna-brno"), "it says which there are: {text}");
    assert_eq!(api.list("/api/v1/peer-requests"), Vec::<Value>::new());
}

#[test]
fn a_request_finds_a_peer_that_was_away_and_its_answer_a_manager_that_was_killed() {
    let mut cluster = prepared(ALL);
    cluster.managers[0].launch();
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    cluster.managers[1].launch();
    await_state(&cluster.managers[1], &id, "pending");
    await_state(&cluster.managers[0], &id, "pending");
    // The one that asked is killed; the other decides meanwhile, and is killed in its turn.
    cluster.managers[0].kill();
    tell(&cluster.managers[1], &["peer", "requests", "decline", &id, "--reason", "conflict"]);
    cluster.managers[1].kill();
    cluster.managers[1].launch();
    let kept = await_state(&cluster.managers[1], &id, "declined");
    assert_eq!((&kept["reason"], &kept["by"]), (&"conflict".into(), &"admin-test".into()), "{kept}");
    cluster.managers[0].launch();
    let told = await_state(&cluster.managers[0], &id, "declined");
    assert_eq!(told["reason"], "conflict", "{told}");
    await_audited(&cluster.managers[0], &id, "federation", "is declined there: conflict");
}

#[test]
fn a_receiver_that_is_killed_still_waits_for_its_operator() {
    let mut cluster = started(ALL);
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    await_state(&cluster.managers[0], &id, "pending");
    // It has said that it has it: so it has it.
    cluster.managers[1].kill();
    cluster.managers[1].launch();
    await_state(&cluster.managers[1], &id, "pending");
    cluster.managers[1].api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == false);
    tell(&cluster.managers[1], &["peer", "requests", "accept", &id]);
    await_state(&cluster.managers[0], &id, "accepted");
    let again = cluster.managers[1].admin_command(&["peer", "requests", "decline", &id]);
    let text = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && text.contains("the request is accepted"), "{text}");
    assert_eq!(cluster.managers[1].api().list("/api/v1/peer-requests").len(), 1, "it came once");
}

#[test]
fn what_nobody_decides_expires_on_both_sides() {
    let cluster = started(ALL);
    let (east, west) = (&cluster.managers[0], &cluster.managers[1]);
    let id = asks_for_maintenance(east, "manager-west", &["--expires-in", "2s"]);
    await_state(west, &id, "pending");
    await_state(west, &id, "expired");
    await_state(east, &id, "expired");
    await_audited(west, &id, "federation", "expired");
    await_audited(east, &id, "federation", "expired");
    west.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == true);
    let late = west.admin_command(&["peer", "requests", "accept", &id]);
    assert!(!late.status.success() && String::from_utf8_lossy(&late.stderr).contains("the request is expired"));
}

/// Runs a command with a token that is to be refused, and gives what it said.
#[track_caller]
fn refused(manager: &ManagerProcess, arguments: &[&str]) -> String {
    let output = manager.admin_command(arguments);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_same_is_not_asked_twice_and_what_may_not_be_asked_any_more_is_not_accepted() {
    let mut cluster = started(ALL);
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    await_state(&cluster.managers[1], &id, "pending");
    let again = ["peer", "request", "maintenance", "manager-west", "--link", "vienna-brno", "--from", "now", "--until"];
    let text = refused(&cluster.managers[0], &[&again[..], &["+3h", "--effect", "none"]].concat());
    assert!(text.contains("asked already") && text.contains(&id), "{text}");
    // What waits is not granted once its permission is gone.
    let shown = |at: usize, arguments: &[&str]| -> String {
        String::from_utf8(cluster.managers[at].command(arguments).stdout).unwrap()
    };
    for line in [shown(1, &["peer", "show", "manager-east"]), shown(1, &["doctor"])] {
        assert!(line.contains("maintenance, emergency-priority, incident"), "{line}");
    }
    for peer in ["manager-east", "east"] {
        let list = shown(1, &["peer", "requests", "--peer", peer]);
        assert!(list.contains(&id) && list.lines().all(|line| line.chars().count() <= 100), "{list}");
    }
    assert!(!shown(1, &["peer", "requests", "list", "--peer", "north"]).contains(&id));
    let more = &mut cluster.managers[1].settings_mut().more;
    *more = more.replace(ALL, "\"incident\"");
    assert_eq!(cluster.managers[1].reload_settings().json()["result"], "applied");
    let west = &cluster.managers[1];
    let text = refused(west, &["peer", "requests", "accept", &id]);
    assert!(text.contains("may not ask for `maintenance` any more"), "{text}");
    tell(west, &["peer", "requests", "decline", &id]);
    await_state(&cluster.managers[0], &id, "declined");
}

#[test]
fn an_incident_is_of_the_link_that_is_named() {
    let cluster = started(ALL);
    let east = &cluster.managers[0];
    cluster.says(0, 0.1);
    let of_the_link = east.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);
    // Of the manager itself: not of any component at the end of a link.
    let request = ["peer", "request", "emergency-priority", "manager-east", "--link", "vienna-brno", "--until", "+1h"];
    tell(&cluster.managers[1], &[&request[..], &["--cause", "exercise"]].concat());
    let of_another = east.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == false);
    let hand_over = |alarm: &Value| -> Vec<String> {
        let number = alarm["id"].to_string();
        let words = ["peer", "request", "incident", "manager-west", "--link", "vienna-brno", "--alarm", &number];
        words.iter().map(|&word| word.to_owned()).collect()
    };
    let words = hand_over(&of_another);
    let text = refused(east, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("is not about `vienna-brno`") && text.contains("no link to another domain"), "{text}");
    let path = "/api/v1/peers/manager-west/requests";
    let body = |alarm: u64| json!({ "kind": "incidentHandOver", "links": ["vienna-brno"], "alarm": alarm });
    let ask = |alarm: u64| east.api().post(path, Some(harness::settings::ADMIN_TOKEN), &body(alarm)).status;
    assert_eq!(ask(999_999), 404);
    assert_eq!(ask(of_another["id"].as_u64().unwrap()), 409);
    let words = hand_over(&of_the_link);
    let asked = tell(east, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(asked["severity"], "major", "{asked}");
    // Of no alarm: since an hour ago.
    let by_hand = ["peer", "request", "incident", "manager-west", "--link", "vienna-brno", "--severity", "minor"];
    let asked = tell(east, &[&by_hand[..], &["--type", "link-down", "--since", "-1h"]].concat());
    assert_eq!(asked["alarmType"], "link-down", "{asked}");
}

/// A connection with the identity of the manager in the west, which does not run.
fn impostor(cluster: &Cluster) -> RawClient {
    let west = cluster.managers[1].identity();
    RawClient::connect(cluster.managers[0].address("mx"), west, &cluster.managers[0].pki.anchor())
}

/// The hand-over of an incident that began when the manager was started.
fn request(cluster: &Cluster, id: u64, link: &str) -> Value {
    let health = cluster.managers[0].api().get("/api/v1/health").json();
    let since = format!("{}Z", &health["started"].as_str().expect("a time")[.."2026-01-01T00:00:00".len()]);
    json!({
        "type": "mx.request", "id": format!("{id:016x}"), "kind": "incidentHandOver", "link": link, "since": since,
        "severity": "major", "alarmType": "link-down", "validForS": 3_600,
    })
}

/// Sends objects in one report and gives its answer, and what is said of requests up to then and behind it, `outcomes` in number.
fn say(client: &mut RawClient, number: u64, objects: &[Value], outcomes: usize) -> (Value, Vec<Value>) {
    let message_id = format!("h{number}");
    client.send(&json!({
        "messageType": "statusReport", "messageId": message_id, "componentId": "manager-west", "extension": objects,
    }));
    let (mut answer, mut told) = (None, Vec::new());
    while answer.is_none() || told.len() < outcomes {
        let message = client.receive();
        if message["messageId"] == message_id.as_str() {
            answer = Some(message);
            continue;
        }
        let extension = message["extension"].as_array().cloned().unwrap_or_default();
        told.extend(extension.into_iter().filter(|object| object["type"] == "mx.outcome"));
    }
    (answer.expect("it was answered"), told)
}

#[test]
fn who_asks_for_what_is_not_his_or_too_much_is_refused_and_harms_nobody() {
    let mut cluster = prepared("\"incident\"");
    cluster.managers[0].launch();
    let east = &cluster.managers[0];
    let mut client = impostor(&cluster);
    // Form: refused as a whole, with its place; free text has none.
    let request = |id: u64, link: &str| request(&cluster, id, link);
    let mut talks = request(1, "vienna-brno");
    talks["severity"] = "call Jane about the key".into();
    let (answer, _) = say(&mut client, 1, &[talks], 0);
    assert_eq!(response_code(&answer), "rejected");
    assert!(answer["response"].as_str().unwrap().contains("mx[0]: `mx.request`: /severity"), "{answer}");
    let crowd: Vec<Value> = (0..17).map(|id| request(id, "vienna-brno")).collect();
    let (answer, _) = say(&mut client, 2, &crowd, 0);
    assert!(
        response_code(&answer) == "rejected" && answer["response"].as_str().unwrap().contains("at most 16"),
        "{answer}"
    );
    // A link that is not between the two.
    let (answer, told) = say(&mut client, 3, &[request(1, "north-south")], 1);
    assert_eq!((response_code(&answer), &told[0]["reason"]), ("success", &"unknown-link".into()), "{told:?}");
    // One that may wait waits, however often it comes; what was refused stays refused.
    let (_, told) =
        say(&mut client, 4, &[request(2, "vienna-brno"), request(2, "vienna-brno"), request(1, "vienna-brno")], 3);
    let states: Vec<&Value> = told.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["pending", "pending", "refused"], "{told:?}");
    // More than may wait, and faster than is taken.
    let crowd: Vec<Value> = (10..26).map(|id| request(id, "vienna-brno")).collect();
    let (_, told) = say(&mut client, 5, &crowd, 16);
    let refused = told.iter().filter(|one| one["state"] == "refused" && one["reason"] == "too-often").count();
    assert!(refused >= 1, "{told:?}");
    // It decides nothing of what it did not get, and nothing of its own.
    let outcome = |id: u64| json!({ "type": "mx.outcome", "id": format!("{id:016x}"), "state": "accepted" });
    say(&mut client, 6, &[outcome(2), outcome(77)], 0);
    let api = east.api();
    eventually("outcomes that nobody asked for, counted", patience(), || {
        (api.metric("qkdn_federation_requests_total", &["event=\"unexpected\""]) == 2.0).then_some(())
    });
    let kept = api.list("/api/v1/peer-requests");
    assert!(kept.len() <= 16 && kept.iter().all(|one| one["state"] == "pending"), "{kept:?}");
    assert_eq!(api.metric("qkdn_federation_requests_waiting", &[]), kept.len() as f64);
    // However many wait, there is one alarm; it goes with the last.
    api.await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == false);
    let of_requests = || {
        let alarms = api.list("/api/v1/alarms").into_iter();
        alarms.filter(|alarm| alarm["alarmTypeId"] == "peer-request-waiting").collect::<Vec<Value>>()
    };
    assert_eq!(of_requests().len(), 1, "{:?}", of_requests());
    for one in &kept {
        assert!(of_requests().iter().all(|alarm| alarm["isCleared"] == false), "{:?}", of_requests());
        tell(east, &["peer", "requests", "accept", one["id"].as_str().unwrap()]);
    }
    api.await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == true);
    assert_eq!(of_requests().len(), 1, "{:?}", of_requests());
    assert!(
        !audit(east).iter().any(|entry| entry.to_string().contains("too-often")),
        "the trail is not for it to fill"
    );
    client.finish();
}

#[test]
fn what_was_asked_is_withdrawn_by_the_one_who_asked_and_told_on_both_sides() {
    let cluster = started(ALL);
    let (east, west) = (&cluster.managers[0], &cluster.managers[1]);
    // One that waits.
    let arguments =
        ["peer", "request", "emergency-priority", "manager-west", "--link", "vienna-brno", "--until", "+1h"];
    let asked = tell(east, &[&arguments[..], &["--cause", "path-lost"]].concat());
    let id = asked["id"].as_str().unwrap();
    await_state(west, id, "pending");
    west.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == false);
    // Not by the other side, and not without a token.
    let theirs = west.admin_command(&["peer", "requests", "withdraw", id]);
    let text = String::from_utf8_lossy(&theirs.stderr).into_owned();
    assert!(!theirs.status.success() && text.contains("domain east asked this"), "{text}");
    let path = format!("/api/v1/peer-requests/{id}/withdraw");
    assert_eq!(east.api().post(&path, None, &json!({})).status, 401);
    let done = tell(east, &["peer", "requests", "withdraw", id]);
    assert_eq!((&done["state"], &done["by"]), (&"withdrawn".into(), &"admin-test".into()), "{done}");
    await_state(west, id, "withdrawn");
    west.api().await_alarm("peer-request-waiting", |alarm| alarm["isCleared"] == true);
    await_audited(east, id, "operator", "withdrew request");
    await_audited(west, id, "federation", "withdrew its request");
    let token = Some(harness::settings::ADMIN_TOKEN);
    assert_eq!(east.api().post(&path, token, &json!({})).status, 409);
    assert_eq!(east.api().post("/api/v1/peer-requests/0000000000000000/withdraw", token, &json!({})).status, 404);
    // One that was answered stands.
    let asked = tell(east, &[&arguments[..], &["--cause", "exercise"]].concat());
    let id = asked["id"].as_str().unwrap();
    await_state(west, id, "pending");
    tell(west, &["peer", "requests", "accept", id]);
    await_state(east, id, "accepted");
    let late = east.admin_command(&["peer", "requests", "withdraw", id]);
    let text = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(!late.status.success() && text.contains("the request is accepted"), "{text}");
}

#[test]
fn maintenance_that_is_withdrawn_explains_no_alarm_any_more_also_after_both_were_killed() {
    let mut cluster = started(ALL);
    let id = asks_for_maintenance(&cluster.managers[0], "manager-west", &[]);
    await_state(&cluster.managers[1], &id, "pending");
    tell(&cluster.managers[1], &["peer", "requests", "accept", &id]);
    await_state(&cluster.managers[0], &id, "accepted");
    cluster.says(1, 0.1);
    let marked = |alarm: &Value| alarm["maintenance"]["request"] == id.as_str();
    cluster.managers[1].api().await_alarm("key-store-low", marked);
    // The other side is away: it is told when it comes back, by a manager that was killed meanwhile.
    cluster.managers[1].kill();
    tell(&cluster.managers[0], &["peer", "requests", "withdraw", &id]);
    cluster.managers[0].crash_and_restart();
    await_state(&cluster.managers[0], &id, "withdrawn");
    cluster.managers[1].launch();
    await_state(&cluster.managers[1], &id, "withdrawn");
    let alarm = cluster.managers[1].api().await_alarm("key-store-low", |alarm| alarm["maintenance"].is_null());
    assert_eq!(alarm["isCleared"], false, "{alarm}");
    eventually("no window in the section", patience(), || {
        let counted = section(&cluster.domain(1, "east"), "maintenance");
        (counted == json!({ "announced": 0, "underWay": 0 })).then_some(())
    });
}
