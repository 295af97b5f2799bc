//! What the catalogue allows of a sample, in a table by symbol.
//!
//! Built once when the handler is bound. The manager gives the catalogue's names and words its lowest symbols, so that
//! the table is small and dense; symbols beyond it are names that the catalogue does not have.

use qkdn_plugin::Symbol;
use qkdn_plugin::catalogue::{PERFORMANCE, STATE};
use qkdn_plugin::handler::{Handled, KIND_FLAG, KIND_NUMBER, KIND_WORD, Reports};

/// The table.
#[derive(Default)]
pub(crate) struct Limits {
    by_symbol: Vec<Limit>,
    /// Symbols of the words of all lists, one after another.
    words: Vec<u32>,
    /// The same, with their text.
    texts: Vec<(u32, &'static str)>,
}

/// What is allowed of one name.
#[derive(Clone, Copy)]
struct Limit {
    kind: Kind,
    /// Position in the catalogue's list.
    entry: u32,
    min: f64,
    max: f64,
    /// Range of `Limits::words`.
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Number,
    Word,
    Flag,
}

/// Names and words whose symbols the table needs: every performance name, then every state name followed by its words.
pub(crate) fn wanted_names() -> Vec<String> {
    let performance = PERFORMANCE.iter().map(|entry| entry.name);
    let state = STATE.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.words.iter().copied()));
    performance.chain(state).map(str::to_owned).collect()
}

impl Limits {
    /// The table for the symbols of [`wanted_names`], in that order.
    pub(crate) fn new(symbols: &[Symbol]) -> Self {
        let mut table = Self::default();
        let mut symbols = symbols.iter().copied();
        let mut next = || symbols.next().unwrap_or(Symbol::NONE);
        for (position, entry) in PERFORMANCE.iter().enumerate() {
            let min = entry.min.unwrap_or(f64::NEG_INFINITY);
            let max = entry.max.unwrap_or(f64::INFINITY);
            table.set(next(), Limit { kind: Kind::Number, entry: position as u32, min, max, ..Limit::UNKNOWN });
        }
        for (position, entry) in STATE.iter().enumerate() {
            let kind = if entry.words.is_empty() { Kind::Flag } else { Kind::Word };
            let name = next();
            let first = table.words.len() as u32;
            for &word in entry.words {
                let symbol = next();
                table.words.push(symbol.0);
                table.texts.push((symbol.0, word));
            }
            let last = table.words.len() as u32;
            table.set(name, Limit { kind, entry: position as u32, first, last, ..Limit::UNKNOWN });
        }
        table
    }

    /// Refuses every report with a sample that is not allowed.
    pub(crate) fn check(&self, reports: &Reports, handled: &mut Handled) {
        let samples = reports.names.iter().zip(&reports.values).zip(&reports.flags);
        for (position, ((&name, &value), &flags)) in samples.enumerate() {
            let Some(limit) = self.by_symbol.get(name as usize) else { continue };
            if !self.allows(limit, value, flags & 0xff) {
                let reason = self.reason(limit, value, flags);
                handled.refuse(reports.report_of(position), reason);
            }
        }
    }

    fn set(&mut self, symbol: Symbol, limit: Limit) {
        let place = symbol.0 as usize;
        if symbol.is_none() {
            return;
        }
        if self.by_symbol.len() <= place {
            self.by_symbol.resize(place + 1, Limit::UNKNOWN);
        }
        if let Some(old) = self.by_symbol.get_mut(place) {
            *old = limit;
        }
    }

    fn allows(&self, limit: &Limit, value: f64, kind: u32) -> bool {
        match limit.kind {
            Kind::Unknown => true,
            Kind::Number => kind == KIND_NUMBER && value >= limit.min && value <= limit.max,
            Kind::Flag => kind == KIND_FLAG,
            Kind::Word => kind == KIND_WORD && self.words_of(limit).contains(&(value as u32)),
        }
    }

    fn words_of(&self, limit: &Limit) -> &[u32] {
        self.words.get(limit.first as usize..limit.last as usize).unwrap_or_default()
    }

    #[cold]
    fn reason(&self, limit: &Limit, value: f64, flags: u32) -> String {
        let kind = flags & 0xff;
        let (name, words) = match limit.kind {
            Kind::Number => (PERFORMANCE.get(limit.entry as usize).map_or("", |entry| entry.name), &[][..]),
            _ => STATE.get(limit.entry as usize).map_or(("", &[][..]), |entry| (entry.name, entry.words)),
        };
        let place = format!("extension[{}].values.{name}", flags >> 8);
        match limit.kind {
            Kind::Number if kind != KIND_NUMBER => format!("{place}: expected a number"),
            Kind::Number if value < limit.min => format!("{place}: {value} is less than {}", limit.min),
            Kind::Number if value > limit.max => format!("{place}: {value} is more than {}", limit.max),
            Kind::Number => format!("{place}: {value} is not a number"),
            Kind::Flag | Kind::Unknown => format!("{place}: expected true or false"),
            Kind::Word if kind != KIND_WORD => format!("{place}: expected one of {}", words.join(", ")),
            Kind::Word => {
                let text = self.texts.iter().find(|&&(symbol, _)| value > 0.0 && symbol == value as u32);
                let said = text.map_or_else(|| "the word".to_owned(), |(_, text)| format!("\"{text}\""));
                format!("{place}: {said} is not one of {}", words.join(", "))
            }
        }
    }
}

impl Limit {
    const UNKNOWN: Self = Self { kind: Kind::Unknown, entry: 0, min: 0.0, max: 0.0, first: 0, last: 0 };
}
