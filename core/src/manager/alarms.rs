//! Alarms of the manager's own on their way to the shard that has them.

use std::sync::Arc;

use crate::{
    dispatch::registry::shard_of,
    shard::{AlarmRequest, Mailbox, ShardMessage},
};

/// Hands alarms to shards: an alarm belongs to the shard of its component, and what is about the manager itself to the
/// shard of the manager's own reference.
#[derive(Clone, Debug)]
pub struct AlarmDesk {
    shards: Arc<[Mailbox]>,
}

impl AlarmDesk {
    /// For these shards.
    #[must_use]
    pub const fn new(shards: Arc<[Mailbox]>) -> Self {
        Self { shards }
    }

    /// The mailbox of the shard that has the alarms of a component (`mk/km-1`).
    #[must_use]
    pub fn mailbox(&self, component: &str) -> Option<&Mailbox> {
        self.shards.get(shard_of(component, self.shards.len()))
    }

    /// Hands an alarm over. A shard that is full loses it, which is logged: its senders are told `overloaded` then.
    pub fn put(&self, request: AlarmRequest) {
        let Some(mailbox) = self.mailbox(&request.key.component) else { return };
        if let Err(ShardMessage::Alarm(request)) = mailbox.put(ShardMessage::Alarm(request)) {
            tracing::error!(key = %request.key, "An alarm was lost: its shard's mailbox is full.");
        }
    }
}
