//! Every test: unit tests, cross-process tests against the real binary, documentation examples, the Python agent's.
//!
//! Tests and binary are built in one go with the same features, fault points among them, so that cargo compiles each
//! crate once. The binary is then put aside under a name of its own: `cargo run` in another terminal builds without
//! fault points and would replace it in the middle of a run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    programs,
    steps::Steps,
    workspace::{cargo, ensure_guest_target, is_there, root, target_dir},
};

/// The features that everything is tested with.
pub(crate) const FEATURES: &str = "--features=qkdn-manager/fault-points";

/// `cargo xtask test`.
pub(crate) fn test(arguments: &[String]) -> Result<bool, String> {
    ensure_guest_target()?;
    let mut steps = Steps::default();
    if !steps.run("build", &mut cargo(&["build", "--workspace", "--bins", "--tests", FEATURES])) {
        return Ok(steps.summary());
    }
    let binary = set_aside(&target_dir()?)?;
    let mut tests = if is_there("cargo", &["nextest", "--version"]) {
        cargo(&["nextest", "run", "--workspace", FEATURES, "--no-fail-fast"])
    } else {
        cargo(&["test", "--workspace", "--bins", "--tests", FEATURES, "--no-fail-fast"])
    };
    for (variable, program) in programs::of_the_tests(&mut steps, &target_dir()?) {
        tests.env(variable, program);
    }
    steps.run("tests", tests.args(arguments).env("QKDNM_BIN", binary));
    if arguments.is_empty() {
        steps.run("documentation examples", &mut cargo(&["test", "--workspace", "--doc", "--quiet", FEATURES]));
        python(&mut steps);
    } else {
        println!("\n==> with arguments only the tests that they choose are run, no documentation examples, no Python");
    }
    Ok(steps.summary())
}

/// Gives the binary under test a name of its own.
fn set_aside(target: &Path) -> Result<PathBuf, String> {
    let name = format!("qkdnm{}", std::env::consts::EXE_SUFFIX);
    let (built, folder) = (target.join("debug").join(&name), target.join("under-test"));
    let aside = folder.join(&name);
    let fail = |error: std::io::Error| format!("{} cannot be put into {}: {error}", built.display(), folder.display());
    fs::create_dir_all(&folder).map_err(fail)?;
    // A copy under another name first: a test of an earlier run may still execute the old one.
    let fresh = folder.join(format!("{name}.new"));
    fs::copy(&built, &fresh).map_err(fail)?;
    fs::rename(&fresh, &aside).map_err(fail)?;
    Ok(aside)
}

fn python(steps: &mut Steps) {
    if !is_there("python3", &["--version"]) {
        steps.skip("Python agent", "python3 is not installed");
        return;
    }
    let mut command = Command::new("python3");
    command.args(["-m", "unittest", "--quiet"]).current_dir(root().join("examples/python-client"));
    steps.run("Python agent", command.env("PYTHONDONTWRITEBYTECODE", "1"));
}

/// `cargo xtask fuzz`: every target of `tests/fuzz` for a while.
pub(crate) fn fuzz(arguments: &[String]) -> Result<bool, String> {
    let seconds: u32 = match arguments {
        [] => 20,
        [text] => text.parse().map_err(|_| format!("expected a number of seconds, found `{text}`"))?,
        _ => return Err("expected at most one argument, a number of seconds".to_owned()),
    };
    let mut targets: Vec<String> = fs::read_dir(root().join("tests/fuzz/fuzz_targets"))
        .map_err(|error| format!("tests/fuzz/fuzz_targets: {error}"))?
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    targets.sort();
    if !is_there("cargo", &["+nightly", "fuzz", "--version"]) {
        return Err("cargo-fuzz or a nightly toolchain is missing: `rustup toolchain install nightly` and \
                    `cargo install cargo-fuzz`"
            .to_owned());
    }
    let mut steps = Steps::default();
    for target in &targets {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz", "run", "--fuzz-dir", "tests/fuzz", target, "--"]);
        command.arg(format!("-max_total_time={seconds}")).current_dir(root()).env_remove("RUSTUP_TOOLCHAIN");
        steps.run("fuzz", &mut command);
    }
    Ok(steps.summary())
}
