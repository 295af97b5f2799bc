//! A manager that knows nothing of what ours exchange: it is served and understood with plain objects.

use harness::{RawClient, response_code};
use serde_json::json;

use crate::cluster::Cluster;

fn foreign(cluster: &mut Cluster) -> RawClient {
    let pki = harness::pki::TestPki::new(&cluster.managers[0].root().join("foreign"));
    let anchor = pki.anchor_file();
    cluster.configure(&[(0, 1)]);
    cluster.managers[0].settings_mut().more +=
        &format!("[[peers]]\nid = \"manager-old\"\ndomain = \"old\"\ntrust_anchors = {anchor:?}\n");
    cluster.managers[0].launch();
    let identity = pki.issue("mx", "manager-old");
    RawClient::connect(cluster.managers[0].address("mx"), &identity, &cluster.managers[0].pki.anchor())
}

#[test]
fn its_plain_status_is_taken_and_ours_is_given() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    let mut client = foreign(&mut cluster);
    let east = &cluster.managers[0];
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
