//! How one collector does, for people.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;

/// What is known of its last collections.
#[derive(Clone, Debug, Default)]
pub(super) struct Lately {
    /// When a collection last succeeded.
    pub(super) last_success: Option<Timestamp>,
    /// Since when none has.
    pub(super) failing_since: Option<Timestamp>,
    /// What went wrong last.
    pub(super) last_error: Option<(Timestamp, String)>,
    /// When the next one begins.
    pub(super) next: Option<Timestamp>,
    /// What was refused last: host, path and why.
    pub(super) last_refusal: Option<(Timestamp, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<Lately>);

impl Standing {
    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it is now.
    pub(super) fn get(&self) -> Lately {
        self.lately().clone()
    }

    /// A collection succeeded. Whether the one before had failed.
    pub(super) fn succeeded(&self, now: Timestamp) -> bool {
        let mut lately = self.lately();
        lately.last_success = Some(now);
        lately.failing_since.take().is_some()
    }

    /// A collection failed. Whether the one before had not, or for another reason.
    pub(super) fn failed(&self, now: Timestamp, why: &str) -> bool {
        let mut lately = self.lately();
        let is_new = lately.failing_since.is_none() || lately.last_error.as_ref().is_none_or(|(_, last)| last != why);
        lately.last_error = Some((now, why.to_owned()));
        lately.failing_since.get_or_insert(now);
        is_new
    }

    /// A request was refused. Whether the last refusal was another one.
    pub(super) fn refused(&self, now: Timestamp, what: String) -> bool {
        let mut lately = self.lately();
        let is_new = lately.last_refusal.as_ref().is_none_or(|(_, last)| *last != what);
        lately.last_refusal = Some((now, what));
        is_new
    }

    /// When the next one begins.
    pub(super) fn waits_until(&self, next: Timestamp) {
        self.lately().next = Some(next);
    }
}
