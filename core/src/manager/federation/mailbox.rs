//! What waits for the federation's thread. Bounded: connections say that they are full; that connections begin and end is
//! always taken, as often as there are connections.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    config::limits::FEDERATION_MAILBOX,
    connection::PeerConnection,
    federation::{
        keys::OwnKey,
        messages::Question,
        protocol::{Item, OriginId, Subscription},
    },
};

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Letter {
    Opened(PeerConnection),
    Closed(u64),
    DialFailed(OriginId),
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
    /// The domain may have something new to say.
    Look,
    /// Roster, neighbours or what is exported have changed.
    Configured(Box<super::Membership>, Box<OwnKey>),
    Stop,
}

impl Letter {
    /// Whether it is taken however full the mailbox is.
    fn is_vital(&self) -> bool {
        !matches!(self, Self::Told { .. } | Self::Asked { .. } | Self::Answered { .. } | Self::Subscribes { .. })
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
