//! A key manager, as reported on Mk: a store that the modules fill and that applications drain.

use std::time::Duration;

use serde_json::{Value, json};

use super::rounded;

/// Room for keys.
const CAPACITY_BITS: f64 = 2_000_000.0;
/// Share of it that is full at the start.
const START: f64 = 0.6;
/// What applications take on a quiet day.
const DEMAND_BPS: f64 = 5_000.0;
/// Bits of one key.
const KEY_BITS: f64 = 256.0;

/// A key manager and its store towards one peer.
#[derive(Clone, Debug)]
pub struct KeyManager {
    peer: &'static str,
    level_bits: f64,
    input_bps: f64,
    output_bps: f64,
    refused: u64,
    /// What applications ask for.
    pub demand_bps: f64,
    /// Keys that come from elsewhere (a second link, say) beside those of the modules.
    pub supply_bps: f64,
}

impl KeyManager {
    /// A store on a quiet day; `peer` is the key manager that holds the same keys.
    #[must_use]
    pub const fn new(peer: &'static str) -> Self {
        Self {
            peer,
            level_bits: CAPACITY_BITS * START,
            input_bps: 0.0,
            output_bps: 0.0,
            refused: 0,
            demand_bps: DEMAND_BPS,
            supply_bps: 0.0,
        }
    }

    /// Back to what applications take on a quiet day, and no supply from elsewhere.
    pub const fn calm(&mut self) {
        self.demand_bps = DEMAND_BPS;
        self.supply_bps = 0.0;
    }

    /// Bits in the store.
    #[must_use]
    pub const fn level(&self) -> f64 {
        self.level_bits
    }

    /// Bits it has room for.
    #[must_use]
    pub const fn capacity(&self) -> f64 {
        CAPACITY_BITS
    }

    /// Share that is full.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.level_bits / CAPACITY_BITS
    }

    /// Bits a second that came in during the last step.
    #[must_use]
    pub const fn input_bps(&self) -> f64 {
        self.input_bps
    }

    /// Bits a second that went out during the last step.
    #[must_use]
    pub const fn output_bps(&self) -> f64 {
        self.output_bps
    }

    pub(super) fn step(&mut self, elapsed: Duration, rate_bps: f64) {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.input_bps = rate_bps + self.supply_bps;
        let available = self.level_bits + self.input_bps * seconds;
        self.output_bps = self.demand_bps.min(available / seconds);
        if self.output_bps < self.demand_bps {
            self.refused += 1;
        }
        self.level_bits = (available - self.output_bps * seconds).clamp(0.0, CAPACITY_BITS);
    }

    pub(super) fn report(&self) -> Vec<Value> {
        let service = if self.level_bits > 0.0 { "enabled" } else { "disabled" };
        vec![
            json!({ "type": "performance", "values": {
                "key_store_level_bits": self.level_bits.round(),
                "key_store_capacity_bits": CAPACITY_BITS,
                "key_store_fill_ratio": rounded(self.fill(), 4),
                "stored_key_count": (self.level_bits / KEY_BITS).floor(),
                "key_input_rate_bps": self.input_bps.round(),
                "key_output_rate_bps": self.output_bps.round(),
                "expected_consumption_bps": self.demand_bps.round(),
                "supply_rejection_count": self.refused,
            }}),
            json!({ "type": "state", "values": {
                "administrative_state": "unlocked",
                "operational_state": service,
                "qkdn_status": "OPERATING",
                "kma_link_state": "up",
            }}),
            json!({ "type": "inventory", "values": { "vendor": "example", "model": "k2", "peer_component": self.peer } }),
        ]
    }
}
