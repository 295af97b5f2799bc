//! Collectors with the real manager: devices that do not report are asked, over TLS and with the manager's certificate; what they
//! say goes the way of every report. What a plugin may not ask is not asked, and what goes wrong is told.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Api, ManagerProcess, PATIENCE, Settings, eventually, examples, guests, settings::OPERATOR_TOKEN};
use serde_json::{Value, json};

use super::devices::Devices;

/// `[[collectors]]`
fn collector(name: &str, components: &[&str], plugin: &Path, config: &str) -> String {
    format!(
        "[[collectors]]\nname = {name:?}\ncomponents = {components:?}\nplugin = {plugin:?}\ninterval = \"200ms\"\n\
         retry_max = \"400ms\"\nconfig = {config}\n"
    )
}

fn collector_view(api: &Api, name: &str) -> Value {
    api.get(&format!("/api/v1/collectors/{name}")).json()
}

fn value(api: &Api, component: &str, resource: &str, name: &str) -> Option<Value> {
    let detail = api.get(&format!("/api/v1/components/{component}")).json();
    let values = detail["values"].as_array()?.clone();
    values.into_iter().find(|one| one["name"] == name && one["resource"] == resource).map(|one| one["value"].clone())
}

fn alarm(api: &Api, alarm_type: &str, cleared: bool) -> Value {
    eventually(&format!("{alarm_type}, cleared: {cleared}"), PATIENCE, || {
        let mut alarms = api.list("/api/v1/alarms").into_iter();
        alarms.find(|alarm| alarm["alarmTypeId"] == alarm_type && alarm["isCleared"].as_bool() == Some(cleared))
    })
}

#[test]
fn an_entity_is_collected_like_a_component_that_reports_and_missed_like_one() {
    let mut devices = Devices::start();
    let plugin = examples::wasm("collector-etsi014", "collectors-014");
    let tables = collector("kme-erd", &["mk/kme-erd"], &plugin, "{ saes = [\"sae-gud\", \"sae-nobody\"] }")
        + &devices.grant("kme", "etsi014");
    let settings = Settings::default().interface("mk", "");
    let mut manager = ManagerProcess::start(settings.component("mk", "kme-erd", "vendor = \"acme\"").with(&tables));
    let api = manager.api();

    let stored =
        eventually("keys of the entity", PATIENCE, || value(&api, "mk/kme-erd", "sae-gud", "stored_key_count"));
    assert!(stored.as_f64().unwrap() > 0.0);
    assert_eq!(value(&api, "mk/kme-erd", "sae-nobody", "service_state"), Some(json!("unavailable")));
    let detail = api.get("/api/v1/components/mk/kme-erd").json();
    assert_eq!(detail["collector"], "kme-erd", "{detail:#}");
    assert_eq!(detail["connections"][0]["keyExchange"], "collector kme-erd");
    assert_eq!(detail["expectedIntervalMs"], 400, "twice the interval, where nothing else is said");
    let explained = api.get("/api/v1/components/mk/kme-erd/explanation").json();
    assert!(explained["collector"].as_str().unwrap().starts_with("kme-erd ("), "{explained:#}");
    let listed = manager.command(&["collector", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("kme-erd") && listed.contains("working"), "{listed}");
    let metrics = api.get("/metrics").text;
    assert!(
        metrics.contains("qkdn_collector_requests_refused_total{collector=\"kme-erd\",reason=\"keys\"} 0"),
        "{metrics}"
    );

    // Whoever wants a report now gets one of now.
    let answer = api.post("/api/v1/components/mk/kme-erd/request", Some(OPERATOR_TOKEN), &json!({}));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let values = answer.json()["values"].as_array().unwrap().clone();
    assert!(values.iter().any(|value| value["name"] == "max_key_count"), "{values:?}");

    manager.expect_warnings();
    devices.end();
    assert_eq!(alarm(&api, "component-silent", false)["component"], "mk/kme-erd");
    let view = eventually("a collector that fails", PATIENCE, || {
        Some(collector_view(&api, "kme-erd")).filter(|view| view["state"] == "failing")
    });
    assert!(view["lastError"].as_str().unwrap().contains("cannot connect to 127.0.0.1:"), "{view:#}");
    let detail = api.get("/api/v1/components/mk/kme-erd").json();
    assert_eq!(detail["connections"], json!([]), "nobody is there");
    let doctor = manager.command(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("collector kme-erd fails"), "{doctor:?}");

    devices.begin_again();
    alarm(&api, "component-silent", true);
    // What was collected is in the journal like everything else.
    manager.crash_and_restart();
    let api = manager.api();
    let count = || api.get("/api/v1/components/mk/kme-erd").json()["reports"].as_u64().unwrap();
    let before = count();
    assert!(before > 0);
    eventually("further reports", PATIENCE, || (count() > before).then_some(()));
}

#[test]
fn a_node_is_collected_as_all_its_components_in_one_request() {
    let devices = Devices::start();
    let plugin = examples::wasm("collector-etsi015", "collectors-015");
    let components = ["mk/km-erd", "mq/erd-1", "mops/erd-fibres"];
    let tables = collector("node-erd", &components, &plugin, "{ interfaces = { 1 = \"mq/erd-1\" } }")
        + &devices.grant("node", "etsi015");
    let mut settings = Settings::default();
    for component in components {
        let (point, id) = component.split_once('/').unwrap();
        settings = settings.interface(point, "").component(point, id, "");
    }
    let manager = ManagerProcess::start(settings.with(&tables));
    let api = manager.api();
    let qber = eventually("an error ratio", PATIENCE, || value(&api, "mq/erd-1", "", "qber_ratio"));
    assert!((0.001..0.1).contains(&qber.as_f64().unwrap()), "{qber}");
    assert_eq!(value(&api, "mk/km-erd", "", "qkdn_status"), Some(json!("OPERATING")));
    let fibres = api.get("/api/v1/components/mops/erd-fibres").json();
    let states = fibres["values"].as_array().unwrap().iter().filter(|one| one["name"] == "qkdl_status");
    assert_eq!(states.filter(|one| one["value"] == "ACTIVE").count(), 3, "{fibres:#}");
    let usage = eventually("usage of applications", PATIENCE, || {
        Some(api.list("/api/v1/usage?by=component")).filter(|usage| !usage.is_empty())
    });
    assert_eq!(usage[0]["name"], "mk/km-erd", "{usage:?}");
}

/// A device that answers each request with the same bytes, and counts what it was asked.
fn answering(bytes: &'static [u8]) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 1024]);
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&part[..read]),
                }
            }
            let _ = asked.send(String::from_utf8_lossy(&request).into_owned());
            let _ = stream.write_all(bytes);
            // Whoever waits for more waits.
            kept.push(stream);
        }
    });
    (url, heard)
}

/// A manager with a collector for each of these: where its device is, and what it does.
fn wayward(cases: &[(&str, &str)]) -> ManagerProcess {
    let mut settings = Settings::default().interface("mk", "");
    for (place, (url, config)) in cases.iter().enumerate() {
        let name = format!("odd-{place}");
        let table = collector(&name, &[&format!("mk/{name}")], &guests::wasm("guest-collector"), config);
        let granted = format!("timeout = \"1s\"\n[[collectors.http]]\nname = \"device\"\nurl = {url:?}\n");
        settings = settings.component("mk", &name, "").with(&(table + &granted));
    }
    let mut manager = ManagerProcess::prepare(settings);
    manager.expect_warnings();
    manager.launch();
    manager
}

fn last_error(api: &Api, place: usize) -> String {
    eventually("a failed collection", PATIENCE, || {
        collector_view(api, &format!("odd-{place}"))["lastError"].as_str().map(str::to_owned)
    })
}

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[test]
fn keys_are_never_asked_for_and_only_granted_hosts_are_asked() {
    let (url, asked) = answering(EMPTY);
    let paths = [
        "[\"device\", \"/api/v1/keys/sae-b/enc_keys\"]",
        "[\"device\", \"/api/v1/keys/sae-b/%64ec_keys\"]",
        "[\"other\", \"/status\"]",
        "[\"stranger\", \"/status\"]",
        "[\"device\", \"/status\"]",
    ];
    let manager = wayward(&[(&url, &format!("{{ gets = [{}] }}", paths.join(", ")))]);
    let api = manager.api();
    let error = last_error(&api, 0);
    assert_eq!(error.matches("refused by the manager: this path may hand out keys").count(), 2, "{error}");
    assert!(error.contains("other/status: 0 refused by the manager: the configuration does not grant"), "{error}");
    let not_asked = "stranger/status: 0 refused by the manager: the plugin's description does not ask";
    assert!(error.contains(not_asked) && error.contains("device/status: 200 "), "{error}");
    let view = collector_view(&api, "odd-0");
    assert_eq!(view["notGranted"], json!(["other"]));
    let refused = |why: &str| {
        let list = view["requestsRefused"].as_array().unwrap();
        list.iter().find(|one| one["why"] == why).map(|one| one["requests"].as_u64().unwrap())
    };
    let (keys, granted, asked_for) = (refused("keys"), refused("not-granted"), refused("not-asked"));
    assert!(keys >= Some(2) && granted >= Some(1) && asked_for >= Some(1), "{view:#}");
    assert!(asked.try_iter().all(|request| request.starts_with("GET /status HTTP/1.1\r\n")));
}

#[test]
fn answers_are_bounded_and_redirects_are_not_followed() {
    let get = "{ gets = [[\"device\", \"/status\"]] }";
    let (elsewhere, followed) = answering(EMPTY);
    let head =
        format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let (redirect, _asked) = answering(head.leak().as_bytes());
    let (slow, _asked) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nthe beginning");
    let large = [b"HTTP/1.1 200 OK\r\ncontent-length: 2097152\r\n\r\n".to_vec(), vec![b'x'; 2 << 20]].concat();
    let (large, _asked) = answering(large.leak());
    let many = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(40_000));
    let (many, _asked) = answering(many.leak().as_bytes());
    let manager = wayward(&[(&redirect, get), (&slow, get), (&large, get), (&many, get)]);
    let api = manager.api();
    let told = |place, wanted: &str| {
        let error = last_error(&api, place);
        assert!(error.contains(wanted), "{error}");
    };
    told(0, "status 302; redirects are not followed");
    assert!(followed.try_recv().is_err());
    told(1, "no answer within 1s");
    told(2, "more than 1048576 bytes");
    told(3, "device/status: 0 ");
}

#[test]
fn key_material_in_a_collected_report_is_refused_as_everywhere() {
    let (url, _asked) = answering(EMPTY);
    let report = r#"{ report = '[{"type":"x.store","keys":[{"key_ID":"1","key":"c2VjcmV0"}]}]' }"#;
    let manager = wayward(&[(&url, report)]);
    let api = manager.api();
    let error = last_error(&api, 0);
    assert!(error.contains("mk/odd-0: the manager answered rejected: "), "{error}");
    assert_eq!(alarm(&api, "key-material-refused", false)["component"], "mk/odd-0");
    assert!(!manager.log().contains("c2VjcmV0"));
    assert_eq!(api.get("/api/v1/components/mk/odd-0").json()["reports"], 0);
}

#[test]
fn a_collector_that_breaks_is_told_and_harms_nobody() {
    let (url, _asked) = answering(EMPTY);
    let bad = "the plugin fails: bad-answer: ";
    let cases = [
        ("{ do = \"panic\" }", "the plugin fails: trap".to_owned()),
        ("{ do = \"loop\" }", "the plugin fails: cpu-time".to_owned()),
        ("{ do = \"hoard\" }", format!("{bad}the memory has 1048576 bytes")),
        ("{ report = \"[] and more\" }", format!("{bad}mk/odd-3: the extension is no JSON array")),
        (
            "{ report = \"[]\", for = \"mk/other\" }",
            format!("{bad}a report is for a component that is not among its own: mk/odd-4"),
        ),
        (
            "{ do = \"ask-for-ever\", gets = [[\"device\", \"/status\"]] }",
            format!("{bad}a collection may have 8 calls"),
        ),
        ("{ report = \"[]\" }", String::new()),
    ];
    let all: Vec<(&str, &str)> = cases.iter().map(|(config, _)| (url.as_str(), *config)).collect();
    let manager = wayward(&all);
    manager.expect_errors();
    let api = manager.api();
    for (place, (config, told)) in cases.iter().enumerate().filter(|(_, (_, told))| !told.is_empty()) {
        let error = last_error(&api, place);
        assert!(error.contains(told), "{config}: {error}");
        eventually("an alarm about the plugin", PATIENCE, || {
            let mut alarms = api.list("/api/v1/alarms").into_iter();
            let resource = format!("plugin odd-{place}");
            alarms.find(|alarm| alarm["alarmTypeId"] == "plugin-failed" && alarm["resource"] == resource)
        });
    }
    // The one that behaves goes on beside them.
    let reports = || api.get("/api/v1/components/mk/odd-6").json()["reports"].as_u64().unwrap();
    let before = reports();
    eventually("further reports", PATIENCE, || (reports() > before).then_some(()));
    assert_eq!(api.get("/readyz").status, 200);
}

/// The doctor of qkdsec, a client of ETSI GS QKD 014 that shares nothing with this project, installed once below the target folder.
fn qkdsec() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("QKDNM_QKDSEC") {
        return Some(named.into());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("qkdsec");
    let program = folder.join("bin/qkdsec");
    if !program.exists() {
        let run = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "qkdsec[cli]==0.3.0"]));
        if !made {
            return None;
        }
    }
    Some(program)
}

#[test]
fn the_simulated_entity_passes_the_doctor_of_qkdsec() {
    let Some(program) = qkdsec() else {
        println!("SKIPPED: qkdsec (PyPI) cannot be installed here; QKDNM_QKDSEC names one");
        return;
    };
    let devices = Devices::start();
    let pki = devices.pki();
    let output = Command::new(program)
        .args(["doctor", devices.url("etsi014"), "--slave-sae-id", "sae-gud", "--format", "json"])
        .arg("--cert")
        .arg(pki.join("sae-erd.pem"))
        .arg("--key")
        .arg(pki.join("sae-erd.key"))
        .arg("--ca-cert")
        .arg(pki.join("ca.pem"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {output:?}"));
    assert!(output.status.success(), "{report:#}");
    // How long it takes says something of this machine alone.
    for probe in report["results"].as_array().unwrap().iter().filter(|probe| probe["name"] != "latency") {
        assert!(probe["status"] != "fail" && probe["status"] != "warn", "{probe:#}");
    }
}
