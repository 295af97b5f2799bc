//! Counters of one exporter of alarms.

use super::metrics::Counter;

/// What happened to its events.
#[derive(Debug, Default)]
pub struct ExporterMetrics {
    /// Events that arrived.
    pub delivered: Counter,
    /// Requests sent.
    pub requests: Counter,
    /// Of those, without success.
    pub requests_failed: Counter,
    /// Events parked because the target refused them.
    pub parked: Counter,
    /// Parked events given up because too many were parked.
    pub parked_lost: Counter,
    /// Events left out because a later one of the same alarm supersedes them and too many waited.
    pub left_out: Counter,
    /// Times that the target was told anew what is so.
    pub resyncs: Counter,
    /// Events that wait now (gauge).
    pub waiting: Counter,
    /// Events that are parked now (gauge).
    pub parked_now: Counter,
}
