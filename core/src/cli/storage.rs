//! `qkdnm storage`: looks after a data directory on this machine.

use std::path::{Path, PathBuf};

use super::{CommandError, CommandResult, Exit, Output};
use crate::{
    clock::wall_time,
    manager::replay,
    storage::{
        backup::{self, restore::restore},
        data_dir::DataDir,
        journal::reader::ReadMode,
        repair,
        verify::verify,
    },
};

/// Looks after a data directory.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reads everything stored, journal and databases, and checks it. A manager may be running.
    #[command(visible_alias = "check", after_help = "Example:\n  qkdnm storage verify data")]
    Verify {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
    },
    /// Copies a data directory. A manager may be running; nothing waits for it.
    #[command(
        after_help = "Keys, certificates and configuration are no part of a data directory: keep them apart.\n\nExample:\n  \
                            qkdnm storage backup data /backup/qkdnm-2026-11-28"
    )]
    Backup {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
        /// The folder to be made.
        to: PathBuf,
    },
    /// Makes a data directory of a backup, every byte checked.
    #[command(
        after_help = "A restored manager has not what it was told after the backup: components send again what was not \
                            acknowledged, and nothing else. In a federation its peers notice.\n\nExample:\n  \
                            qkdnm storage restore /backup/qkdnm-2026-11-28 data"
    )]
    Restore {
        /// A folder made by `qkdnm storage backup`.
        backup: PathBuf,
        /// The data directory to be made (`manager.data_dir`).
        dir: PathBuf,
    },
    /// Says what is damaged, what can be had back and what is lost; with --yes, does it. No manager may be running.
    #[command(
        after_help = "Nothing is deleted: what is taken out is kept in a folder `damaged-TIME` of the data directory.\n\n\
                            Examples:\n  qkdnm storage repair data\n  qkdnm storage repair data --yes"
    )]
    Repair {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
        /// Do it.
        #[arg(long)]
        yes: bool,
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
        Command::Verify { dir } => check(dir, output),
        Command::Backup { dir, to } => back_up(dir, to, output),
        Command::Restore { backup, dir } => restored(backup, dir, output),
        Command::Repair { dir, yes } => repaired(dir, *yes, output),
        Command::Replay { dir, show, check: _ } => replay_check(dir, *show, output),
    }
}

fn known(dir: &Path) -> Result<(), CommandError> {
    if dir.join("journal").is_dir() {
        return Ok(());
    }
    Err(CommandError::usage(anyhow::anyhow!(
        "{} is no data directory of a manager (it has no folder `journal`); name the one in manager.data_dir",
        dir.display()
    )))
}

fn check(dir: &Path, output: &mut Output<'_>) -> CommandResult {
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

fn back_up(dir: &Path, to: &Path, output: &mut Output<'_>) -> CommandResult {
    known(dir)?;
    let (manifest, found) = backup::back_up(dir, to, wall_time())?;
    if output.is_data() {
        output.document(&manifest)?;
        return Ok(Exit::Success);
    }
    output.line(&format!(
        "{} is a backup of {}: {} files with {} bytes; its journal has {} reports{}.",
        to.display(),
        dir.display(),
        manifest.files.len(),
        manifest.bytes(),
        found.reports,
        until(manifest.last_time)
    ))?;
    output.line(&format!("`qkdnm storage restore {} DIR` makes a data directory of it.", to.display()))?;
    Ok(Exit::Success)
}

fn until(last: Option<crate::model::Timestamp>) -> String {
    last.map_or_else(String::new, |last| format!(", the last committed at {last}"))
}

fn restored(from: &Path, dir: &Path, output: &mut Output<'_>) -> CommandResult {
    let (manifest, found) = restore(from, dir)?;
    if output.is_data() {
        output.document(&manifest)?;
        return Ok(Exit::Success);
    }
    output.line(&format!(
        "{} is what the data directory was at {}: {} reports in the journal{}. What came later is not in it.",
        dir.display(),
        manifest.taken,
        found.reports,
        until(manifest.last_time)
    ))?;
    Ok(Exit::Success)
}

fn repaired(dir: &Path, does: bool, output: &mut Output<'_>) -> CommandResult {
    known(dir)?;
    let _lock = DataDir::lock(dir)?;
    let steps = repair::plan(dir)?;
    let aside = if does && !steps.is_empty() { Some(repair::carry_out(&steps, dir, wall_time())?) } else { None };
    let exit = if steps.is_empty() || aside.is_some() { Exit::Success } else { Exit::Failure };
    if output.is_data() {
        output.document(&serde_json::json!({ "steps": steps, "done": aside.is_some(), "aside": aside }))?;
        return Ok(exit);
    }
    for step in &steps {
        output.line(&format!("- {step}."))?;
    }
    match aside {
        _ if steps.is_empty() => output.line(&format!("{} is in order; there is nothing to repair.", dir.display()))?,
        None => output.line("Nothing was changed. If a backup does not serve better: the same with --yes does it.")?,
        Some(aside) => output.line(&format!(
            "Done; the damaged files are in {}. `qkdnm storage verify {}` checks the rest, and the manager can be started.",
            aside.display(),
            dir.display()
        ))?,
    }
    Ok(exit)
}

fn replay_check(dir: &Path, show: usize, output: &mut Output<'_>) -> CommandResult {
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
