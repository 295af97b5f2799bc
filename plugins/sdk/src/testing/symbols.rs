//! Names to symbols and back, as the manager keeps them: the catalogue first, in its order.

use std::collections::HashMap;

use crate::{Symbol, catalogue};

/// Names that have symbols.
pub struct SymbolTable {
    names: Vec<String>,
    by_name: HashMap<String, Symbol>,
}

impl SymbolTable {
    /// A table that holds the catalogue.
    #[must_use]
    pub fn new() -> Self {
        let mut table = Self { names: vec![String::new()], by_name: HashMap::from([(String::new(), Symbol::NONE)]) };
        for entry in catalogue::PERFORMANCE {
            table.intern(entry.name);
        }
        for entry in catalogue::STATE {
            table.intern(entry.name);
            for word in entry.words {
                table.intern(word);
            }
        }
        table
    }

    /// The symbol of a name, new if need be. The empty name is [`Symbol::NONE`].
    pub fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.by_name.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), symbol);
        symbol
    }

    /// The symbol of a name, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Symbol> {
        self.by_name.get(name).copied()
    }

    /// The name of a symbol; empty for [`Symbol::NONE`] and symbols never given.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.0 as usize).map_or("", String::as_str)
    }
}

impl Default for SymbolTable {
    fn default() -> Self {
        Self::new()
    }
}
