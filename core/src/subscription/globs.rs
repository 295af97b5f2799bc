//! Lists of globs (`*`, `?`) where an empty list means all, and whether two globs have a text in common.

use wildmatch::WildMatch;

/// Globs, compiled.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    texts: Vec<String>,
    compiled: Vec<WildMatch>,
}

impl Globs {
    /// Compiles them.
    #[must_use]
    pub fn new(texts: &[String]) -> Self {
        Self { texts: texts.to_vec(), compiled: texts.iter().map(|text| WildMatch::new(text)).collect() }
    }

    /// Whether a text is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_empty() || self.compiled.iter().any(|glob| glob.matches(text))
    }

    /// Whether some text may be meant by these and by `glob`.
    #[must_use]
    pub fn meet(&self, glob: &str) -> bool {
        self.texts.is_empty() || self.texts.iter().any(|own| overlap(own, glob))
    }

    /// Whether some text may be meant by both lists.
    #[must_use]
    pub fn meet_any(&self, globs: &[String]) -> bool {
        globs.is_empty() || globs.iter().any(|glob| self.meet(glob))
    }
}

/// Whether some text matches both globs. The cost is the product of their lengths.
#[must_use]
pub fn overlap(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // `row[j]`: whether what is left of `left` and `right[j..]` have a text in common, from the ends to the beginnings.
    let only_stars = |rest: &[char]| rest.iter().all(|c| *c == '*');
    let mut row: Vec<bool> = (0..=right.len()).map(|j| only_stars(right.get(j..).unwrap_or_default())).collect();
    for i in (0..left.len()).rev() {
        let below = row;
        let a = left.get(i).copied().unwrap_or('*');
        row = vec![false; right.len() + 1];
        let mut next = only_stars(left.get(i..).unwrap_or_default());
        if let Some(last) = row.last_mut() {
            *last = next;
        }
        for j in (0..right.len()).rev() {
            let b = right.get(j).copied().unwrap_or('*');
            let at = |j: usize| below.get(j).copied().unwrap_or(false);
            next = match (a, b) {
                // A star is nothing, or takes one more.
                ('*', _) | (_, '*') => at(j) || next,
                _ => (a == b || a == '?' || b == '?') && at(j + 1),
            };
            if let Some(place) = row.get_mut(j) {
                *place = next;
            }
        }
    }
    row.first().copied().unwrap_or(true)
}
