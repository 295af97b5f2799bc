//! `qkdnm config`: what a configuration says, what editors need to know of it, what is different between two, and
//! having it taken over.
//!
//! `show`, `schema` and `diff OLD NEW` work on files of this machine and ask no manager; they open no port and change
//! nothing. `show --running` and `diff NEW` ask the manager what is in force.

mod comparison;
mod schemas;

use std::path::{Path, PathBuf};

use super::{ApiArgs, Client, CommandError, CommandResult, Exit, MainFile, Output, reload};
use crate::{
    api::views::ConfigurationView,
    config::{Loaded, Problems, load::examine, origin::Document, problem::Level, written_out},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Have the manager take its configuration's files over, whole or not at all. Needs QKDNM_TOKEN with the role admin.
    ///
    /// Everything is checked and made ready first: files, plugins, certificates, addresses. With any problem nothing changes,
    /// and all of them are named. Keys that are read at a start only (`data_dir`, `shards` and their like) count as one.
    #[command(after_help = "Examples:\n  qkdnm config reload --dry-run\n  qkdnm config reload")]
    Reload {
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Say whether the files are in force, and what became of the last reload.
    #[command(after_help = "Example:\n  qkdnm config status")]
    Status,
    /// Show a configuration: its files and the environment joined, as TOML.
    ///
    /// Digests of tokens, queries of URLs, and keys of a plugin's configuration that are called secret, password, token or
    /// the like are not shown.
    #[command(after_help = "Examples:\n  qkdnm config show manager.toml\n  qkdnm config show --effective --origin")]
    Show {
        /// With every default filled in and paths in full: what a manager would use.
        #[arg(long)]
        effective: bool,
        /// Say of each key where it comes from: file and line, variable of the environment, or default.
        #[arg(long)]
        origin: bool,
        /// Which configuration.
        #[command(flatten)]
        config: MainFile,
        /// Instead of a file: what is in force at the manager. Needs QKDNM_TOKEN with the role operator.
        #[arg(long)]
        running: bool,
    },
    /// Say what is different between two configurations, key by key, and what of it needs a restart.
    ///
    /// With two files, between them; no manager is asked. With one, between what is in force at the manager (QKDNM_TOKEN with
    /// the role operator) and the file; secrets are not compared then. With none, what a reload would change (role admin).
    ///
    /// Paths are compared as they stand to the folder of their main file, so that a copy in another folder is no difference.
    /// Secrets are not shown. Exit code 0: nothing is different; 3: something is; 2: a file is not in order.
    #[command(
        after_help = "Examples:\n  qkdnm config diff manager.toml manager.new.toml\n  qkdnm config diff manager.new.toml\n  qkdnm config diff"
    )]
    Diff {
        /// The old and the new main file, or the new one alone, or none.
        #[arg(value_name = "FILE", num_args = 0..=2)]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema (draft 7) of the configuration, for editors.
    ///
    /// With the schemas of the plugins that ship, and with --config of those that the file names too.
    #[command(
        after_help = "Examples:\n  qkdnm config schema > manager.schema.json\n  qkdnm config schema --part > conf.d.schema.json"
    )]
    Schema {
        /// Of a file in conf.d, in which no table has to stand.
        #[arg(long)]
        part: bool,
        /// A main file, whose plugins are known to the schema as well.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(super) fn run(command: &Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    match command {
        Command::Reload { dry_run } => reload::reload(&Client::new(api)?, *dry_run, output),
        Command::Status => reload::status(&Client::new(api)?, output),
        Command::Show { running: true, origin, .. } => running(&Client::new(api)?, *origin, output),
        Command::Show { effective, origin, config, .. } => show(config.path()?, *effective, *origin, output),
        Command::Diff { files } => match files.as_slice() {
            [old, new, ..] => comparison::files(old, new, output),
            [new] => comparison::running(&Client::new(api)?, new, output),
            [] => reload::would_change(&Client::new(api)?, output),
        },
        Command::Schema { part, config } => schemas::print(*part, config.as_deref(), output),
    }
}

/// A configuration that nothing is wrong with; else what is wrong goes to standard error.
fn sound(file: &Path) -> Result<Loaded, Exit> {
    let examined = examine(file);
    if examined.problems.count(Level::Error) == 0
        && let Some(loaded) = examined.loaded
    {
        return Ok(loaded);
    }
    complain(&examined.problems);
    Err(Exit::NotInOrder)
}

fn complain(problems: &Problems) {
    use std::io::Write as _;
    // A reader that went away is no reason to panic; the exit code still says what there is to say.
    let _ = writeln!(std::io::stderr(), "{}", problems.render(super::stderr_is_terminal()));
}

/// The working directory, which relative paths are relative to.
fn here() -> Result<PathBuf, CommandError> {
    std::env::current_dir().map_err(CommandError::usage)
}

/// What `show` answers with `-o json`.
#[derive(serde::Serialize)]
struct Shown<'a> {
    /// The main file.
    file: String,
    /// Whether defaults are filled in.
    effective: bool,
    #[serde(flatten)]
    document: &'a Document,
}

fn show(file: &Path, effective: bool, origin: bool, output: &mut Output<'_>) -> CommandResult {
    let loaded = match sound(file) {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let document = if effective { Document::effective(&loaded, &here()?) } else { Document::written(&loaded) };
    let document = document.hidden();
    if output.is_data() {
        output.document(&Shown { file: file.display().to_string(), effective, document: &document })?;
    } else {
        written_out::toml(&document, origin).lines().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Success)
}

/// What is in force at the manager.
fn in_force(client: &Client) -> anyhow::Result<ConfigurationView> {
    client.get("/api/v1/configuration", &[])
}

fn running(client: &Client, origin: bool, output: &mut Output<'_>) -> CommandResult {
    let view = in_force(client)?;
    if output.is_data() {
        output.document(&view)?;
        return Ok(Exit::Success);
    }
    let file = view.file.as_deref().unwrap_or("no file");
    let differ = if view.files_differ { "; the files have changed since" } else { "" };
    output.line(&format!("# In force since {}, by {}, from {file}{differ}.", view.since, view.by))?;
    let document = Document { configuration: view.configuration, origins: view.origins };
    written_out::toml(&document, origin).lines().try_for_each(|line| output.line(line))?;
    Ok(Exit::Success)
}
