//! Mq, Mops and Mqrp: modules, fibres, switches and relay points.

use serde_json::{Value, json};

use super::{World, id_of, inventory, noise, noise_of, performance, rounded, states};
use crate::simulate::{
    physics::{Performance, RelayPerformance, fluctuation::counted},
    world::light::Shown,
};

/// Numbers that noise of pairs is drawn by begin here, beyond those of components.
const PAIRS: usize = 1 << 32;

pub(super) fn module(world: &World, component: usize, link: usize, pair: usize, end: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let Some((planned, light)) = world.plan.links.get(link).zip(world.light.get(link)) else { return Vec::new() };
    let rate = light.pair_rate_bps(pair);
    let mut random = noise_of(world, component);
    let generated = world.counters.get(component).map_or(0.0, |counters| counters.generated_bits);
    // Both ends show what they counted together: the same noise.
    let mut common = noise_of(world, PAIRS + link * 1_024 + pair);
    let seconds = world.counting.as_secs_f64();
    let mut values = vec![("keys_generated_bits", generated.floor())];
    if condition.works() {
        match light.shown(pair) {
            Some(Shown::Direct(shown)) => {
                let seen = shown.observed(seconds, &mut common);
                values.extend(direct(&seen, end, rate > 0.0, &mut random));
            }
            Some(Shown::Measured(shown)) => values.extend(sender(shown, rate, seconds, &mut common)),
            None => {}
        }
        let sends = end == 0 || planned.relay_point.is_some();
        if sends {
            values.push(("laser_bias_ma", rounded(21.0 + 0.05 * noise(&mut random), 2)));
        }
    } else {
        values.extend([("secret_key_rate_bps", 0.0), ("sifted_key_rate_bps", 0.0), ("raw_key_rate_bps", 0.0)]);
    }
    values.push(("enclosure_temperature_celsius", rounded(24.0 + 0.3 * noise(&mut random), 1)));
    let dark = light.effects(pair).fibre_cut;
    let distillation = match (condition.works(), rate > 0.0) {
        (false, _) => "aborted",
        (true, true) => "generating",
        (true, false) => "aligning",
    };
    let state = states(
        &condition,
        json!({
            "qkdi_status": if condition.works() { "ENABLED" } else { "FAILED" },
            "distillation_state": distillation,
            "synchronization_state": if dark && condition.works() { "holdover" } else { "locked" },
            "tamper_detected": false,
        }),
    );
    let peer =
        planned.pairs.get(pair).and_then(|pair| pair.get(1 - end)).map_or_else(String::new, |it| id_of(world, *it));
    let role = if end == 0 || planned.relay_point.is_some() { "TRANSMITTER" } else { "RECEIVER" };
    let kind = if planned.relay_point.is_some() { "MDI-QKD" } else { "DV-QKD" };
    let more = json!({ "peer_component": peer, "role_support": role, "link_id": planned.id, "qkd_type": kind });
    let values: serde_json::Map<String, Value> =
        values.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    vec![json!({ "type": "performance", "values": values }), state, inventory(world, component, "decoy-bb84", more)]
}

/// What an end of a direct link shows. The sender learns rates and errors from the other end.
fn direct(seen: &Performance, end: usize, makes_keys: bool, random: &mut fastrand::Rng) -> Vec<(&'static str, f64)> {
    let mut values = vec![
        ("qber_ratio", rounded(seen.qber_ratio, 5)),
        ("secret_key_rate_bps", if makes_keys { seen.secret_key_rate_bps.round() } else { 0.0 }),
        ("sifted_key_rate_bps", seen.sifted_key_rate_bps.round()),
        ("raw_key_rate_bps", seen.raw_key_rate_bps.round()),
        ("visibility_ratio", rounded(seen.visibility_ratio, 4)),
        ("detection_rate_cps", seen.detection_rate_cps.round()),
    ];
    if end == 1 {
        values.extend([
            ("snr_db", rounded(seen.snr_db, 2)),
            ("dark_count_rate_cps", seen.dark_count_rate_cps.round()),
            ("detector_temperature_celsius", rounded(seen.detector_temperature_celsius + 0.1 * noise(random), 2)),
        ]);
    }
    values
}

/// What a sender to a relay point shows.
fn sender(shown: &RelayPerformance, rate: f64, seconds: f64, random: &mut fastrand::Rng) -> Vec<(&'static str, f64)> {
    let (rate_cps, error) = measured(shown, seconds, random);
    let share = if shown.measurement_rate_cps > 0.0 { rate_cps / shown.measurement_rate_cps } else { 0.0 };
    vec![
        ("qber_ratio", rounded(error, 5)),
        ("secret_key_rate_bps", (rate * share).round()),
        ("sifted_key_rate_bps", rate_cps.round()),
        ("raw_key_rate_bps", rate_cps.round()),
        ("detection_rate_cps", shown.detection_rate_cps.round()),
    ]
}

/// Joint measurements a second as counted for so long, and their share of errors.
fn measured(shown: &RelayPerformance, seconds: f64, random: &mut fastrand::Rng) -> (f64, f64) {
    let all = counted(shown.measurement_rate_cps * seconds, random);
    let wrong = counted(shown.measurement_rate_cps * shown.measurement_error_ratio * seconds, random).min(all);
    (all / seconds, if all > 0.0 { wrong / all } else { shown.measurement_error_ratio })
}

pub(super) fn fibre(world: &World, component: usize, link: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let Some((planned, light)) = world.plan.links.get(link).zip(world.light.get(link)) else { return Vec::new() };
    let mut random = noise_of(world, component);
    let loss = light.shown(0).map_or(0.0, Shown::loss_db) + 0.02 * noise(&mut random);
    let status = match (condition.works(), light.effects(0).fibre_cut, light.rate_bps() > 0.0) {
        (false, ..) => "PASSIVE",
        (_, true, _) => "OFF",
        (_, _, true) => "ACTIVE",
        (_, _, false) => "PENDING",
    };
    let distance = ("link_distance_km", rounded(planned.length_km, 2));
    let temperature = ("enclosure_temperature_celsius", rounded(22.0 + 0.3 * noise(&mut random), 1));
    let values = if condition.works() {
        performance([("link_loss_db", rounded(loss.max(0.0), 2)), distance, temperature])
    } else {
        performance([distance])
    };
    let state = states(&condition, json!({ "qkdl_status": status, "enclosure_open": false }));
    let more = json!({ "link_id": planned.id, "link_type": "PHYS" });
    vec![values, state, inventory(world, component, "fibre-monitor", more)]
}

pub(super) fn switch(world: &World, component: usize, node: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let mut random = noise_of(world, component);
    let works = condition.works() && !condition.stuck;
    let busy = world.plan.nodes.get(node).is_some_and(|node| !node.links.is_empty());
    let switch = match (works, busy) {
        (false, _) => "failed",
        (true, true) => "locked",
        (true, false) => "idle",
    };
    let values = performance([
        ("insertion_loss_db", rounded(0.5 + 0.02 * noise(&mut random), 2)),
        ("switching_time_ms", rounded(8.0 + noise(&mut random), 1)),
        ("enclosure_temperature_celsius", rounded(23.0 + 0.3 * noise(&mut random), 1)),
    ]);
    let state = states(
        &condition,
        json!({ "switch_state": switch, "synchronization_state": "locked", "enclosure_open": false }),
    );
    vec![values, state, inventory(world, component, "optical-switch", json!({}))]
}

pub(super) fn relay_point(world: &World, component: usize, link: usize) -> Vec<Value> {
    let condition = world.condition(component);
    let Some((planned, light)) = world.plan.links.get(link).zip(world.light.get(link)) else { return Vec::new() };
    let Some(Shown::Measured(shown)) = light.shown(0) else { return Vec::new() };
    let mut common = noise_of(world, PAIRS + link * 1_024);
    let (rate, error) = measured(shown, world.counting.as_secs_f64(), &mut common);
    let works = condition.works();
    let rate = if works { rate } else { 0.0 };
    let mut values = vec![
        ("link_distance_km", rounded(planned.length_km, 2)),
        ("measurement_rate_cps", rate.round()),
        ("detection_rate_cps", if works { shown.detection_rate_cps.round() } else { 0.0 }),
        ("dark_count_rate_cps", shown.dark_count_rate_cps.round()),
        ("enclosure_temperature_celsius", rounded(23.0 + 0.3 * noise(&mut noise_of(world, component)), 1)),
    ];
    if works {
        values
            .extend([("link_loss_db", rounded(shown.link_loss_db, 2)), ("measurement_error_ratio", rounded(error, 5))]);
    }
    let values: serde_json::Map<String, Value> =
        values.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let state = match (works, light.rate_bps() > 0.0) {
        (false, _) => "failed",
        (true, true) => "measuring",
        (true, false) => "idle",
    };
    let state = states(
        &condition,
        json!({ "relay_point_state": state, "synchronization_state": "locked", "enclosure_open": false }),
    );
    let more = json!({ "link_id": planned.id, "relay_point_type": "untrusted Bell measurement" });
    vec![
        json!({ "type": "performance", "values": values }),
        state,
        inventory(world, component, "bell-measurement", more),
    ]
}
