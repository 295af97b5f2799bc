//! `cargo xtask dashboard`: builds the dashboard from its sources and tests it, in a browser too where there is one. Needs
//! Node.js, which nothing else does.

use std::{path::Path, process::Command};

use crate::{
    steps::Steps,
    workspace::{cargo, ensure_guest_target, is_there, root, target_dir},
};

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(root().join("core/ui"));
    command
}

/// `cargo xtask dashboard`.
pub(crate) fn dashboard() -> Result<bool, String> {
    if !is_there("npm", &["--version"]) {
        return Err("the dashboard is built with Node.js 20.19 or later, and `npm` is not there".to_owned());
    }
    ensure_guest_target()?;
    let mut steps = Steps::default();
    let built = steps.run("packages", &mut npm(&["ci"])) && steps.run("build", &mut npm(&["run", "build"]));
    if !built {
        return Ok(steps.summary());
    }
    steps.run("unit tests", &mut npm(&["test"]));
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if Path::new(&chromium).exists() {
        // The manager embeds what was just built.
        if steps.run("manager", &mut cargo(&["build", "--package=qkdn-manager", "--bin=qkdnm"])) {
            let binary = target_dir()?.join("debug/qkdnm");
            steps.run("in a browser", npm(&["run", "e2e"]).env("QKDNM_BIN", binary).env("CHROMIUM", &chromium));
        }
    } else {
        steps.skip("in a browser", &format!("{chromium} is not there; CHROMIUM can name another"));
    }
    Ok(steps.summary())
}
