//! A software-defined QKD node as the YANG module `etsi-qkd-sdn-node` of ETSI GS QKD 015 has it, over RESTCONF (RFC 8040): the
//! tree `qkd_node`, as JSON of RFC 7951. It can be read, not changed.
//!
//! In: method and path, how the node is, the time. Out: a status and a document.

use serde_json::{Value, json};

use super::{LinkView, NodeView, etsi014::Reply};
use crate::model::Timestamp;

/// Where RESTCONF has its data.
const DATA: &str = "/restconf/data/";
/// Length of a period of statistics, milliseconds.
const PERIOD_MS: i64 = 60_000;

fn error(status: u16, tag: &str, message: &str) -> Reply {
    let one = json!({ "error-type": "protocol", "error-tag": tag, "error-message": message });
    (status, json!({ "ietf-restconf:errors": { "error": [one] } }))
}

/// Answers.
#[must_use]
pub fn answer(method: &str, path: &str, view: &NodeView, now: Timestamp) -> Reply {
    let Some(wanted) = path.strip_prefix(DATA) else {
        return error(404, "invalid-value", "the data is at /restconf/data/etsi-qkd-sdn-node:qkd_node");
    };
    if method != "GET" {
        return error(405, "operation-not-supported", "this node can only be read");
    }
    let tree = tree(view, now);
    let mut steps = wanted.trim_end_matches('/').split('/');
    if steps.next() != Some("etsi-qkd-sdn-node:qkd_node") {
        return error(404, "invalid-value", "there is no such data; try etsi-qkd-sdn-node:qkd_node");
    }
    let (mut name, mut found) = ("qkd_node", &tree);
    for step in steps {
        let Some(inner) = found.get(step) else { return error(404, "data-missing", "there is no such data") };
        (name, found) = (step, inner);
    }
    (200, json!({ format!("etsi-qkd-sdn-node:{name}"): found }))
}

/// Something of a network has the same UUID in every run.
fn uuid_of(text: &str) -> String {
    super::etsi014::uuid(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
}

/// A decimal of three digits, as JSON of YANG has it.
fn decimal(number: f64) -> String {
    format!("{number:.3}")
}

fn tree(view: &NodeView, now: Timestamp) -> Value {
    let places = || view.links.iter().enumerate();
    let interfaces: Vec<Value> = places().map(|(place, link)| interface(place, link)).collect();
    let links: Vec<Value> = places().map(|(place, link)| link_of(view, place, link)).collect();
    let end = Timestamp(now.0.div_euclid(PERIOD_MS) * PERIOD_MS);
    let applications: Vec<Value> =
        view.demands.iter().map(|(other, bps)| application(view, other, *bps, end)).collect();
    json!({
        "qkdn_id": uuid_of(&view.id),
        "qkdn_status": format!("etsi-qkdn-types:{}", if view.works { "OPERATING" } else { "FAILURE" }),
        "qkdn_version": "simulated-1",
        "qkdn_location_id": view.id,
        "qkdn_capabilities": {
            "link_stats_support": true, "application_stats_support": true, "key_relay_mode_enable": true,
        },
        "qkd_interfaces": { "qkd_interface": interfaces },
        "qkd_links": { "qkd_link": links },
        "qkd_applications": { "qkd_app": applications },
    })
}

fn interface(place: usize, link: &LinkView) -> Value {
    json!({
        "qkdi_id": place + 1,
        "qkdi_status": format!("etsi-qkdn-types:{}", if link.module_works { "ENABLED" } else { "FAILED" }),
        "qkdi_model": "simulated/decoy-bb84",
        "qkdi_type": "etsi-qkdn-types:DV-QKD",
        "qkdi_att_point": { "device": link.module, "port": 1 },
        "qkdi_capabilities": {
            "role_support": format!("etsi-qkdn-types:{}", link.role), "wavelength_range": "34", "max_absorption": "25.000",
        },
    })
}

fn link_of(view: &NodeView, place: usize, link: &LinkView) -> Value {
    let figures = [("QBER", link.qber_ratio), ("SNR", link.snr_db)];
    let shown = figures.into_iter().filter_map(|(name, value)| Some((name, value.filter(|_| link.module_works)?)));
    let performance: Vec<Value> = shown
        .map(|(name, value)| json!({ "perf_type": format!("etsi-qkdn-types:{name}"), "value": decimal(value) }))
        .collect();
    let mut value = json!({
        "qkdl_id": uuid_of(&link.id),
        "qkdl_status": format!("etsi-qkdn-types:{}", link.status),
        "qkdl_enable": true,
        "qkdl_local": { "qkdn_id": uuid_of(&view.id), "qkdi_id": place + 1 },
        "qkdl_remote": { "qkdn_id": uuid_of(&link.other) },
        "qkdl_type": "etsi-qkdn-types:PHYS",
        "phys_qkd_role": format!("etsi-qkdn-types:{}", link.role),
        // Rates of a whole number of bits.
        "skr": link.secret_key_rate_bps.max(0.0) as u64,
        "eskr": (link.keys_a_second * 256.0).max(0.0) as u64,
        "phys_perf": performance,
    });
    if let Some(loss) = link.loss_db {
        value["phys_channel_att"] = decimal(loss).into();
    }
    value
}

/// An application, with what it consumed in the period that ended then.
fn application(view: &NodeView, other: &str, bps: f64, end: Timestamp) -> Value {
    let name = if view.id.as_str() < other { format!("{}-{other}", view.id) } else { format!("{other}-{}", view.id) };
    let consumed = if view.is_served { bps * 60.0 } else { 0.0 };
    json!({
        "app_id": uuid_of(&name),
        "app_status": format!("etsi-qkdn-types:{}", if view.is_served { "ON" } else { "DISCONNECTED" }),
        "app_type": "etsi-qkdn-types:CLIENT",
        "server_app_id": format!("urn:sae:sae-{}", view.id),
        "client_app_id": [format!("urn:sae:sae-{other}")],
        "local_qkdn_id": uuid_of(&view.id),
        "remote_qkdn_id": uuid_of(other),
        "app_statistics": { "statistics": [{
            "start_time": Timestamp(end.0 - PERIOD_MS).to_string(),
            "end_time": end.to_string(),
            "consumed_bits": consumed as u64,
        }] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_and_its_parts_can_be_read_and_nothing_else() {
        let link = LinkView {
            id: "a-b".into(),
            other: "b".into(),
            qber_ratio: Some(0.0213),
            secret_key_rate_bps: 4_200.7,
            module_works: true,
            status: "ACTIVE".into(),
            role: "RECEIVER".into(),
            ..LinkView::default()
        };
        let view = NodeView {
            id: "a".into(),
            works: true,
            links: vec![link],
            demands: vec![("b".into(), 10.0)],
            ..NodeView::default()
        };
        let get = |path: &str| answer("GET", path, &view, Timestamp(1_700_000_000_000));
        let (status, whole) = get("/restconf/data/etsi-qkd-sdn-node:qkd_node");
        assert_eq!(status, 200);
        let node = &whole["etsi-qkd-sdn-node:qkd_node"];
        assert_eq!(node["qkdn_status"], "etsi-qkdn-types:OPERATING");
        let link = &node["qkd_links"]["qkd_link"][0];
        assert_eq!((&link["phys_perf"][0]["value"], &link["skr"]), (&json!("0.021"), &json!(4_200)));
        assert_eq!(node["qkd_applications"]["qkd_app"][0]["app_status"], "etsi-qkdn-types:DISCONNECTED");
        let (_, part) = get("/restconf/data/etsi-qkd-sdn-node:qkd_node/qkd_links");
        assert_eq!(part["etsi-qkd-sdn-node:qkd_links"]["qkd_link"][0], *link);
        for path in ["/", "/restconf/data/ietf-interfaces:interfaces", "/restconf/data/etsi-qkd-sdn-node:qkd_node/none"]
        {
            let (status, document) = get(path);
            assert!(status == 404 && document["ietf-restconf:errors"]["error"][0]["error-tag"].is_string(), "{path}");
        }
        assert_eq!(answer("DELETE", "/restconf/data/etsi-qkd-sdn-node:qkd_node", &view, Timestamp(0)).0, 405);
    }
}
