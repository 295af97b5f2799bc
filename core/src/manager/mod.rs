//! The composition root: builds every part from the configuration, joins them, and stops them in order.
//!
//! [`start()`] goes up in the order of what depends on what: data directory and recovery, plugins, tables, journal and
//! shards, and only then the doors, so that nothing is accepted that could not be kept. [`Running::stop`] goes the other
//! way: doors, connections, shards, journal, state database. Everything may be used here; nobody uses this but the
//! command line and tests.

pub mod alarms;
mod audit_trail;
pub mod backend;
pub mod collectors;
pub mod contexts;
mod described;
pub mod doors;
pub mod enrolment;
pub mod events;
mod explained;
pub mod exporters;
pub mod federation;
pub mod history;
pub mod housekeeping;
pub mod in_force;
mod judged;
mod levels;
pub mod live;
pub mod network;
pub mod outward;
pub mod plugin_versions;
pub mod plugins;
mod rehearsal;
pub mod reload;
pub mod replay;
pub mod reports;
pub mod requests;
mod resources;
pub mod start;
pub mod start_entry;
pub mod start_error;
pub mod subscriptions;
pub mod trial;
pub mod watch;
mod web;

pub use start::start;
pub use start_error::StartError;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::ReferencePoint,
    shard::{ShardMessage, thread::ShardThread},
    storage::{
        data_dir::DataDir, feed::Feed, history::writer::HistoryWriter, journal::Journal, state_db::writer::StateWriter,
    },
    telemetry::audit::{Audit, AuditEntry, AuditWriter},
    telemetry::vital::VitalThreads,
};

/// How long connections may take to close in good order when the manager stops.
const DRAIN: Duration = Duration::from_secs(5);

/// A manager that runs.
pub struct Running {
    vital: VitalThreads,
    reloader: Arc<reload::Reloader>,
    doors: CancellationToken,
    closing: CancellationToken,
    tasks: TaskTracker,
    shards: Vec<ShardThread>,
    journal: Arc<Journal>,
    state: Arc<StateWriter>,
    followers: Followers,
    subscriptions: Arc<subscriptions::Subscriptions>,
    exporters: Arc<exporters::Exporters>,
    federation: Option<Arc<federation::Federation>>,
    watch: Arc<watch::Watch>,
    audit: Audit,
    audit_writer: AuditWriter,
    /// Address of the HTTP API.
    pub api: SocketAddr,
    /// Addresses of the interfaces.
    pub interfaces: Vec<(ReferencePoint, Vec<SocketAddr>)>,
    /// Holds the data directory for this process.
    lock: DataDir,
}

/// Whoever follows what is committed.
pub struct Followers {
    /// Where committed batches are handed in.
    pub feed: Arc<Feed>,
    /// Writes history, if it is kept.
    pub history: Option<HistoryWriter>,
}

impl Followers {
    /// Lets them finish what was committed.
    fn stop(self) {
        self.feed.stop();
        if let Some(history) = self.history {
            history.join();
        }
    }
}

impl Running {
    /// What a supervisor or test wants to know: addresses and process, as JSON.
    #[must_use]
    pub fn ready_note(&self) -> serde_json::Value {
        let interfaces: serde_json::Map<String, serde_json::Value> = self
            .interfaces
            .iter()
            .map(|(point, addresses)| {
                (point.to_string(), addresses.iter().map(ToString::to_string).collect::<Vec<_>>().into())
            })
            .collect();
        serde_json::json!({ "api": self.api.to_string(), "interfaces": interfaces, "pid": std::process::id() })
    }

    /// Takes the configuration's files over, whole or not at all.
    pub fn reload(&self) {
        let reloader = Arc::clone(&self.reloader);
        self.tasks.spawn(async move { reloader.reload(reload::Trigger::Signal, false).await });
    }

    /// Ready when a thread broke that the manager cannot be without, with its name. `/readyz` says so from then on.
    pub async fn thread_lost(&self) -> String {
        self.vital.first_lost().await
    }

    /// Leaves things as a crash would, for a process that ends because a thread broke: only the audit trail is closed.
    pub async fn give_up(self, thread: &str) {
        self.watch.finish();
        self.audit.record(AuditEntry {
            time: crate::clock::wall_time(),
            kind: "stop".to_owned(),
            who: "manager".to_owned(),
            what: format!("the thread {thread} broke; the process ends as if it had crashed, to be started again"),
            detail: serde_json::Value::Null,
        });
        let audit_writer = self.audit_writer;
        if tokio::task::spawn_blocking(move || audit_writer.close()).await.is_err() {
            tracing::error!("The audit trail could not be closed.");
        }
    }

    /// Stops in order: what was accepted is answered and stored.
    pub async fn stop(self) {
        self.doors.cancel();
        if let Some(federation) = self.federation
            && tokio::task::spawn_blocking(move || federation.stop()).await.is_err()
        {
            tracing::error!("Leaving the federation ended with a panic.");
        }
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("Some connections did not close in time and were left.");
        }
        // What is raised from here on is in the journal, and is told after the next start.
        self.exporters.stop().await;
        let (journal, state, subscriptions) = (self.journal, self.state, self.subscriptions);
        let stopped = tokio::task::spawn_blocking(move || {
            for shard in &self.shards {
                shard.mailbox.put_waiting(ShardMessage::Stop);
            }
            for shard in self.shards {
                if !shard.join() {
                    tracing::error!("A shard ended with a panic.");
                }
            }
            journal.stop();
            subscriptions.stop();
            state.stop();
            self.followers.stop();
            self.watch.finish();
            let what = "stopped in good order";
            let now = crate::clock::wall_time();
            self.audit.record(AuditEntry::of_manager(now, "stop", what, serde_json::Value::Null));
            self.audit_writer.close();
            drop(self.lock);
        });
        if stopped.await.is_err() {
            tracing::error!("Stopping ended with a panic.");
        }
        tracing::info!("Stopped.");
    }
}
