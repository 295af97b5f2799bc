//! The thread of a shard: a runtime on which the shard runs, and beside it the connections of its components.
//!
//! What a component reports is read, decoded, worked through and answered on one thread: it stays in that core's caches, and
//! nobody is woken on the way but the journal. A plugin that takes its time holds up the connections served here: those of
//! identities whose first component is this shard's, peers and subscribers among them. Handshakes, API and whatever else there is are on
//! the runtime that all share.

use std::{io, thread::JoinHandle};

use tokio::runtime::{Builder, Handle};

use super::{Mailbox, worker::Worker};

/// A shard that runs.
#[derive(Debug)]
pub struct ShardThread {
    /// What it is sent.
    pub mailbox: Mailbox,
    /// Where connections of its components are served.
    pub runtime: Handle,
    thread: JoinHandle<()>,
}

impl ShardThread {
    /// Starts a shard; `note`, if given, is journalled first.
    pub fn start(worker: Worker, mailbox: Mailbox, note: Option<String>) -> io::Result<Self> {
        let own = Builder::new_current_thread().enable_all().build()?;
        let runtime = own.handle().clone();
        let name = format!("shard-{}", worker.number);
        let serve = move || {
            let shard = own.spawn(worker.run(note));
            let ended = own.block_on(shard);
            if let Err(Ok(broken)) = ended.map_err(tokio::task::JoinError::try_into_panic) {
                std::panic::resume_unwind(broken);
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(serve)?;
        Ok(Self { mailbox, runtime, thread })
    }

    /// Waits for its end, once it was told to stop; whether it ended in good order.
    #[must_use]
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}
