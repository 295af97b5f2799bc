//! The contract against what reads the files: names, defaults, bounds, words and types of every key.

use std::{fs, path::Path};

use super::*;
use crate::config::{
    Change,
    difference::{self, Difference},
    effective,
    load::{Examined, examine_text},
    origin::Document,
    problem::Level,
    raw::keys,
    raw_collector, raw_exporter, raw_federation,
    source::SourceText,
};

/// A file with every table in it and nothing that has a default.
const BASE: &str = r#"[manager]
id = "m"
domain = "d"
[log]
[tls]
certificate = "c"
private_key = "k"
trust_anchors = "a"
[interfaces.mq]
[interfaces.mu]
[[components]]
id = "net"
reference_point = "mu"
[components.identity]
san = "urn:qkdn:mu:net"
[[components.sees]]
components = ["mk/*"]
[[handlers]]
name = "h"
reference_point = "mq"
plugin = "builtin:mq"
[handlers.match]
[[handlers.match.any]]
id = "*"
[[handlers.match.not]]
site = "n"
[[policies]]
name = "p"
function = "fault"
plugin = "builtin:state"
[policies.applies_to]
[[policies.applies_to.any]]
id = "*"
[[policies.applies_to.not]]
site = "n"
[[collectors]]
name = "k"
components = "mu/net"
plugin = "c"
[[collectors.http]]
name = "h"
url = "https://localhost/"
trust_anchors = "a"
[[subscriptions]]
name = "s"
method = "on-change"
[subscriptions.applies_to]
[[subscriptions.applies_to.not]]
site = "n"
[[subscriptions.events]]
[[subscriptions.thresholds]]
name = "qber_ratio"
level = 1
[[exporters]]
name = "e"
kind = "webhook"
url = "https://localhost/"
trust_anchors = "a"
[exporters.filter]
[federation]
name = "f"
signing_key = "k"
[[federation.origins]]
domain = "o"
signing_keys = "a"
[[federation.links]]
name = "l"
domain = "w"
from = "mq/m"
[[federation.key_relations]]
name = "r"
domain = "w"
from = "mk/m"
[[federation.services]]
name = "s"
domains = "w"
from = "mk/m"
[[federation.settlements]]
domain = "w"
peers = "w-1"
[[peers]]
id = "w"
domain = "w"
[plugins]
[storage]
[storage.history]
[api]
[[api.tokens]]
name = "t"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
role = "viewer"
"#;

fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "c", "k"] {
        fs::write(folder.path().join(name), "").unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn examined(folder: &Path, text: &str) -> Examined {
    examine_text(SourceText { name: "m.toml".into(), folder: folder.into(), text: text.into() }, &[])
}

/// Headers of a table in [`BASE`].
fn headers(table: &TableSpec) -> Vec<&'static str> {
    let names: &[&str] = match table.name {
        "interfaces.*" => &["interfaces.mq"],
        "applies_to" => &["policies.applies_to", "subscriptions.applies_to"],
        "handlers.match.any" => &["handlers.match.any", "handlers.match.not"],
        "applies_to.any" => &["policies.applies_to.any", "policies.applies_to.not", "subscriptions.applies_to.not"],
        name => &[name],
    };
    let lines: Vec<&str> = BASE.lines().filter(|line| line.starts_with('[')).collect();
    let header = |name: &&str| lines.iter().find(|line| line.trim_matches(['[', ']']) == *name).copied();
    names.iter().filter_map(header).collect()
}

/// [`BASE`] with a key of a table set.
fn with(header: &str, key: &str, value: &str) -> String {
    let (mut text, mut inside, line) = (String::new(), false, format!("{key} = {value}\n"));
    for one in BASE.lines() {
        if one.starts_with('[') {
            inside = one == header;
            text.push_str(&format!("{one}\n"));
            text.push_str(if inside { &line } else { "" });
        } else if !(inside && one.starts_with(&format!("{key} = "))) {
            text.push_str(&format!("{one}\n"));
        }
    }
    text
}

/// Every table, each once.
fn tables() -> Vec<&'static TableSpec> {
    fn add(table: &'static TableSpec, list: &mut Vec<&'static TableSpec>) {
        if list.iter().any(|known| std::ptr::eq(*known, table)) {
            return;
        }
        list.push(table);
        for key in table.keys {
            if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
                add(inner, list);
            }
        }
    }
    let mut list = Vec::new();
    add(&TOP, &mut list);
    list
}

fn each(mut look: impl FnMut(&str, &Key)) {
    for table in tables() {
        for header in headers(table) {
            table.keys.iter().for_each(|key| look(header, key));
        }
    }
}

#[test]
fn it_has_the_keys_that_are_read() {
    let read: &[(&str, &[&str])] = &[
        ("", keys::TOP),
        ("manager", keys::MANAGER),
        ("log", keys::LOG),
        ("tls", keys::TLS),
        ("interfaces", keys::INTERFACES),
        ("interfaces.*", keys::INTERFACE),
        ("components", keys::COMPONENT),
        ("components.identity", keys::IDENTITY),
        ("components.sees", keys::SEES),
        ("handlers", keys::HANDLER),
        ("handlers.match", keys::MATCH),
        ("policies", keys::POLICY),
        ("applies_to", keys::APPLIES_TO),
        ("handlers.match.any", keys::MATCH_PART),
        ("applies_to.any", keys::APPLIES_TO_PART),
        ("collectors", raw_collector::COLLECTOR),
        ("collectors.http", raw_collector::HOST),
        ("subscriptions", keys::SUBSCRIPTION),
        ("subscriptions.events", keys::EVENT),
        ("subscriptions.thresholds", keys::THRESHOLD),
        ("exporters", raw_exporter::EXPORTER),
        ("exporters.filter", raw_exporter::FILTER),
        ("federation", raw_federation::FEDERATION),
        ("federation.origins", raw_federation::ORIGIN),
        ("federation.links", raw_federation::LINK),
        ("federation.key_relations", raw_federation::LINK),
        ("federation.services", raw_federation::SERVICE),
        ("federation.settlements", raw_federation::SETTLEMENT),
        ("peers", raw_federation::PEER),
        ("plugins", keys::PLUGINS),
        ("storage", keys::STORAGE),
        ("storage.history", keys::HISTORY),
        ("api", keys::API),
        ("api.tokens", keys::TOKEN),
    ];
    assert_eq!(tables().len(), read.len());
    for table in tables() {
        let (_, read) = read.iter().find(|(name, _)| *name == table.name).unwrap();
        let mut told: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
        // `secret` is known only to be refused.
        let mut read: Vec<&str> = read.iter().copied().filter(|key| *key != "secret").collect();
        told.sort_unstable();
        read.sort_unstable();
        assert_eq!(told, read, "[{}]", table.name);
        assert!(table.keys.iter().all(|key| key.about.ends_with('.')), "[{}]", table.name);
    }
}

#[test]
fn what_is_absent_has_the_default_that_it_tells() {
    let folder = folder();
    let here = Path::new("/");
    let base = examined(folder.path(), BASE);
    let expected = effective::values(&base.clone().into_result().unwrap().config, here);
    let mut tried = 0;
    each(|header, key| {
        if let Absent::Default(value) = key.absent {
            let text = with(header, key.name, value);
            // `sees` and `thresholds` stand in the file as tables of their own.
            if examined(folder.path(), &text).loaded.is_none() || BASE.contains(&format!("{}]]", key.name)) {
                assert!(matches!(key.kind, Kind::Tables(_)), "{header} {}", key.name);
                return;
            }
            let loaded = examined(folder.path(), &text).into_result().unwrap();
            assert_eq!(effective::values(&loaded.config, here), expected, "{header} {} = {value}", key.name);
            tried += 1;
        }
    });
    assert!(tried > 50, "{tried}");
}

#[test]
fn required_keys_are_missed_and_others_are_not() {
    let folder = folder();
    each(|header, key| {
        let line = |one: &&str| one.starts_with(&format!("{} = ", key.name));
        let mut inside = false;
        let without: Vec<&str> = BASE
            .lines()
            .filter(|one| {
                inside = if one.starts_with('[') { *one == header } else { inside };
                !(inside && line(one))
            })
            .collect();
        if without.len() == BASE.lines().count() {
            return;
        }
        let is_missed = examined(folder.path(), &without.join("\n")).into_result().is_err();
        // Exactly one of the keys of `identity`, and anchors with https: required, and not by themselves.
        let by_another = header == "[components.identity]"
            || (["[[exporters]]", "[[collectors.http]]"].contains(&header) && key.name == "trust_anchors");
        assert_eq!(is_missed, matches!(key.absent, Absent::Required) || by_another, "{header} {}", key.name);
    });
}

#[test]
fn bounds_are_those_of_the_reader() {
    let folder = folder();
    let is_out = |header: &str, key: &Key, value: String| {
        let problems = examined(folder.path(), &with(header, key.name, &value)).problems;
        problems.list.iter().any(|problem| problem.message == format!("`{}` is out of range", key.name))
    };
    each(|header, key| {
        let (least, most, show): (u64, u64, fn(u64) -> String) = match key.kind {
            Kind::Whole(least, most) => (least, most, |number| number.to_string()),
            Kind::Duration(least, most) => (least, most, |number| format!("\"{number}ms\"")),
            Kind::Size(least, most) => (least, most, |number| format!("\"{number}B\"")),
            _ => return,
        };
        for (number, out) in [(least, false), (most, false), (most + 1, true), (least.saturating_sub(1), least > 0)] {
            assert_eq!(is_out(header, key, show(number)), out, "{header} {} = {number}", key.name);
        }
    });
}

#[test]
fn words_are_those_of_the_reader() {
    let folder = folder();
    let refused = |header: &str, key: &Key, word: &str| {
        let problems = examined(folder.path(), &with(header, key.name, &format!("\"{word}\""))).problems;
        let message = format!("`{word}`");
        problems.list.iter().any(|problem| problem.level == Level::Error && problem.message.contains(&message))
    };
    each(|header, key| {
        if let Kind::Word(words) | Kind::Words(words) = &key.kind {
            for word in *words {
                assert!(!refused(header, key, word), "{header} {} = {word}", key.name);
            }
            assert!(refused(header, key, "nonsense"), "{header} {}", key.name);
        }
    });
}

#[test]
fn a_value_of_another_type_is_refused_everywhere() {
    let folder = folder();
    each(|header, key| {
        let wrong = match key.kind {
            Kind::Table(_) | Kind::Tables(_) | Kind::PluginConfig | Kind::Files => "7",
            _ => "{ wrong = 1 }",
        };
        if matches!(key.kind, Kind::Table(_) | Kind::Tables(_)) {
            // Those that stand in the file as tables cannot stand there twice.
            if BASE.contains(&format!("{}]", key.name)) {
                return;
            }
        }
        let examined = examined(folder.path(), &with(header, key.name, wrong));
        assert!(examined.into_result().is_err(), "{header} {} = {wrong}", key.name);
    });
}

/// Another value than the one in [`BASE`] or the default.
fn another(key: &Key) -> String {
    match key.kind {
        Kind::Text if key.name == "sha256" => format!("\"{}\"", "1".repeat(64)),
        Kind::Text if key.name == "level" => "\"warn\"".to_owned(),
        Kind::Text if key.name == "url" => "\"https://localhost/other\"".to_owned(),
        Kind::Text if key.name == "dial" => "\"host:1\"".to_owned(),
        Kind::Text if key.name == "plugin" => "\"builtin:other\"".to_owned(),
        Kind::Text | Kind::Texts => "\"mk/other\"".to_owned(),
        Kind::Path if matches!(key.name, "data_dir" | "cache_dir") => "\"other\"".to_owned(),
        Kind::Path | Kind::Paths => "\"k\"".to_owned(),
        Kind::Address | Kind::Addresses => "\"127.0.0.1:9\"".to_owned(),
        Kind::Flag if matches!(key.absent, Absent::Default("true")) => "false".to_owned(),
        Kind::Flag => "true".to_owned(),
        Kind::Whole(least, _) => (least + 1).to_string(),
        Kind::Real => "7.5".to_owned(),
        Kind::Duration(least, _) => format!("\"{}ms\"", least + 1),
        Kind::Size(_, most) => format!("\"{}B\"", most / 2),
        Kind::Word(words) | Kind::Words(words) => format!("\"{}\"", words[1]),
        Kind::Time => "\"2027-01-31T00:00:00Z\"".to_owned(),
        Kind::PluginConfig => "{ a = 1 }".to_owned(),
        Kind::Table(_) | Kind::Tables(_) | Kind::Files => "{}".to_owned(),
    }
}

/// What a reload does and what a person is told of two configurations, key by key: neither misses what the other sees.
#[test]
fn every_key_that_differs_is_told_by_the_change_and_by_the_differences() {
    let folder = folder();
    let here = Path::new("/");
    let base = examined(folder.path(), BASE).into_result().unwrap();
    let was = Document::effective(&base, here);
    assert_eq!(difference::between(&was, &was), Vec::new());
    let mut tried = 0;
    each(|header, key| {
        let text = with(header, key.name, &another(key));
        let Ok(loaded) = examined(folder.path(), &text).into_result() else { return };
        let is = Document::effective(&loaded, here);
        let change = Change::between(&base.config, &loaded.config);
        let (there, back) = (difference::between(&was, &is), difference::between(&is, &was));
        let name = format!("{header} {} = {}\n{change}\n{there:#?}", key.name, another(key));
        assert_eq!(change.is_empty(), there.is_empty(), "{name}");
        assert_eq!(change.needs_restart.is_empty(), !there.iter().any(|one| one.needs_restart), "{name}");
        let mirrored = |list: &[Difference]| {
            let mut list: Vec<_> = list.iter().map(|one| (one.key.clone(), one.was.clone(), one.is.clone())).collect();
            list.sort_by(|a, b| a.0.cmp(&b.0));
            list
        };
        let turned: Vec<_> = mirrored(&back).into_iter().map(|(key, was, is)| (key, is, was)).collect();
        assert_eq!(mirrored(&there), turned, "{name}");
        tried += usize::from(!there.is_empty());
    });
    assert!(tried > 70, "{tried}");
}
