//! A component's side of the status protocol over TLS: dials the manager, sends numbered status reports, keeps a window of
//! unanswered ones, sends those again under the same numbers after a reconnect, answers status report requests, and serves
//! subscriptions.
//!
//! Reports come in through [`Client::report`] (bounded; it waits while the window is full), the current status for
//! requests with them. What became of everything is in [`Counts`]. A refusal is final unless it asks to come again.

mod session;
mod trust;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

pub use self::trust::Trust;

use self::session::Outbox;
use super::subscriptions::Subscriptions;
use crate::{
    config::limits,
    model::{ComponentRef, Timestamp},
};

/// What a component needs to report.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Who it is.
    pub component: ComponentRef,
    /// `host:port` of the manager's listener; the manager's certificate has to name the host.
    pub manager: String,
    /// Whom it trusts, and what it shows.
    pub tls: Arc<rustls::ClientConfig>,
    /// So many connections are made at a time, by all that share it.
    pub dialling: Arc<Semaphore>,
    /// Goes up when the numbering starts anew.
    pub incarnation: u64,
    /// Reports without an answer at a time.
    pub window: usize,
    /// Whether it serves subscriptions; else it answers `unsupported`.
    pub serves_subscriptions: bool,
    /// First wait before a lost connection is tried again; doubles.
    pub backoff_min: Duration,
    /// Longest wait.
    pub backoff_max: Duration,
}

impl ClientConfig {
    /// A client with the usual window and waits.
    #[must_use]
    pub fn new(component: ComponentRef, manager: String, tls: Arc<rustls::ClientConfig>) -> Self {
        Self {
            component,
            manager,
            tls,
            dialling: Arc::new(Semaphore::new(1)),
            incarnation: 0,
            window: 64,
            serves_subscriptions: true,
            backoff_min: limits::DIAL_BACKOFF_MIN,
            backoff_max: limits::DIAL_BACKOFF_MAX,
        }
    }
}

/// Why a client cannot even begin.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file is not there or holds no PEM of the right kind.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not go together, or an anchor is none.
    #[error("TLS cannot be set up with these certificates")]
    Tls(#[from] rustls::Error),
    /// The anchors are no use.
    #[error("nobody can be trusted by these certificates")]
    Trust(#[from] rustls::server::VerifierBuilderError),
    /// The address of the manager has no host or no port.
    #[error("`{0}` is no address of a manager (expected HOST:PORT)")]
    Address(String),
}

/// What became of everything.
#[derive(Debug, Default)]
pub struct Counts {
    /// Reports given a number and sent at least once, or waiting to be.
    pub sent: AtomicU64,
    /// Reports answered `success`.
    pub acknowledged: AtomicU64,
    /// Reports refused for good.
    pub refused: AtomicU64,
    /// Reports sent again.
    pub repeated: AtomicU64,
    /// Connections made.
    pub connections: AtomicU64,
    /// Connections that failed or were lost.
    pub failures: AtomicU64,
    /// Status report requests answered.
    pub requests: AtomicU64,
    /// Notifications made, each of them a report.
    pub notifications: AtomicU64,
    /// Subscriptions granted or resumed.
    pub subscriptions: AtomicU64,
    /// Whether there is a connection now.
    pub connected: AtomicBool,
    last_trouble: Mutex<Option<String>>,
}

impl Counts {
    /// The last refusal or failure, in words.
    #[must_use]
    pub fn last_trouble(&self) -> Option<String> {
        self.last_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn trouble(&self, text: String) {
        *self.last_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(text);
    }
}

/// A component at work.
#[derive(Debug)]
pub struct Client {
    reports: mpsc::Sender<Report>,
    status: watch::Sender<Arc<[Value]>>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

/// A report on its way to the session.
#[derive(Clone, Debug)]
struct Report {
    time: Timestamp,
    objects: Arc<[Value]>,
}

impl Client {
    /// Begins to dial, on the runtime of the caller.
    pub fn start(config: ClientConfig) -> Result<Self, ClientError> {
        let server = server_name(&config.manager)?;
        let connector = TlsConnector::from(Arc::clone(&config.tls));
        let counts = Arc::new(Counts::default());
        let (reports, incoming) = mpsc::channel(1);
        let (status, current) = watch::channel(Arc::from(Vec::new()));
        let outbox = Outbox::new(config.window, config.incarnation);
        let began = tokio::time::Instant::now();
        let dialler = Dialler { config, connector, server, counts: Arc::clone(&counts), current, began };
        let task = tokio::spawn(dialler.run(incoming, outbox));
        Ok(Self { reports, status, counts, task })
    }

    /// Sends a status report, once there is room in the window; `false` if the client has ended.
    pub async fn report(&self, time: Timestamp, objects: Vec<Value>) -> bool {
        let objects: Arc<[Value]> = Arc::from(objects);
        self.status.send_replace(Arc::clone(&objects));
        self.reports.send(Report { time, objects }).await.is_ok()
    }

    /// As [`Self::report`], dropping the report if there is no room now.
    pub fn try_report(&self, time: Timestamp, objects: Vec<Value>) -> bool {
        let objects: Arc<[Value]> = Arc::from(objects);
        self.status.send_replace(Arc::clone(&objects));
        self.reports.try_send(Report { time, objects }).is_ok()
    }

    /// From now on nothing is known of the component, until the next report: requests are answered with nothing, and
    /// subscriptions are not served.
    pub fn forget(&self) {
        self.status.send_replace(Arc::from(Vec::new()));
    }

    /// Ends it at once, as if the component had lost its power: what has no answer is lost.
    pub fn abort(self) {
        self.task.abort();
        self.counts.connected.store(false, Ordering::Relaxed);
    }

    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Takes no more reports, waits for the answers to those that are out, and closes the connection; gives up after
    /// `patience`.
    pub async fn finish(self, patience: Duration) {
        drop(self.reports);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(patience, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// The name that the manager's certificate has to have.
fn server_name(manager: &str) -> Result<ServerName<'static>, ClientError> {
    let host = manager.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
    host.and_then(|host| ServerName::try_from(host).ok()).ok_or_else(|| ClientError::Address(manager.to_owned()))
}

/// Makes connections until there is nothing left to send.
struct Dialler {
    config: ClientConfig,
    connector: TlsConnector,
    server: ServerName<'static>,
    counts: Arc<Counts>,
    current: watch::Receiver<Arc<[Value]>>,
    /// Beginning of the clock of [`Dialler::clock`].
    began: tokio::time::Instant,
}

impl Dialler {
    /// Milliseconds since the client began.
    fn clock(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn run(self, mut incoming: mpsc::Receiver<Report>, mut outbox: Outbox) {
        let mut served = Subscriptions::default();
        let mut wait = self.config.backoff_min;
        loop {
            let acknowledged = self.counts.acknowledged.load(Ordering::Relaxed);
            match self.connect().await {
                Ok(stream) => {
                    self.counts.connections.fetch_add(1, Ordering::Relaxed);
                    self.counts.connected.store(true, Ordering::Relaxed);
                    let ended = session::run(stream, &self, &mut incoming, &mut outbox, &mut served).await;
                    self.counts.connected.store(false, Ordering::Relaxed);
                    match ended {
                        Ok(()) => return,
                        Err(error) => self.counts.trouble(format!("connection lost: {error}")),
                    }
                }
                Err(error) => self.counts.trouble(format!("cannot connect: {error}")),
            }
            served.connection_lost();
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            if incoming.is_closed() && incoming.is_empty() && outbox.is_empty() {
                return;
            }
            // A connection that got something done was a good one: begin the waits anew.
            if self.counts.acknowledged.load(Ordering::Relaxed) > acknowledged {
                wait = self.config.backoff_min;
            }
            tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
            wait = (wait * 2).min(self.config.backoff_max);
        }
    }

    async fn connect(&self) -> std::io::Result<session::Stream> {
        let _turn = self.config.dialling.acquire().await.map_err(std::io::Error::other)?;
        let stream = tokio::net::TcpStream::connect(&self.config.manager).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.server.clone(), stream).await
    }
}

#[cfg(test)]
mod tests;
