//! What components report: extension objects of the status protocol, under the names of the catalogue.
//!
//! Noise of instruments comes from the seed, the component and the time alone: who asks twice is told the same.

mod control;
mod keys;
mod optics;
mod users;

use serde_json::{Map, Value, json};

use super::{World, faults::Condition};
use crate::simulate::description::plan::Kind;

/// The report of a component.
pub(super) fn of(world: &World, component: usize) -> Vec<Value> {
    let Some(kind) = world.plan.components.get(component).map(|component| component.kind) else { return Vec::new() };
    match kind {
        Kind::Module { link, pair, end } => optics::module(world, component, link, pair, end),
        Kind::Fibre { link } => optics::fibre(world, component, link),
        Kind::Switch { node } => optics::switch(world, component, node),
        Kind::RelayPoint { link } => optics::relay_point(world, component, link),
        Kind::KeyManager { node } => keys::key_manager(world, component, node),
        Kind::Controller { rank } => control::controller(world, component, rank),
        Kind::Users { node } => users::users(world, component, node),
        Kind::Peer { peer } => users::peer(world, component, peer),
    }
}

/// A source of noise of this component (or any other number) at this moment.
fn noise_of(world: &World, what: usize) -> fastrand::Rng {
    // Steps of SplitMix64 keep neighbours apart.
    let mut state = world.seed ^ (what as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ world.steps.rotate_left(32);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    fastrand::Rng::with_seed(state ^ (state >> 31))
}

/// A number near zero, more often nearer: between -1 and 1.
fn noise(random: &mut fastrand::Rng) -> f64 {
    random.f64() + random.f64() - 1.0
}

/// Rounded to `digits` after the point, as instruments show it.
fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

/// Performance of the component itself.
fn performance<const N: usize>(values: [(&str, f64); N]) -> Value {
    let values: Map<String, Value> = values.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({ "type": "performance", "values": values })
}

/// The states that every component has.
fn states(condition: &Condition, more: Value) -> Value {
    let mut values = Map::new();
    values.insert("administrative_state".to_owned(), "unlocked".into());
    let operational = if condition.works() { "enabled" } else { "disabled" };
    values.insert("operational_state".to_owned(), operational.into());
    if let Value::Object(more) = more {
        values.extend(more);
    }
    json!({ "type": "state", "values": values })
}

/// Inventory: what stands where.
fn inventory(world: &World, component: usize, model: &str, more: Value) -> Value {
    let mut values = Map::new();
    if let Some(known) = world.plan.components.get(component) {
        values.insert("vendor".to_owned(), VENDOR.into());
        values.insert("model".to_owned(), model.into());
        values.insert("serial_number".to_owned(), format!("sim-{}", known.component.id).into());
        values.insert("software_version".to_owned(), env!("CARGO_PKG_VERSION").into());
        values.insert("site".to_owned(), known.site.clone().into());
    }
    if let Value::Object(more) = more {
        values.extend(more);
    }
    json!({ "type": "inventory", "values": values })
}

/// Who made all of it.
pub const VENDOR: &str = "simulated";

fn id_of(world: &World, component: usize) -> String {
    world.plan.components.get(component).map_or_else(String::new, |it| it.component.id.as_str().to_owned())
}
