//! Objects of ETSI GS QKD 015 (V2.1.1, YANG module `etsi-qkd-sdn-node`) in the words of the manager's catalogue.
//!
//! In: a `qkd_node`, `qkd_interface`, `qkd_link` or `qkd_app`, or the content of a notification, as JSON of RFC 7951. Out: what is
//! to be said of it ([`Finding`]), each with the resource that it speaks of; or what is wrong, beginning with the key.
//!
//! Three things of RFC 7951 meet a reader who does not expect them: decimals and 64-bit numbers come as strings, identities
//! may come with the module's prefix (`etsi-qkdn-types:ENABLED`), and a list may be absent where it is empty.

mod objects;
mod reading;
#[cfg(test)]
mod tests;

pub use objects::{application, interface, link, node, notification};
pub use reading::Unit;

/// Something that an object says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it speaks of: `interface-1`, a link's or an application's ID; empty for the whole.
    pub resource: String,
    /// What it says.
    pub says: Says,
}

/// What is said, in the catalogue's words.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// A performance value.
    Number(&'static str, f64),
    /// A state: name and word.
    Word(&'static str, &'static str),
    /// An inventory value.
    Fact(&'static str, String),
    /// An alarm; `None` as severity: it is over.
    Alarm {
        /// Alarm type.
        alarm_type: &'static str,
        /// `major`, `minor`, ...
        severity: Option<&'static str>,
        /// For a person.
        text: String,
    },
    /// Key consumed by an application in a period, in bits.
    Usage {
        /// RFC 3339.
        start: String,
        /// RFC 3339.
        end: String,
        /// Bits.
        consumed: u64,
    },
}

/// What is wrong with an object: the key, from the object on, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Such as `.skr`.
    pub path: String,
    /// Such as `expected a number`.
    pub message: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The name of the YANG module, as it stands before names at the top of JSON.
pub const MODULE: &str = "etsi-qkd-sdn-node";

/// A name without the module's prefix.
#[must_use]
pub fn plain(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, plain)| plain)
}
