//! Components that are not listed: they wait, are approved or rejected, and what was decided holds.

use harness::{
    Closing, Identity, ManagerProcess, RawClient, Settings, TestPki, eventually,
    pki::Request,
    report, response_code,
    settings::{ADMIN_TOKEN, OPERATOR_TOKEN, VIEWER_TOKEN},
    waiting::patience,
};
use serde_json::{Value, json};

/// A manager where one component is listed and others have to be approved.
fn settings() -> Settings {
    let mut settings = Settings::one("mk", &["km-1"]);
    settings.manager = "enrolment = \"approve\"".to_owned();
    settings
}

fn answer(client: &mut RawClient, id: &str) -> String {
    client.ask(&report(id, json!([])))["response"].as_str().unwrap().to_owned()
}

fn enrolments(manager: &ManagerProcess, query: &str) -> Vec<Value> {
    manager.api().list(&format!("/api/v1/enrolments?{query}"))
}

fn fingerprint(identity: &Identity) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &identity.certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decide(manager: &ManagerProcess, id: &str, action: &str, body: &Value) -> (u16, Value) {
    let answer = manager.api().post(&format!("/api/v1/components/mk/{id}/{action}"), Some(ADMIN_TOKEN), body);
    (answer.status, answer.json())
}

/// The last word to a connection that is closed in good order.
fn last_word(client: &mut RawClient) -> String {
    let (answers, closing) = client.drain();
    assert_eq!(closing, Closing::Orderly);
    answers.last().unwrap()["response"].as_str().unwrap().to_owned()
}

#[test]
fn a_component_waits_until_it_is_approved_and_stays_approved_after_kill_9() {
    let mut manager = ManagerProcess::start(settings());
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");
    let identity = manager.component_identity("mk", "km-9");
    let waiting = enrolments(&manager, "state=waiting");
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let one = &waiting[0];
    assert_eq!(one["component"], "mk/km-9");
    assert_eq!(one["fingerprint"], fingerprint(&identity));
    assert_eq!(one["san"], "urn:qkdn:mk:km-9");
    assert_eq!(one["connections"], 1);
    assert!(one["issuer"].as_str().unwrap().contains("test authority"), "{one}");
    assert!(one["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{one}");
    // One alarm, however often it asks.
    for _ in 0..20 {
        assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");
    }
    let alarm = manager.api().await_alarm("component-awaiting-approval", |alarm| alarm["isCleared"] == false);
    assert_eq!((alarm["component"].as_str(), alarm["raiseCount"].as_u64()), (Some("mx/manager-test"), Some(1)));
    assert!(alarm["text"].as_str().unwrap().contains(&fingerprint(&identity)), "{alarm}");
    assert_eq!(manager.api().metric("qkdn_enrolment_components_waiting", &[]), 1.0);
    let facts = alarm["additionalInformation"].as_array().unwrap();
    assert!(facts.iter().any(|fact| fact["name"] == "SAN" && fact["value"] == "urn:qkdn:mk:km-9"), "{alarm}");

    let shown = manager.command(&["component", "show", "mk/km-9"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("waiting") && shown.contains(&fingerprint(&identity)), "{shown}");
    let listed = String::from_utf8(manager.command(&["component", "list", "--waiting"]).stdout).unwrap();
    assert!(listed.contains("mk/km-9") && listed.contains("1 component waiting"), "{listed}");

    // Another certificate than the one that is meant: nothing is decided.
    let other = manager.admin_command(&["component", "approve", "mk/km-9", "--fingerprint", &"0".repeat(64)]);
    assert!(!other.status.success());
    assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");

    let marked = format!("sha256:{}", fingerprint(&identity).to_uppercase());
    let done = manager.admin_command(&["component", "approve", "mk/km-9", "--fingerprint", &marked, "--note", "new"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // On the connection that waited, without connecting again.
    assert_eq!(answer(&mut client, "km-9"), "success");
    assert!(enrolments(&manager, "state=waiting").is_empty());
    manager.api().await_alarm("component-awaiting-approval", |alarm| alarm["isCleared"] == true);

    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "success");
    let decided = enrolments(&manager, "component=mk/km-9");
    assert_eq!(decided.len(), 1);
    assert_eq!(
        (decided[0]["state"].as_str(), decided[0]["decidedBy"].as_str()),
        (Some("approved"), Some("admin-test"))
    );
    assert_eq!(decided[0]["note"], "new");

    // After an orderly end it comes from the state database.
    manager.stop();
    manager.launch();
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "success");
    manager.stop();
    let trail = std::fs::read_to_string(manager.data_dir().join("audit.jsonl")).unwrap();
    let entries: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let came = entries.iter().find(|entry| entry["kind"] == "enrolment").unwrap();
    assert_eq!(came["detail"]["fingerprint"], format!("sha256:{}", fingerprint(&identity)));
    let approved = entries.iter().find(|entry| entry["detail"]["verdict"] == "approved").unwrap();
    assert_eq!((approved["kind"].as_str(), approved["who"].as_str()), (Some("operator"), Some("admin-test")));
    assert_eq!(approved["detail"]["fingerprint"], fingerprint(&identity));
    let verified = manager.command(&["audit", "verify", manager.data_dir().to_str().unwrap()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let replayed = manager.command(&["storage", "replay", "--check", manager.data_dir().to_str().unwrap()]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
}

#[test]
fn a_rejected_component_is_refused_at_connection_until_it_is_approved() {
    let mut manager = ManagerProcess::start(settings());
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");
    assert_eq!(decide(&manager, "km-9", "reject", &json!({ "note": "nobody knows it" })).0, 200);
    assert!(last_word(&mut client).starts_with("not-authorized: an operator of the manager has rejected"));
    let refused = |manager: &ManagerProcess| {
        let word = last_word(&mut manager.connect("mk", "km-9"));
        assert!(word.starts_with("not-authorized: an operator of the manager has rejected"), "{word}");
    };
    refused(&manager);
    assert!(manager.api().metric("qkdn_net_handshakes_refused_total", &["rejected-by-operator"]) >= 1.0);
    manager.api().await_alarm("authentication-failed", |alarm| {
        alarm["text"].as_str().is_some_and(|text| text.contains("rejected-by-operator"))
    });
    manager.crash_and_restart();
    refused(&manager);
    // It can be approved later, without waiting again.
    assert_eq!(decide(&manager, "km-9", "approve", &json!({})).0, 200);
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "success");
    // And rejected while it reports: it is closed, and what it had reported stays.
    assert_eq!(decide(&manager, "km-9", "reject", &json!({})).0, 200);
    assert!(last_word(&mut client).starts_with("not-authorized: an operator of the manager has rejected"));
    assert_eq!(manager.api().get("/api/v1/components/mk/km-9").json()["reports"], 1);
    // Who is listed is not concerned.
    assert_eq!(answer(&mut manager.connect("mk", "km-1"), "km-1"), "success");
}

#[test]
fn an_approval_holds_for_a_renewed_certificate_and_not_for_another_authority() {
    let mut other = None;
    let manager = ManagerProcess::start_with(|pki, root| {
        let second = TestPki::new(&root.join("second"));
        let mut settings = settings();
        let anchors = format!("trust_anchors = [{:?}, {:?}]", pki.anchor_file(), second.anchor_file());
        settings.interfaces[0].lines = anchors;
        other = Some(second);
        settings
    });
    manager.expect_warnings();
    let other = other.unwrap();
    let connect = |identity: &Identity| RawClient::connect(manager.address("mk"), identity, &manager.pki.anchor());
    let (genuine, foreign) = (manager.pki.issue("mk", "km-9"), other.issue("mk", "km-9"));
    let (mut first, mut second) = (connect(&genuine), connect(&foreign));
    assert_eq!(answer(&mut first, "km-9"), "not-authorized: awaiting approval");
    assert_eq!(answer(&mut second, "km-9"), "not-authorized: awaiting approval");
    let (status, problem) = decide(&manager, "km-9", "approve", &json!({}));
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("2 authorities"), "{problem}");
    assert_eq!(decide(&manager, "km-9", "approve", &json!({ "fingerprint": fingerprint(&genuine) })).0, 200);
    assert_eq!(answer(&mut first, "km-9"), "success");
    assert_eq!(answer(&mut second, "km-9"), "not-authorized: awaiting approval");
    let mut renewed = connect(&manager.pki.issue("mk", "km-9"));
    assert_eq!(answer(&mut renewed, "km-9"), "success");
    // Now only the other one waits: rejecting it leaves the genuine one alone.
    assert_eq!(decide(&manager, "km-9", "reject", &json!({})).0, 200);
    assert!(last_word(&mut second).contains("rejected"));
    assert_eq!(answer(&mut renewed, "km-9"), "success");
    let states: Vec<Value> =
        enrolments(&manager, "component=mk/km-9").into_iter().map(|one| one["state"].clone()).collect();
    assert!(states.contains(&json!("approved")) && states.contains(&json!("rejected")) && states.len() == 2);
}

#[test]
fn only_administrators_decide_and_only_about_who_showed_up() {
    let manager = ManagerProcess::start(settings());
    manager.expect_warnings();
    let mut client = manager.connect("mk", "km-9");
    assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");
    let path = "/api/v1/components/mk/km-9/approve";
    for token in [Some(VIEWER_TOKEN), Some(OPERATOR_TOKEN)] {
        assert_eq!(manager.api().post(path, token, &json!({})).status, 403);
    }
    assert_eq!(manager.api().post(path, None, &json!({})).status, 401);
    assert_eq!(decide(&manager, "km-8", "approve", &json!({})).0, 404);
    assert_eq!(decide(&manager, "km-1", "reject", &json!({})).0, 404, "who is listed is not decided about");
    assert_eq!(decide(&manager, "km-9", "approve", &json!({ "fingerprint": "x" })).0, 400);
    assert_eq!(answer(&mut client, "km-9"), "not-authorized: awaiting approval");
}

#[test]
fn a_reload_settles_who_waits() {
    let mut manager = ManagerProcess::start(settings());
    manager.expect_warnings();
    let (mut first, mut second) = (manager.connect("mk", "km-8"), manager.connect("mk", "km-9"));
    assert_eq!(answer(&mut first, "km-8"), "not-authorized: awaiting approval");
    assert_eq!(answer(&mut second, "km-9"), "not-authorized: awaiting approval");
    assert_eq!(enrolments(&manager, "state=waiting").len(), 2);
    // Listed in the file: nobody has to approve it.
    manager.change_settings(|settings| *settings = settings.clone().component("mk", "km-8", ""));
    assert_eq!(manager.reload_settings().status, 200);
    assert_eq!(answer(&mut first, "km-8"), "success");
    assert_eq!(enrolments(&manager, "state=waiting").len(), 1);
    // Taken from the file again: it waits, on a connection that tells whose authority it is.
    manager.change_settings(|settings| drop(settings.components.pop()));
    assert_eq!(manager.reload_settings().status, 200);
    let waits = eventually("km-8 to wait", patience(), || {
        let mut client = manager.connect("mk", "km-8");
        (answer(&mut client, "km-8") == "not-authorized: awaiting approval").then_some(client)
    });
    let mut waits = waits;
    assert_eq!(decide(&manager, "km-8", "approve", &json!({})).0, 200);
    assert_eq!(answer(&mut waits, "km-8"), "success");
    // Without approval whoever has a certificate may report, and nobody waits.
    manager.change_settings(|settings| settings.manager = "enrolment = \"certificate\"".to_owned());
    assert_eq!(manager.reload_settings().status, 200);
    assert_eq!(answer(&mut second, "km-9"), "success");
    assert!(enrolments(&manager, "state=waiting").is_empty());
}

#[test]
fn beyond_the_limit_who_would_wait_is_told_so() {
    // As many as `ENROLMENT_WAITING` in the limits.
    const MOST: usize = 256;
    let manager = ManagerProcess::start(settings());
    manager.expect_warnings();
    let all: Vec<String> = (0..MOST).map(|n| format!("urn:qkdn:mk:many-{n}")).collect();
    let mut request = Request::uri("many", &all[0]);
    request.uris = all;
    let many = manager.pki.issue_as(request);
    let mut client = RawClient::connect(manager.address("mk"), &many, &manager.pki.anchor());
    assert_eq!(answer(&mut client, "many-0"), "not-authorized: awaiting approval");
    assert_eq!(response_code(&client.ask(&report("many-255", json!([])))), "not-authorized");
    assert_eq!(manager.api().list("/api/v1/enrolments?state=waiting").len(), MOST);
    let word = last_word(&mut manager.connect("mk", "km-9"));
    assert!(word.contains("256 others await approval"), "{word}");
    assert!(manager.api().metric("qkdn_enrolment_refused_total", &[]) >= 1.0);
    // Alarms stay few.
    manager.api().await_alarm("component-awaiting-approval", |alarm| alarm["isCleared"] == false);
    let alarms = manager.api().list("/api/v1/alarms");
    assert!(alarms.len() <= 33, "{}", alarms.len());
    // Once that connection has gone, the place of one of them is given to who comes.
    drop(client);
    let mut late = eventually("a place", patience(), || {
        let mut late = manager.connect("mk", "km-9");
        late.send(&report("km-9", json!([])));
        let answer = late.receive()["response"].as_str().unwrap().to_owned();
        (answer == "not-authorized: awaiting approval").then_some(late)
    });
    assert_eq!(answer(&mut late, "km-9"), "not-authorized: awaiting approval");
}
