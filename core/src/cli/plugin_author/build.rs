//! `qkdnm plugin build`: cargo for WebAssembly, and what comes out of it as a component that was looked at.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{inspect, usage};
use crate::{
    cli::{CommandError, CommandResult, Exit, Output},
    config::PluginSource,
    manager::trial::Sandbox,
    model::ReferencePoint,
};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "guest";

/// Arguments of `plugin build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// Folder with the plugin's Cargo.toml.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Folder to put NAME.wasm into; by default that of Cargo.toml.
    #[arg(long, value_name = "DIR")]
    release_dir: Option<PathBuf>,
}

pub(super) fn run(args: &BuildArgs, output: &mut Output<'_>) -> CommandResult {
    if !args.dir.join("Cargo.toml").is_file() {
        let problem = "has no Cargo.toml: name the folder of a plugin, as `qkdnm plugin new` makes one";
        return Err(usage(format!("{} {problem}", args.dir.display())));
    }
    ensure_target()?;
    let module = cargo(&args.dir)?;
    let sandbox = Sandbox::new()?;
    let component = sandbox.host().component(&PluginSource::File(module.file))?;
    let folder = args.release_dir.as_deref().unwrap_or(&args.dir);
    let folder = if folder == Path::new(".") { Path::new("") } else { folder };
    let file = folder.join(format!("{}.wasm", module.package));
    std::fs::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .map_err(|error| usage(format!("{}: {error}", folder.display())))?;
    // A manager may be reading the old one: the new one takes its place at once, whole.
    let written = folder.join(format!("{}.wasm.new", module.package));
    std::fs::write(&written, component)
        .and_then(|()| std::fs::rename(&written, &file))
        .map_err(|error| usage(format!("{}: {error}", file.display())))?;
    let inspected = sandbox.host().inspect(&PluginSource::File(file), ReferencePoint::Mk, &json!({}))?;
    let loads = inspect::loads(&inspected, false);
    if output.is_data() {
        output.document(&inspect::document(inspected, false))?;
    } else {
        inspect::show(&inspected, false, output)?;
    }
    Ok(if loads { Exit::Success } else { Exit::Failure })
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

/// The core module that cargo made.
struct Module {
    package: String,
    file: PathBuf,
}

/// Builds the package of this folder; cargo speaks to the author itself.
fn cargo(dir: &Path) -> Result<Module, CommandError> {
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
fn module(line: &str) -> Option<Module> {
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
    Some(Module { package, file: PathBuf::from(file) })
}
