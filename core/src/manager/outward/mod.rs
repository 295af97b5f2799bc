//! The manager as subscriber at components (status protocol, section 6), and the schedule for those that serve no
//! subscriptions (section 5).
//!
//! A [`desk::Desk`] for each component decides what to ask and when (`subscription`, `polling`, `numbers`: all without
//! I/O); `work` carries it out over a connection of the component. Durable subscriptions are remembered over a restart by
//! `memory`. Notifications themselves are status reports and go the way of every report; only their numbers are counted
//! here. Nothing here knows TLS, JSON of reports, shards or plugins.

pub mod desk;
pub mod memory;
pub mod numbers;
pub mod polling;
pub mod subscription;
mod view;
pub mod wish;
mod work;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    desk::{Desk, Noticed},
    memory::Memory,
};
use crate::{
    clock::Clock,
    config::SubscriptionConfig,
    connection::Subscriber,
    dispatch::{ComponentEntry, Matcher, Registry},
    model::ComponentRef,
    telemetry::metrics::Metrics,
    wire::outward::Notice,
};

/// All subscriptions at components.
pub struct Outward {
    wishes: ArcSwap<Vec<(Arc<SubscriptionConfig>, Matcher)>>,
    desks: DashMap<ComponentRef, Arc<Place>>,
    memory: Arc<Memory>,
    clock: Clock,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    /// For a task that works at a desk.
    itself: std::sync::Weak<Self>,
}

/// A component's desk, and a bell for whoever works at it.
#[derive(Debug)]
struct Place {
    desk: Mutex<Desk>,
    changed: Notify,
}

fn locked(place: &Place) -> MutexGuard<'_, Desk> {
    place.desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wishes(configs: &[SubscriptionConfig]) -> Vec<(Arc<SubscriptionConfig>, Matcher)> {
    configs.iter().map(|config| (Arc::new(config.clone()), Matcher::new(&config.applies_to))).collect()
}

impl Outward {
    /// What the configuration wants, and what is remembered in the data directory. Its tasks end with `cancel`.
    #[must_use]
    pub fn start(
        configs: &[SubscriptionConfig],
        data_dir: &Path,
        clock: Clock,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        let memory = Arc::new(Memory::open(data_dir));
        tasks.spawn(Arc::clone(&memory).run(cancel.clone()));
        Arc::new_cyclic(|itself| Self {
            wishes: ArcSwap::from_pointee(wishes(configs)),
            desks: DashMap::new(),
            memory,
            clock,
            metrics,
            tasks,
            cancel,
            itself: itself.clone(),
        })
    }

    /// What the configuration wants of a component, each with the ID that is remembered of it; and what is remembered and
    /// not wanted.
    fn wanted(&self, entry: &ComponentEntry) -> (Vec<desk::Wanted>, Vec<String>) {
        let (card, wishes) = (entry.card.load(), self.wishes.load());
        let applies = |matcher: &Matcher| matcher.matches(&entry.component, &card);
        let wanted = wishes.iter().filter(|(_, matcher)| applies(matcher)).map(|(config, _)| Arc::clone(config));
        let wanted: Vec<_> = wanted.collect();
        let configs: Vec<&SubscriptionConfig> = wanted.iter().map(|config| &**config).collect();
        let (ids, unwanted) = self.memory.of(&entry.component.to_string(), &configs);
        (wanted.into_iter().zip(ids).collect(), unwanted)
    }

    /// The desk of a component, made now if there is none.
    fn desk(&self, entry: &ComponentEntry) -> Arc<Place> {
        if let Some(desk) = self.desks.get(&entry.component) {
            return Arc::clone(&desk);
        }
        let (wanted, unwanted) = self.wanted(entry);
        let place = Place { desk: Mutex::new(Desk::new(wanted, unwanted)), changed: Notify::new() };
        Arc::clone(&self.desks.entry(entry.component.clone()).or_insert_with(|| Arc::new(place)))
    }

    /// Wants other subscriptions from now on. What a component serves and is still wanted goes on; what is not wanted any
    /// more is ended, over the connection that is up.
    pub fn want(&self, configs: &[SubscriptionConfig], registry: &Registry) {
        self.wishes.store(Arc::new(wishes(configs)));
        let desks: Vec<_> = self.desks.iter().map(|desk| (desk.key().clone(), Arc::clone(desk.value()))).collect();
        for (component, place) in desks {
            let Some(entry) = registry.find(&component) else { continue };
            let (wanted, unwanted) = self.wanted(&entry);
            let (before, after) = {
                let mut desk = locked(&place);
                let before = desk.granted();
                if !desk.change(wanted, unwanted, self.clock.now().0, fastrand::f64()) {
                    continue;
                }
                (before, desk.granted())
            };
            (after..before).for_each(|_| self.metrics.outward.granted.decrement());
            place.changed.notify_one();
            if entry.newest_open().is_some() {
                self.connected(&entry);
            }
        }
    }

    /// Counts what notices led to, and tells what is missing.
    fn tell(&self, component: &ComponentRef, desk: &Desk, noticed: &Noticed) {
        if noticed.is_unknown {
            self.metrics.outward.notifications_unknown.increment();
        }
        let Some((index, missing)) = noticed.missing else { return };
        self.metrics.outward.notifications_missed.add(missing);
        let subscription = desk.config(index).map_or("", |config| config.name.as_str());
        tracing::info!(%component, subscription, missing, "Notifications of a subscription are missing.");
    }
}

impl Subscriber for Outward {
    fn connected(&self, entry: &Arc<ComponentEntry>) {
        let desk = self.desk(entry);
        let mut locked = locked(&desk);
        if locked.is_idle() || locked.is_manned {
            return;
        }
        let Some(itself) = self.itself.upgrade() else { return };
        locked.is_manned = true;
        drop(locked);
        self.tasks.spawn(work::at_desk(itself, Arc::clone(entry), desk));
    }

    fn notified(&self, component: &ComponentRef, notices: &[Notice]) {
        self.metrics.outward.notifications.increment();
        let Some(desk) = self.desks.get(component).map(|desk| Arc::clone(&desk)) else {
            return self.metrics.outward.notifications_unknown.increment();
        };
        let mut locked = locked(&desk);
        if let Some(noticed) = locked.notified(notices, self.clock.now().0) {
            self.tell(component, &locked, &noticed);
        }
    }
}
