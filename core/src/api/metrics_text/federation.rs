//! The federation in `/metrics`: sessions with peers, documents, and how other domains are seen. No label names a domain: their
//! number is the federation's, and who they are is asked of the API.

use std::fmt;

use super::{CounterOf, Snapshot, Writer, number};
use crate::telemetry::federation::FederationMetrics;

const COUNTERS: [(&str, &str, CounterOf<FederationMetrics>); 13] = [
    ("qkdn_federation_sessions_opened", "Sessions with peers that came up.", |m| &m.sessions_opened),
    ("qkdn_federation_sessions_ended", "Peers whose last session ended.", |m| &m.sessions_ended),
    ("qkdn_federation_dials_failed", "Attempts to dial a peer that failed.", |m| &m.dials_failed),
    ("qkdn_federation_documents_published", "Own documents signed because something had changed.", |m| &m.published),
    ("qkdn_federation_documents_refreshed", "Own documents signed only to say that we are there.", |m| &m.refreshed),
    ("qkdn_federation_documents_accepted", "Documents of other domains that brought a change.", |m| &m.accepted),
    ("qkdn_federation_refreshes_accepted", "Documents of other domains that only said that they are there.", |m| {
        &m.refreshes_accepted
    }),
    ("qkdn_federation_peers_quarantined", "Times that a peer lost the right to relay for a while.", |m| &m.quarantined),
    ("qkdn_federation_disputes_seen", "Times that a domain had signed two manifests of one version.", |m| &m.disputed),
    ("qkdn_federation_messages_sent", "Messages sent to peers.", |m| &m.messages_sent),
    ("qkdn_federation_bytes_sent", "Bytes of messages sent to peers, before TLS.", |m| &m.bytes_sent),
    ("qkdn_federation_messages_overloaded", "Messages of peers that were answered overloaded.", |m| &m.overloaded),
    ("qkdn_federation_writes_failed", "Writes of the federation's storage that failed.", |m| &m.not_stored),
];

impl Snapshot {
    /// Nothing, where there is no federation.
    pub(super) fn federation(&self, out: &mut Writer<'_>) -> fmt::Result {
        let Some(levels) = &self.gauges.federation else { return Ok(()) };
        let metrics = &self.metrics.federation;
        for (name, help, counter) in COUNTERS {
            out.counter(name, help, [(Vec::new(), counter(metrics).get())])?;
        }
        let dropped = metrics.dropped.iter();
        let dropped = dropped.map(|entry| (vec![("cause", (*entry.key()).to_owned())], entry.value().get()));
        out.counter("qkdn_federation_items_dropped", "What peers sent and was dropped.", dropped)?;
        let requests = [
            ("qkdn_federation_requests", "Requests to and of peers, by what happened.", "event", &metrics.requests),
            ("qkdn_federation_requests_refused", "Requests of peers not taken.", "reason", &metrics.requests_refused),
        ];
        for (name, help, label, counts) in requests {
            let series = counts.iter().map(|entry| (vec![(label, (*entry.key()).to_owned())], entry.value().get()));
            out.counter(name, help, series)?;
        }
        let domains = levels.domains.iter().map(|(seen, count)| (vec![("seen", (*seen).to_owned())], number(*count)));
        out.gauge("qkdn_federation_domains", "Other domains of the roster, by how they are seen.", domains)?;
        let gauges = [
            ("qkdn_federation_domains_disputed", "Domains whose key signs twice.", levels.disputed),
            ("qkdn_federation_peers", "Peers of the configuration.", levels.peers),
            ("qkdn_federation_peers_connected", "Peers with a session.", levels.connected),
            ("qkdn_federation_documents_held", "Documents held, our own too.", levels.documents),
            ("qkdn_federation_documents_wanted", "Documents known to be elsewhere and not here.", levels.wanted),
            (
                "qkdn_federation_publishing_stopped",
                "Whether this domain says nothing since another process publishes in its name.",
                u64::from(levels.stopped),
            ),
            ("qkdn_federation_requests_unsettled", "Requests to peers that are not settled.", levels.requests_sent),
            ("qkdn_federation_requests_waiting", "Requests of peers that wait for us.", levels.requests_waiting),
        ];
        gauges.into_iter().try_for_each(|(name, help, level)| out.gauge(name, help, [(Vec::new(), number(level))]))
    }
}
