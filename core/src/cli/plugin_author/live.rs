//! `qkdnm plugin run`: reports go through a plugin while its author changes it. At every save it is built and loaded again, the same
//! reports go through it from the beginning, and what is different is shown.
//!
//! In: a project or a component, and reports from recordings, from standard input or from a simulated network. Out: decisions, and
//! differences between them. Runs in the manager's own sandbox and shard, as `plugin test` does; nothing is asked of a manager.

mod feed;
mod watching;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    time::Instant,
};

use serde_json::json;

use self::{feed::Feed, watching::Watched};
use super::{
    build, difference,
    project::MANIFEST,
    sandbox,
    test::{config_for, name_of, point_of, recordings, role},
    usage,
};
use crate::{
    cli::{CommandError, CommandResult, Exit, Output, output::count},
    config::PluginSource,
    manager::trial::{Sandbox, Setting, Trial},
    model::ReferencePoint,
};

/// Reports that go through a plugin again after a save; later ones are shown as they come, and not again.
const MOST_AGAIN: usize = 10_000;

/// Arguments of `plugin run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Folder of a plugin's project, or file of a component (.wasm).
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    /// Reports of this recording; by default the first in the folder `recordings` of the project.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["simulate", "stdin"])]
    recording: Option<PathBuf>,
    /// Reports of a simulated network: a description, as `qkdnm simulate` reads it. Components of --point report.
    #[arg(long, value_name = "NETWORK.toml", requires = "point")]
    simulate: Option<PathBuf>,
    /// Reports from standard input, a line each.
    #[arg(long, requires = "point", conflicts_with = "simulate")]
    stdin: bool,
    /// Reference point of the reports.
    #[arg(long)]
    point: Option<ReferencePoint>,
    /// With --simulate: seconds between two rounds of reports; the network's time goes on by its own interval.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    every: f64,
    /// The plugin's configuration; by default NAME.POINT.toml beside the recording, if there is one.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Read no more than so many reports.
    #[arg(long, value_name = "N")]
    reports: Option<usize>,
    /// End after so many saves, when the reports are read; by default it ends when interrupted.
    #[arg(long, value_name = "N")]
    saves: Option<u64>,
}

/// What comes to the one who shows it.
enum Event {
    /// A report, as a component sends it.
    Line(String),
    /// There are no more.
    End,
    /// Sources or component are other ones.
    Saved,
}

/// A report, and what followed.
struct Past {
    line: String,
    decisions: Vec<String>,
}

pub(super) fn run(args: &RunArgs, output: &mut Output<'_>) -> CommandResult {
    super::log_of_plugins();
    let sandbox = sandbox()?;
    let (events, received) = mpsc::sync_channel(64);
    let (feed, point, recording) = Feed::open(args)?;
    let watched = Watched::open(&args.path)?;
    let begun = watched.begin(events.clone());
    begun.map_err(|error| usage(format!("cannot watch {}: {error}", args.path.display())))?;
    feed.begin(events, args.reports).map_err(|error| usage(format!("cannot read reports: {error}")))?;
    let mut live = Live { args, sandbox, point, recording, trial: None, past: Vec::new(), read: 0 };
    live.load(output)?;
    live.follow(&received, output)
}

/// A plugin under the hands of its author.
struct Live<'a> {
    args: &'a RunArgs,
    sandbox: Sandbox,
    point: ReferencePoint,
    recording: Option<PathBuf>,
    /// The version in force; none while it does not build or load.
    trial: Option<Trial>,
    past: Vec<Past>,
    read: usize,
}

impl Live<'_> {
    fn follow(&mut self, events: &Receiver<Event>, output: &mut Output<'_>) -> CommandResult {
        let (mut saves, mut is_read) = (0, false);
        while !(is_read && self.args.saves.is_some_and(|most| saves >= most)) {
            match events.recv() {
                Ok(Event::Line(line)) => self.line(line, output)?,
                Ok(Event::End) => {
                    is_read = true;
                    if !output.is_data() {
                        let what = self.args.path.display();
                        output.line(&format!("{}. Waiting for a save in {what}.", count(self.read, "report")))?;
                    }
                }
                Ok(Event::Saved) => {
                    saves += 1;
                    self.load(output)?;
                }
                Err(_) => break,
            }
        }
        Ok(Exit::Success)
    }

    /// A report that comes.
    fn line(&mut self, line: String, output: &mut Output<'_>) -> Result<(), CommandError> {
        self.read += 1;
        let Some(trial) = &mut self.trial else {
            self.keep(line, Vec::new());
            return Ok(());
        };
        let (decisions, failures) = followed(trial, self.read, &line);
        if output.is_data() {
            output.next_document(&json!({ "event": "decisions", "decisions": decisions, "failures": failures }))?;
        } else {
            show(&decisions, &failures, output)?;
        }
        self.keep(line, decisions);
        Ok(())
    }

    fn keep(&mut self, line: String, decisions: Vec<String>) {
        if self.past.len() < MOST_AGAIN {
            self.past.push(Past { line, decisions });
        }
    }

    /// Builds and loads what is there now, and has the reports so far go through it. What is wrong with it is shown; the next save may
    /// mend it.
    fn load(&mut self, output: &mut Output<'_>) -> Result<(), CommandError> {
        let started = Instant::now();
        self.trial = None;
        match self.made() {
            Err(CommandError::Usage(error) | CommandError::Failure(error)) => {
                let text = format!("{error:#}");
                if output.is_data() {
                    output.next_document(&json!({ "event": "failed", "problem": text }))?;
                } else {
                    output.line(&format!("It cannot be used as it is now; waiting for a save.\n{text}"))?;
                }
            }
            Ok((file, mut trial)) => {
                let mut now = Vec::new();
                let mut failures = Vec::new();
                for (index, past) in self.past.iter_mut().enumerate() {
                    let (decisions, failed) = followed(&mut trial, index + 1, &past.line);
                    failures.extend(failed);
                    now.push(decisions);
                }
                let before: Vec<&str> = self.past.iter().flat_map(|past| &past.decisions).map(String::as_str).collect();
                let after: Vec<&str> = now.iter().flatten().map(String::as_str).collect();
                let changed = difference::lines(&before, &after);
                self.loaded(&file, started, &changed, &failures, output)?;
                self.past.iter_mut().zip(now).for_each(|(past, now)| past.decisions = now);
                self.trial = Some(trial);
            }
        }
        Ok(())
    }

    fn loaded(
        &self,
        file: &Path,
        started: Instant,
        changed: &[String],
        failures: &[String],
        output: &mut Output<'_>,
    ) -> Result<(), CommandError> {
        if output.is_data() {
            let document = json!({ "event": "loaded", "file": file, "again": self.past.len(), "difference": changed, "failures": failures });
            return Ok(output.next_document(&document)?);
        }
        let took = started.elapsed().as_secs_f64();
        let file = file.display();
        if self.past.is_empty() {
            output.line(&format!("{file}: loaded in {took:.1} s"))?;
        } else if changed.is_empty() {
            output.line(&format!(
                "{file}: loaded in {took:.1} s; of {} the same follows",
                count(self.past.len(), "report")
            ))?;
        } else {
            output.line(&format!("{file}: loaded in {took:.1} s; something else follows (- before, + now):"))?;
            show(changed, failures, output)?;
        }
        Ok(())
    }

    /// The component as it is now, and a shard with it.
    fn made(&self) -> Result<(PathBuf, Trial), CommandError> {
        let path = &self.args.path;
        let file = if path.is_dir() { build::build(path, None, &self.sandbox)? } else { path.clone() };
        let plugin = PluginSource::File(file.clone());
        let role = role(&plugin, &self.sandbox)?;
        let none = PathBuf::new();
        let config = config_for(self.args.config.as_deref(), self.recording.as_deref().unwrap_or(&none))?;
        let name = name_of(&plugin);
        let setting =
            Setting { plugin: &plugin, role, name: &name, point: self.point, config: &config, forgetful: false };
        Ok((file, self.sandbox.trial(&setting)?))
    }
}

/// What follows from a report: decisions, and failures of the plugin.
fn followed(trial: &mut Trial, number: usize, line: &str) -> (Vec<String>, Vec<String>) {
    let followed = trial.line(number, line);
    let decisions = followed.lines.iter().flat_map(|line| line.lines()).map(str::to_owned).collect();
    (decisions, followed.failures)
}

fn show(decisions: &[String], failures: &[String], output: &mut Output<'_>) -> Result<(), CommandError> {
    for line in decisions {
        output.line(&format!("  {line}"))?;
    }
    for failure in failures {
        output.line("  trace of a failure:")?;
        for line in failure.lines() {
            output.line(&format!("    {line}"))?;
        }
    }
    Ok(())
}

/// The recording that is meant, if reports come of one.
fn recording(args: &RunArgs) -> Result<PathBuf, CommandError> {
    let beside = if args.path.is_dir() { args.path.join(MANIFEST) } else { args.path.clone() };
    let named: Vec<PathBuf> = args.recording.iter().cloned().collect();
    let first = recordings(&PluginSource::File(beside), &named)?.into_iter().next();
    first.ok_or_else(|| usage("there is no recording".to_owned()))
}

/// Where the reports come from, and on which reference point.
fn origin(args: &RunArgs) -> Result<(Option<PathBuf>, ReferencePoint), CommandError> {
    match args.point {
        Some(point) if args.stdin || args.simulate.is_some() => Ok((None, point)),
        named => {
            let recording = recording(args)?;
            let point = named.map_or_else(|| point_of(&recording), Ok)?;
            Ok((Some(recording), point))
        }
    }
}
