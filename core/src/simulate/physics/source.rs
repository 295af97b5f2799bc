//! The sender: a laser that is weakened to less than a photon a pulse, with signal, weak decoy and vacuum intensities.

use super::entropy::binary_entropy;

/// A sender of weak coherent pulses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Pulses a second.
    pub pulse_rate_hz: f64,
    /// Mean number of photons in a signal pulse.
    pub signal_photons: f64,
    /// Mean number of photons in a weak decoy pulse. Less than in a signal pulse.
    pub decoy_photons: f64,
    /// Share of pulses that are signals, 0 to 1.
    pub signal_share: f64,
    /// Share of pulses that are weak decoys, 0 to 1. The others are vacuum.
    pub decoy_share: f64,
}

impl Source {
    /// Share of pulses that are vacuum.
    #[must_use]
    pub fn vacuum_share(&self) -> f64 {
        (1.0 - self.signal_share - self.decoy_share).max(0.0)
    }
}

/// The mean number of photons in a signal pulse that gives most keys over a long fibre, found by bisection: the root of
/// `(1 - mu) exp(-mu) = f H2(e) / (1 - H2(e))`, Ma et al. (2005), eq. (12).
///
/// `None` where no number gives keys: errors cost more than there is.
#[must_use]
pub fn optimal_signal_photons(misalignment: f64, correction_inefficiency: f64) -> Option<f64> {
    let entropy = binary_entropy(misalignment);
    let target = correction_inefficiency * entropy / (1.0 - entropy);
    if !(0.0..1.0).contains(&target) {
        return None;
    }
    // The left side falls from 1 to 0 between no and one photon.
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if (1.0 - middle) * (-middle).exp() > target { low = middle } else { high = middle }
    }
    Some(f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published: Ma et al. (2005), below eq. (12), for the figures of Gobby, Yuan and Shields: 0.54 with ideal error
    /// correction, 0.48 with an inefficiency of 1.22.
    #[test]
    fn the_published_optimum_is_found() {
        assert!((optimal_signal_photons(0.033, 1.0).unwrap() - 0.54).abs() < 0.005);
        assert!((optimal_signal_photons(0.033, 1.22).unwrap() - 0.48).abs() < 0.005);
        assert_eq!(optimal_signal_photons(0.2, 1.22), None);
    }
}
