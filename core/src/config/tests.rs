//! Whole configurations: what is refused, how it is shown, and what the samples of `config/` say.

use std::{fs, path::Path, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::config::{
    load::load_text,
    problem::{Level, Problem, Problems},
    source::SourceText,
};

const MINIMAL: &str = include_str!("../../../config/manager.minimal.toml");
const COMPLETE: &str = include_str!("../../../config/manager.toml");

/// A folder with the files that the samples name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pki")).unwrap();
    for name in ["manager-east.pem", "manager-east.key", "ca.pem"] {
        fs::write(folder.path().join("pki").join(name), "").unwrap();
        set_mode(&folder.path().join("pki").join(name), 0o600);
    }
    folder
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn load_in(folder: &Path, text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let main = SourceText { name: "manager.toml".into(), folder: folder.into(), text: text.into() };
    load_text(main, &variables)
}

fn messages(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.message.as_str()).collect()
}

#[test]
fn the_complete_sample_says_the_defaults_and_nothing_is_wrong_with_it() {
    let folder = folder();
    let complete = load_in(folder.path(), COMPLETE, &[]).unwrap();
    assert_eq!(messages(&complete.warnings), Vec::<&str>::new());
    let minimal = load_in(folder.path(), MINIMAL, &[]).unwrap();
    assert_eq!(messages(&minimal.warnings), Vec::<&str>::new());
    let (complete, minimal) = (complete.config, minimal.config);
    // What differs is what has no default: the samples' examples.
    assert_eq!(complete.manager.enrolment, Enrolment::Listed);
    let show = |value: &dyn std::fmt::Debug| format!("{value:#?}");
    assert_eq!(show(&complete.manager.data_dir), show(&minimal.manager.data_dir));
    assert_eq!(complete.manager.shards, minimal.manager.shards);
    assert_eq!(show(&complete.log), show(&minimal.log));
    assert_eq!(complete.tls, minimal.tls);
    assert_eq!(show(&complete.interfaces[0]), show(&minimal.interfaces[0]));
    assert_eq!(show(&complete.plugins), show(&minimal.plugins));
    assert_eq!(show(&complete.storage), show(&minimal.storage));
    assert_eq!(show(&complete.api), show(&minimal.api));
    assert_eq!(show(&complete.handlers), show(&minimal.handlers));
    let ports: Vec<u16> = complete.interfaces.iter().map(|interface| interface.listen[0].port()).collect();
    assert_eq!(ports, crate::model::ReferencePoint::ALL.map(crate::model::ReferencePoint::default_port));
}

/// The text between a header (`[log]`, or `[[handlers]]` as a comment) and the next one.
fn sections(header: &str) -> String {
    let mut inside = false;
    let lines = COMPLETE.lines().filter(|line| {
        let bare = line.trim_start_matches("# ");
        inside =
            if bare.starts_with('[') && !bare.contains('=') { bare.trim_matches(['[', ']']) == header } else { inside };
        inside
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys of a table, with those of the tables within it, which the sample writes as `{ ... }`.
fn names_every_key(table: &contract::TableSpec, text: &str) {
    for key in table.keys {
        if let contract::Kind::Tables(inner) = &key.kind
            && let own = sections(inner.name)
            && !own.is_empty()
        {
            names_every_key(inner, &own);
            continue;
        }
        assert!(text.contains(&format!("{} = ", key.name)), "[{}] {}", table.name, key.name);
        if let contract::Kind::Table(inner) | contract::Kind::Tables(inner) = &key.kind {
            // The same in policies and subscriptions.
            let policies = sections("policies");
            names_every_key(inner, if inner.name == "applies_to" { &policies } else { text });
        }
    }
}

#[test]
fn the_complete_sample_names_every_key() {
    for key in contract::TOP.keys {
        let (contract::Kind::Table(table) | contract::Kind::Tables(table)) = &key.kind else { panic!("{}", key.name) };
        match key.name {
            // One of them has all keys but those of [tls], which it may set again.
            "interfaces" => {
                let contract::Kind::Table(one) = &table.keys[0].kind else { panic!("no table") };
                let text = format!("{}{}", sections("interfaces.mq"), sections("tls"));
                names_every_key(one, &text);
                table
                    .keys
                    .iter()
                    .for_each(|point| assert!(!sections(&format!("interfaces.{}", point.name)).is_empty()));
            }
            name => names_every_key(table, &sections(name)),
        }
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let folder = folder();
    let config = load_in(folder.path(), MINIMAL, &[]).unwrap().config;
    let mq = &config.interfaces[0];
    assert_eq!(mq.listen, ["0.0.0.0:7101".parse().unwrap()]);
    assert_eq!((mq.max_connections, mq.max_connections_per_identity), (10_000, 4));
    assert_eq!((mq.max_line_bytes, mq.max_in_flight), (1_048_576, 256));
    assert_eq!(mq.handshake_timeout, Duration::from_secs(10));
    assert_eq!((mq.idle_timeout, mq.request_timeout), (Duration::from_secs(600), Duration::from_secs(10)));
    assert_eq!(mq.tls.key_exchange, KeyExchange::HybridPreferred);
    assert!(!mq.tls.allow_tls12);
    assert_eq!(config.plugins.cache_dir, folder.path().join("data/plugin-cache"));
    assert_eq!((config.plugins.cpu_time, config.plugins.memory), (Duration::from_millis(50), 32 << 20));
    assert_eq!((config.plugins.wall_time, config.plugins.answer_size), (Duration::from_secs(5), 1 << 20));
    assert_eq!(config.plugins.table_elements, 100_000);
    assert_eq!((config.plugins.state_per_component, config.plugins.log_lines_per_second), (4096, 20));
    assert_eq!(config.storage.durability, Durability::Sync);
    assert_eq!(config.storage.journal_retention, Duration::from_secs(604_800));
    assert_eq!((config.storage.journal_max_size, config.storage.journal_segment_size), (20 << 30, 64 << 20));
    assert_eq!(config.api.listen, "127.0.0.1:7100".parse().unwrap());
    let handlers: Vec<&str> = config.handlers.iter().map(|handler| handler.name.as_str()).collect();
    let standard =
        ["mq-standard", "mops-standard", "mqrp-standard", "mk-standard", "mc-standard", "mu-standard", "mx-standard"];
    assert_eq!(handlers, standard);
    assert_eq!(config.handlers[0].plugin, PluginSource::Builtin("mq".into()));
}

/// The contract's own example, with everything that this version does not serve.
#[test]
fn unserved_keys_are_told() {
    let folder = folder();
    let text = format!(
        "{MINIMAL}\n[storage]\nhistory = {{ raw = \"7d\" }}\n\
         [plugins]\nallow_native = true\n"
    );
    let loaded = load_in(folder.path(), &text, &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 0, "{:?}", messages(&loaded.warnings));
    let refused = load_in(folder.path(), &text.replace("allow_native", "require_signature"), &[]).unwrap_err();
    assert_eq!(refused.count(Level::Error), 1, "{refused}");
}

#[test]
fn native_plugins_are_trusted_expressly() {
    let folder = folder();
    std::fs::write(folder.path().join("libacme.so"), "").unwrap();
    let policy = "[[policies]]\nname = \"a\"\nfunction = \"fault\"\nplugin = \"native:libacme.so\"\n";
    let refused = load_in(folder.path(), &format!("{MINIMAL}\n{policy}"), &[]).unwrap_err();
    assert!(refused.to_string().contains("native plugins are not allowed"), "{refused}");
    let allowed = format!("{MINIMAL}\n{policy}[plugins]\nallow_native = true\n");
    let loaded = load_in(folder.path(), &allowed, &[]).unwrap();
    assert!(matches!(&loaded.config.policies[0].plugin, PluginSource::Native(path) if path.ends_with("libacme.so")));
    assert_eq!(messages(&loaded.warnings), ["a native plugin without `sha256`"]);
    let pinned = allowed.replace("[plugins]", &format!("sha256 = \"{}\"\n[plugins]", "0".repeat(64)));
    assert_eq!(load_in(folder.path(), &pinned, &[]).unwrap().warnings.len(), 0);
}

#[test]
fn files_of_conf_d_add_to_the_main_file() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("m.toml", &format!("{MINIMAL}\n[log]\nlevel = \"warn\"\n"));
    write(
        "conf.d/20-vienna.toml",
        "[[components]]\nid = \"bob\"\nreference_point = \"mq\"\n[log]\nlevel = \"debug\"\n",
    );
    write("conf.d/10-graz.toml", "[[components]]\nid = \"carol\"\nreference_point = \"mq\"\n");
    write("conf.d/notes.txt", "no TOML");
    let loaded = super::load::load(&folder.path().join("m.toml")).unwrap();
    let ids: Vec<&str> = loaded.config.components.iter().map(|one| one.component.id.as_str()).collect();
    assert_eq!(ids[ids.len() - 2..], ["carol", "bob"]);
    assert_eq!(loaded.config.log.level, "debug", "the later file's key counts");

    // What stands twice is told with both places; a mistake names its own file.
    write("conf.d/30.toml", "[[components]]\nid = \"bob\"\nreference_point = \"mq\"\n");
    write("conf.d/40.toml", "[logg]\n");
    let refused = super::load::load(&folder.path().join("m.toml")).unwrap_err().to_string();
    for told in ["30.toml", "40.toml", "did you mean", "bob"] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
}

const BROKEN: &str = r#"[manager]
id = "manager-east"
domain = 7
shard = 4

[tls]
certificate = "pki/manager-east.pem"
private_key = "pki/manager-west.key"
trust_anchors = ["pki/ca.pem"]
key_exchange = "hybrid"

[interfaces.mq]
listen = "0.0.0.0:7101"
max_connections = 0
idle_timeout = "10 minutes"

[interfaces.mops]
listen = ["127.0.0.1:7101", "localhost:7102"]

[[components]]
id = "km-1"
reference_point = "mk"
identity = { san = "urn:qkdn:mk:km-1", subject = "CN=km-1" }

[[components]]
id = "km-2"
reference_point = "mkk"
dial = "192.0.2.7"

[[components]]
id = "alice"
reference_point = "mq"

[[components]]
id = "alice"
reference_point = "mq"

[[policies]]
name = "qber"
function = "performance"
plugin = "native:libqber.so"

[api]
tokens = [{ name = "ops", sha256 = "abc", role = "root" }]
"#;

#[test]
fn every_problem_of_a_file_is_shown_at_its_place() {
    let folder = folder();
    let problems = load_in(folder.path(), BROKEN, &[]).unwrap_err();
    let found: Vec<String> = problems
        .list
        .iter()
        .map(|problem| {
            let (line, column) = problems.sources.line_and_column(problem.place.unwrap()).unwrap();
            format!("{line}:{column} {}", problem.message)
        })
        .collect();
    let expected = [
        "3:10 `domain` has a value of the wrong type",
        "4:1 unknown key `shard` in [manager]",
        "8:15 cannot read the private key",
        "10:16 `key_exchange` cannot be `hybrid`",
        "14:19 `max_connections` is out of range",
        "15:16 `idle_timeout` cannot be read",
        "18:11 127.0.0.1:7101 is taken already",
        "18:29 `localhost:7102` is no address to listen on",
        "23:12 `identity` needs exactly one of `san`, `fingerprint` and `subject`",
        "27:19 `reference_point` cannot be `mkk`",
        "28:8 `dial` is no address",
        "35:6 a second component is called `mq/alice`",
        "41:10 native plugins are not allowed",
        "44:36 `sha256` is no SHA-256 digest",
        "44:50 `role` cannot be `root`",
    ];
    assert_eq!(found, expected, "{problems}");
}

#[test]
fn a_problem_is_rendered_with_its_line_and_a_mark() {
    let folder = folder();
    let problems = load_in(folder.path(), BROKEN, &[]).unwrap_err();
    let rendered = |message: &str| {
        let problem = problems.list.iter().find(|problem| problem.message.starts_with(message)).unwrap();
        problem.render(&problems.sources, false)
    };
    let unknown = "\
error: unknown key `shard` in [manager]
 --> manager.toml:4:1
  |
4 | shard = 4
  | ^^^^^
  |
  = help: did you mean `shards`?";
    assert_eq!(rendered("unknown key"), unknown);
    let taken = "\
error: 127.0.0.1:7101 is taken already
  --> manager.toml:18:11
   |
13 | listen = \"0.0.0.0:7101\"
   |          -------------- by [interfaces.mq]
...
18 | listen = [\"127.0.0.1:7101\", \"localhost:7102\"]
   |           ^^^^^^^^^^^^^^^^ wanted for [interfaces.mops]";
    assert_eq!(rendered("127.0.0.1:7101"), taken);
    let json = problems.to_json();
    assert_eq!(json[1]["file"], "manager.toml");
    assert_eq!((&json[1]["line"], &json[1]["column"]), (&4.into(), &1.into()));
    assert_eq!(json[1]["help"], "did you mean `shards`?");
    assert!(problems.render(true).contains('\u{1b}'));
}

#[test]
fn the_environment_wins_and_its_problems_name_the_variable() {
    let folder = folder();
    let set = [
        ("QKDNM__LOG__LEVEL", "debug"),
        ("QKDNM__MANAGER__SHARDS", "3"),
        ("QKDNM__INTERFACES__MK__LISTEN", "127.0.0.1:0,[::1]:0"),
        ("QKDNM__TLS__ALLOW_TLS12", "true"),
        ("QKDNM_TOKEN", "not ours to read"),
    ];
    let config = load_in(folder.path(), MINIMAL, &set).unwrap().config;
    assert_eq!((config.log.level.as_str(), config.manager.shards), ("debug", 3));
    assert!(config.tls.allow_tls12);
    let mk = &config.interfaces[1];
    assert_eq!(mk.reference_point, crate::model::ReferencePoint::Mk);
    assert_eq!(mk.listen.len(), 2);
    assert_eq!(mk.tls, config.tls);

    let set = [
        ("QKDNM__LOG__LEVL", "debug"),
        ("QKDNM__COMPONENTS__0__ID", "x"),
        ("QKDNM__MANAGER__SHARDS", "three"),
        ("QKDNM__MANAGER", "x"),
        ("QKDNM__INTERFACES__MZ__LISTEN", "x"),
        ("QKDNM__NOTHING", "x"),
    ];
    let problems = load_in(folder.path(), MINIMAL, &set).unwrap_err();
    assert_eq!(problems.list.len(), set.len(), "{problems}");
    for (name, _) in set {
        assert!(problems.to_string().contains(name), "{name}\n{problems}");
    }
    assert!(problems.to_string().contains("did you mean `level`?"), "{problems}");
}

#[test]
fn complaints_of_plugins_are_shown_in_the_users_file() {
    let folder = folder();
    let loaded = load_in(folder.path(), COMPLETE, &[]).unwrap();
    let complaint = |pointer: Option<&str>| PluginConfigProblem {
        kind: PluginKind::Policy,
        name: "qber".into(),
        pointer: pointer.map(str::to_owned),
        message: "must be above clear_below".into(),
    };
    let problems = loaded.complaints(&[complaint(Some("/raise_above")), complaint(None)]);
    let text = |index: usize| &COMPLETE[problems[index].place.unwrap().range()];
    assert_eq!((text(0), text(1)), ("0.06", "\"builtin:threshold\""));
    assert_eq!(problems[0].message, "policy `qber`: must be above clear_below");
    assert_eq!(loaded.locate(PluginKind::Handler, "mq-standard", None), None);
}

#[test]
fn doubtful_settings_are_warned_about() {
    let folder = folder();
    set_mode(&folder.path().join("pki/manager-east.key"), 0o644);
    let text = format!("{MINIMAL}key_exchange = \"classical\"\n[api]\nlisten = \"0.0.0.0:7100\"\n");
    let loaded = load_in(folder.path(), &text, &[]).unwrap();
    let expected = [
        "every user of this machine can read the private key",
        "the key exchange is classical only",
        "the API is open to other machines and there are no tokens",
    ];
    assert_eq!(messages(&loaded.warnings), expected);
}

#[test]
fn what_is_missing_altogether_is_told_once() {
    let problems = load_in(Path::new(""), "[interfaces.mq]\n[interfaces.mk]\n", &[]).unwrap_err();
    let expected = [
        "there is no [manager] table",
        "`tls.certificate` is not set",
        "`tls.private_key` is not set",
        "`tls.trust_anchors` is not set",
    ];
    assert_eq!(messages(&problems.list), expected);
    assert!(problems.render(false).contains("--> manager.toml"), "{problems}");
}

#[test]
fn a_slip_is_told_once_with_what_was_meant_and_nothing_that_only_follows_from_it() {
    let folder = folder();
    let text = format!("{MINIMAL}[[components]]\nid = \"a\"\nreference_point = \"mq\"\n").replace("enrolment", "#");
    assert_eq!(messages(&load_in(folder.path(), &text, &[]).unwrap().warnings), Vec::<&str>::new());
    for (written, slip, message, help) in [
        ("[tls]", "[tsl]", "unknown key `tsl` in the configuration", "did you mean `tls`?"),
        ("trust_anchors", "trust_anchor", "unknown key `trust_anchor` in [tls]", "did you mean `trust_anchors`?"),
        ("point = \"mq\"", "point = \"mqq\"", "`reference_point` cannot be `mqq`", "did you mean \"mq\"?"),
        (
            "[[components]]",
            "[components]",
            "`components` is a list of tables",
            "write [[components]] in double brackets",
        ),
        ("[interfaces.mq]", "[interfaces.nq]", "unknown key `nq` in [interfaces]", "did you mean `mq`?"),
        ("[manager]", "[manger]", "unknown key `manger` in the configuration", "did you mean `manager`?"),
    ] {
        let problems = load_in(folder.path(), &text.replace(written, slip), &[]).unwrap_err();
        assert_eq!(messages(&problems.list), [message], "{slip}: {problems}");
        assert_eq!(problems.list[0].help.as_deref(), Some(help), "{slip}");
    }
    let port = text.replace("[interfaces.mq]", "[interfaces.mq]\nlisten = \"127.0.0.1:71040\"");
    let problems = load_in(folder.path(), &port, &[]).unwrap_err();
    assert_eq!(messages(&problems.list), ["`127.0.0.1:71040` is no address to listen on"]);
    assert_eq!(problems.list[0].label, "ports end at 65535");
}

#[test]
fn the_policies_of_the_samples_are_well_formed() {
    let folder = folder();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    fs::copy(samples.join("baseline.toml"), folder.path().join("baseline.toml")).unwrap();
    let policies = samples.join("policies");
    for file in fs::read_dir(policies).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let loaded = load_in(folder.path(), &format!("{MINIMAL}\n{text}"), &[]).unwrap();
        assert_eq!(loaded.config.policies.len(), 1);
    }
}

#[test]
fn files_of_a_policys_configuration_are_read_with_it() {
    let folder = folder();
    fs::write(folder.path().join("good.toml"), "[[components]]\ncomponent = \"mq/a\"\nvalues = { site = \"x\" }\n")
        .unwrap();
    fs::write(folder.path().join("good.json"), "{\"everywhere\": {\"vendor\": \"acme\"}}").unwrap();
    fs::write(folder.path().join("bad.toml"), "a = 1\nb = = 2\n").unwrap();
    let policy = |rest: &str| {
        format!("{MINIMAL}\n[[policies]]\nname = \"p\"\nfunction = \"fault\"\nplugin = \"builtin:threshold\"\n{rest}\n")
    };
    let good = policy("config = { severity = \"minor\" }\nconfig_files = { one = \"good.toml\", two = \"good.json\" }");
    let config = load_in(folder.path(), &good, &[]).unwrap().config.policies.remove(0).config;
    assert_eq!(config["severity"], "minor");
    assert_eq!(config["one"]["components"][0]["values"]["site"], "x");
    assert_eq!(config["two"]["everywhere"]["vendor"], "acme");
    let bad = policy(
        "config = { one = 1 }\nconfig_files = { one = \"good.toml\", two = \"bad.toml\", three = \"none.json\", four = \"a.txt\", five = 5 }",
    );
    let problems = load_in(folder.path(), &bad, &[]).unwrap_err().render(false);
    for told in [
        "`one` stands in `config` and in `config_files`",
        "line 2: ",
        "there is no such file",
        "`config_files.five` names no file",
    ] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[-a-z0-9_\\[\\]{}=\"'#,.:\n\\\\ é]{0,120}") {
        if let Err(problems) = load_in(Path::new("/nonexistent"), &text, &[]) {
            prop_assert!(!problems.render(false).is_empty());
        }
    }

    /// Lines of a sound file, shuffled, doubled, cut: closer to what people write than random characters.
    #[test]
    fn any_edit_of_a_sound_file_is_answered(
        lines in proptest::collection::vec((0_usize..60, 0_usize..80), 1..30),
        value in "\"[a-zäö0-9:]{0,9}\"|[0-9]{1,25}|true|\\[\\]|\\{\\}|1979-05-27|nan",
    ) {
        let source: Vec<&str> = BROKEN.lines().collect();
        let mut text = String::new();
        for (line, cut) in lines {
            let line = source[line % source.len()];
            match line.split_once(" = ") {
                Some((key, _)) if cut % 3 == 0 => text.push_str(&format!("{key} = {value}\n")),
                _ => text.push_str(&format!("{line}\n")),
            }
        }
        if let Err(problems) = load_in(Path::new("/nonexistent"), &text, &[("QKDNM__API__LISTEN", &value)]) {
            prop_assert!(!problems.render(true).is_empty());
        }
    }
}

#[test]
fn subscriptions_are_read_and_everything_wrong_with_them_is_told_at_once() {
    let folder = folder();
    let good = "[[subscriptions]]\nname = \"a\"\nevents = [{}]\nmethod = \"periodic\"\nperiod = \"5s\"\npoll_interval = \"1m\"\n";
    let config = load_in(folder.path(), &format!("{MINIMAL}\n{good}"), &[]).unwrap().config;
    let [one] = &config.subscriptions[..] else { panic!("{:?}", config.subscriptions) };
    assert_eq!((one.method, one.period), (NotificationMethod::Periodic, Some(Duration::from_secs(5))));
    assert_eq!((one.immediate, one.durable, one.poll_interval), (true, false, Some(Duration::from_secs(60))));
    let bad = r#"
[[subscriptions]]
name = "a"
events = [{ types = ["performance"], kinds = ["x"] }]
method = "on-change"
period = "5s"
thresholds = [{ name = "qber_ratio", level = "high" }, { level = 1, hysteresis = -1, direction = "up" }]

[[subscriptions]]
name = "a"
method = "periodic"
dampening = "1s"
poll_interval = "10ms"
"#;
    let problems = load_in(folder.path(), &format!("{MINIMAL}\n{bad}"), &[]).unwrap_err();
    let found = messages(&problems.list);
    for part in [
        "unknown key `kinds`",
        "`period` means nothing",
        "`level` has a value of the wrong type",
        "thresholds has no `name`",
        "`hysteresis` is negative",
        "`direction` cannot be `up`",
        "a second subscription is called `a`",
        "[[subscriptions]] has no `events`",
        "a periodic subscription has no `period`",
        "`dampening` means nothing",
        "`poll_interval` is out of range",
    ] {
        assert!(found.iter().any(|message| message.contains(part)), "{part}\n{found:#?}");
    }
}

/// A folder with a minimal configuration that names files of exchange policies.
fn with_exchange(files: &[(&str, &str)], federation: &str, peer: &str) -> Result<Loaded, Problems> {
    let folder = folder();
    fs::create_dir_all(folder.path().join("exchange")).unwrap();
    for (name, text) in files.iter().chain([&("own.key", ""), &("west.pub", "")]) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let text = format!(
        "{MINIMAL}\n[federation]\nname = \"f\"\nsigning_key = \"own.key\"\n{federation}\n[[peers]]\nid = \"w\"\ndomain = \
         \"west\"\nsigning_keys = \"west.pub\"\n{peer}\n"
    );
    load_in(folder.path(), &text, &[])
}

#[test]
fn files_of_exchange_policies_are_part_of_the_configuration() {
    let files = [
        ("exchange/all.toml", "plugin = \"builtin:disclosure\"\n[config]\nminimum_group = 3\n"),
        ("exchange/west.toml", "plugin = \"west.wasm\"\n"),
        ("exchange/west.wasm", ""),
    ];
    let federation = "export = [\"exchange/all.toml\"]\nimport = \"exchange/all.toml\"";
    let loaded = with_exchange(&files, federation, "export = [\"exchange/west.toml\", \"exchange/all.toml\"]").unwrap();
    let [all, west] = &loaded.config.exchange[..] else { panic!("each file once: {:?}", loaded.config.exchange) };
    assert_eq!((&all.plugin, &all.config["minimum_group"]), (&PluginSource::Builtin("disclosure".into()), &3.into()));
    // A path in a file is relative to that file.
    assert!(matches!(&west.plugin, PluginSource::File(path) if path.ends_with("exchange/west.wasm")), "{west:?}");
    assert_eq!(loaded.config.peers[0].export, [west.path.clone(), all.path.clone()]);
    assert_eq!(loaded.config.federation.as_ref().unwrap().import, std::slice::from_ref(&all.path));
    assert!(loaded.files.contains(&all.path) && loaded.files.contains(&west.path));
    let complaint = PluginConfigProblem {
        kind: PluginKind::Exchange,
        name: all.name(),
        pointer: Some("/minimum_group".to_owned()),
        message: "too many".to_owned(),
    };
    let shown = Problems::new(loaded.sources.clone(), loaded.complaints(&[complaint])).render(false);
    assert!(shown.contains("exchange/all.toml:3:17") && shown.contains("too many"), "{shown}");
}

#[test]
fn what_is_wrong_in_the_file_of_an_exchange_policy_is_shown_there() {
    let files = [
        ("exchange/keys.toml", "plugin = \"builtin:disclosure\"\nmode = \"shadow\"\nconfig = 3\n"),
        ("exchange/broken.toml", "plugin = \n"),
        ("exchange/none.toml", "# nothing\n"),
        ("exchange/native.toml", "plugin = \"native:border.so\"\n"),
    ];
    let all =
        "export = [\"exchange/keys.toml\", \"exchange/broken.toml\", \"exchange/none.toml\", \"exchange/native.toml\"]";
    let problems = with_exchange(&files, all, "import = [\"exchange/gone.toml\", \"exchange/gone.toml\"]").unwrap_err();
    let shown = problems.render(false);
    for told in [
        "unknown key `mode`",
        "exchange/keys.toml:2:1",
        "expected a table, found",
        "exchange/broken.toml:1:",
        "exchange/none.toml:1:1",
        "cannot be a native plugin",
        "cannot read the import policy",
        "a second import policy is called",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}
