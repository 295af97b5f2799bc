//! C: a compiler for WebAssembly with a C library makes a core module. Sources are `src/`, what the project was given to begin with
//! in `qkdn/`, and the contract as C in `bindings/`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::tool;
use crate::cli::{CommandError, plugin_author::usage};

/// The package with a whole toolchain that is tried.
const PACKAGE: &str = "ziglang==0.17.1";
const FOLDERS: [&str; 2] = ["src", "qkdn"];
const FLAGS: [&str; 14] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Isrc",
    "-Iqkdn",
    "-Ibindings",
    // Names of functions stay, for traces.
    "-Wl,--strip-debug",
    "-Wl,--no-entry",
    // Some compilers give 16 MiB.
    "-Wl,-z,stack-size=131072",
    "-o",
];

/// Makes `file` of the project in `dir`.
pub(super) fn build(dir: &Path, file: &Path) -> Result<(), CommandError> {
    let (program, arguments) = compiler(dir)?;
    let mut command = Command::new(program);
    command.args(arguments).args(FLAGS).arg(file);
    for folder in FOLDERS {
        command.args(sources(dir, folder)?);
    }
    command.args(["bindings/contract.c", "bindings/contract_component_type.o"]).current_dir(dir);
    tool::run_loudly(&mut command)
}

/// What compiles: named in `WASM_CC`, zig in the project or on the path, or a clang that has what it needs.
fn compiler(dir: &Path) -> Result<(PathBuf, Vec<OsString>), CommandError> {
    if let Some(named) = std::env::var_os("WASM_CC").filter(|named| !named.is_empty()) {
        return Ok((named.into(), Vec::new()));
    }
    let venv = dir.join(".venv");
    for name in ["python-zig", "zig"] {
        if let Some(zig) = tool::in_project_or_path(&venv.join("bin").join(name), name) {
            return Ok((zig, vec!["cc".into()]));
        }
    }
    let clang = PathBuf::from("clang");
    if links(&clang) {
        return Ok((clang, Vec::new()));
    }
    let venv = venv.strip_prefix(".").unwrap_or(&venv).display();
    Err(usage(format!(
        "plugins in C are built with a compiler for wasm32-wasi: zig, in {venv}/bin or on the PATH, or clang with wasm-ld and wasi-libc. \
         Install one once:\n  python3 -m venv {venv} && {venv}/bin/pip install {PACKAGE}\nor, on Debian:\n  \
         apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"
    )))
}

/// Whether it makes WebAssembly that uses the C library.
fn links(clang: &Path) -> bool {
    let Ok(scratch) = tempfile::tempdir() else { return false };
    let source = scratch.path().join("probe.c");
    if std::fs::write(&source, "#include <stdlib.h>\nint main(void) { return atoi(\"1\"); }\n").is_err() {
        return false;
    }
    let mut command = Command::new(clang);
    command.arg("--target=wasm32-wasi").arg("-o").arg(scratch.path().join("probe.wasm")).arg(source);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// C files of a folder, sorted, so that equal sources make equal modules.
fn sources(dir: &Path, folder: &str) -> Result<Vec<PathBuf>, CommandError> {
    let entries = dir.join(folder).read_dir();
    let entries = entries.map_err(|error| usage(format!("{}: {error}", dir.join(folder).display())))?;
    let files = entries.filter_map(|entry| Some(Path::new(folder).join(entry.ok()?.file_name())));
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|ending| ending == "c")).collect();
    files.sort();
    Ok(files)
}
