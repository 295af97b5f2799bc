//! The collector with the manager and the node played by the SDK's test kit.

use qkdn_plugin::testing::{Collected, CollectorHost};

use super::*;

const COMPONENTS: [&str; 3] = ["mk/km-a", "mq/alice", "mops/fibres-a"];

fn tree() -> Value {
    json!({ "etsi-qkd-sdn-node:qkd_node": {
        "qkdn_id": "n1", "qkdn_status": "etsi-qkdn-types:OPERATING", "qkdn_version": "3.1",
        "qkd_interfaces": { "qkd_interface": [
            { "qkdi_id": 1, "qkdi_status": "etsi-qkdn-types:ENABLED", "qkdi_model": "acme/q1" },
            { "qkdi_id": 2, "qkdi_status": "etsi-qkdn-types:FAILED" }] },
        "qkd_links": { "qkd_link": [{
            "qkdl_id": "l1", "qkdl_status": "etsi-qkdn-types:ACTIVE", "qkdl_local": { "qkdn_id": "n1", "qkdi_id": 1 },
            "phys_channel_att": "7.250", "skr": 4200, "eskr": 3900,
            "phys_perf": [{ "perf_type": "etsi-qkdn-types:QBER", "value": "0.021" }] }] },
        "qkd_applications": { "qkd_app": [{ "app_id": "a1", "app_status": "etsi-qkdn-types:ON",
            "app_statistics": { "statistics": [
                { "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:01:00Z", "consumed_bits": 512 }] } }] },
    } })
}

fn collect(config: &Value, tree: Value) -> Collected {
    let mut host = CollectorHost::<Etsi015>::new(&COMPONENTS, config).unwrap();
    host.collect(|host, path| {
        assert_eq!((host, path), ("node", "/restconf/data/etsi-qkd-sdn-node:qkd_node"));
        Ok((200, tree.clone()))
    })
}

fn of<'a>(collected: &'a Collected, component: &str, kind: &str, resource: &str) -> &'a Value {
    let (_, objects) = collected.reports.iter().find(|(name, _)| name == component).unwrap();
    let found = objects.as_array().unwrap().iter().find(|object| {
        object["type"] == kind && object.get("resource").and_then(Value::as_str).unwrap_or_default() == resource
    });
    found.unwrap_or(&Value::Null)
}

#[test]
fn a_tree_becomes_reports_of_all_components_of_the_node() {
    let collected = collect(&json!({ "interfaces": { "1": "mq/alice" } }), tree());
    assert_eq!((collected.failure.as_str(), collected.reports.len()), ("", 3));
    let module = &of(&collected, "mq/alice", "performance", "")["values"];
    assert_eq!((&module["qber_ratio"], &module["secret_key_rate_bps"]), (&json!(0.021), &json!(4200.0)));
    assert_eq!(of(&collected, "mq/alice", "state", "")["values"]["qkdi_status"], "ENABLED");
    assert_eq!(of(&collected, "mops/fibres-a", "performance", "l1")["values"]["link_loss_db"], 7.25);
    assert_eq!(of(&collected, "mops/fibres-a", "state", "l1")["values"]["qkdl_status"], "ACTIVE");
    let manager = |kind: &str, resource: &str| of(&collected, "mk/km-a", kind, resource);
    assert_eq!(manager("state", "")["values"]["qkdn_status"], "OPERATING");
    assert_eq!(manager("performance", "l1")["values"]["effective_secret_key_rate_bps"], 3900.0);
    assert_eq!(manager("state", "interface-2")["values"]["qkdi_status"], "FAILED", "an interface without a module");
    let (_, objects) = collected.reports.iter().find(|(name, _)| name == "mk/km-a").unwrap();
    let usage = objects.as_array().unwrap().iter().find(|object| object["type"] == "usage").unwrap();
    assert_eq!((&usage["consumedBits"], &usage["usageId"]), (&json!(512), &json!("a1 2026-01-01T00:01:00Z")));
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_reported() {
    let interfaces = json!({ "interfaces": { "1": "mq/alice" } });
    let mut wrong = tree();
    wrong["etsi-qkd-sdn-node:qkd_node"]["qkd_links"]["qkd_link"][0]["skr"] = json!("many");
    for (tree, told) in [
        (wrong, "qkd_link[0].skr: expected a number"),
        (json!({}), "the answer has no etsi-qkd-sdn-node:qkd_node"),
        (json!({ "qkd_node": [] }), "qkd_node: expected an object"),
    ] {
        let collected = collect(&interfaces, tree);
        assert!(collected.reports.is_empty() && collected.failure.starts_with(told), "{collected:?}");
    }
}

#[test]
fn what_is_configured_has_to_fit_together() {
    let problems =
        |components: &[&str], config: Value| CollectorHost::<Etsi015>::new(components, &config).err().unwrap();
    let found = problems(&COMPONENTS, json!({ "interfaces": { "1": "mq/bob" } }));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].path, "/interfaces/1");
    assert!(found[1].message.contains("`mq/alice` is the module of no interface"));
    assert!(problems(&["mk/a", "mk/b"], json!({}))[0].message.contains("one component on mk/"));
    assert!(problems(&["mc/a"], json!({}))[0].message.contains("`mc/a` is none"));
}
