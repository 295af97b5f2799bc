//! Storage: the journal (what came in and what followed from it) and the state database behind it.
//!
//! A shard hands over [`SealedBatch`]es; one writer thread merges what waits into a commit, and after it tells each
//! batch that it is durable. What a batch holds is [`record::BatchRecord`]. Recovery loads the state database and
//! applies the journal's tail: effects only, plugins are never run. Nothing here knows connections or plugins.

pub mod backup;
mod columns;
pub mod data_dir;
pub mod decode;
pub mod encode;
pub mod error;
pub mod exports;
pub mod faults;
pub mod federation;
pub mod feed;
pub mod follow;
pub mod history;
pub mod journal;
pub mod latest;
pub mod network_read;
pub mod read;
pub mod record;
pub mod recovery;
pub mod repair;
pub mod replay;
pub mod retention;
pub mod state_db;
pub mod subscriptions;
pub mod verify;

#[cfg(all(test, feature = "fault-points"))]
mod fault_tests;
#[cfg(test)]
mod feed_tests;
#[cfg(test)]
mod testing;

use std::fmt;

/// A shard's batch, encoded, on its way into the journal.
pub struct SealedBatch {
    /// The encoded and compressed [`record::BatchRecord`].
    pub bytes: Vec<u8>,
    /// Reports in it, for metrics.
    pub reports: u32,
    /// The journal epoch the shard believed in; a batch of an earlier epoch than the journal's is not written but
    /// told [`Tell::failed`] (it was computed on top of state that was taken back).
    pub epoch: u64,
    /// The shard that made it.
    pub shard: u16,
    /// The shard has more reports in hand: another batch follows at once, and may share the commit.
    pub is_followed: bool,
    /// Whom to tell.
    pub tell: Box<dyn Tell>,
}

/// What happens once a batch is durable, or is known not to be. Called on the journal's thread: quick, never blocking.
pub trait Tell: Send {
    /// The batch is durable at this position.
    fn committed(self: Box<Self>, position: JournalPosition);
    /// The batch is not stored. `epoch` is the journal's new epoch: every batch of an earlier one fails too, and the
    /// shard has to take back all that is not committed before it goes on under the new epoch.
    fn failed(self: Box<Self>, epoch: u64, reason: &str);
}

/// Position of a batch in the journal: blocks are numbered from 1, batches within their block from 0. The number
/// `block << 16 | batch` is a report's id together with its place in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct JournalPosition(pub u64);

impl fmt::Display for JournalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 16, self.0 & 0xffff)
    }
}
