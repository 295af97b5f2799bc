//! The simulated network: sessions that keep their order, and paths that hold, cut or break them.
//!
//! A session stands for a TCP connection: what is lost comes later, or the session breaks. A path blocked in one direction
//! holds what is sent along it until it opens again; nobody is told.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use crate::federation::protocol::{Answer, Hash, Item, SessionId, Subscription, Want};

/// A machine's number.
pub type MachineId = usize;

/// What travels on a session.
#[derive(Clone, Debug)]
pub enum Packet {
    /// The session is up.
    Open,
    /// A subscription.
    Subscribe(Subscription),
    /// A report.
    Report(u64, Vec<Item>),
    /// Its answer.
    Acknowledge(u64),
    /// A request.
    Request(u64, Vec<Want>),
    /// Its answer.
    Answer(u64, Answer),
    /// The end.
    Close,
}

/// One side of a session.
#[derive(Clone, Debug)]
pub struct End {
    /// The machine.
    pub machine: MachineId,
    /// Its process: a later one knows nothing of the session.
    pub life: u32,
    /// The session's number there.
    pub session: SessionId,
    /// It has not ended here.
    pub open: bool,
    /// Reports sent from here and not answered.
    pub unanswered: usize,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The dialling side, the other.
    pub ends: [End; 2],
    /// One way, in milliseconds.
    pub latency: u64,
    /// When the last packet sent from each side arrives.
    pub last_arrival: [u64; 2],
    /// Documents pushed from each side, by hash.
    pub pushed: [HashSet<Hash>; 2],
    /// Packets from each side that a blocked path holds, and when they were sent.
    pub held: [VecDeque<(Packet, u64)>; 2],
}

/// All sessions and paths.
#[derive(Debug, Default)]
pub struct Network {
    /// By their numbers.
    pub connections: BTreeMap<usize, Connection>,
    /// Paths on which nothing comes through, from and to.
    pub blocked: BTreeSet<(MachineId, MachineId)>,
    sides: BTreeMap<SessionId, (usize, usize)>,
    by_machine: BTreeSet<(MachineId, usize, usize)>,
    next: usize,
    next_session: u64,
}

impl Network {
    /// A new session between two processes.
    pub fn open(&mut self, ends: [(MachineId, u32); 2], latency: u64, now: u64) -> usize {
        let mut end = |(machine, life): (MachineId, u32)| {
            self.next_session += 1;
            End { machine, life, session: SessionId(self.next_session), open: true, unanswered: 0 }
        };
        let ends = [end(ends[0]), end(ends[1])];
        self.next += 1;
        self.sides.insert(ends[0].session, (self.next, 0));
        self.sides.insert(ends[1].session, (self.next, 1));
        self.by_machine.extend([0, 1].map(|side| (ends[side].machine, self.next, side)));
        let held = [VecDeque::new(), VecDeque::new()];
        let pushed = [HashSet::new(), HashSet::new()];
        self.connections.insert(self.next, Connection { ends, latency, last_arrival: [now; 2], pushed, held });
        self.next
    }

    /// Sides of sessions that a machine has or had lately.
    pub fn ends_of(&self, machine: MachineId) -> impl Iterator<Item = (usize, usize)> {
        self.by_machine.range((machine, 0, 0)..(machine + 1, 0, 0)).map(|(_, number, side)| (*number, *side))
    }

    /// Whether nothing comes through from one machine to another.
    #[must_use]
    pub fn is_blocked(&self, from: MachineId, to: MachineId) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// The session under a number, and the side that has it.
    #[must_use]
    pub fn find(&self, session: SessionId) -> Option<(usize, usize)> {
        self.sides.get(&session).copied()
    }

    /// Forgets sessions that both sides have left.
    pub fn sweep(&mut self) {
        let connections = &mut self.connections;
        connections.retain(|_, connection| connection.ends.iter().any(|end| end.open));
        self.sides.retain(|_, (number, _)| connections.contains_key(number));
        self.by_machine.retain(|(_, number, _)| connections.contains_key(number));
    }
}
