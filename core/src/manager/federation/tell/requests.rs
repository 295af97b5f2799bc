//! What operators are told of requests: an alarm as long as one waits for them, a line in the audit trail for whatever becomes of
//! one, an event for those who follow the manager, and counters.

use serde_json::json;

use super::Teller;
use crate::{
    clock::wall_time,
    federation::request::{Entry, Happened},
    model::{
        AlarmKey,
        peer_request::{RequestReason, RequestState},
    },
    shard::{AlarmRequest, alarms::own_report},
    storage::error::StorageError,
    telemetry::audit::AuditEntry,
};

/// The alarm about a request that waits.
const ALARM: &str = "peer-request-waiting";

fn reason(entry: &Entry) -> String {
    entry.reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

impl Teller {
    /// A request could not be stored: nothing of it was said.
    pub(in crate::manager::federation) fn request_not_stored(&self, error: &StorageError) {
        self.metrics.federation.not_stored.increment();
        tracing::error!(%error, "A request of or to a peer could not be stored, so nothing was done about it.");
    }

    fn waiting_key(&self, entry: &Entry) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: format!("request {}", entry.id),
            alarm_type_id: ALARM.to_owned(),
            alarm_type_qualifier: "manager".to_owned(),
        }
    }

    /// A peer's request waits for our operator.
    pub(in crate::manager::federation) fn request_waits(&self, entry: &Entry) {
        let text = format!("domain {} asks: {}; it expires at {}", entry.peer, entry.asked, entry.deadline);
        let accept = format!(
            "Decide: qkdnm peer requests accept {0}, or qkdnm peer requests decline {0} --reason ...",
            entry.id
        );
        let report = Some(own_report(ALARM, text, &[&accept]));
        self.desk.put(AlarmRequest { key: self.waiting_key(entry), report, text: String::new() });
    }

    fn waits_no_longer(&self, entry: &Entry) {
        let text = format!("the request is {}{}", entry.state, reason(entry));
        self.desk.put(AlarmRequest { key: self.waiting_key(entry), report: None, text });
    }

    fn request_audited(&self, kind: &str, who: &str, what: String, entry: &Entry) {
        self.audit.record(AuditEntry {
            time: wall_time(),
            kind: kind.to_owned(),
            who: who.to_owned(),
            what,
            detail: json!({
                "request": entry.id, "direction": entry.direction, "domain": entry.peer, "kind": entry.asked.kind(),
                "state": entry.state, "reason": entry.reason,
            }),
        });
    }

    /// Tells of it.
    pub(in crate::manager::federation) fn request_happened(&self, happened: &Happened) {
        let counts = &self.metrics.federation.requests;
        let count = |what: &'static str| counts.entry(what).or_default().increment();
        match happened {
            Happened::Asked(entry) => {
                count("sent");
                let who = entry.by.as_deref().unwrap_or_default();
                let what = format!("asked domain {} for {} (request {})", entry.peer, entry.asked, entry.id);
                self.request_audited("operator", who, what, entry);
            }
            Happened::Received(entry) => {
                count("received");
                let what = format!("asks us for {} (request {})", entry.asked, entry.id);
                self.request_audited("federation", entry.peer.as_str(), what, entry);
                tracing::info!(domain = %entry.peer, request = %entry.id, kind = entry.asked.kind().as_str(), "A peer asks for something.");
                self.request_waits(entry);
            }
            Happened::Decided(entry) => {
                let is_accepted = entry.state == RequestState::Accepted;
                count(if is_accepted { "accepted" } else { "declined" });
                let (who, why) = (entry.by.as_deref().unwrap_or_default(), reason(entry));
                let what =
                    format!("{} request {} of domain {}{why}: {}", entry.state, entry.id, entry.peer, entry.asked);
                self.request_audited("operator", who, what, entry);
                self.waits_no_longer(entry);
            }
            Happened::Answered(entry) => self.answered(entry),
            Happened::Expired(entry) => {
                count("expired");
                let whose = if entry.is_ours() { "our request" } else { "its request" };
                let what = format!("{whose} {} expired, nobody having decided: {}", entry.id, entry.asked);
                self.request_audited("federation", entry.peer.as_str(), what, entry);
                if !entry.is_ours() {
                    self.waits_no_longer(entry);
                }
            }
            Happened::Refused(peer, id, kind, reason) => {
                self.metrics.federation.requests_refused.entry(reason.as_str()).or_default().increment();
                tracing::info!(%peer, request = %id, reason = reason.as_str(), "A request of a peer was not taken.");
                // What comes too often is counted alone: the trail is not for a peer to fill.
                if *reason != RequestReason::TooOften {
                    let what = refusal(*reason, kind.map_or("", |kind| kind.configured()));
                    self.audit(peer.as_str(), format!("request {id} was refused: {what}"));
                }
                return;
            }
            Happened::Unexpected(peer) => {
                count("unexpected");
                tracing::info!(%peer, "A peer told an outcome of what was not asked, or another one than before.");
                return;
            }
        }
        let (Happened::Asked(entry)
        | Happened::Received(entry)
        | Happened::Decided(entry)
        | Happened::Answered(entry)
        | Happened::Expired(entry)) = happened
        else {
            return;
        };
        self.event(json!({
            "domain": entry.peer, "request": entry.id, "direction": entry.direction, "kind": entry.asked.kind(),
            "state": entry.state,
        }));
    }

    /// The other side has said where our request stands.
    fn answered(&self, entry: &Entry) {
        self.metrics.federation.requests.entry("answered").or_default().increment();
        let what = match entry.state {
            RequestState::Pending => format!("has our request {}, which waits for its operator", entry.id),
            state => format!("our request {} is {state} there{}: {}", entry.id, reason(entry), entry.asked),
        };
        self.request_audited("federation", entry.peer.as_str(), what, entry);
    }
}

/// Why a request was refused, and what would change it, for our own operator.
fn refusal(reason: RequestReason, kind: &str) -> String {
    match reason {
        RequestReason::NotAllowed => {
            format!(
                "the configuration does not let it ask for that; to allow it, add \"{kind}\" to `requests` in its [[peers]] table"
            )
        }
        RequestReason::UnknownLink => "it names a link that is not among our [[federation.links]] with it".to_owned(),
        RequestReason::NotInTime => "its times lie in the past, or too far ahead".to_owned(),
        RequestReason::TooMany => "as many of its requests wait as are let wait; decide them".to_owned(),
        RequestReason::Conflicting => "its ID is that of another request".to_owned(),
        other => other.to_string(),
    }
}
