//! BB84 with vacuum and weak decoy states: from what is counted to what is secret.
//!
//! Equations are those of X. Ma, B. Qi, Y. Zhao and H.-K. Lo, "Practical decoy state for quantum key distribution", Phys. Rev.
//! A 72, 012326 (2005). The idea is of H.-K. Lo, X. Ma and K. Chen, Phys. Rev. Lett. 94, 230504 (2005).

use super::{entropy::binary_entropy, fluctuation::Statistics, source::Source};

/// Error rate of a click that has nothing to do with a photon.
pub const BACKGROUND_ERROR: f64 = 0.5;

/// What decides about clicks: everything between the sender's and the receiver's electronics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Probability that a photon which leaves the sender clicks, `eta`.
    pub transmittance: f64,
    /// Probability of a click without a photon of the sender, `Y0`.
    pub background_yield: f64,
    /// Probability that the sender's photon clicks in the wrong detector, `e_detector`.
    pub error: f64,
}

/// Clicks and errors of the pulses of one intensity, each as probability a pulse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Probability of a click, `Q`.
    pub gain: f64,
    /// Probability of a click in the wrong detector, `E Q`.
    pub errors: f64,
}

impl Gain {
    /// Of the clicks, the share that is wrong. Half, where there are none.
    #[must_use]
    pub fn error_ratio(&self) -> f64 {
        if self.gain > 0.0 { (self.errors / self.gain).min(BACKGROUND_ERROR) } else { BACKGROUND_ERROR }
    }
}

impl Path {
    /// What pulses with a mean of `photons` give: eqs. (10) and (11).
    #[must_use]
    pub fn gain(&self, photons: f64) -> Gain {
        // 1 - exp(-eta mu), without loss of digits for small arguments.
        let arrived = -(-self.transmittance * photons).exp_m1();
        Gain {
            gain: (self.background_yield + arrived).min(1.0),
            errors: BACKGROUND_ERROR * self.background_yield + self.error * arrived,
        }
    }

    /// True yield and error ratio of pulses with exactly one photon, which no instrument sees: eqs. (7) and (9) without
    /// the product of background and transmittance. They are what decoys without number would find.
    #[must_use]
    pub fn single_photons(&self) -> SinglePhotons {
        let single_yield = self.background_yield + self.transmittance;
        let errors = BACKGROUND_ERROR * self.background_yield + self.error * self.transmittance;
        let error_ratio = if single_yield > 0.0 { errors / single_yield } else { BACKGROUND_ERROR };
        SinglePhotons { single_yield, error_ratio }
    }
}

/// Pulses with exactly one photon, the only secret ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinglePhotons {
    /// Probability that such a pulse clicks, `Y1`.
    pub single_yield: f64,
    /// Share of wrong ones among these clicks, `e1`.
    pub error_ratio: f64,
}

/// The worst that single photons can be, given what was counted with signal, weak decoy and vacuum: eqs. (34) and (37), with
/// each counted rate at the worse end of its fluctuation. The third number of photons is taken to be none.
#[must_use]
pub fn estimate(path: &Path, source: &Source, statistics: Statistics) -> SinglePhotons {
    let (signal_photons, decoy_photons) = (source.signal_photons, source.decoy_photons);
    let signal = path.gain(signal_photons);
    let decoy = path.gain(decoy_photons);
    let signal_most = statistics.at_most(signal.gain, source.signal_share);
    let decoy_least = statistics.at_least(decoy.gain, source.decoy_share);
    let decoy_errors_most = statistics.at_most(decoy.errors, source.decoy_share);
    let vacuum_most = statistics.at_most(path.background_yield, source.vacuum_share());
    let vacuum_least = statistics.at_least(path.background_yield, source.vacuum_share());

    let squares = (decoy_photons / signal_photons).powi(2);
    let inner = decoy_least * decoy_photons.exp()
        - signal_most * signal_photons.exp() * squares
        - (1.0 - squares) * vacuum_most;
    let single_yield = (signal_photons / (signal_photons * decoy_photons - decoy_photons.powi(2)) * inner).max(0.0);
    if single_yield == 0.0 {
        return SinglePhotons { single_yield, error_ratio: BACKGROUND_ERROR };
    }
    let errors = decoy_errors_most * decoy_photons.exp() - BACKGROUND_ERROR * vacuum_least;
    let error_ratio = (errors / (single_yield * decoy_photons)).clamp(0.0, BACKGROUND_ERROR);
    SinglePhotons { single_yield, error_ratio }
}

/// Secret bits a sifted signal pulse, not less than zero: eq. (1) without its sifting factor.
#[must_use]
pub fn secret_share(signal: &Gain, photons: f64, single: &SinglePhotons, correction_inefficiency: f64) -> f64 {
    let single_gain = single.single_yield * photons * (-photons).exp();
    let kept = single_gain * (1.0 - binary_entropy(single.error_ratio));
    let spent = signal.gain * correction_inefficiency * binary_entropy(signal.error_ratio());
    (kept - spent).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::physics::Link;
    use proptest::prelude::*;

    fn source(signal_photons: f64, decoy_photons: f64) -> Source {
        Source { pulse_rate_hz: 1e6, signal_photons, decoy_photons, signal_share: 0.8, decoy_share: 0.1 }
    }

    /// Published: Ma et al. (2005), figure 1, with the figures of Gobby, Yuan and Shields at 40 km and a decoy of a quarter of the
    /// signal: the estimated yield is 3.5 % below that of decoys without number, the estimated error ratio 16.8 % above.
    #[test]
    fn the_published_deviations_are_found() {
        let mut link = Link::gobby_yuan_shields(40.0);
        link.source.decoy_photons = link.source.signal_photons / 4.0;
        let truth = link.path().single_photons();
        let found = estimate(&link.path(), &link.source, Statistics::Asymptotic);
        assert!((1.0 - found.single_yield / truth.single_yield - 0.035).abs() < 0.0005);
        assert!((found.error_ratio / truth.error_ratio - 1.0 - 0.168).abs() < 0.0005);
    }

    proptest! {
        /// The estimate is never better than the truth, and nearly the truth for a very weak decoy: Ma et al. (2005), figure 1.
        #[test]
        fn decoys_never_flatter(
            loss in 0.0_f64..45.0, background in 1e-8_f64..1e-4, error in 0.0_f64..0.1,
            signal in 0.2_f64..0.9, part in 0.01_f64..0.9,
        ) {
            let path = Path { transmittance: 10_f64.powf(-loss / 10.0), background_yield: background, error };
            let truth = path.single_photons();
            let found = estimate(&path, &source(signal, signal * part), Statistics::Asymptotic);
            // The model leaves out the product of background and transmittance, as the paper does.
            let left_out = background * path.transmittance * 10.0 + 1e-12;
            prop_assert!(found.single_yield <= truth.single_yield * (1.0 + 1e-9) + left_out);
            prop_assert!(found.error_ratio >= truth.error_ratio - 1e-3 * truth.error_ratio - left_out / truth.single_yield);
            let sharp = estimate(&path, &source(signal, signal * 1e-3), Statistics::Asymptotic);
            prop_assert!((sharp.single_yield / truth.single_yield - 1.0).abs() < 0.01);
        }

        /// Fluctuations only ever cost.
        #[test]
        fn finite_blocks_cost(loss in 0.0_f64..30.0, pulses in 1e6_f64..1e12) {
            let path = Path { transmittance: 10_f64.powf(-loss / 10.0), background_yield: 1.7e-6, error: 0.033 };
            let source = source(0.48, 0.1);
            let block = estimate(&path, &source, Statistics::Block { pulses, deviations: 10.0 });
            let endless = estimate(&path, &source, Statistics::Asymptotic);
            prop_assert!(block.single_yield <= endless.single_yield);
            prop_assert!(block.error_ratio >= endless.error_ratio);
        }
    }
}
