//! Counters of the manager, plain atomics that any thread may add to. `api/metrics_text.rs` renders them for Prometheus.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;

pub use super::plugin_calls::PluginMetrics;
use crate::model::{ReasonCode, ReferencePoint};

/// A number that grows (or, used as a gauge, is set).
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes one away, for gauges.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets it, for gauges.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Reads it.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one reference point.
#[derive(Debug, Default)]
pub struct InterfaceMetrics {
    /// Connections open now (gauge).
    pub connections: Counter,
    /// Connections accepted or dialled since the start.
    pub connections_opened: Counter,
    /// Lines received.
    pub lines: Counter,
    /// Bytes received after TLS.
    pub bytes: Counter,
    /// Reports answered `success`, repeats included.
    pub accepted: Counter,
    /// Of those, repeats.
    pub repeats: Counter,
    /// Messages refused, by [`ReasonCode`] in the order of `ReasonCode::ALL`.
    pub refused: [Counter; ReasonCode::ALL.len()],
    /// Answers nobody asked for.
    pub unexpected_answers: Counter,
    /// Values of unknown name and objects of unknown type, kept as text.
    pub kept_objects: Counter,
    /// Source times replaced by the time of receipt.
    pub times_replaced: Counter,
    /// Reports and answers without performance data, which the draft's NOTE 1 of 8.1 and 8.4 asks for.
    pub without_performance: Counter,
    /// Reports and answers without status (the same NOTE).
    pub without_state: Counter,
    /// Status report requests sent.
    pub requests: Counter,
    /// Of those, not answered in time.
    pub requests_unanswered: Counter,
}

/// Everything counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By reference point, in the order of `ReferencePoint::ALL`.
    pub interfaces: [InterfaceMetrics; 7],
    /// TLS handshakes and identities refused, by cause (`expired`, `unknown-issuer`, `wrong-reference-point`, ...).
    pub handshakes_refused: DashMap<&'static str, Counter>,
    /// By the plugin's configured name. Its instances keep theirs, so that a call looks up nothing.
    pub plugins: DashMap<String, Arc<PluginMetrics>>,
    /// Numbers that left the window without a report.
    pub sequence_gaps: Counter,
    /// Entries of inventory and topology left out: their component has as many as it may.
    pub network_entries_dropped: Counter,
    /// Chunks of history written.
    pub history_chunks: Counter,
    /// Writes of history that failed.
    pub history_failed: Counter,
    /// Times that history missed batches.
    pub history_gaps: Counter,
    /// Samples not in history: there are too many series.
    pub history_dropped: Counter,
    /// Usage intervals that were counted before.
    pub usage_repeats: Counter,
    /// New alarms not raised: their component has as many as it may.
    pub alarms_dropped: Counter,
    /// Samples not shown to a policy: the component has more subjects than its state may hold.
    pub samples_crowded_out: Counter,
    /// Status report requests of policies not sent: too soon after the last, or too many waiting.
    pub policy_requests_dropped: Counter,
    /// Reports in quarantine since the start.
    pub quarantined: Counter,
    /// Commits of the journal.
    pub commits: Counter,
    /// Failed commits.
    pub commits_failed: Counter,
    /// Bytes written to the journal.
    pub journal_bytes: Counter,
    /// Nanoseconds spent making commits durable.
    pub sync_nanoseconds: Counter,
    /// Batches committed.
    pub batches: Counter,
    /// Reports committed.
    pub reports_committed: Counter,
    /// Flushes of the state database.
    pub state_flushes: Counter,
    /// Failed flushes.
    pub state_flushes_failed: Counter,
    /// Threads that the manager cannot be without.
    pub vital: super::vital::VitalThreads,
    /// Alarms raised (not cleared) by severity, in the order of `Severity::ALL` (gauges).
    pub alarms_raised: [Counter; 5],
    /// Audit entries lost: queue full, or disk refused.
    pub audit_dropped: Counter,
    /// Subscriptions (gauge).
    pub subscriptions: Counter,
    /// Subscriptions granted.
    pub subscriptions_granted: Counter,
    /// Subscriptions refused.
    pub subscriptions_refused: Counter,
    /// Notifications made.
    pub notifications: Counter,
    /// Notifications lost: the subscriber was too slow, or an object too large for a line.
    pub notifications_lost: Counter,
    /// Times the subscriptions' thread fell behind the commits and read the journal.
    pub subscriptions_behind: Counter,
    /// Reloads of the configuration.
    pub reloads: super::reloads::ReloadMetrics,
    /// Jumps of wall time.
    pub clock_jumps: Counter,
    /// Components that wait for approval (gauge).
    pub enrolment_waiting: Counter,
    /// Times that a component had no place among those that wait.
    pub enrolment_no_room: Counter,
    /// Components approved by operators.
    pub enrolment_approved: Counter,
    /// Components rejected by operators.
    pub enrolment_rejected: Counter,
    /// Subscriptions at components.
    pub outward: super::outward::OutwardMetrics,
    /// What is exchanged with other domains.
    pub federation: super::federation::FederationMetrics,
    /// Collectors, by name.
    pub collectors: DashMap<String, Arc<super::collector::CollectorMetrics>>,
    /// Exporters of alarms, by name.
    pub exporters: DashMap<String, Arc<super::exporter::ExporterMetrics>>,
}

impl Metrics {
    /// The counters of a reference point.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the array has an entry for each of the seven")]
    pub const fn interface(&self, point: ReferencePoint) -> &InterfaceMetrics {
        &self.interfaces[point.index()]
    }

    /// Counts a refusal on a reference point.
    pub fn refuse(&self, point: ReferencePoint, code: ReasonCode) {
        if let Some(counter) = self.interface(point).refused.get(code as usize) {
            counter.increment();
        }
    }
}
