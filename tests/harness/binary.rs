//! Where the manager's binary is.
//!
//! `cargo xtask test` builds everything in one go, the tests and the binary with the same features (`fault-points`
//! switched on for the whole workspace, so that cargo compiles the manager once), and names the binary in
//! `QKDNM_BIN`. Started any other way (`cargo test -p qkdn-tests`), the harness asks cargo once a process to build it;
//! cargo's own lock keeps processes from treading on each other.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}

/// The binary under test, built with fault points.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn qkdnm() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("QKDNM_BIN") {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "QKDNM_BIN names {}, which is no file", path.display());
            return path;
        }
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--workspace", "--bins", "--tests"])
            .args(["--features", "qkdn-manager/fault-points", "--message-format=json-render-diagnostics"])
            .current_dir(repository())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "cargo could not build the manager");
        executable(&String::from_utf8_lossy(&output.stdout)).expect("cargo tells where the binary qkdnm is")
    })
}

/// Finds the binary in what `cargo build --message-format=json` tells.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).find_map(|message| {
        let target = message.get("target")?;
        (message.get("reason")? == "compiler-artifact"
            && target.get("name")? == "qkdnm"
            && message.get("profile")?.get("test")? == false)
            .then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_from_its_unit_tests() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"qkdnm"},"profile":{"test":true},"executable":"/t/deps/qkdnm-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"qkdnm"},"profile":{"test":false},"executable":"/t/qkdnm"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/qkdnm")));
    }
}
