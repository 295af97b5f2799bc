//! What is wrong with the network: faults by schedule, by chance and on demand, and what they do to components and light.

use std::time::Duration;

use super::light::PairEffects;
use crate::simulate::{
    description::{
        Description, Fault, FaultKind, Plan, RandomFaults, Target,
        plan::{Kind, PlannedLink},
    },
    physics::Effects,
};

/// How a component is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Condition {
    /// It does not work, and says so.
    pub failed: bool,
    /// It does not work, and is not connected.
    pub gone: bool,
    /// It works, and says nothing.
    pub silent: bool,
    /// A switch that holds its first path.
    pub stuck: bool,
    /// How far its clock is ahead, milliseconds.
    pub clock_offset_ms: i64,
    /// What is taken from a key manager's stores on top, bits a second.
    pub drain_bps: f64,
    /// Temperature of its detectors, where it is not the usual one.
    pub detector_celsius: Option<f64>,
    /// How often it was started anew.
    pub restarts: u64,
}

impl Condition {
    /// Whether it does its work.
    #[must_use]
    pub const fn works(&self) -> bool {
        !self.failed && !self.gone
    }
}

/// A fault that is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active {
    /// To end it by.
    pub number: u32,
    /// What and where.
    pub fault: Fault,
    /// Time of the network at which it began.
    pub began: Duration,
    until: Option<Duration>,
}

/// A fault began or ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct News {
    /// Time of the network.
    pub time: Duration,
    /// Which.
    pub number: u32,
    /// What and where.
    pub fault: Fault,
    /// Began, or ended.
    pub began: bool,
}

/// All faults.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    active: Vec<Active>,
    next: u32,
    /// Those to come, the next one last.
    schedule: Vec<(Duration, Fault)>,
    chance: Option<Chance>,
    restarts: Vec<u64>,
    restarted: Vec<usize>,
    news: Vec<News>,
}

#[derive(Clone, Debug)]
struct Chance {
    faults: RandomFaults,
    random: fastrand::Rng,
    next: Duration,
}

impl Chance {
    /// Waits are exponential: faults know nothing of each other.
    fn wait(&mut self) {
        let wait = -(1.0 - self.random.f64()).ln() * self.faults.every.as_secs_f64();
        self.next += Duration::from_secs_f64(wait.clamp(0.001, 1e7));
    }

    fn fault(&mut self, plan: &Plan) -> Option<Fault> {
        const EVERYWHERE: [FaultKind; 5] = [
            FaultKind::Failure,
            FaultKind::Silence,
            FaultKind::Flapping { period: Duration::from_secs(5) },
            FaultKind::ClockOffset { seconds: 120.0 },
            FaultKind::Restart,
        ];
        const OF_LINKS: [FaultKind; 3] = [
            FaultKind::FibreCut,
            FaultKind::RisingLoss { loss_db: 6.0, rise: Duration::from_secs(30) },
            FaultKind::Eavesdropper { share: 0.25 },
        ];
        let choose = |kinds: &[FaultKind], random: &mut fastrand::Rng| random.choice(kinds.iter()).copied();
        let lasts = Some(self.faults.last);
        if self.random.bool() {
            let link = self.random.usize(..plan.links.len().max(1));
            return Some(Fault { kind: choose(&OF_LINKS, &mut self.random)?, target: Target::Link(link), lasts });
        }
        let component = self.random.usize(..plan.components.len().max(1));
        let special = match plan.components.get(component)?.kind {
            Kind::Module { end: 1, .. } => {
                [FaultKind::DetectorDrift { efficiency: 0.4 }, FaultKind::Temperature { celsius: 15.0 }].to_vec()
            }
            Kind::KeyManager { .. } => vec![FaultKind::Drain { bps: 1e6 }],
            Kind::Switch { .. } => vec![FaultKind::Stuck],
            _ => Vec::new(),
        };
        let kinds: Vec<FaultKind> = EVERYWHERE.into_iter().chain(special).collect();
        Some(Fault { kind: choose(&kinds, &mut self.random)?, target: Target::Component(component), lasts })
    }
}

impl Faults {
    /// The description's schedule; its faults are known to have their places.
    pub(super) fn new(plan: &Plan, description: &Description, seed: u64) -> Self {
        let planned = description.faults.iter().filter_map(|it| Some((it.at, it.fault.resolve(plan).ok()?)));
        let mut schedule: Vec<(Duration, Fault)> = planned.collect();
        schedule.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let chance = description.simulation.random_faults.map(|faults| {
            let random = fastrand::Rng::with_seed(seed ^ 0x6661_756c_7473);
            let mut chance = Chance { faults, random, next: Duration::ZERO };
            chance.wait();
            chance
        });
        let restarts = vec![0; plan.components.len()];
        Self { active: Vec::new(), next: 1, schedule, chance, restarts, restarted: Vec::new(), news: Vec::new() }
    }

    pub(super) fn active(&self) -> &[Active] {
        &self.active
    }

    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    pub(super) fn begin(&mut self, fault: Fault, time: Duration) -> u32 {
        let number = self.next;
        self.next += 1;
        self.news.push(News { time, number, fault, began: true });
        if fault.kind.is_momentary() {
            if let Target::Component(component) = fault.target
                && let Some(restarts) = self.restarts.get_mut(component)
            {
                *restarts += 1;
                self.restarted.push(component);
            }
        } else {
            let until = fault.lasts.map(|lasts| time + lasts);
            self.active.push(Active { number, fault, began: time, until });
        }
        number
    }

    pub(super) fn end(&mut self, number: u32, time: Duration) -> bool {
        let Some(position) = self.active.iter().position(|active| active.number == number) else { return false };
        let ended = self.active.remove(position);
        self.news.push(News { time, number, fault: ended.fault, began: false });
        true
    }

    /// Begins what is due, and ends what is over.
    pub(super) fn advance(&mut self, time: Duration, plan: &Plan) {
        let over = self.active.iter().filter(|active| active.until.is_some_and(|until| until <= time));
        for number in over.map(|active| active.number).collect::<Vec<_>>() {
            self.end(number, time);
        }
        while let Some((_, fault)) = self.schedule.pop_if(|(at, _)| *at <= time) {
            self.begin(fault, time);
        }
        while let Some(chance) = self.chance.as_mut().filter(|chance| chance.next <= time) {
            let fault = chance.fault(plan);
            chance.wait();
            if let Some(fault) = fault {
                self.begin(fault, time);
            }
        }
    }

    /// Writes down how each component is; those that were started anew since the last time.
    pub(super) fn conditions(&mut self, time: Duration, plan: &Plan, conditions: &mut [Condition]) -> Vec<usize> {
        for (condition, restarts) in conditions.iter_mut().zip(&self.restarts) {
            *condition = Condition { restarts: *restarts, ..Condition::default() };
        }
        for active in &self.active {
            let Target::Component(component) = active.fault.target else { continue };
            let Some(condition) = conditions.get_mut(component) else { continue };
            match active.fault.kind {
                FaultKind::Failure => condition.failed = true,
                FaultKind::Crash => condition.gone = true,
                FaultKind::Silence => condition.silent = true,
                FaultKind::Stuck => condition.stuck = true,
                FaultKind::Flapping { period } => {
                    let halves = time.saturating_sub(active.began).as_millis() / period.as_millis().max(1);
                    condition.failed |= halves.is_multiple_of(2);
                }
                #[expect(clippy::cast_possible_truncation, reason = "at most a million seconds")]
                FaultKind::ClockOffset { seconds } => condition.clock_offset_ms += (seconds * 1_000.0) as i64,
                FaultKind::Drain { bps } => condition.drain_bps += bps,
                FaultKind::Temperature { celsius } => condition.detector_celsius = Some(celsius),
                _ => {}
            }
        }
        debug_assert_eq!(conditions.len(), plan.components.len());
        std::mem::take(&mut self.restarted)
    }

    /// What is wrong with the light of each pair of a link.
    pub(super) fn light(
        &self,
        index: usize,
        link: &PlannedLink,
        time: Duration,
        plan: &Plan,
        conditions: &[Condition],
    ) -> Vec<PairEffects> {
        let condition = |component: usize| conditions.get(component).copied().unwrap_or_default();
        let mut fibre = Effects::default();
        for active in self.active.iter().filter(|active| active.fault.target == Target::Link(index)) {
            match active.fault.kind {
                FaultKind::FibreCut => fibre.fibre_cut = true,
                FaultKind::RisingLoss { loss_db, rise } => {
                    let risen = time.saturating_sub(active.began).as_secs_f64() / rise.as_secs_f64().max(1e-3);
                    fibre.excess_loss_db += loss_db * risen.min(1.0);
                }
                FaultKind::Eavesdropper { share } => fibre.intercept_resend = fibre.intercept_resend.max(share),
                _ => {}
            }
        }
        for end in link.ends {
            let Some(node) = plan.nodes.get(end) else { continue };
            let Some(switch) = node.switch.map(condition) else { continue };
            fibre.fibre_cut |= !switch.works() || (switch.stuck && node.links.first() != Some(&index));
        }
        let measures = link.relay_point.is_none_or(|relay| condition(relay).works());
        let pairs = link.pairs.iter().map(|[sender, receiver]| {
            let [first, second] = [*sender, *receiver].map(condition);
            let mut light = fibre;
            light.fibre_cut |= !first.works();
            light.detector_temperature_celsius = second.detector_celsius;
            light.efficiency_drift = self.efficiency(*receiver);
            PairEffects { light, idle: !(first.works() && second.works() && measures) }
        });
        pairs.collect()
    }

    /// What is left of the efficiency of a module's detectors.
    fn efficiency(&self, component: usize) -> f64 {
        let drifts = self.active.iter().filter(|active| active.fault.target == Target::Component(component));
        drifts.fold(1.0, |left, active| match active.fault.kind {
            FaultKind::DetectorDrift { efficiency } => left * efficiency,
            _ => left,
        })
    }
}
