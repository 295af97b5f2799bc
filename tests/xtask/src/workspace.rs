//! Where things are, and what has to be installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What plugins are compiled for.
const GUEST_TARGET: &str = "wasm32-unknown-unknown";

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.ancestors().nth(2).unwrap_or(xtask)
}

/// cargo, in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf, String> {
    let output = cargo(&["metadata", "--format-version=1", "--no-deps", "--offline"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // The one key of this name; a path with a quotation mark in it would need a JSON reader.
    let after = text.split_once(r#""target_directory":""#).ok_or("cargo metadata names no target directory")?.1;
    Ok(PathBuf::from(after.split('"').next().unwrap_or_default().replace(r"\\", r"\")))
}

/// Whether a program can be run with these arguments.
pub(crate) fn is_there(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Sees to it that plugins can be compiled.
pub(crate) fn ensure_guest_target() -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("rustc does not start: {error}"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if sysroot.join("lib/rustlib").join(GUEST_TARGET).join("lib").is_dir() {
        return Ok(());
    }
    println!(
        "==> installing the target {GUEST_TARGET}, which plugins are compiled for: rustup target add {GUEST_TARGET}"
    );
    let status = Command::new("rustup").args(["target", "add", GUEST_TARGET]).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("rustup could not add the target {GUEST_TARGET}; is there a network?")),
        Err(error) => Err(format!(
            "the target {GUEST_TARGET} is missing and rustup does not start ({error}). Install the target with the \
             tool that your Rust came from, or Rust by rustup (https://rustup.rs)"
        )),
    }
}
