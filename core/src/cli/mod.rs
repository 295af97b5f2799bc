//! The command line. Commands that run or prepare a manager work on this machine (`run`, `demo`, `check`, `pki`,
//! `storage`); commands about what it manages (`component`, `alarm`, `report`, `inventory`, ...) speak to its HTTP
//! API and to nothing else, so they work from wherever that is reached.
//!
//! A command takes its arguments and an [`Output`], and returns an [`Exit`] or a [`CommandError`]: what was asked for
//! goes to standard output, everything else to standard error. To add a command: a module with `Args` and `run`, its
//! variant in [`Command`], its line in [`dispatch`].

pub mod alarm;
pub mod audit;
pub mod bench;
pub mod catalogue;
pub mod check;
pub mod collector;
pub mod component;
mod configuration;
pub mod demo;
mod doctor;
mod domain_crossing;
mod domain_graph;
mod enrolment;
mod event;
pub mod exporter;
pub mod federation;
mod health;
pub mod history;
mod main_file;
mod manual;
pub mod network;
mod peer_request;
mod peering;
pub mod pki;
pub mod plugin;
mod plugin_author;
mod plugin_log;
mod plugin_signature;
mod plugin_top;
mod plugin_versions;
mod reload;
pub mod report;
pub mod resource;
mod rollups;
pub mod run;
pub mod simulate;
pub mod storage;
pub mod subscription;
pub mod token;
mod watch;

mod client;
mod exit;
mod output;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use client::{ApiArgs, Client, Token};
pub use exit::{CommandError, CommandResult, Exit};
pub use main_file::MainFile;
pub use output::{Format, Output};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed: the manager cannot be reached, or refused, or something broke, or a check found something
  2  the command line or the configuration is wrong
  3  `alarm list --fail-on SEVERITY` found such an alarm
     `config diff` found a difference
  4  `run`: a part of the manager broke, which is a defect; nothing acknowledged is lost, start it again

Environment:
  QKDNM_API    where the manager's API is (as --api)
  QKDNM_TOKEN  token for commands that change something, or read where that needs one (qkdnm token new)";

/// QKDN manager: watches over a quantum key distribution network.
#[derive(Debug, Parser)]
#[command(name = "qkdnm", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Which manager.
    #[command(flatten)]
    pub api: ApiArgs,
    /// How to show what comes out.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Global options"
    )]
    pub output: Format,
    /// Tables with all their columns; without it what is wider than 100 characters is left to this and to -o json.
    #[arg(long, global = true, help_heading = "Global options")]
    pub wide: bool,
    /// Shows it again and again: when something changes at the manager, or every so many seconds.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "0",
        value_parser = seconds,
        help_heading = "Global options"
    )]
    pub watch: Option<f64>,
    /// With --watch: ends after so many times.
    #[arg(long, global = true, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Global options")]
    pub times: Option<u64>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds, 0 to 86400".to_owned())
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a manager in the foreground.
    Run(run::RunArgs),
    /// Shows a small QKD network and its manager at work, on this machine alone.
    Demo(demo::DemoArgs),
    /// Simulates a QKD network from a description: components of all reference points, and faults.
    Simulate(simulate::SimulateArgs),
    /// Checks a configuration and says what the manager would do with it.
    Check(check::CheckArgs),
    /// The configuration: show it, compare it, have a manager that runs take it over.
    #[command(subcommand)]
    Config(configuration::Command),
    /// Shows the catalogue of value names, units, words and alarm types (-o json for programs).
    #[command(after_help = "Examples:\n  qkdnm catalogue\n  qkdnm catalogue -o json | jq '.performance[].name'")]
    Catalogue,
    /// Makes a certificate authority and certificates for the manager and its components.
    Pki(pki::PkiArgs),
    /// Looks after a data directory: check it, run recorded traffic again.
    #[command(subcommand)]
    Storage(storage::Command),
    /// The audit trail: who was refused, what was changed, what operators did.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Measures this build on this machine.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Components: list them, show one, ask one for a status report.
    #[command(subcommand)]
    Component(component::Command),
    /// Alarms: list them, show one, acknowledge and close.
    #[command(subcommand)]
    Alarm(alarm::Command),
    /// What changes, as it changes.
    #[command(subcommand)]
    Event(event::Command),
    /// Collectors, which ask devices: list them, show one.
    #[command(subcommand)]
    Collector(collector::Command),
    /// Exporters of alarms: list them, show one, send parked events again, try one.
    #[command(subcommand)]
    Exporter(exporter::Command),
    /// Managers of other domains: list them, show one, what it is told and was told.
    #[command(subcommand)]
    Peer(federation::PeerCommand),
    /// Domains of the federation: how they are, and how fresh that is.
    #[command(subcommand)]
    Domain(federation::DomainCommand),
    /// Parts of components: list them, show one.
    #[command(subcommand)]
    Resource(resource::Command),
    /// Stored status reports of a component.
    #[command(subcommand)]
    Report(report::Command),
    /// What a value was: samples, or steps with least, greatest, mean and last.
    History(history::HistoryArgs),
    /// The last value of everything.
    #[command(subcommand)]
    Value(history::ValueCommand),
    /// Inventory as components report it, with every change.
    #[command(subcommand)]
    Inventory(network::Command),
    /// Topology as components see it, with every change.
    #[command(subcommand)]
    Topology(network::Command),
    /// Consumed and supplied keys, each interval counted once.
    #[command(subcommand)]
    Usage(network::UsageCommand),
    /// Subscriptions at the manager: list them, show one, end one.
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// How the manager is; exit code 1 if it does not take reports.
    #[command(after_help = "Examples:\n  qkdnm health\n  qkdnm health -o yaml")]
    Health,
    /// Tokens for the HTTP API: make one.
    #[command(subcommand)]
    Token(token::Command),
    /// Prints the description of the HTTP API (OpenAPI 3.1), for makers of clients.
    #[command(after_help = "Example:\n  qkdnm openapi > openapi.json")]
    Openapi,
    /// What is the matter with a manager that runs, and what to try.
    #[command(after_help = "Example:\n  qkdnm doctor\n\nExit code 1 if something does not work.")]
    Doctor,
    /// Plugins: those that are loaded, what their authors do with theirs, and signatures.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Reference points that are served: addresses, connections, reports.
    #[command(subcommand)]
    Interface(plugin::InterfaceCommand),
    /// Completions of this command line for a shell, on standard output.
    #[command(after_help = "Example:\n  qkdnm completions bash > /etc/bash_completion.d/qkdnm")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages of all commands into a folder.
    #[command(after_help = "Example:\n  qkdnm manual /usr/local/share/man/man1")]
    Manual {
        /// The folder; it has to be there.
        folder: std::path::PathBuf,
    },
    /// FCAPS policies as configured, and what they did.
    #[command(subcommand)]
    Policy(plugin::PolicyCommand),
    /// Interface handlers as configured, and what they did.
    #[command(subcommand)]
    Handler(plugin::HandlerCommand),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(every) = cli.watch {
        let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
        return watch::run(&arguments, every, cli.times).map_or_else(|error| error.report(), Into::into);
    }
    let mut output = Output::stdout(cli.output).wide(cli.wide);
    match dispatch(cli, &mut output) {
        Ok(exit) => exit.into(),
        Err(error) => error.report(),
    }
}

impl Command {
    /// Whether it asks a manager something and changes nothing: only then can it be watched.
    const fn only_reads(&self) -> bool {
        match self {
            Self::Component(command) => {
                use component::Command::{Explain, List, Show};
                matches!(command, List(_) | Show { .. } | Explain { .. })
            }
            Self::Alarm(command) => {
                matches!(command, alarm::Command::List(_) | alarm::Command::Summary | alarm::Command::Show { .. })
            }
            Self::Subscription(command) => !matches!(command, subscription::Command::Remove { .. }),
            Self::Audit(command) => matches!(command, audit::Command::List(_)),
            Self::Collector(_) => true,
            Self::Exporter(command) => matches!(command, exporter::Command::List | exporter::Command::Show { .. }),
            Self::Config(command) => {
                matches!(command, configuration::Command::Status | configuration::Command::Show { .. })
            }
            Self::Peer(command) => command.only_reads(),
            Self::Plugin(command) => command.only_reads(),
            Self::Domain(_)
            | Self::Resource(_)
            | Self::Report(_)
            | Self::History(_)
            | Self::Value(_)
            | Self::Inventory(_)
            | Self::Topology(_)
            | Self::Usage(_)
            | Self::Interface(_)
            | Self::Policy(_)
            | Self::Handler(_)
            | Self::Health
            | Self::Doctor => true,
            _ => false,
        }
    }
}

/// The description of the API, as it is whatever the form asked for.
fn openapi(output: &mut Output<'_>) -> CommandResult {
    crate::api::openapi::text().lines().try_for_each(|line| output.line(line))?;
    Ok(Exit::Success)
}

/// Runs a command.
pub fn dispatch(cli: Cli, output: &mut Output<'_>) -> CommandResult {
    let api = &cli.api;
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::command(&args, output),
        Command::Config(command) => configuration::run(&command, api, output),
        Command::Catalogue => catalogue::run(output),
        Command::Demo(args) => demo::command(&args),
        Command::Simulate(args) => simulate::command(&args, output),
        Command::Pki(args) => pki::command(args, output),
        Command::Storage(command) => storage::run(&command, output),
        Command::Audit(command) => audit::run(command, api, output),
        Command::Bench(command) => bench::run(&command, output),
        Command::Component(command) => component::run(command, api, output),
        Command::Alarm(command) => alarm::run(command, api, output),
        Command::Event(command) => event::run(command, api, output),
        Command::Collector(command) => collector::run(command, api, output),
        Command::Exporter(command) => exporter::run(command, api, output),
        Command::Peer(command) => federation::peer(command, api, output),
        Command::Domain(command) => federation::domain(command, api, output),
        Command::Resource(command) => resource::run(command, api, output),
        Command::Report(command) => report::run(command, api, output),
        Command::History(args) => history::run(args, api, output),
        Command::Value(command) => history::run_values(command, api, output),
        Command::Inventory(command) => network::run("inventory", command, api, output),
        Command::Topology(command) => network::run("topology", command, api, output),
        Command::Usage(command) => network::run_usage(command, api, output),
        Command::Subscription(command) => subscription::run(command, api, output),
        Command::Health => health::run(api, output),
        Command::Token(command) => token::run(command, output),
        Command::Openapi => openapi(output),
        Command::Doctor => doctor::run(api, output),
        Command::Plugin(command) => plugin::run_plugin(&command, api, output),
        Command::Interface(command) => plugin::run_interface(&command, api, output),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual { folder } => manual::pages(&folder, output),
        Command::Policy(command) => plugin::run_policy(&command, api, output),
        Command::Handler(command) => plugin::run_handler(&command, api, output),
    }
}

/// Whether messages may be coloured.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
