//! Links to other domains in sum: how many are in which state, and between what their values lie; none by its name.
//!
//! In: ends of links, or what several domains say of theirs. Out: states counted, and the least and greatest value with how many
//! there were. Rates and ratios do not add up, and a mean of means is none: so they are carried as ranges, which join.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LinkEnd;

/// Between what the values lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many there are.
    pub count: u64,
}

impl Range {
    /// Between what the values of both lie.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            count: self.count.saturating_add(other.count),
        }
    }
}

/// Section `linkRanges`: ends of links to other domains, in sum. A link that both of its ends tell of is counted at both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinkRanges {
    /// How many ends are `up`, `degraded`, `down`, `unknown`.
    pub states: BTreeMap<String, u64>,
    /// QBER of sifted key, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qber_ratio: Option<Range>,
    /// Secret key rate, bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_rate_bps: Option<Range>,
    /// Filling of key stores, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store_fill_ratio: Option<Range>,
}

impl From<&LinkEnd> for LinkRanges {
    fn from(end: &LinkEnd) -> Self {
        let one = |value: Option<f64>| value.map(|value| Range { min: value, max: value, count: 1 });
        Self {
            states: [(end.state.clone(), 1)].into(),
            qber_ratio: one(end.qber_ratio),
            secret_key_rate_bps: one(end.secret_key_rate_bps),
            key_store_fill_ratio: one(end.key_store_fill_ratio),
        }
    }
}

impl LinkRanges {
    /// Of these ends.
    #[must_use]
    pub fn of(ends: &[LinkEnd]) -> Self {
        let mut all = Self::default();
        ends.iter().for_each(|end| all.join(&Self::from(end)));
        all
    }

    /// Takes what another says in.
    pub fn join(&mut self, other: &Self) {
        for (state, count) in &other.states {
            let sum = self.states.entry(state.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (ours, theirs) in [
            (&mut self.qber_ratio, other.qber_ratio),
            (&mut self.secret_key_rate_bps, other.secret_key_rate_bps),
            (&mut self.key_store_fill_ratio, other.key_store_fill_ratio),
        ] {
            *ours = match (*ours, theirs) {
                (Some(one), Some(other)) => Some(one.join(other)),
                (one, other) => one.or(other),
            };
        }
    }
}
