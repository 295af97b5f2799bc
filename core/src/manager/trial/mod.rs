//! Plugins on trial: one plugin and recorded reports, without a network, a journal or a neighbour, but in the manager's own
//! sandbox and through the manager's own shard.
//!
//! In: a plugin, its configuration, lines as components send them. Out: what was answered and what followed, in words that
//! stay the same from run to run. Nothing is stored and nothing is asked of a manager.

mod floor;
mod forgetful;
mod measure;
mod run;
pub(super) mod stage;
pub(super) mod words;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

pub use floor::variant;
pub use measure::Cost;
pub use run::{Setting, Trial};
pub use words::Followed;

use crate::{
    config::PluginsConfig,
    manager::{plugins::NotLoaded, replay::plugin_limits},
    plugin::{PluginError, PluginFailure, PluginHost},
    telemetry::metrics::Metrics,
};

/// Why a plugin cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// Compiled code needs a folder.
    #[error("cannot make a temporary folder")]
    Folder(#[source] std::io::Error),
    /// The engine.
    #[error("cannot start the plugin engine")]
    Engine(#[source] PluginError),
    /// What a manager would say at its start.
    #[error("a manager would not load it:\n{0}")]
    NotLoaded(String),
    /// A call failed.
    #[error("a call failed: {0}")]
    Failed(PluginFailure),
    /// There are no reports, or none that the plugin would be shown.
    #[error("none of the reports has anything that the plugin asks for: name a recording that has")]
    NothingForIt,
}

impl TrialError {
    /// Everything that is wrong with the plugins of a trial.
    fn not_loaded(problems: Vec<NotLoaded>) -> Self {
        let of_one = |problem: &NotLoaded| {
            let complaints = problem.error.complaints(problem.kind, &problem.name);
            let texts = complaints.into_iter().map(|one| match one.pointer.filter(|at| !at.is_empty()) {
                Some(at) => format!("{at}: {}", one.message),
                None => one.message,
            });
            texts.collect::<Vec<_>>()
        };
        Self::NotLoaded(problems.iter().flat_map(of_one).collect::<Vec<_>>().join("\n"))
    }
}

/// Where plugins are tried: the limits are the defaults of `[plugins]`, and nothing remains of it but machine code.
#[derive(Debug)]
pub struct Sandbox {
    host: Arc<PluginHost>,
    metrics: Arc<Metrics>,
    config: PluginsConfig,
    _compiled: Option<tempfile::TempDir>,
}

impl Sandbox {
    /// A new one. Machine code is kept in `compiled`, as a manager keeps it in its cache; without a folder it is not kept.
    ///
    /// # Errors
    /// If the engine does not start.
    pub fn new(compiled: Option<PathBuf>) -> Result<Self, TrialError> {
        let (folder, scratch) = match compiled {
            Some(folder) => (folder, None),
            None => {
                let scratch = tempfile::tempdir().map_err(TrialError::Folder)?;
                (scratch.path().to_owned(), Some(scratch))
            }
        };
        let config = PluginsConfig { allow_native: false, ..plugin_limits(&folder) };
        let metrics = Arc::new(Metrics::default());
        let host = PluginHost::new(&config, Arc::clone(&metrics)).map_err(TrialError::Engine)?;
        Ok(Self { host, metrics, config, _compiled: scratch })
    }

    /// One beside it whose plugins count the instructions that they run, with what counts them.
    fn counting(&self) -> Result<(Self, Arc<AtomicU64>), TrialError> {
        let (host, counter) = PluginHost::counting(&self.config).map_err(TrialError::Engine)?;
        Ok((Self { host, metrics: Arc::default(), config: self.config.clone(), _compiled: None }, counter))
    }

    /// What loads plugins here.
    #[must_use]
    pub fn host(&self) -> &PluginHost {
        &self.host
    }
}
