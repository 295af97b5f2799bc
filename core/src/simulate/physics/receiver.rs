//! The receiver: optics and gated single-photon detectors.

use super::channel::transmittance;

/// Boltzmann's constant in electronvolts a kelvin (exact since the SI of 2019, rounded).
const BOLTZMANN_EV_PER_K: f64 = 8.617_333_262e-5;
/// Zero Celsius in kelvin.
const ZERO_CELSIUS_K: f64 = 273.15;

/// A receiver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Receiver {
    /// Probability that a photon at a detector clicks.
    pub detector_efficiency: f64,
    /// Loss of the receiver's own optics, in decibels.
    pub optics_loss_db: f64,
    /// Detectors that listen to each pulse.
    pub detectors: f64,
    /// Probability that a detector clicks in the gate of a pulse without any light, at `nominal_temperature_celsius`.
    pub dark_count_probability: f64,
    /// Probability that a click is followed by another one without light, from carriers that the first left behind.
    pub afterpulse_probability: f64,
    /// Probability that a photon clicks in the wrong detector.
    pub misalignment: f64,
    /// After a click nothing is counted for so long, in seconds.
    pub dead_time_s: f64,
    /// The temperature of the detectors that the other figures hold for.
    pub nominal_temperature_celsius: f64,
    /// Activation energy of dark counts, in electronvolts: how fast they rise with temperature.
    pub activation_energy_ev: f64,
}

impl Receiver {
    /// Probability that a photon at the receiver's entrance clicks: the product of optics and detectors, `eta_Bob` in Ma et al. (2005).
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        self.detector_efficiency * transmittance(self.optics_loss_db)
    }

    /// Probability of a click without light in a pulse, of all detectors together, at a temperature: `Y0` in Ma et al. (2005).
    ///
    /// Over temperature it follows Arrhenius' law, `exp(-E / kT)`, as thermally generated carriers do. The activation energy
    /// depends on the diode; the presets assume one.
    #[must_use]
    pub fn dark_yield(&self, temperature_celsius: f64) -> f64 {
        let nominal = self.nominal_temperature_celsius + ZERO_CELSIUS_K;
        let actual = (temperature_celsius + ZERO_CELSIUS_K).max(1.0);
        let exponent = self.activation_energy_ev / BOLTZMANN_EV_PER_K * (nominal.recip() - actual.recip());
        (self.detectors * self.dark_count_probability * exponent.exp()).min(1.0)
    }
}

/// What the activation energy of the presets is: our assumption, by which dark counts double every 20 K at -30 degrees. No
/// source publishes one for these two devices.
pub(super) const ASSUMED_ACTIVATION_ENERGY_EV: f64 = 0.2;

#[cfg(test)]
mod tests {
    use crate::simulate::physics::Link;
    use proptest::prelude::*;

    /// Published in Ma et al. (2005), table I, from Gobby, Yuan and Shields: 0.045 and 1.7e-6.
    #[test]
    fn the_published_device_is_itself() {
        let receiver = Link::gobby_yuan_shields(0.0).receiver;
        assert!((receiver.efficiency() - 0.045).abs() < 1e-12);
        assert!((receiver.dark_yield(receiver.nominal_temperature_celsius) - 1.7e-6).abs() < 1e-18);
    }

    /// The model's own number, not a published one: what the assumed activation energy means.
    #[test]
    fn dark_counts_double_as_the_preset_says() {
        let receiver = Link::gigahertz(0.0).receiver;
        let ratio = receiver.dark_yield(-10.0) / receiver.dark_yield(-30.0);
        assert!((ratio - 2.0).abs() < 0.1, "{ratio}");
    }

    proptest! {
        #[test]
        fn warmer_is_darker(one in -120.0_f64..40.0, warmer_by in 0.01_f64..100.0) {
            let two = one + warmer_by;
            let receiver = Link::gigahertz(0.0).receiver;
            prop_assert!(receiver.dark_yield(one) < receiver.dark_yield(two));
        }
    }
}
