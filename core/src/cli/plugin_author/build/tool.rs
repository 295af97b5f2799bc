//! Tools of other languages: found in the project, in the environment or on this machine; what they say when they fail is passed on.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::cli::{CommandError, plugin_author::usage};

/// A program by the variable that names it, in the project, or on the path.
pub(super) fn find(variable: &str, in_project: &Path, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|named| !named.is_empty());
    named.map(PathBuf::from).or_else(|| in_project_or_path(in_project, name))
}

/// The same without a variable.
pub(super) fn in_project_or_path(in_project: &Path, name: &str) -> Option<PathBuf> {
    if let Ok(found) = in_project.canonicalize() {
        return Some(found);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a tool; what it says is shown only if it fails.
pub(super) fn run(command: &mut Command, input: &str) -> Result<(), CommandError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cannot = |error: std::io::Error| usage(format!("cannot run {name}: {error}"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that does not read is one that failed: that is told below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(cannot)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(anyhow::anyhow!("{name} could not build the plugin ({}):\n{}", output.status, said.trim_end()).into())
}

/// Warnings of a tool that did its work go to the author, too.
pub(super) fn run_loudly(command: &mut Command) -> Result<(), CommandError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).status();
    let status = status.map_err(|error| usage(format!("cannot run {name}: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(anyhow::anyhow!("{name} could not build the plugin ({status}): its messages are above").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_the_project_comes_before_one_of_the_machine_and_its_complaints_are_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("sh");
        let found = find("QKDNM_NO_SUCH_VARIABLE", &own, "sh").unwrap();
        assert!(found.is_absolute() && found != own);
        std::fs::write(&own, "").unwrap();
        assert_eq!(find("QKDNM_NO_SUCH_VARIABLE", &own, "sh").unwrap(), own.canonicalize().unwrap());
        assert_eq!(find("QKDNM_NO_SUCH_VARIABLE", &folder.path().join("no"), "no-such-program"), None);
        run(Command::new("sh").args(["-c", "read line; test \"$line\" = hello"]), "hello\n").unwrap();
        let failed = run(Command::new("sh").args(["-c", "echo no such module; exit 3"]), "").unwrap_err();
        assert!(format!("{failed:?}").contains("no such module"), "{failed:?}");
    }
}
