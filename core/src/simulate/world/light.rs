//! The light of a link: what its pairs of modules make of the fibre as it is now.

use std::{f64::consts::TAU, time::Duration};

use crate::simulate::{
    description::plan::{Light, PlannedLink},
    physics::{Effects, Performance, RelayPerformance},
};

/// Loss comes and goes by as much as this with the hours: temperature and strain.
const WANDER_DB: f64 = 0.1;
/// Once in so long.
const WANDER_PERIOD_S: f64 = 1_200.0;

/// What is wrong with a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PairEffects {
    /// Of fibre and detectors; a sender or switch that gives no light counts as a cut.
    pub(super) light: Effects,
    /// Nobody evaluates what is detected: a module or the relay point does not work.
    pub(super) idle: bool,
}

/// What a pair's instruments show on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown {
    /// Of a direct link.
    Direct(Performance),
    /// Of a relay point.
    Measured(RelayPerformance),
}

impl Shown {
    fn of(light: &Light, effects: Effects) -> Self {
        match light {
            Light::Direct(link) => Self::Direct(crate::simulate::physics::Link { effects, ..*link }.performance()),
            Light::Measured(relay) => {
                Self::Measured(crate::simulate::physics::RelayPoint { effects, ..*relay }.performance())
            }
        }
    }

    const fn rate_bps(&self) -> f64 {
        match self {
            Self::Direct(shown) => shown.secret_key_rate_bps,
            Self::Measured(shown) => shown.secret_key_rate_bps,
        }
    }

    /// Loss of the fibre.
    #[must_use]
    pub const fn loss_db(&self) -> f64 {
        match self {
            Self::Direct(shown) => shown.link_loss_db,
            Self::Measured(shown) => shown.link_loss_db,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    effects: PairEffects,
    shown: Shown,
}

/// The light of all pairs of a link.
#[derive(Clone, Debug)]
pub struct LinkLight {
    pairs: Vec<Pair>,
    /// Beginning of the wander, 0 to 1.
    phase: f64,
    generated_bits: f64,
}

impl LinkLight {
    /// A link in good health.
    #[must_use]
    pub(super) fn new(link: &PlannedLink, position: usize) -> Self {
        let pair = Pair { effects: PairEffects::default(), shown: Shown::of(&link.light, Effects::default()) };
        // The golden ratio spreads the phases of the links evenly.
        #[expect(clippy::cast_precision_loss, reason = "a position in a list")]
        let phase = (position as f64 * 0.618_033_988_75).fract();
        Self { pairs: vec![pair; link.pairs.len()], phase, generated_bits: 0.0 }
    }

    /// Takes over what is wrong now, of each pair.
    pub(super) fn follow(&mut self, link: &PlannedLink, effects: &[PairEffects], time: Duration) {
        let turn = (time.as_secs_f64() / WANDER_PERIOD_S + self.phase) * TAU;
        // In steps of a hundredth of a decibel, so that little has to be worked out anew.
        let wander = (WANDER_DB * (1.0 + turn.sin()) * 50.0).round() / 100.0;
        for (pair, effects) in self.pairs.iter_mut().zip(effects) {
            let mut effects = *effects;
            effects.light.excess_loss_db += wander;
            if pair.effects != effects {
                *pair = Pair { effects, shown: Shown::of(&link.light, effects.light) };
            }
        }
    }

    pub(super) fn generate(&mut self, seconds: f64) {
        self.generated_bits += self.rate_bps() * seconds;
    }

    /// Secret bits that all pairs made so far.
    #[must_use]
    pub const fn generated_bits(&self) -> f64 {
        self.generated_bits
    }

    /// Secret bits a second of all pairs.
    #[must_use]
    pub fn rate_bps(&self) -> f64 {
        (0..self.pairs.len()).map(|pair| self.pair_rate_bps(pair)).sum()
    }

    /// Secret bits a second of a pair.
    #[must_use]
    pub fn pair_rate_bps(&self, pair: usize) -> f64 {
        self.pairs.get(pair).map_or(0.0, |pair| if pair.effects.idle { 0.0 } else { pair.shown.rate_bps() })
    }

    /// What a pair's instruments show, on average.
    #[must_use]
    pub fn shown(&self, pair: usize) -> Option<&Shown> {
        self.pairs.get(pair).map(|pair| &pair.shown)
    }

    /// What is wrong with a pair's light.
    #[must_use]
    pub fn effects(&self, pair: usize) -> Effects {
        self.pairs.get(pair).map_or_else(Effects::default, |pair| pair.effects.light)
    }
}
