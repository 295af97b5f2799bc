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
/// What each resembles is found out when somebody looks and not on the path of a report: a component whose own words are many
/// has new ones here with every report.
#[derive(Debug, Default)]
pub struct Unfamiliar(Mutex<Vec<Noted>>);

#[derive(Debug)]
struct Noted {
    used: UnknownUse,
    /// Whether it was compared with the words that could have been meant.
    is_compared: bool,
}

impl Noted {
    /// With the word that was probably meant.
    fn compared(&mut self) -> &UnknownUse {
        if !std::mem::replace(&mut self.is_compared, true) {
            let unknown = &self.used.unknown;
            self.used.meant = resembling(&unknown.text, &unknown.kind.known());
        }
        &self.used
    }
}

impl Unfamiliar {
    /// Notes the words of a report.
    pub fn note(&self, words: &[Unknown], now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for unknown in words {
            if let Some(one) = known.iter_mut().find(|one| one.used.unknown == *unknown) {
                (one.used.count, one.used.last) = (one.used.count + 1, now);
                continue;
            }
            if known.len() >= UNKNOWN_WORDS
                && let Some((oldest, _)) = known.iter().enumerate().min_by_key(|(_, one)| one.used.last)
            {
                known.swap_remove(oldest);
            }
            let used = UnknownUse { unknown: unknown.clone(), meant: None, count: 1, last: now };
            known.push(Noted { used, is_compared: false });
        }
    }

    /// How many of them are probably slips.
    #[must_use]
    pub fn likely_slips(&self) -> usize {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter_mut().map(Noted::compared).filter(|used| used.meant.is_some()).count()
    }

    /// The words, the latest first.
    #[must_use]
    pub fn words(&self) -> Vec<UnknownUse> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words: Vec<UnknownUse> = known.iter_mut().map(|one| one.compared().clone()).collect();
        drop(known);
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
