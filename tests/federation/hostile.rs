//! Somebody with the certificate of a peer who says what is not so: nothing of it is believed, and nobody else is harmed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{RawClient, response_code};
use serde_json::{Value, json};

use crate::cluster::{Cluster, version};

/// A connection with the identity of the manager in the west, which does not run.
fn impostor(cluster: &Cluster) -> RawClient {
    let west = cluster.managers[1].identity();
    RawClient::connect(cluster.managers[0].address("mx"), west, &cluster.managers[0].pki.anchor())
}

fn manifest(origin: &str, epoch: u64) -> Value {
    let payload = json!({
        "v": 1, "federation": "test", "origin": origin, "audience": "federation", "keyGen": 1, "epoch": epoch, "seq": 1,
        "issuedAt": 1, "validForMs": 45_000, "sections": {},
    });
    let header = json!({ "alg": "EdDSA", "kid": "x", "typ": "qkdn-mx+jws" });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let jws = json!({ "protected": encode(&header), "payload": encode(&payload), "signature": "AAAA" });
    json!({ "type": "mx.manifest", "ageMs": 0, "jws": jws })
}

fn report(number: u32, objects: &[Value]) -> Value {
    json!({
        "messageType": "statusReport", "messageId": format!("h{number}"), "componentId": "manager-west",
        "extension": objects,
    })
}

#[test]
fn what_is_forged_or_malformed_changes_nothing() {
    let mut cluster = Cluster::prepare(&["east", "west", "north"]);
    cluster.configure(&[(0, 1), (0, 2)]);
    cluster.managers[0].launch();
    cluster.managers[2].launch();
    cluster.await_seen(0, "north", "fresh");
    let before = cluster.domain(0, "north");
    let mut client = impostor(&cluster);
    let wish = client.receive();
    assert_eq!(wish["messageType"], "subscribe");
    // Form: refused as a whole, with the place.
    let answer = client.ask(&report(1, &[json!({"type": "mx.root", "hash": "short"})]));
    assert_eq!(response_code(&answer), "rejected");
    assert!(answer["response"].as_str().unwrap().contains("mx[0]"), "{answer}");
    // Content: the report is one like any other; what it holds is dropped.
    for (number, origin) in [(2, "west"), (3, "north"), (4, "east"), (5, "nowhere")] {
        let answer = client.ask(&report(number, &[manifest(origin, 1 << 52)]));
        assert_eq!(response_code(&answer), "success", "{answer}");
    }
    // An adjacent domain's document does not come by way of others; a want of what is not ours to see brings nothing.
    let want = json!({"type": "mx.want", "wants": [{"origin": "north", "audience": "adjacent:east"}]});
    let answer = client.ask(&json!({
        "messageType": "statusReportRequest", "messageId": "q1", "componentId": "manager-east", "extension": [want],
    }));
    assert_eq!((response_code(&answer), &answer["extension"]), ("success", &json!([])), "{answer}");
    let after = cluster.domain(0, "north");
    assert_eq!(version(&before).1, version(&after).1, "{after}");
    assert_eq!(cluster.domain(0, "west")["freshness"], "unheard");
    assert_eq!(cluster.domain(0, "east")["freshness"], "fresh");
    let audit = cluster.managers[0].admin_command(&["audit", "list", "-o", "csv"]);
    let audit = String::from_utf8(audit.stdout).unwrap();
    let told = audit.lines().filter(|line| line.contains(",federation,west,")).count();
    assert!(told >= 3, "{audit}");
    // The honest peer's session lives on.
    assert_eq!(cluster.managers[0].api().get("/api/v1/peers/manager-north").json()["connected"], true);
    client.finish();
}

#[test]
fn the_authority_of_a_peer_vouches_for_that_peer_alone() {
    let mut cluster = Cluster::prepare(&["east", "west"]);
    cluster.configure(&[(0, 1)]);
    cluster.managers[0].launch();
    let east = &cluster.managers[0];
    let pki = &cluster.managers[1].pki;
    for identity in [pki.issue("mx", "manager-north"), pki.issue("mk", "km-1")] {
        let point = if identity.certificate_file.ends_with("mk-km-1.pem") { "mk" } else { "mx" };
        let hello = harness::raw_client::Hello::new(&identity, &east.pki.anchor());
        let refused = match RawClient::try_connect(east.address(point), &hello) {
            Err(_) => true,
            // TLS 1.3 tells the client after its own handshake is done.
            Ok(mut client) => client.try_receive().is_err(),
        };
        assert!(refused, "{point}");
    }
    east.api().await_alarm("authentication-failed", |alarm| alarm["component"] == "mx/manager-east");
}
