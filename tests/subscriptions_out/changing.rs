//! Subscriptions at components that change while the manager runs.

use harness::{ManagerProcess, Settings, response_code};
use serde_json::json;

use crate::standing::{answer, await_state, grant, notification, receive};

fn wanted(name: &str, value: &str) -> String {
    format!(
        "[[subscriptions]]\nname = \"{name}\"\napplies_to = {{ reference_point = [\"mk\"] }}\nevents = [{{ types = \
         [\"performance\"], names = [\"{value}\"] }}]\nmethod = \"on-change\"\n"
    )
}

#[test]
fn what_is_still_wanted_goes_on_and_the_rest_is_ended_and_asked_for_over_the_same_connection() {
    let mut manager = ManagerProcess::start(
        Settings::one("mk", &["km-1"])
            .with(&wanted("stores", "stored_key_count"))
            .with(&wanted("relays", "relay_count")),
    );
    let mut client = manager.connect("mk", "km-1");
    for id in ["s-1", "s-2"] {
        let subscribe = receive(&mut client, "subscribe");
        grant(&mut client, &subscribe, id);
    }
    let standing = |manager: &ManagerProcess| {
        manager.api().get("/api/v1/components/mk/km-1").json()["outwardSubscriptions"].clone()
    };
    harness::eventually("both granted", harness::PATIENCE, || {
        standing(&manager).as_array()?.iter().all(|one| one["state"] == "granted").then_some(())
    });

    manager.settings_mut().more = wanted("stores", "stored_key_count") + &wanted("rates", "key_output_rate_bps");
    let view = manager.reload_settings().json();
    assert_eq!(view["change"]["subscriptions"]["added"], json!(["rates"]), "{view}");
    assert_eq!(view["change"]["subscriptions"]["removed"], json!(["relays"]), "{view}");
    let unsubscribe = receive(&mut client, "unsubscribe");
    assert_eq!(unsubscribe["extension"][0]["subscriptionId"], "s-2", "{unsubscribe}");
    answer(&mut client, &unsubscribe, "success", json!([]));
    let subscribe = receive(&mut client, "subscribe");
    assert_eq!(subscribe["extension"][0]["correlationId"], "rates");
    grant(&mut client, &subscribe, "s-3");
    // The one that was not touched counts on.
    assert_eq!(response_code(&client.ask(&notification("s-1", 1, 50))), "success");
    await_state(&manager, "granted");
    let known = harness::eventually("the new one granted", harness::PATIENCE, || {
        let known = standing(&manager);
        (known[1]["state"] == "granted").then_some(known)
    });
    assert_eq!((&known[0]["subscriptionId"], &known[0]["notifications"]), (&json!("s-1"), &json!(1)), "{known}");
    assert_eq!(known[1]["subscriptionId"], "s-3");
    assert!((manager.api().metric("qkdn_outward_subscriptions_granted", &[]) - 2.0).abs() < 0.5);
}
