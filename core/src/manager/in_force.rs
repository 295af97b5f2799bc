//! The configuration that is in force, whole: what was read, the plugins that were loaded for it, and the rules that follow.
//!
//! One is put in the place of another by `reload`, in one step; whoever reads one keeps it for as long as it needs, so
//! that nobody sees half of one and half of the other.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::{plugins::Plugins, replay::StartNote};
use crate::{
    config::{ComponentConfig, Config, InterfaceConfig, PolicyMode, SeesRule, limits},
    dispatch::Rules,
    model::{ComponentRef, ReferencePoint, Symbol, SymbolTable, Timestamp},
    shard::ShardConfig,
};

/// A configuration with everything that was made ready for it.
#[derive(Debug)]
pub struct InForce {
    /// Counts the configurations of this process, from 1.
    pub generation: u64,
    /// From when on.
    pub since: Timestamp,
    /// As read, without what nothing can reach ([`in_use`]).
    pub config: Config,
    /// Handlers and policies as loaded.
    pub plugins: Plugins,
    /// Who may report, and what sees whom.
    pub rules: Arc<Rules>,
}

impl InForce {
    /// Joins a configuration, already reduced to what is in use, and its plugins.
    #[must_use]
    pub fn new(generation: u64, since: Timestamp, config: Config, plugins: Plugins) -> Self {
        let on = config.policies.iter().filter(|policy| policy.mode != PolicyMode::Off);
        let rules = Rules::new(config.manager.enrolment, &config.components, config.handlers.iter(), on);
        Self { generation, since, config, plugins, rules: Arc::new(rules) }
    }

    /// The components that are dialled, and where.
    pub fn dialled(&self) -> impl Iterator<Item = (ComponentRef, String)> + '_ {
        let components = self.config.components.iter();
        components.filter_map(|config| Some((config.component.clone(), config.dial.clone()?)))
    }

    /// What each component may subscribe to beside itself.
    #[must_use]
    pub fn sees(&self) -> HashMap<ComponentRef, Vec<SeesRule>> {
        self.config.components.iter().map(|one| (one.component.clone(), one.sees.clone())).collect()
    }

    /// What the journal keeps of it: everything that verdicts depend on.
    #[must_use]
    pub fn note(&self) -> StartNote {
        StartNote {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            manager: self.config.manager.id.clone(),
            domain: self.config.manager.domain.clone(),
            shards: self.config.manager.shards,
            state_per_component: self.config.plugins.state_per_component,
            enrolment: Some(self.config.manager.enrolment),
            components: self.config.components.clone(),
            handlers: self.config.handlers.clone(),
            policies: self.config.policies.clone(),
            started: self.since,
            digests: self.plugins.digests(),
        }
    }

    /// As shards work by it.
    #[must_use]
    pub fn for_shards(&self, symbols: &SymbolTable) -> Arc<ShardConfig> {
        Arc::new(ShardConfig {
            generation: self.generation,
            plugins: self.plugins.set.clone(),
            rules: Arc::clone(&self.rules),
            expected: expected(&self.config.components, symbols).collect(),
            state_per_component: self.config.plugins.state_per_component,
            since: self.since,
            note: serde_json::to_string(&self.note()).unwrap_or_default().into(),
        })
    }
}

/// Components that are expected to report, and how often, in milliseconds.
pub fn expected<'a>(
    components: &'a [ComponentConfig],
    symbols: &'a SymbolTable,
) -> impl Iterator<Item = (Symbol, i64)> + 'a {
    components.iter().filter_map(|config| {
        let interval = config.expected_interval?.as_millis();
        Some((symbols.intern(&config.component.to_string()), i64::try_from(interval).unwrap_or(i64::MAX)))
    })
}

/// The configuration without what nothing can reach: a handler of an interface that is not served is not compiled.
#[must_use]
pub fn in_use(mut config: Config) -> Config {
    config.interfaces = interfaces_in_use(&config);
    let served: HashSet<ReferencePoint> = config.interfaces.iter().map(|interface| interface.reference_point).collect();
    config.handlers.retain(|handler| served.contains(&handler.reference_point));
    config
}

/// The interfaces of the configuration, and one without an address for each reference point that is only dialled.
fn interfaces_in_use(config: &Config) -> Vec<InterfaceConfig> {
    let mut interfaces = config.interfaces.clone();
    for component in config.components.iter().filter(|component| component.dial.is_some()) {
        let reference_point = component.component.reference_point;
        if interfaces.iter().all(|interface| interface.reference_point != reference_point) {
            interfaces.push(InterfaceConfig {
                reference_point,
                listen: Vec::new(),
                tls: config.tls.clone(),
                max_connections: limits::MAX_CONNECTIONS,
                max_connections_per_identity: limits::MAX_CONNECTIONS_PER_IDENTITY,
                max_line_bytes: limits::MAX_LINE_BYTES,
                max_in_flight: limits::MAX_IN_FLIGHT,
                handshake_timeout: limits::HANDSHAKE_TIMEOUT,
                idle_timeout: limits::IDLE_TIMEOUT,
                request_timeout: limits::REQUEST_TIMEOUT,
            });
        }
    }
    interfaces
}

/// The configuration in force, for whoever asks at the moment.
#[derive(Clone, Debug)]
pub struct Current(Arc<CurrentParts>);

#[derive(Debug)]
struct CurrentParts {
    in_force: ArcSwap<InForce>,
    shards: Arc<ArcSwap<ShardConfig>>,
}

impl Current {
    /// With this one.
    #[must_use]
    pub fn new(in_force: InForce, symbols: &SymbolTable) -> Self {
        let shards = Arc::new(ArcSwap::new(in_force.for_shards(symbols)));
        Self(Arc::new(CurrentParts { in_force: ArcSwap::from_pointee(in_force), shards }))
    }

    /// The one in force now.
    #[must_use]
    pub fn get(&self) -> Arc<InForce> {
        self.0.in_force.load_full()
    }

    /// Where shards find theirs.
    #[must_use]
    pub fn shards(&self) -> &Arc<ArcSwap<ShardConfig>> {
        &self.0.shards
    }

    /// Puts another in its place. Shards take theirs over between two batches.
    pub fn set(&self, in_force: Arc<InForce>, for_shards: Arc<ShardConfig>) {
        self.0.shards.store(for_shards);
        self.0.in_force.store(in_force);
    }
}
