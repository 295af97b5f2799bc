//! A scanner for one JSON text (RFC 8259): the grammar and the project's limits, and nothing of what a message means.
//!
//! It walks a text once and hands out strings that borrow from it, numbers as `f64` and positions, so that the decoder
//! builds no values in between, can keep the text of any part as received, and sees what a general library hides:
//! duplicate keys, depth, and lone surrogates in values that nobody reads. Its grammar is tested against `serde_json`.
//!
//! Errors of grammar end the walk ([`Broken`]). Errors beyond grammar (a number out of range, a lone surrogate, a
//! duplicate key) are noted and the walk goes on, so that the IDs of the message can still be read for the answer. Both
//! are kept in the scanner, the first one, so that results on the way stay small.

mod number;
mod string;

use crate::config::limits::JSON_DEPTH;

/// Where a line stops being acceptable, and why. The sentence never quotes the line: it may hold what must not be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub(crate) struct JsonError {
    /// Offset in the line, from 0.
    pub(crate) at: usize,
    /// What was expected or is wrong.
    pub(crate) what: &'static str,
}

/// The text is not JSON from here on; the scanner knows why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

/// A position in a JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'l> {
    text: &'l str,
    at: usize,
    depth: usize,
    error: Option<JsonError>,
}

impl<'l> Scanner<'l> {
    pub(crate) const fn new(text: &'l str) -> Self {
        Self { text, at: 0, depth: 0, error: None }
    }

    /// Offset of the next byte.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// Goes on at another offset of the same depth, one that [`Self::position`] gave.
    pub(crate) const fn set_position(&mut self, at: usize) {
        self.at = at;
    }

    /// The first error of the walk so far.
    pub(crate) const fn error(&self) -> Option<JsonError> {
        self.error
    }

    /// Notes an error beyond grammar.
    pub(crate) fn note(&mut self, at: usize, what: &'static str) {
        self.error.get_or_insert(JsonError { at, what });
    }

    /// Notes an error of grammar at the next byte.
    #[cold]
    pub(crate) fn broken<T>(&mut self, what: &'static str) -> Result<T, Broken> {
        self.note(self.at, what);
        Err(Broken)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'l str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let mut next = self.byte();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = next {
            self.at += 1;
            next = self.byte();
        }
        next
    }

    /// Takes `expected` if it comes next, byte for byte.
    pub(crate) fn take(&mut self, expected: &[u8]) -> bool {
        let end = self.at + expected.len();
        let found = self.text.as_bytes().get(self.at..end) == Some(expected);
        if found {
            self.at = end;
        }
        found
    }

    /// Takes the bracket that opens an object or array; the caller has seen it.
    pub(crate) fn enter(&mut self) -> Result<(), Broken> {
        if self.depth == JSON_DEPTH {
            return self.broken("nested deeper than 64 levels");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// The bracket that closes has been taken.
    pub(crate) const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether another member of an object comes; then the scanner stands at its key's quote.
    pub(crate) fn next_member(&mut self, first: &mut bool) -> Result<bool, Broken> {
        // As nearly every member is written.
        if !*first && self.text.as_bytes().get(self.at..self.at + 2) == Some(b",\"") {
            self.at += 1;
            return Ok(true);
        }
        if !self.next_item(first, b'}', "expected `,` or `}`")? {
            return Ok(false);
        }
        match self.peek() {
            Some(b'"') => Ok(true),
            _ => self.broken("expected a key in double quotes"),
        }
    }

    /// Whether another element of an array comes; then the scanner stands at it.
    pub(crate) fn next_element(&mut self, first: &mut bool) -> Result<bool, Broken> {
        self.next_item(first, b']', "expected `,` or `]`")
    }

    fn next_item(&mut self, first: &mut bool, close: u8, expected: &'static str) -> Result<bool, Broken> {
        let first = std::mem::replace(first, false);
        match self.peek() {
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(_) => self.broken(expected),
            None => self.broken("the line ends inside an object or array"),
        }
    }

    /// Takes the colon after a key.
    pub(crate) fn colon(&mut self) -> Result<(), Broken> {
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                Ok(())
            }
            _ => self.broken("expected `:` after a key"),
        }
    }

    /// Takes `true`, `false` or `null`.
    pub(crate) fn literal(&mut self) -> Result<Option<bool>, Broken> {
        if self.take(b"true") {
            Ok(Some(true))
        } else if self.take(b"false") {
            Ok(Some(false))
        } else if self.take(b"null") {
            Ok(None)
        } else {
            self.broken("expected a JSON value")
        }
    }

    /// Makes sure that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), Broken> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.broken("unexpected text after the message"),
        }
    }
}
