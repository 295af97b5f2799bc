//! The quantum channel: fibre, and what is spliced into it.

/// The most loss that a link's monitor can tell, in decibels. Of a fibre that is cut, this is reported.
pub const MEASURABLE_LOSS_DB: f64 = 60.0;

/// A fibre between two modules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// Length of the fibre.
    pub length_km: f64,
    /// Loss of the fibre, in decibels a kilometre.
    pub attenuation_db_per_km: f64,
    /// Loss of switches, connectors and splices together, in decibels.
    pub insertion_loss_db: f64,
}

impl Channel {
    /// Loss from end to end, in decibels.
    #[must_use]
    pub fn loss_db(&self) -> f64 {
        self.length_km * self.attenuation_db_per_km + self.insertion_loss_db
    }
}

/// The share of photons that a loss lets through: the channel's transmittance in Ma et al. (2005), eq. (4).
#[must_use]
pub fn transmittance(loss_db: f64) -> f64 {
    10_f64.powf(-loss_db.max(0.0) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decibels_are_what_they_are() {
        let channel = Channel { length_km: 50.0, attenuation_db_per_km: 0.2, insertion_loss_db: 1.5 };
        assert!((channel.loss_db() - 11.5).abs() < 1e-12);
        assert!((transmittance(10.0) - 0.1).abs() < 1e-15);
        assert!((transmittance(f64::INFINITY)).abs() < f64::MIN_POSITIVE);
    }

    proptest! {
        #[test]
        fn losses_add_where_transmittances_multiply(one in 0.0_f64..60.0, two in 0.0_f64..60.0) {
            let both = transmittance(one + two);
            prop_assert!((both / (transmittance(one) * transmittance(two)) - 1.0).abs() < 1e-9);
        }
    }
}
