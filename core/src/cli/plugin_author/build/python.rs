//! Python: componentize-py puts the sources and an interpreter into a component. What it imports of WASI is replaced by code that
//! ends the call: a manager gives plugins no files, clock, randomness or network.

use std::{path::Path, process::Command};

use super::tool;
use crate::cli::{
    CommandError,
    plugin_author::{project::Manifest, usage},
};

/// The version that is tried.
const PACKAGE: &str = "componentize-py==0.25.1";
/// The module that has the class `Policy` or `Handler`.
const MODULE: &str = "plugin";

/// Makes `file` of the project in `dir`.
pub(super) fn build(dir: &Path, manifest: &Manifest, file: &Path) -> Result<(), CommandError> {
    let found = tool::find("COMPONENTIZE_PY", &dir.join(".venv/bin/componentize-py"), "componentize-py");
    let program = found.ok_or_else(|| {
        let venv = dir.join(".venv");
        let venv = venv.strip_prefix(".").unwrap_or(&venv).display();
        usage(format!(
            "plugins in Python are built with componentize-py, which is neither in {venv}/bin nor on the PATH. Install it once:\n  \
             python3 -m venv {venv} && {venv}/bin/pip install {PACKAGE}"
        ))
    })?;
    let mut command = Command::new(program);
    command
        .args([
            "--wit-path",
            "wit",
            "--world",
            manifest.role.world(),
            "componentize",
            MODULE,
            "--stub-wasi",
            "--output",
        ])
        .arg(file)
        .current_dir(dir);
    tool::run(&mut command, "")
}
