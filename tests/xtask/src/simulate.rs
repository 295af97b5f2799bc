//! `cargo xtask simulate`: the federation's simulation, and whether it notices when a guard of the protocol is missing.
//!
//! For the latter the protocol's source is copied aside, one guard is taken out as `tests/simulation/mutants.txt` says, and
//! seeds are run until one fails. The product has no switch for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::workspace::{cargo, root, target_dir};

const PACKAGE: &str = "qkdn-federation-simulation";
const PROGRAM: &str = "simulate-federation";
const PROTOCOL: &str = "core/src/federation/protocol";
/// Seeds that a mutant may survive.
const BOUND: u64 = 600;

/// `cargo xtask simulate`.
pub(crate) fn simulate(arguments: &[String]) -> Result<bool, String> {
    if let [first, names @ ..] = arguments
        && first == "--mutants"
    {
        return mutants(names);
    }
    // The profile gives this package full optimisation; its libraries have it anyway.
    let built = cargo(&["build", "--quiet", "--package", PACKAGE, "--bins"]).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the simulation does not build".to_owned());
    }
    let program = target_dir()?.join("debug").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    let status = Command::new(&program).args(arguments).current_dir(root()).status();
    status.map(|status| status.success()).map_err(|error| format!("{} does not start: {error}", program.display()))
}

/// A guard taken out.
struct Mutant {
    name: String,
    changes: Vec<Change>,
}

/// In which file, which text is replaced by which.
struct Change {
    file: String,
    before: String,
    after: String,
}

/// Blocks of `== name`; in each, for every change, `file: name.rs`, lines that begin with `-` and with `+`.
fn read(text: &str) -> Vec<Mutant> {
    let with = |mark: &str, lines: &str| {
        lines.lines().filter_map(|line| line.strip_prefix(mark)).collect::<Vec<_>>().join("\n")
    };
    let change = |text: &str| {
        let (file, lines) = text.split_once('\n').unwrap_or((text, ""));
        Change { file: file.trim().to_owned(), before: with("-", lines), after: with("+", lines) }
    };
    let mutant = |block: &str| {
        let mut parts = block.split("\nfile: ");
        let name = parts.next().unwrap_or_default().trim().to_owned();
        Mutant { name, changes: parts.map(change).collect() }
    };
    text.split("\n== ").skip(1).map(mutant).collect()
}

fn mutants(names: &[String]) -> Result<bool, String> {
    let list = root().join("tests/simulation/mutants.txt");
    let text = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let all = read(&text);
    let folder = target_dir()?.join("mutants");
    let tree = folder.join("tree");
    copy_tree(&tree)?;
    let mut survived = Vec::new();
    for mutant in all.iter().filter(|mutant| names.is_empty() || names.contains(&mutant.name)) {
        for change in &mutant.changes {
            apply(change, &tree).map_err(|problem| format!("mutant `{}`: {problem}", mutant.name))?;
        }
        let noticed = is_noticed(&tree, &folder.join("build"), &mutant.name)?;
        copy(&root().join(PROTOCOL), &tree.join(PROTOCOL))?;
        if !noticed {
            survived.push(mutant.name.as_str());
        }
    }
    println!(
        "mutants that no seed noticed: {}",
        if survived.is_empty() { "none".to_owned() } else { survived.join(", ") }
    );
    Ok(survived.is_empty())
}

/// Takes the guard out of the copy.
fn apply(change: &Change, tree: &Path) -> Result<(), String> {
    let file = tree.join(PROTOCOL).join(&change.file);
    let source = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    if change.before.is_empty() || source.matches(&change.before).count() != 1 {
        return Err(format!(
            "expected its text exactly once in {PROTOCOL}/{}; tests/simulation/mutants.txt has to follow the source:\n{}",
            change.file, change.before
        ));
    }
    write(&file, &source.replace(&change.before, &change.after))
}

/// Builds the copy and runs it until a seed fails.
fn is_noticed(tree: &Path, build: &Path, name: &str) -> Result<bool, String> {
    let built = cargo(&["build", "--quiet", "--offline", "--package", PACKAGE, "--bins", "--target-dir"])
        .arg(build)
        .current_dir(tree)
        .stderr(Stdio::null())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(format!("mutant `{name}` does not build: its text has to be valid without the guard"));
    }
    let program = build.join("debug").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    let run = Command::new(program)
        .args(["--seeds", &BOUND.to_string(), "--managers", "8", "--until-failure"])
        .output()
        .map_err(|error| format!("mutant `{name}` does not start: {error}"))?;
    let text = String::from_utf8_lossy(&run.stdout);
    let first = text.lines().find(|line| line.contains("FAILED")).unwrap_or("NOT NOTICED");
    println!("{name:24} {first}");
    Ok(!run.status.success())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A workspace of the simulation alone, with a copy of the protocol.
fn copy_tree(tree: &Path) -> Result<(), String> {
    for part in [PROTOCOL, "tests/simulation"] {
        copy(&root().join(part), &tree.join(part))?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    write(&tree.join("Cargo.toml"), &of_the_simulation_alone(&manifest))?;
    let lock = fs::read(root().join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    fs::write(tree.join("Cargo.lock"), lock).map_err(|error| format!("Cargo.lock: {error}"))
}

/// The manifest of the workspace with no other member; its lists may be over several lines.
fn of_the_simulation_alone(manifest: &str) -> String {
    let (mut kept, mut within) = (Vec::new(), false);
    for line in manifest.lines() {
        let begins = matches!(line.split(" = ").next(), Some("members" | "default-members" | "exclude"));
        if begins || within {
            within = !line.contains(']');
        } else {
            kept.push(line);
        }
        if line == "[workspace]" {
            kept.push("members = [\"tests/simulation\"]");
        }
    }
    kept.join("\n")
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(to).map_err(|error| problem(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| problem(from, error))? {
        let path: PathBuf = entry.map_err(|error| problem(from, error))?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(|error| problem(&path, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::of_the_simulation_alone;

    #[test]
    fn lists_over_one_line_and_over_several_are_replaced() {
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"core\", \"tests\"]\nexclude = [\n  \"a\",\n  \"b\",\n]\n\n[workspace.package]\nversion = \"1\"";
        let alone =
            "[workspace]\nmembers = [\"tests/simulation\"]\nresolver = \"3\"\n\n[workspace.package]\nversion = \"1\"";
        assert_eq!(of_the_simulation_alone(manifest), alone);
    }
}
