//! Mu and Mx: the key service as users see it, and what another domain's manager tells of its own.

use serde_json::{Value, json};

use super::{World, inventory, noise, noise_of, performance, rounded, states};
use crate::simulate::world::{
    delivery::{Delivery, KEY_BITS},
    faults::Condition,
};

/// The service is degraded when less than this share of what is asked for is given: one peer of many that is gone does not
/// make the service to all others a bad one.
const GOOD: f64 = 0.9;
/// Below this share nothing worth the name is given.
const POOR: f64 = 0.01;

pub(super) fn users(world: &World, component: usize, node: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let counters = world.counters.get(component).copied().unwrap_or_default();
    let mut random = noise_of(world, component);
    let own: Vec<(f64, &Delivery)> = world
        .plan
        .demands
        .iter()
        .zip(&world.deliveries)
        .filter(|(demand, _)| [demand.from, demand.to].contains(&node))
        .map(|(demand, delivery)| (demand.bps, delivery))
        .collect();
    let asked: f64 = own.iter().map(|(bps, _)| bps).sum();
    let given: f64 = own.iter().map(|(_, delivery)| delivery.given_bps).sum();
    // Before the first step nothing was asked for yet.
    let share = if asked > 0.0 && world.steps > 0 { given / asked } else { 1.0 };
    let availability = own.iter().map(|(_, delivery)| delivery.availability()).fold(1.0, f64::min);
    let restoration = own.iter().map(|(_, delivery)| delivery.restoration).max().unwrap_or_default();
    let service = service(&condition, share);
    let values = performance([
        ("key_demand_bps", asked.round()),
        ("throughput_bps", given.round()),
        ("key_delivery_loss_ratio", rounded((1.0 - share).clamp(0.0, 1.0), 4)),
        ("key_delivery_error_ratio", 0.0),
        ("key_response_delay_ms", rounded(25.0 + 4.0 * noise(&mut random), 1)),
        ("key_response_delay_variation_ms", rounded(3.0 + noise(&mut random), 1)),
        ("availability_ratio", rounded(availability, 5)),
        ("service_restoration_time_s", rounded(restoration.as_secs_f64(), 1)),
        ("supply_request_count", (counters.requested_bits / KEY_BITS).floor()),
        ("supply_rejection_count", (counters.rejected_bits / KEY_BITS).floor()),
    ]);
    let app = if share > POOR { "ON" } else { "DISCONNECTED" };
    let state = states(&condition, json!({ "service_state": service, "app_status": app }));
    vec![values, state, inventory(world, component, "user-network", json!({ "service_id": "keys" }))]
}

fn service(condition: &Condition, share: f64) -> &'static str {
    if !condition.works() || share <= POOR {
        "unavailable"
    } else if share < GOOD {
        "degraded"
    } else {
        "available"
    }
}

/// The plain aggregated status of another domain, whose network is not simulated: quiet, but for what happens to its manager and
/// to the node at the border.
pub(super) fn peer(world: &World, component: usize, peer: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let mut random = noise_of(world, component);
    let border = world.plan.peers.get(peer).and_then(|peer| world.plan.nodes.get(peer.at));
    let reachable = border.is_some_and(|node| world.condition(node.key_manager).works());
    let share = if reachable { 1.0 } else { 0.9 };
    let values = performance([
        ("qber_ratio", rounded(0.041 + 0.001 * noise(&mut random), 4)),
        ("secret_key_rate_bps", (450_000.0 * (1.0 + 0.02 * noise(&mut random))).round()),
        ("key_store_fill_ratio", rounded(0.85 + 0.02 * noise(&mut random), 3)),
        ("throughput_bps", (40_000.0_f64 * share).round()),
        ("availability_ratio", share),
    ]);
    vec![values, states(&condition, json!({ "service_state": service(&condition, share) }))]
}
