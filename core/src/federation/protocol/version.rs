//! Versions of documents: of two, the higher is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Greatest epoch and sequence number: the integers that every JSON reader has exactly.
pub const MAX_COUNT: u64 = (1 << 53) - 1;
/// Random bits of an epoch.
const RANDOM_BITS: u32 = 20;

/// Version of a document; ordered by key generation, then epoch, then sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Of the keys, from the roster.
    pub key_gen: u32,
    /// Life of the publishing process.
    pub epoch: u64,
    /// Rises by one with every manifest of a slot.
    pub seq: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.key_gen, self.epoch, self.seq)
    }
}

impl Version {
    /// Whether both counts are in range.
    #[must_use]
    pub fn in_range(self) -> bool {
        self.epoch <= MAX_COUNT && self.seq <= MAX_COUNT
    }
}

/// A new epoch: above `last`, and apart from what another process takes in the same second. `wall_ms` is Unix time;
/// `random` any random number. `None` if there is no higher one: only new keys with a higher generation help then.
#[must_use]
pub fn epoch(last: u64, wall_ms: u64, random: u64) -> Option<u64> {
    let seconds = (wall_ms / 1_000).max((last >> RANDOM_BITS) + 1);
    let epoch = seconds.checked_shl(RANDOM_BITS)? | (random & ((1 << RANDOM_BITS) - 1));
    (epoch <= MAX_COUNT && epoch > last).then_some(epoch)
}

/// The second since 1970 in which an epoch was taken, by the clock of who took it.
#[must_use]
pub(super) fn second_of(epoch: u64) -> u64 {
    epoch >> RANDOM_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_higher_key_generation_outranks_any_epoch() {
        let poisoned = Version { key_gen: 1, epoch: MAX_COUNT, seq: MAX_COUNT };
        assert!(Version { key_gen: 2, epoch: 0, seq: 0 } > poisoned);
        assert_eq!(epoch(MAX_COUNT, 0, 0), None);
    }

    proptest! {
        #[test]
        fn an_epoch_is_above_the_last_and_not_before_its_second(
            last in 0_u64..1 << 52, wall in 0_u64..8_000_000_000_000, random: u64,
        ) {
            let next = epoch(last, wall, random).unwrap();
            prop_assert!(next > last && next <= MAX_COUNT);
            prop_assert!(next >> RANDOM_BITS >= wall / 1_000);
        }
    }
}
