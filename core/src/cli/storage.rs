//! `qkdnm storage`: looks after a data directory on this machine.

use std::path::PathBuf;

use super::{CommandError, CommandResult, Exit, Output};
use crate::{
    manager::replay,
    storage::{data_dir::DataDir, journal::reader::ReadMode, verify::verify},
};

/// Looks after a data directory.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reads everything stored and checks it. A manager may be running.
    #[command(after_help = "Example:\n  qkdnm storage check data")]
    Check {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
    },
    /// Runs the recorded traffic through the plugins again. No manager may be running.
    #[command(after_help = "Example:\n  qkdnm storage replay --check data")]
    Replay {
        /// Compare what follows with what was recorded, bit for bit; exit code 1 where they differ.
        #[arg(long, required = true)]
        check: bool,
        /// Most differences to show.
        #[arg(long, default_value_t = 20)]
        show: usize,
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
    },
}

/// Does what was asked.
pub fn run(command: &Command, output: &mut Output<'_>) -> CommandResult {
    match command {
        Command::Check { dir } => check(dir, output),
        Command::Replay { dir, show, check: _ } => replay_check(dir, *show, output),
    }
}

fn known(dir: &std::path::Path) -> Result<(), CommandError> {
    if dir.join("journal").is_dir() {
        return Ok(());
    }
    Err(CommandError::usage(anyhow::anyhow!(
        "{} is no data directory of a manager (it has no folder `journal`); name the one in manager.data_dir",
        dir.display()
    )))
}

fn check(dir: &std::path::Path, output: &mut Output<'_>) -> CommandResult {
    known(dir)?;
    // Whoever has the lock may be writing just now: an unfinished block at the end is no fault then.
    let mode = if DataDir::lock(dir).is_ok() { ReadMode::Still } else { ReadMode::Live };
    let found = verify(dir, mode)?;
    if output.is_data() {
        output.document(&found)?;
        return Ok(Exit::Success);
    }
    output.line(&format!(
        "{} is in order: {} reports with {} values in {} blocks, {} segments, {} bytes.",
        dir.display(),
        found.reports,
        found.samples,
        found.blocks,
        found.segments,
        found.bytes
    ))?;
    if let (Some(first), Some(last)) = (found.first_time, found.last_time) {
        output.line(&format!("The journal goes from {first} to {last}."))?;
    }
    output.line(&format!("The state database reflects it up to {}.", found.state_position))?;
    if found.torn_tail {
        output.line(
            "An unfinished block stands at the end (a crash, or a manager at work); it was never acknowledged.",
        )?;
    }
    Ok(Exit::Success)
}

fn replay_check(dir: &std::path::Path, show: usize, output: &mut Output<'_>) -> CommandResult {
    known(dir)?;
    let _lock = DataDir::lock(dir)?;
    let mut differences = Vec::new();
    let mut count = 0_u64;
    let replayed = replay::check(dir, |difference| {
        count += 1;
        if differences.len() < show {
            differences.push(difference);
        }
    })?;
    if output.is_data() {
        let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
        output.document(&serde_json::json!({ "replayed": replayed, "differences": count, "shown": shown }))?;
    } else {
        for note in &replayed.notes {
            output.line(&format!("note: {note}"))?;
        }
        for difference in &differences {
            output.line(&difference.to_string())?;
        }
        output.line(&format!(
            "{} batches with {} reports run again over {} starts and {} changes of the configuration: {}.",
            replayed.batches,
            replayed.reports,
            replayed.starts,
            replayed.reloads,
            if count == 0 { "the same followed, bit for bit".to_owned() } else { format!("{count} differences") }
        ))?;
    }
    Ok(if count == 0 { Exit::Success } else { Exit::Failure })
}
