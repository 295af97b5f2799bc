//! The contract of `manager.toml` as a table: each key with its kind, what holds where it is absent, and what it is for.
//!
//! Nothing of the manager reads its configuration by this table; `raw` and `check` do. It is what people and editors are
//! told: the JSON Schema ([`super::schema`]), the order in which [`super::effective`] is shown. Tests hold it against the
//! reader key by key: names, words, bounds and defaults.

mod lists;
mod matching;
mod tables;
#[cfg(test)]
mod tests;

pub use tables::TOP;

/// A table: `[manager]`, `[[components]]`, `applies_to = { ... }`.
#[derive(Debug)]
pub struct TableSpec {
    /// Its name as written, without brackets: `interfaces.mq`.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its keys, in the order in which they are shown.
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What holds without it.
    pub absent: Absent,
    /// What it is for.
    pub about: &'static str,
}

/// What holds where a key is absent.
#[derive(Debug)]
pub enum Absent {
    /// It may not be absent.
    Required,
    /// A value, as it would be written.
    Default(&'static str),
    /// Something that cannot be written as a value.
    Means(&'static str),
}

/// What may stand under a key. Durations are in milliseconds, sizes in bytes; bounds are inclusive.
#[derive(Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A text or a list of texts.
    Texts,
    /// Path of a file or folder, relative to the file it is written in.
    Path,
    /// One path or a list of them.
    Paths,
    /// `address:port`.
    Address,
    /// One address or a list of them.
    Addresses,
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// A number.
    Real,
    /// A duration such as `"10s"`.
    Duration(u64, u64),
    /// A size such as `"32MiB"`.
    Size(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// A time (RFC 3339), in quotes or not.
    Time,
    /// A table.
    Table(&'static TableSpec),
    /// A list of tables.
    Tables(&'static TableSpec),
    /// What a plugin's own schema describes.
    PluginConfig,
    /// Paths of files by key.
    Files,
}

impl TableSpec {
    /// The key of a name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, kind: Kind, absent: Absent, about: &'static str) -> Key {
    Key { name, kind, absent, about }
}

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400_000;
const YEAR: u64 = 366 * DAY;
/// Reference points, in their order.
const POINTS: &[&str] = &["mq", "mops", "mqrp", "mk", "mc", "mu", "mx"];
/// FCAPS.
const FUNCTIONS: &[&str] = &["fault", "configuration", "accounting", "performance", "security"];
