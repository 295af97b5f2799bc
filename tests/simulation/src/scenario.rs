//! What a seed draws: managers, a graph, liars, and the faults that befall them one after the other.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    byzantine::{Actor, LIES, Lie},
    check::Seen,
    federation::protocol::{Audience, Draft, Member, Neighbour, OriginId, Role, Roster, Settings, Subscription},
    graph::{Graph, Shape},
    keys::{self, Signer},
    machine::{Clock, Disk, Machine, SharedDisk},
    random::Random,
    world::{Happening, World},
};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most managers.
    pub managers: usize,
    /// Always so many, not up to so many.
    pub exact: bool,
    /// Real Ed25519 signatures.
    pub real: bool,
    /// The log is kept.
    pub logged: bool,
    /// Domains may fall silent towards the federation. Seeds that were pinned before they did are run without it.
    pub withdrawals: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { managers: 30, exact: false, real: false, logged: false, withdrawals: true }
    }
}

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// Name of a domain.
#[must_use]
pub fn name(domain: usize) -> String {
    format!("d{domain:02}")
}

/// What happens to a world by plan.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A domain says something new.
    Publish(usize),
    /// Nothing comes through from one machine to another.
    Cut(usize, usize),
    /// It does again.
    Mend(usize, usize),
    /// Nothing comes through between those on the two sides.
    Partition(Vec<bool>),
    /// It does again.
    Unite(Vec<bool>),
    /// The sessions of a machine with another break.
    Break(usize, usize),
    /// A process ends; the power with it.
    Kill(usize, bool),
    /// It starts again: with its disk, an empty one, or an old copy.
    Restart(usize, Fate),
    /// A copy of the disk is taken.
    Backup(usize),
    /// A process stands still.
    Stall(usize, u64),
    /// It goes on.
    Resume(usize),
    /// A second process is started for a domain, with a copy of the disk.
    Twin(usize),
    /// A machine learns of the roster's version.
    Roster(usize, usize),
    /// A machine's clock is set.
    SetClock(usize, i64),
    /// Somebody with a stolen key uses up a domain's epochs.
    Poison(usize),
    /// What a domain has said so far is not to count any more: the roster gets a least epoch above.
    RaiseEpoch(usize),
    /// A manager leaves in good order, and ends.
    Leave(usize),
    /// A domain tells the federation nothing any more, and goes on.
    Withdraw(usize),
    /// A domain tells the federation something again, if it does not.
    Speak(usize),
}

/// What became of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was.
    Kept,
    /// It is empty.
    Lost,
    /// It is an old copy.
    Backup,
}

/// A world with its plan.
pub struct Scenario {
    /// The world.
    pub world: World,
    /// Who is whose neighbour.
    pub graph: Graph,
    /// What is planned, by number.
    pub plan: Vec<Fault>,
    /// Rosters, by number.
    pub rosters: Vec<Roster>,
    /// When the faults end.
    pub faults_end: u64,
    /// Domains that are dead for good.
    pub dead: Vec<usize>,
    /// Domains that leave in good order.
    pub left: Vec<usize>,
    /// Domains whose managers start late.
    pub late: Vec<usize>,
    /// Domains whose keys of a generation were stolen and used.
    pub poisoned: BTreeMap<usize, u32>,
    /// Second processes go on when the faults have ended.
    pub twins_stay: bool,
    random: Random,
    /// For withdrawals: what else a seed draws is what it drew without them.
    apart: Random,
}

fn roster(graph: &Graph, real: bool) -> Roster {
    let member = |domain: usize| Member {
        area: format!("a{}", graph.areas[domain]).into(),
        role: if graph.aggregators[domain] { Role::Aggregator } else { Role::Member },
        key_gen: 1,
        keys: vec![keys::public(&name(domain), 1, real), keys::expired(&name(domain), real)],
        min_epoch: 0,
    };
    let members = (0..graph.size).map(|domain| (OriginId::from(name(domain).as_str()), member(domain))).collect();
    Roster { federation: "simulated".into(), version: 1, members }
}

/// A machine of a domain, not started.
#[must_use]
pub fn machine(world: &mut World, graph: &Graph, roster: &Roster, domain: usize, actor: Option<Actor>) -> Machine {
    let random = &mut world.random;
    // The roster's own copies of the names, which are quickly compared.
    let named = |domain: usize| {
        let id = OriginId::from(name(domain).as_str());
        roster.members.get_key_value(&id).map_or(id, |(known, _)| known.clone())
    };
    let neighbours: BTreeMap<OriginId, Neighbour> = graph
        .of(domain)
        .map(|other| (named(other), Neighbour { dial: domain < other || random.percent(50) }))
        .collect();
    let clock = Clock {
        offset: i64::try_from(random.below(2 * DAY as u64)).unwrap_or(0) - DAY,
        drift: i64::try_from(random.below(20_001)).unwrap_or(0) - 10_000,
        base: 0,
    };
    let honest = actor.as_ref().is_none_or(|actor| actor.lie.keeps_versions());
    Machine {
        domain,
        origin: named(domain),
        node: None,
        life: 0,
        disk: SharedDisk::default(),
        backup: Disk::default(),
        clock,
        tick: if graph.size > 10 { 200 } else { 100 },
        stalled_until: 0,
        stalled: Default::default(),
        roster: roster.clone(),
        neighbours,
        wishes: Subscription::default(),
        drafts: BTreeMap::new(),
        withdrawn: Default::default(),
        drafted_at: 0,
        signer: Signer::new(&name(domain), 1, world.history.clone(), world.real, honest),
        actor,
        seen: Seen::default(),
        twin: false,
        isolated: false,
        alone: 0,
        conduct: Default::default(),
        heard_itself: false,
    }
}

impl Scenario {
    /// Draws a scenario.
    #[must_use]
    pub fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let small = options.managers.min(8) as u64;
        let size = match options.exact {
            true => options.managers as u64,
            false if random.percent(75) => random.between(2, small.max(2)),
            false => random.between(2, options.managers.max(2) as u64),
        };
        let size = usize::try_from(size).unwrap_or(2);
        let shape = match random.below(4) {
            0 if size <= 12 => Shape::Chain,
            1 if size <= 30 => Shape::Mesh,
            2 if size >= 6 => Shape::Areas(usize::try_from(random.between(3, 8)).unwrap_or(3)),
            _ => Shape::Ring(usize::try_from(random.between(3, 6)).unwrap_or(4)),
        };
        let graph = Graph::new(size, shape, &mut random);
        let roster = roster(&graph, options.real);
        let mut world = World::new(random.fork(), Settings::default());
        (world.real, world.logged) = (options.real, options.logged);
        world.latency = if random.percent(80) { (5, 40) } else { (5, 400) };
        world.duplicates = if random.percent(50) { 3 } else { 0 };
        world.note(|| format!("{size} managers, {shape:?}"));
        for domain in 0..size {
            let drawn = (size > 2 && random.percent(12)).then(|| LIES[random.index(LIES.len())]);
            let lie = drawn.map(|lie| if world.more.percent(8) { Lie::HoldBack } else { lie });
            world.ages_honest &= lie.is_none_or(Lie::keeps_ages);
            world.note(|| format!("machine {domain}: {lie:?}"));
            let mut machine = machine(&mut world, &graph, &roster, domain, lie.map(Actor::new));
            if lie.is_some() {
                world.liars.insert(machine.origin.clone());
            }
            machine.wishes = wishes(&mut random);
            world.machines.push(machine);
        }
        let faults_end = random.between(30_000, 90_000);
        let mut scenario = Self {
            world,
            graph,
            plan: Vec::new(),
            rosters: vec![roster],
            faults_end,
            dead: Vec::new(),
            left: Vec::new(),
            late: Vec::new(),
            poisoned: BTreeMap::new(),
            twins_stay: false,
            random,
            apart: Random::new(seed.rotate_left(32)),
        };
        scenario.draw();
        if options.withdrawals && scenario.apart.percent(30) {
            scenario.draw_withdrawal();
        }
        scenario
    }

    /// A scenario without faults, liars or wrong clocks, for measures.
    #[must_use]
    pub fn calm(seed: u64, size: usize, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let graph = Graph::new(size, shape, &mut random);
        let roster = roster(&graph, false);
        let mut world = World::new(random.fork(), Settings::default());
        world.checked = false;
        for domain in 0..size {
            let mut machine = machine(&mut world, &graph, &roster, domain, None);
            machine.clock = Clock::default();
            world.machines.push(machine);
        }
        Self {
            world,
            graph,
            plan: Vec::new(),
            rosters: vec![roster],
            faults_end: 0,
            dead: Vec::new(),
            left: Vec::new(),
            late: Vec::new(),
            poisoned: BTreeMap::new(),
            twins_stay: false,
            random,
            apart: Random::new(seed),
        }
    }

    fn plan(&mut self, at: u64, fault: Fault) {
        self.plan.push(fault);
        let number = self.plan.len() - 1;
        self.world.at(at, Happening::Planned(number));
    }

    fn draw(&mut self) {
        let size = self.graph.size;
        for _ in 0..self.random.between(3, 12 + size as u64) {
            let at = self.random.below(self.faults_end);
            let domain = self.random.index(size);
            self.plan(at, Fault::Publish(domain));
        }
        for _ in 0..self.random.between(0, 14) {
            self.draw_fault();
        }
        if size > 2 && self.random.percent(15) {
            let domain = self.random.index(size);
            if self.world.machines[domain].is_honest() {
                self.dead.push(domain);
                let at = self.random.below(self.faults_end);
                if self.world.more.percent(30) {
                    self.left.push(domain);
                    self.plan(at, Fault::Leave(domain));
                } else {
                    self.plan(at, Fault::Kill(domain, true));
                }
            }
        }
        if size > 2 && self.world.more.percent(15) {
            let domain = self.world.more.index(size);
            self.late.push(domain);
            let at = self.world.more.between(self.faults_end / 2, self.faults_end - 1);
            self.plan(at, Fault::Restart(domain, Fate::Kept));
        }
        self.twins_stay = self.world.more.percent(40);
    }

    /// A domain falls silent towards the federation; more often than not it speaks again, which need not be before the faults end.
    fn draw_withdrawal(&mut self) {
        let (apart, end) = (&mut self.apart, self.faults_end);
        let domain = apart.index(self.graph.size);
        let at = apart.below(end);
        let again = (0..apart.below(3)).map(|_| at + 1 + apart.below(end)).collect::<Vec<_>>();
        self.plan(at, Fault::Withdraw(domain));
        again.into_iter().for_each(|at| self.plan(at, Fault::Speak(domain)));
    }

    /// Whether a second process of a domain runs.
    #[must_use]
    pub fn has_twin(&self, domain: usize) -> bool {
        let twins = self.world.machines.iter().skip(self.graph.size);
        twins.filter(|machine| machine.twin && machine.node.is_some()).any(|machine| machine.domain == domain)
    }

    fn draw_fault(&mut self) {
        let size = self.graph.size;
        let at = self.random.below(self.faults_end);
        let lasts = if self.random.percent(50) { self.random.below(5_000) } else { self.random.below(60_000) };
        let one = self.random.index(size);
        let other = self.graph.of(one).nth(self.random.index(self.graph.of(one).count())).unwrap_or(one);
        match self.random.below(12) {
            0 => {
                self.plan(at, Fault::Cut(one, other));
                self.plan(at + lasts, Fault::Mend(one, other));
            }
            1 => {
                self.plan(at, Fault::Cut(one, other));
                self.plan(at, Fault::Cut(other, one));
                self.plan(at + lasts, Fault::Mend(one, other));
                self.plan(at + lasts, Fault::Mend(other, one));
            }
            2 => {
                let sides: Vec<bool> = (0..size).map(|_| self.random.percent(50)).collect();
                self.plan(at, Fault::Partition(sides.clone()));
                self.plan(at + lasts, Fault::Unite(sides));
            }
            3 => self.plan(at, Fault::Break(one, other)),
            4 | 5 => {
                let backup = self.random.below(at + 1);
                let fate = [Fate::Kept, Fate::Kept, Fate::Lost, Fate::Backup][self.random.index(4)];
                let power = self.random.percent(50);
                self.plan(backup, Fault::Backup(one));
                self.plan(at, Fault::Kill(one, power));
                self.plan(at + lasts, Fault::Restart(one, fate));
            }
            6 => {
                self.plan(at, Fault::Stall(one, lasts));
                self.plan(at + lasts, Fault::Resume(one));
            }
            7 => self.plan(at, Fault::Twin(one)),
            8 => self.draw_roster(at, lasts.min(20_000)),
            9 => {
                let step = i64::try_from(self.random.below(2 * DAY as u64)).unwrap_or(0) - DAY;
                self.plan(at, Fault::SetClock(one, step));
            }
            10 => {
                self.plan(at, Fault::Poison(one));
                self.rekey(at + lasts.min(15_000), 5_000, one);
            }
            _ => (0..self.random.between(2, 12)).for_each(|number| self.plan(at + number * 150, Fault::Publish(one))),
        }
    }

    fn next_roster(&self) -> Roster {
        let last = self.rosters.last().cloned().unwrap_or_default();
        Roster { version: last.version + 1, ..last }
    }

    fn draw_roster(&mut self, at: u64, skew: u64) {
        let domain = self.random.index(self.graph.size);
        let id = OriginId::from(name(domain).as_str());
        let kind = self.random.below(3);
        if self.world.more.percent(25) {
            return self.plan(at, Fault::RaiseEpoch(domain));
        }
        match kind {
            0 => self.rekey(at, skew, domain),
            1 if self.graph.size > 3 => {
                let with = self.next_roster();
                let mut without = with.clone();
                without.members.remove(&id);
                self.spread_roster(at, skew, without);
                let back = Roster { version: with.version + 1, ..with };
                let later = at + skew + self.random.below(30_000);
                self.spread_roster(later, skew, back);
            }
            _ => {
                // An older one, which is refused.
                let machine = self.random.index(self.graph.size);
                self.plan(at, Fault::Roster(machine, 0));
            }
        }
    }

    /// The last roster, with new keys for a domain.
    #[must_use]
    pub fn rekeyed(&self, domain: usize) -> Roster {
        let real = self.world.real;
        let mut roster = self.next_roster();
        if let Some(member) = roster.members.get_mut(&OriginId::from(name(domain).as_str())) {
            member.key_gen += 1;
            member.keys = vec![keys::public(&name(domain), member.key_gen, real), keys::expired(&name(domain), real)];
        }
        roster
    }

    fn rekey(&mut self, at: u64, skew: u64, domain: usize) {
        let roster = self.rekeyed(domain);
        self.spread_roster(at, skew, roster);
    }

    fn spread_roster(&mut self, at: u64, skew: u64, roster: Roster) {
        self.rosters.push(roster);
        let number = self.rosters.len() - 1;
        for machine in 0..self.graph.size {
            let at = at + self.random.below(skew + 1);
            self.plan(at, Fault::Roster(machine, number));
        }
    }

    /// From now on nothing counts of a domain that it said in the epochs up to this.
    pub fn raise_epoch(&mut self, domain: usize, above: u64) {
        let mut roster = self.next_roster();
        if let Some(member) = roster.members.get_mut(&OriginId::from(name(domain).as_str())) {
            member.min_epoch = above + 1;
        }
        let now = self.world.now;
        self.spread_roster(now, 5_000, roster);
    }

    /// Something new to say to the federation.
    pub fn draft_for_all(&mut self) -> Draft {
        let text = format!("health {}", self.apart.below(1_000_000));
        Draft { sections: [("health".into(), text.into_bytes().into())].into() }
    }

    /// Something new to say.
    pub fn draft(&mut self, domain: usize) -> (Audience, Draft) {
        let random = &mut self.random;
        let near: Vec<usize> = self.graph.of(domain).collect();
        let audience = match random.below(6) {
            0 => Audience::Area(format!("a{}", self.graph.areas[domain]).into()),
            1 => Audience::Aggregator,
            2 if !near.is_empty() => Audience::Adjacent(OriginId::from(name(near[random.index(near.len())]).as_str())),
            _ => Audience::Federation,
        };
        let mut sections: BTreeMap<Arc<str>, Arc<[u8]>> = BTreeMap::new();
        for section in ["health", "alarms", "links"] {
            if random.percent(70) {
                let text = format!("{section} {}", random.below(1_000_000));
                sections.insert(section.into(), text.into_bytes().into());
            }
        }
        (audience, Draft { sections })
    }
}

fn wishes(random: &mut Random) -> Subscription {
    let mut wishes = Subscription::default();
    if random.percent(10) {
        wishes.relay = false;
    }
    if random.percent(10) {
        wishes.min_interval_ms = random.between(0, 3_000);
    }
    if random.percent(10) {
        wishes.sections = Some(["health".into()].into());
    }
    wishes
}
