//! Which part of the manager may use which: the arrows of `core/ARCHITECTURE.md`, as tables.

use std::collections::BTreeSet;

use crate::sources::{Source, all, report};

/// The parts of `core/src`, in the order in which a status report travels, and what each may use. `model`, and the limits
/// in `config`, are for everybody. Nothing reaches back towards the network: answers travel by channel.
const MAY_USE: [(&str, &[&str]); 25] = [
    ("model", &[]),
    ("config", &["telemetry"]),
    ("telemetry", &["config"]),
    ("clock", &[]),
    ("wire", &["config"]),
    ("net", &["config", "telemetry", "clock"]),
    ("dispatch", &["config", "connection", "state"]),
    ("connection", &["config", "telemetry", "clock", "wire", "net", "dispatch", "shard"]),
    ("shard", &["config", "telemetry", "clock", "dispatch", "connection", "plugin", "state", "alarm", "storage"]),
    ("plugin", &["config", "telemetry", "signing"]),
    ("state", &["config", "storage"]),
    ("alarm", &["config"]),
    ("storage", &["config", "telemetry", "state"]),
    ("subscription", &["config", "wire"]),
    ("export", &["config", "alarm", "subscription"]),
    // Who may speak, what is believed, how it is written; the protocol itself uses nothing.
    ("federation", &["config", "wire", "signing"]),
    // What collectors may have fetched, and how what they learn is said.
    ("collect", &["config", "plugin", "wire"]),
    ("api", &["config", "telemetry", "alarm", "state", "storage", "wire"]),
    ("pki", &[]),
    ("signing", &[]),
    ("simulate", &["config", "wire", "clock", "net", "pki"]),
    ("bench", &["config", "clock", "wire", "net", "pki", "simulate", "manager", "telemetry"]),
    ("demo", &["config", "pki", "simulate"]),
    // The composition root joins everything but what faces the user.
    (
        "manager",
        &[
            "config",
            "telemetry",
            "clock",
            "wire",
            "net",
            "dispatch",
            "connection",
            "shard",
            "plugin",
            "state",
            "alarm",
            "storage",
            "subscription",
            "export",
            "collect",
            "federation",
            "api",
        ],
    ),
    (
        "cli",
        &[
            "config",
            "telemetry",
            "clock",
            "wire",
            "net",
            "plugin",
            "storage",
            "api",
            "pki",
            "simulate",
            "bench",
            "demo",
            "manager",
            "state",
            "alarm",
            "shard",
        ],
    ),
];

/// Libraries that only some parts may name, and why.
const ONLY_IN: [(&str, &[&str], &str); 13] = [
    ("wasmtime", &["plugin"], "plugins are behind the two traits of `plugin`"),
    ("wit_component", &["plugin"], "plugins are behind the two traits of `plugin`"),
    ("rustls", &["net", "simulate", "bench"], "one place decides whom to trust"),
    ("tokio_rustls", &["net", "simulate", "bench", "connection"], "one place decides whom to trust"),
    ("libloading", &["plugin"], "native code is loaded in one place"),
    ("rcgen", &["pki"], "certificates are made in one place"),
    ("rusqlite", &["storage"], "the database is behind storage"),
    ("axum", &["api"], "HTTP is served in one place"),
    ("hyper", &["api", "manager", "simulate"], "HTTP is spoken in few places"),
    ("ureq", &["cli", "demo"], "operator commands and the demonstration read the API, nothing else does"),
    ("clap", &["cli"], "the command line is read in one place"),
    ("comfy_table", &["cli"], "tables are for people at the command line"),
    ("config", &["config"], "the library that layers files has the name of our module"),
];

/// Parts that take values and give values: no runtime, no sockets, no files.
const PURE: [&str; 8] = ["model", "wire", "state", "alarm", "subscription", "export", "collect", "federation"];
/// Folders inside of other parts that do so too.
const PURE_FOLDERS: [&str; 3] =
    ["core/src/simulate/physics/", "core/src/simulate/description/", "core/src/simulate/world/"];
/// What a pure part must not name.
const IMPURE: [&str; 5] = ["tokio", "std::net", "std::fs", "std::thread", "rusqlite"];

fn part(source: &Source) -> Option<&str> {
    let rest = source.path.strip_prefix("core/src/")?;
    let first = rest.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "bin" && name != "lib" && source.is_rust() && !source.is_test).then_some(name)
}

fn core() -> Vec<Source> {
    all().into_iter().filter(|source| part(source).is_some()).collect()
}

/// Parts that a file uses, with the line of the first use: `crate::part` and `use crate::{part, part::...}`.
fn used_parts(source: &Source) -> BTreeSet<(String, usize)> {
    let mut used = BTreeSet::new();
    let mut inside_list = false;
    let mut depth = 0_usize;
    for (number, line) in source.code() {
        for piece in line.split("crate::").skip(1) {
            let word = leading_word(piece);
            if !word.is_empty() {
                used.insert((word, number));
            }
        }
        if let Some(list) = line.trim_start().strip_prefix("use crate::{") {
            inside_list = true;
            depth = 0;
            note_list(list, number, &mut depth, &mut inside_list, &mut used);
        } else if inside_list {
            note_list(line, number, &mut depth, &mut inside_list, &mut used);
        }
    }
    used
}

fn leading_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

/// Takes the first word of each entry of a `use` list at its outer level.
fn note_list(text: &str, number: usize, depth: &mut usize, inside: &mut bool, used: &mut BTreeSet<(String, usize)>) {
    let mut at_start = true;
    for (position, c) in text.char_indices() {
        match c {
            '{' => *depth += 1,
            '}' if *depth == 0 => {
                *inside = false;
                return;
            }
            '}' => *depth -= 1,
            ',' => at_start = true,
            c if c.is_ascii_lowercase() && at_start && *depth == 0 => {
                used.insert((leading_word(text.get(position..).unwrap_or_default()), number));
                at_start = false;
            }
            c if !c.is_whitespace() => at_start = false,
            _ => {}
        }
    }
}

#[test]
fn the_reader_of_use_lists_finds_parts_and_only_parts() {
    let text = "use crate::{\n    config::{limits, Config},\n    model::ReasonCode, wire::frame,\n};\nuse crate::net::tls;\n// crate::storage\nfn f() { crate::alarm::raise() }\n#[cfg(test)]\nmod tests { use crate::api; }\n";
    let source = Source { path: "core/src/x/y.rs".to_owned(), text: text.to_owned(), is_test: false };
    let names: Vec<_> = used_parts(&source).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["alarm", "config", "model", "net", "wire"]);
}

#[test]
fn arrows_point_one_way() {
    let mut problems = Vec::new();
    for source in core() {
        let part = part(&source).unwrap_or_default().to_owned();
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == part) else {
            problems.push(format!("{}: the part `{part}` is not in the table; say what it may use", source.path));
            continue;
        };
        for (used, line) in used_parts(&source) {
            let is_part = MAY_USE.iter().any(|(name, _)| *name == used);
            if is_part && used != part && used != "model" && !allowed.contains(&used.as_str()) {
                problems.push(format!("{}:{line}: `{part}` may not use `{used}`", source.path));
            }
        }
    }
    report("A part uses what the table allows, so that it can be read, tested and replaced alone.", &problems);
}

#[test]
fn libraries_stay_where_they_belong() {
    let mut problems = Vec::new();
    for source in core() {
        let part = part(&source).unwrap_or_default();
        for (library, allowed, why) in ONLY_IN {
            // Our own `config` module is used by everybody; the library only by a `::config` path.
            let needle =
                if library == "config" { "::config::Config::builder".to_owned() } else { format!("{library}::") };
            let found = source.code().find(|(_, line)| {
                line.match_indices(&needle)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            });
            if let Some((number, _)) = found
                && !allowed.contains(&part)
            {
                problems.push(format!("{}:{number}: `{part}` names {library}; {why}", source.path));
            }
        }
    }
    report("A library has its place.", &problems);
}

#[test]
fn pure_parts_know_no_runtime_and_no_system() {
    let mut problems = Vec::new();
    let pure = |source: &&Source| {
        part(source).is_some_and(|part| PURE.contains(&part))
            || PURE_FOLDERS.iter().any(|folder| source.path.starts_with(folder))
    };
    for source in core().iter().filter(pure) {
        for (number, line) in source.code() {
            for name in
                IMPURE.iter().filter(|name| line.contains(&format!("{name}::")) || line.contains(&format!("{name};")))
            {
                problems.push(format!("{}:{number}: {name}", source.path));
            }
        }
    }
    report("The pure middle takes values and a reading of the clock, and returns values.", &problems);
}

#[test]
fn core_and_sdk_share_the_plugin_contract_and_nothing_else() {
    let problems: Vec<_> = all()
        .iter()
        .filter(|source| {
            source.is_rust() && source.path.starts_with("plugins/") && source.text.contains("qkdn_manager")
        })
        .map(|source| format!("{}: a plugin knows the SDK, never the manager", source.path))
        .chain(
            all()
                .iter()
                .filter(|source| source.path == "core/Cargo.toml" && source.text.contains("qkdn-plugin."))
                .map(|source| format!("{}: the manager depends on the SDK", source.path)),
        )
        .collect();
    report("WIT is the only contract, so that a plugin in any language is equal.", &problems);
}
