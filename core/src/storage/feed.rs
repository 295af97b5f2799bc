//! Committed batches, for whoever follows them: in journal order, each exactly once, at the follower's own pace.
//!
//! In: every batch once it is committed, handed over on the journal's thread, which never waits for a follower. Out: the
//! same batches, live from a short queue; a follower that falls behind the queue, or starts behind it, reads the journal's
//! files until it has caught up. What retention has deleted meanwhile is told as a gap. Batches whose commit failed are
//! never seen. Knows nothing of what followers make of it.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{
    JournalPosition,
    decode::{BatchEnvelope, decode},
    error::StorageError,
    journal::reader::{JournalReader, ReadMode},
    record::BatchRecord,
};
use crate::config::limits::FEED_QUEUE;

/// What a follower is given.
#[derive(Clone, Debug)]
pub enum Fed {
    /// The next batch.
    Batch(JournalPosition, Arc<BatchRecord>),
    /// Batches up to this position are gone: retention deleted them before they were read.
    Gap(JournalPosition),
    /// Nothing came within the time.
    Nothing,
    /// There will be no more.
    Stopped,
}

#[derive(Debug, Default)]
struct Queue {
    ring: VecDeque<(JournalPosition, Arc<BatchRecord>)>,
    /// Its follower waits and is to be woken when this many batches are in the ring.
    awaited: Option<usize>,
    /// The last batch committed.
    committed: JournalPosition,
    /// The ring was full: what it lacks is in the journal.
    lost: bool,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where committed batches are handed in.
#[derive(Debug, Default)]
pub struct Feed {
    /// Taken by the journal's thread for a moment at each batch, and by those who begin to follow.
    following: Mutex<Following>,
}

#[derive(Debug, Default)]
struct Following {
    followers: Vec<Weak<Shared>>,
    committed: JournalPosition,
    stopped: bool,
}

impl Feed {
    /// A feed that nobody follows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A feed that nobody follows, of a journal that ends here now.
    #[must_use]
    pub fn at(committed: JournalPosition) -> Self {
        let feed = Self::default();
        feed.following().committed = committed;
        feed
    }

    fn following(&self) -> MutexGuard<'_, Following> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last batch that was handed in.
    #[must_use]
    pub fn committed(&self) -> JournalPosition {
        self.following().committed
    }

    /// A follower of all that comes after a position, made at any time; it ends by being dropped. `committed` is the last
    /// batch there is now, as far as the caller knows.
    pub fn follow(&self, data_dir: &Path, after: JournalPosition, committed: JournalPosition) -> Follower {
        let shared = Arc::new(Shared::default());
        let mut following = self.following();
        {
            let mut queue = shared.queue();
            queue.committed = committed.max(following.committed);
            queue.lost = after < queue.committed;
            queue.stopped = following.stopped;
        }
        following.followers.push(Arc::downgrade(&shared));
        drop(following);
        let data_dir = data_dir.to_owned();
        Follower { shared, data_dir, last: after, enough: 1, catching_up: None, ready: VecDeque::new() }
    }

    /// A batch was committed. Called on the journal's thread, in order.
    pub fn publish(&self, position: JournalPosition, record: &Arc<BatchRecord>) {
        let mut following = self.following();
        following.committed = position;
        following.followers.retain(|follower| {
            let Some(follower) = follower.upgrade() else { return false };
            let mut queue = follower.queue();
            queue.committed = position;
            if queue.ring.len() >= FEED_QUEUE {
                queue.lost = true;
                queue.ring.clear();
            }
            if !queue.lost {
                queue.ring.push_back((position, Arc::clone(record)));
            }
            let (lost, waiting) = (queue.lost, queue.ring.len());
            let is_due = queue.awaited.take_if(|enough| lost || waiting >= *enough).is_some();
            drop(queue);
            if is_due {
                follower.changed.notify_one();
            }
            true
        });
    }

    /// Ends all followers once they have what was committed.
    pub fn stop(&self) {
        let mut following = self.following();
        following.stopped = true;
        for follower in following.followers.iter().filter_map(Weak::upgrade) {
            follower.queue().stopped = true;
            follower.changed.notify_one();
        }
    }
}

/// One who follows.
pub struct Follower {
    shared: Arc<Shared>,
    data_dir: PathBuf,
    /// The last batch given.
    last: JournalPosition,
    /// Batches that are worth waking it for.
    enough: usize,
    catching_up: Option<CatchingUp>,
    /// Batches taken from the queue, or of the block last read.
    ready: VecDeque<(JournalPosition, Arc<BatchRecord>)>,
}

struct CatchingUp {
    reader: JournalReader,
    until: JournalPosition,
}

impl Follower {
    /// The same follower, in no hurry: it waits until so many batches have come, or as long as it said it would. A wake-up a
    /// batch is dear for who has little to do with each.
    #[must_use]
    pub fn in_groups_of(self, batches: usize) -> Self {
        Self { enough: batches.clamp(1, FEED_QUEUE / 2), ..self }
    }

    /// The next batch, waiting for one at most this long.
    pub fn next(&mut self, wait: Duration) -> Result<Fed, StorageError> {
        loop {
            if let Some((position, record)) = self.ready.pop_front() {
                self.last = position;
                return Ok(Fed::Batch(position, record));
            }
            if self.catching_up.is_some() {
                match self.read_block()? {
                    Read::Block => continue,
                    Read::Gap(to) => return Ok(Fed::Gap(to)),
                    Read::CaughtUp => {}
                }
            }
            match self.live(wait) {
                Live::Batch(position, record) => {
                    self.last = position;
                    return Ok(Fed::Batch(position, record));
                }
                Live::Lost(until) => self.begin_catching_up(until)?,
                Live::Nothing => return Ok(Fed::Nothing),
                Live::Stopped => return Ok(Fed::Stopped),
            }
        }
    }

    /// The last batch given.
    #[must_use]
    pub const fn position(&self) -> JournalPosition {
        self.last
    }

    /// Whether the next batch is at hand already: it was taken from the queue, or read, together with the last one.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether it reads the journal because it is behind.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.catching_up.is_some()
    }

    fn live(&mut self, wait: Duration) -> Live {
        let until = Instant::now() + wait;
        let mut queue = self.shared.queue();
        loop {
            if queue.lost {
                queue.lost = false;
                queue.ring.clear();
                return Live::Lost(queue.committed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if queue.ring.len() >= self.enough || queue.stopped || left.is_zero() {
                let last = self.last;
                self.ready.extend(queue.ring.drain(..).filter(|(position, _)| *position > last));
                if let Some((position, record)) = self.ready.pop_front() {
                    return Live::Batch(position, record);
                }
                if queue.stopped {
                    return Live::Stopped;
                }
                if left.is_zero() {
                    return Live::Nothing;
                }
            }
            queue.awaited = Some(self.enough);
            queue = self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            queue.awaited = None;
        }
    }

    fn begin_catching_up(&mut self, until: JournalPosition) -> Result<(), StorageError> {
        if until > self.last {
            // Opened anew each time: which blocks are void is known from the segments that there are now.
            let mut reader = JournalReader::open(&self.data_dir, ReadMode::Live)?;
            reader.skip_to(self.last.0 >> 16);
            self.catching_up = Some(CatchingUp { reader, until });
        }
        Ok(())
    }

    fn read_block(&mut self) -> Result<Read, StorageError> {
        let Some(CatchingUp { reader, until }) = &mut self.catching_up else { return Ok(Read::CaughtUp) };
        let (last, until) = (self.last, *until);
        let Some((_, block)) = reader.next_block()? else {
            self.catching_up = None;
            // The end of the files before the position: deleted meanwhile, and nothing newer is there.
            return Ok(if until > last { self.gap(until) } else { Read::CaughtUp });
        };
        let number = block.header.number;
        let next = (last.0 >> 16) + 1;
        if number > next {
            return Ok(self.gap(JournalPosition(((number - 1) << 16) | 0xffff)));
        }
        for (index, bytes) in block.batches().enumerate() {
            let position = JournalPosition(number << 16 | index as u64);
            if position > last && position <= until {
                let at = |source| StorageError::Batch { path: self.data_dir.clone(), position, source };
                BatchEnvelope::read(bytes).map_err(at)?;
                self.ready.push_back((position, Arc::new(decode(bytes).map_err(at)?)));
            }
        }
        if number >= until.0 >> 16 {
            self.catching_up = None;
        }
        Ok(Read::Block)
    }

    fn gap(&mut self, to: JournalPosition) -> Read {
        self.last = to;
        // Read again from there: the block just seen was taken off the reader.
        let until = self.catching_up.take().map(|catching_up| catching_up.until).filter(|until| *until > to);
        if until.is_some() {
            self.shared.queue().lost = true;
        }
        Read::Gap(to)
    }
}

enum Live {
    Batch(JournalPosition, Arc<BatchRecord>),
    Lost(JournalPosition),
    Nothing,
    Stopped,
}

enum Read {
    Block,
    Gap(JournalPosition),
    CaughtUp,
}
