//! `qkdnm plugin build`: a project becomes a component that was looked at, by the tool of its language.

mod c;
mod javascript;
mod python;
mod rust;
mod tool;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    inspect,
    project::{Language, MANIFEST, Manifest},
    sandbox, usage,
};
use crate::{
    cli::{CommandError, CommandResult, Exit, Output},
    config::PluginSource,
    manager::trial::Sandbox,
    model::ReferencePoint,
};

/// Arguments of `plugin build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// Folder with the plugin's Cargo.toml or plugin.toml.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Folder to put NAME.wasm into; by default that of the project.
    #[arg(long, value_name = "DIR")]
    release_dir: Option<PathBuf>,
}

/// What a tool made: a component, or a core module that becomes one.
pub(super) struct Built {
    /// Name of the plugin.
    name: String,
    /// The tool's file.
    file: PathBuf,
}

pub(super) fn run(args: &BuildArgs, output: &mut Output<'_>) -> CommandResult {
    let sandbox = sandbox()?;
    let file = build(&args.dir, args.release_dir.as_deref(), &sandbox)?;
    let inspected = sandbox.host().inspect(&PluginSource::File(file), ReferencePoint::Mk, &json!({}))?;
    let loads = inspect::loads(&inspected, false);
    if output.is_data() {
        output.document(&inspect::document(inspected, false))?;
    } else {
        inspect::show(&inspected, false, output)?;
    }
    Ok(if loads { Exit::Success } else { Exit::Failure })
}

/// Builds the project in `dir`; the component's file is in `release_dir`, by default beside the sources.
pub(super) fn build(dir: &Path, release_dir: Option<&Path>, sandbox: &Sandbox) -> Result<PathBuf, CommandError> {
    let scratch = tempfile::tempdir().map_err(|error| usage(format!("cannot make a temporary folder: {error}")))?;
    let built = tool_for(dir, &scratch.path().join("plugin.wasm"))?;
    let component = sandbox.host().component(&PluginSource::File(built.file))?;
    let folder = release_dir.unwrap_or(dir);
    let folder = if folder == Path::new(".") { Path::new("") } else { folder };
    let file = folder.join(format!("{}.wasm", built.name));
    std::fs::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .map_err(|error| usage(format!("{}: {error}", folder.display())))?;
    // A manager may be reading the old one: the new one takes its place at once, whole.
    let written = folder.join(format!("{}.wasm.new", built.name));
    std::fs::write(&written, component)
        .and_then(|()| std::fs::rename(&written, &file))
        .map_err(|error| usage(format!("{}: {error}", file.display())))?;
    Ok(file)
}

/// Has the sources made into WebAssembly, into `file` where the tool can be told.
fn tool_for(dir: &Path, file: &Path) -> Result<Built, CommandError> {
    let manifest = Manifest::read(dir)?;
    let Some(manifest) = manifest.filter(|manifest| manifest.lang != Language::Rust) else {
        if dir.join("Cargo.toml").is_file() {
            return rust::build(dir);
        }
        let problem = "name the folder of a plugin, as `qkdnm plugin new` makes one";
        return Err(usage(format!("{} has neither Cargo.toml nor {MANIFEST}: {problem}", dir.display())));
    };
    if !dir.join("wit").is_dir() {
        let problem = "`qkdnm plugin new` puts the contract there, and the tool reads it";
        return Err(usage(format!("{} has no folder wit: {problem}", dir.display())));
    }
    match manifest.lang {
        Language::C => c::build(dir, file)?,
        Language::Javascript => javascript::build(dir, &manifest, file)?,
        Language::Python => python::build(dir, &manifest, file)?,
        Language::Rust => {}
    }
    Ok(Built { name: manifest.name, file: file.to_owned() })
}
