//! What sites ask of each other and get: keys relayed hop by hop, out of the store of each link on the way.

use std::time::Duration;

use super::{World, faults::Condition, store::Taker};
use crate::simulate::description::Plan;

/// Bits of a key.
pub const KEY_BITS: f64 = 256.0;
/// What is missing of a delivery below this share is rounding.
const WHOLE: f64 = 0.999;

/// What a component counts since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// Secret bits.
    pub generated_bits: f64,
    /// Bits relayed for others.
    pub relayed_bits: f64,
    /// Bits that were asked for.
    pub requested_bits: f64,
    /// Of them, those that were not given.
    pub rejected_bits: f64,
    /// Bits whose relay failed.
    pub failed_bits: f64,
    /// Routes moved.
    pub reroutes: u64,
    /// Routes lost.
    pub route_failures: u64,
}

/// A demand's fortunes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delivery {
    /// Bits a second that were given in the last step.
    pub given_bps: f64,
    /// Bits given so far.
    pub given_bits: f64,
    /// Bits given and not yet told of as usage.
    pub unbilled_bits: f64,
    /// How long all that was asked for was given.
    pub served: Duration,
    /// How long there was demand at all.
    pub observed: Duration,
    /// Since when not all was given.
    pub lacking_since: Option<Duration>,
    /// How long it took the last time until it was.
    pub restoration: Duration,
}

impl Delivery {
    /// Share of the time in which all was given.
    #[must_use]
    pub fn availability(&self) -> f64 {
        if self.observed.is_zero() { 1.0 } else { self.served.as_secs_f64() / self.observed.as_secs_f64() }
    }

    fn note(&mut self, asked: f64, given: f64, now: Duration, tick: Duration) {
        self.given_bps = given / tick.as_secs_f64();
        self.given_bits += given;
        self.unbilled_bits += given;
        self.observed += tick;
        if given >= asked * WHOLE {
            self.served += tick;
            if let Some(since) = self.lacking_since.take() {
                self.restoration = now.saturating_sub(since);
            }
        } else {
            self.lacking_since.get_or_insert(now);
        }
    }
}

impl World {
    /// Drains go first, then the demands, each step beginning with another one, so that none is always last.
    pub(super) fn deliver(&mut self, seconds: f64) {
        let plan = std::sync::Arc::clone(&self.plan);
        for node in &plan.nodes {
            self.drain(node.key_manager, &node.links, seconds);
        }
        let number = plan.demands.len();
        if number == 0 {
            return;
        }
        let first = usize::try_from(self.steps % number as u64).unwrap_or(0);
        for demand in (first..number).chain(0..first) {
            self.serve(&plan, demand, seconds);
        }
    }

    fn drain(&mut self, key_manager: usize, links: &[usize], seconds: f64) {
        let condition = self.condition(key_manager);
        if condition.drain_bps <= 0.0 || !condition.works() {
            return;
        }
        let all: f64 = links.iter().filter_map(|link| self.stores.get(*link)).map(|store| store.level).sum();
        if all <= 0.0 {
            return;
        }
        let wanted = condition.drain_bps * seconds;
        for link in links {
            if let Some(store) = self.stores.get_mut(*link) {
                store.take(wanted * store.level / all, seconds, Taker::Fault);
            }
        }
    }

    fn serve(&mut self, plan: &Plan, number: usize, seconds: f64) {
        let Some(demand) = plan.demands.get(number) else { return };
        let asked = demand.bps * seconds;
        let works = |component: usize| self.conditions.get(component).is_some_and(Condition::works);
        let managers: Vec<usize> =
            [demand.from, demand.to].iter().filter_map(|node| plan.nodes.get(*node)).map(|it| it.key_manager).collect();
        let way = self.routes.way(number).unwrap_or_default().to_vec();
        let through = nodes_between(plan, &way, demand.from);
        let passable = !way.is_empty()
            && managers.iter().all(|it| works(*it))
            && through.iter().filter_map(|node| plan.nodes.get(*node)).all(|node| works(node.key_manager));
        let least = way.iter().filter_map(|link| self.stores.get(*link)).map(|store| store.level).fold(asked, f64::min);
        let given = if passable { least } else { 0.0 };
        let taker = if way.len() == 1 { Taker::Application } else { Taker::Relay };
        for store in way.iter().filter(|_| given > 0.0) {
            if let Some(store) = self.stores.get_mut(*store) {
                store.take(given, seconds, taker);
            }
        }
        let missing = if given >= asked * WHOLE { 0.0 } else { asked - given };
        for node in &through {
            if let Some(counters) = plan.nodes.get(*node).and_then(|node| self.counters.get_mut(node.key_manager)) {
                counters.relayed_bits += given;
            }
        }
        let users = [demand.from, demand.to].into_iter().filter_map(|node| plan.nodes.get(node)?.users);
        for component in managers.iter().copied().chain(users) {
            if let Some(counters) = self.counters.get_mut(component) {
                counters.requested_bits += asked;
                counters.rejected_bits += missing;
                counters.failed_bits += if way.len() > 1 || way.is_empty() { missing } else { 0.0 };
            }
        }
        let (now, tick) = (self.time, self.tick);
        if let Some(delivery) = self.deliveries.get_mut(number) {
            delivery.note(asked, given, now, tick);
        }
    }
}

/// The nodes between the ends of a way.
pub(super) fn nodes_between(plan: &Plan, way: &[usize], from: usize) -> Vec<usize> {
    let (mut node, mut nodes) = (from, Vec::new());
    for link in way {
        let Some(next) = super::route::other_end(plan, *link, node) else { break };
        nodes.push(next);
        node = next;
    }
    nodes.pop();
    nodes
}
