//! The simulated world: machines, the network between them, true time, and a queue of what happens next.
//!
//! Everything follows from the seed. Each input to a node is a step; invariants are checked after each.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    sync::atomic::Ordering,
};

use crate::{
    byzantine,
    check::{self, Seen},
    federation::protocol::{Event, Input, Item, Node, OriginId, Output, Roster, SessionId, Settings, Slot, Start},
    history::SharedHistory,
    keys::Verifier,
    machine::{Disk, DiskEpochs, Machine},
    network::{MachineId, Network, Packet},
    random::Random,
    wire,
};

/// What happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Time has passed for a process.
    Tick(MachineId, u32),
    /// A packet comes to a side of a session; when it was sent.
    Arrive(usize, usize, Packet, u64),
    /// A dial comes to its end.
    Dialled(MachineId, u32, OriginId),
    /// A dial is known to have failed.
    DialFailed(MachineId, u32, OriginId),
    /// Something that the scenario has planned.
    Planned(usize),
}

#[derive(Debug)]
struct Entry(u64, u64, Happening);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// Bytes and counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Bytes sent, about, as JSON.
    pub bytes: u64,
    /// Bytes by kind of item.
    pub by_kind: BTreeMap<&'static str, (u64, u64)>,
    /// Inputs to nodes.
    pub steps: u64,
    /// Documents that were newly held.
    pub news: u64,
    /// Items dropped by honest nodes.
    pub dropped: u64,
    /// Proofs learnt.
    pub disputed: u64,
}

/// A world.
pub struct World {
    /// True time in milliseconds.
    pub now: u64,
    /// All draws but the nodes' own.
    pub random: Random,
    /// Draws that came into being later: older seeds still draw what they drew.
    pub more: Random,
    /// Machines, by number.
    pub machines: Vec<Machine>,
    /// Sessions and paths.
    pub network: Network,
    /// What was signed.
    pub history: SharedHistory,
    /// Bounds and times of all nodes.
    pub settings: Settings,
    /// Real signatures.
    pub real: bool,
    /// Least and most latency of a path.
    pub latency: (u64, u64),
    /// Of a hundred reports, how many come a second time, on whatever session the two have then.
    pub duplicates: u64,
    /// What went wrong, if anything.
    pub violations: Vec<String>,
    /// What happened last.
    pub log: VecDeque<String>,
    /// Bytes and counts.
    pub counts: Counts,
    /// Invariants are checked.
    pub checked: bool,
    /// The log is kept.
    pub logged: bool,
    /// Longest that anything was under way that was news where it came, in milliseconds.
    pub longest_way: u64,
    /// Origins that lie.
    pub liars: BTreeSet<OriginId>,
    /// No actor delays, understates or withholds: ages can be held to the hop.
    pub ages_honest: bool,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

/// Lines of the log that are kept.
const LOG: usize = 20_000;

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(random: Random, settings: Settings) -> Self {
        Self {
            now: 0,
            more: Random::new(!random.clone().next()),
            random,
            machines: Vec::new(),
            network: Network::default(),
            history: SharedHistory::default(),
            settings,
            real: false,
            latency: (5, 40),
            duplicates: 0,
            violations: Vec::new(),
            log: VecDeque::new(),
            counts: Counts::default(),
            checked: true,
            logged: false,
            longest_way: 0,
            liars: BTreeSet::new(),
            ages_honest: true,
            queue: BinaryHeap::new(),
            order: 0,
        }
    }

    /// Plans something.
    pub fn at(&mut self, time: u64, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Entry(time.max(self.now), self.order, happening)));
    }

    /// Writes a line into the log.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.logged {
            if self.log.len() >= LOG {
                self.log.pop_front();
            }
            let line = format!("{:>9.3} {}", self.now as f64 / 1_000.0, line());
            self.log.push_back(line);
        }
    }

    /// Takes what is next, if that is before `until`; what is planned is given back.
    pub fn next(&mut self, until: u64) -> Option<Option<usize>> {
        if self.queue.peek().is_none_or(|entry| entry.0.0 >= until) {
            self.now = until;
            return None;
        }
        let Reverse(Entry(time, _, happening)) = self.queue.pop()?;
        self.now = time;
        self.history.lock().now = time;
        let planned = if let Happening::Planned(number) = happening { Some(number) } else { None };
        self.happen(happening);
        Some(planned)
    }

    fn happen(&mut self, happening: Happening) {
        let machine = match &happening {
            Happening::Tick(machine, _) | Happening::Dialled(machine, ..) | Happening::DialFailed(machine, ..) => {
                Some(*machine)
            }
            Happening::Arrive(number, side, ..) => {
                self.network.connections.get(number).map(|connection| connection.ends[*side].machine)
            }
            Happening::Planned(_) => None,
        };
        if let Some(machine) = machine.map(|machine| &mut self.machines[machine])
            && machine.stalled_until > self.now
        {
            machine.stalled.push_back(happening);
            return;
        }
        match happening {
            Happening::Tick(machine, life) => self.tick(machine, life),
            Happening::Arrive(number, side, packet, sent) => self.arrive(number, side, packet, sent),
            Happening::Dialled(machine, life, peer) => self.dialled(machine, life, &peer),
            Happening::DialFailed(machine, life, peer) => {
                if self.machines[machine].life == life {
                    self.step(machine, Input::DialFailed(peer));
                }
            }
            Happening::Planned(_) => {}
        }
    }

    fn tick(&mut self, machine: MachineId, life: u32) {
        if self.machines[machine].life != life || self.machines[machine].node.is_none() {
            return;
        }
        self.step(machine, Input::Tick);
        byzantine::act(self, machine);
        let next = self.now + self.machines[machine].tick;
        self.at(next, Happening::Tick(machine, life));
    }

    // === processes ===

    /// Starts a process on a machine, with what its disk has.
    pub fn start(&mut self, machine: MachineId) {
        let epoch_random = self.random.fork();
        let base = self.random.below(1_000_000);
        let now = self.now;
        let host = &mut self.machines[machine];
        host.life += 1;
        host.clock.base = base;
        host.seen.restarted();
        (host.isolated, host.heard_itself, host.alone) = (false, false, 0);
        host.conduct = Default::default();
        let (last_epoch, stored) = {
            let disk = host.disk.lock();
            (disk.epoch, disk.documents.values().cloned().collect())
        };
        let start = Start {
            me: host.origin.clone(),
            settings: self.settings.clone(),
            roster: host.roster.clone(),
            signatures: Box::new(Verifier { real: self.real }),
            key: Box::new(host.signer.clone()),
            epochs: Box::new(DiskEpochs { disk: host.disk.clone(), random: epoch_random }),
            last_epoch,
            stored,
        };
        host.node = Some(Node::new(start, host.clock.read(now)));
        let (neighbours, drafts, life) = (host.neighbours.clone(), host.drafts.clone(), host.life);
        self.note(|| format!("machine {machine} starts, life {life}"));
        self.step(machine, Input::Neighbours(neighbours));
        for (audience, draft) in drafts {
            self.step(machine, Input::Publish { audience, draft });
        }
        for audience in self.machines[machine].withdrawn.clone() {
            self.step(machine, Input::Withdraw(audience));
        }
        let first = self.now + self.random.below(self.machines[machine].tick);
        self.at(first, Happening::Tick(machine, life));
    }

    /// Ends a process at once. The kernel tells the other sides, unless the power has failed.
    pub fn kill(&mut self, machine: MachineId, power: bool) {
        if self.machines[machine].node.take().is_none() {
            return;
        }
        self.machines[machine].life += 1;
        self.machines[machine].stalled.clear();
        self.machines[machine].stalled_until = 0;
        self.note(|| format!("machine {machine} dies"));
        let ends: Vec<(usize, usize)> = self.open_ends(machine);
        for (number, side) in ends {
            if !power {
                self.send(number, side, Packet::Close);
            }
            if let Some(connection) = self.network.connections.get_mut(&number) {
                connection.ends[side].open = false;
            }
        }
    }

    /// Changes what a dead machine has on its disk.
    pub fn replace_disk(&mut self, machine: MachineId, disk: Disk) {
        *self.machines[machine].disk.lock() = disk;
        self.machines[machine].seen = Seen::default();
        let documents: Vec<_> = self.machines[machine].disk.lock().documents.keys().cloned().collect();
        self.note(|| format!("machine {machine} has another disk with {} documents", documents.len()));
    }

    /// Gives a machine another roster, and the key that it names.
    pub fn tell_roster(&mut self, machine: MachineId, roster: &Roster) {
        let host = &mut self.machines[machine];
        if roster.version > host.roster.version {
            host.roster = roster.clone();
            if let Some(member) = roster.members.get(&host.origin) {
                host.signer.generation.store(member.key_gen, Ordering::Relaxed);
            }
        }
        self.step(machine, Input::Roster(roster.clone()));
    }

    /// Lets a stalled machine go on.
    pub fn resume(&mut self, machine: MachineId) {
        self.machines[machine].stalled_until = 0;
        for happening in std::mem::take(&mut self.machines[machine].stalled) {
            self.happen(happening);
        }
    }

    // === sessions ===

    /// Sides of open sessions that a machine has.
    #[must_use]
    pub fn open_ends(&self, machine: MachineId) -> Vec<(usize, usize)> {
        self.network.ends_of(machine).filter(|(number, side)| self.is_open(*number, *side)).collect()
    }

    fn is_open(&self, number: usize, side: usize) -> bool {
        self.network.connections.get(&number).is_some_and(|connection| connection.ends[side].open)
    }

    /// Sends a packet from a side of a session.
    pub fn send(&mut self, number: usize, side: usize, packet: Packet) {
        let jitter = self.random.below(3);
        let Some(connection) = self.network.connections.get_mut(&number) else { return };
        let arrival = (self.now + connection.latency + jitter).max(connection.last_arrival[side]);
        connection.last_arrival[side] = arrival;
        self.at(arrival, Happening::Arrive(number, 1 - side, packet, self.now));
    }

    fn arrive(&mut self, number: usize, side: usize, packet: Packet, sent: u64) {
        let Some(connection) = self.network.connections.get_mut(&number) else { return };
        let (from, to) = (connection.ends[1 - side].machine, connection.ends[side].machine);
        if self.network.blocked.contains(&(from, to)) || !connection.held[1 - side].is_empty() {
            connection.held[1 - side].push_back((packet, sent));
            return;
        }
        let news = self.counts.news;
        self.deliver(number, side, packet, sent);
        if self.counts.news > news {
            self.longest_way = self.longest_way.max(self.now.saturating_sub(sent));
        }
    }

    /// Opens a path: what it held arrives, in its order.
    pub fn unblock(&mut self, from: MachineId, to: MachineId) {
        if !self.network.blocked.remove(&(from, to)) {
            return;
        }
        let waiting = |(number, connection): (&usize, &crate::network::Connection)| {
            let side = usize::from(connection.ends[1].machine == to && connection.ends[0].machine == from);
            let fits = connection.ends[side].machine == to && connection.ends[1 - side].machine == from;
            (fits && !connection.held[1 - side].is_empty()).then_some((*number, side))
        };
        let waiting: Vec<(usize, usize)> = self.network.connections.iter().filter_map(waiting).collect();
        for (number, side) in waiting {
            let Some(connection) = self.network.connections.get_mut(&number) else { continue };
            for (packet, sent) in std::mem::take(&mut connection.held[1 - side]) {
                self.happen(Happening::Arrive(number, side, packet, sent));
            }
        }
    }

    fn deliver(&mut self, number: usize, side: usize, packet: Packet, sent: u64) {
        let Some(connection) = self.network.connections.get(&number) else { return };
        let end = connection.ends[side].clone();
        let alive = self.machines[end.machine].life == end.life && self.machines[end.machine].node.is_some();
        if !end.open || !alive {
            // Nobody is there any more: the kernel says so.
            if !matches!(packet, Packet::Close) {
                self.send(number, side, Packet::Close);
            }
            return;
        }
        let (machine, session) = (end.machine, end.session);
        match packet {
            Packet::Open => {
                let peer = self.machines[connection.ends[1 - side].machine].origin.clone();
                self.step(machine, Input::Connected { session, peer, dialled: side == 0 });
            }
            Packet::Subscribe(wishes) => self.step(machine, Input::Subscribed { session, wishes }),
            Packet::Report(token, items) => {
                self.send(number, side, Packet::Acknowledge(token));
                self.maybe_again(number, side, &items, sent);
                self.step(machine, Input::Report { session, items });
            }
            Packet::Acknowledge(token) => {
                if let Some(connection) = self.network.connections.get_mut(&number) {
                    connection.ends[side].unanswered = connection.ends[side].unanswered.saturating_sub(1);
                }
                self.step(machine, Input::Acknowledged { session, token });
            }
            Packet::Request(token, wants) => self.step(machine, Input::Requested { session, token, wants }),
            Packet::Answer(token, answer) => self.step(machine, Input::Answered { session, token, answer }),
            Packet::Close => {
                if let Some(connection) = self.network.connections.get_mut(&number) {
                    connection.ends[side].open = false;
                }
                self.step(machine, Input::Disconnected(session));
            }
        }
    }

    /// A report that was thought lost comes again, perhaps much later.
    fn maybe_again(&mut self, number: usize, side: usize, items: &[Item], sent: u64) {
        if self.duplicates == 0 || !self.random.percent(self.duplicates) {
            return;
        }
        let later = self.now + self.random.below(20_000);
        self.at(later, Happening::Arrive(number, side, Packet::Report(0, items.to_vec()), sent));
    }

    fn dialled(&mut self, machine: MachineId, life: u32, peer: &OriginId) {
        if self.machines[machine].life != life {
            return;
        }
        let candidates: Vec<MachineId> = (0..self.machines.len())
            .filter(|other| self.machines[*other].origin == *peer && self.machines[*other].node.is_some())
            .collect();
        let target = (!candidates.is_empty()).then(|| candidates[self.random.index(candidates.len())]);
        let reachable = target.filter(|target| {
            !self.network.is_blocked(machine, *target)
                && !self.network.is_blocked(*target, machine)
                && self.machines[*target].stalled_until <= self.now
        });
        let Some(target) = reachable else {
            // Refused at once if the machine is up; otherwise after a while.
            let wait = if target.is_none() { 20 } else { 3_000 };
            self.at(self.now + wait, Happening::DialFailed(machine, life, peer.clone()));
            return;
        };
        let latency = self.random.between(self.latency.0, self.latency.1);
        let ends = [(machine, life), (target, self.machines[target].life)];
        let number = self.network.open(ends, latency, self.now);
        self.note(|| format!("machine {machine} has dialled machine {target}, session {number}"));
        self.send(number, 1, Packet::Open);
        self.at(self.now, Happening::Arrive(number, 1, Packet::Open, self.now));
    }

    // === steps ===

    /// Gives an input to a node, does what it says, and checks.
    pub fn step(&mut self, machine: MachineId, input: Input) {
        let now = self.machines[machine].clock.read(self.now);
        let by_report = matches!(input, Input::Report { .. } | Input::Answered { .. } | Input::Requested { .. });
        self.machines[machine].conduct.sessions += u64::from(matches!(input, Input::Connected { .. }));
        let Some(node) = &mut self.machines[machine].node else { return };
        self.counts.steps += 1;
        let outputs = node.handle(input, now);
        let stored = |output: &Output| match output {
            Output::Store(slot, _) | Output::Event(Event::Published { slot, .. }) => Some(slot.clone()),
            _ => None,
        };
        // What is held changes in no other way; that this is so is looked at every second.
        let changed: Vec<Slot> = outputs.iter().filter_map(stored).collect();
        self.counts.news += changed.len() as u64;
        for output in outputs {
            if self.checked && self.machines[machine].is_honest() {
                check::output(self, machine, &output, by_report);
            }
            self.apply(machine, output);
        }
        let all = self.machines[machine].seen.is_due(self.now);
        if self.checked && (all || !changed.is_empty()) && self.machines[machine].is_honest() {
            check::node(self, machine, if all { None } else { Some(&changed) });
        }
    }

    fn apply(&mut self, machine: MachineId, output: Output) {
        match output {
            Output::Subscribe(session) => {
                let wishes = self.machines[machine].wishes.clone();
                self.send_from(session, Packet::Subscribe(wishes));
            }
            Output::Report { session, token, items } => {
                let items = byzantine::corrupt(self, machine, session, items);
                self.count(&items);
                if let Some((number, side)) = self.network.find(session)
                    && let Some(connection) = self.network.connections.get_mut(&number)
                {
                    connection.ends[side].unanswered += 1;
                }
                self.send_from(session, Packet::Report(token, items));
            }
            Output::Request { session, token, wants } => {
                self.add("want", wire::wants(&wants));
                self.send_from(session, Packet::Request(token, wants));
            }
            Output::Answer { session, token, mut answer } => {
                answer.items = byzantine::corrupt(self, machine, session, answer.items);
                self.count(&answer.items);
                self.send_from(session, Packet::Answer(token, answer));
            }
            Output::Dial(peer) => {
                let life = self.machines[machine].life;
                let wait = self.now + 2 * self.random.between(self.latency.0, self.latency.1);
                self.at(wait, Happening::Dialled(machine, life, peer));
            }
            Output::Close(session) => {
                self.send_from(session, Packet::Close);
                if let Some((number, side)) = self.network.find(session)
                    && let Some(connection) = self.network.connections.get_mut(&number)
                {
                    connection.ends[side].open = false;
                }
            }
            Output::Store(slot, stored) => {
                self.machines[machine].disk.lock().documents.insert(slot, stored);
            }
            Output::Event(event) => self.happened(machine, &event),
        }
    }

    fn happened(&mut self, machine: MachineId, event: &Event) {
        match event {
            Event::Dropped { .. } => self.counts.dropped += 1,
            Event::Disputed { .. } => self.counts.disputed += 1,
            // However short it was: the manager counts from its end.
            Event::SessionUp(_) => self.machines[machine].alone = 0,
            Event::HeardOurselves(_) => self.machines[machine].heard_itself = true,
            _ => {}
        }
        self.note(|| format!("machine {machine}: {event:?}"));
    }

    fn send_from(&mut self, session: SessionId, packet: Packet) {
        if let Some((number, side)) = self.network.find(session) {
            self.send(number, side, packet);
        }
    }

    fn count(&mut self, items: &[Item]) {
        self.add("envelope", wire::ENVELOPE);
        for item in items {
            self.add(wire::kind(item), wire::item(item));
        }
    }

    fn add(&mut self, kind: &'static str, bytes: usize) {
        let bytes = bytes as u64;
        self.counts.bytes += bytes;
        let (count, sum) = self.counts.by_kind.entry(kind).or_default();
        *count += 1;
        *sum += bytes;
    }
}
