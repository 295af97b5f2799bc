//! The quantum link: fibre and the optical switch in it, as reported on Mops.

use std::time::Duration;

use serde_json::{Value, json};

use super::{noise, rounded};

/// Loss of ordinary fibre at 1550 nm.
const DB_PER_KM: f64 = 0.2;
/// Loss of the switch.
const SWITCH_DB: f64 = 1.1;
/// What a full disturbance adds.
const DISTURBANCE_DB: f64 = 3.5;
/// Half of a change has come through after this time.
const HALF_LIFE_S: f64 = 0.6;

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    id: &'static str,
    length_km: f64,
    loss_db: f64,
    temperature_celsius: f64,
    /// 0: in good health; 1: bent, or somebody listens. Takes effect gradually.
    pub disturbance: f64,
    effect: f64,
}

impl Link {
    /// A link in good health.
    #[must_use]
    pub fn new(id: &'static str, length_km: f64) -> Self {
        let loss_db = length_km * DB_PER_KM + SWITCH_DB;
        Self { id, length_km, loss_db, temperature_celsius: 24.0, disturbance: 0.0, effect: 0.0 }
    }

    /// How much of the disturbance the light feels now, 0 to 1.
    #[must_use]
    pub const fn effect(&self) -> f64 {
        self.effect
    }

    /// Loss in excess of a healthy link's.
    #[must_use]
    pub fn excess_loss_db(&self) -> f64 {
        self.effect * DISTURBANCE_DB
    }

    pub(super) const fn id(&self) -> &'static str {
        self.id
    }

    pub(super) fn step(&mut self, elapsed: Duration, random: &mut fastrand::Rng) {
        let kept = 0.5_f64.powf(elapsed.as_secs_f64() / HALF_LIFE_S);
        self.effect = (self.disturbance + (self.effect - self.disturbance) * kept).clamp(0.0, 1.0);
        self.loss_db = self.length_km * DB_PER_KM + SWITCH_DB + self.excess_loss_db() + 0.05 * noise(random);
        self.temperature_celsius = (self.temperature_celsius + 0.05 * noise(random)).clamp(20.0, 30.0);
    }

    pub(super) fn report(&self) -> Vec<Value> {
        let status = if self.effect > 0.95 { "PENDING" } else { "ACTIVE" };
        vec![
            json!({ "type": "performance", "values": {
                "link_loss_db": rounded(self.loss_db, 2),
                "link_distance_km": self.length_km,
                "insertion_loss_db": SWITCH_DB,
                "enclosure_temperature_celsius": rounded(self.temperature_celsius, 1),
            }}),
            json!({ "type": "state", "values": {
                "administrative_state": "unlocked",
                "operational_state": "enabled",
                "qkdl_status": status,
                "switch_state": "locked",
                "synchronization_state": "locked",
                "enclosure_open": false,
            }}),
        ]
    }
}
