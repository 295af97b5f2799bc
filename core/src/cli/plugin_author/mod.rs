//! `qkdnm plugin new`, `build`, `inspect`, `test` and `bench`: what the author of a plugin does with it before an operator has it.
//!
//! Works on files alone; no manager is asked. A plugin is loaded and run by the manager's own code, under the manager's
//! own limits, so that what is said here is what a manager will say.

mod bench;
mod build;
pub(super) mod difference;
mod inspect;
mod live;
mod new;
mod project;
mod recorded;
mod test;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(super) use recorded::recorded;

use super::{CommandError, CommandResult, Output};
use crate::{config::PluginSource, manager::trial::Sandbox};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Begin a plugin: a project that builds, is tested and runs as it is.
    #[command(after_help = "Example:\n  qkdnm plugin new relay-watch --role policy --sdk ../qkdnm/plugins/sdk\n  \
                            qkdnm plugin new acme-mq --role handler --lang python")]
    New(new::NewArgs),
    /// Build a plugin with the tool of its language: NAME.wasm beside its sources, looked at as the manager would.
    #[command(after_help = "Example:\n  qkdnm plugin build relay-watch")]
    Build(build::BuildArgs),
    /// Say what a plugin is, what it asks for, and whether the manager would load it. Exit code 1 if it would not.
    #[command(
        after_help = "Example:\n  qkdnm plugin inspect relay-watch/relay-watch.wasm\n  qkdnm plugin inspect builtin:threshold -o json"
    )]
    Inspect(inspect::InspectArgs),
    /// Put recorded reports through a plugin, as a manager would, and compare what follows with what followed before. Exit
    /// code 1 if it is something else.
    #[command(
        after_help = "Example:\n  qkdnm plugin test relay-watch.wasm\n  qkdnm plugin test relay-watch.wasm --update\n\nA recording is \
                      NAME.POINT.jsonl, such as recordings/failing-relays.mk.jsonl: reports as components send them on that \
                      reference point, a line each. Their times are the manager's time. What followed is kept beside it in \
                      NAME.POINT.decisions.txt, a configuration to try with is NAME.POINT.toml."
    )]
    Test(test::TestArgs),
    /// Run a plugin while you change it: reports go through it, and at every save it is built and loaded again and what is different is
    /// shown.
    #[command(
        after_help = "Examples:\n  qkdnm plugin run relay-watch\n  qkdnm plugin run acme-mq.wasm --recording first.mq.jsonl\n  \
                            qkdnm plugin run relay-watch --simulate examples/networks/vienna-5.toml --point mk\n  \
                            tail -f reports.jsonl | qkdnm plugin run relay-watch --stdin --point mk"
    )]
    Run(live::RunArgs),
    /// Measure what a plugin costs, alone and with 64 reports in a call, beside a plugin that does nothing.
    #[command(after_help = "Example:\n  qkdnm plugin bench relay-watch.wasm\n  qkdnm plugin bench builtin:mk")]
    Bench(bench::BenchArgs),
}

/// Does what was asked.
pub(super) fn run(command: &Command, output: &mut Output<'_>) -> CommandResult {
    match command {
        Command::New(args) => new::run(args, output),
        Command::Build(args) => build::run(args, output),
        Command::Inspect(args) => inspect::run(args, output),
        Command::Test(args) => test::run(args, output),
        Command::Run(args) => live::run(args, output),
        Command::Bench(args) => bench::run(args, output),
    }
}

/// Where plugins are tried. Their machine code is kept between commands: of Python or JavaScript it takes long to make.
fn sandbox() -> Result<Sandbox, CommandError> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    Ok(Sandbox::new(cache.map(|folder| folder.join("qkdnm/plugins")))?)
}

/// A plugin as a command line names it.
fn source(text: &str) -> PluginSource {
    match (text.strip_prefix("builtin:"), text.strip_prefix("native:")) {
        (Some(name), _) => PluginSource::Builtin(name.to_owned()),
        (_, Some(path)) => PluginSource::Native(PathBuf::from(path)),
        _ => PluginSource::File(PathBuf::from(text)),
    }
}

/// A plugin's configuration from a TOML file: what stands in the `config` of its entry in manager.toml.
fn configuration(file: Option<&Path>) -> Result<Value, CommandError> {
    let Some(file) = file else { return Ok(Value::Object(serde_json::Map::new())) };
    let text = std::fs::read_to_string(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
    toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", file.display())))
}

/// Shows what plugins log, on standard error: nothing else logs here that an author has to know of.
fn log_of_plugins() {
    let shown = tracing_subscriber::EnvFilter::new("off,plugin=debug");
    let log = tracing_subscriber::fmt().with_env_filter(shown).with_writer(std::io::stderr).without_time();
    // In a process that has a log already it is that one's business.
    let _there = log.with_ansi(super::stderr_is_terminal()).with_target(false).try_init();
}

fn usage(text: String) -> CommandError {
    CommandError::usage(anyhow::anyhow!(text))
}
