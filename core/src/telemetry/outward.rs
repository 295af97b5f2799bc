//! Counters of the manager as subscriber at components.

use super::metrics::Counter;

/// What happened to its subscriptions.
#[derive(Debug, Default)]
pub struct OutwardMetrics {
    /// `subscribe` messages sent, resumptions included.
    pub subscribes: Counter,
    /// Of those, refused.
    pub refused: Counter,
    /// Subscriptions granted now (gauge).
    pub granted: Counter,
    /// Notifications received, repeats included.
    pub notifications: Counter,
    /// Of those, of no subscription that is known.
    pub notifications_unknown: Counter,
    /// Numbers of notifications that never came.
    pub notifications_missed: Counter,
    /// Status report requests of the schedule sent.
    pub polls: Counter,
    /// Of those, without a status.
    pub polls_failed: Counter,
}
