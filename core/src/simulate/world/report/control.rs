//! Mc: a controller, the routes it chose and the network as it sees it.

use serde_json::{Value, json};

use super::{World, inventory, noise, noise_of, performance, rounded, states};
use crate::simulate::{
    description::NodeKind,
    world::{delivery::nodes_between, route::Standing},
};

/// Most routes told in a report: it is a line, and lines have a longest length.
const MOST_ROUTES: usize = 250;
/// Most nodes and links told.
const MOST_PARTS: usize = 400;

pub(super) fn controller(world: &World, component: usize, rank: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let counters = world.counters.get(component).copied().unwrap_or_default();
    let mut random = noise_of(world, component);
    let is_active = world.active_controller == Some(component);
    let role = if is_active { "active" } else { "standby" };
    let status = if condition.works() { "OPERATING" } else { "FAILURE" };
    #[expect(clippy::cast_precision_loss, reason = "numbers of routes")]
    let values = performance([
        ("active_relay_path_count", if is_active { world.routes.active() as f64 } else { 0.0 }),
        ("reroute_count", counters.reroutes as f64),
        ("route_failure_count", counters.route_failures as f64),
        ("route_computation_delay_ms", rounded(4.0 + noise(&mut random), 2)),
        ("session_setup_delay_ms", rounded(18.0 + 3.0 * noise(&mut random), 1)),
        ("cpu_load_ratio", rounded(0.2 + 0.05 * noise(&mut random), 3)),
    ]);
    let more = json!({ "protection_type": if world.plan.controllers.len() > 1 { "1:1" } else { "none" },
        "node_id": format!("controller-{}", rank + 1) });
    let state = states(&condition, json!({ "qkdn_status": status, "controller_role": role }));
    let mut objects = vec![values, state, inventory(world, component, "controller", more)];
    if is_active {
        objects.push(topology(world));
    }
    objects
}

fn topology(world: &World) -> Value {
    let plan = &world.plan;
    let name = |node: usize| plan.nodes.get(node).map_or("", |node| node.id.as_str());
    let nodes: Vec<Value> = plan
        .nodes
        .iter()
        .take(MOST_PARTS)
        .map(|node| {
            let kind = if node.kind == NodeKind::Site { "qkd-node" } else { "trusted-relay" };
            json!({ "id": node.id, "kind": kind, "site": node.id })
        })
        .collect();
    let links: Vec<Value> = plan
        .links
        .iter()
        .zip(&world.standing)
        .take(MOST_PARTS)
        .map(|(link, standing)| {
            let state = match standing {
                Standing::Live => "ACTIVE",
                Standing::Stored => "PENDING",
                Standing::Empty | Standing::Unmanaged => "OFF",
            };
            json!({ "id": link.id, "a": name(link.ends[0]), "b": name(link.ends[1]), "kind": "PHYS", "state": state })
        })
        .collect();
    let routes: Vec<Value> = plan
        .demands
        .iter()
        .enumerate()
        .filter_map(|(number, demand)| Some((demand, world.routes.way(number)?)))
        .take(MOST_ROUTES)
        .map(|(demand, way)| {
            let between = nodes_between(plan, way, demand.from);
            let hops: Vec<&str> = std::iter::once(demand.from).chain(between).chain([demand.to]).map(name).collect();
            json!({ "id": format!("{}-{}", name(demand.from), name(demand.to)), "hops": hops })
        })
        .collect();
    json!({ "type": "topology", "nodes": nodes, "links": links, "routes": routes })
}
