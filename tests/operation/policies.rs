//! The shipped policies behind the public doors: what components report becomes alarms with their evidence, through a crash,
//! and running the recorded traffic again finds the same.

use harness::{ManagerProcess, RawClient, Settings, performance, report, response_code};
use serde_json::{Value, json};

const BASELINE: &str = "[[components]]\ncomponent = \"mq/qm-1\"\nvalues = { software_version = \"2.4.1\" }\n";

const POLICIES: &str = r#"
[[policies]]
name = "state"
function = "fault"
plugin = "builtin:state"

[[policies]]
name = "drift"
function = "configuration"
plugin = "builtin:configuration-drift"
config_files = { baseline = "baseline.toml" }

[[policies]]
name = "usage"
function = "accounting"
plugin = "builtin:key-usage"
config = { quota = { consumed_bits = 1000 }, period = "365d" }

[[policies]]
name = "security"
function = "security"
plugin = "builtin:qber-security"
config = { warm_up = 5, confirm = 2 }
"#;

fn start() -> ManagerProcess {
    let manager = ManagerProcess::start_with(|_, folder| {
        std::fs::write(folder.join("baseline.toml"), BASELINE).unwrap();
        Settings::default()
            .interface("mq", "")
            .interface("mk", "")
            .component("mq", "qm-1", "")
            .component("mk", "km-1", "")
            .with(POLICIES)
    });
    manager.expect_warnings();
    manager
}

fn say(client: &mut RawClient, id: &str, extension: Value) {
    assert_eq!(response_code(&client.ask(&report(id, extension))), "success");
}

fn evidence(alarm: &Value, name: &str) -> String {
    let facts = alarm["additionalInformation"].as_array().expect("evidence is kept");
    let fact = facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("no {name} in {alarm}"));
    fact["value"].as_str().expect("a text").to_owned()
}

#[test]
fn each_letter_of_fcaps_has_a_policy_that_raises_and_clears() {
    let mut manager = start();
    let mut module = manager.connect("mq", "qm-1");
    let mut km = manager.connect("mk", "km-1");
    let raised = |alarm: &Value| alarm["isCleared"] == false;
    let cleared = |alarm: &Value| alarm["isCleared"] == true;

    // Fault.
    say(&mut module, "qm-1", json!([{"type": "state", "values": {"qkdi_status": "FAILED"}}]));
    let alarm = manager.api().await_alarm("module-failed", raised);
    assert_eq!((&alarm["severity"], evidence(&alarm, "qkdi_status").as_str()), (&json!("critical"), "FAILED"));
    say(&mut module, "qm-1", json!([{"type": "state", "values": {"qkdi_status": "ENABLED"}}]));
    manager.api().await_alarm("module-failed", cleared);

    // Configuration.
    say(&mut module, "qm-1", json!([{"type": "inventory", "values": {"software_version": "2.5.0"}}]));
    let alarm = manager.api().await_alarm("configuration-drift", raised);
    assert_eq!((evidence(&alarm, "intended"), evidence(&alarm, "reported")), ("2.4.1".into(), "2.5.0".into()));

    // Accounting.
    let started = manager.api().get("/api/v1/health").json()["started"].clone();
    let usage = |id: &str, bits: u64| {
        json!([{"type": "usage", "usageId": id, "application": "app-7", "user": "bank", "startTime": started,
                "endTime": started, "consumedBits": bits}])
    };
    say(&mut km, "km-1", usage("u-1", 900));
    let alarm = manager.api().await_alarm("quota-exceeded", raised);
    assert_eq!((&alarm["severity"], &alarm["resource"]), (&json!("warning"), &json!("app-7")));

    // Security.
    let qber = |qber: f64, rate: f64| performance(json!({"qber_ratio": qber, "detection_rate_cps": rate}));
    for _ in 0..8 {
        say(&mut module, "qm-1", qber(0.02, 5_000.0));
    }
    for _ in 0..3 {
        say(&mut module, "qm-1", qber(0.05, 5_100.0));
    }
    let alarm = manager.api().await_alarm("possible-interception", raised);
    assert_eq!((evidence(&alarm, "QBER"), evidence(&alarm, "usual QBER")), ("5.00 %".into(), "2.00 %".into()));
    let shown = manager.command(&["alarm", "show", &alarm["id"].to_string()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("usual QBER: 2.00 %"), "{shown:?}");

    // The policies' state is there after a crash: the drift is right again, the loss follows the interception.
    drop((module, km));
    manager.crash_and_restart();
    let mut module = manager.connect("mq", "qm-1");
    say(&mut module, "qm-1", json!([{"type": "inventory", "values": {"software_version": "2.4.1"}}]));
    manager.api().await_alarm("configuration-drift", cleared);
    for _ in 0..3 {
        say(&mut module, "qm-1", qber(0.05, 1_000.0));
    }
    manager.api().await_alarm("quantum-channel-loss-high", raised);
    manager.api().await_alarm("possible-interception", cleared);
    drop(module);
    manager.stop();
    let data = manager.data_dir();
    let replayed = manager.command(&["storage", "replay", "--check", data.to_str().unwrap()]);
    assert!(replayed.status.success(), "{replayed:?}");
}

/// Entries of one policy over one component: each with its own file and state, asked in the order of the configuration.
#[test]
fn one_policy_stands_there_as_often_as_wanted_with_other_files() {
    let manager = ManagerProcess::start_with(|_, folder| {
        let baseline = |name: &str, values: &str| {
            std::fs::write(folder.join(name), format!("[everywhere]\n{values}\n")).unwrap();
        };
        baseline("site.toml", "software_version = \"2.4.1\"");
        baseline("vendor.toml", "model = \"q2\"");
        baseline("trial.toml", "software_version = \"2.5.0\"");
        let entry = |name: &str, file: &str| {
            format!(
                "[[policies]]\nname = \"{name}\"\nfunction = \"configuration\"\nplugin = \"builtin:configuration-drift\"\n\
                 applies_to = {{ not = [{{ id = \"qm-2\" }}] }}\nconfig_files = {{ baseline = \"{file}\" }}\n"
            )
        };
        let text = entry("site", "site.toml") + &entry("vendor", "vendor.toml") + &entry("trial", "trial.toml");
        Settings::one("mq", &["qm-1", "qm-2"]).with(&text)
    });
    manager.expect_warnings();
    let mut module = manager.connect("mq", "qm-1");
    say(&mut module, "qm-1", json!([{"type": "inventory", "values": {"software_version": "2.3.0", "model": "q1"}}]));
    let alarm = |of: &str| {
        manager.api().await_alarm("configuration-drift", |alarm| {
            alarm["alarmTypeQualifier"] == of && alarm["isCleared"] == false
        })
    };
    assert_eq!(
        (evidence(&alarm("model"), "intended"), &alarm("model")["raisedBy"]),
        ("q2".into(), &json!("policy:vendor"))
    );
    // Both of the others mean the same alarm: they share it, and the first in the file raised it.
    let version = alarm("software_version");
    assert_eq!((evidence(&version, "intended"), &version["raisedBy"]), ("2.4.1".into(), &json!("policy:site")));
    assert_eq!(manager.api().list("/api/v1/alarms").len(), 2);
    // What is right for the one, which ends it, is wrong for the other, which comes later.
    say(&mut module, "qm-1", json!([{"type": "inventory", "values": {"software_version": "2.4.1"}}]));
    let version = manager.api().await_alarm("configuration-drift", |alarm| alarm["raisedBy"] == "policy:trial");
    assert_eq!((evidence(&version, "reported"), evidence(&version, "intended")), ("2.4.1".into(), "2.5.0".into()));

    let explained = manager.api().get("/api/v1/components/mq/qm-1/explanation").json();
    let told: Vec<String> = explained["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| format!("{} {}: {}", rule["step"], rule["name"].as_str().unwrap(), rule["why"].as_str().unwrap()))
        .collect();
    let shared = "it matches, as does `site` of the same plugin: an alarm that both name alike is shared";
    assert_eq!(told, ["1 site: it matches".into(), format!("2 vendor: {shared}"), format!("3 trial: {shared}")]);
    let other = manager.api().get("/api/v1/components/mq/qm-2/explanation").json();
    assert_eq!(other["policies"][0]["why"], "`not` leaves it out: id qm-2", "{other:#}");
}
