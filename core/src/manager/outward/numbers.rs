//! The numbers of a subscription's notifications: which of them never came.
//!
//! Within a connection notifications arrive in the order of their numbers, and a resumed subscription goes on after the last
//! one that was answered `success`; so a number that is skipped is lost, and one at or below the highest is a repeat. The
//! first number seen is the base: what was before it is not known.

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The next one, or the first that is seen.
    Next,
    /// It was seen before.
    Repeat,
    /// So many before it never came.
    Missing(u64),
}

/// Numbers seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    highest: Option<u64>,
}

impl Numbers {
    /// Takes the number of a notification.
    pub fn note(&mut self, number: u64) -> Noted {
        let Some(highest) = self.highest else {
            self.highest = Some(number);
            return Noted::Next;
        };
        if number <= highest {
            return Noted::Repeat;
        }
        self.highest = Some(number);
        match number - highest - 1 {
            0 => Noted::Next,
            missing => Noted::Missing(missing),
        }
    }

    /// Takes what the component tells as lost; how many numbers are missing that were not known to be.
    pub fn gap(&mut self, from: u64, to: u64) -> u64 {
        let after = self.highest.unwrap_or_else(|| from.saturating_sub(1));
        if to <= after || to < from {
            return 0;
        }
        self.highest = Some(to);
        to - after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gaps_are_seen_once() {
        let mut numbers = Numbers::default();
        let noted = [5, 6, 6, 9, 8, 10].map(|number| numbers.note(number));
        let wanted = [Noted::Next, Noted::Next, Noted::Repeat, Noted::Missing(2), Noted::Repeat, Noted::Next];
        assert_eq!(noted, wanted);
        assert_eq!((numbers.gap(11, 20), numbers.gap(15, 20), numbers.gap(20, 15)), (10, 0, 0));
        assert_eq!(numbers.note(21), Noted::Next);
    }

    proptest! {
        /// Numbers that came and numbers that are missing together are all from the first to the highest.
        #[test]
        fn nothing_is_counted_twice_or_forgotten(
            steps in prop::collection::vec((0_u64..40, 0_u64..4, any::<bool>()), 1..60)
        ) {
            let mut numbers = Numbers::default();
            let (mut came, mut missing, mut first) = (0, 0, None);
            for (start, length, is_gap) in steps {
                if is_gap {
                    first.get_or_insert(start.max(1));
                    missing += numbers.gap(start.max(1), start.max(1) + length);
                } else {
                    first.get_or_insert(start);
                    match numbers.note(start) {
                        Noted::Next => came += 1,
                        Noted::Missing(n) => { came += 1; missing += n; }
                        Noted::Repeat => {}
                    }
                }
                let (highest, first) = (numbers.highest.unwrap(), first.unwrap());
                prop_assert_eq!(came + missing, highest + 1 - first);
            }
        }
    }
}
