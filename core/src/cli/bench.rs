//! `qkdnm bench`: measures this build on this machine, beside a floor in the same run.

use std::{path::PathBuf, time::Duration};

use super::{CommandResult, Exit, Output};
use crate::bench::{against, api, federation, floor, ingest, plugins, reload, site::Site};

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Server CPU per status report, how long a lone reporter waits, what each handler and policy costs.
    #[command(after_help = "Example:\n  qkdnm bench ingest --brief --rounds 3")]
    Ingest(IngestArgs),
    /// Reloads of the configuration under load: how long they take, and what senders notice of them.
    #[command(after_help = "Example:\n  qkdnm bench reload")]
    Reload(ReloadArgs),
    /// How long a reader of the HTTP API waits while thousands of components are known and report.
    #[command(after_help = "Example:\n  qkdnm bench api")]
    Api(ApiArgs),
    /// Plugins: what a report costs in each, beside a native function and an empty one; memory, loading, a reload, a start with many.
    #[command(after_help = "Example:\n  qkdnm bench plugins --also acme-mq.wasm")]
    Plugins(PluginsArgs),
    /// A federation of managers: how long a change takes to be seen in all domains, and how a cut heals.
    #[command(after_help = "Example:\n  qkdnm bench federation")]
    Federation(FederationArgs),
    /// The floor server, for `ingest`.
    #[command(hide = true)]
    Floor {
        /// Folder that `ingest` made.
        site: PathBuf,
    },
}

/// Arguments of `ingest`.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestArgs {
    /// Connections.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Unanswered reports on each.
    #[arg(long, default_value_t = 64)]
    pub window: usize,
    /// Rounds of floor and manager in turn; medians are shown.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3)]
    pub seconds: u64,
    /// `sync` or `os`.
    #[arg(long, default_value = "sync")]
    pub durability: String,
    /// Folder on the file system to be measured; a temporary one by default.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Only floor and manager, not what each handler and policy costs.
    #[arg(long)]
    pub brief: bool,
}

/// Arguments of `reload`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReloadArgs {
    /// Connections.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Unanswered reports on each.
    #[arg(long, default_value_t = 64)]
    pub window: usize,
    /// Components in the configuration beside those that report.
    #[arg(long, default_value_t = 1_000)]
    pub components: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Folder on the file system to be measured; a temporary one by default.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Arguments of `api`.
#[derive(Clone, Debug, clap::Args)]
pub struct ApiArgs {
    /// Components.
    #[arg(long, default_value_t = 10_000)]
    pub components: usize,
    /// Seconds between two reports of a component.
    #[arg(long, default_value_t = 30)]
    pub interval: u64,
    /// Seconds of the measurement of each request.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Folder for everything; a temporary one by default.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Arguments of `federation`.
#[derive(Clone, Debug, clap::Args)]
pub struct FederationArgs {
    /// Managers.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub managers: u16,
    /// Neighbours of each; all others unless given.
    #[arg(long)]
    pub degree: Option<usize>,
    /// Changes.
    #[arg(long, default_value_t = 20)]
    pub changes: usize,
    /// Seconds for which traffic at rest is counted.
    #[arg(long, default_value_t = 30)]
    pub rest: u64,
    /// Another system, as installed, to be measured with the same change and the same cut.
    #[arg(long, value_parser = against::Peer::NAMES)]
    pub against: Option<String>,
    /// Folder for everything; a temporary one by default.
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Arguments of `plugins`.
#[derive(Clone, Debug, clap::Args)]
pub struct PluginsArgs {
    /// A further plugin (.wasm), with a folder `recordings` beside it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub also: Vec<PathBuf>,
    /// Plugins of the measured starts.
    #[arg(long, default_value_t = 50)]
    pub plugins: usize,
}

/// Measures.
pub fn run(command: &Command, output: &mut Output<'_>) -> CommandResult {
    match command {
        Command::Floor { site } => floor::run(&Site::open(site))?,
        Command::Reload(args) => {
            let options = ingest::Options {
                connections: args.connections,
                window: args.window,
                rounds: 1,
                lasts: Duration::from_secs(args.seconds.max(1)),
                durability: "sync".to_owned(),
                folder: args.dir.clone(),
                costs: false,
            };
            let report = reload::run(&options, args.components)?;
            if output.is_data() {
                output.document(&report)?;
            } else {
                report.table().lines().try_for_each(|line| output.line(line))?;
            }
        }
        Command::Api(args) => {
            let report = api::run(&api::Options {
                components: args.components,
                interval: Duration::from_secs(args.interval.max(1)),
                lasts: Duration::from_secs(args.seconds.max(1)),
                folder: args.dir.clone(),
            })?;
            if output.is_data() {
                output.document(&report)?;
            } else {
                report.table().lines().try_for_each(|line| output.line(line))?;
            }
        }
        Command::Federation(args) => {
            let report = federation::run(&federation::Options {
                managers: usize::from(args.managers),
                degree: args.degree,
                changes: args.changes,
                rest: Duration::from_secs(args.rest.max(1)),
                folder: args.dir.clone(),
                against: args.against.as_deref().and_then(against::Peer::named),
            })?;
            if output.is_data() {
                output.document(&report)?;
            } else {
                report.table().lines().try_for_each(|line| output.line(line))?;
            }
        }
        Command::Plugins(args) => {
            let also = args.also.iter().map(|file| super::plugin_author::recorded(file)).collect::<Result<_, _>>()?;
            let report = plugins::run(&plugins::Options { also, plugins: args.plugins })?;
            if output.is_data() {
                output.document(&report)?;
            } else {
                report.table().lines().try_for_each(|line| output.line(line))?;
            }
        }
        Command::Ingest(args) => {
            measure_ingest(args, output)?;
        }
    }
    Ok(Exit::Success)
}

fn measure_ingest(args: &IngestArgs, output: &mut Output<'_>) -> CommandResult {
    let options = ingest::Options {
        connections: args.connections,
        window: args.window,
        rounds: args.rounds.max(1),
        lasts: Duration::from_secs(args.seconds.max(1)),
        durability: args.durability.clone(),
        folder: args.dir.clone(),
        costs: !args.brief,
    };
    let report = ingest::run(&options)?;
    if output.is_data() {
        output.document(&report)?;
    } else {
        report.table().lines().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Success)
}
