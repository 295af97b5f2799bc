//! Builds WebAssembly guests with a cargo inside cargo. Shared by the build script (standard plugins) and the test
//! harness (badly behaved guests).
//!
//! The inner cargo has a target folder of its own, so that it never waits for the outer one's lock, and none of the
//! outer one's settings, so that the result does not depend on who asks (clippy, a coverage run, a release build).

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds packages of the workspace at `workspace` and returns the folder with their `.wasm` files.
pub(crate) fn build(workspace: &Path, target_dir: &Path, packages: &[String]) -> Result<PathBuf, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    ensure_target(&rustc)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    clear_settings(&mut command);
    command
        .current_dir(workspace)
        .args(["build", "--locked", "--profile", "guest", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(workspace, target_dir, &rustc)?)
        .stdin(Stdio::null());
    for package in packages {
        command.args(["--package", package]);
    }
    let output = command.output().map_err(|error| format!("cannot run cargo to build the guests: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "building the guests {} failed ({}):\n{}",
            packages.join(", "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(target_dir.join(TARGET).join("guest"))
}

/// The file of a package in the folder that [`build`] returned.
pub(crate) fn wasm_file(folder: &Path, package: &str) -> PathBuf {
    folder.join(format!("{}.wasm", package.replace('-', "_")))
}

/// Installs the target through rustup if the compiler does not have it.
fn ensure_target(rustc: &std::ffi::OsStr) -> Result<(), String> {
    let libdir = print(rustc, &["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(&libdir).exists() {
        return Ok(());
    }
    let command = format!("rustup target add {TARGET}");
    let wanted = format!("the plugins need the Rust target {TARGET}, which is not installed");
    let status = Command::new("rustup").args(["target", "add", TARGET]).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{wanted}, and `{command}` failed ({status})")),
        Err(error) => Err(format!(
            "{wanted}, and rustup cannot be run ({error}). Install rustup and run `{command}`, or install the target \
             with the package manager that brought rustc"
        )),
    }
}

/// Takes away what the outer cargo, its build scripts and wrappers set.
fn clear_settings(command: &mut Command) {
    const NAMES: [&str; 12] = [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
        "TARGET",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "PROFILE",
        "DEBUG",
        "OUT_DIR",
    ];
    const PREFIXES: [&str; 11] = [
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_BUILD_",
        "CARGO_ENCODED_",
        "CARGO_INCREMENTAL",
        "CARGO_PRIMARY_",
        "DEP_",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if NAMES.contains(&text.as_ref()) || PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Compiler flags: panic locations must not carry folders of the machine that built them.
fn flags(workspace: &Path, target_dir: &Path, rustc: &std::ffi::OsStr) -> Result<String, String> {
    let sysroot = print(rustc, &["--print", "sysroot"])?;
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let mut prefixes = vec![
        (workspace.to_owned(), "/qkdnm"),
        (target_dir.to_owned(), "/target"),
        (Path::new(&sysroot).join("lib/rustlib/src/rust"), "/rust"),
    ];
    prefixes.extend(cargo_home.map(|home| (home, "/cargo")));
    let flags = prefixes.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(flags.collect::<Vec<_>>().join("\x1f"))
}

fn print(rustc: &std::ffi::OsStr, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(rustc)
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", rustc.to_string_lossy()))?;
    if !output.status.success() {
        return Err(format!(
            "`{} {}` failed: {}",
            rustc.to_string_lossy(),
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
