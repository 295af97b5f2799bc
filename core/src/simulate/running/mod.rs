//! A simulated network at work: each component a client of its own, over TLS, at the manager it is told.
//!
//! One task owns the [`World`] and the clients; it lets the network's time pass, hands out reports spread over the interval,
//! and carries out what people ask for at the prompt or over the control address. Components cost a connection and a small task
//! each, never a thread.
//!
//! **Time.** With a `speed` other than 1 the network's time runs faster than the clock: stores fill, faults rise and reports come
//! that much faster. The `time` in a report is the clock's all the same, and a component's clock is right unless a fault says
//! otherwise: a manager orders by receipt, replaces times that are far off and tells of clocks that are wrong, and all of it would be
//! an artefact. Rates are in seconds of the network. A manager's own times (hold-offs, forecasts, silence) stay the clock's.

pub mod certificates;
pub mod control;
mod fleet;
pub mod limits;
pub mod prompt;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

pub use certificates::{Certificates, CertificatesError};
pub use fleet::Totals;

use self::fleet::Fleet;
use super::{
    client::ClientError,
    description::{Description, Plan},
    devices::{DeviceError, Devices, WantedDevice},
    world::{News, World},
};
use crate::model::ReferencePoint;

/// The network takes so many steps before others have their turn; who needs more is behind, and says so.
const STEPS_AT_ONCE: u32 = 200;
/// Least time between two looks at who is due.
const BEAT: Duration = Duration::from_millis(20);
/// Least time between two reports of a component, whatever the speed.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
/// Components whose trouble is told at a time.
const TROUBLES: usize = 3;
/// The manager has so long to answer what is out at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where each reference point is listened on, `host:port`.
    pub managers: HashMap<ReferencePoint, String>,
    /// Of everything random.
    pub seed: u64,
    /// How many times faster than the clock.
    pub speed: f64,
    /// Ends by itself after this time of the clock.
    pub length: Option<Duration>,
    /// Time of the clock between two tellings of how it goes.
    pub telling: Duration,
    /// Time of the clock between two records of usage.
    pub billing: Duration,
    /// Devices that are to be asked.
    pub devices: Vec<WantedDevice>,
    /// Whether components report; if not, no manager is needed.
    pub reports: bool,
}

/// Why it cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// A component's certificate.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// A component cannot begin.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nobody listens where components would report.
    #[error("the network has components of {0}, and no address of a manager for it")]
    NoManager(ReferencePoint),
}

/// A line that somebody asks, and where the answer goes.
pub type Asked = (String, oneshot::Sender<String>);

/// What is told while it runs.
#[derive(Clone, Debug)]
pub enum Told {
    /// A fault began or ended, and the name of its place.
    News(News, String),
    /// How it goes.
    Progress(Progress),
    /// The last trouble of a few components.
    Troubles(Vec<String>),
}

/// How it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Time of the clock since the beginning.
    pub elapsed: Duration,
    /// Time of the network.
    pub network: Duration,
    /// Faults there are.
    pub faults: usize,
    /// Whether the network is slower than asked for.
    pub behind: bool,
    /// Of all components.
    pub totals: Totals,
}

/// A network ready to run.
#[derive(Debug)]
pub struct Running {
    options: Options,
    world: World,
    fleet: Fleet,
    devices: Option<Devices>,
    interval: Duration,
}

impl Running {
    /// Prepares it. Nothing is connected yet.
    pub fn new(
        description: &Description,
        plan: Arc<Plan>,
        certificates: Certificates,
        options: Options,
    ) -> Result<Self, RunningError> {
        for (point, _) in plan.numbers() {
            if options.reports && !options.managers.contains_key(&point) {
                return Err(RunningError::NoManager(point));
            }
        }
        let virtual_interval = description.simulation.report_interval;
        let interval = virtual_interval.div_f64(options.speed.max(1e-3)).max(LEAST_INTERVAL);
        let tick = (virtual_interval / 10).clamp(Duration::from_millis(50), Duration::from_millis(500));
        let fleet = Fleet::new(Arc::clone(&plan), certificates, options.managers.clone(), interval);
        let world = World::new(plan, description, options.seed, tick);
        Ok(Self { options, world, fleet, devices: None, interval })
    }

    /// Opens the doors of devices that are to be asked; on a tokio runtime. Where each is, as `etsi014 NODE URL`.
    ///
    /// # Errors
    /// If one cannot be offered.
    pub async fn open_devices(&mut self, certificates: &Certificates) -> Result<Vec<String>, DeviceError> {
        let plan = Arc::clone(self.world.plan());
        let devices = Devices::open(&self.options.devices, &plan, &self.world, certificates).await?;
        let addresses = devices.addresses();
        self.devices = Some(devices);
        Ok(addresses)
    }

    /// What is simulated, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let plan = self.world.plan();
        format!("{}: {} components, a report each {:?}", plan.name, plan.components.len(), self.interval)
    }

    /// Runs until `stop` resolves, the length is over, or somebody asks to quit. `tell` gets what there is to tell.
    pub async fn run(
        mut self,
        mut asked: mpsc::Receiver<Asked>,
        stop: impl Future<Output = ()>,
        mut tell: impl FnMut(&Told),
    ) -> Result<Progress, RunningError> {
        let began = Instant::now();
        let mut beat = tokio::time::interval(BEAT.min(self.interval / 4));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        let (mut told_at, mut billed_at, mut open) = (Instant::now(), Instant::now(), true);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                line = asked.recv(), if open => match line {
                    Some((line, answer)) => {
                        let outcome = prompt::answer(&mut self.world, &line, self.fleet.totals());
                        let quits = outcome.quits;
                        let _ = answer.send(outcome.text);
                        if quits { break }
                    }
                    None => open = false,
                },
                () = &mut stop => break,
            }
            let elapsed = began.elapsed();
            if self.options.length.is_some_and(|length| elapsed >= length) {
                break;
            }
            let progress = self.turn(elapsed, &mut tell)?;
            if self.options.reports && billed_at.elapsed() >= self.options.billing {
                billed_at = Instant::now();
                self.fleet.bill(&mut self.world, self.options.billing);
            }
            if told_at.elapsed() >= self.options.telling {
                told_at = Instant::now();
                tell(&Told::Progress(progress));
                let totals = progress.totals;
                if totals.refused > 0 || totals.connected < totals.started {
                    tell(&Told::Troubles(self.fleet.troubles(TROUBLES)));
                }
            }
        }
        let network = self.world.time();
        let faults = self.world.active().len();
        let totals = self.fleet.finish(PATIENCE).await;
        Ok(Progress { elapsed: began.elapsed(), network, faults, behind: false, totals })
    }

    fn turn(&mut self, elapsed: Duration, tell: &mut impl FnMut(&Told)) -> Result<Progress, RunningError> {
        let until = elapsed.mul_f64(self.options.speed);
        let behind = !self.world.advance_to(until, STEPS_AT_ONCE);
        for news in self.world.take_news() {
            let name = self.world.plan().name_of(news.fault.target).to_owned();
            tell(&Told::News(news, name));
        }
        if self.options.reports {
            self.fleet.turn(&self.world, elapsed)?;
        }
        if let Some(devices) = &mut self.devices {
            devices.tell(&self.world);
        }
        let faults = self.world.active().len();
        Ok(Progress { elapsed, network: self.world.time(), faults, behind, totals: self.fleet.totals() })
    }
}
