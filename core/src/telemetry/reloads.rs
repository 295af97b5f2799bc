//! Counters of reloads of the configuration.

use super::metrics::Counter;
use crate::model::Timestamp;

/// What became of reloads, and how the configuration stands.
#[derive(Debug, Default)]
pub struct ReloadMetrics {
    /// Taken over.
    pub applied: Counter,
    /// The files said what was in force already.
    pub unchanged: Counter,
    /// Refused.
    pub refused: Counter,
    /// Whether the files are other ones than those in force (gauge, 0 or 1).
    pub differ: Counter,
    /// When the configuration in force was last read, milliseconds since 1970 (gauge).
    last_success: Counter,
}

impl ReloadMetrics {
    /// The manager has started with its files.
    pub fn started(&self, now: Timestamp) {
        self.succeeded(now);
    }

    /// The files are in force.
    pub fn succeeded(&self, now: Timestamp) {
        self.last_success.set(u64::try_from(now.0).unwrap_or(0));
    }

    /// When the files were last taken over, or read at the start.
    #[must_use]
    pub fn last_success(&self) -> Timestamp {
        Timestamp(i64::try_from(self.last_success.get()).unwrap_or(i64::MAX))
    }
}
