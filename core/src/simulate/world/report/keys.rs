//! Mk: a key manager, its stores and its links to others.

use serde_json::{Value, json};

use super::{World, id_of, inventory, noise, noise_of, performance, rounded, states};
use crate::simulate::world::{delivery::KEY_BITS, route::Standing, store::Store};

pub(super) fn key_manager(world: &World, component: usize, node: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let Some(planned) = world.plan.nodes.get(node) else { return Vec::new() };
    let counters = world.counters.get(component).copied().unwrap_or_default();
    let mut random = noise_of(world, component);
    let stores: Vec<(usize, &Store)> =
        planned.links.iter().filter_map(|link| Some((*link, world.stores.get(*link)?))).collect();
    let sum = |of: fn(&Store) -> f64| stores.iter().map(|(_, store)| of(store)).sum::<f64>();
    let (level, capacity) = (sum(|store| store.level), sum(|store| store.capacity));
    let own =
        world.plan.demands.iter().zip(&world.deliveries).filter(|(demand, _)| [demand.from, demand.to].contains(&node));
    let given: f64 = own.clone().map(|(_, delivery)| delivery.given_bps).sum();
    let expected: f64 = own.map(|(demand, _)| demand.bps).sum::<f64>() + condition.drain_bps;
    let works = condition.works();
    let mut objects = vec![performance([
        ("key_store_level_bits", level.floor()),
        ("key_store_capacity_bits", capacity),
        ("key_store_fill_ratio", if capacity > 0.0 { rounded(level / capacity, 4) } else { 0.0 }),
        ("stored_key_count", (level / KEY_BITS).floor()),
        ("key_input_rate_bps", if works { sum(|store| store.input_bps).round() } else { 0.0 }),
        ("key_output_rate_bps", if works { sum(|store| store.output_bps).round() } else { 0.0 }),
        ("expected_consumption_bps", expected.round()),
        ("throughput_bps", given.round()),
        ("relay_count", (counters.relayed_bits / KEY_BITS).floor()),
        ("relay_failure_count", (counters.failed_bits / KEY_BITS).floor()),
        ("supply_request_count", (counters.requested_bits / KEY_BITS).floor()),
        ("supply_rejection_count", (counters.rejected_bits / KEY_BITS).floor()),
        ("key_response_delay_ms", rounded(12.0 + 2.0 * noise(&mut random), 1)),
        ("cpu_load_ratio", rounded(0.2 + 0.03 * noise(&mut random), 3)),
        ("enclosure_temperature_celsius", rounded(25.0 + 0.4 * noise(&mut random), 1)),
    ])];
    objects.push(states(&condition, json!({ "qkdn_status": if works { "OPERATING" } else { "FAILURE" } })));
    for (link, store) in stores {
        objects.extend(towards(world, node, link, store));
    }
    objects.push(inventory(world, component, "key-manager", json!({ "kme_id": planned.id, "node_id": planned.id })));
    objects
}

/// What it holds in common with one neighbour.
fn towards(world: &World, node: usize, link: usize, store: &Store) -> Vec<Value> {
    let Some(planned) = world.plan.links.get(link) else { return Vec::new() };
    let state = match world.standing.get(link) {
        Some(Standing::Live) => "up",
        Some(Standing::Stored) => "degraded",
        _ => "down",
    };
    let other = crate::simulate::world::route::other_end(&world.plan, link, node)
        .and_then(|other| world.plan.nodes.get(other))
        .map_or_else(String::new, |other| id_of(world, other.key_manager));
    let resource = planned.id.as_str();
    vec![
        json!({ "type": "performance", "resource": resource, "values": {
            "key_store_level_bits": store.level.floor(),
            "key_store_capacity_bits": store.capacity,
            "key_store_fill_ratio": rounded(store.fill(), 4),
            "stored_key_count": (store.level / KEY_BITS).floor(),
            "key_input_rate_bps": store.input_bps.round(),
            "key_output_rate_bps": store.output_bps.round(),
        }}),
        json!({ "type": "state", "resource": resource, "values": { "kma_link_state": state } }),
        json!({ "type": "inventory", "resource": resource, "values": { "peer_component": other, "link_id": resource } }),
    ]
}
