//! The collector with the manager and the entity played by the SDK's test kit.

use qkdn_plugin::testing::CollectorHost;

use super::*;

fn host(saes: &[&str]) -> CollectorHost<Etsi014> {
    CollectorHost::new(&["mk/kme-1"], &json!({ "saes": saes })).unwrap()
}

fn answered(stored: u64) -> Value {
    json!({
        "source_KME_ID": "kme-1", "target_KME_ID": "kme-2", "master_SAE_ID": "sae-a", "slave_SAE_ID": "sae-b", "key_size": 256,
        "stored_key_count": stored, "max_key_count": 1000, "max_key_per_request": 10, "max_key_size": 1024,
        "min_key_size": 64, "max_SAE_ID_count": 0,
    })
}

fn of<'a>(objects: &'a Value, kind: &str, resource: &str) -> &'a Value {
    let found = objects.as_array().unwrap().iter().find(|object| {
        object["type"] == kind && object.get("resource").and_then(Value::as_str).unwrap_or_default() == resource
    });
    &found.unwrap()["values"]
}

#[test]
fn a_status_becomes_a_report_of_the_key_manager() {
    let collected = host(&["sae-b"]).collect(|host, path| {
        assert_eq!((host, path), ("kme", "/api/v1/keys/sae-b/status"));
        Ok((200, answered(250)))
    });
    assert_eq!((collected.reports.len(), collected.failure.as_str()), (1, ""));
    let (component, objects) = &collected.reports[0];
    assert_eq!(component, "mk/kme-1");
    let values = of(objects, "performance", "sae-b");
    assert_eq!((&values["stored_key_count"], &values["key_store_level_bits"]), (&json!(250), &json!(64_000)));
    assert_eq!(values["key_store_fill_ratio"], 0.25);
    assert_eq!(of(objects, "state", "sae-b")["service_state"], "available");
    assert_eq!(of(objects, "inventory", "")["kme_id"], "kme-1");
}

#[test]
fn an_sae_that_is_not_known_is_unavailable_and_the_others_are_told() {
    let collected = host(&["sae-b", "sae-c"]).collect(|_, path| match path.contains("sae-c") {
        true => Ok((400, json!({ "message": "SAE is not known" }))),
        false => Ok((200, answered(0))),
    });
    assert_eq!(collected.failure, "");
    let objects = &collected.reports[0].1;
    assert_eq!(of(objects, "state", "sae-c")["service_state"], "unavailable");
    assert_eq!(of(objects, "state", "sae-b")["service_state"], "unavailable", "no key is stored");
}

#[test]
fn an_entity_that_fails_reports_nothing() {
    for served in [
        Err("cannot connect".to_owned()),
        Ok((503, json!({ "message": "not now" }))),
        Ok((200, json!({ "source_KME_ID": "kme-1" }))),
        Ok((200, json!([]))),
    ] {
        let collected = host(&["sae-b"]).collect(|_, _| served.clone());
        assert!(collected.reports.is_empty() && !collected.failure.is_empty(), "{served:?}: {collected:?}");
    }
}

#[test]
fn names_are_encoded_and_what_is_configured_is_checked() {
    let collected = host(&["sae b/enc_keys"]).collect(|_, _| Ok((200, answered(1))));
    assert_eq!(collected.asked[0].1, "/api/v1/keys/sae%20b%2Fenc_keys/status");
    let of = |components: &[&str], config: &Value| CollectorHost::<Etsi014>::new(components, config).err().unwrap();
    assert!(of(&["mq/a"], &json!({ "saes": ["b"] }))[0].message.contains("one component on mk"));
    assert_eq!(of(&["mk/a"], &json!({ "saes": ["b", "b"] }))[0].path, "/saes/1");
}
