//! What the connections of an interface share, made of the configuration in force and of the parts that stay.

use std::sync::Arc;

use super::in_force::InForce;
use crate::{
    clock::Clock,
    config::InterfaceConfig,
    connection::{InterfaceContext, PeerDesk, SecurityWatch, Subscriber, SubscriptionDesk},
    dispatch::{Enrolments, Registry},
    model::SymbolTable,
    shard::Mailbox,
    telemetry::metrics::Metrics,
};

/// The parts that stay.
#[derive(Clone)]
pub struct Contexts {
    /// Components known.
    pub registry: Arc<Registry>,
    /// Who was approved or rejected, and who waits.
    pub enrolments: Arc<Enrolments>,
    /// Names and numbers.
    pub symbols: Arc<SymbolTable>,
    /// Mailboxes of the shards.
    pub shards: Vec<Mailbox>,
    /// The time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Whom refusals that concern security are told to.
    pub watch: Arc<dyn SecurityWatch>,
    /// Who subscribes at components.
    pub subscriber: Arc<dyn Subscriber>,
    /// Who keeps subscriptions.
    pub subscriptions: Arc<dyn SubscriptionDesk>,
    /// Who keeps the federation with other domains.
    pub peers: Arc<dyn PeerDesk>,
}

impl Contexts {
    /// The context of an interface.
    #[must_use]
    pub fn of(&self, in_force: &InForce, config: InterfaceConfig) -> InterfaceContext {
        let handlers = || in_force.config.handlers.iter().zip(&in_force.plugins.handlers);
        InterfaceContext {
            generation: in_force.generation,
            keep_raw: handlers()
                .any(|(handler, loaded)| handler.reference_point == config.reference_point && loaded.needs().raw),
            exempt_paths: handlers().map(|(handler, _)| handler.allow_key_names.clone()).collect(),
            config,
            rules: Arc::clone(&in_force.rules),
            registry: Arc::clone(&self.registry),
            enrolments: Arc::clone(&self.enrolments),
            symbols: Arc::clone(&self.symbols),
            shards: self.shards.clone(),
            subscriptions: Arc::clone(&self.subscriptions),
            peers: Arc::clone(&self.peers),
            clock: self.clock,
            metrics: Arc::clone(&self.metrics),
            watch: Arc::clone(&self.watch),
            subscriber: Arc::clone(&self.subscriber),
        }
    }
}
