//! What the manager knows of each component, as plain values without I/O: numbering of its reports, last
//! values, inventory and topology, counted usage.
//!
//! A shard owns these for its components and changes them ahead of the disk; every change can be taken back until it
//! is committed. Recovery rebuilds them from the state database and the journal. Nothing here knows either.

pub mod component;
pub mod last_values;
pub mod network;
pub mod sequence_window;
pub mod source_clock;
pub mod usage;

pub use component::ComponentState;
pub use last_values::{LastValue, LastValues};
pub use network::{Network, NetworkChange};
pub use sequence_window::{SequenceUndo, SequenceVerdict, SequenceWindow};
pub use usage::{UsageEntry, UsageWindow};
