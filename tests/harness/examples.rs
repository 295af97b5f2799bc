//! Plugins of `examples/` that are projects of their own: built and tested as an author does, offline, with the libraries that the
//! standard plugins were built with.
//!
//! They are built in a copy below the target folder, so that nothing is written into the source tree; a file that has not changed is
//! not copied again, so that cargo has nothing to do the second time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::binary::{qkdnm, repository};

/// What the examples are made of, beside the SDK.
const SHARED: &str = "etsi015-objects";

/// A copy of one of the examples, with what it is made of beside it. `whose` keeps tests apart that run at the same time.
///
/// # Panics
/// If it cannot be copied.
#[must_use]
pub fn project(name: &str, whose: &str) -> PathBuf {
    let folder = scratch().join("examples").join(whose);
    copy(&repository().join("examples").join(SHARED), &folder.join(SHARED));
    copy(&repository().join("examples").join(name), &folder.join(name));
    folder.join(name)
}

/// Its component, built by `qkdnm plugin build`.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn wasm(name: &str, whose: &str) -> PathBuf {
    let project = project(name, whose);
    let built = author(&project, qkdnm(), &["plugin", "build"]);
    assert!(built.status.success(), "{name} does not build:\n{}", said(&built));
    project.join(format!("{name}.wasm"))
}

/// Its unit tests, native.
///
/// # Panics
/// If one fails.
pub fn unit_tests(name: &str, whose: &str) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The profile of the plugins: what the macros of the SDK are made of is there already. Native code is only tried, so it is
    // made quickly.
    let quickly = ["lto=false", "opt-level=0", "codegen-units=16"].map(|setting| format!("profile.guest.{setting}"));
    let mut arguments = vec!["test", "--quiet", "--lib", "--profile", "guest"];
    quickly.iter().for_each(|setting| arguments.extend(["--config", setting]));
    let tested = author(&project(name, whose), Path::new(&cargo), &arguments);
    assert!(tested.status.success(), "the unit tests of {name}:\n{}", said(&tested));
}

/// Runs a command in a project.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn author(folder: &Path, program: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", scratch().join("guests"))
        .env("XDG_CACHE_HOME", scratch().join("guests/cache"))
        .env_remove("CARGO_INCREMENTAL")
        .output()
        .expect("the command starts")
}

/// Both outputs of a command.
#[must_use]
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The target folder: the test runs as target/PROFILE/deps/NAME.
fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows where it is");
    program.ancestors().nth(3).expect("a test is in a target folder").to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("an example") {
        let entry = entry.expect("an entry of an example");
        let (name, path) = (entry.file_name(), entry.path());
        if path.is_dir() {
            if name != "target" {
                copy(&path, &to.join(&name));
            }
            continue;
        }
        let mut content = fs::read(&path).expect("a file of an example");
        if name == "Cargo.lock" || path.extension().is_some_and(|ending| ending == "wasm") {
            continue;
        }
        if name == "Cargo.toml" {
            let sdk = repository().join("plugins/sdk");
            let text = String::from_utf8(content).expect("text");
            content = text.replace("../../plugins/sdk", &sdk.display().to_string()).into_bytes();
            write(&to.join("Cargo.lock"), &fs::read(repository().join("Cargo.lock")).expect("Cargo.lock"), true);
        }
        write(&to.join(&name), &content, false);
    }
}

/// Writes what is not there yet; `once`: and leaves what is there as it is, since cargo strikes out what is not used.
fn write(file: &Path, content: &[u8], once: bool) {
    let there = fs::read(file).ok();
    if there.as_deref() == Some(content) || (once && there.is_some()) {
        return;
    }
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, content).expect("a file");
}
