//! A simulated machine: a process with a real node, a disk, and a clock of its own.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    byzantine::Actor,
    check::Seen,
    conduct::Conduct,
    federation::protocol::{
        Audience, Draft, Epochs, Neighbour, Node, Now, OriginId, Roster, Slot, Stored, Subscription,
    },
    keys::Signer,
    random::Random,
    world::Happening,
};

/// What is on a disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The epoch recorded last.
    pub epoch: u64,
    /// Documents by slot.
    pub documents: BTreeMap<Slot, Stored>,
}

/// A disk that a process and the world share.
#[derive(Clone, Debug, Default)]
pub struct SharedDisk(Arc<Mutex<Disk>>);

impl SharedDisk {
    /// To read or write.
    pub fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Epochs on the simulated disk, random numbers from the seed.
#[derive(Debug)]
pub struct DiskEpochs {
    /// Where they are stored.
    pub disk: SharedDisk,
    /// Numbers.
    pub random: Random,
}

impl Epochs for DiskEpochs {
    fn record(&mut self, epoch: u64) -> bool {
        self.disk.lock().epoch = epoch;
        true
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }
}

/// A clock that is wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Milliseconds that it is ahead.
    pub offset: i64,
    /// Millionths that it runs too fast.
    pub drift: i64,
    /// Where the monotonic clock of this process began.
    pub base: u64,
}

/// True time 0 of every run, as Unix time in milliseconds.
const UNIX: i64 = 1_790_000_000_000;

impl Clock {
    /// What a process reads at a true time.
    #[must_use]
    pub fn read(&self, now: u64) -> Now {
        let now = i64::try_from(now).unwrap_or(0);
        let run = now + now * self.drift / 1_000_000;
        let mono = self.base + u64::try_from(run).unwrap_or(0);
        Now { mono, wall: u64::try_from(UNIX + self.offset + run).unwrap_or(0) }
    }
}

/// A machine.
pub struct Machine {
    /// Number of its domain.
    pub domain: usize,
    /// Domain ID.
    pub origin: OriginId,
    /// The process, if it runs.
    pub node: Option<Node>,
    /// Counts processes.
    pub life: u32,
    /// Its disk.
    pub disk: SharedDisk,
    /// An old copy of the disk.
    pub backup: Disk,
    /// Its clock.
    pub clock: Clock,
    /// Between two ticks.
    pub tick: u64,
    /// Does nothing until then.
    pub stalled_until: u64,
    /// What happened to it meanwhile.
    pub stalled: VecDeque<Happening>,
    /// Its roster, as last told.
    pub roster: Roster,
    /// Its neighbours.
    pub neighbours: BTreeMap<OriginId, Neighbour>,
    /// What it asks others to tell it.
    pub wishes: Subscription,
    /// What its domain says, to be said again after a restart.
    pub drafts: BTreeMap<Audience, Draft>,
    /// Audiences that it told something and tells nothing any more; said again after a restart.
    pub withdrawn: BTreeSet<Audience>,
    /// When each was last changed.
    pub drafted_at: u64,
    /// What signs for it.
    pub signer: Signer,
    /// How it misbehaves; absent: honest.
    pub actor: Option<Actor>,
    /// What the invariants remember of it.
    pub seen: Seen,
    /// A second process of a domain, started by mistake.
    pub twin: bool,
    /// Began its time as isolated, and has not ended it.
    pub isolated: bool,
    /// What the invariants remember of this process's conduct.
    pub conduct: Conduct,
    /// How often in a row, a second apart, it was seen without any session though it has neighbours.
    pub alone: u32,
    /// This process has met newer manifests of its own domain.
    pub heard_itself: bool,
}

impl Machine {
    /// Whether it keeps to the protocol.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.actor.is_none()
    }
}
