//! What happens to a link: faults, wear and attacks, as they change the figures of the model.

/// Everything that is wrong with a link. The default: nothing.
///
/// Values outside of their range count as the nearer end of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effects {
    /// Loss above that of the healthy channel: a bend, a dirty connector. Decibels, from 0.
    pub excess_loss_db: f64,
    /// No light comes through any more.
    pub fibre_cut: bool,
    /// Share of the pulses that an eavesdropper measures and sends again, 0 to 1.
    pub intercept_resend: f64,
    /// What is left of the detectors' efficiency, as a share of the healthy one, 0 to 1.
    pub efficiency_drift: f64,
    /// Temperature of the detectors, where it is not the nominal one.
    pub detector_temperature_celsius: Option<f64>,
    /// Probability, on top of the healthy misalignment, that a photon clicks in the wrong detector, 0 to 0.5.
    pub misalignment_drift: f64,
    /// Clicks a second by light from elsewhere, such as data channels in the same fibre. From 0.
    pub stray_light_cps: f64,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            excess_loss_db: 0.0,
            fibre_cut: false,
            intercept_resend: 0.0,
            efficiency_drift: 1.0,
            detector_temperature_celsius: None,
            misalignment_drift: 0.0,
            stray_light_cps: 0.0,
        }
    }
}

impl Effects {
    /// The error ratio of photons, given that of a link where nothing is wrong.
    ///
    /// Intercepting and sending again: half of the time in the wrong basis, and then half of the bits are wrong, a quarter
    /// of what is intercepted (Bennett and Brassard, Proc. IEEE Int. Conf. Computers, Systems and Signal Processing, 1984; worked
    /// out in Gisin et al., Rev. Mod. Phys. 74, 145 (2002), section VI). Independent errors cancel where both happen.
    #[must_use]
    pub fn error(&self, healthy: f64) -> f64 {
        let drifted = either(healthy.clamp(0.0, 0.5), self.misalignment_drift.clamp(0.0, 0.5));
        either(drifted, self.intercept_resend.clamp(0.0, 1.0) / 4.0)
    }
}

/// Probability that exactly one of two independent flips happens.
fn either(one: f64, two: f64) -> f64 {
    one + two - 2.0 * one * two
}
