//! The conformance table names tests: each must exist, where it says.

use crate::sources::{all, report};

const TABLE: &str = "core/CONFORMANCE.md";

/// Words in backquotes of a line, in order.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_function_name(word: &str) -> bool {
    word.len() > 12
        && word.contains('_')
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn tests_that_show_conformance_exist() {
    let sources = all();
    let table = sources.iter().find(|source| source.path == TABLE).expect("there is a conformance table");
    let mut named = 0;
    let mut problems = Vec::new();
    for (number, line) in table.text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let mut file = None;
        for word in quoted(line) {
            if word.ends_with(".rs") || word.ends_with(".py") {
                let of_tests = sources.iter().find(|source| source.path == format!("tests/{word}"));
                file = of_tests.or_else(|| sources.iter().find(|source| source.path.ends_with(&format!("/{word}"))));
                if file.is_none() {
                    problems.push(format!("{TABLE}:{}: there is no file `{word}`", number + 1));
                }
            } else if is_function_name(word) && !word.starts_with("qkdn_") {
                named += 1;
                let defined =
                    |text: &str| text.contains(&format!("fn {word}(")) || text.contains(&format!("def {word}("));
                if !file.is_some_and(|source| defined(&source.text)) {
                    problems.push(format!("{TABLE}:{}: no test `{word}` in the file named before it", number + 1));
                }
            }
        }
    }
    report("A table that names tests is worth nothing if they are not there.", &problems);
    assert!(named > 20, "only {named} tests are named: has the form of the table changed?");
}
