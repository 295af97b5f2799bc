//! Looking for programs.

use std::process::{Command, Stdio};

/// Whether a program is there; says so aloud if not. With `CI` set it must be.
pub(crate) fn is_installed(program: &str, version_flag: &str) -> bool {
    let found = Command::new(program)
        .arg(version_flag)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed, so this test shows nothing.");
    }
    found
}
