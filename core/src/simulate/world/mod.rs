//! The simulated network as it is at a moment: light, key stores, routes, deliveries, and what is wrong.
//!
//! A [`World`] is stepped through its own time and says what each component would report. Equal plans, seeds, steps and faults
//! give equal reports. Pure: no clock, no file, no socket; times and faults come in, values go out.
//!
//! In a step: faults begin and end, light follows, links make keys, controllers choose routes, and what sites ask of each other is
//! relayed along them, hop by hop out of the stores. Both key managers of a link hold the same keys, so a link has one store.

pub mod delivery;
pub mod faults;
pub mod light;
pub mod report;
pub mod route;
pub mod store;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use serde_json::Value;

pub use faults::{Active, News};
pub use store::Store;

use self::{
    delivery::{Counters, Delivery},
    faults::{Condition, Faults},
    light::LinkLight,
    route::{Routes, Standing},
};
use super::description::{Description, Fault, Plan, plan::Kind};

/// The network.
#[derive(Clone, Debug)]
pub struct World {
    plan: Arc<Plan>,
    seed: u64,
    tick: Duration,
    /// What instruments count for before they show it: the time between two reports.
    counting: Duration,
    time: Duration,
    steps: u64,
    faults: Faults,
    conditions: Vec<Condition>,
    counters: Vec<Counters>,
    light: Vec<LinkLight>,
    stores: Vec<Store>,
    standing: Vec<Standing>,
    routes: Routes,
    deliveries: Vec<Delivery>,
    /// The controller that controls, if any works.
    active_controller: Option<usize>,
}

impl World {
    /// A network in good health at its beginning, with the description's schedule of faults. `tick`: the least step.
    #[must_use]
    pub fn new(plan: Arc<Plan>, description: &Description, seed: u64, tick: Duration) -> Self {
        let devices = &description.devices;
        let stores = plan.links.iter().map(|_| Store::new(devices.store_bits, devices.store_start)).collect();
        let light: Vec<LinkLight> = plan.links.iter().enumerate().map(|(at, link)| LinkLight::new(link, at)).collect();
        let components = plan.components.len();
        let mut world = Self {
            seed,
            tick: tick.max(Duration::from_millis(1)),
            counting: description.simulation.report_interval,
            time: Duration::ZERO,
            steps: 0,
            faults: Faults::new(&plan, description, seed),
            conditions: vec![Condition::default(); components],
            counters: vec![Counters::default(); components],
            stores,
            standing: vec![Standing::Live; plan.links.len()],
            routes: Routes::default(),
            deliveries: plan.demands.iter().map(|_| Delivery::default()).collect(),
            active_controller: None,
            light,
            plan,
        };
        world.settle();
        world
    }

    /// What is simulated.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The network's time.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// The least step.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.tick
    }

    /// Lets time pass until `time`, tick by tick; at most `most` ticks, so that a caller who is behind can see it. Returns
    /// whether it got there.
    pub fn advance_to(&mut self, time: Duration, most: u32) -> bool {
        for _ in 0..most {
            if self.time + self.tick > time {
                return true;
            }
            self.step();
        }
        self.time + self.tick > time
    }

    /// Lets one tick pass.
    pub fn step(&mut self) {
        self.time += self.tick;
        self.steps += 1;
        self.faults.advance(self.time, &self.plan);
        self.settle();
        let seconds = self.tick.as_secs_f64();
        self.fill(seconds);
        self.deliver(seconds);
    }

    /// Begins a fault; its number, to end it by.
    pub fn begin(&mut self, fault: Fault) -> u32 {
        let number = self.faults.begin(fault, self.time);
        self.settle();
        number
    }

    /// Ends a fault; `false` if there is none of this number.
    pub fn end(&mut self, number: u32) -> bool {
        let ended = self.faults.end(number, self.time);
        self.settle();
        ended
    }

    /// The faults that are there now.
    #[must_use]
    pub fn active(&self) -> &[Active] {
        self.faults.active()
    }

    /// What began and ended since this was asked last.
    pub fn take_news(&mut self) -> Vec<News> {
        self.faults.take_news()
    }

    /// How a component is.
    #[must_use]
    pub fn condition(&self, component: usize) -> Condition {
        self.conditions.get(component).copied().unwrap_or_default()
    }

    /// What a component would report now: extension objects.
    #[must_use]
    pub fn report(&self, component: usize) -> Vec<Value> {
        report::of(self, component)
    }

    /// Bits that the applications at a key manager got since this was asked last, by the node that has the same keys.
    pub fn take_usage(&mut self, component: usize) -> Vec<(String, f64)> {
        let Some(Kind::KeyManager { node }) = self.plan.components.get(component).map(|it| it.kind) else {
            return Vec::new();
        };
        let mut used = Vec::new();
        for (delivery, demand) in self.deliveries.iter_mut().zip(&self.plan.demands) {
            if demand.from == node && delivery.unbilled_bits >= 1.0 {
                let peer = self.plan.nodes.get(demand.to).map_or_else(String::new, |node| node.id.clone());
                used.push((peer, delivery.unbilled_bits.floor()));
                delivery.unbilled_bits = delivery.unbilled_bits.fract();
            }
        }
        used
    }

    /// Secret bits a second that a link makes now.
    #[must_use]
    pub fn rate_bps(&self, link: usize) -> f64 {
        self.light.get(link).map_or(0.0, LinkLight::rate_bps)
    }

    /// The store of a link.
    #[must_use]
    pub fn store(&self, link: usize) -> Option<&Store> {
        self.stores.get(link)
    }

    /// What follows at once from faults: conditions, light, who controls, which links serve, routes.
    fn settle(&mut self) {
        for restarted in self.faults.conditions(self.time, &self.plan, &mut self.conditions) {
            if let Some(counters) = self.counters.get_mut(restarted) {
                *counters = Counters::default();
            }
        }
        for (index, light) in self.light.iter_mut().enumerate() {
            if let Some(link) = self.plan.links.get(index) {
                let effects = self.faults.light(index, link, self.time, &self.plan, &self.conditions);
                light.follow(link, &effects, self.time);
            }
        }
        let works = |component: &usize| self.conditions.get(*component).is_some_and(|it| it.works());
        self.active_controller = self.plan.controllers.iter().copied().find(|it| works(it));
        for (index, link) in self.plan.links.iter().enumerate() {
            let (Some(light), Some(store)) = (self.light.get(index), self.stores.get(index)) else { continue };
            let ends = link.ends.map(|end| self.plan.nodes.get(end).map_or(0, |node| node.key_manager));
            let managed = ends.iter().all(works);
            if let Some(standing) = self.standing.get_mut(index) {
                *standing = standing.next(managed, light.rate_bps(), store.fill());
            }
        }
        if let Some(controller) = self.active_controller {
            let changed = self.routes.follow(&self.plan, &self.standing, &self.conditions);
            if let Some(counters) = self.counters.get_mut(controller) {
                counters.reroutes += changed.moved;
                counters.route_failures += changed.lost;
            }
        }
    }

    /// Links make keys; stores take them.
    fn fill(&mut self, seconds: f64) {
        for (index, link) in self.plan.links.iter().enumerate() {
            let (Some(light), Some(store)) = (self.light.get_mut(index), self.stores.get_mut(index)) else { continue };
            light.generate(seconds);
            let managed = self.standing.get(index) != Some(&Standing::Unmanaged);
            store.begin(if managed { light.rate_bps() } else { 0.0 }, seconds);
            for (pair, modules) in link.pairs.iter().enumerate() {
                for module in modules {
                    if let Some(counters) = self.counters.get_mut(*module) {
                        counters.generated_bits += light.pair_rate_bps(pair) * seconds;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::simulate::description;

    /// A network of four sites in a ring with a long link, and what is described of it.
    pub(crate) const RING: &str = r#"
        nodes = [{ id = "a" }, { id = "b" }, { id = "c" }, { id = "d", kind = "relay" }]
        links = [
            { from = "a", to = "b", length_km = 20.0 },
            { from = "b", to = "c", length_km = 30.0, relay_point = true },
            { from = "c", to = "d", length_km = 25.0 },
            { from = "d", to = "a", length_km = 40.0, pairs = 2 },
        ]
        peers = [{ id = "manager-west", at = "a" }]
        [network]
        name = "Ring"
        [devices]
        store_bits = 1000000
    "#;

    pub(crate) fn world(text: &str, seed: u64) -> World {
        let description = description::parse("test", text).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = Plan::new(&description).unwrap();
        World::new(Arc::new(plan), &description, seed, Duration::from_millis(500))
    }
}
