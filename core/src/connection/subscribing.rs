//! Subscriptions on a connection: wishes of the peer go to whoever keeps subscriptions, answers and notifications come
//! back through an outlet, and what the peer answers to notifications is passed on.
//!
//! What is subscribed, granted or notified is not known here.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

use crate::{config::limits::SUBSCRIPTION_OUTLET_BYTES, model::ComponentRef};

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// `messageId`s of notifications that the peer has not answered.
    open: HashSet<String>,
    waker: Option<Waker>,
    closed: bool,
}

/// Lines of the manager on their way to one connection.
#[derive(Debug)]
pub struct Outlet {
    /// Tells connections apart.
    pub id: u64,
    /// The longest line that the interface allows.
    pub max_line_bytes: usize,
    waiting: Mutex<Waiting>,
}

impl Outlet {
    /// Of a new connection.
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, max_line_bytes, waiting: Mutex::default() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message_id: Option<&str>, line: &[u8]) {
        let waker = {
            let mut waiting = self.waiting();
            if waiting.closed {
                return;
            }
            waiting.lines.extend_from_slice(line);
            if let Some(id) = message_id {
                waiting.open.insert(id.to_owned());
            }
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Sends an answer.
    pub fn answer(&self, line: &[u8]) {
        self.put(None, line);
    }

    /// Sends a notification, whose answer is then expected.
    pub fn notify(&self, message_id: &str, line: &[u8]) {
        self.put(Some(message_id), line);
    }

    /// Whether there is room for another notification.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let waiting = self.waiting();
        !waiting.closed && waiting.lines.len() < SUBSCRIPTION_OUTLET_BYTES
    }

    /// Whether something waits that the connection has not taken.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        let waiting = self.waiting();
        !waiting.closed && !waiting.lines.is_empty()
    }

    /// Moves what waits to the connection's buffer, and has `waker` woken when more comes.
    pub fn take(&self, out: &mut Vec<u8>, waker: &Waker) {
        let mut waiting = self.waiting();
        out.append(&mut waiting.lines);
        match &mut waiting.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether a `messageId` is that of a notification that waits for its answer; it does no longer.
    #[must_use]
    pub fn expected(&self, message_id: &str) -> bool {
        self.waiting().open.remove(message_id)
    }

    /// The connection has ended.
    pub fn close(&self) {
        let mut waiting = self.waiting();
        *waiting = Waiting { closed: true, ..Waiting::default() };
    }
}

/// A `subscribe` or `unsubscribe` of a component that the connection speaks for.
#[derive(Debug)]
pub struct SubscriptionWish {
    /// Who.
    pub subscriber: ComponentRef,
    /// Where answers and notifications go.
    pub outlet: Arc<Outlet>,
    /// As sent.
    pub message_id: String,
    /// `unsubscribe`.
    pub ends: bool,
    /// JSON text of the extension.
    pub extension: String,
}

/// Who keeps subscriptions. Nothing here blocks.
pub trait SubscriptionDesk: Send + Sync {
    /// Takes a wish; false if there are too many.
    fn wish(&self, wish: SubscriptionWish) -> bool;
    /// The peer has answered a notification.
    fn answered(&self, outlet: u64, message_id: &str, success: bool);
    /// The connection has ended.
    fn closed(&self, outlet: u64);
}
