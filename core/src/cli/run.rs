//! `qkdnm run`: a manager in the foreground, until SIGTERM or Ctrl-C. SIGHUP reloads the configuration and its files.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{CommandResult, Exit, MainFile};
use crate::{config, manager, telemetry::logs};

/// How long `/readyz` says that a thread broke before the process ends.
const BROKEN_SHOWN: Duration = Duration::from_secs(1);

/// Runs a manager in the foreground, until SIGTERM or ctrl-C; SIGHUP reloads the configuration.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  qkdnm run manager.toml\n  qkdnm run --config /etc/qkdnm/manager.toml --ready-file /run/qkdnm/ready.json"
)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: MainFile,
    /// Write addresses and process ID to this file, as JSON, once the manager is ready.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
}

/// Runs until told to stop, or until a thread broke ([`Exit::Broken`]). Exit code 2 for a configuration that cannot be used.
pub fn run(args: &RunArgs) -> CommandResult {
    let file = args.config.path()?;
    let loaded = match config::load::load(file) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{}", problems.render(super::stderr_is_terminal()));
            return Ok(Exit::NotInOrder);
        }
    };
    logs::start(&loaded.config.log)?;
    for line in loaded.warnings().render(false).lines().filter(|line| line.starts_with("warning")) {
        tracing::warn!("{line}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("io")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let origin = manager::reload::Origin::new(file, &loaded);
    let ended = runtime.block_on(serve(loaded.config, origin, args.ready_file.as_deref()));
    if matches!(ended, Ok(Exit::Broken)) {
        // Whatever still runs may wait for the thread that is gone.
        runtime.shutdown_background();
    }
    ended
}

async fn serve(config: config::Config, origin: manager::reload::Origin, ready_file: Option<&Path>) -> CommandResult {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let id = config.manager.id.clone();
    let running = match manager::start(config, Some(origin)).await {
        Ok(running) => running,
        Err(error @ (manager::StartError::Plugins(_) | manager::StartError::Trust(_))) => {
            eprintln!("error: {error}\nhelp: `qkdnm check` shows where in the configuration this is");
            return Ok(Exit::NotInOrder);
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(path) = ready_file {
        write_whole(path, running.ready_note().to_string().as_bytes())
            .with_context(|| format!("cannot write the ready file {}", path.display()))?;
    }
    tracing::info!(manager = id, api = %running.api, "Ready.");
    loop {
        tokio::select! {
            thread = running.thread_lost() => {
                tokio::time::sleep(BROKEN_SHOWN).await;
                running.give_up(&thread).await;
                tracing::error!(thread, "The manager ends, to be started again.");
                return Ok(Exit::Broken);
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.reload(),
        }
    }
    tracing::info!("Stopping.");
    running.stop().await;
    Ok(Exit::Success)
}

/// Writes a file so that a reader sees all of it or nothing.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
