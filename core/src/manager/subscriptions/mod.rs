//! Subscriptions at the manager (status protocol, section 6): a thread of its own that follows the journal.
//!
//! In come committed batches, wishes of user network managers and peer managers, their answers, and the time; out go lines
//! to their connections. Nothing waits for this thread: when its queue is full, wishes are answered `overloaded`, and
//! batches are read from the journal later. Durable subscriptions are saved before their notifications are sent, with the
//! journal position that they reflect, so that after `kill -9` they go on from there under the same numbers.

mod active;
mod feed;
mod keeper;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use self::keeper::Keeper;
use crate::{
    alarm::AlarmBoard,
    api::views::SubscriptionView,
    clock::Clock,
    config::{SeesRule, limits::SUBSCRIPTION_QUEUE},
    connection::{SubscriptionDesk, SubscriptionWish},
    dispatch::Registry,
    model::{ComponentRef, SymbolTable},
    storage::{
        JournalPosition,
        error::StorageError,
        follow::{Follower, read_from},
        record::BatchRecord,
    },
    telemetry::{
        audit::{Audit, AuditEntry},
        metrics::Metrics,
    },
};

/// Longest sleep of the thread, so that a clock that is set never leaves it behind for long.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// Commands taken before what they led to is saved and sent.
const AT_A_TIME: usize = 256;

/// What is known of the journal, shared with its thread.
#[derive(Default)]
struct Following {
    /// Somebody subscribes.
    wanted: AtomicBool,
    /// A batch found no room in the queue.
    behind: AtomicBool,
    /// Position committed last.
    latest: AtomicU64,
}

/// What subscriptions need of the manager.
#[derive(Clone)]
pub struct Around {
    /// Manager ID.
    pub manager: String,
    /// Where the journal and the subscriptions are.
    pub data_dir: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Names.
    pub symbols: Arc<SymbolTable>,
    /// Last values.
    pub registry: Arc<Registry>,
    /// Alarms.
    pub board: Arc<AlarmBoard>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What concerns security.
    pub audit: Audit,
    following: Arc<Following>,
}

impl Around {
    /// Everything that is shared.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is another part of the manager")]
    pub fn new(
        manager: String,
        data_dir: PathBuf,
        clock: Clock,
        symbols: Arc<SymbolTable>,
        registry: Arc<Registry>,
        board: Arc<AlarmBoard>,
        metrics: Arc<Metrics>,
        audit: Audit,
    ) -> Self {
        Self { manager, data_dir, clock, symbols, registry, board, metrics, audit, following: Arc::default() }
    }

    fn audit_entry(&self, kind: &str, who: &str, what: String) {
        self.audit.record(AuditEntry {
            time: self.clock.now(),
            kind: kind.to_owned(),
            who: who.to_owned(),
            what,
            detail: serde_json::Value::Null,
        });
    }

    /// Batches are wanted from now on; the position committed last.
    fn begin_following(&self) -> JournalPosition {
        self.following.wanted.store(true, Ordering::SeqCst);
        JournalPosition(self.following.latest.load(Ordering::SeqCst))
    }
}

enum Command {
    Batch(JournalPosition, Arc<BatchRecord>),
    Wish(SubscriptionWish),
    Answered { outlet: u64, message_id: String, success: bool },
    Closed(u64),
    List(oneshot::Sender<Vec<SubscriptionView>>),
    Remove(String, oneshot::Sender<bool>),
    Sees(HashMap<ComponentRef, Vec<SeesRule>>),
    Stop,
}

/// The way to the thread.
pub struct Subscriptions {
    queue: SyncSender<Command>,
    following: Arc<Following>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Subscriptions {
    /// Takes up what is stored, catches up with the journal, which ends at `reached`, and starts the thread. To be called
    /// before anything new is committed.
    pub fn start(
        around: Around,
        sees: HashMap<ComponentRef, Vec<SeesRule>>,
        reached: JournalPosition,
    ) -> Result<Arc<Self>, StorageError> {
        let following = Arc::clone(&around.following);
        following.latest.store(reached.0, Ordering::SeqCst);
        let data_dir = around.data_dir.clone();
        let mut keeper = Keeper::open(around.clone(), sees)?;
        // A journal that was cut, or begins anew, has lower positions than subscriptions remember.
        keeper.position = keeper.position.min(reached);
        if !keeper.is_empty() {
            following.wanted.store(true, Ordering::SeqCst);
            catch_up(&mut keeper, &data_dir, reached);
        }
        let (queue, commands) = sync_channel(SUBSCRIPTION_QUEUE);
        let thread = std::thread::Builder::new()
            .name("subscriptions".to_owned())
            .spawn(move || run(&mut keeper, &around, &commands))
            .map_err(StorageError::io("start the thread of subscriptions of", &data_dir))?;
        Ok(Arc::new(Self { queue, following, thread: Mutex::new(Some(thread)) }))
    }

    /// Ends the thread; what is durable is saved.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // An error means that the thread has ended already.
            let _ended = self.queue.send(Command::Stop);
            let _panicked = thread.join();
        }
    }

    /// All subscriptions; `None` while the thread has too much to do.
    pub async fn list(&self) -> Option<Vec<SubscriptionView>> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Command::List(reply)).ok()?;
        answer.await.ok()
    }

    /// Ends a subscription; whether there was one. `None` while the thread has too much to do.
    pub async fn remove(&self, id: &str) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Command::Remove(id.to_owned(), reply)).ok()?;
        answer.await.ok()
    }

    /// Goes by other rules of what may be seen. A subscription whose subscriber may see nothing of it any more ends.
    pub fn set_visibility(&self, sees: HashMap<ComponentRef, Vec<SeesRule>>) {
        self.put(Command::Sees(sees));
    }

    /// Hands over what must not be lost, from a thread that may wait a moment.
    fn put(&self, command: Command) {
        if let Err(std::sync::mpsc::TrySendError::Full(command)) = self.queue.try_send(command) {
            let queue = self.queue.clone();
            // Rare: the queue holds thousands. A helper waits, so that the connection does not.
            let _refused = std::thread::Builder::new().spawn(move || queue.send(command));
        }
    }
}

impl SubscriptionDesk for Subscriptions {
    fn wish(&self, wish: SubscriptionWish) -> bool {
        self.queue.try_send(Command::Wish(wish)).is_ok()
    }

    fn answered(&self, outlet: u64, message_id: &str, success: bool) {
        // Bounded by the notifications in flight.
        self.put(Command::Answered { outlet, message_id: message_id.to_owned(), success });
    }

    fn closed(&self, outlet: u64) {
        self.put(Command::Closed(outlet));
    }
}

impl Follower for Subscriptions {
    fn committed(&self, position: JournalPosition, record: &Arc<BatchRecord>) {
        self.following.latest.store(position.0, Ordering::SeqCst);
        if self.following.wanted.load(Ordering::SeqCst)
            && self.queue.try_send(Command::Batch(position, Arc::clone(record))).is_err()
        {
            self.following.behind.store(true, Ordering::SeqCst);
        }
    }
}

/// Reads what is committed and was not seen.
fn catch_up(keeper: &mut Keeper, data_dir: &std::path::Path, until: JournalPosition) {
    let from = keeper.position;
    if let Err(error) = read_from(data_dir, from, until, |position, record| keeper.batch(position, record)) {
        tracing::error!(%error, "Subscriptions could not catch up with the journal; what was missed is not notified.");
    }
}

fn run(keeper: &mut Keeper, around: &Around, commands: &Receiver<Command>) {
    loop {
        let now = around.clock.now();
        let until_due = keeper.due().map_or(LONGEST_SLEEP, |due| {
            Duration::from_millis(u64::try_from(due.since(now)).unwrap_or(0)).min(LONGEST_SLEEP)
        });
        let mut going_on = true;
        match commands.recv_timeout(until_due) {
            Ok(command) => going_on = handle(keeper, around, command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => going_on = false,
        }
        for _ in 0..AT_A_TIME {
            let Ok(command) = commands.try_recv() else { break };
            going_on &= handle(keeper, around, command);
        }
        if around.following.behind.load(Ordering::SeqCst) {
            see_what_was_missed(keeper, around);
        }
        keeper.tick();
        keeper.save_and_send();
        if keeper.is_empty() {
            around.following.wanted.store(false, Ordering::SeqCst);
        }
        if !going_on {
            return;
        }
    }
}

fn see_what_was_missed(keeper: &mut Keeper, around: &Around) {
    if around.following.behind.swap(false, Ordering::SeqCst) {
        around.metrics.subscriptions_behind.increment();
        let latest = JournalPosition(around.following.latest.load(Ordering::SeqCst));
        catch_up(keeper, &around.data_dir, latest);
    }
}

/// Does one thing; whether to go on.
fn handle(keeper: &mut Keeper, around: &Around, command: Command) -> bool {
    match command {
        Command::Batch(position, record) => {
            // A batch behind a hole comes out of the queue after the flag was set.
            see_what_was_missed(keeper, around);
            keeper.batch(position, &record);
        }
        Command::Wish(wish) => keeper.wish(wish),
        Command::Answered { outlet, message_id, success } => keeper.answered(outlet, &message_id, success),
        // Whoever asked may have gone away.
        Command::List(reply) => drop(reply.send(keeper.list())),
        Command::Remove(id, reply) => drop(reply.send(keeper.remove(&id))),
        Command::Closed(outlet) => keeper.closed(outlet),
        Command::Sees(sees) => keeper.see(sees),
        Command::Stop => return false,
    }
    true
}
