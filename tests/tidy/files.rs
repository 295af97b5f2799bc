//! Rules about single files.

use crate::sources::{Source, all, report};

/// Longest file that is not a test.
const MAX_LINES: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "misc", "shared", "stuff"];

/// What must not stand in a file, and why. Each is written in two parts, so that this table does not break its own rule.
const FORBIDDEN: [(&str, &str, &str); 9] = [
    ("/wo", "rk/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("index.crat", "es.io", "a registry's host: name packages, not hosts"),
    ("static.crat", "es.io", "a registry's host: name packages, not hosts"),
    ("files.python", "hosted", "a registry's host: name packages, not hosts"),
    ("registry.npm", "js", "a registry's host: name packages, not hosts"),
    ("deb.deb", "ian.org", "a registry's host: name packages, not hosts"),
    ("BEGIN PRIV", "ATE KEY-----\n", "a private key: tests make their own"),
];

#[test]
fn files_are_short_enough_to_be_read() {
    let problems: Vec<_> = all()
        .iter()
        .filter(|source| source.is_rust() && !source.is_test)
        .filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines, at most {MAX_LINES}", source.path))
        })
        .collect();
    report("A file has one reason to exist; split what has grown.", &problems);
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let problems: Vec<_> = all()
        .iter()
        .filter(|source| source.is_rust() && !source.text.starts_with("//! "))
        // A module's tests stand beside it and need no introduction.
        .filter(|source| !source.path.starts_with("core/") || !source.is_test)
        .map(|source| format!("{}: no module comment at its top", source.path))
        .collect();
    report("A module starts with what it does, what comes in and out, and what it does not know.", &problems);
}

#[test]
fn names_say_something() {
    let problems: Vec<_> = all()
        .iter()
        .filter(|source| {
            source.path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)))
        })
        .map(|source| format!("{}: call it by what it does", source.path))
        .collect();
    report("No file or folder is called util, helper, common or the like.", &problems);
}

#[test]
fn nothing_of_one_machine_is_in_a_file() {
    let problems: Vec<_> = all()
        .iter()
        // The lock file has the registry's name by its nature.
        .filter(|source| source.path != "Cargo.lock")
        .flat_map(|source| {
            source.text.lines().enumerate().flat_map(move |(number, line)| {
                FORBIDDEN
                    .iter()
                    .filter(move |(left, right, _)| format!("{line}\n").contains(&format!("{left}{right}")))
                    .map(move |(left, right, why)| {
                        format!("{}:{}: `{left}{}`, {why}", source.path, number + 1, right.trim_end())
                    })
            })
        })
        .collect();
    report("The product knows no machine, registry or secret.", &problems);
}

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let sleeps = ["thread::sl", "time::sl"].map(|part| format!("{part}eep("));
    let is_sleeping = |line: &str| sleeps.iter().any(|sleep| line.contains(sleep));
    let mut problems = Vec::new();
    for source in all().iter().filter(|source| source.is_rust()) {
        let tests_start = if source.is_test { 0 } else { inline_tests(source) };
        for (number, line) in source.text.lines().enumerate().skip(tests_start) {
            if is_sleeping(line) {
                problems.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("A test that sleeps is slow on a fast machine and fails on a slow one: `harness::eventually`.", &problems);
}

/// Line at which the tests inside a file begin.
fn inline_tests(source: &Source) -> usize {
    source.text.lines().position(|line| line.starts_with("#[cfg(test)]")).unwrap_or(usize::MAX)
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [["tod", "o!("], ["unimpl", "emented!("], ["FIX", "ME"], ["TO", "DO"], ["#[ign", "ore]"]]
        .map(|part| part.concat());
    let problems: Vec<_> = all()
        .iter()
        .filter(|source| source.is_rust() || source.path.ends_with(".py") || source.path.ends_with(".wit"))
        .flat_map(|source| {
            let marks = &marks;
            source.text.lines().enumerate().filter_map(move |(number, line)| {
                let mark = marks.iter().find(|mark| line.contains(mark.as_str()))?;
                Some(format!("{}:{}: {mark}", source.path, number + 1))
            })
        })
        .collect();
    report("What is not done is not in the tree.", &problems);
}
