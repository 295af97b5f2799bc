//! Plugins that `qkdnm bench plugins` measures beside those that ship: a vendor's handler that reads raw JSON, and guests in other
//! languages, made by `qkdnm plugin new` and `build`. What cannot be built on this machine is left out, loudly.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::workspace::{cargo, root, target_dir};

/// Languages of `qkdnm plugin new` whose handlers are measured where they can be built.
const LANGUAGES: [&str; 3] = ["c", "javascript", "python"];

/// `--also FILE` for each that could be built.
pub(crate) fn arguments() -> Result<Vec<String>, String> {
    let target = target_dir()?;
    let (qkdnm, folder) = (target.join("release/qkdnm"), target.join("bench-plugins"));
    let mut arguments = Vec::new();
    for (name, made) in std::iter::once(("vendor-etsi015".to_owned(), vendor(&qkdnm, &folder)))
        .chain(LANGUAGES.map(|language| (format!("handler in {language}"), guest(&qkdnm, &folder, language))))
    {
        match made {
            Ok(file) => arguments.extend(["--also".to_owned(), file.display().to_string()]),
            Err(why) => println!("==> LEFT OUT: {name}: {why}"),
        }
    }
    Ok(arguments)
}

/// The example of a vendor's handler, built in a copy, as a vendor would have it.
fn vendor(qkdnm: &Path, folder: &Path) -> Result<PathBuf, String> {
    let examples = folder.join("examples");
    for name in ["etsi015-objects", "vendor-etsi015"] {
        copy(&root().join("examples").join(name), &examples.join(name))
            .map_err(|error| format!("cannot be copied: {error}"))?;
    }
    let project = examples.join("vendor-etsi015");
    run(qkdnm, &project, &["plugin", "build"])?;
    Ok(project.join("vendor-etsi015.wasm"))
}

/// A new handler in a language, as its author begins.
fn guest(qkdnm: &Path, folder: &Path, language: &str) -> Result<PathBuf, String> {
    let name = format!("bench-{language}");
    let project = folder.join(&name);
    if project.exists() {
        fs::remove_dir_all(&project).map_err(|error| format!("{}: {error}", project.display()))?;
    }
    run(qkdnm, folder, &["plugin", "new", &name, "--lang", language, "--role", "handler"])?;
    run(qkdnm, &project, &["plugin", "build"])?;
    Ok(project.join(format!("{name}.wasm")))
}

fn run(qkdnm: &Path, folder: &Path, arguments: &[&str]) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let said = Command::new(qkdnm).args(arguments).current_dir(folder).output();
    let said = said.map_err(|error| format!("{}: {error}", qkdnm.display()))?;
    if said.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&said.stderr);
    let line = text.lines().find(|line| line.starts_with("error")).or_else(|| text.lines().next_back());
    Err(format!("`qkdnm {}`: {}", arguments.join(" "), line.unwrap_or("no reason given")))
}

/// Copies a project without what was built in it; the SDK is that of this repository.
fn copy(from: &Path, to: &Path) -> Result<(), std::io::Error> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if entry.file_name() != "target" {
                copy(&path, &target)?;
            }
        } else if entry.file_name() == "Cargo.toml" {
            let text = fs::read_to_string(&path)?;
            fs::write(&target, text.replace("../../plugins/sdk", &root().join("plugins/sdk").display().to_string()))?;
        } else if path.extension().is_none_or(|ending| ending != "wasm") {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Measures the plugins that ship, and these; the manager is there as a release has it.
pub(crate) fn bench(arguments_of_user: &[String]) -> Result<bool, String> {
    let also = arguments()?;
    let program = ["run", "--quiet", "--release", "--package", "qkdn-manager", "--bin", "qkdnm", "--", "bench"];
    let status = cargo(&program).args(arguments_of_user).args(also).status();
    status.map(|status| status.success()).map_err(|error| format!("cargo: {error}"))
}
