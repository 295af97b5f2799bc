//! What modules and links show, under the names and in the units of the catalogue of values.

use super::fluctuation::counted;

/// Performance of a link. Each field has the name of a value of the catalogue, with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Performance {
    /// Length of the fibre.
    pub link_distance_km: f64,
    /// Loss of the channel, as far as it can be measured (`MEASURABLE_LOSS_DB`).
    pub link_loss_db: f64,
    /// Of it, the share of switches and connectors.
    pub insertion_loss_db: f64,
    /// Share of wrong bits in the sifted key.
    pub qber_ratio: f64,
    /// Visibility of interference, with dark counts taken off.
    pub visibility_ratio: f64,
    /// Clicks by signal light over other clicks.
    pub snr_db: f64,
    /// All clicks.
    pub detection_rate_cps: f64,
    /// Clicks without light, of all detectors together.
    pub dark_count_rate_cps: f64,
    /// Clicks in signal pulses.
    pub raw_key_rate_bps: f64,
    /// Of them, those with equal bases.
    pub sifted_key_rate_bps: f64,
    /// Secret bits, after error correction and privacy amplification.
    pub secret_key_rate_bps: f64,
    /// Temperature of the detectors.
    pub detector_temperature_celsius: f64,
}

impl Performance {
    /// All values with their names in the catalogue.
    #[must_use]
    pub fn values(&self) -> [(&'static str, f64); 12] {
        [
            ("link_distance_km", self.link_distance_km),
            ("link_loss_db", self.link_loss_db),
            ("insertion_loss_db", self.insertion_loss_db),
            ("qber_ratio", self.qber_ratio),
            ("visibility_ratio", self.visibility_ratio),
            ("snr_db", self.snr_db),
            ("detection_rate_cps", self.detection_rate_cps),
            ("dark_count_rate_cps", self.dark_count_rate_cps),
            ("raw_key_rate_bps", self.raw_key_rate_bps),
            ("sifted_key_rate_bps", self.sifted_key_rate_bps),
            ("secret_key_rate_bps", self.secret_key_rate_bps),
            ("detector_temperature_celsius", self.detector_temperature_celsius),
        ]
    }

    /// What counting for so many seconds shows of it: counts of photons, with the noise that they have by nature. Loss and
    /// temperature are not counted, and stay.
    #[must_use]
    pub fn observed(&self, seconds: f64, random: &mut fastrand::Rng) -> Self {
        if seconds <= 0.0 {
            return *self;
        }
        let sifted = counted(self.sifted_key_rate_bps * seconds, random);
        let wrong = counted(self.sifted_key_rate_bps * self.qber_ratio * seconds, random).min(sifted);
        let rate = |expected: f64, random: &mut fastrand::Rng| counted(expected * seconds, random) / seconds;
        let share = |part: f64| if self.sifted_key_rate_bps > 0.0 { part / self.sifted_key_rate_bps } else { 0.0 };
        let sifted_rate = sifted / seconds;
        Self {
            qber_ratio: if sifted > 0.0 { wrong / sifted } else { self.qber_ratio },
            detection_rate_cps: rate(self.detection_rate_cps, random),
            dark_count_rate_cps: rate(self.dark_count_rate_cps, random),
            raw_key_rate_bps: sifted_rate * share(self.raw_key_rate_bps),
            sifted_key_rate_bps: sifted_rate,
            secret_key_rate_bps: sifted_rate * share(self.secret_key_rate_bps),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{model::Catalogue, simulate::physics::Link};
    use proptest::prelude::*;

    #[test]
    fn every_name_is_of_the_catalogue_and_its_range_is_kept() {
        let catalogue = Catalogue::get();
        for (name, value) in Link::gigahertz(50.0).performance().values() {
            let entry = catalogue.performance.iter().find(|entry| entry.name == name).unwrap();
            assert!(
                entry.min.is_none_or(|min| value >= min) && entry.max.is_none_or(|max| value <= max),
                "{name} {value}"
            );
        }
    }

    proptest! {
        /// Long counting shows the average; equal seeds show the same.
        #[test]
        fn what_is_seen_is_near_to_what_is(seed: u64, km in 0.0_f64..60.0) {
            let average = Link::gigahertz(km).performance();
            let seen = |seconds| average.observed(seconds, &mut fastrand::Rng::with_seed(seed));
            prop_assert_eq!(seen(1.0), seen(1.0));
            let (long, bits) = (seen(100.0), average.sifted_key_rate_bps * 100.0);
            prop_assert!((long.sifted_key_rate_bps / average.sifted_key_rate_bps - 1.0).abs() < 7.0 / bits.sqrt());
            // The error ratio of so many bits has this deviation, and a little from the count of all bits.
            let deviation = (average.qber_ratio * (1.0 + average.qber_ratio) / bits).sqrt();
            prop_assert!((long.qber_ratio - average.qber_ratio).abs() < 7.0 * deviation);
        }
    }
}
