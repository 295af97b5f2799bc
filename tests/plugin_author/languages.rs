//! Plugins in other languages than Rust, from `plugin new` to a decision: projects that are built by the tools that authors have, and
//! run by the real binary. A tool that cannot be had is skipped aloud.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{author, said};

/// The versions that `qkdnm plugin build` names.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
const ZIG: &str = "ziglang==0.17.1";
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";

/// A new project; nothing of it needs a checkout.
fn project(scratch: &Path, language: &str, role: &str) -> PathBuf {
    let name = if role == "policy" { "relay-watch" } else { "acme-detectors" };
    let folder = scratch.join(role);
    let dir = folder.to_str().unwrap();
    let made = author(scratch, &["plugin", "new", name, "--lang", language, "--role", role, "--dir", dir]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("qkdnm plugin build"), "{}", said(&made));
    for file in ["README.md", "plugin.toml", "wit/types.wit", ".gitignore"] {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!text.contains("{{"), "{file}: {text}");
    }
    folder
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

fn succeeds(command: &mut Command, folder: &Path) {
    let output = command.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
}

fn is_there(program: &str) -> bool {
    quiet(Command::new(program).arg("--version"))
}

fn quiet(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A folder with what a package manager installed: once for all runs, below the target folder.
fn installed(package: &str, install: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    let name: String = package.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs").join(name.trim_matches('-'));
    fs::create_dir_all(&folder).unwrap();
    // Tests are processes of their own, and may want the same.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let done = folder.join("done");
    if !done.exists() && install(&folder) {
        fs::write(&done, "").unwrap();
    }
    if done.exists() {
        return Some(folder);
    }
    println!("SKIPPED: {package} cannot be installed here");
    None
}

fn with_pip(package: &str) -> Option<PathBuf> {
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15", package];
    installed(package, |folder| {
        quiet(Command::new("python3").args(["-m", "venv"]).arg(folder))
            && quiet(Command::new(folder.join("bin/pip")).args(pip))
    })
}

fn build(folder: &Path) {
    let built = author(folder, &["plugin", "build"]);
    assert!(built.status.success(), "{}", said(&built));
}

fn inspected(folder: &Path, wasm: &str) -> Value {
    let seen = author(folder, &["plugin", "inspect", wasm, "-o", "json"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap_or_else(|_| panic!("{}", said(&seen)));
    seen[0].clone()
}

/// What followed from the recording; whether it is the same in new instances is a part of it.
fn decisions(folder: &Path, wasm: &str) -> (String, String) {
    let update = author(folder, &["plugin", "test", wasm, "--update"]);
    assert!(update.status.success(), "{}", said(&update));
    let mut files = fs::read_dir(folder.join("recordings")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|file| file.to_string_lossy().ends_with(".decisions.txt")).unwrap();
    (fs::read_to_string(file).unwrap(), said(&update))
}

const IMPORTS: [&str; 2] = ["qkdn:manager/host@0.1.0", "qkdn:manager/types@0.1.0"];
const RAISED: &str = "raises major mk/km-1 key-relay-failed relay-watch: 19 of 110 key relays failed; observed 0.17272727272727273; threshold 0.1";
const CLEARED: &str = "clears mk/km-1 key-relay-failed relay-watch: key relays succeed again";
const ADDED: &str = "adds detector_temperature_celsius of detector-1 = -60";
const REFUSED: &str = "rejected: extension[0].temperature_f: 451 is not between -459.67 and 212 degrees Fahrenheit";

#[test]
fn plugins_in_python() {
    let scratch = tempfile::tempdir().unwrap();
    let [policy, handler] = ["policy", "handler"].map(|role| project(scratch.path(), "python", role));
    let hint = author(&policy, &["plugin", "build"]);
    let hint = said(&hint);
    if std::env::var_os("COMPONENTIZE_PY").is_none() && !is_there("componentize-py") {
        assert!(hint.contains("python3 -m venv .venv && .venv/bin/pip install componentize-py"), "{hint}");
    }
    if !is_there("python3") {
        println!("SKIPPED: python3 is not on this machine");
        return;
    }
    for folder in [&policy, &handler] {
        succeeds(Command::new("python3").args(["-m", "unittest", "--quiet"]), folder);
    }
    let Some(tool) = with_pip(COMPONENTIZE_PY) else { return };
    symlink(&tool, policy.join(".venv")).unwrap();
    let fails = "if relays > 300:\n            raise ValueError(f\"too many relays: {relays:g}\")\n        share = ";
    replace(&policy.join("plugin.py"), "share = ", fails);
    replace(
        &policy.join("plugin.py"),
        "def __init__(self, config):",
        "def __init__(self, config):\n        print(\"most:\", config)",
    );
    build(&policy);
    let seen = inspected(&policy, "relay-watch.wasm");
    assert_eq!((&seen["role"], &seen["imports"]), (&"policy".into(), &json!(IMPORTS)), "{seen:#}");
    assert_eq!(seen["configSchema"]["properties"]["most"]["maximum"], 1);
    let (decisions, told) = decisions(&policy, "relay-watch.wasm");
    assert!(decisions.contains(RAISED) && decisions.contains("the plugin fails: trap"), "{decisions}");
    assert!(told.contains("ValueError: too many relays: 400"), "the exception is told: {told}");
    let code = fs::read_to_string(policy.join("plugin.py")).unwrap();
    let line = 1 + code.lines().position(|line| line.contains("raise ValueError")).unwrap();
    let place = format!("File \"plugin.py\", line {line}, in RelayWatch.observe");
    assert!(told.contains(&place), "and where it was raised: {told}");
    assert!(told.contains("raise ValueError(f\"too many"), "with the source: {told}");
    assert!(told.contains("most: {}"), "what is printed is in the log: {told}");
}

#[test]
fn plugins_in_c() {
    let scratch = tempfile::tempdir().unwrap();
    let [policy, handler] = ["policy", "handler"].map(|role| project(scratch.path(), "c", role));
    if is_there("make") && is_there("cc") {
        for folder in [&policy, &handler] {
            succeeds(Command::new("make").args(["test", "CFLAGS=-g -Wall -Wextra -Werror"]), folder);
        }
    } else {
        println!("SKIPPED: make and cc are not on this machine");
    }
    let first = author(&policy, &["plugin", "build"]);
    if !first.status.success() {
        assert!(said(&first).contains("pip install ziglang=="), "{}", said(&first));
        let Some(tool) = with_pip(ZIG) else { return };
        for folder in [&policy, &handler] {
            symlink(&tool, folder.join(".venv")).unwrap();
        }
        build(&policy);
    }
    build(&handler);
    for (folder, wasm, role) in [(&policy, "relay-watch.wasm", "policy"), (&handler, "acme-detectors.wasm", "handler")]
    {
        let seen = inspected(folder, wasm);
        assert_eq!((&seen["role"], &seen["imports"]), (&role.into(), &json!(IMPORTS)), "{seen:#}");
    }
    let (of_policy, _) = decisions(&policy, "relay-watch.wasm");
    assert!(of_policy.contains(RAISED) && of_policy.contains(CLEARED), "{of_policy}");
    let (of_handler, _) = decisions(&handler, "acme-detectors.wasm");
    assert!(of_handler.contains(ADDED) && of_handler.contains(REFUSED), "{of_handler}");

    // What is no function of the manager's is refused where it is called, and says so.
    replace(
        &policy.join("src/plugin.c"),
        "#include \"schema.h\"",
        "#include \"schema.h\"\n#include <stdio.h>\n#include <time.h>",
    );
    replace(
        &policy.join("src/plugin.c"),
        "uint32_t step =",
        "printf(\"at %g\\n\", failures);\n    if (failures == 20)\n        time(NULL);\n    uint32_t step =",
    );
    build(&policy);
    let changed = said(&author(&policy, &["plugin", "test", "relay-watch.wasm"]));
    assert!(changed.contains("at 19") && changed.contains("a plugin has no clock_time_get"), "{changed}");
    assert!(
        changed.contains("+     the plugin fails: trap") && changed.contains("!exports_qkdn_manager_policy_evaluate"),
        "{changed}"
    );
}

#[test]
fn plugins_in_javascript() {
    let scratch = tempfile::tempdir().unwrap();
    let [policy, handler] = ["policy", "handler"].map(|role| project(scratch.path(), "javascript", role));
    if !is_there("node") || !is_there("npm") {
        println!("SKIPPED: node and npm are not on this machine");
        return;
    }
    let hint = said(&author(&handler, &["plugin", "build"]));
    assert!(hint.contains("npm install --prefix ."), "{hint}");
    for folder in [&policy, &handler] {
        succeeds(Command::new("node").arg("--test"), folder);
    }
    let tool = installed(COMPONENTIZE_JS, |folder| {
        quiet(
            Command::new("npm")
                .args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"])
                .arg(folder)
                .arg(COMPONENTIZE_JS),
        )
    });
    let Some(tool) = tool else { return };
    symlink(tool.join("node_modules"), handler.join("node_modules")).unwrap();
    let code = handler.join("plugin.js");
    replace(
        &code,
        "if (typeof found !== \"number\") {",
        "if (found === undefined) {\n        throw new Error(\"no temperature\");\n      } else if (typeof found !== \"number\") {",
    );
    replace(&code, "report.add(", "console.log(\"a detector at\", found);\n        report.add(");
    build(&handler);
    let seen = inspected(&handler, "acme-detectors.wasm");
    assert_eq!((&seen["role"], &seen["imports"]), (&"handler".into(), &json!(IMPORTS)), "{seen:#}");
    let (decisions, told) = decisions(&handler, "acme-detectors.wasm");
    assert!(decisions.contains(ADDED) && decisions.contains(REFUSED), "{decisions}");
    assert!(decisions.contains("the plugin fails: trap"), "{decisions}");
    assert!(
        told.contains("Error: no temperature") && told.contains("plugin.js"),
        "the error and its stack are told: {told}"
    );
    assert!(told.contains("a detector at -76"), "what is printed is in the log: {told}");
}
