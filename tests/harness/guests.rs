//! Test guests: the crates in `tests/guests`, built for WebAssembly when a test first asks for one.
//!
//! They are built by the code that builds the standard plugins (`core/build/guests.rs`), into the same folder below the
//! target folder, so that their libraries are compiled once. Cargo's lock there keeps test processes apart.

#[path = "../../core/build/guests.rs"]
mod build;

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

const PACKAGES: [&str; 4] = ["guest-collector", "guest-exchange", "guest-handler", "guest-policy"];

/// The `.wasm` file (a core module) of a package in `tests/guests`: `guest-collector`, `guest-exchange`, `guest-handler` or `guest-policy`.
///
/// # Panics
/// If the guests do not build; the compiler's messages are in the panic's text.
#[must_use]
#[expect(clippy::panic, reason = "a test cannot go on without its guests")]
pub fn wasm(package: &str) -> PathBuf {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(build_all) {
        Ok(folder) => build::wasm_file(folder, package),
        Err(error) => panic!("{error}"),
    }
}

fn build_all() -> Result<PathBuf, String> {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = manifest_dir.parent().ok_or("the tests are not inside the workspace")?;
    // The test runs as target/PROFILE/deps/NAME.
    let program = std::env::current_exe().map_err(|error| format!("where is this test? {error}"))?;
    let target = program.ancestors().nth(3).ok_or_else(|| format!("{} is in no target folder", program.display()))?;
    build::build(workspace, &target.join("guests"), &PACKAGES.map(str::to_owned))
}
