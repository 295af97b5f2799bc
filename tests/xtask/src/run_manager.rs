//! Commands that build the manager as operators get it, without fault points, and run it.

use crate::{
    bench_plugins,
    workspace::{cargo, ensure_guest_target},
};

/// `qkdnm demo`.
pub(crate) fn demo(arguments: &[String]) -> Result<bool, String> {
    ensure_guest_target()?;
    println!("==> building the manager and its plugins (some minutes the first time, seconds after that)");
    run(&["build", "--package", "qkdn-manager", "--bin", "qkdnm"], &[])?;
    run(&["run", "--quiet", "--package", "qkdn-manager", "--bin", "qkdnm", "--", "demo"], arguments)
}

/// `qkdnm bench`, optimised as a release is.
pub(crate) fn bench(arguments: &[String]) -> Result<bool, String> {
    ensure_guest_target()?;
    println!("==> building the manager with full optimisation (several minutes the first time)");
    run(&["build", "--release", "--package", "qkdn-manager", "--bin", "qkdnm"], &[])?;
    if arguments.first().is_some_and(|what| what == "plugins") {
        return bench_plugins::bench(arguments);
    }
    run(&["run", "--quiet", "--release", "--package", "qkdn-manager", "--bin", "qkdnm", "--", "bench"], arguments)
}

fn run(cargo_arguments: &[&str], arguments: &[String]) -> Result<bool, String> {
    // Cargo ends with the program's own exit code; anything but 0 is told by the program itself.
    let status = cargo(cargo_arguments).args(arguments).status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(true) } else { Err(format!("`cargo {}` ended with {status}", cargo_arguments.join(" "))) }
}

/// Writes the description of the API, as the code has it.
pub(crate) fn openapi() -> Result<bool, String> {
    generate(&["openapi"], "core/openapi.json")
}

/// Writes what is generated from the catalogue's data file: a page, and JSON for clients.
pub(crate) fn catalogue() -> Result<bool, String> {
    for (format, file) in [("table", "wit/CATALOGUE.md"), ("json", "wit/catalogue.json")] {
        if !generate(&["catalogue", "--output", format], file)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes what a command of the manager prints into a file of the repository.
fn generate(command: &[&str], file: &str) -> Result<bool, String> {
    println!("==> {file}");
    let output = cargo(&["run", "--quiet", "--package=qkdn-manager", "--bin=qkdnm", "--"])
        .args(command)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Ok(false);
    }
    let path = crate::workspace::root().join(file);
    std::fs::write(&path, &output.stdout).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(true)
}
