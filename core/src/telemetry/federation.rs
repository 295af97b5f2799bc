//! Counters of what is exchanged with the managers of other domains.

use dashmap::DashMap;

use super::metrics::Counter;

/// What happened to sessions and documents.
#[derive(Debug, Default)]
pub struct FederationMetrics {
    /// Sessions with peers that came up.
    pub sessions_opened: Counter,
    /// Peers whose last session ended.
    pub sessions_ended: Counter,
    /// Attempts to dial a peer that failed.
    pub dials_failed: Counter,
    /// Documents of our own that were signed because something had changed.
    pub published: Counter,
    /// Documents of our own that were signed only to say that we are there.
    pub refreshed: Counter,
    /// Documents of other domains taken because something had changed.
    pub accepted: Counter,
    /// Documents of other domains taken that only said that they are there.
    pub refreshes_accepted: Counter,
    /// What peers sent and was dropped, by cause.
    pub dropped: DashMap<&'static str, Counter>,
    /// Times that a peer lost the right to relay for a while.
    pub quarantined: Counter,
    /// Times that a domain had signed two manifests of one version.
    pub disputed: Counter,
    /// Messages sent to peers.
    pub messages_sent: Counter,
    /// Bytes of what was sent to peers in messages of the federation, before TLS.
    pub bytes_sent: Counter,
    /// Messages of peers that were answered `overloaded`.
    pub overloaded: Counter,
    /// Writes of the federation's storage that failed.
    pub not_stored: Counter,
    /// Requests to and of peers, by what became of them.
    pub requests: DashMap<&'static str, Counter>,
    /// Requests of peers that were not taken, by reason.
    pub requests_refused: DashMap<&'static str, Counter>,
}

/// The federation as it is at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FederationLevels {
    /// Domains of the roster but our own, by how they are seen.
    pub domains: Vec<(&'static str, u64)>,
    /// Domains that have signed two manifests of one version.
    pub disputed: u64,
    /// Peers of the configuration.
    pub peers: u64,
    /// Of those, with a session.
    pub connected: u64,
    /// Documents held.
    pub documents: u64,
    /// Documents known to be elsewhere and not here.
    pub wanted: u64,
    /// Whether this domain says nothing since another process publishes in its name.
    pub stopped: bool,
    /// Requests to peers that are not settled.
    pub requests_sent: u64,
    /// Requests of peers that wait for an operator.
    pub requests_waiting: u64,
}
