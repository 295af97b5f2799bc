//! Guards of the federation that `cargo xtask simulate --mutants` takes out: each of `tests/simulation/mutants.txt` is in the source as it is
//! written there, or the list could not be run any more.

use std::fs;

use harness::binary::repository;

/// A text of a list of mutants that is not exactly once in its file: the mutant's name, the file, how often.
fn astray(list: &str, source: impl Fn(&str) -> String) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for block in list.split("\n== ").skip(1) {
        let mut parts = block.split("\nfile: ");
        let name = parts.next().unwrap().trim();
        for change in parts {
            let (file, lines) = change.split_once('\n').unwrap();
            let before: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix('-')).collect();
            let times = source(file.trim()).matches(&before.join("\n")).count();
            if times != 1 || before.is_empty() {
                found.push((name.to_owned(), file.trim().to_owned(), times));
            }
        }
    }
    found
}

#[test]
fn every_guard_that_is_taken_out_is_in_the_source() {
    let list = fs::read_to_string(repository().join("tests/simulation/mutants.txt")).unwrap();
    let source = |file: &str| {
        fs::read_to_string(repository().join("core/src/federation/protocol").join(file)).unwrap_or_default()
    };
    let astray = astray(&list, source);
    assert!(astray.is_empty(), "tests/simulation/mutants.txt has to follow the source: {astray:#?}");
    assert!(list.matches("\n== ").count() > 50);
}

#[test]
fn a_guard_that_was_written_otherwise_is_found() {
    let list = "# a comment\n\n== one\nfile: a.rs\n-    x > 1\n+    true\n\n== two\nfile: a.rs\n-    y\n+\n";
    assert_eq!(astray(list, |_| "if x > 1 { }\n    x > 1\n".to_owned()), [("two".to_owned(), "a.rs".to_owned(), 0)]);
}
