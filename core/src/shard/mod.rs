//! Shards: each owns the state of its components and everything a report touches on the way from decoded to durable.
//!
//! A shard is a task with one bounded mailbox ([`mailbox`]), on a thread that also serves the connections of its components
//! ([`thread`]). It takes what waits, up to a bound, and runs
//! handler, sequence rules, state and policies over it ([`core::ShardCore`], which does no I/O), seals the result
//! for the journal ([`commit`]) and goes on with the next batch ahead of the disk; [`undo`] takes back what could not
//! be committed. Nobody else ever touches its state; readers get views after the commit.

pub mod alarms;
mod chain;
#[cfg(test)]
mod chain_tests;
mod changed;
pub mod commit;
pub mod core;
pub mod handling;
mod judging;
pub mod mailbox;
mod migration;
pub mod observing;
pub mod owed;
pub mod plugins;
pub mod reload;
#[cfg(test)]
mod reload_tests;
pub mod silence;
mod text_member;
pub mod thread;
pub mod undo;
mod verdicts;
pub mod worker;

pub use mailbox::{AlarmRequest, DecideRequest, Delivery, Mailbox, OperateRequest, ShardMessage};
pub use plugins::{ActiveHandler, ActivePolicy, PluginSet, ShardConfig};
