//! Debian's Alertmanager, really started: alarms fire there and are resolved.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

use harness::{
    ManagerProcess, RawClient, Settings, eventually, manager::output_file, report, response_code, waiting::patience,
};
use serde_json::{Value, json};

struct Alertmanager {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alertmanager {
    /// Starts it; `None`, and a loud line, where it is not installed.
    fn start() -> Option<Self> {
        let program = std::env::var("ALERTMANAGER").unwrap_or_else(|_| "/usr/bin/prometheus-alertmanager".to_owned());
        if !Path::new(&program).exists() {
            eprintln!(
                "SKIPPED: {program} is not there, so that nothing was tried with a real Alertmanager (apt-get install \
                 prometheus-alertmanager, or name another in ALERTMANAGER)"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n").unwrap();
        // It cannot tell which port it got: one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output_file(&folder.path().join("log")))
            .spawn()
            .expect("it starts");
        let alertmanager = Self { child, address, _folder: folder };
        eventually("Alertmanager", patience(), || alertmanager.get("/-/ready").map(|_| ()));
        Some(alertmanager)
    }

    fn get(&self, path: &str) -> Option<String> {
        let answer = ureq::get(format!("http://{}{path}", self.address)).call();
        answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok())
    }

    /// Alerts that fire.
    fn firing(&self) -> Vec<Value> {
        let text = self.get("/api/v2/alerts?active=true&silenced=true&inhibited=true").unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    #[track_caller]
    fn await_firing(&self, severities: &[&str]) -> Vec<Value> {
        eventually(&format!("alerts of {severities:?}"), patience(), || {
            let mut alerts = self.firing();
            alerts.sort_by_key(|alert| alert["labels"]["severity"].to_string());
            let words: Vec<&str> = alerts.iter().filter_map(|alert| alert["labels"]["severity"].as_str()).collect();
            (words == severities).then_some(alerts)
        })
    }
}

fn say(client: &mut RawClient, severity: Option<&str>) {
    let state = severity.map_or_else(|| json!({"cleared": true}), |word| json!({"severity": word, "text": "Hot."}));
    let mut object = json!({"type": "alarm", "alarmTypeId": "vendor-overheated", "resource": "laser-1"});
    object.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
    assert_eq!(response_code(&client.ask(&report("module-1", json!([object])))), "success");
}

fn settings(alertmanager: &Alertmanager, more: &str) -> Settings {
    Settings::one("mq", &["module-1"]).with(&format!(
        "[[exporters]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"http://{}\"\nretry_min = \"20ms\"\n\
         filter = {{ alarm_types = [\"vendor-*\"], severity_at_least = \"minor\" }}\n{more}\n",
        alertmanager.address
    ))
}

#[test]
fn an_alarm_fires_changes_and_is_resolved() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    let manager = ManagerProcess::start(settings(&alertmanager, ""));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, Some("major"));
    let alert = alertmanager.await_firing(&["major"]).remove(0);
    assert_eq!(
        alert["labels"],
        json!({
            "alertname": "vendor-overheated", "severity": "major", "component": "mq/module-1", "reference_point": "mq",
            "resource": "laser-1", "function": "fault", "manager": "manager-test", "domain": "test",
        })
    );
    assert_eq!(alert["annotations"]["summary"], "Hot.");
    say(&mut client, Some("critical"));
    alertmanager.await_firing(&["critical"]);
    say(&mut client, Some("warning"));
    alertmanager.await_firing(&[]);
    say(&mut client, Some("minor"));
    alertmanager.await_firing(&["minor"]);
    say(&mut client, None);
    alertmanager.await_firing(&[]);
    let view = manager.api().list("/api/v1/exporters").remove(0);
    assert_eq!((&view["pending"], &view["firing"]), (&json!(0), &json!(0)));
    let test = manager.api().post("/api/v1/exporters/am/test", Some(harness::settings::OPERATOR_TOKEN), &json!({}));
    assert_eq!(test.json()["delivered"], true, "{}", test.text);
    let alert = alertmanager.await_firing(&["indeterminate"]).remove(0);
    assert_eq!(alert["labels"]["alertname"], "qkdnm-exporter-test");
}

#[test]
fn a_raised_alarm_keeps_firing_through_resends_and_kill_9() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    // Without a resend the alert would end by itself after four seconds.
    let mut manager = ManagerProcess::start(settings(&alertmanager, "resend_interval = \"1s\""));
    manager.expect_warnings();
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, Some("major"));
    let first = alertmanager.await_firing(&["major"]).remove(0);
    let end = |alert: &Value| alert["endsAt"].as_str().unwrap().to_owned();
    let later =
        eventually("a resend", patience(), || alertmanager.firing().pop().filter(|alert| end(alert) > end(&first)));
    manager.kill();
    alertmanager.await_firing(&[]);
    manager.launch();
    let again = alertmanager.await_firing(&["major"]).remove(0);
    assert!(end(&again) > end(&later));
    assert_eq!(again["startsAt"], first["startsAt"], "it is the same alarm");
    let mut client = manager.connect("mq", "module-1");
    say(&mut client, None);
    alertmanager.await_firing(&[]);
}
