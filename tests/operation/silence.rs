//! Components that should report and do not.

use harness::{ManagerProcess, Settings, performance, report, response_code};
use serde_json::{Value, json};

fn of<'a>(component: &'a str, cleared: bool) -> impl Fn(&Value) -> bool + 'a {
    move |alarm| alarm["component"] == component && alarm["isCleared"] == cleared
}

#[test]
fn a_silent_component_is_told_and_its_next_report_ends_it_also_over_a_restart() {
    let settings = Settings::default()
        .interface("mk", "")
        .component("mk", "km-1", "expected_interval = \"200ms\"")
        .component("mk", "km-2", "expected_interval = \"1d\"")
        .component("mk", "km-3", "")
        .component("mk", "km-4", "expected_interval = \"200ms\"");
    let mut manager = ManagerProcess::start(settings);
    manager.expect_log("Alarm raised.");
    let mut client = manager.connect("mk", "km-1");
    let say = |client: &mut harness::RawClient| {
        let answer = client.ask(&report("km-1", performance(json!({"relay_count": 1}))));
        assert_eq!(response_code(&answer), "success");
    };
    say(&mut client);
    let alarm = manager.api().await_alarm("component-silent", of("mk/km-1", false));
    assert_eq!((&alarm["severity"], &alarm["raisedBy"]), (&json!("major"), &json!("manager")));
    assert!(alarm["text"].as_str().unwrap().ends_with("one is expected every 0.2 s"), "{alarm}");
    let never = manager.api().await_alarm("component-silent", of("mk/km-4", false));
    assert!(never["text"].as_str().unwrap().starts_with("no report was ever accepted"), "{never}");

    // Silence that began before a crash is over with the first report after it.
    drop(client);
    manager.crash_and_restart();
    let mut client = manager.connect("mk", "km-1");
    say(&mut client);
    manager.api().await_alarm("component-silent", of("mk/km-1", true));
    let alarms = manager.api().list("/api/v1/alarms");
    assert!(
        alarms.iter().all(|alarm| alarm["component"] != "mk/km-2" && alarm["component"] != "mk/km-3"),
        "{alarms:?}"
    );
    drop(client);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}
