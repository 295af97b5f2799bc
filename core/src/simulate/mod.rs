//! A small QKD network that is not there: two QKD modules, the link between them, a key manager at each end and a
//! controller, whose figures follow from each other as in a real one.
//!
//! A [`Network`] is stepped through time and says what each of its components would report; equal seeds and steps give
//! equal reports. [`client`] carries reports to a manager as a real component does, over TLS and the status protocol. The
//! models know nothing of messages' transport, and neither knows anything of the manager's insides.

pub mod client;
pub mod controller;
pub mod description;
pub mod key_manager;
pub mod link;
pub mod message;
pub mod module;
pub mod physics;
pub mod running;
pub mod site;
pub mod subscriptions;
pub mod trigger;
pub mod world;

use std::time::Duration;

use serde_json::Value;

use self::{controller::Controller, key_manager::KeyManager, link::Link, module::Module};
use crate::model::{ComponentId, ComponentRef, ReferencePoint, component_id::ComponentIdError};

pub use client::{Client, ClientConfig, ClientError, Counts};

/// The six components of a [`Network`], in the order of its reports.
pub const COMPONENTS: [(ReferencePoint, &str); 6] = [
    (ReferencePoint::Mq, "alice"),
    (ReferencePoint::Mq, "bob"),
    (ReferencePoint::Mops, "link-alice-bob"),
    (ReferencePoint::Mk, "km-alice"),
    (ReferencePoint::Mk, "km-bob"),
    (ReferencePoint::Mc, "controller"),
];

/// [`COMPONENTS`] as the model names them.
pub fn components() -> Result<Vec<ComponentRef>, ComponentIdError> {
    COMPONENTS.into_iter().map(|(point, id)| Ok(ComponentRef::new(point, ComponentId::new(id)?))).collect()
}

/// The network.
#[derive(Clone, Debug)]
pub struct Network {
    random: fastrand::Rng,
    /// The fibre between the modules.
    pub link: Link,
    modules: [Module; 2],
    /// The stores at both ends.
    pub key_managers: [KeyManager; 2],
    controller: Controller,
}

impl Network {
    /// A network in good health.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            link: Link::new("link-alice-bob", 50.0),
            modules: [Module::transmitter("alice", "bob"), Module::receiver("bob", "alice")],
            key_managers: [KeyManager::new("km-bob"), KeyManager::new("km-alice")],
            controller: Controller::default(),
        }
    }

    /// Lets time pass.
    pub fn step(&mut self, elapsed: Duration) {
        self.link.step(elapsed, &mut self.random);
        for module in &mut self.modules {
            module.step(elapsed, &self.link, &mut self.random);
        }
        // Both ends distil the same keys: the rate of the slower one.
        let rate = self.modules.iter().map(Module::secret_key_rate).fold(f64::INFINITY, f64::min);
        for key_manager in &mut self.key_managers {
            key_manager.step(elapsed, rate);
        }
        let working = self.modules.iter().all(Module::makes_keys);
        self.controller.step(working, &mut self.random);
    }

    /// What each component would report now: extension objects, in the order of [`COMPONENTS`].
    #[must_use]
    pub fn reports(&self) -> [Vec<Value>; 6] {
        let [alice, bob] = &self.modules;
        let [km_alice, km_bob] = &self.key_managers;
        [
            alice.report(),
            bob.report(),
            self.link.report(),
            km_alice.report(),
            km_bob.report(),
            self.controller.report(&self.link),
        ]
    }
}

/// A number near zero, more often nearer: the sum of two throws, between -1 and 1.
fn noise(random: &mut fastrand::Rng) -> f64 {
    random.f64() + random.f64() - 1.0
}

/// Rounded to `digits` after the point, as instruments show it.
fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(seed: u64, steps: usize) -> Vec<[Vec<Value>; 6]> {
        let mut network = Network::new(seed);
        (0..steps)
            .map(|step| {
                network.link.disturbance = if (10..20).contains(&step) { 1.0 } else { 0.0 };
                network.step(Duration::from_millis(500));
                network.reports()
            })
            .collect()
    }

    #[test]
    fn equal_seeds_report_alike_and_others_do_not() {
        assert_eq!(run(7, 40), run(7, 40));
        assert_ne!(run(7, 40), run(8, 40));
    }

    fn value(report: &[Value], name: &str) -> f64 {
        report.iter().find_map(|object| object["values"][name].as_f64()).unwrap()
    }

    #[test]
    fn a_disturbed_link_raises_errors_and_starves_the_stores() {
        let mut network = Network::new(1);
        for _ in 0..20 {
            network.step(Duration::from_millis(500));
        }
        let calm = network.reports();
        network.link.disturbance = 1.0;
        for _ in 0..20 {
            network.step(Duration::from_millis(500));
        }
        let disturbed = network.reports();
        for module in 0..2 {
            assert!(value(&calm[module], "qber_ratio") < 0.045);
            assert!(value(&disturbed[module], "qber_ratio") > 0.075);
            assert!(
                value(&disturbed[module], "secret_key_rate_bps") < value(&calm[module], "secret_key_rate_bps") / 2.0
            );
        }
        assert!(value(&disturbed[2], "link_loss_db") > value(&calm[2], "link_loss_db") + 2.0);
        assert!(value(&disturbed[3], "key_input_rate_bps") < value(&calm[3], "key_input_rate_bps"));
    }

    #[test]
    fn every_name_and_word_is_of_the_catalogue_and_in_range() {
        let catalogue = crate::model::Catalogue::get();
        for reports in run(3, 60) {
            for (report, (point, _)) in reports.iter().zip(COMPONENTS) {
                for object in report {
                    let Some(values) = object["values"].as_object() else { continue };
                    for (name, value) in values {
                        match object["type"].as_str().unwrap() {
                            "performance" => {
                                let entry = catalogue.performance.iter().find(|entry| &entry.name == name).unwrap();
                                let value = value.as_f64().unwrap();
                                assert!(entry.min.is_none_or(|min| value >= min), "{name} {value}");
                                assert!(entry.max.is_none_or(|max| value <= max), "{name} {value}");
                                assert!(entry.points.iter().any(|known| known == point.as_str()), "{name} on {point}");
                            }
                            "state" => {
                                let entry = catalogue.state.iter().find(|entry| &entry.name == name).unwrap();
                                let word = value.as_str();
                                assert!(
                                    word.is_none_or(|word| entry.words.iter().any(|w| w == word)),
                                    "{name} {value}"
                                );
                            }
                            _ => assert!(catalogue.inventory.iter().any(|entry| &entry.name == name), "{name}"),
                        }
                    }
                }
            }
        }
    }

    proptest! {
        /// What is in a store is what came in less what went out, and never outside its walls.
        #[test]
        fn stores_lose_no_keys(seed: u64, demands in proptest::collection::vec(0.0_f64..2e5, 1..60)) {
            let mut network = Network::new(seed);
            let mut level = network.key_managers[0].level();
            for demand in demands {
                network.key_managers[0].demand_bps = demand;
                network.step(Duration::from_millis(500));
                let store = &network.key_managers[0];
                let expected = (level + (store.input_bps() - store.output_bps()) * 0.5).clamp(0.0, store.capacity());
                prop_assert!((store.level() - expected).abs() < 1e-6);
                prop_assert!(store.output_bps() <= demand + 1e-9);
                level = store.level();
            }
        }
    }
}
