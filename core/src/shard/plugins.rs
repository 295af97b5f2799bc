//! The handlers and policies in force, as shards use them: configuration, symbol, and a way to make an instance.

use std::{fmt, sync::Arc};

use crate::{
    config::{HandlerConfig, OnFailure, PolicyConfig, PolicyMode},
    plugin::{FcapsPolicy, InterfaceHandler, PluginFailure, PolicyNeeds},
};

type Make<T> = Arc<dyn Fn() -> Result<Box<T>, PluginFailure> + Send + Sync>;

/// A configured handler.
#[derive(Clone)]
pub struct ActiveHandler {
    /// Its table in the configuration.
    pub config: HandlerConfig,
    /// Symbol of its name.
    pub symbol: u32,
    /// Position of the standard handler of its reference point, for `on_failure = "fallback"`.
    pub fallback: usize,
    /// Makes an instance.
    pub make: Make<dyn InterfaceHandler>,
}

/// A configured policy that is not off.
#[derive(Clone)]
pub struct ActivePolicy {
    /// Its table in the configuration.
    pub config: PolicyConfig,
    /// Symbol of its name.
    pub symbol: u32,
    /// What it asked for.
    pub needs: PolicyNeeds,
    /// Makes an instance.
    pub make: Make<dyn FcapsPolicy>,
}

impl ActiveHandler {
    /// What becomes of a report that the handler failed on.
    #[must_use]
    pub const fn on_failure(&self) -> OnFailure {
        self.config.on_failure
    }
}

impl ActivePolicy {
    /// Whether its verdicts take effect.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.config.mode == PolicyMode::Active
    }
}

impl fmt::Debug for ActiveHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveHandler").field("name", &self.config.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ActivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivePolicy").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// All handlers and policies in force.
#[derive(Clone, Debug, Default)]
pub struct PluginSet {
    /// Handlers in the order of the configuration.
    pub handlers: Vec<ActiveHandler>,
    /// Policies in the order of the configuration.
    pub policies: Vec<ActivePolicy>,
}
