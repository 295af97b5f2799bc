//! Exporters of alarms: the thread that follows the journal, one task for each target, and the door of the API to them.
//!
//! In come committed batches, at the thread's own pace; out go requests over HTTP. Between them is the outbox on disk
//! (`exports.db`): an event is put there in the same transaction as the journal position that it came from, and taken out
//! once the target has answered that it has it. So every event arrives at least once, through `kill -9` and restarts, and a
//! dead target costs nothing but its outbox. All exporters start and stop together ([`Exporters::restart`]): starting again
//! is what a restart of the manager does, and loses as little.

mod credentials;
mod delivery;
mod desk;
mod following;
mod http_target;
mod request;
#[cfg(test)]
mod restart_tests;
mod standing;
mod store;
#[cfg(test)]
mod store_tests;
mod watch;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::credentials::load as load_credentials;
use self::{
    credentials::Credentials,
    delivery::{Delivery, Post},
    following::Following,
    store::Store,
    watch::Watch,
};
use super::alarms::AlarmDesk;
use crate::{
    alarm::AlarmBoard,
    clock::Clock,
    config::{ExporterConfig, PolicyConfig},
    export::{Functions, Origin},
    storage::{error::StorageError, feed::Feed},
    telemetry::{audit::Audit, metrics::Metrics},
};

/// What exporters need of the manager.
#[derive(Clone)]
pub struct Around {
    /// Manager ID and domain.
    pub origin: Arc<Origin>,
    /// Where the journal and the outboxes are.
    pub data_dir: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Alarms as they are.
    pub board: Arc<AlarmBoard>,
    /// What is committed.
    pub feed: Arc<Feed>,
    /// Way to the shards, for alarms about exporters.
    pub desk: AlarmDesk,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What operators do.
    pub audit: Audit,
}

/// Why exporters do not start.
#[derive(Debug, thiserror::Error)]
pub enum ExportersError {
    /// Secrets or certificates, all problems.
    #[error("{}", .0.join("\n"))]
    Credentials(Vec<String>),
    /// Their file.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The operating system refuses a thread.
    #[error("cannot start the thread of exporters")]
    Thread(#[source] std::io::Error),
}

/// Exporters that run.
struct Group {
    posts: Vec<Post>,
    stop: CancellationToken,
    tasks: TaskTracker,
    thread_stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Group {
    async fn stop(mut self) {
        self.stop.cancel();
        self.thread_stop.store(true, Ordering::SeqCst);
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !joined.unwrap_or(false) {
                tracing::error!("The thread of exporters ended with a panic.");
            }
        }
    }
}

/// All exporters of a manager, exchangeable while it runs.
pub struct Exporters {
    around: Around,
    group: Mutex<Option<Group>>,
}

/// Secrets and certificates of all exporters.
fn credentials(configs: &[ExporterConfig]) -> Result<Vec<Arc<Credentials>>, ExportersError> {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for config in configs {
        let (loaded, warnings) = load_credentials(config);
        warnings.iter().for_each(|warning| tracing::warn!(exporter = config.name, "{warning}"));
        match loaded {
            Ok(credentials) => all.push(Arc::new(credentials)),
            Err(more) => problems.extend(more.into_iter().map(|text| format!("exporter {}: {text}", config.name))),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(ExportersError::Credentials(problems)) }
}

impl Exporters {
    /// Starts those that are configured; on a tokio runtime, once alarms of before the start are on the list.
    pub fn start(
        around: Around,
        configs: &[ExporterConfig],
        policies: &[PolicyConfig],
    ) -> Result<Arc<Self>, ExportersError> {
        let credentials = credentials(configs)?;
        let group = begin(&around, configs, policies, credentials)?;
        Ok(Arc::new(Self { around, group: Mutex::new(group) }))
    }

    /// Goes over to another configuration: secrets and certificates are read first, and if they cannot be used everything
    /// stays as it was. Events that wait go on waiting; what happens meanwhile is read from the journal.
    pub async fn restart(&self, configs: &[ExporterConfig], policies: &[PolicyConfig]) -> Result<(), ExportersError> {
        let credentials = credentials(configs)?;
        self.stop().await;
        let group = begin(&self.around, configs, policies, credentials)?;
        *self.group() = group;
        Ok(())
    }

    /// Policies that a reload brings, before they are in force: what they raise is told under their function.
    pub fn learn(&self, policies: &[PolicyConfig]) {
        // All exporters have one store.
        if let Some(post) = self.posts().first() {
            post.store.learn(policies);
        }
    }

    /// Ends all of them; what waits is on disk.
    pub async fn stop(&self) {
        let group = self.group().take();
        if let Some(group) = group {
            group.stop().await;
        }
    }

    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each exporter's task works with.
    fn posts(&self) -> Vec<Post> {
        self.group().as_ref().map(|group| group.posts.clone()).unwrap_or_default()
    }
}

fn begin(
    around: &Around,
    configs: &[ExporterConfig],
    policies: &[PolicyConfig],
    credentials: Vec<Arc<Credentials>>,
) -> Result<Option<Group>, ExportersError> {
    around.metrics.exporters.retain(|name, _| configs.iter().any(|config| config.name == *name));
    if configs.is_empty() {
        return Ok(None);
    }
    let configs: Vec<Arc<ExporterConfig>> = configs.iter().cloned().map(Arc::new).collect();
    // In this order: the list of alarms is at least as new as the position.
    let committed = around.feed.committed();
    let functions = Functions::new(policies);
    let store = Store::open(&around.data_dir, &configs, functions, &around.board, committed, &around.metrics)?;
    let store = Arc::new(store);
    let follower = around.feed.follow(&around.data_dir, store.position(), committed);
    let (stop, tasks, thread_stop) = (CancellationToken::new(), TaskTracker::new(), Arc::new(AtomicBool::new(false)));
    let (board, halt) = (Arc::clone(&around.board), Arc::clone(&thread_stop));
    let following = Following { follower, store: Arc::clone(&store), board, stop: halt };
    let thread = std::thread::Builder::new().name("exporters".to_owned()).spawn(move || following.run());
    let thread = Some(thread.map_err(ExportersError::Thread)?);
    let posts: Vec<Post> = configs
        .into_iter()
        .zip(credentials)
        .enumerate()
        .map(|(index, (config, credentials))| Post {
            index,
            metrics: Arc::clone(&around.metrics.exporters.entry(config.name.clone()).or_default()),
            config,
            credentials,
            origin: Arc::clone(&around.origin),
            store: Arc::clone(&store),
            board: Arc::clone(&around.board),
            standing: Arc::default(),
            again: Arc::default(),
        })
        .collect();
    for post in &posts {
        tracing::info!(exporter = post.config.name, kind = %post.config.kind, url = %post.config.url, "Alarms are exported.");
        tasks.spawn(Delivery::new(post.clone()).run(stop.clone()));
    }
    let manager = format!("mx/{}", around.origin.manager);
    tasks.spawn(Watch { posts: posts.clone(), desk: around.desk.clone(), manager }.run(stop.clone()));
    Ok(Some(Group { posts, stop, tasks, thread_stop, thread }))
}
