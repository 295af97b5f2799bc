//! Where a piece of configuration was written: the texts that were read, and places in them.
//!
//! A value that came from the environment has a place too: the environment is one more text, a variable a line, so
//! that every problem can be shown in the same way.

use std::{ops::Range, path::PathBuf};

/// A piece of one of the [`Sources`], in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Position in [`Sources`].
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Place {
    /// The bytes.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot<T> {
    /// What.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> Spot<T> {
    /// Joins both.
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spot<U> {
        Spot { value: change(self.value), place: self.place }
    }
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// As people know it: the path of the file as it was given, or `environment`.
    pub name: String,
    /// What relative paths in it are relative to.
    pub folder: PathBuf,
    /// The text.
    pub text: String,
}

/// All texts of a configuration, in the order in which they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    texts: Vec<SourceText>,
    /// Of each text, where its lines begin: places are asked for by the thousand.
    lines: Vec<Vec<usize>>,
}

impl Sources {
    /// Adds a text and says its position.
    pub fn add(&mut self, source: SourceText) -> usize {
        let breaks = source.text.match_indices('\n').map(|(at, _)| at + 1);
        self.lines.push(std::iter::once(0).chain(breaks).collect());
        self.texts.push(source);
        self.texts.len() - 1
    }

    /// The text that a place is in.
    #[must_use]
    pub fn get(&self, place: Place) -> Option<&SourceText> {
        self.texts.get(place.source)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SourceText> {
        self.texts.iter()
    }

    /// Line and column of the first byte, both from 1; columns count Unicode scalar values.
    #[must_use]
    pub fn line_and_column(&self, place: Place) -> Option<(usize, usize)> {
        let starts = self.lines.get(place.source)?;
        let line = starts.partition_point(|start| *start <= place.start);
        let before = self.get(place)?.text.get(*starts.get(line.checked_sub(1)?)?..place.start)?;
        Some((line, before.chars().count() + 1))
    }

    /// A path as written at a place, relative to the folder of the file that it is written in.
    #[must_use]
    pub fn resolve(&self, path: &str, place: Place) -> PathBuf {
        self.get(place).map_or_else(|| PathBuf::from(path), |source| source.folder.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_paths_follow_their_file() {
        let mut sources = Sources::default();
        let source =
            sources.add(SourceText { name: "a".into(), folder: "etc".into(), text: "x = 1\nä = \"ö\"\n".into() });
        let place = Place { source, start: "x = 1\nä = ".len(), end: 14 };
        assert_eq!(sources.line_and_column(place), Some((2, 5)));
        assert_eq!(sources.resolve("pki/a.pem", place), PathBuf::from("etc/pki/a.pem"));
        assert_eq!(sources.resolve("/pki/a.pem", place), PathBuf::from("/pki/a.pem"));
        assert_eq!(sources.line_and_column(Place { source: 7, start: 0, end: 0 }), None);
        assert_eq!(sources.line_and_column(Place { source, start: 700, end: 701 }), None);
    }
}
