//! `qkdnm simulate`: a described network and the real manager, each a process, joined by a folder that `--write-config` made.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use harness::{Api, PATIENCE, binary, eventually};
use serde_json::Value;

/// A process that does not outlive its test.
struct Started(Child);

impl Started {
    fn end(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network's folder, its manager, and the network itself.
struct Site {
    network: Started,
    _manager: Started,
    api: Api,
    folder: PathBuf,
    _temporary: tempfile::TempDir,
}

fn qkdnm(arguments: &[&str]) -> Output {
    Command::new(binary::qkdnm()).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Site {
    /// One of the published networks, with `more` at the end of its file.
    fn start(name: &str, more: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let (file, folder) = (temporary.path().join("network.toml"), temporary.path().join("site"));
        let published = fs::read_to_string(binary::repository().join("examples/networks").join(name)).unwrap();
        fs::write(&file, published + more).unwrap();
        let (shown, path) = (file.display().to_string(), folder.display().to_string());
        let written = qkdnm(&["simulate", &shown, "--write-config", &path, "--first-port", "0"]);
        assert!(written.status.success(), "{}", text(&written));
        let config = folder.join("manager.toml").display().to_string();
        let check = qkdnm(&["check", &config]);
        assert!(check.status.success(), "{}", text(&check));

        let ready = folder.join("ready.json");
        let log = fs::File::create(folder.join("manager.log")).unwrap();
        let mut manager = Command::new(binary::qkdnm());
        manager.args(["run", "--config", &config, "--ready-file"]).arg(&ready).stderr(log);
        let manager = Started(manager.spawn().unwrap());
        let note = eventually("a manager that is ready", PATIENCE * 2, || fs::read_to_string(&ready).ok());
        let note: Value = serde_json::from_str(&note).unwrap();
        let address: SocketAddr = note["api"].as_str().unwrap().parse().unwrap();

        let out = fs::File::create(folder.join("network.log")).unwrap();
        let mut network = Command::new(binary::qkdnm());
        network.args(["simulate", &shown, "--site", &path]).stdin(Stdio::piped()).stdout(out);
        let network = Started(network.spawn().unwrap());
        Self { network, _manager: manager, api: Api::at(address), folder, _temporary: temporary }
    }

    /// Says a line to the network, as another terminal does.
    fn tell(&self, line: &str) -> String {
        let said = eventually("a network that answers", PATIENCE, || {
            let output = Command::new(binary::qkdnm())
                .args(["simulate", "--site"])
                .arg(&self.folder)
                .args(["--tell", line])
                .output()
                .unwrap();
            output.status.success().then_some(output)
        });
        text(&said)
    }

    fn components(&self) -> Vec<Value> {
        self.api.list("/api/v1/components?limit=1000")
    }

    /// Waits until an alarm is there, raised or cleared.
    fn await_alarm(&self, alarm_type: &str, component: &str, cleared: bool) -> Value {
        eventually(&format!("{alarm_type} at {component}, cleared: {cleared}"), PATIENCE, || {
            self.api.list("/api/v1/alarms?limit=1000").into_iter().find(|alarm| {
                alarm["alarmTypeId"] == alarm_type
                    && alarm["component"] == component
                    && alarm["isCleared"].as_bool() == Some(cleared)
            })
        })
    }

    fn manager_errors(&self) -> Vec<String> {
        let log = BufReader::new(fs::File::open(self.folder.join("manager.log")).unwrap());
        log.lines().map_while(Result::ok).filter(|line| line.contains(" ERROR ")).collect()
    }
}

/// Whatever a folder has in it as long as a network runs.
fn holds(folder: &Path, name: &str) -> bool {
    folder.join(name).exists()
}

#[test]
fn a_described_network_reports_on_every_reference_point_and_its_faults_become_alarms() {
    let mut site = Site::start("vienna-5.toml", "\n[simulation]\nreport_interval = \"500ms\"\n");
    let known = eventually("reports of every component", PATIENCE * 2, || {
        let all = site.components();
        (all.len() == 40 && all.iter().all(|it| it["reports"].as_u64() >= Some(1))).then_some(all)
    });
    for point in ["mq", "mops", "mqrp", "mk", "mc", "mu", "mx"] {
        let on = known.iter().filter(|it| it["component"].as_str().unwrap().starts_with(&format!("{point}/")));
        assert!(on.count() >= 1, "{point}");
    }
    assert!(site.api.value("mq/brt-qkd-stp", "secret_key_rate_bps").unwrap() > 10_000.0);
    let help = site.tell("help");
    assert!(help.lines().count() > 5 && help.contains("fibre-cut|cut LINK") && !help.contains('\u{fffd}'), "{help}");
    assert!(site.api.list("/api/v1/alarms").is_empty(), "a network without faults gives no reason for alarms");

    assert_eq!(site.tell("cut fibre brt-stp").trim(), "fault 1: fibre-cut at stp-brt; `end 1` ends it");
    site.await_alarm("link-down", "mops/stp-brt-fibre", false);
    assert_eq!(site.tell("end 1").trim(), "fault 1 ended");
    site.await_alarm("link-down", "mops/stp-brt-fibre", true);

    // What has no connection is missed by the manager, and welcome when it is back under a higher incarnation.
    site.tell("crash gud-km");
    site.await_alarm("component-silent", "mk/gud-km", false);
    site.await_alarm("kma-link-down", "mk/erd-km", false);
    site.tell("end all");
    site.await_alarm("component-silent", "mk/gud-km", true);

    // Counters and numbering begin anew, under a higher incarnation; nothing is refused.
    let erd = || site.api.get("/api/v1/components/mk/erd-km").json();
    let before = erd()["incarnation"].as_u64().unwrap();
    assert_eq!(site.tell("restart erd-km").trim(), "restart at erd-km");
    eventually("a higher incarnation", PATIENCE, || (erd()["incarnation"].as_u64()? > before).then_some(()));

    assert!(site.tell("status").contains(" 0 refused"), "{}", site.tell("status"));
    assert!(holds(&site.folder, "simulate.control"));
    assert_eq!(site.tell("quit").trim(), "ending");
    assert!(site.network.end().success());
    assert!(!holds(&site.folder, "simulate.control"));
    assert!(site.manager_errors().is_empty(), "{:?}", site.manager_errors());
    let said = fs::read_to_string(site.folder.join("network.log")).unwrap();
    assert!(said.contains("fault 1 begins: fibre-cut at stp-brt") && said.contains("ended; 40 components"), "{said}");
}

#[test]
fn a_thousand_components_report_from_one_process() {
    let mut site = Site::start("germany-100.toml", "\n[devices]\npairs = 4\n");
    let patience = PATIENCE * 4;
    eventually("a report of each accepted", patience, || {
        let all = site.components();
        assert!(all.len() > 1_200, "{}", all.len());
        all.iter().all(|it| it["reports"].as_u64() >= Some(1)).then_some(())
    });
    let status = site.tell("status");
    assert!(status.contains(" 0 refused"), "{status}");
    site.tell("quit");
    assert!(site.network.end().success());
}

#[test]
fn what_cannot_be_simulated_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    fs::write(&file, "nodes = [{ id = \"a\" }]\nlinks = [{ from = \"a\", to = \"b\", length_km = 1 }]\n").unwrap();
    let path = file.display().to_string();
    let refused = qkdnm(&["simulate", &path, "--dry-run"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused);
    assert!(said.contains("bad.toml:2") && said.contains("no node `b`") && said.contains("no [network]"), "{said}");
    let vienna = binary::repository().join("examples/networks/vienna-5.toml").display().to_string();
    let nowhere = qkdnm(&["simulate", &vienna]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere).contains("--site"), "{}", text(&nowhere));
    let listed = qkdnm(&["simulate", &vienna, "--dry-run"]);
    assert!(text(&listed).contains("mqrp/sie-gud-relay-point") && text(&listed).contains("40 components"));
    let which = qkdnm(&["simulate", "--tell", "list"]);
    assert!(which.status.code() == Some(2) && text(&which).contains("--site DIR"), "{}", text(&which));
    let site = dir.path().join("site");
    let write = |more: &[&str]| {
        let mut arguments = vec!["simulate", &vienna, "--write-config", site.to_str().unwrap()];
        arguments.extend(more);
        qkdnm(&arguments)
    };
    assert!(write(&[]).status.success());
    fs::write(site.join("manager.toml"), "# mine\n").unwrap();
    let again = write(&[]);
    assert!(again.status.code() == Some(2) && text(&again).contains("--force"), "{}", text(&again));
    assert_eq!(fs::read_to_string(site.join("manager.toml")).unwrap(), "# mine\n");
    assert!(write(&["--force"]).status.success());
    let nobody = qkdnm(&["simulate", "--site", &dir.path().display().to_string(), "--tell", "list"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody));
}

#[test]
fn faults_and_time_come_from_the_file() {
    let more = "\n[simulation]\nreport_interval = \"2s\"\nspeed = 4.0\n[[faults]]\nkind = \"failure\"\n\
                target = \"erd-switch\"\nat = \"4s\"\nfor = \"60s\"\n";
    let site = Site::start("vienna-5.toml", more);
    site.await_alarm("switch-failed", "mops/erd-switch", false);
    site.await_alarm("switch-failed", "mops/erd-switch", true);
}
