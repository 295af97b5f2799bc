//! The handlers and policies in force, as shards use them: configuration, symbol, and a way to make an instance.

use std::{fmt, sync::Arc};

use crate::{
    config::{HandlerConfig, OnFailure, PolicyConfig, PolicyMode, limits::HANDLER_CHAIN},
    dispatch::Rules,
    model::{ReferencePoint, Symbol, Timestamp},
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
    /// Position of the handler that what it accepts goes through next.
    pub then: Option<usize>,
    /// Whether it asked for `alarm` objects.
    pub reads_alarms: bool,
    /// SHA-256 of its plugin.
    pub digest: Arc<str>,
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
    /// SHA-256 of its plugin.
    pub digest: Arc<str>,
    /// The version that its plugin gives itself.
    pub version: Arc<str>,
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

impl ActiveHandler {
    /// Whether it is the same loaded plugin, so that instances of one serve as instances of the other.
    #[must_use]
    pub fn is_same_plugin(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.make, &other.make)
    }
}

impl ActivePolicy {
    /// Whether it goes on, with its state, as another configuration has it: of the same name, with the same plugin, and
    /// not now taking effect for the first time.
    #[must_use]
    pub fn goes_on_as(&self, next: &Self) -> bool {
        let same_state = self.needs.state_width == next.needs.state_width
            && self.needs.per_component == next.needs.per_component
            && self.digest == next.digest;
        self.symbol == next.symbol && same_state && (self.is_active() || !next.is_active())
    }

    /// Whether it is the same loaded plugin, so that instances of one serve as instances of the other.
    #[must_use]
    pub fn is_same_plugin(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.make, &other.make)
    }

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

impl PluginSet {
    /// Positions of the handlers that reports go through whose first one stands at `first`.
    #[must_use]
    pub fn chain(&self, first: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut next = Some(first);
        while let Some(position) = next.filter(|_| chain.len() < HANDLER_CHAIN)
            && let Some(handler) = self.handlers.get(position)
        {
            chain.push(position);
            next = handler.then;
        }
        chain
    }
}

/// A configuration as a shard works by it. A reload puts another in its place, between two batches.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Counts the configurations of this process, from 1.
    pub generation: u64,
    /// Handlers and policies.
    pub plugins: PluginSet,
    /// Who may report, and which of them see whom.
    pub rules: Arc<Rules>,
    /// Components that are expected to report, and how often, in milliseconds.
    pub expected: Arc<[(Symbol, i64)]>,
    /// `plugins.state_per_component`
    pub state_per_component: usize,
    /// From when on: the silence of components that are expected from now on counts from here.
    pub since: Timestamp,
    /// What the journal is to keep of it.
    pub note: Arc<str>,
}

impl ShardConfig {
    /// Reference point of each handler.
    #[must_use]
    pub fn points(&self) -> Vec<ReferencePoint> {
        self.plugins.handlers.iter().map(|handler| handler.config.reference_point).collect()
    }
}
