//! `qkdnm config show`, `schema` and `diff`, and the library of policies: each file as an operator would use it.

use std::{fs, path::Path, process::Command};

use harness::{ManagerProcess, RawClient, Settings, TestPki, binary, performance, report, response_code};
use serde_json::{Value, json};

/// Standard output, standard error and exit code.
fn qkdnm(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (String, String, Option<i32>) {
    let mut command = Command::new(binary::qkdnm());
    let output = command.args(arguments).envs(variables.iter().copied()).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// A folder with a configuration in it.
fn folder(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let pki = TestPki::new(&dir.path().join("pki"));
    let identity = pki.issue_manager("m");
    let text = Settings::one("mk", &["km-1"]).with(more).to_toml(&dir.path().join("data"), &pki, &identity);
    fs::write(dir.path().join("manager.toml"), text).unwrap();
    dir
}

#[test]
fn a_configuration_shows_itself_with_where_each_value_came_from() {
    let dir = folder("[storage]\njournal_retention = \"3d\"\n");
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(dir.path().join("conf.d/10.toml"), "[storage]\ndurability = \"os\"\n").unwrap();
    let variables = [("QKDNM__LOG__LEVEL", "debug")];
    let arguments = ["config", "show", "--effective", "--origin"];
    let (shown, errors, code) = qkdnm(dir.path(), &arguments, &variables);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let line = |key: &str| shown.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap().to_owned();
    assert!(line("durability").ends_with("# conf.d/10.toml:2"), "{shown}");
    assert!(line("level").ends_with("# QKDNM__LOG__LEVEL"), "{shown}");
    assert!(line("cpu_time").ends_with("# default"), "{shown}");
    let retention = line("journal_retention");
    assert!(retention.contains("\"3d\"") && retention.contains("# manager.toml:"), "{shown}");
    assert!(shown.contains("sha256 = \"(hidden)\""), "{shown}");

    // What is written has no defaults; the same for programs.
    let (json, _, code) = qkdnm(dir.path(), &["config", "show", "-o", "json"], &variables);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &value["effective"]), (Some(0), &json!(false)));
    assert_eq!(value["configuration"]["storage"], json!({ "durability": "os", "journal_retention": "3d" }));
    assert_eq!(value["origins"]["/storage/durability"]["file"], "conf.d/10.toml");
    assert_eq!(value["origins"]["/log/level"], json!({ "kind": "environment", "variable": "QKDNM__LOG__LEVEL" }));

    // What is not in order is not shown, and said.
    let (shown, errors, code) = qkdnm(dir.path(), &arguments, &[("QKDNM__LOG__LEVL", "debug")]);
    assert_eq!((code, shown.as_str()), (Some(2), ""));
    assert!(errors.contains("did you mean `level`?"), "{errors}");
}

#[test]
fn what_is_different_is_told_key_by_key() {
    let policy = "[[policies]]\nname = \"p\"\nfunction = \"fault\"\nplugin = \"builtin:state\"\nconfig = { hold_off = \"5s\" }\n";
    let dir = folder(policy);
    let main = fs::read_to_string(dir.path().join("manager.toml")).unwrap();
    let arguments = ["config", "diff", "manager.toml", "new.toml"];
    fs::write(dir.path().join("new.toml"), &main).unwrap();
    let (told, _, code) = qkdnm(dir.path(), &arguments, &[]);
    assert_eq!((told.as_str(), code), ("Nothing is different.\n", Some(0)));

    let new = main.replace("\"5s\"", "\"9s\"").replace("domain = \"test\"", "domain = \"west\"");
    fs::write(dir.path().join("new.toml"), new.replace("id = \"km-1\"", "id = \"km-2\"")).unwrap();
    let (told, _, code) = qkdnm(dir.path(), &arguments, &[]);
    assert_eq!(code, Some(3), "{told}");
    for part in [
        "components[mk/km-1] removed\n",
        "components[mk/km-2] added\n",
        "manager.domain changed (restart)\n  - \"test\"  # manager.toml:3\n  + \"west\"  # new.toml:3\n",
        "policies[p].config.hold_off changed\n  - \"5s\"  #",
        "a reload would refuse the whole",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let (told, _, code) = qkdnm(dir.path(), &["config", "diff", "manager.toml", "new.toml", "-o", "json"], &[]);
    let value: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &value["same"], &value["needsRestart"]), (Some(3), &json!(false), &json!(true)));
    assert_eq!(value["differences"].as_array().unwrap().len(), 4, "{told}");

    // A file that a manager would refuse is compared as far as it can be made out.
    fs::write(dir.path().join("new.toml"), main.replace("[log]", "[log]\nformt = \"json\"")).unwrap();
    let (_, errors, code) = qkdnm(dir.path(), &arguments, &[]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("did you mean `format`?"), "{errors}");
}

#[test]
fn a_manager_that_runs_tells_its_configuration_to_operators() {
    let policy = |hold_off: &str| {
        format!(
            "[[policies]]\nname = \"p\"\nfunction = \"fault\"\nplugin = \"builtin:state\"\nconfig = {{ hold_off = \"{hold_off}\" }}\n"
        )
    };
    let mut manager = ManagerProcess::start(Settings::one("mk", &["km-1"]).with(&policy("5s")));
    let path = "/api/v1/configuration";
    assert_eq!(manager.api().get(path).status, 401, "it tells what security policies do not see");
    let running = |arguments: &[&str]| {
        let output = manager.admin_command(arguments);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (json, code) = running(&["config", "show", "--running", "-o", "json"]);
    let view: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &view["by"], &view["filesDiffer"]), (Some(0), &json!("start"), &json!(false)), "{json}");
    assert_eq!(view["configuration"]["policies"][0]["config"]["hold_off"], "5s");
    assert_eq!(view["configuration"]["api"]["tokens"][0]["sha256"], "(hidden)");
    assert_eq!(view["configuration"]["storage"]["durability"], "sync");
    assert_eq!(view["origins"]["/storage/durability"], json!({ "kind": "default" }));
    assert_eq!(view["origins"]["/manager/id"]["line"], 2, "{json}");

    // What is in force and the file are compared, also before a reload.
    let file = manager.root().join("manager.toml");
    let file = file.to_str().unwrap();
    let (told, code) = running(&["config", "diff", file]);
    assert_eq!((told.as_str(), code), ("Nothing is different.\n", Some(0)));
    let (told, code) = running(&["config", "diff"]);
    assert_eq!(code, Some(0), "{told}");
    let candidate = manager.root().join("new.toml");
    fs::write(&candidate, fs::read_to_string(file).unwrap().replace("\"5s\"", "\"9s\"")).unwrap();
    let (told, code) = running(&["config", "diff", candidate.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("policies[p].config.hold_off changed\n  - \"5s\""), "{told}");

    // After a reload it tells the new one, and who did it.
    manager.settings_mut().more = policy("9s");
    assert_eq!(manager.reload_settings().status, 200);
    let (told, code) = {
        let output = manager.admin_command(&["config", "show", "--running", "--origin"]);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    assert_eq!(code, Some(0));
    assert!(told.starts_with("# In force since ") && told.contains("by admin-test"), "{told}");
    assert!(told.contains("hold_off = \"9s\"  "), "{told}");
}

#[test]
fn editors_get_a_schema_with_the_plugins_that_ship() {
    let dir = tempfile::tempdir().unwrap();
    let (schema, errors, code) = qkdnm(dir.path(), &["config", "schema"], &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    for name in ["policy-threshold", "policy-state", "policy-key-store-forecast", "handler-mq"] {
        assert_eq!(schema["definitions"][name]["type"], "object", "{name}");
    }
    let enrolment = &schema["definitions"]["manager"]["properties"]["enrolment"];
    assert_eq!((&enrolment["default"], &enrolment["enum"][0]), (&json!("listed"), &json!("listed")));
}

/// The files of the library, by name.
fn library() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(binary::repository().join("config/library"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 12);
    files
}

#[test]
fn each_file_of_the_library_is_in_order_beside_the_minimal_sample() {
    let dir = tempfile::tempdir().unwrap();
    let config = binary::repository().join("config");
    let run = |arguments: &[&str]| {
        let (told, errors, code) = qkdnm(dir.path(), arguments, &[]);
        assert_eq!(code, Some(0), "{arguments:?}: {told}{errors}");
    };
    run(&["pki", "init", "pki"]);
    run(&["pki", "issue", "pki", "--reference-point", "mx", "--component-id", "manager-east"]);
    fs::copy(config.join("manager.minimal.toml"), dir.path().join("manager.toml")).unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    // The folder of compiled plugins: what was compiled for one file is there for the next.
    fs::create_dir_all(dir.path().join("data/plugin-cache")).unwrap();
    for (name, text) in library() {
        for part in ["# Watches ", "# Figures ", "# To do ", "# Adapt "] {
            assert!(text.contains(part), "{name} does not explain itself: {part}");
        }
        let path = dir.path().join("conf.d").join(&name);
        fs::write(&path, text).unwrap();
        let (told, errors, code) = qkdnm(dir.path(), &["check", "manager.toml"], &[]);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{name}: {told}");
        fs::remove_file(path).unwrap();
    }
}

/// The whole library in one manager, its waits cut to nothing.
fn start() -> ManagerProcess {
    let manager = ManagerProcess::start_with(|_, folder| {
        fs::create_dir(folder.join("conf.d")).unwrap();
        for (name, text) in library() {
            let line = |line: &str| match line.split_once(" = ") {
                Some((key, _)) if key.ends_with("hold_off") => format!("{key} = \"0s\"\n"),
                Some(("expected_interval", _)) => "expected_interval = \"200ms\"\n".to_owned(),
                Some(("warm_up", number)) if number.parse::<u32>().is_ok() => "warm_up = 5\n".to_owned(),
                _ => format!("{line}\n"),
            };
            fs::write(folder.join("conf.d").join(name), text.lines().map(line).collect::<String>()).unwrap();
        }
        let settings = ["mq", "mk", "mops", "mc"].into_iter().fold(Settings::default(), |s, p| s.interface(p, ""));
        // `mq/alice-1` is the component of silent-component.toml.
        settings
            .component("mq", "far-1", "tags = [\"long-haul\"]\nsite = \"ministry\"")
            .component("mq", "lab-1", "site = \"laboratory\"")
            .component("mk", "km-1", "")
            .component("mops", "switch-1", "")
            .component("mc", "controller-1", "")
    });
    manager.expect_warnings();
    manager
}

fn say(client: &mut RawClient, id: &str, extension: Value) {
    assert_eq!(response_code(&client.ask(&report(id, extension))), "success");
}

#[test]
fn the_policies_of_the_library_raise_what_they_promise() {
    let manager = start();
    let perf = |name: &str, value: f64| performance(json!({ name: value }));
    let state = |values: Value| json!([{ "type": "state", "values": values }]);
    // Where, what is reported, and the alarm: type, severity, qualifier.
    let cases: Vec<(&str, &str, Value, &str, &str, &str)> = vec![
        ("mq", "alice-1", perf("qber_ratio", 0.06), "qber-threshold-exceeded", "minor", "qber-metro"),
        ("mq", "far-1", perf("qber_ratio", 0.107), "qber-threshold-exceeded", "critical", "qber-long-haul"),
        ("mq", "alice-1", perf("link_loss_db", 7.0), "quantum-channel-loss-high", "minor", "channel-loss"),
        ("mq", "alice-1", perf("detection_rate_cps", 300.0), "loss-of-quantum-signal", "critical", "fibre-cut"),
        ("mq", "alice-1", perf("secret_key_rate_bps", 0.0), "secret-key-rate-low", "major", "no-key-for-long"),
        ("mq", "alice-1", perf("dark_count_rate_cps", 6_000.0), "detector-degraded", "major", "detector-dark-counts"),
        (
            "mq",
            "alice-1",
            perf("detector_temperature_celsius", -20.0),
            "detector-degraded",
            "major",
            "detector-cooling",
        ),
        ("mq", "alice-1", perf("laser_bias_ma", 61.0), "laser-degraded", "minor", "laser-bias"),
        ("mq", "alice-1", perf("remaining_useful_life_h", 1_000.0), "laser-degraded", "warning", "remaining-life"),
        (
            "mk",
            "km-1",
            perf("enclosure_temperature_celsius", 56.0),
            "temperature-unacceptable",
            "major",
            "equipment-warm",
        ),
        ("mk", "km-1", perf("effective_secret_key_rate_bps", 520.0), "sla-violated", "minor", "contracted-key-rate"),
        ("mk", "km-1", perf("key_response_delay_ms", 3_500.0), "service-degraded", "major", "key-response-delay"),
        ("mk", "km-1", perf("key_store_fill_ratio", 0.99), "key-store-full", "warning", "key-store-full"),
        ("mk", "km-1", perf("integrity_failure_count", 1.0), "key-integrity-mismatch", "critical", "key-integrity"),
        ("mc", "controller-1", perf("cpu_load_ratio", 0.95), "overload", "minor", "controller-processor"),
        (
            "mq",
            "alice-1",
            state(json!({ "synchronization_state": "holdover" })),
            "synchronization-lost",
            "major",
            "synchronization_state",
        ),
        (
            "mq",
            "alice-1",
            json!([{ "type": "inventory", "values": { "software_version": "3.0.0" } }]),
            "configuration-drift",
            "major",
            "software_version",
        ),
        ("mq", "lab-1", state(json!({ "enclosure_open": true })), "cabinet-open", "minor", "open-cabinet"),
    ];
    for (point, id, extension, kind, severity, qualifier) in cases {
        let mut client = manager.connect(point, id);
        say(&mut client, id, extension);
        manager.api().await_alarm(kind, |alarm| {
            alarm["severity"] == severity && alarm["alarmTypeQualifier"] == qualifier && alarm["isCleared"] == false
        });
    }
    // The key store that lasts: low at once, and empty.
    let mut client = manager.connect("mk", "km-1");
    say(&mut client, "km-1", perf("key_store_fill_ratio", 0.15));
    manager.api().await_alarm("key-store-low", |alarm| alarm["isCleared"] == false);

    // Two reports are enough for the stricter site.
    let mut client = manager.connect("mq", "far-1");
    let qber = |qber: f64| performance(json!({ "qber_ratio": qber, "detection_rate_cps": 20_000.0 }));
    for qber in [qber(0.02), qber(0.02), qber(0.02), qber(0.02), qber(0.02), qber(0.02), qber(0.028), qber(0.028)] {
        say(&mut client, "far-1", qber);
    }
    manager.api().await_alarm("possible-interception", |alarm| alarm["isCleared"] == false);
    // One day's keys of a user, in one interval.
    let started = manager.api().get("/api/v1/health").json()["started"].clone();
    let usage = json!([{ "type": "usage", "usageId": "u-1", "application": "vpn", "user": "bank-b", "startTime": started,
                         "endTime": started, "consumedBits": 21_000_000 }]);
    let mut client = manager.connect("mk", "km-1");
    say(&mut client, "km-1", usage);
    manager.api().await_alarm("quota-exceeded", |alarm| {
        alarm["resource"] == "bank-b" && alarm["severity"] == "minor" && alarm["isCleared"] == false
    });
    // Who has not reported for three of its intervals.
    manager.api().await_alarm("component-silent", |alarm| alarm["component"] == "mq/alice-1");
    // The trial rings for nobody.
    let rung = manager.api().list("/api/v1/alarms");
    assert!(rung.iter().all(|alarm| alarm["alarmTypeQualifier"] != "qber-trial"), "{rung:?}");
}
