//! Symbols: the numbers by which the manager names values, words, components and resources.

use std::fmt;

/// A number that the manager gave to a name. Compared with those that `bind` brought, and otherwise opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub u32);

impl Symbol {
    /// No name: the component itself where a resource is asked for, a word that the catalogue does not have.
    pub const NONE: Self = Self(0);

    /// Whether this is [`Self::NONE`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
