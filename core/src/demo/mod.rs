//! `qkdnm demo`: a small QKD network and its manager, on this machine alone, and a short story of what can happen to it.
//!
//! Certificates, configuration and data go into a folder of their own; the manager is the real one, the components are
//! simulated and speak to it over TLS, on ports that the system chooses. What the manager noticed is read from its HTTP
//! API, as any program would, and told beside what was done to the network. The demo knows the manager only by
//! [`DemoManager`]; it fails if something that should have been noticed was not.

pub mod reason;
pub mod site;
pub mod story;
pub mod telling;
pub mod watch;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use self::{
    site::{Site, SiteError},
    story::{Story, Told},
    telling::Teller,
    watch::{Change, Watch, WatchError},
};
use crate::{
    config::Config,
    model::{ReferencePoint, Timestamp},
    simulate::{Client, ClientConfig, ClientError, Counts, Network, client::Trust},
};

/// Time between two reports of a component.
const INTERVAL: Duration = Duration::from_millis(500);
/// The manager has so long to answer what is out at the end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest demo in which everything can happen.
pub const SHORTEST: Duration = Duration::from_secs(20);

/// What is wanted.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Ends by itself after about this time; without it, goes on until Ctrl-C.
    pub length: Option<Duration>,
    /// Of the network's noise.
    pub seed: u64,
    /// Folder for certificates, configuration, data and log, which stays; without it, a temporary one.
    pub keep: Option<PathBuf>,
    /// How much faster than the clock the network's time runs: 1, but for tests.
    pub speed: u32,
}

/// A manager that runs, as the demo needs it.
pub trait DemoManager: Send {
    /// Where a reference point is listened on, now that the system has chosen the port.
    fn listens(&self, point: ReferencePoint) -> Option<SocketAddr>;
    /// Where the HTTP API is.
    fn api(&self) -> SocketAddr;
    /// Stops it in good order.
    fn stop(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Why a demo cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder could not be filled.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The manager did not start.
    #[error("the manager did not start: {0}")]
    Manager(String),
    /// The manager does not listen where a component wants to report.
    #[error("the manager does not listen on {0}")]
    NoListener(ReferencePoint),
    /// A component could not begin.
    #[error("a simulated component cannot start")]
    Component(#[from] ClientError),
    /// The API could not be asked.
    #[error("the manager's API does not answer")]
    Watch(#[from] WatchError),
    /// The terminal is gone.
    #[error("cannot write to the terminal")]
    Output(#[from] io::Error),
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Reports sent.
    pub sent: u64,
    /// Of those, answered `success`.
    pub acknowledged: u64,
    /// Of those, refused.
    pub refused: u64,
    /// Of those sent, notifications of a subscription.
    pub notifications: u64,
    /// Status report requests answered.
    pub requests: u64,
    /// Alarms raised.
    pub raised: u64,
    /// Alarms cleared.
    pub cleared: u64,
    /// What should have been noticed and was not, and other trouble.
    pub missed: Vec<String>,
}

impl Outcome {
    /// Whether all went as it should.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.missed.is_empty() && self.refused == 0 && self.acknowledged == self.sent && self.sent > 0
    }
}

/// Shows the demo. `start` starts a manager with a configuration; `stop` resolves when the user has seen enough.
pub async fn run<S, F>(
    options: &DemoOptions,
    start: S,
    stop: impl Future<Output = ()>,
    out: &mut (dyn io::Write + Send),
) -> Result<Outcome, DemoError>
where
    S: FnOnce(Config) -> F,
    F: Future<Output = Result<Box<dyn DemoManager>, String>>,
{
    let site = Site::build(options.keep.as_deref())?;
    let manager = start(site.load()?).await.map_err(DemoError::Manager)?;
    let api = manager.api();
    let mut teller = Teller::new(out);
    teller.opening(&site, api, options)?;
    let result = show(options, &site, manager.as_ref(), stop, &mut teller).await;
    manager.stop().await;
    match result {
        Ok(outcome) => {
            teller.ending(&outcome, &site)?;
            if !outcome.is_good() {
                site.leave();
            }
            Ok(outcome)
        }
        Err(error) => {
            site.leave();
            Err(error)
        }
    }
}

async fn show(
    options: &DemoOptions,
    site: &Site,
    manager: &dyn DemoManager,
    stop: impl Future<Output = ()>,
    teller: &mut Teller<'_>,
) -> Result<Outcome, DemoError> {
    let cast = Cast::start(site, manager)?;
    let mut network = Network::new(options.seed);
    let mut story = Story::new(options.length);
    let mut watch = Watch::new(manager.api());
    teller.knows(watch.policies().await?);
    // Data that was kept may know alarms of an earlier demo: they are no news.
    watch.look().await?;
    let mut outcome = Outcome::default();
    let begin = Instant::now();
    let speed = options.speed.max(1);
    let mut beat = tokio::time::interval(INTERVAL / speed);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    let mut before = begin;
    loop {
        let now = tokio::select! {
            now = beat.tick() => now,
            () = &mut stop => break,
        };
        network.step(now.saturating_duration_since(before) * speed);
        before = now;
        cast.report(&network);
        let elapsed = now.saturating_duration_since(begin) * speed;
        let (alarms, changes) = watch.look().await?;
        for change in &changes {
            match change {
                Change::Raised(_) => outcome.raised += 1,
                Change::Cleared(_) => outcome.cleared += 1,
                Change::Changed(_) => {}
            }
            teller.change(elapsed, change)?;
        }
        for told in story.advance(elapsed, &alarms, &mut network, cast.acknowledged_by_all()) {
            if let Told::Missed(text) = &told {
                outcome.missed.push(text.clone());
            }
            teller.told(elapsed, &told)?;
        }
        if story.is_over() && options.length.is_some_and(|length| elapsed >= length) {
            break;
        }
    }
    cast.finish(&mut outcome).await;
    Ok(outcome)
}

/// The six components, connected.
struct Cast {
    clients: Vec<(String, Client, Arc<Counts>)>,
}

impl Cast {
    fn start(site: &Site, manager: &dyn DemoManager) -> Result<Self, DemoError> {
        let trust = Trust::from_files(&[site.anchor()])?;
        let clients = site.components().iter().map(|component| {
            let point = component.reference_point;
            let address = manager.listens(point).ok_or(DemoError::NoListener(point))?;
            let (certificate, private_key) = site.certificate_of(component);
            let tls = trust.client_from_files(&certificate, &private_key)?;
            let mut config = ClientConfig::new(component.clone(), address.to_string(), tls);
            config.serves_subscriptions = point != ReferencePoint::Mc;
            // Data that is kept knows the numbers of the last demo: begin a new incarnation.
            config.incarnation = u64::try_from(now().0).unwrap_or(0);
            let client = Client::start(config)?;
            let counts = client.counts();
            Ok((component.to_string(), client, counts))
        });
        Ok(Self { clients: clients.collect::<Result<_, DemoError>>()? })
    }

    /// Sends what everybody has to report. Who still has a full window skips a turn.
    fn report(&self, network: &Network) {
        let time = now();
        for ((_, client, _), objects) in self.clients.iter().zip(network.reports()) {
            let _held_back = client.try_report(time, objects);
        }
    }

    fn acknowledged_by_all(&self) -> bool {
        self.clients.iter().all(|(_, _, counts)| counts.acknowledged.load(Ordering::Relaxed) > 0)
    }

    async fn finish(self, outcome: &mut Outcome) {
        let mut finished = tokio::task::JoinSet::new();
        let mut counted = Vec::new();
        for (name, client, counts) in self.clients {
            finished.spawn(client.finish(PATIENCE));
            counted.push((name, counts));
        }
        while finished.join_next().await.is_some() {}
        for (name, counts) in counted {
            let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let (sent, acknowledged, refused) = (read(&counts.sent), read(&counts.acknowledged), read(&counts.refused));
            outcome.sent += sent;
            outcome.acknowledged += acknowledged;
            outcome.refused += refused;
            outcome.notifications += read(&counts.notifications);
            outcome.requests += read(&counts.requests);
            if acknowledged < sent || sent == 0 {
                let trouble = counts.last_trouble().unwrap_or_else(|| "no answer".to_owned());
                outcome.missed.push(format!("{acknowledged} of {sent} reports of {name} were acknowledged: {trouble}"));
            }
        }
    }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests;
