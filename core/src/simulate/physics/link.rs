//! A link of two QKD modules: device figures and effects in, performance out.

use super::{
    channel::{Channel, MEASURABLE_LOSS_DB, transmittance},
    decoy::{self, Path},
    effects::Effects,
    fluctuation::Statistics,
    performance::Performance,
    receiver::Receiver,
    source::Source,
};

/// A point-to-point BB84 link with vacuum and weak decoy states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The sender.
    pub source: Source,
    /// The fibre.
    pub channel: Channel,
    /// The receiver.
    pub receiver: Receiver,
    /// Share of clicks in which both ends used the same basis of the key: 1/2 with equal bases.
    pub sifting: f64,
    /// Bits spent on error correction, as a multiple of Shannon's limit, from 1: `f` in Ma et al. (2005).
    pub correction_inefficiency: f64,
    /// How blocks are analysed.
    pub statistics: Statistics,
    /// What is wrong with it.
    pub effects: Effects,
}

impl Link {
    /// The device of C. Gobby, Z. L. Yuan and A. J. Shields, Appl. Phys. Lett. 84, 3762 (2004), with the figures and the error
    /// correction that Ma et al. (2005), table I, compute with: the reference of the decoy-state papers. Asymptotic.
    ///
    /// The shares of decoys are our choice (the asymptotic analysis leaves them free), and so is the split of the
    /// receiver's 4.5 % into 12 % of the detectors and the rest of the optics.
    #[must_use]
    pub fn gobby_yuan_shields(length_km: f64) -> Self {
        Self {
            source: Source {
                pulse_rate_hz: 2e6,
                signal_photons: 0.48,
                decoy_photons: 0.05,
                signal_share: 0.875,
                decoy_share: 0.0625,
            },
            channel: Channel { length_km, attenuation_db_per_km: 0.21, insertion_loss_db: 0.0 },
            receiver: Receiver {
                detector_efficiency: 0.12,
                optics_loss_db: -10.0 * 0.375_f64.log10(),
                detectors: 2.0,
                dark_count_probability: 8.5e-7,
                misalignment: 0.033,
                dead_time_s: 0.0,
                nominal_temperature_celsius: -100.0,
                activation_energy_ev: 0.2,
            },
            sifting: 0.5,
            correction_inefficiency: 1.22,
            statistics: Statistics::Asymptotic,
            effects: Effects::default(),
        }
    }

    /// A device of today with a clock of a gigahertz and unequal bases.
    #[must_use]
    pub fn gigahertz(length_km: f64) -> Self {
        Self {
            source: Source {
                pulse_rate_hz: 1e9,
                signal_photons: 0.4,
                decoy_photons: 0.1,
                signal_share: 0.875,
                decoy_share: 0.0625,
            },
            channel: Channel { length_km, attenuation_db_per_km: 0.2, insertion_loss_db: 0.0 },
            receiver: Receiver {
                detector_efficiency: 0.2,
                optics_loss_db: 2.5,
                detectors: 2.0,
                dark_count_probability: 1e-5,
                misalignment: 0.02,
                dead_time_s: 0.0,
                nominal_temperature_celsius: -30.0,
                activation_energy_ev: 0.2,
            },
            sifting: 0.88,
            correction_inefficiency: 1.16,
            statistics: Statistics::Asymptotic,
            effects: Effects::default(),
        }
    }

    /// Loss of the channel as it is now, in decibels; without end where the fibre is cut.
    #[must_use]
    pub fn loss_db(&self) -> f64 {
        if self.effects.fibre_cut {
            return f64::INFINITY;
        }
        self.channel.loss_db() + self.effects.excess_loss_db.max(0.0)
    }

    /// Temperature of the detectors.
    #[must_use]
    pub fn detector_temperature_celsius(&self) -> f64 {
        self.effects.detector_temperature_celsius.unwrap_or(self.receiver.nominal_temperature_celsius)
    }

    /// What decides about clicks now.
    #[must_use]
    pub fn path(&self) -> Path {
        let efficiency = self.receiver.efficiency() * self.effects.efficiency_drift.clamp(0.0, 1.0);
        let stray = self.effects.stray_light_cps.max(0.0) / self.source.pulse_rate_hz;
        Path {
            transmittance: transmittance(self.loss_db()) * efficiency,
            background_yield: (self.receiver.dark_yield(self.detector_temperature_celsius()) + stray).min(1.0),
            error: self.effects.error(self.receiver.misalignment),
        }
    }

    /// What the modules would show on average.
    #[must_use]
    pub fn performance(&self) -> Performance {
        let path = self.path();
        let source = &self.source;
        let signal = path.gain(source.signal_photons);
        let single = decoy::estimate(&path, source, self.statistics);
        let clicks = source.pulse_rate_hz
            * (source.signal_share * signal.gain
                + source.decoy_share * path.gain(source.decoy_photons).gain
                + source.vacuum_share() * path.background_yield);
        // Of all clicks, those that find a detector which has recovered from the one before.
        let live = (1.0 + clicks * self.receiver.dead_time_s).recip();
        let signals = source.pulse_rate_hz * source.signal_share * live;
        let secret = decoy::secret_share(&signal, source.signal_photons, &single, self.correction_inefficiency);
        let dark = self.receiver.dark_yield(self.detector_temperature_celsius());
        Performance {
            link_distance_km: self.channel.length_km,
            link_loss_db: self.loss_db().min(MEASURABLE_LOSS_DB),
            insertion_loss_db: self.channel.insertion_loss_db,
            qber_ratio: signal.error_ratio(),
            visibility_ratio: (1.0 - 2.0 * path.error).max(0.0),
            snr_db: signal_to_noise_db(&path, source.signal_photons),
            detection_rate_cps: clicks * live,
            dark_count_rate_cps: source.pulse_rate_hz * dark,
            raw_key_rate_bps: signals * signal.gain,
            sifted_key_rate_bps: signals * signal.gain * self.sifting,
            secret_key_rate_bps: signals * self.sifting * secret,
            detector_temperature_celsius: self.detector_temperature_celsius(),
        }
    }
}

/// Clicks by the sender's light over clicks by anything else, in decibels; not below [`LEAST_SNR_DB`].
fn signal_to_noise_db(path: &Path, photons: f64) -> f64 {
    /// What is shown where no light comes through.
    const LEAST_SNR_DB: f64 = -60.0;
    let arrived = -(-path.transmittance * photons).exp_m1();
    (10.0 * (arrived / path.background_yield).log10()).clamp(LEAST_SNR_DB, -LEAST_SNR_DB)
}
