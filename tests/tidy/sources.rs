//! The files that the rules are about: those under version control, and new ones that are not ignored.

use std::{fs, process::Command};

use harness::binary::repository;

/// One text file.
pub(crate) struct Source {
    /// From the root of the repository, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Line number and line, comments and inline tests left out.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(number, line)| (number + 1, line))
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Source> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(repository())
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "this is no clone: {}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).expect("paths in UTF-8");
    let sources: Vec<_> = list
        .split_terminator('\0')
        // A file that was removed but not yet from the index, and what is no text, has no rules.
        .filter_map(|path| {
            Some(Source { path: path.to_owned(), text: fs::read_to_string(repository().join(path)).ok()? })
        })
        .collect();
    assert!(sources.iter().any(|source| source.path == "core/src/lib.rs"), "the list of files is complete");
    sources
}

/// Fails with a list of what is wrong.
#[track_caller]
pub(crate) fn report(rule: &str, problems: &[String]) {
    assert!(problems.is_empty(), "{rule}\n  {}", problems.join("\n  "));
}
