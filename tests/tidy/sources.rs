//! The files that the rules are about: those under version control, and new ones that are not ignored.

use std::{fs, process::Command};

use harness::binary::repository;

/// One text file.
pub(crate) struct Source {
    /// From the root of the repository, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Whether it is compiled for tests only.
    pub(crate) is_test: bool,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
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
    let mut sources: Vec<_> = list
        .split_terminator('\0')
        // A file that was removed but not yet from the index, and what is no text, has no rules.
        .filter_map(|path| {
            let text = fs::read_to_string(repository().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text, is_test: path.starts_with("tests/") })
        })
        .collect();
    let test_modules: Vec<String> = sources.iter().filter(|source| source.is_rust()).flat_map(test_modules).collect();
    for source in &mut sources {
        source.is_test |= test_modules.iter().any(|module| source.path.starts_with(module.as_str()));
    }
    assert!(sources.iter().any(|source| source.path == "core/src/lib.rs"), "the list of files is complete");
    sources
}

/// Beginnings of the paths of modules that a file declares under `#[cfg(test)]`: `.../name.rs` and `.../name/`.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let inside = if matches!(name, "mod" | "lib" | "main") { folder } else { stem };
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair.first().is_some_and(|line| line.starts_with("#[cfg(") && line.contains("test")))
        .filter_map(|pair| {
            let module = pair.last()?.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            module.strip_prefix("mod ")?.strip_suffix(';')
        })
        .flat_map(|module| [format!("{inside}/{module}.rs"), format!("{inside}/{module}/")])
        .collect()
}

#[test]
fn modules_for_tests_are_known_by_their_declaration() {
    let of = |path: &str| {
        let text = "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod testing;\n#[cfg(unix)]\nmod b;\n";
        test_modules(&Source { path: path.to_owned(), text: text.to_owned(), is_test: false })
    };
    assert_eq!(
        of("core/src/x/mod.rs"),
        ["core/src/x/tests.rs", "core/src/x/tests/", "core/src/x/testing.rs", "core/src/x/testing/"]
    );
    assert_eq!(of("core/src/x/y.rs")[0], "core/src/x/y/tests.rs");
}

/// Fails with a list of what is wrong.
#[track_caller]
pub(crate) fn report(rule: &str, problems: &[String]) {
    assert!(problems.is_empty(), "{rule}\n  {}", problems.join("\n  "));
}
