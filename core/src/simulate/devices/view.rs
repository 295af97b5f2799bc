//! A node of the simulated network as its devices see it at a moment: taken from what its components would report.

use serde_json::Value;

use crate::simulate::{description::Plan, world::World};

/// What a node has in common with a neighbour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkView {
    /// The link's name.
    pub id: String,
    /// The neighbour's name.
    pub other: String,
    /// Keys of 256 bits in the store.
    pub keys: u64,
    /// Keys that it holds.
    pub most_keys: u64,
    /// Keys a second that come in.
    pub keys_a_second: f64,
    /// What the node's module says of the link.
    pub qber_ratio: Option<f64>,
    /// The same.
    pub snr_db: Option<f64>,
    /// Bits a second.
    pub secret_key_rate_bps: f64,
    /// Of the fibre.
    pub loss_db: Option<f64>,
    /// `ACTIVE`, `PASSIVE`, `PENDING` or `OFF`.
    pub status: String,
    /// Whether the node's module works.
    pub module_works: bool,
    /// The node's module, as its component is called.
    pub module: String,
    /// `TRANSMITTER` or `RECEIVER`.
    pub role: String,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeView {
    /// Its name.
    pub id: String,
    /// Whether its key manager works.
    pub works: bool,
    /// All its neighbours.
    pub links: Vec<LinkView>,
    /// Sites that have users: whom keys can be shared with.
    pub sites: Vec<String>,
    /// Sites that its users ask keys with, and bits a second.
    pub demands: Vec<(String, f64)>,
    /// Whether its users are served.
    pub is_served: bool,
}

impl NodeView {
    /// The store that keys with a site come from: the link to it, or for one that is further away the fullest of all.
    #[must_use]
    pub fn towards(&self, site: &str) -> Option<&LinkView> {
        let direct = self.links.iter().find(|link| link.other == site);
        direct.or_else(|| self.links.iter().max_by_key(|link| link.keys))
    }
}

/// The value of a report's objects.
fn value<'a>(objects: &'a [Value], kind: &str, resource: &str, name: &str) -> Option<&'a Value> {
    let of = |object: &&Value| {
        object["type"] == kind && object.get("resource").and_then(Value::as_str).unwrap_or_default() == resource
    };
    objects.iter().filter(of).find_map(|object| object["values"].get(name))
}

fn number(objects: &[Value], resource: &str, name: &str) -> Option<f64> {
    value(objects, "performance", resource, name)?.as_f64()
}

fn word<'a>(objects: &'a [Value], name: &str) -> &'a str {
    value(objects, "state", "", name).and_then(Value::as_str).unwrap_or_default()
}

/// How a node is.
pub(super) fn of(world: &World, node: usize) -> NodeView {
    let plan = world.plan();
    let Some(planned) = plan.nodes.get(node) else { return NodeView::default() };
    let manager = world.report(planned.key_manager);
    let links = planned.links.iter().filter_map(|link| link_of(world, plan, node, *link, &manager)).collect();
    let users = planned.users.map(|users| world.report(users)).unwrap_or_default();
    let own = plan.demands.iter().filter(|demand| demand.from == node || demand.to == node);
    let demand = |demand: &crate::simulate::description::plan::PlannedDemand| {
        let other = if demand.from == node { demand.to } else { demand.from };
        Some((plan.nodes.get(other)?.id.clone(), demand.bps))
    };
    NodeView {
        id: planned.id.clone(),
        works: world.condition(planned.key_manager).works(),
        links,
        sites: plan.nodes.iter().filter(|node| node.users.is_some()).map(|node| node.id.clone()).collect(),
        demands: own.filter_map(demand).collect(),
        is_served: word(&users, "app_status") == "ON",
    }
}

fn link_of(world: &World, plan: &Plan, node: usize, link: usize, manager: &[Value]) -> Option<LinkView> {
    let planned = plan.links.get(link)?;
    let end = usize::from(planned.ends.first() != Some(&node));
    let other = plan.nodes.get(*planned.ends.get(1 - end)?)?;
    let module = *planned.pairs.first()?.get(end)?;
    let (seen, fibre) = (world.report(module), world.report(planned.fibre));
    let stored = |name: &str| number(manager, &planned.id, name).unwrap_or_default();
    // Counts of keys, far below where this rounds.
    let keys = |bits: f64| (bits / 256.0).max(0.0) as u64;
    Some(LinkView {
        id: planned.id.clone(),
        other: other.id.clone(),
        keys: keys(stored("key_store_level_bits")),
        most_keys: keys(stored("key_store_capacity_bits")),
        keys_a_second: stored("key_input_rate_bps") / 256.0,
        qber_ratio: number(&seen, "", "qber_ratio"),
        snr_db: number(&seen, "", "snr_db"),
        secret_key_rate_bps: number(&seen, "", "secret_key_rate_bps").unwrap_or_default(),
        loss_db: number(&fibre, "", "link_loss_db"),
        status: word(&fibre, "qkdl_status").to_owned(),
        module_works: world.condition(module).works(),
        module: plan.components.get(module)?.component.id.to_string(),
        role: value(&seen, "inventory", "", "role_support").and_then(Value::as_str).unwrap_or("TRANSCEIVER").to_owned(),
    })
}
