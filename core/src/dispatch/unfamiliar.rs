//! What a component says that the catalogue does not have: the last few words, for people who look for a slip.
//!
//! In memory alone: after a restart of the manager it fills again from what still comes.

use std::sync::{Mutex, PoisonError};

use crate::{
    config::{limits::UNKNOWN_WORDS, reader::resembling},
    model::{
        Timestamp,
        unknown::{Unknown, UnknownUse},
    },
};

/// The words of one component, at most [`UNKNOWN_WORDS`]; a new one takes the place of that which was not seen for longest.
#[derive(Debug, Default)]
pub struct Unfamiliar(Mutex<Vec<UnknownUse>>);

impl Unfamiliar {
    /// Notes the words of a report.
    pub fn note(&self, words: &[Unknown], now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for unknown in words {
            if let Some(one) = known.iter_mut().find(|one| one.unknown == *unknown) {
                (one.count, one.last) = (one.count + 1, now);
                continue;
            }
            if known.len() >= UNKNOWN_WORDS
                && let Some((oldest, _)) = known.iter().enumerate().min_by_key(|(_, one)| one.last)
            {
                known.swap_remove(oldest);
            }
            let meant = resembling(&unknown.text, &unknown.kind.known());
            known.push(UnknownUse { unknown: unknown.clone(), meant, count: 1, last: now });
        }
    }

    /// How many of them are probably slips.
    #[must_use]
    pub fn likely_slips(&self) -> usize {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|one| one.meant.is_some()).count()
    }

    /// The words, the latest first.
    #[must_use]
    pub fn words(&self) -> Vec<UnknownUse> {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        words.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.unknown.text.cmp(&b.unknown.text)));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::unknown::UnknownKind;

    #[test]
    fn words_are_counted_and_the_one_not_seen_for_longest_makes_room() {
        let word = |number: usize| Unknown { kind: UnknownKind::Performance, text: format!("word_{number}") };
        let unfamiliar = Unfamiliar::default();
        for number in 0..UNKNOWN_WORDS {
            unfamiliar.note(&[word(number)], Timestamp(number as i64));
        }
        unfamiliar.note(&[word(0)], Timestamp(100));
        unfamiliar.note(&[word(99)], Timestamp(101));
        let words = unfamiliar.words();
        assert_eq!((words.len(), unfamiliar.likely_slips()), (UNKNOWN_WORDS, 0));
        let slip = Unknown { kind: UnknownKind::Performance, text: "key_store_fil_ratio".to_owned() };
        unfamiliar.note(&[slip], Timestamp(102));
        assert_eq!((unfamiliar.words()[0].meant, unfamiliar.likely_slips()), (Some("key_store_fill_ratio"), 1));
        assert_eq!((words[0].unknown.text.as_str(), words[0].count), ("word_99", 1));
        assert_eq!((words[1].unknown.text.as_str(), words[1].count), ("word_0", 2));
        assert!(words.iter().all(|one| one.unknown.text != "word_1"), "it was not seen for longest");
    }
}
