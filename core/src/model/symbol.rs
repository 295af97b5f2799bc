//! Symbols: names of values, words, components and resources as small numbers, so that plugins and the journal
//! handle `u32` where people read text (`reference/wasm` measurements: strings cost ten times the plugin call).
//!
//! Symbols are given in order and never taken back; the journal writes each new one before anything that uses it.
//! Free text never becomes a symbol. How many resources a component may bring is the caller's business.

use std::sync::{Arc, OnceLock, RwLock};

use dashmap::DashMap;

/// A name's number. Zero stands for "none": no resource, or a word that nobody defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Symbol(pub u32);

impl Symbol {
    /// No name: the component itself where a resource is meant.
    pub const NONE: Self = Self(0);

    /// Position in a table indexed by symbol.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The manager's table of symbols: text to number without a lock on the way, number to text under a short read lock.
#[derive(Debug)]
pub struct SymbolTable {
    by_text: DashMap<Arc<str>, Symbol>,
    by_number: RwLock<Vec<Arc<str>>>,
    catalogued: OnceLock<Catalogued>,
}

/// Which symbols are the catalogue's. Not a range: a table that was recovered has the names of a newer catalogue behind
/// those of components.
#[derive(Debug)]
struct Catalogued {
    /// The symbols of the catalogue's names and words, in the catalogue's order.
    symbols: Box<[Symbol]>,
    /// A bit for each symbol.
    bits: Box<[u64]>,
}

impl Default for SymbolTable {
    fn default() -> Self {
        Self::new()
    }
}

impl SymbolTable {
    /// A table that holds nothing but [`Symbol::NONE`], the empty text.
    #[must_use]
    pub fn new() -> Self {
        let empty: Arc<str> = Arc::from("");
        let by_text = DashMap::new();
        by_text.insert(Arc::clone(&empty), Symbol::NONE);
        Self { by_text, by_number: RwLock::new(vec![empty]), catalogued: OnceLock::new() }
    }

    /// The symbol of a text that is known already.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Symbol> {
        self.by_text.get(text).map(|symbol| *symbol)
    }

    /// The symbol of a text, given now if it has none.
    pub fn intern(&self, text: &str) -> Symbol {
        if let Some(symbol) = self.find(text) {
            return symbol;
        }
        let text: Arc<str> = Arc::from(text);
        *self.by_text.entry(Arc::clone(&text)).or_insert_with(|| {
            let mut names = self.by_number.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            let symbol = Symbol(u32::try_from(names.len()).unwrap_or(u32::MAX));
            names.push(text);
            symbol
        })
    }

    /// The text of a symbol; empty for [`Symbol::NONE`] and for numbers never given.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> Arc<str> {
        let names = self.by_number.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(symbol.index()).or_else(|| names.first()).cloned().unwrap_or_else(|| Arc::from(""))
    }

    /// Says which symbols are the catalogue's, once.
    pub(super) fn set_catalogued(&self, symbols: Vec<Symbol>) {
        self.catalogued.get_or_init(|| {
            let highest = symbols.iter().map(|symbol| symbol.index()).max().unwrap_or(0);
            let mut bits = vec![0_u64; highest / 64 + 1];
            for symbol in &symbols {
                if let Some(word) = bits.get_mut(symbol.index() / 64) {
                    *word |= 1 << (symbol.index() % 64);
                }
            }
            Catalogued { symbols: symbols.into(), bits: bits.into() }
        });
    }

    /// The symbols of [`super::Catalogue::entries`], in their order; none before the catalogue was interned.
    #[must_use]
    pub fn catalogued(&self) -> &[Symbol] {
        self.catalogued.get().map_or(&[], |catalogued| &catalogued.symbols)
    }

    /// Whether a symbol is a name or word of the catalogue; false for all before the catalogue was interned.
    #[must_use]
    pub fn is_catalogued(&self, symbol: Symbol) -> bool {
        let word =
            self.catalogued.get().and_then(|catalogued| catalogued.bits.get(symbol.index() / 64)).copied().unwrap_or(0);
        word & (1 << (symbol.index() % 64)) != 0
    }

    /// How many symbols there are, [`Symbol::NONE`] included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_number.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// Never true: the table always holds [`Symbol::NONE`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The texts of all symbols from `first` on, in order: what the journal has yet to write.
    #[must_use]
    pub fn from(&self, first: usize) -> Vec<Arc<str>> {
        let names = self.by_number.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(first..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_agree_on_symbols() {
        let table = SymbolTable::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|i| drop(table.text(table.intern(&format!("name-{i}"))))));
            }
        });
        assert_eq!(table.len(), 501);
        for i in 0..500 {
            let name = format!("name-{i}");
            assert_eq!(table.text(table.find(&name).unwrap()).as_ref(), name);
        }
        assert_eq!(table.from(501).len(), 0);
    }
}
