//! A manager that knows nothing of what ours exchange: it is served and understood with plain objects.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use harness::{Identity, RawClient, eventually, patience, response_code};
use serde_json::json;

use crate::cluster::Cluster;

/// Starts the manager in the east with a foreign manager among its peers; gives that one's certificate.
fn with_foreign(cluster: &mut Cluster) -> Identity {
    let pki = harness::pki::TestPki::new(&cluster.managers[0].root().join("foreign"));
    let anchor = pki.anchor_file();
    cluster.configure(&[(0, 1)]);
    cluster.managers[0].settings_mut().more +=
        &format!("[[peers]]\nid = \"manager-old\"\ndomain = \"old\"\ntrust_anchors = {anchor:?}\n");
    cluster.managers[0].launch();
    pki.issue("mx", "manager-old")
}

/// The plain client of the examples, which shares no code with the project, in the part of the foreign manager.
struct Agent(Child);

impl Agent {
    fn start(cluster: &Cluster, identity: &Identity, arguments: &[&str], output: &Path) -> Self {
        let file = harness::manager::output_file(output);
        let east = &cluster.managers[0];
        let watches = arguments.first() == Some(&"watch");
        let mut command = Command::new("python3");
        command.args(["-u", "-m", "qkd_agent"]).args(watches.then_some("watch"));
        command
            .args(["--manager", &format!("localhost:{}", east.address("mx").port()), "--component-id", "manager-old"])
            .arg("--cert")
            .arg(&identity.certificate_file)
            .arg("--key")
            .arg(&identity.key_file)
            .arg("--ca")
            .arg(east.pki.anchor_file())
            .arg("--state")
            .arg(output.with_extension("json"))
            .args(&arguments[usize::from(watches)..])
            .current_dir(harness::binary::repository().join("examples/python-client"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the file"))
            .stderr(file);
        Self(command.spawn().expect("python3 starts"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_plain_python_client_is_served_and_understood_as_a_manager() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    let identity = with_foreign(&mut cluster);
    cluster.managers[1].launch();
    cluster.await_seen(0, "west", "fresh");
    let east = &cluster.managers[0];
    for (more, name) in [(&["--no-subscriptions"][..], "tells"), (&[], "serves")] {
        let before = east.api().get("/api/v1/components/mx/manager-old").json()["reports"].as_u64().unwrap_or(0);
        let output = east.root().join(format!("{name}.log"));
        let arguments: Vec<&str> = ["--interval", "0.1"].iter().chain(more).copied().collect();
        let agent = Agent::start(&cluster, &identity, &arguments, &output);
        let printed = || std::fs::read_to_string(&output).unwrap_or_default();
        eventually(&format!("five reports; it printed:\n{}", printed()), patience(), || {
            let known = east.api().get("/api/v1/components/mx/manager-old").json();
            (known["reports"].as_u64() >= Some(before + 5)).then_some(())
        });
        let peer = eventually("its answer to our subscription", patience(), || {
            let peer = east.api().get("/api/v1/peers/manager-old").json();
            (!peer["tellsUs"].is_null() && peer["connected"] == true).then_some(peer)
        });
        assert_eq!(peer["tellsUs"], false, "what we asked for it does not have: {peer}\n{}", printed());
        // What it says is kept as what a component says, and it can be asked.
        assert!(east.api().value("mx/manager-old", "key_store_fill_ratio").is_some(), "{}", printed());
        let asked = east.admin_command(&["component", "request", "mx/manager-old", "-o", "json"]);
        assert!(asked.status.success(), "{}\n{}", String::from_utf8_lossy(&asked.stderr), printed());
        assert!(!printed().contains("refused") && !printed().contains("mx."), "{}", printed());
        drop(agent);
        eventually("its end", patience(), || {
            (east.api().get("/api/v1/peers/manager-old").json()["connected"] == false).then_some(())
        });
    }
    // Nobody else is concerned, nothing was told to it that it did not ask for, and it has no alarm but its own silence.
    assert_eq!(cluster.domain(0, "west")["freshness"], "fresh");
    assert!(east.api().list("/api/v1/peers/manager-old/disclosures").is_empty());
    assert_eq!(cluster.domain(0, "old")["freshness"], "unheard");
    let alarms = east.api().list("/api/v1/alarms");
    assert!(!alarms.iter().any(|alarm| alarm["alarmTypeId"] == "unauthorized-report"), "{alarms:?}");
}

#[test]
fn its_plain_status_is_taken_and_ours_is_given() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    let identity = with_foreign(&mut cluster);
    let east = &cluster.managers[0];
    let mut client = RawClient::connect(east.address("mx"), &identity, &east.pki.anchor());
    // It is asked to tell us things, and does not know how: it says so.
    let wish = client.receive();
    assert_eq!((&wish["messageType"], &wish["extension"][0]["type"]), (&json!("subscribe"), &json!("subscription")));
    client.send(&json!({
        "messageType": "subscribeResponse", "messageId": wish["messageId"], "componentId": "manager-east",
        "response": "unsupported: no subscriptions here",
    }));
    let report = json!({
        "messageType": "statusReport", "messageId": "r1", "componentId": "manager-old",
        "extension": [{"type": "state", "values": {"service_state": "degraded"}}],
    });
    assert_eq!(response_code(&client.ask(&report)), "success");
    let kept = east.api().get("/api/v1/components/mx/manager-old").json();
    assert_eq!(kept["reports"], 1, "{kept}");
    let answer = client.ask(&json!({ "messageType": "statusReportRequest", "messageId": "q1" }));
    assert_eq!(answer["messageType"], "statusReportRequestResponse");
    assert_eq!((response_code(&answer), &answer["componentId"]), ("success", &json!("manager-east")));
    assert_eq!(answer["extension"][0], json!({"type": "state", "values": {"service_state": "available"}}));
    let peers = east.api().list("/api/v1/peers");
    let old = peers.iter().find(|peer| peer["id"] == "manager-old").unwrap();
    assert_eq!((&old["connected"], &old["tellsUs"]), (&json!(true), &json!(false)), "{old}");
    // It never asked for what managers exchange, and is told nothing of it.
    let preview = east.api().list("/api/v1/peers/manager-old/disclosures");
    assert!(preview.is_empty(), "{preview:?}");
    client.finish();
}
