//! Licences and banned libraries, by the rules of `.cargo/deny.toml`: what cargo-deny checks, for machines without it.

use std::{fs, process::Command};

use harness::binary::repository;

use crate::sources::report;

struct Rules {
    allowed: Vec<String>,
    banned: Vec<String>,
}

impl Rules {
    fn read() -> Self {
        let text = fs::read_to_string(repository().join(".cargo/deny.toml")).expect(".cargo/deny.toml");
        let table: toml::Table = text.parse().expect("TOML");
        let strings = |value: &toml::Value| value.as_str().map(str::to_owned);
        Self {
            allowed: table["licenses"]["allow"].as_array().unwrap().iter().filter_map(strings).collect(),
            banned: table["bans"]["deny"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|entry| strings(entry.get("crate")?))
                .collect(),
        }
    }
}

/// Packages in the build of this machine, each with its licence: the lock file alone names more than is built.
fn packages() -> Vec<(String, String)> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--workspace", "--all-features", "--offline", "--prefix=none", "--edges=all"])
        .args(["--format={p}|{l}"])
        .current_dir(repository())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let mut packages: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            Some((package.split(' ').next()?.to_owned(), licence.trim_end_matches(" (*)").to_owned()))
        })
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

/// Whether an SPDX expression can be met with what is allowed. `/` is an old way of saying OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    !rest.is_empty() && either(&mut rest, allowed) && rest.is_empty()
}

/// `a OR b`, the weakest binding.
fn either(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = both(words, allowed);
    while let Some(("OR", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) {
        *words = rest;
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while let Some(("AND", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) {
        *words = rest;
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &[String]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    if *first == "(" {
        let met = either(words, allowed);
        *words = words.split_first().map_or(&[][..], |(_, rest)| rest);
        return met;
    }
    let mut name = (*first).to_owned();
    if let ["WITH", exception, rest @ ..] = *words {
        name = format!("{name} WITH {exception}");
        *words = rest;
    }
    allowed.contains(&name)
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT/Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0 WITH Classpath-exception", false),
        ("ISC AND (GPL-2.0 OR MIT) AND Apache-2.0", true),
        ("ISC AND (GPL-2.0 OR AGPL-3.0)", false),
        ("(GPL-2.0 AND MIT) OR ISC", true),
        ("", false),
        ("MIT ISC", false),
    ] {
        assert_eq!(is_met(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_library_has_a_licence_that_is_allowed() {
    let rules = Rules::read();
    let packages = packages();
    assert!(packages.iter().any(|(name, _)| name == "rustls"), "the list of packages is complete");
    let problems: Vec<_> = packages
        .iter()
        .filter(|(_, licence)| !is_met(licence, &rules.allowed))
        .map(|(name, licence)| format!("{name}: `{licence}`"))
        .collect();
    report("Licences that .cargo/deny.toml does not allow.", &problems);
}

#[test]
fn no_banned_library_is_built() {
    let rules = Rules::read();
    assert!(rules.banned.contains(&"ring".to_owned()));
    let problems: Vec<_> =
        packages().into_iter().map(|(name, _)| name).filter(|name| rules.banned.contains(name)).collect();
    report("Libraries that .cargo/deny.toml bans.", &problems);
}
