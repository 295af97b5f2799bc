//! What waits for the federation's thread. Bounded: connections say that they are full; that connections begin and end is
//! always taken, as often as there are connections.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    api::peer_request_desk::RequestError,
    config::limits::FEDERATION_MAILBOX,
    connection::PeerConnection,
    federation::{
        keys::OwnKey,
        messages::Question,
        protocol::{Item, OriginId, Subscription},
        request::{Entry, Said},
    },
    model::peer_request::{Asked, RequestReason},
};

/// What an operator wants of requests; answered once it is stored.
#[derive(Debug)]
pub(super) struct Order {
    /// Who.
    pub(super) by: String,
    pub(super) wish: Wish,
    pub(super) reply: oneshot::Sender<Result<Entry, RequestError>>,
}

/// Asked, decided, or withdrawn.
#[derive(Debug)]
pub(super) enum Wish {
    /// Of a peer's domain; waits so many milliseconds, or as long as its kind does.
    Ask { peer: OriginId, asked: Asked, valid_for: Option<i64> },
    /// Accepted, or declined for a reason.
    Decide { id: String, declined: Option<RequestReason> },
    /// What we asked is taken back.
    Withdraw { id: String },
}

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Letter {
    Opened(PeerConnection),
    Closed(u64),
    /// Why; absent: no dial was made.
    DialFailed(OriginId, Option<String>),
    Told {
        outlet: u64,
        items: Vec<Item>,
    },
    Asked {
        outlet: u64,
        message_id: String,
        question: Question,
    },
    Answered {
        outlet: u64,
        message_id: String,
        response: String,
        items: Vec<Item>,
    },
    Subscribes {
        outlet: u64,
        message_id: String,
        wishes: Subscription,
    },
    /// A peer says something of requests.
    Said {
        outlet: u64,
        said: Vec<Said>,
    },
    /// An operator wants something of them.
    Order(Box<Order>),
    /// The domain may have something new to say.
    Look,
    /// Roster, neighbours or what is exported have changed.
    Configured(Box<super::Membership>, Box<OwnKey>),
    Stop,
}

impl Letter {
    /// Whether it is taken however full the mailbox is.
    fn is_vital(&self) -> bool {
        !matches!(
            self,
            Self::Told { .. }
                | Self::Asked { .. }
                | Self::Answered { .. }
                | Self::Subscribes { .. }
                | Self::Said { .. }
                | Self::Order(_)
        )
    }
}

#[derive(Debug, Default)]
struct Waiting {
    letters: VecDeque<Letter>,
    look: bool,
}

/// The mailbox.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

impl Mailbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a letter over; false if there is no room.
    pub(super) fn put(&self, letter: Letter) -> bool {
        let mut waiting = self.waiting();
        if !letter.is_vital() && waiting.letters.len() >= FEDERATION_MAILBOX {
            return false;
        }
        if matches!(letter, Letter::Look) {
            // One is as good as many.
            if waiting.look {
                return true;
            }
            waiting.look = true;
        }
        waiting.letters.push_back(letter);
        drop(waiting);
        self.came.notify_one();
        true
    }

    /// All that waits, after waiting for it as long as `patience`.
    pub(super) fn take(&self, patience: Duration) -> VecDeque<Letter> {
        let waiting = self.waiting();
        let (mut waiting, _) = self
            .came
            .wait_timeout_while(waiting, patience, |waiting| waiting.letters.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.look = false;
        std::mem::take(&mut waiting.letters)
    }
}
