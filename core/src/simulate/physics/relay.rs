//! A quantum relay point: an untrusted Bell measurement half way between two senders (measurement-device-independent QKD).
//!
//! The protocol is that of H.-K. Lo, M. Curty and B. Qi, Phys. Rev. Lett. 108, 130503 (2012), in the following "Lo et al. (2012)"; gains and errors
//! of weak coherent pulses with random phases are the closed forms of X. Ma and M. Razavi, Phys. Rev. A 86, 062319 (2012), "Ma and Razavi (2012)".

use super::{
    channel::{Channel, MEASURABLE_LOSS_DB, transmittance},
    decoy::{BACKGROUND_ERROR, Gain},
    effects::Effects,
    entropy::binary_entropy,
    receiver::{ASSUMED_ACTIVATION_ENERGY_EV, Receiver},
};

/// A relay point between two senders with equal clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelayPoint {
    /// The fibres to both senders.
    pub arms: [Channel; 2],
    /// Pulses a second of each sender.
    pub pulse_rate_hz: f64,
    /// Mean number of photons in a signal pulse of either sender.
    pub signal_photons: f64,
    /// Share of pulses that are signals in the basis of the key, at both senders.
    pub key_share: f64,
    /// Optics and detectors, four of them.
    pub receiver: Receiver,
    /// Bits spent on error correction, as a multiple of Shannon's limit.
    pub correction_inefficiency: f64,
    /// What is wrong with it. Loss and cuts are those of the first arm.
    pub effects: Effects,
}

/// What a relay point and its senders show. Each field has the name of a value of the catalogue, with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelayPerformance {
    /// Length of both arms together.
    pub link_distance_km: f64,
    /// Loss of both arms together, as far as it can be measured.
    pub link_loss_db: f64,
    /// Successful Bell measurements of signals in the basis of the key.
    pub measurement_rate_cps: f64,
    /// Share of them that make the senders' bits differ where they should not.
    pub measurement_error_ratio: f64,
    /// Clicks of all detectors.
    pub detection_rate_cps: f64,
    /// Of them, those without light.
    pub dark_count_rate_cps: f64,
    /// Secret bits that the senders make of it, with decoys without number.
    pub secret_key_rate_bps: f64,
}

impl RelayPerformance {
    /// All values with their names in the catalogue. The relay point itself does not know the last one: its senders report it.
    #[must_use]
    pub fn values(&self) -> [(&'static str, f64); 7] {
        [
            ("link_distance_km", self.link_distance_km),
            ("link_loss_db", self.link_loss_db),
            ("measurement_rate_cps", self.measurement_rate_cps),
            ("measurement_error_ratio", self.measurement_error_ratio),
            ("detection_rate_cps", self.detection_rate_cps),
            ("dark_count_rate_cps", self.dark_count_rate_cps),
            ("secret_key_rate_bps", self.secret_key_rate_bps),
        ]
    }
}

impl RelayPoint {
    /// A relay point with the detectors, misalignment and error correction that Lo et al. (2012) compute with: 14.5 %, 6.02e-6
    /// background counts a pulse (of two detectors), 1.5 %, 1.16. Ours: a gigahertz clock, 0.3 photons at every length (they choose the best
    /// for each), the share of key pulses and the temperature.
    #[must_use]
    pub fn gigahertz(first_km: f64, second_km: f64) -> Self {
        let arm = |length_km| Channel { length_km, attenuation_db_per_km: 0.2, insertion_loss_db: 0.0 };
        Self {
            arms: [arm(first_km), arm(second_km)],
            pulse_rate_hz: 1e9,
            signal_photons: 0.3,
            key_share: 0.75,
            receiver: Receiver {
                detector_efficiency: 0.145,
                optics_loss_db: 0.0,
                detectors: 4.0,
                dark_count_probability: 3.01e-6,
                afterpulse_probability: 0.0,
                misalignment: 0.015,
                dead_time_s: 0.0,
                nominal_temperature_celsius: -50.0,
                activation_energy_ev: ASSUMED_ACTIVATION_ENERGY_EV,
            },
            correction_inefficiency: 1.16,
            effects: Effects::default(),
        }
    }

    /// Loss of each arm as it is now, in decibels.
    fn losses_db(&self) -> [f64; 2] {
        let [first, second] = self.arms.map(|arm| arm.loss_db());
        let excess = if self.effects.fibre_cut { f64::INFINITY } else { self.effects.excess_loss_db.max(0.0) };
        [first + excess, second]
    }

    /// Probability that a photon of each sender clicks, `eta_a` and `eta_b`.
    fn transmittances(&self) -> [f64; 2] {
        let efficiency = self.receiver.efficiency() * self.effects.efficiency_drift.clamp(0.0, 1.0);
        self.losses_db().map(|loss| transmittance(loss) * efficiency)
    }

    /// Probability of a click of one detector without light of the senders.
    fn background(&self) -> f64 {
        let stray = self.effects.stray_light_cps.max(0.0) / self.pulse_rate_hz;
        ((self.receiver.dark_yield(self.detector_temperature_celsius()) + stray) / self.receiver.detectors).min(0.5)
    }

    /// Temperature of the detectors.
    #[must_use]
    pub fn detector_temperature_celsius(&self) -> f64 {
        self.effects.detector_temperature_celsius.unwrap_or(self.receiver.nominal_temperature_celsius)
    }

    /// Successful measurements and wrong ones a pair of signal pulses in the basis of the key: Ma and Razavi (2012), appendix, the
    /// gain and the error of the rectilinear basis.
    #[must_use]
    pub fn key_gain(&self) -> Gain {
        let arriving = self.transmittances().map(|share| share * self.signal_photons);
        let [first, second] = arriving;
        let (background, both) = (self.background(), first + second);
        let silent = 1.0 - background;
        let front = 2.0 * silent.powi(2) * (-both / 2.0).exp();
        let clicks = |mean: f64| 1.0 - silent * (-mean / 2.0).exp();
        let right = front * clicks(first) * clicks(second);
        // I0 - (1 - p) exp(..) would lose all digits where little arrives: both are near 1.
        let wrong = front * background * (bessel_i0_less_1((first * second).sqrt()) + clicks(both));
        let error = self.effects.error(self.receiver.misalignment);
        Gain { gain: right + wrong, errors: error * right + (1.0 - error) * wrong }
    }

    /// Yield and error ratio where each sender sent exactly one photon: Ma and Razavi (2012), appendix, `Y11` and `e11`.
    #[must_use]
    pub fn single_photons(&self) -> (f64, f64) {
        let [first, second] = self.transmittances();
        let background = self.background();
        let silent = (1.0 - background).powi(2);
        let pairs = first * second / 2.0;
        let single_yield = silent
            * (pairs
                + (2.0 * first + 2.0 * second - 3.0 * first * second) * background
                + 4.0 * (1.0 - first) * (1.0 - second) * background.powi(2));
        let error = self.effects.error(self.receiver.misalignment);
        let errors = BACKGROUND_ERROR * single_yield - (BACKGROUND_ERROR - error) * silent * pairs;
        (single_yield, if single_yield > 0.0 { errors / single_yield } else { BACKGROUND_ERROR })
    }

    /// Secret bits a pair of signal pulses in the basis of the key, not less than zero: Lo et al. (2012), eq. (1), with decoys
    /// without number.
    #[must_use]
    pub fn secret_share(&self) -> f64 {
        let (single_yield, single_error) = self.single_photons();
        let ones = (self.signal_photons * (-self.signal_photons).exp()).powi(2);
        let gain = self.key_gain();
        let spent = gain.gain * self.correction_inefficiency * binary_entropy(gain.error_ratio());
        (ones * single_yield * (1.0 - binary_entropy(single_error)) - spent).max(0.0)
    }

    /// What the relay point and its senders would show on average.
    #[must_use]
    pub fn performance(&self) -> RelayPerformance {
        let gain = self.key_gain();
        let keys = self.pulse_rate_hz * self.key_share;
        // Whatever its polarization, light spreads evenly over the detectors on average.
        let arriving: f64 = self.transmittances().iter().map(|share| share * self.signal_photons).sum();
        let detectors = self.receiver.detectors;
        let click = 1.0 - (1.0 - self.background()) * (-arriving / detectors).exp();
        RelayPerformance {
            link_distance_km: self.arms.iter().map(|arm| arm.length_km).sum(),
            link_loss_db: self.losses_db().iter().sum::<f64>().min(MEASURABLE_LOSS_DB),
            measurement_rate_cps: keys * gain.gain,
            measurement_error_ratio: gain.error_ratio(),
            detection_rate_cps: self.pulse_rate_hz * detectors * click,
            dark_count_rate_cps: self.pulse_rate_hz * self.receiver.dark_yield(self.detector_temperature_celsius()),
            secret_key_rate_bps: keys * self.secret_share(),
        }
    }
}

/// The modified Bessel function of the first kind of order 0, less 1, by its power series: arguments here are below 1.
fn bessel_i0_less_1(argument: f64) -> f64 {
    let quarter = argument * argument / 4.0;
    let (mut term, mut sum) = (1.0, 0.0);
    for order in 1..=12 {
        term *= quarter / f64::from(order * order);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Catalogue;
    use proptest::prelude::*;

    #[test]
    fn the_series_is_the_bessel_function() {
        // Abramowitz and Stegun, table 9.8: exp(-1) I0(1) = 0.46575961.
        assert!((bessel_i0_less_1(1.0) + 1.0 - 0.465_759_61 * 1.0_f64.exp()).abs() < 1e-7);
    }

    /// Published: Lo et al. (2012): key over more than 40 dB of optical loss, 200 km of fibre, with these devices.
    #[test]
    fn keys_are_left_at_the_published_loss() {
        assert!(RelayPoint::gigahertz(100.0, 100.0).performance().secret_key_rate_bps > 0.0);
        assert!((RelayPoint::gigahertz(100.0, 100.0).performance().link_loss_db - 40.0).abs() < 1e-9);
        assert!(RelayPoint::gigahertz(170.0, 170.0).performance().secret_key_rate_bps == 0.0);
    }

    /// Without loss, background or misalignment and with ideal detectors, half of the pairs of single photons are told apart, all
    /// rightly: linear optics can no more (Lo et al. (2012)).
    #[test]
    fn an_ideal_measurement_finds_half_of_the_pairs() {
        let mut ideal = RelayPoint::gigahertz(0.0, 0.0);
        ideal.receiver =
            Receiver { detector_efficiency: 1.0, dark_count_probability: 0.0, misalignment: 0.0, ..ideal.receiver };
        let (single_yield, error) = ideal.single_photons();
        assert!((single_yield - 0.5).abs() < 1e-12 && error.abs() < 1e-12);
        assert!(ideal.key_gain().error_ratio() < 1e-12);
    }

    #[test]
    fn names_are_of_the_catalogue_and_ranges_are_kept() {
        let catalogue = Catalogue::get();
        for (name, value) in RelayPoint::gigahertz(20.0, 30.0).performance().values() {
            let entry = catalogue.performance.iter().find(|entry| entry.name == name).unwrap();
            assert!(
                entry.min.is_none_or(|min| value >= min) && entry.max.is_none_or(|max| value <= max),
                "{name} {value}"
            );
        }
    }

    proptest! {
        /// Loss in an arm costs; a cut leaves chance alone; the arms are alike; an eavesdropper adds about a quarter.
        #[test]
        fn it_behaves_as_it_should(one in 0.0_f64..60.0, two in 0.0_f64..60.0, more in 0.1_f64..20.0, fraction in 0.0_f64..1.0) {
            let relay = RelayPoint::gigahertz(one, two);
            let calm = relay.performance();
            let under = |effects| RelayPoint { effects, ..relay }.performance();
            let bent = under(Effects { excess_loss_db: more, ..Effects::default() });
            prop_assert!(bent.measurement_rate_cps < calm.measurement_rate_cps);
            prop_assert!(bent.secret_key_rate_bps <= calm.secret_key_rate_bps);
            let cut = under(Effects { fibre_cut: true, ..Effects::default() });
            prop_assert!((cut.measurement_error_ratio - 0.5).abs() < 1e-6 && cut.secret_key_rate_bps == 0.0);
            let turned = RelayPoint::gigahertz(two, one).performance();
            prop_assert!((turned.measurement_rate_cps / calm.measurement_rate_cps - 1.0).abs() < 1e-9);
            let heard = under(Effects { intercept_resend: fraction, ..Effects::default() });
            let added = heard.measurement_error_ratio - calm.measurement_error_ratio;
            prop_assert!((added - fraction / 4.0 * (1.0 - 2.0 * calm.measurement_error_ratio)).abs() < 1e-3);
        }
    }
}
