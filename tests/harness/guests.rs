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

/// The bytes of a guest with something else in its place: another version of it, without another build.
///
/// # Panics
/// If what is to be replaced is not there, or is not as long as what is put there.
#[must_use]
#[expect(clippy::panic, reason = "a test cannot go on without its guests")]
pub fn variant(package: &str, exchange: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = std::fs::read(wasm(package)).unwrap_or_else(|error| panic!("{package}: {error}"));
    for (from, to) in exchange {
        assert_eq!(from.len(), to.len(), "offsets have to stay");
        let places: Vec<usize> = (0..bytes.len().saturating_sub(from.len() - 1))
            .filter(|place| bytes.get(*place..*place + from.len()) == Some(*from))
            .collect();
        assert!(!places.is_empty(), "{package} has no {:?}", String::from_utf8_lossy(from));
        for place in places {
            bytes.splice(place..place + to.len(), to.iter().copied());
        }
    }
    bytes
}

/// A constant of the code: `f64.const`.
#[must_use]
pub fn constant(value: f64) -> Vec<u8> {
    [&[0x44], value.to_le_bytes().as_slice()].concat()
}
