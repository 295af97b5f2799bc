//! The catalogue's names and words, arranged for the decoder.

use std::sync::OnceLock;

use hashbrown::HashMap;

use super::content_hash;
use crate::model::{Catalogue, unknown::UnknownKind};

/// Which extension objects a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Names of `performance`.
    Performance,
    /// Names of `state`.
    State,
}

impl Group {
    /// What a name is that the group does not have.
    pub(super) const fn unknown(self) -> UnknownKind {
        match self {
            Self::Performance => UnknownKind::Performance,
            Self::State => UnknownKind::State,
        }
    }
}

/// A name of the catalogue.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: &'static str,
    /// As the key of a member is nearly always written, quotes and colon included.
    pub(super) written: Box<[u8]>,
    /// Position among [`Catalogue::entries`], by which a table of symbols has it.
    pub(super) entry: usize,
    pub(super) hash: u64,
    pub(super) group: Group,
}

/// All names, and all words of all names. It knows no symbols: these are each manager's own.
#[derive(Debug)]
pub(super) struct NameTable {
    names: Vec<Name>,
    by_text: HashMap<&'static str, usize>,
    /// Position of each word among [`Catalogue::entries`].
    words: HashMap<&'static str, usize>,
}

impl NameTable {
    /// The table of the catalogue this manager was built with.
    pub(super) fn get() -> &'static Self {
        static TABLE: OnceLock<NameTable> = OnceLock::new();
        TABLE.get_or_init(|| Self::new(Catalogue::get()))
    }

    fn new(catalogue: &'static Catalogue) -> Self {
        let entries: HashMap<&str, usize> = catalogue.entries().zip(0..).collect();
        let entry = |text: &str| entries.get(text).copied().unwrap_or(usize::MAX);
        let performance = catalogue.performance.iter().map(|value| (value.name.as_str(), Group::Performance));
        let state = catalogue.state.iter().map(|value| (value.name.as_str(), Group::State));
        let (mut names, mut by_text) = (Vec::new(), HashMap::new());
        for (text, group) in performance.chain(state) {
            by_text.insert(text, names.len());
            names.push(Name {
                text,
                written: format!("\"{text}\":").into_bytes().into(),
                entry: entry(text),
                hash: content_hash::string(text),
                group,
            });
        }
        let words = catalogue.state.iter().flat_map(|value| &value.words);
        Self { names, by_text, words: words.map(|word| (word.as_str(), entry(word))).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn name(&self, index: usize) -> Option<&Name> {
        self.names.get(index)
    }

    /// The position of a name, if the catalogue has it in this group.
    pub(super) fn find(&self, text: &str, group: Group) -> Option<usize> {
        let index = *self.by_text.get(text)?;
        (self.names.get(index)?.group == group).then_some(index)
    }

    /// The position of a word among the catalogue's entries, if some name has it.
    pub(super) fn word(&self, text: &str) -> Option<usize> {
        self.words.get(text).copied()
    }
}

/// Guesses which name comes next: the one that followed the same name last time. Components repeat themselves, and to
/// compare a guess is cheaper than to look a name up.
#[derive(Debug)]
pub(super) struct Prediction {
    /// For each name the one that followed it; then, for each group, the one that came first.
    followed_by: Vec<usize>,
}

impl Prediction {
    pub(super) fn new(table: &NameTable) -> Self {
        // The catalogue's own order is as good a first guess as any.
        Self { followed_by: (1..=table.len()).chain([0, 0]).collect() }
    }

    /// Stands for the name before the first of an object.
    pub(super) fn start(&self, group: Group) -> usize {
        self.followed_by.len() - if group == Group::Performance { 2 } else { 1 }
    }

    pub(super) fn after(&self, previous: usize) -> usize {
        self.followed_by.get(previous).copied().unwrap_or(0)
    }

    pub(super) fn learn(&mut self, previous: usize, next: usize) {
        if let Some(guess) = self.followed_by.get_mut(previous) {
            *guess = next;
        }
    }
}
