//! Native plugins for tests: C sources compiled with the system's compiler when a test asks for them, and the Rust example.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".."))
}

/// Compiles a C source (a path below the workspace) into a library in `folder`, with further options.
///
/// # Panics
/// If the compiler is not there or complains.
#[must_use]
#[expect(clippy::expect_used, reason = "a test cannot go on without its library")]
pub fn c_library(folder: &Path, source: &str, options: &[&str]) -> PathBuf {
    let name = Path::new(source).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let library = folder.join(format!("lib{name}{}.so", options.concat()));
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-fvisibility=hidden"])
        .args(options)
        .arg("-I")
        .arg(workspace().join("wit/v0.1"))
        .arg("-o")
        .arg(&library)
        .arg(workspace().join(source))
        .output()
        .expect("the test needs a C compiler, `cc`");
    complain(source, &output);
    library
}

/// The library of the Rust example: built with the tests of this package, beside which it lies.
///
/// # Panics
/// If it is not there.
#[must_use]
#[expect(clippy::expect_used, reason = "a test cannot go on without its library")]
pub fn rust_example() -> PathBuf {
    let program = std::env::current_exe().expect("where is this test?");
    let library = program.with_file_name("libqkdn_example_native_policy.so");
    assert!(library.exists(), "{} is not there", library.display());
    library
}

#[expect(clippy::panic, reason = "a test cannot go on without its library")]
fn complain(what: &str, output: &Output) {
    if !output.status.success() {
        panic!("{what} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
