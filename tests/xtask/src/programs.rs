//! Programs of others that tests use: named in the environment, found on this machine, or fetched into `target/programs`.
//! What cannot be had is skipped aloud; nothing of the product needs it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{steps::Steps, workspace::is_there};

/// The version that the tests are written for. It goes by its own seeds, so that a run can be repeated.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Variables for the tests, each with the program that it names.
pub(crate) fn of_the_tests(steps: &mut Steps, target: &Path) -> Vec<(&'static str, PathBuf)> {
    let folder = target.join("programs");
    let mut found = Vec::new();
    let mut look = |variable, name, fetch: &dyn Fn(&Path) -> Result<PathBuf, String>| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        match named.map_or_else(|| fetch(&folder), Ok) {
            Ok(program) => found.push((variable, program)),
            Err(why) => steps.skip(name, &why),
        }
    };
    look("QKDNM_SCHEMATHESIS", "schemathesis", &schemathesis);
    look("QKDNM_PROMTOOL", "promtool", &promtool);
    found
}

/// From the Python package index, into an environment of its own.
fn schemathesis(folder: &Path) -> Result<PathBuf, String> {
    let environment = folder.join(SCHEMATHESIS.replace("==", "-"));
    let program = environment.join("bin/schemathesis");
    if works(&program) {
        return Ok(program);
    }
    println!("\n==> fetching {SCHEMATHESIS}");
    let arguments = |command: &mut Command, words: &[&str]| quiet(command.args(words));
    if !arguments(Command::new("python3").arg("-m").arg("venv"), &[&environment.display().to_string()]) {
        return Err("`python3 -m venv` does not work".to_owned());
    }
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15", SCHEMATHESIS];
    if !arguments(&mut Command::new(environment.join("bin/pip")), &pip) || !works(&program) {
        return Err(format!("{SCHEMATHESIS} cannot be fetched from the package index of pip"));
    }
    Ok(program)
}

/// Of this machine, or unpacked from the distribution's package, which needs no rights and starts no service.
fn promtool(folder: &Path) -> Result<PathBuf, String> {
    if is_there("promtool", &["--version"]) {
        return Ok(PathBuf::from("promtool"));
    }
    let folder = folder.join("prometheus");
    let program = folder.join("usr/bin/promtool");
    if works(&program) {
        return Ok(program);
    }
    let failed = || "promtool is not installed, and the package `prometheus` cannot be fetched with apt-get".to_owned();
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    println!("\n==> fetching promtool from the package `prometheus`");
    let fetched = quiet(Command::new("apt-get").args(["--quiet", "download", "prometheus"]).current_dir(&folder));
    let package = std::fs::read_dir(&folder).map_err(|error| error.to_string())?.flatten().map(|entry| entry.path());
    let package = package.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.filter(|_| fetched).ok_or_else(failed)?;
    let unpacked = quiet(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&folder));
    let _ = std::fs::remove_file(package);
    if unpacked && works(&program) { Ok(program) } else { Err(failed()) }
}

fn works(program: &Path) -> bool {
    program.exists() && quiet(Command::new(program).arg("--version"))
}

fn quiet(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
