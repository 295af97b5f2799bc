//! What is granted: in part, not at all, within limits; and what the operator sees and does.

use harness::{ManagerProcess, PATIENCE, eventually, response_code, settings::OPERATOR_TOKEN};
use serde_json::json;

use super::{Reporter, Subscriber, manager, settings};

#[test]
fn what_may_not_be_seen_is_told_and_never_notified() {
    let manager = manager();
    let (mut km, mut net) = (Reporter::connect(&manager, "km-1"), Subscriber::connect(&manager, "net-1"));
    let granted = net.subscribe(json!({"notificationMethod": "ON_EVENT_DETECTION", "unknownKey": 1, "events": [
        {"types": ["performance", "inventory"], "components": ["mk/km-1", "mq/module-9"]},
        {"types": ["performance"], "names": ["no_such_name"]},
    ]}));
    assert_eq!(
        granted["granted"]["events"],
        json!([{"types": ["performance"], "components": ["mk/km-1"]}]),
        "{granted}"
    );
    assert!(granted["granted"].get("unknownKey").is_none(), "granted shows what was understood");
    let failed = granted["failedEvents"].as_array().unwrap();
    let of = |event: u64| failed.iter().filter(|one| one["event"] == event).count();
    assert_eq!((of(0), of(1)), (2, 1), "{granted}");
    km.count(1);
    assert_eq!(net.counts(), [1]);
}

#[test]
fn without_permission_nothing_is_granted_and_that_is_audited() {
    let manager = manager();
    let mut stranger = Subscriber::connect(&manager, "net-2");
    let wish = json!({"events": [{"components": ["mk/*"]}], "notificationMethod": "ON_EVENT_DETECTION"});
    assert_eq!(response_code(&stranger.ask("subscribe", wish)), "not-authorized");
    eventually("the refusal in the audit trail", PATIENCE, || {
        let trail = std::fs::read_dir(manager.data_dir()).unwrap().flatten();
        let mut texts = trail.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.any(|text| text.contains("mu/net-2") && text.contains("nothing of this may be seen")).then_some(())
    });
    // All that it may see is itself.
    let mut km = Reporter::connect(&manager, "km-1");
    stranger.subscribe(json!({"events": [{}], "notificationMethod": "ON_EVENT_DETECTION"}));
    km.count(1);
    let own = json!({"messageType": "statusReport", "componentId": "net-2", "messageId": "own",
        "extension": [{"type": "event", "name": "hello"}]});
    stranger.client.send(&own);
    let lines = [stranger.client.receive(), stranger.client.receive()];
    let told = lines.iter().find(|line| line["messageType"] == "statusReport").unwrap();
    assert_eq!(told["extension"][1]["subject"], json!({"referencePoint": "mu", "componentId": "net-2"}));
}

#[test]
fn wrong_wishes_are_rejected_by_their_path_and_others_unsupported() {
    let manager = manager();
    let mut net = Subscriber::connect(&manager, "net-1");
    let answer = net.ask(
        "subscribe",
        json!({"events": [{}], "notificationMethod": "ON_EVENT_DETECTION",
        "thresholds": [{"name": "a", "level": 1}, {"name": "b", "level": "high"}]}),
    );
    let response = answer["response"].as_str().unwrap();
    assert!(response.starts_with("rejected: extension[0].thresholds[1].level: "), "{response}");
    let mut km = Reporter::connect(&manager, "km-1");
    let wish = json!({"messageType": "subscribe", "messageId": "x", "componentId": "km-1",
        "extension": [{"type": "subscription", "events": [{}], "notificationMethod": "ONE_TIME"}]});
    assert_eq!(response_code(&km.client.ask(&wish)), "unsupported");
    let other = json!({"messageType": "subscribe", "messageId": "y", "componentId": "net-2", "extension": []});
    manager.expect_warnings();
    assert_eq!(response_code(&net.client.ask(&other)), "not-authorized");
}

#[test]
fn a_subscriber_has_so_many_subscriptions_and_operators_see_and_end_them() {
    let manager = manager();
    let mut net = Subscriber::connect(&manager, "net-1");
    let first = net.subscribe_counts(json!({}));
    (1..32).for_each(|_| drop(net.subscribe_counts(json!({}))));
    let one_more = net.ask("subscribe", json!({"events": [{}], "notificationMethod": "ONE_TIME"}));
    assert_eq!(response_code(&one_more), "overloaded");
    assert_eq!(one_more["extension"][0]["type"], "retry");
    let list = manager.api().list("/api/v1/subscriptions");
    assert_eq!(list.len(), 32);
    // Those granted within one millisecond are listed in no particular order.
    let listed = list.iter().find(|one| one["id"] == first["subscriptionId"]);
    assert_eq!(listed.map(|one| &one["subscriber"]), Some(&json!("mu/net-1")));
    let id = first["subscriptionId"].as_str().unwrap();
    let path = format!("/api/v1/subscriptions/{id}/remove");
    assert_eq!(manager.api().post(&path, None, &json!({})).status, 401);
    assert_eq!(manager.api().post(&path, Some(OPERATOR_TOKEN), &json!({})).status, 200);
    assert_eq!(manager.api().get(&format!("/api/v1/subscriptions/{id}")).status, 404);
    assert_eq!(response_code(&net.ask("unsubscribe", json!({"subscriptionId": id}))), "rejected");
    drop(net);
    eventually("the end of what was not durable", PATIENCE, || {
        manager.api().list("/api/v1/subscriptions").is_empty().then_some(())
    });
}

#[test]
fn what_may_be_seen_is_checked_again_at_a_restart() {
    let mut manager: ManagerProcess = manager();
    let mut net = Subscriber::connect(&manager, "net-1");
    let granted = net.subscribe(json!({"events": [{"components": ["mk/*"]}], "durable": true,
        "notificationMethod": "ON_EVENT_DETECTION"}));
    *manager.settings_mut() = settings("");
    manager.expect_warnings();
    manager.crash_and_restart();
    let mut net = Subscriber::connect(&manager, "net-1");
    let answer = net.ask("subscribe", json!({"subscriptionId": granted["subscriptionId"]}));
    assert_eq!(response_code(&answer), "rejected");
}

#[test]
fn what_may_be_seen_changes_while_the_manager_runs_and_a_subscription_to_nothing_ends() {
    let mut manager = manager();
    let mut net = Subscriber::connect(&manager, "net-1");
    let wish = |components: &str| {
        json!({"events": [{"types": ["performance"], "components": [components]}],
        "notificationMethod": "ON_EVENT_DETECTION", "immediateReport": false})
    };
    net.subscribe(wish("mk/*"));
    net.subscribe(wish("mk/km-2"));
    let (mut first, mut second) = (Reporter::connect(&manager, "km-1"), Reporter::connect(&manager, "km-2"));
    first.count(1);
    assert_eq!(net.counts(), [1]);

    *manager.settings_mut() = settings(r#"sees = [{ components = ["mk/km-1"], types = ["performance"] }]"#);
    let view = manager.reload_settings().json();
    assert_eq!(view["change"]["components"]["changed"], json!([{"name": "mu/net-1", "keys": ["sees"]}]), "{view}");
    eventually("the subscription to nothing to end", PATIENCE, || {
        (manager.api().list("/api/v1/subscriptions").len() == 1).then_some(())
    });
    second.count(2);
    first.count(3);
    assert_eq!(net.counts(), [3], "over the same connection, without what may not be seen any more");
}
