//! Subscriptions as rules: from a stream of changes, what one subscriber is told and when (status protocol, section 6).
//!
//! In come changes (a value, an alarm, another object of some subject), the time, and what was granted; out come what
//! is to be notified ([`trigger`]), what may be granted at all ([`visibility`]), numbered notifications until they are
//! answered ([`outbox`]), and their text ([`objects`]). Pure: no connection, no storage, no clock; the manager uses it for
//! those who subscribe at it, a component may use it for the manager. State is plain values that can be kept and taken up.

pub mod globs;
pub mod objects;
pub mod outbox;
pub mod trigger;
pub mod visibility;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// What something is about: everything that has the same key is one series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The component, as `mk/km-1`.
    pub subject: String,
    /// The part of it; empty for itself.
    pub resource: String,
    /// Type of the extension object.
    pub kind: String,
    /// Name of the value; of an alarm its type, of an event its name; else empty.
    pub name: String,
    /// Of an alarm, its qualifier.
    pub qualifier: String,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// A number of a `performance` object.
    Number(f64),
    /// A word of a `state` object.
    Word(String),
    /// A flag of a `state` object.
    Flag(bool),
    /// An alarm as it is now: JSON members of its object, without type, subject, resource and time.
    Alarm(String),
    /// Another object, likewise: each is something that happened, and none replaces another.
    Object(String),
}

/// Something that came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What it is about.
    pub key: SeriesKey,
    /// When it was true.
    pub time: Timestamp,
    /// What is said.
    pub content: Content,
}
