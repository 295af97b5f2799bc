//! What operators are told of requests: an alarm for each peer as long as something it asked waits for them, a line in the audit
//! trail for whatever becomes of a request, an event for those who follow the manager, and counters.

use serde_json::json;

use super::Teller;
use crate::{
    clock::wall_time,
    federation::{
        protocol::OriginId,
        request::{Entry, Happened, RequestId},
    },
    model::{
        AlarmKey,
        peer_request::{Asked, RequestDirection, RequestReason, RequestState},
    },
    shard::{AlarmRequest, alarms::own_report},
    storage::error::StorageError,
    telemetry::audit::AuditEntry,
};

/// The alarm about requests of a peer that wait.
const ALARM: &str = "peer-request-waiting";

fn reason(entry: &Entry) -> String {
    entry.reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// The alarm about what waits of a peer: raised, or cleared if nothing does. One for each peer, whatever
/// it asks: alarms of the manager are limited in number, and not for a peer to use up.
fn waiting_alarm(manager: &str, peer: &OriginId, waiting: &[&Entry]) -> AlarmRequest {
    let key = AlarmKey {
        component: manager.to_owned(),
        resource: format!("requests of domain {peer}"),
        alarm_type_id: ALARM.to_owned(),
        alarm_type_qualifier: "manager".to_owned(),
    };
    if waiting.is_empty() {
        return AlarmRequest { key, report: None, text: "nothing that it asked waits any more".to_owned() };
    }
    // An alarm that is raised keeps its text, so this says nothing that changes while others come and go.
    let text =
        format!("domain {peer} asks for what an operator decides: see what, and until when, with qkdnm peer requests");
    let repairs = ["Decide: qkdnm peer requests accept ID, or qkdnm peer requests decline ID --reason ..."];
    AlarmRequest { key, report: Some(own_report(ALARM, text, &repairs)), text: String::new() }
}

impl Teller {
    /// A request could not be stored: nothing of it was said.
    pub(in crate::manager::federation) fn request_not_stored(&self, error: &StorageError) {
        self.metrics.federation.not_stored.increment();
        tracing::error!(%error, "A request of or to a peer could not be stored, so nothing was done about it.");
    }

    /// What waits of a peer for our operator, oldest first, is this now.
    pub(in crate::manager::federation) fn requests_wait(&self, peer: &OriginId, waiting: &[&Entry]) {
        self.desk.put(waiting_alarm(&self.manager, peer, waiting));
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
            }
            Happened::Decided(entry) => {
                let is_accepted = entry.state == RequestState::Accepted;
                count(if is_accepted { "accepted" } else { "declined" });
                let (who, why) = (entry.by.as_deref().unwrap_or_default(), reason(entry));
                let what =
                    format!("{} request {} of domain {}{why}: {}", entry.state, entry.id, entry.peer, entry.asked);
                self.request_audited("operator", who, what, entry);
            }
            Happened::Answered(entry) => self.answered(entry),
            Happened::Expired(entry) => {
                count("expired");
                let whose = if entry.is_ours() { "our request" } else { "its request" };
                let what = format!("{whose} {} expired, nobody having decided: {}", entry.id, entry.asked);
                self.request_audited("federation", entry.peer.as_str(), what, entry);
            }
            Happened::Withdrawn(entry) if entry.is_ours() => {
                count("withdrawn");
                let who = entry.by.as_deref().unwrap_or_default();
                let what = format!("withdrew request {} to domain {}: {}", entry.id, entry.peer, entry.asked);
                self.request_audited("operator", who, what, entry);
            }
            Happened::Withdrawn(entry) => {
                count("withdrawn");
                let what = format!("withdrew its request {}: {}", entry.id, entry.asked);
                self.request_audited("federation", entry.peer.as_str(), what, entry);
                tracing::info!(domain = %entry.peer, request = %entry.id, "A peer has withdrawn what it asked.");
            }
            Happened::Refused(peer, id, asked, reason) => {
                self.metrics.federation.requests_refused.entry(reason.as_str()).or_default().increment();
                // What comes too often is counted alone: neither log nor trail is for a peer to fill.
                if *reason != RequestReason::TooOften {
                    tracing::info!(%peer, request = %id, reason = reason.as_str(), "A request of a peer was not taken.");
                    self.refused(peer, id, asked, *reason);
                }
                return;
            }
            // An outcome of what was not asked, or another one than before: counted alone, as it comes at any rate.
            Happened::Unexpected(_) => {
                count("unexpected");
                return;
            }
        }
        let (Happened::Asked(entry)
        | Happened::Received(entry)
        | Happened::Decided(entry)
        | Happened::Answered(entry)
        | Happened::Expired(entry)
        | Happened::Withdrawn(entry)) = happened
        else {
            return;
        };
        self.event(json!({
            "domain": entry.peer, "request": entry.id, "direction": entry.direction, "kind": entry.asked.kind(),
            "state": entry.state,
        }));
    }

    /// A peer asked for what it does not get: who, for what, about which link, at which time.
    fn refused(&self, peer: &OriginId, id: &RequestId, asked: &Asked, reason: RequestReason) {
        let why = refusal(reason, asked.kind().configured());
        self.audit.record(AuditEntry {
            time: wall_time(),
            kind: "federation".to_owned(),
            who: peer.to_string(),
            what: format!("request {id} was refused, {asked}: {why}"),
            detail: refused_detail(peer, id, asked, reason),
        });
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

/// What a refused request asked for, with its links and times.
fn refused_detail(peer: &OriginId, id: &RequestId, asked: &Asked, reason: RequestReason) -> serde_json::Value {
    json!({
        "request": id, "direction": RequestDirection::Received, "domain": peer, "kind": asked.kind(), "state": RequestState::Refused,
        "reason": reason, "asked": asked,
    })
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        config::limits::{REQUESTS_EVERY, REQUESTS_OPEN},
        federation::{
            protocol::Now,
            request::{Book, Said, Terms},
        },
        model::{
            Timestamp,
            peer_request::{PriorityCause, RequestKind},
        },
    };

    const WALL: u64 = 1_767_225_600_000;

    fn priority(number: u64) -> Said {
        let until = Timestamp(i64::try_from(WALL).unwrap() + 24 * 3_600_000);
        let asked = Asked::EmergencyPriority { link: "vienna-brno".into(), until, cause: PriorityCause::Exercise };
        Said::Request { id: RequestId::of(number), asked, valid_for_s: 3_600 }
    }

    #[test]
    fn however_much_a_peer_asks_it_has_one_alarm_until_all_is_decided() {
        let (west, north) = (OriginId::from("west"), OriginId::from("north"));
        let terms = Terms { kinds: [RequestKind::EmergencyPriority].into(), links: ["vienna-brno".to_owned()].into() };
        let mut book = Book::default();
        book.set_terms(BTreeMap::from([(west.clone(), terms)]));
        let mut keys = BTreeSet::new();
        let mut look = |book: &Book| {
            let AlarmRequest { key, report, .. } = waiting_alarm("mx/east", &west, &book.waiting(&west));
            keys.insert(key.to_string());
            report.map(|report| report.text)
        };
        // More than one alarm each would leave room for, each decided before the next ones come.
        for number in 0..2_000 {
            let passed = number * u64::try_from(REQUESTS_EVERY.as_millis()).unwrap();
            let now = Now { mono: passed, wall: WALL + passed };
            let plan = book.heard(&west, priority(number), now);
            book.apply(&plan);
            assert!(look(&book).is_some(), "{number} waits");
            let oldest = number.saturating_sub(REQUESTS_OPEN as u64 - 1);
            if number >= REQUESTS_OPEN as u64 - 1 {
                let plan = book.decide(RequestId::of(oldest).as_str(), None, "anna", now).unwrap();
                book.apply(&plan);
                assert!(look(&book).is_some(), "the others wait still");
            }
        }
        let waiting = book.waiting(&west);
        assert_eq!(waiting.len(), REQUESTS_OPEN - 1);
        let told = look(&book).unwrap();
        assert!(told.starts_with("domain west asks for what an operator decides"), "{told}");
        let ids: Vec<RequestId> = waiting.iter().map(|entry| entry.id.clone()).collect();
        assert!(ids.is_sorted(), "oldest first");
        let now = Now { mono: 0, wall: WALL };
        let mut raised = Vec::new();
        for id in &ids {
            let plan = book.decide(id.as_str(), None, "anna", now).unwrap();
            book.apply(&plan);
            raised.push(look(&book).is_some());
        }
        let last = raised.pop();
        assert!(last == Some(false) && raised.iter().all(|raised| *raised), "cleared with the last alone: {raised:?}");
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert_eq!(waiting_alarm("mx/east", &north, &[]).key.resource, "requests of domain north");
    }

    #[test]
    fn what_was_refused_is_told_with_its_link_and_times() {
        let Said::Request { id, asked, .. } = priority(7) else { panic!("a request") };
        let told = refused_detail(&"west".into(), &id, &asked, RequestReason::NotAllowed);
        assert_eq!((&told["kind"], &told["reason"]), (&json!("emergencyPriority"), &json!("not-allowed")));
        assert_eq!(
            (&told["asked"]["link"], &told["asked"]["until"]),
            (&json!("vienna-brno"), &json!("2026-01-02T00:00:00.000Z"))
        );
    }
}
