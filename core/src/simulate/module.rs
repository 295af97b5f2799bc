//! A QKD module, as reported on Mq: error rate and key rates follow from the light that the link lets through.

use std::time::Duration;

use serde_json::{Value, json};

use super::{link::Link, noise, rounded};

/// Error rate over a healthy link.
const QBER: f64 = 0.031;
/// What a full disturbance adds to it.
const QBER_DISTURBED: f64 = 0.058;
/// Sifted bits a second over a healthy link.
const SIFTED_BPS: f64 = 14_000.0;
/// Error correction spends this much more than the Shannon limit.
const CORRECTION: f64 = 1.16;
/// Share of light that reaches the other end of the sifting.
const SIFTED_PER_RAW: f64 = 0.5;

/// A module.
#[derive(Clone, Debug)]
pub struct Module {
    id: &'static str,
    peer: &'static str,
    receiver: bool,
    qber: f64,
    sifted_bps: f64,
    detector_celsius: f64,
    laser_ma: f64,
    generated_bits: f64,
}

impl Module {
    /// The sending end.
    #[must_use]
    pub const fn transmitter(id: &'static str, peer: &'static str) -> Self {
        Self {
            id,
            peer,
            receiver: false,
            qber: QBER,
            sifted_bps: SIFTED_BPS,
            detector_celsius: -45.0,
            laser_ma: 21.0,
            generated_bits: 0.0,
        }
    }

    /// The end with the detectors.
    #[must_use]
    pub const fn receiver(id: &'static str, peer: &'static str) -> Self {
        Self { receiver: true, ..Self::transmitter(id, peer) }
    }

    /// Secret bits a second: what error correction and privacy amplification leave of the sifted ones.
    #[must_use]
    pub fn secret_key_rate(&self) -> f64 {
        let entropy = binary_entropy(self.qber);
        self.sifted_bps * (1.0 - (1.0 + CORRECTION) * entropy).max(0.0)
    }

    /// Whether any keys are left.
    #[must_use]
    pub fn makes_keys(&self) -> bool {
        self.secret_key_rate() > 0.0
    }

    pub(super) fn step(&mut self, elapsed: Duration, link: &Link, random: &mut fastrand::Rng) {
        self.qber = (QBER + link.effect() * QBER_DISTURBED + 0.002 * noise(random)).clamp(0.0, 0.5);
        let transmission = 10_f64.powf(-link.excess_loss_db() / 10.0);
        self.sifted_bps = SIFTED_BPS * transmission * (1.0 + 0.02 * noise(random));
        self.detector_celsius = (self.detector_celsius + 0.02 * noise(random)).clamp(-47.0, -43.0);
        self.laser_ma = (self.laser_ma + 0.01 * noise(random)).clamp(20.0, 22.0);
        self.generated_bits += self.secret_key_rate() * elapsed.as_secs_f64();
    }

    pub(super) fn report(&self) -> Vec<Value> {
        let mut performance = json!({
            "qber_ratio": rounded(self.qber, 4),
            "secret_key_rate_bps": self.secret_key_rate().round(),
            "sifted_key_rate_bps": self.sifted_bps.round(),
            "raw_key_rate_bps": (self.sifted_bps / SIFTED_PER_RAW).round(),
            "visibility_ratio": rounded(1.0 - 2.0 * self.qber, 4),
            "keys_generated_bits": self.generated_bits.round(),
        });
        let own = if self.receiver {
            json!({ "detector_temperature_celsius": rounded(self.detector_celsius, 2),
                    "detection_rate_cps": (self.sifted_bps * 2.2).round() })
        } else {
            json!({ "laser_bias_ma": rounded(self.laser_ma, 2) })
        };
        if let (Some(all), Value::Object(own)) = (performance.as_object_mut(), own) {
            all.extend(own);
        }
        let distillation = if self.makes_keys() { "generating" } else { "aligning" };
        vec![
            json!({ "type": "performance", "values": performance }),
            json!({ "type": "state", "values": {
                "administrative_state": "unlocked",
                "operational_state": "enabled",
                "qkdi_status": "ENABLED",
                "distillation_state": distillation,
                "synchronization_state": "locked",
                "tamper_detected": false,
            }}),
            json!({ "type": "inventory", "values": {
                "vendor": "example", "model": "q7", "serial_number": format!("sim-{}", self.id),
                "peer_component": self.peer,
                "role_support": if self.receiver { "RECEIVER" } else { "TRANSMITTER" },
            }}),
        ]
    }
}

/// Entropy of a coin that falls wrong with probability `p`.
fn binary_entropy(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 { 0.0 } else { -p * p.log2() - (1.0 - p) * (1.0 - p).log2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_above_eleven_percent() {
        let mut module = Module::transmitter("a", "b");
        assert!(module.secret_key_rate() > 6_000.0);
        module.qber = 0.11;
        assert!(!module.makes_keys(), "{}", module.secret_key_rate());
        assert!((binary_entropy(0.5) - 1.0).abs() < 1e-12);
    }
}
