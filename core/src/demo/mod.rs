//! `qkdnm demo`: a QKD network of twenty nodes and its manager, on this machine alone, and a short story of what can happen to it.
//!
//! Certificates, configuration and data go into a folder of their own; the manager is the real one, the components are
//! simulated and speak to it over TLS, on ports that the system chooses. What happens to the network is said at its prompt, as
//! anybody could; what the manager noticed is read from its HTTP API, as any program would, and told beside it. The demo knows
//! the manager only by [`DemoManager`]; it fails if something that should have been noticed was not.

pub mod federation;
mod proxy;
pub mod reason;
pub mod site;
pub mod story;
pub mod telling;
pub mod watch;

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use self::{
    site::{INTERVAL, Site, SiteError},
    story::{Story, Told},
    telling::Teller,
    watch::{Change, Watch, WatchError},
};
use crate::{
    config::Config,
    model::ReferencePoint,
    simulate::running::{
        self, Asked, Certificates, CertificatesError, Options, Progress, Running, RunningError, Totals, control,
    },
};

/// Time between two looks at the manager.
const LOOK: Duration = Duration::from_millis(500);
/// Time between two records of usage.
const BILLING: Duration = Duration::from_secs(10);
/// Shortest demo in which everything can happen.
pub const SHORTEST: Duration = Duration::from_secs(60);
/// Policies know what is usual after so many reports of each component.
const USUAL: u64 = 8;
/// Lines that wait for the network.
const LINES: usize = 16;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Ends by itself after about this time; without it, goes on until Ctrl-C.
    pub length: Option<Duration>,
    /// Of the network's noise.
    pub seed: u64,
    /// Folder for certificates, configuration, data and log, which stays; without it, a temporary one.
    pub keep: Option<PathBuf>,
    /// How much faster than the clock the network's time and the story run: 1, but for tests.
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
    /// A component has no certificate.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// The network could not begin, or go on.
    #[error(transparent)]
    Network(#[from] RunningError),
    /// The network's task is gone.
    #[error("the simulated network broke")]
    Broken(#[from] tokio::task::JoinError),
    /// A domain's signing key.
    #[error(transparent)]
    Keys(#[from] crate::pki::PkiError),
    /// The API could not be asked.
    #[error("the manager's API does not answer")]
    Watch(#[from] WatchError),
    /// The terminal is gone, or no port is left for the network's prompt.
    #[error("cannot write to the terminal, or listen on this machine")]
    Output(#[from] io::Error),
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What became of all reports.
    pub totals: Totals,
    /// Alarms raised.
    pub raised: u64,
    /// Alarms cleared.
    pub cleared: u64,
    /// What should have been noticed and was not, and other trouble.
    pub missed: Vec<String>,
}

impl Outcome {
    /// Whether all went as it should. A component that crashed may have left a report behind.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Totals { sent, acknowledged, refused, lost, .. } = self.totals;
        self.missed.is_empty() && refused == 0 && acknowledged + lost == sent && sent > 0
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
    // Both ends of each connection are in this process. Where there is no room, connections fail and the story says so.
    let _ = running::limits::make_room(2 * site.plan().components.len());
    let manager = start(site.load()?).await.map_err(DemoError::Manager)?;
    let mut teller = Teller::new(out);
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
    let network = Network::start(options, site, manager).await?;
    teller.opening(site, (manager.api(), network.control), options)?;
    let mut story = Story::new(options.length);
    let mut watch = Watch::new(manager.api());
    teller.knows(watch.policies().await?);
    // Data that was kept may know alarms of an earlier demo: they are no news.
    watch.look().await?;
    let mut outcome = Outcome::default();
    let begin = Instant::now();
    let speed = options.speed.max(1);
    let mut beat = tokio::time::interval(LOOK / speed);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    loop {
        let now = tokio::select! {
            now = beat.tick() => now,
            () = &mut stop => break,
        };
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
        for told in story.advance(elapsed, &alarms, network.reports_as_usual()) {
            teller.told(elapsed, &told)?;
            match told {
                Told::Missed(text) => outcome.missed.push(text),
                Told::Happens(_, line) if !line.is_empty() => {
                    let answer = network.tell(line).await;
                    if answer.starts_with("error: ") {
                        outcome.missed.push(format!("`{line}`: {answer}"));
                    }
                }
                _ => {}
            }
        }
        if story.is_over() && options.length.is_some_and(|length| elapsed >= length) {
            break;
        }
    }
    outcome.totals = network.finish().await?;
    Ok(outcome)
}

/// The simulated network, in a task of its own.
struct Network {
    ask: mpsc::Sender<Asked>,
    control: SocketAddr,
    progress: Arc<Mutex<Progress>>,
    task: JoinHandle<Result<Progress, RunningError>>,
    served: JoinHandle<()>,
}

impl Network {
    async fn start(options: &DemoOptions, site: &Site, manager: &dyn DemoManager) -> Result<Self, DemoError> {
        let managers: HashMap<ReferencePoint, String> = ReferencePoint::ALL
            .into_iter()
            .filter_map(|point| Some((point, manager.listens(point)?.to_string())))
            .collect();
        let wanted = Options {
            managers,
            seed: options.seed,
            speed: f64::from(options.speed.max(1)),
            length: None,
            telling: LOOK / options.speed.max(1),
            billing: BILLING,
            devices: Vec::new(),
            reports: true,
        };
        let certificates = Certificates::open(&site.pki())?;
        let running = Running::new(site.description(), Arc::clone(site.plan()), certificates, wanted)?;
        let (ask, asked) = mpsc::channel(LINES);
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let control = listener.local_addr()?;
        let served = tokio::spawn(control::serve(listener, ask.clone()));
        let progress = Arc::new(Mutex::new(Progress::default()));
        let latest = Arc::clone(&progress);
        let tell = move |told: &running::Told| {
            if let running::Told::Progress(now) = told {
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = *now;
            }
        };
        let task = tokio::spawn(running.run(asked, std::future::pending(), tell));
        Ok(Self { ask, control, progress, task, served })
    }

    /// Whether every component reports, and all of them long enough that policies know what is usual.
    fn reports_as_usual(&self) -> bool {
        let Progress { totals, network, .. } = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = totals.components as u64 * USUAL;
        totals.components > 0
            && totals.acknowledged_once == totals.components
            && totals.acknowledged >= enough
            && network >= INTERVAL
    }

    async fn tell(&self, line: &str) -> String {
        let (answer, answered) = oneshot::channel();
        if self.ask.send((line.to_owned(), answer)).await.is_err() {
            return "error: the network has ended".to_owned();
        }
        answered.await.unwrap_or_else(|_| "error: the network has ended".to_owned())
    }

    async fn finish(self) -> Result<Totals, DemoError> {
        // It has ended by itself if somebody asked it to.
        let _ = self.tell("quit").await;
        let progress = self.task.await??;
        self.served.abort();
        Ok(progress.totals)
    }
}

#[cfg(test)]
mod tests;
