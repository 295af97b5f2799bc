//! Finite statistics: how far a counted rate may be from the true one, and what an instrument shows of it.

/// What the analysis of a block allows for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// Blocks without end: rates are what they are.
    Asymptotic,
    /// Blocks of so many pulses; each counted rate is taken to be off by so many standard deviations to the worse side.
    Block {
        /// Pulses of all intensities in a block.
        pulses: f64,
        /// Standard deviations. Ma et al. (2005) take 10.
        deviations: f64,
    },
}

impl Statistics {
    /// The least that a rate can be which was counted as `rate` in a `share` of the block's pulses:
    /// the standard error analysis of Ma et al. (2005), in their section on statistical fluctuations.
    #[must_use]
    pub fn at_least(self, rate: f64, share: f64) -> f64 {
        (rate - self.deviation(rate, share)).max(0.0)
    }

    /// The most that it can be.
    #[must_use]
    pub fn at_most(self, rate: f64, share: f64) -> f64 {
        (rate + self.deviation(rate, share)).min(1.0)
    }

    fn deviation(self, rate: f64, share: f64) -> f64 {
        match self {
            Self::Asymptotic => 0.0,
            Self::Block { pulses, deviations } => deviations * (rate / (pulses * share).max(1.0)).sqrt(),
        }
    }
}

/// A count of independent events of which `expected` are expected: Poisson's distribution, for many by the normal one.
pub fn counted(expected: f64, random: &mut fastrand::Rng) -> f64 {
    /// From here on the normal distribution is near enough.
    const MANY: f64 = 50.0;
    if expected <= 0.0 || !expected.is_finite() {
        return 0.0;
    }
    if expected >= MANY {
        return (expected + expected.sqrt() * normal(random)).round().max(0.0);
    }
    // Knuth's way: as many factors as stay above exp(-expected).
    let (limit, mut product, mut count) = ((-expected).exp(), random.f64(), 0.0);
    while product > limit {
        product *= random.f64();
        count += 1.0;
    }
    count
}

/// A number of the normal distribution with mean 0 and deviation 1 (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Mean and variance of a Poisson count are its expectation; six deviations of the estimates are allowed.
        #[test]
        fn counts_have_their_mean_and_variance(seed: u64, expected in prop_oneof![0.1_f64..50.0, 50.0_f64..1e6]) {
            let mut random = fastrand::Rng::with_seed(seed);
            let samples = 4_000_u32;
            let counts: Vec<f64> = (0..samples).map(|_| counted(expected, &mut random)).collect();
            let mean = counts.iter().sum::<f64>() / f64::from(samples);
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / f64::from(samples - 1);
            let size = f64::from(samples);
            prop_assert!((mean - expected).abs() < 6.0 * (expected / size).sqrt());
            let spread = ((2.0 * expected.powi(2) + expected) / size).sqrt();
            prop_assert!((variance - expected).abs() < 6.0 * spread);
        }

        #[test]
        fn longer_blocks_are_surer(rate in 1e-7_f64..0.5, pulses in 1e3_f64..1e12) {
            let block = |pulses| Statistics::Block { pulses, deviations: 10.0 };
            let (short, long) = (block(pulses), block(pulses * 4.0));
            prop_assert!(short.at_least(rate, 0.1) <= long.at_least(rate, 0.1));
            prop_assert!(short.at_most(rate, 0.1) >= long.at_most(rate, 0.1));
            prop_assert!(long.at_least(rate, 0.1) <= rate && rate <= long.at_most(rate, 0.1));
            prop_assert_eq!(Statistics::Asymptotic.at_least(rate, 0.1).to_bits(), rate.to_bits());
        }
    }
}
