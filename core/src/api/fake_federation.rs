//! A federation for tests of the API: one peer, two domains.

use serde_json::json;

use super::{
    federation_desk::FederationDesk,
    views::{
        DisclosureView, DomainAlarmView, DomainComparisonView, DomainLinkView, DomainPathView, DomainView, GraphView,
        PeerView, PreviewView,
    },
};
use crate::telemetry::federation::FederationLevels;

/// The federation.
pub(super) struct FakeFederation;

fn document() -> serde_json::Value {
    json!({
        "audience": "federation", "version": "1.7.3", "issued": "2026-01-01T00:00:00Z", "manifestBytes": 900, "from": "west", "via": [],
        "sections": [{ "name": "health", "bytes": 17, "content": { "components": {} }, "malformed": null, "withheld": null }],
    })
}

fn rollup() -> serde_json::Value {
    let source = json!({ "domain": "south", "state": "fresh", "maxAgeMs": 45_000, "audience": "federation", "version": "1.7.3",
        "manifestHash": "AAAAAAAAAAAAAAAAAAAAAA" });
    json!({
        "area": "north", "aggregator": "west", "sumOf": "1 fresh (max age 45 s)", "components": {}, "raised": {}, "links": { "states": {} },
        "domains": { "fresh": 1 }, "maxAgeMs": 45_000, "check": "agrees", "detail": "", "differences": ["east leaves south out, stale"], "sources": [source],
    })
}

/// The same in numbers.
pub(super) fn levels() -> FederationLevels {
    FederationLevels {
        domains: vec![("fresh", 1), ("stale", 0)],
        peers: 1,
        connected: 1,
        ..FederationLevels::default()
    }
}

impl FederationDesk for FakeFederation {
    fn peers(&self) -> Vec<PeerView> {
        let peer = json!({
            "id": "manager-west", "domain": "west", "keyGeneration": 1, "minEpoch": 0, "address": "192.0.2.9:7107", "connected": true,
            "since": "2026-01-01T00:00:00Z", "dialled": true, "peerAddress": "192.0.2.9:7107", "tellsUs": true,
            "roundTripMs": 1.5, "sent": 3, "answered": 1, "freshness": "fresh",
            "heardBeforeMs": 40, "relays": true, "dropped": 0,
        });
        vec![serde_json::from_value(peer).unwrap()]
    }

    fn domains(&self) -> Vec<DomainView> {
        let domain = |name: &str, own: bool| {
            let domain = json!({
                "domain": name, "own": own, "area": "north", "role": "aggregator", "freshness": "fresh", "ageMs": 12, "disputed": false,
                "documents": [document()], "rollups": [rollup()],
            });
            serde_json::from_value(domain).unwrap()
        };
        vec![domain("east", true), domain("west", false)]
    }

    fn links(&self) -> Vec<DomainLinkView> {
        let link = json!({
            "id": "vienna-brno", "domain": "west", "state": "up", "ours": { "state": "up" }, "theirs": { "state": "up" },
            "freshness": "fresh", "differences": [],
        });
        vec![serde_json::from_value(link).unwrap()]
    }

    fn graph(&self) -> GraphView {
        let graph = json!({
            "domain": "east", "unreached": ["north"], "bottlenecks": [{ "domain": "west", "cutsOff": ["south"] }],
            "connections": [{ "one": "east", "other": "west", "knownBy": "session" }, { "one": "south", "other": "west", "knownBy": "told" }],
        });
        serde_json::from_value(graph).unwrap()
    }

    fn comparisons(&self) -> Vec<DomainComparisonView> {
        let relation = json!({
            "kind": "key-relation", "id": "vienna-brno-keys", "domain": "west", "state": "up", "ours": { "state": "up" },
            "theirs": { "state": "up" }, "freshness": "fresh", "differences": [],
        });
        vec![serde_json::from_value(relation).unwrap()]
    }

    fn path(&self, from: &str, to: &str) -> Result<DomainPathView, String> {
        let known = ["east", "west"];
        let unknown = [from, to].into_iter().find(|name| !known.contains(name));
        unknown.map_or(Ok(()), |name| Err(name.to_owned()))?;
        let least = json!({ "value": null, "link": null, "notDisclosed": ["vienna-brno"] });
        let end = |domain: &str, state: serde_json::Value| json!({ "domain": domain, "state": state, "toldTo": "own", "ageMs": 3 });
        let hop = json!({
            "link": "vienna-brno", "from": from, "to": to, "state": "up", "ends": [end(from, "up".into()), end(to, json!(null))],
        });
        let path = json!({
            "from": from, "to": to, "state": "up", "hops": [hop], "bottleneckRateBps": least, "lowestStoreFillRatio": least,
            "alternative": null, "withoutOtherWay": ["vienna-brno"], "undisclosed": ["west"],
        });
        Ok(serde_json::from_value(path).unwrap())
    }

    fn alarms(&self) -> Vec<DomainAlarmView> {
        let end = |domain: &str| json!({ "domain": domain, "state": "down", "since": "2026-01-01T00:00:00Z" });
        let alarm = json!({
            "link": "vienna-brno", "domains": ["east", "west"], "severity": "critical", "sides": "both", "first": "west",
            "ends": [end("east"), end("west")],
        });
        vec![serde_json::from_value(alarm).unwrap()]
    }

    fn preview(&self, peer: &str) -> Option<PreviewView> {
        let preview = json!({ "domain": "west", "own": [document()], "relayed": ["north"] });
        (peer == "manager-west").then(|| serde_json::from_value(preview).unwrap())
    }

    fn disclosures(&self, peer: &str, limit: u32) -> Option<Result<Vec<DisclosureView>, String>> {
        let told = json!({
            "time": "2026-01-01T00:00:00Z", "audience": "federation", "version": "1.7.3", "sections": ["health"],
            "bytes": 17,
        });
        let told: DisclosureView = serde_json::from_value(told).unwrap();
        (peer == "manager-west").then(|| Ok(vec![told; limit.min(2) as usize]))
    }
}
