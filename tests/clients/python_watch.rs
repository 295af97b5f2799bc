//! The user network manager of `examples/python-client`: values and alarms of a key manager over Mu, over a reconnect and a
//! restart of the manager.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use harness::{ManagerProcess, PATIENCE, RawClient, Settings, binary::repository, eventually, report, response_code};
use serde_json::json;

use crate::programs::is_installed;

struct Watcher {
    child: Child,
    output: PathBuf,
}

impl Watcher {
    fn start(manager: &ManagerProcess) -> Self {
        let identity = manager.component_identity("mu", "unm-1");
        let output = manager.root().join("watch.log");
        let file = File::options().create(true).append(true).open(&output).unwrap();
        let child = Command::new("python3")
            .args(["-u", "-m", "qkd_agent", "watch"])
            .current_dir(repository().join("examples/python-client"))
            .args(["--manager", &format!("localhost:{}", manager.address("mu").port())])
            .arg("--cert")
            .arg(&identity.certificate_file)
            .arg("--key")
            .arg(&identity.key_file)
            .arg("--ca")
            .arg(manager.pki.anchor_file())
            .args(["--component-id", "unm-1", "--durable", "--component", "mk/km-*"])
            .arg("--state")
            .arg(manager.root().join("watch-state.json"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, output }
    }

    fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn await_line(&self, part: &str) {
        eventually(&format!("`{part}` in what the watcher prints:\n{}", self.printed()), PATIENCE, || {
            self.printed().contains(part).then_some(())
        });
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tell(client: &mut RawClient, keys: u64) {
    let extension = json!([{ "type": "performance", "values": { "stored_key_count": keys } }]);
    assert_eq!(response_code(&client.ask(&report("km-1", extension))), "success");
}

#[test]
fn it_sees_values_and_alarms_over_reconnects_and_restarts() {
    if !is_installed("python3", "--version") {
        return;
    }
    let settings = Settings::one("mk", &["km-1"]).interface("mu", "").component(
        "mu",
        "unm-1",
        "sees = [{ components = [\"mk/km-*\"] }]",
    );
    let mut manager = ManagerProcess::start(settings);
    manager.keep_ports();
    let mut key_manager = manager.connect("mk", "km-1");
    tell(&mut key_manager, 1);
    let watcher = Watcher::start(&manager);
    watcher.await_line("subscribed: durable");
    tell(&mut key_manager, 2);
    watcher.await_line("stored_key_count=2");
    let alarm =
        json!([{ "type": "alarm", "alarmTypeId": "key-store-low", "severity": "minor", "text": "running low" }]);
    assert_eq!(response_code(&key_manager.ask(&report("km-1", alarm))), "success");
    watcher.await_line("key-store-low");
    manager.expect_warnings();
    manager.crash_and_restart();
    watcher.await_line("resumed");
    let mut key_manager = manager.connect("mk", "km-1");
    tell(&mut key_manager, 3);
    watcher.await_line("stored_key_count=3");
    // A watcher that was killed goes on where it was.
    drop(watcher);
    tell(&mut key_manager, 4);
    let watcher = Watcher::start(&manager);
    watcher.await_line("stored_key_count=4");
    assert!(!watcher.printed().contains("never came"), "{}", watcher.printed());
}
