//! Rust: cargo makes a core module for `wasm32-unknown-unknown`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::Built;
use crate::cli::{CommandError, plugin_author::usage};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "guest";

/// The module of the package in this folder.
pub(super) fn build(dir: &Path) -> Result<Built, CommandError> {
    ensure_target()?;
    cargo(dir)
}

fn tool(variable: &str, name: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| name.into())
}

/// Whether the compiler has the target; if not, what adds it is said.
fn ensure_target() -> Result<(), CommandError> {
    let rustc = tool("RUSTC", "rustc");
    let asked = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let asked = asked.map_err(|error| {
        let name = rustc.to_string_lossy();
        usage(format!("cannot run {name} ({error}): plugins in Rust are built with cargo, from https://rustup.rs"))
    })?;
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if asked.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    Err(usage(format!("the compiler has no target {TARGET}. Add it once:\n  rustup target add {TARGET}")))
}

/// Builds the package of this folder; cargo speaks to the author itself.
fn cargo(dir: &Path) -> Result<Built, CommandError> {
    let mut command = Command::new(tool("CARGO", "cargo"));
    command
        .args(["build", "--profile", PROFILE, "--target", TARGET, "--message-format=json-render-diagnostics"])
        .current_dir(dir)
        // Optimising over crate borders excludes it.
        .env_remove("CARGO_INCREMENTAL")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].iter().any(|name| std::env::var_os(name).is_some()) {
        command.env("CARGO_ENCODED_RUSTFLAGS", flags(dir));
    }
    let output = command.output().map_err(|error| usage(format!("cannot run cargo: {error}")))?;
    if !output.status.success() {
        let hint = if profile_is_there(dir) {
            "its messages are above"
        } else {
            "Cargo.toml has no profile `guest`; `qkdnm plugin new` shows one"
        };
        return Err(anyhow::anyhow!("cargo could not build the plugin: {hint}").into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    // The package itself is built last.
    messages.lines().rev().find_map(module).ok_or_else(|| {
        usage(format!(
            "cargo built no WebAssembly module in {}: Cargo.toml needs\n  [lib]\n  crate-type = [\"cdylib\", \"rlib\"]",
            dir.display()
        ))
    })
}

/// Compiler flags: what a panic says of its place must not carry folders of the machine that built it.
fn flags(dir: &Path) -> String {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let own = dir.canonicalize().ok().map(|dir| (dir, "."));
    let prefixes = cargo_home.map(|home| (home, "/cargo")).into_iter().chain(own);
    let flags = prefixes.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    flags.collect::<Vec<_>>().join("\x1f")
}

fn profile_is_there(dir: &Path) -> bool {
    let text = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
    // A member of a workspace has the profile of the workspace.
    text.contains("[profile.guest]") || !text.contains("[workspace]")
}

/// What one line of cargo's messages says of a module.
fn module(line: &str) -> Option<Built> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    let kinds = message.get("target")?.get("crate_types")?.as_array()?;
    if !kinds.iter().any(|kind| kind == "cdylib") {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let file = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    let manifest = message.get("manifest_path")?.as_str()?;
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(manifest).ok()?).ok()?;
    let package = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    Some(Built { name: package, file: PathBuf::from(file) })
}
