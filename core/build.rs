//! Builds the standard plugins and puts them into the binary: `builtin_plugins.rs`, a table of names and bytes.

#[path = "build/guests.rs"]
mod guests;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Name in `builtin:NAME` and folder in `plugins/`.
const PLUGINS: [(&str, &str); 14] = [
    ("mq", "mq-standard"),
    ("mops", "mops-standard"),
    ("mqrp", "mqrp-standard"),
    ("mk", "mk-standard"),
    ("mc", "mc-standard"),
    ("mu", "mu-standard"),
    ("mx", "mx-standard"),
    ("state", "state"),
    ("configuration-drift", "configuration-drift"),
    ("key-usage", "key-usage"),
    ("qber-security", "qber-security"),
    ("threshold", "threshold"),
    ("key-store-forecast", "key-store-forecast"),
    ("disclosure", "disclosure"),
];

/// What other plugins are measured against, and nobody configures.
const YARDSTICKS: [(&str, &str); 2] = [("empty-handler", "empty-handler"), ("empty-policy", "empty-policy")];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {name}"));
    let (manifest_dir, out_dir) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let workspace = manifest_dir.parent().ok_or("core is not inside the workspace")?;
    for input in ["plugins", "wit", "Cargo.lock", "Cargo.toml", "core/build.rs", "core/build"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    let present: Vec<(&str, String)> = PLUGINS
        .iter()
        .chain(&YARDSTICKS)
        .filter(|(_, folder)| workspace.join("plugins").join(folder).join("Cargo.toml").exists())
        .map(|(name, folder)| (*name, format!("qkdn-plugin-{folder}")))
        .collect();
    let mut table = Vec::new();
    if !present.is_empty() {
        let packages: Vec<String> = present.iter().map(|(_, package)| package.clone()).collect();
        let folder = guests::build(workspace, &guest_target_dir(&out_dir)?, &packages)?;
        for (name, package) in &present {
            table.push((*name, copy(&guests::wasm_file(&folder, package), &out_dir)?));
        }
    }
    write_table(&out_dir, &table)
}

/// A folder beside `debug` and `release`, so that all profiles and features share the guests.
fn guest_target_dir(out_dir: &Path) -> Result<PathBuf, String> {
    let build = out_dir.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "build"));
    let target = build.and_then(Path::parent).and_then(Path::parent);
    target.map(|target| target.join("guests")).ok_or_else(|| format!("{} is not in a target folder", out_dir.display()))
}

/// A copy of our own: another build of the same target folder may replace the original.
fn copy(wasm: &Path, out_dir: &Path) -> Result<String, String> {
    let name = wasm.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    fs::copy(wasm, out_dir.join(&name)).map_err(|error| format!("cannot copy {}: {error}", wasm.display()))?;
    Ok(name)
}

fn write_table(out_dir: &Path, table: &[(&str, String)]) -> Result<(), String> {
    let (yardsticks, plugins): (Vec<_>, Vec<_>) =
        table.iter().partition(|(name, _)| YARDSTICKS.iter().any(|(known, _)| known == name));
    let mut text = String::new();
    for (name, what, files) in [
        ("BUILTIN_PLUGINS", "each plugin inside the binary", plugins),
        ("YARDSTICKS", "what plugins are measured against", yardsticks),
    ] {
        text.push_str(&format!("/// Name and bytes of {what}.\nstatic {name}: &[(&str, &[u8])] = &[\n"));
        for (name, file) in files {
            text.push_str(&format!("    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))),\n"));
        }
        text.push_str("];\n");
    }
    fs::write(out_dir.join("builtin_plugins.rs"), text).map_err(|error| format!("cannot write the table: {error}"))
}
