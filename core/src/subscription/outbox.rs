//! Numbered notifications of one subscription until the subscriber has answered them.
//!
//! Bounded in number and bytes: when it is full, the oldest that is not on its way is lost, and the one behind it tells the
//! gap. Numbers have no holes but those.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A notification that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiting {
    number: u64,
    /// JSON texts of its objects.
    objects: Vec<String>,
    #[serde(skip)]
    sent: bool,
    answered: bool,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.objects.iter().map(String::len).sum()
    }
}

/// Notifications that wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Number given last.
    last: u64,
    /// All up to here are answered, or lost and told.
    acknowledged: u64,
    lost: u64,
}

/// A notification on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number.
    pub number: u64,
    /// Numbers before it that are lost.
    pub gap: Option<(u64, u64)>,
    /// Its objects.
    pub objects: Vec<String>,
}

impl Outbox {
    /// Adds a notification, and drops the oldest unsent ones beyond the bounds; how many.
    pub fn put(&mut self, objects: Vec<String>, most: usize, most_bytes: usize) -> u64 {
        self.last += 1;
        let waiting = Waiting { number: self.last, objects, sent: false, answered: false };
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
        let mut dropped = 0;
        while self.waiting.len() > most.max(1) || self.bytes > most_bytes {
            // The newest stays in any case: it tells the gap.
            let oldest = self.waiting.iter().position(|waiting| !waiting.sent && !waiting.answered);
            let Some(oldest) = oldest.filter(|place| place + 1 < self.waiting.len()) else { break };
            if let Some(gone) = self.waiting.remove(oldest) {
                self.bytes = self.bytes.saturating_sub(gone.bytes());
                dropped += 1;
            }
        }
        self.lost += dropped;
        dropped
    }

    /// The next one to send, if fewer than `window` are on their way.
    pub fn send(&mut self, window: usize) -> Option<Outgoing> {
        if self.in_flight() >= window {
            return None;
        }
        let place = self.waiting.iter().position(|waiting| !waiting.sent && !waiting.answered)?;
        let before = match place.checked_sub(1) {
            Some(before) => self.waiting.get(before)?.number,
            None => self.acknowledged,
        };
        let waiting = self.waiting.get_mut(place)?;
        waiting.sent = true;
        let gap = (waiting.number > before + 1).then_some((before + 1, waiting.number - 1));
        Some(Outgoing { number: waiting.number, gap, objects: waiting.objects.clone() })
    }

    /// Notes an answer `success`; whether the number was on its way.
    pub fn answered(&mut self, number: u64) -> bool {
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.number == number && waiting.sent) else {
            return false;
        };
        waiting.answered = true;
        while let Some(first) = self.waiting.pop_front_if(|first| first.answered) {
            self.bytes = self.bytes.saturating_sub(first.bytes());
            self.acknowledged = first.number;
        }
        true
    }

    /// The connection is gone, or an answer was no success: what was not answered is sent again.
    pub fn send_again(&mut self) {
        self.waiting.iter_mut().for_each(|waiting| waiting.sent = waiting.answered);
    }

    /// Sent, and not answered or waiting for the answer to one before: a single answer that never comes stops the rest, so
    /// that nothing grows without bound behind it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.iter().filter(|waiting| waiting.sent || waiting.answered).count()
    }

    /// Number of notifications that wait for being sent or answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything is answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number given last.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// All up to here are answered.
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Notifications lost so far.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}
