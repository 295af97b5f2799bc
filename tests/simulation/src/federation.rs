//! The protocol's own source, compiled here alone: which also shows that it needs nothing else of the manager.

#[path = "../../../core/src/federation/protocol/mod.rs"]
pub mod protocol;
