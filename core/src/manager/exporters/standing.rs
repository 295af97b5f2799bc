//! How the deliveries of one exporter go, for people and for alarms.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;

/// What is known of the last requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Lately {
    /// When the target last answered as it should.
    pub(super) last_success: Option<Timestamp>,
    /// Since when it has not.
    pub(super) failing_since: Option<Timestamp>,
    /// What went wrong last.
    pub(super) last_error: Option<(Timestamp, String)>,
    /// When it is tried again.
    pub(super) next_attempt: Option<Timestamp>,
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

    /// The target took something. Whether requests had failed before.
    pub(super) fn succeeded(&self, now: Timestamp) -> bool {
        let mut lately = self.lately();
        lately.last_success = Some(now);
        lately.next_attempt = None;
        lately.failing_since.take().is_some()
    }

    /// The target answered, and did not want what was sent: it can be reached.
    pub(super) fn refused(&self, now: Timestamp, why: &str) {
        let mut lately = self.lately();
        lately.failing_since = None;
        lately.last_error = Some((now, why.to_owned()));
    }

    /// Nothing arrived. Whether that is new.
    pub(super) fn failed(&self, now: Timestamp, why: &str) -> bool {
        let mut lately = self.lately();
        lately.last_error = Some((now, why.to_owned()));
        let is_new = lately.failing_since.is_none();
        lately.failing_since.get_or_insert(now);
        is_new
    }

    /// When it is tried again.
    pub(super) fn waits_until(&self, next: Timestamp) {
        self.lately().next_attempt = Some(next);
    }
}
