//! The QKDN controller, as reported on Mc: which relay routes there are, and how it fared with them.

use serde_json::{Value, json};

use super::{link::Link, noise, rounded};

/// A controller with one route.
#[derive(Clone, Debug, Default)]
pub struct Controller {
    down: bool,
    failures: u64,
    reroutes: u64,
    load: f64,
    delay_ms: f64,
}

impl Controller {
    pub(super) fn step(&mut self, working: bool, random: &mut fastrand::Rng) {
        if self.down == working {
            self.down = !working;
            if self.down {
                self.failures += 1;
            } else {
                self.reroutes += 1;
            }
        }
        self.load = (0.2 + 0.05 * noise(random)).max(0.0);
        self.delay_ms = (4.0 + noise(random)).max(0.0);
    }

    pub(super) fn report(&self, link: &Link) -> Vec<Value> {
        let state = if self.down { "DOWN" } else { "OPERATING" };
        vec![
            json!({ "type": "performance", "values": {
                "active_relay_path_count": u32::from(!self.down),
                "route_failure_count": self.failures,
                "reroute_count": self.reroutes,
                "route_computation_delay_ms": rounded(self.delay_ms, 2),
                "cpu_load_ratio": rounded(self.load, 3),
            }}),
            json!({ "type": "state", "values": {
                "administrative_state": "unlocked",
                "operational_state": "enabled",
                "qkdn_status": state,
                "controller_role": "active",
            }}),
            json!({ "type": "topology",
                "nodes": [{ "id": "node-alice", "kind": "qkd-node" }, { "id": "node-bob", "kind": "qkd-node" }],
                "links": [{ "id": link.id(), "a": "node-alice", "b": "node-bob", "kind": "PHYS" }],
                "routes": [{ "id": "route-1", "hops": ["node-alice", "node-bob"] }],
            }),
        ]
    }
}
