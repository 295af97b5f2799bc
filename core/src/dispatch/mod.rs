//! From a message to the shard and handler that it belongs to: which components are known, who speaks for them, which
//! handler and policies apply.
//!
//! The tables are built from the configuration and grow when a component appears; connections read them without
//! waiting. Nothing here knows TLS, JSON or plugins.

pub mod enrolment;
pub mod matching;
pub mod registry;
pub mod rules;
pub mod unfamiliar;

pub use enrolment::{Enrolments, Unclear, Waiting};
pub use matching::{Matcher, Mismatch};
pub use registry::{ComponentCard, ComponentEntry, Connected, Registry};
pub use rules::Rules;
pub use unfamiliar::Unfamiliar;
