//! Counters of one collector.

use super::metrics::Counter;

/// What it did.
#[derive(Debug, Default)]
pub struct CollectorMetrics {
    /// Collections begun.
    pub collections: Counter,
    /// Of those, failed.
    pub collections_failed: Counter,
    /// Of those, begun later than they were due: as many as there may be at once were under way.
    pub collections_waited: Counter,
    /// Requests sent.
    pub requests: Counter,
    /// Of those, without an answer that can be used.
    pub requests_failed: Counter,
    /// Requests that were not sent, by why: in the order of `collect::Refusal::NAMES`.
    pub requests_refused: [Counter; 5],
    /// Bytes of bodies received.
    pub bytes: Counter,
    /// Time that requests took.
    pub nanoseconds: Counter,
    /// Reports handed in.
    pub reports: Counter,
    /// Of those, refused.
    pub reports_refused: Counter,
}
