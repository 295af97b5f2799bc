//! The change itself: quick, in one step for everybody who takes reports in, and without anything that can fail.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Reloader,
    prepare::{Prepared, Trust},
};
use crate::{
    config::Enrolment,
    connection::{ContextSlot, InterfaceContext},
    dispatch::{ComponentCard, ComponentEntry},
    manager::{federation::border::Rules, in_force::InForce, live::Interface},
    net::{Bounds, ConnectionRegistry},
    shard::ShardMessage,
    telemetry::logs,
};

/// What a change led to.
pub(super) struct Applied {
    /// Connections that were closed.
    pub(super) closed: usize,
    /// For how long no connection was read.
    pub(super) held: Duration,
    /// Told by each shard once it has taken the change over and journalled it.
    pub(super) shards: Vec<oneshot::Receiver<()>>,
}

impl Reloader {
    /// Puts a prepared configuration in force. Blocks for a moment.
    pub(super) fn apply(&self, prepared: Prepared) -> Applied {
        let Prepared { in_force, change, interfaces: prepared, tokens, host, membership, .. } = prepared;
        let for_shards = in_force.for_shards(&self.parts.contexts.symbols);
        let (mut interfaces, mut bound) = (Vec::new(), Vec::new());
        let mut trust_changed = false;
        for one in prepared {
            let point = one.config.reference_point;
            let interface = match one.trust {
                Trust::Known(known, trust) => {
                    trust_changed |= trust.is_some();
                    // Whoever comes from now on is checked by it; what is up is looked at below.
                    trust.into_iter().for_each(|trust| known.trust.install(trust));
                    known.places.set_bounds(Bounds::from(&one.config));
                    known
                }
                Trust::New(trust) => Interface {
                    point,
                    slot: ContextSlot::new(self.parts.contexts.of(&in_force, one.config.clone())),
                    trust,
                    places: ConnectionRegistry::new(
                        point,
                        Bounds::from(&one.config),
                        Arc::clone(&self.parts.contexts.metrics),
                    ),
                },
            };
            bound.push((interface.clone(), one.bound));
            interfaces.push(interface);
        }
        self.parts.exporters.learn(&in_force.config.policies);
        let held = self.change_over(&in_force, for_shards, &interfaces);
        let shards = self.switch_shards();
        self.parts.connections.set_interfaces(interfaces);
        bound.into_iter().for_each(|(interface, bound)| self.parts.doors.open(&interface, bound));
        self.parts.doors.close_all_but(&in_force.config.interfaces);
        let mut closed = if trust_changed { self.parts.connections.check_again() } else { 0 };
        closed += self.parts.connections.follow_configuration();
        let (rules, mode) = (&in_force.rules, in_force.config.manager.enrolment);
        let waits = |component: &_| mode == Enrolment::Approve && rules.listed(component).is_none();
        self.parts.contexts.enrolments.settle(waits);
        self.parts.connections.dial_these(in_force.dialled());
        if let (Some(federation), Some((membership, key))) = (&self.parts.federation, membership) {
            let rules = Rules::new(&in_force.config, &in_force.plugins.exchange, &membership);
            federation.configure(membership, key, rules);
        }
        self.parts.subscriptions.set_visibility(in_force.sees());
        self.parts.outward.want(&in_force.config.subscriptions, &self.parts.contexts.registry);
        let storage = &in_force.config.storage;
        self.parts.journal_bounds.set(storage.journal_retention, storage.journal_max_size);
        self.parts.tokens.replace(&tokens);
        self.state().host = host;
        if change.settings.contains(&"log.level")
            && let Err(error) = logs::set_level(&in_force.config.log.level)
        {
            tracing::error!(%error, "The log's filter could not be changed.");
        }
        Applied { closed, held, shards }
    }

    /// Puts other plugins in force and leaves everything else as it is. Blocks for a moment.
    pub(super) fn exchange(&self, in_force: &Arc<InForce>) -> Applied {
        let for_shards = in_force.for_shards(&self.parts.contexts.symbols);
        let interfaces = self.parts.connections.interfaces();
        let held = self.change_over(in_force, for_shards, &interfaces);
        Applied { closed: 0, held, shards: self.switch_shards() }
    }

    /// Shards find a change by themselves at the first report that was taken in under it; those without reports here.
    fn switch_shards(&self) -> Vec<oneshot::Receiver<()>> {
        let switch = |mailbox: &crate::shard::Mailbox| {
            let (told, tell) = oneshot::channel();
            mailbox.put_waiting(ShardMessage::Switch(told));
            tell
        };
        self.shards().iter().map(switch).collect()
    }

    /// The one moment: no connection is in a turn while everything that reports are taken in by is exchanged.
    fn change_over(
        &self,
        in_force: &Arc<InForce>,
        for_shards: Arc<crate::shard::ShardConfig>,
        interfaces: &[Interface],
    ) -> Duration {
        let registry = &self.parts.contexts.registry;
        let was = self.parts.current.get();
        for config in &in_force.config.components {
            // Known from now on, and as the old configuration has it until the moment comes.
            registry.admit(&config.component, || was.rules.card(&config.component));
        }
        let entries = registry.all();
        let changed = |entry: &Arc<ComponentEntry>| {
            let card = in_force.rules.card(&entry.component);
            (**entry.card.load() != card).then(|| (Arc::clone(entry), Arc::new(card)))
        };
        let cards: Vec<(Arc<ComponentEntry>, Arc<ComponentCard>)> = entries.iter().filter_map(changed).collect();
        let before = self.parts.connections.interfaces();
        let contexts: Vec<Option<Arc<InterfaceContext>>> = before
            .iter()
            .map(|interface| {
                let stays = interfaces.iter().any(|other| Arc::ptr_eq(&other.slot, &interface.slot));
                let mut configs = in_force.config.interfaces.iter();
                let config = configs.find(|config| config.reference_point == interface.point).filter(|_| stays)?;
                Some(Arc::new(self.parts.contexts.of(in_force, config.clone())))
            })
            .collect();
        let begun = Instant::now();
        let mut slots: Vec<_> = before.iter().map(|interface| interface.slot.change()).collect();
        for (entry, card) in cards {
            entry.card.store(card);
        }
        if registry.count() != entries.len() {
            // Somebody came in between, by a certificate alone.
            for entry in registry.all() {
                entry.card.store(Arc::new(in_force.rules.card(&entry.component)));
            }
        }
        self.parts.current.set(Arc::clone(in_force), for_shards);
        for (slot, context) in slots.iter_mut().zip(contexts) {
            if let Some(context) = context {
                **slot = context;
            }
        }
        drop(slots);
        begun.elapsed()
    }
}
