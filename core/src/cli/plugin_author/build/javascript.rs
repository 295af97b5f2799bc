//! JavaScript: componentize-js puts the sources and an engine into a component, with everything of WASI left out: a manager gives
//! plugins no files, clock, randomness or network.

use std::{path::Path, process::Command};

use super::tool;
use crate::cli::{
    CommandError,
    plugin_author::{project::Manifest, usage},
};

/// Run by node in the project's folder, so that packages are those of the project.
const SCRIPT: &str = r#"
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";
const [worldName, file] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: "component.js",
  witPath: process.cwd() + "/wit",
  worldName,
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(file, component);
"#;

/// Makes `file` of the project in `dir`.
pub(super) fn build(dir: &Path, manifest: &Manifest, file: &Path) -> Result<(), CommandError> {
    let node = tool::find("NODE", Path::new("/nonexistent"), "node").ok_or_else(|| {
        usage(
            "plugins in JavaScript are built with node, 20 or later, which is not on the PATH: https://nodejs.org"
                .to_owned(),
        )
    })?;
    if !dir.join("node_modules/@bytecodealliance/componentize-js").is_dir() {
        let dir = dir.display();
        return Err(usage(format!(
            "plugins in JavaScript are built with componentize-js, which package.json names and {dir}/node_modules does not have. \
             Install it once:\n  npm install --prefix {dir}"
        )));
    }
    let mut command = Command::new(node);
    command.args(["--input-type=module", "-", manifest.role.world()]).arg(file).current_dir(dir);
    tool::run(&mut command, SCRIPT)
}
