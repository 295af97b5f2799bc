//! Where reports come from: a recording, standard input, or a simulated network of which the components of one reference point report.

use std::{
    io::{self, BufRead as _},
    path::PathBuf,
    sync::mpsc::SyncSender,
    time::Duration,
};

use super::{Event, RunArgs, origin};
use crate::{
    cli::{CommandError, plugin_author::test::lines, simulate},
    model::{ReferencePoint, Timestamp},
    simulate::{message::status_report, world::World},
};

/// Where a simulated network begins: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000);
/// Ticks of a simulated network between two rounds of reports, at most.
const MOST_TICKS: u32 = 100_000;

/// A source of reports.
pub(super) enum Feed {
    Recorded(Vec<String>),
    Standard,
    Simulated(Box<Simulated>),
}

/// A network in which time passes.
pub(super) struct Simulated {
    world: World,
    point: ReferencePoint,
    interval: Duration,
    every: Duration,
}

impl Feed {
    /// The source that is meant, the reference point of its reports, and the recording if it is one.
    pub(super) fn open(args: &RunArgs) -> Result<(Self, ReferencePoint, Option<PathBuf>), CommandError> {
        let (recording, point) = origin(args)?;
        let feed = match (&recording, &args.simulate) {
            (Some(recording), _) => Self::Recorded(lines(recording)?.into_iter().map(|(_, line)| line).collect()),
            (None, Some(network)) => {
                let (description, plan) = simulate::read(network)?;
                let interval = description.simulation.report_interval;
                let world = World::new(plan, &description, description.simulation.seed, Duration::from_secs(1));
                let every = Duration::from_secs_f64(args.every.clamp(0.0, 3_600.0));
                Self::Simulated(Box::new(Simulated { world, point, interval, every }))
            }
            (None, None) => Self::Standard,
        };
        Ok((feed, point, recording))
    }

    /// Begins to tell reports, on a thread of its own, until nobody wants any more.
    pub(super) fn begin(self, events: SyncSender<Event>, most: Option<usize>) -> io::Result<()> {
        let most = most.unwrap_or(usize::MAX);
        std::thread::Builder::new().name("reports".to_owned()).spawn(move || {
            let mut left = most;
            let mut tell = |line: String| {
                left = left.saturating_sub(1);
                events.send(Event::Line(line)).is_ok() && left > 0
            };
            if most > 0 {
                match self {
                    Self::Recorded(lines) => drop(lines.into_iter().all(tell)),
                    Self::Standard => {
                        let lines = io::stdin().lock().lines().map_while(Result::ok);
                        let _ = lines.filter(|line| !line.trim().is_empty()).all(tell);
                    }
                    Self::Simulated(mut simulated) => while simulated.round(&mut tell) {},
                }
            }
            // Nobody may be there any more.
            let _ = events.send(Event::End);
        })?;
        Ok(())
    }
}

impl Simulated {
    /// Time passes until every component reports once; whether more is wanted.
    fn round(&mut self, tell: &mut dyn FnMut(String) -> bool) -> bool {
        let time = self.world.time() + self.interval;
        self.world.advance_to(time, MOST_TICKS);
        let now = START.plus(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let sequence = time.as_secs() / self.interval.as_secs().max(1);
        let plan = std::sync::Arc::clone(self.world.plan());
        let mut reporting = 0;
        for (index, component) in plan.components.iter().enumerate() {
            let silent = self.world.condition(index).silent;
            if component.component.reference_point != self.point || silent {
                continue;
            }
            reporting += 1;
            let id = component.component.id.to_string();
            if !tell(status_report(&id, sequence, 1, now, &self.world.report(index))) {
                return false;
            }
        }
        std::thread::sleep(self.every);
        reporting > 0
    }
}
