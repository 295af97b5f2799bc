//! What the federation has to tell operators: alarms about peers and about ourselves, the audit trail, the log.

mod requests;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{
    behind::Way,
    complaints::{Complaint, Complaints},
    locked,
};
use crate::{
    api::event_log::EventLog,
    clock::wall_time,
    connection::{Concerned, SecurityNote, SecurityWatch},
    federation::{
        known_through::told_behind,
        protocol::{CutOff, Event, Fault, Freshness, OriginId},
    },
    manager::alarms::AlarmDesk,
    model::{AlarmKey, ReferencePoint},
    shard::{AlarmRequest, alarms::own_report},
    storage::{JournalPosition, error::StorageError},
    telemetry::{
        audit::{Audit, AuditEntry},
        federation::FederationMetrics,
        metrics::Metrics,
    },
};

/// Whether somebody may have tried what he should not: not what limits, another roster's audiences or a missing right to relay
/// explain.
fn is_suspicious(fault: Fault) -> bool {
    !matches!(fault, Fault::TooOften | Fault::OverLimit | Fault::NotARelay | Fault::Audience)
}

/// Tells.
pub struct Teller {
    /// Alarms.
    pub desk: AlarmDesk,
    /// Audit trail.
    pub audit: Audit,
    /// The component of alarms about the manager itself (`mx/` and its ID).
    pub manager: String,
    /// What is told to those who follow the manager.
    pub events: Arc<EventLog>,
    /// Takes what concerns security, coalesced.
    pub watch: Arc<dyn SecurityWatch>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Which domains are complained about.
    complaints: Mutex<Complaints>,
}

impl Teller {
    /// For a manager.
    #[must_use]
    pub fn new(
        desk: AlarmDesk,
        audit: Audit,
        manager: String,
        events: Arc<EventLog>,
        watch: Arc<dyn SecurityWatch>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { desk, audit, manager, events, watch, metrics, complaints: Mutex::default() }
    }

    fn count(&self, event: &Event) {
        let counts: &FederationMetrics = &self.metrics.federation;
        let counter = match event {
            Event::SessionUp(_) => &counts.sessions_opened,
            Event::SessionDown(_) => &counts.sessions_ended,
            Event::Published { changed: true, .. } => &counts.published,
            Event::Published { .. } => &counts.refreshed,
            Event::Accepted { changed: true, .. } => &counts.accepted,
            Event::Accepted { .. } => &counts.refreshes_accepted,
            Event::Quarantined(_) => &counts.quarantined,
            Event::Disputed { .. } => &counts.disputed,
            Event::Dropped { fault, .. } => {
                counts.dropped.entry(fault.as_str()).or_default().increment();
                return;
            }
            _ => return,
        };
        counter.increment();
    }

    fn key(&self, alarm_type: &str, domain: &str) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: if domain.is_empty() { "federation".to_owned() } else { format!("domain {domain}") },
            alarm_type_id: alarm_type.to_owned(),
            alarm_type_qualifier: "manager".to_owned(),
        }
    }

    fn raise(&self, alarm_type: &str, domain: &str, text: String, repairs: &[&str]) {
        let report = Some(own_report(alarm_type, text, repairs));
        self.desk.put(AlarmRequest { key: self.key(alarm_type, domain), report, text: String::new() });
    }

    fn clear(&self, alarm_type: &str, domain: &str, text: &str) {
        let key = self.key(alarm_type, domain);
        self.desk.put(AlarmRequest { key, report: None, text: text.to_owned() });
    }

    fn event(&self, data: serde_json::Value) {
        // Domains have no place in our journal: they come behind whatever is newest.
        self.events.add(JournalPosition(0), "domain", data.to_string());
    }

    fn audit(&self, who: &str, what: String) {
        self.audit.record(AuditEntry {
            time: wall_time(),
            kind: "federation".to_owned(),
            who: who.to_owned(),
            what,
            detail: serde_json::Value::Null,
        });
    }

    /// Documents of others could not be stored: they will be asked for again after a restart.
    pub(super) fn not_stored(&self, error: &StorageError) {
        self.metrics.federation.not_stored.increment();
        tracing::error!(%error, "What peers said could not be stored; after a restart it will be fetched again.");
    }

    /// Tells of an event; `way` is that to a domain that is seen otherwise.
    pub(super) fn tell(&self, event: &Event, way: &Way) {
        self.count(event);
        match event {
            Event::SessionUp(domain) => tracing::info!(%domain, "A session with a peer is up."),
            Event::SessionDown(domain) => tracing::info!(%domain, "The session with a peer has ended."),
            Event::Published { slot, version, changed } => {
                tracing::debug!(%slot, %version, changed, "Published.");
            }
            Event::Accepted { slot, version, from, changed } => {
                tracing::debug!(%slot, %version, %from, changed, "Accepted.");
                self.event(serde_json::json!({
                    "domain": slot.origin.as_str(), "audience": slot.audience.to_string(),
                    "version": version.to_string(), "from": from.as_str(), "changed": changed,
                }));
            }
            Event::Dropped { from, slot, fault } => {
                let slot = slot.as_ref().map(ToString::to_string).unwrap_or_default();
                tracing::info!(%from, slot, cause = fault.as_str(), "Dropped what a peer sent.");
                if is_suspicious(*fault) {
                    self.watch.note(SecurityNote {
                        alarm_type: "unauthorized-report",
                        cause: fault.as_str(),
                        point: ReferencePoint::Mx,
                        identity: format!("domain {from}"),
                        is_verified: true,
                        peer: SocketAddr::from(([0, 0, 0, 0], 0)),
                        concerned: Concerned::Interface,
                        sentence: format!("what it sent of {slot} was dropped"),
                    });
                }
            }
            Event::Standing { origin, before, now } => self.standing(origin, (*before, *now), way),
            Event::Isolated(why) => self.isolated(*why),
            Event::Rejoined => {
                locked(&self.complaints).rejoined(Instant::now());
                self.clear("manager-isolated", "", "sessions with peers are back");
            }
            other => self.security(other),
        }
    }

    fn isolated(&self, why: CutOff) {
        let text = match why {
            CutOff::Deaths => "most sessions with peers ended at once: it is probably this manager that is cut off",
            CutOff::HeldUp => "this manager was held up: what it did not hear meanwhile says nothing of its peers",
            CutOff::Alone => {
                "there has been no session left with any peer for a while: either all of them are down, or this manager is cut off"
            }
        };
        let repairs = ["Check this manager's network and load before looking at its peers."];
        // With no session left nothing tells which of the two it is: then what is said of the peers stands beside it.
        let taken_back = (why != CutOff::Alone).then(|| locked(&self.complaints).isolated());
        self.raise("manager-isolated", "", text.to_owned(), &repairs);
        taken_back.into_iter().for_each(|taken_back| self.complain(taken_back));
    }

    fn security(&self, event: &Event) {
        match event {
            Event::Quarantined(domain) => {
                let what = "sent so many bad items that nothing is taken from it by relay for five minutes";
                self.audit(domain.as_str(), what.to_owned());
                tracing::warn!(%domain, "A peer relays nothing for a while: it sent too many bad items.");
            }
            Event::Disputed { slot, version } => {
                let text = format!(
                    "{} has signed two different manifests as version {version} for {}: its key is used twice, or by somebody else",
                    slot.origin, slot.audience
                );
                let repairs = [
                    "Ask the operators of that domain whether two managers run with one identity.",
                    "If the key was stolen: replace it, and raise the key generation in the roster.",
                ];
                self.audit(slot.origin.as_str(), text.clone());
                self.raise("peer-equivocation", slot.origin.as_str(), text, &repairs);
            }
            Event::HeardOurselves(version) => {
                let text = format!("met a newer manifest of our own domain ({version}); took a new epoch above it");
                tracing::warn!(%version, "Met a newer manifest of our own domain; publishing in a new epoch.");
                self.audit("manager", text);
            }
            Event::StoppedPublishing => {
                let text = "newer manifests of this domain come from elsewhere again and again: another process \
                            publishes as us, so this one has stopped";
                let repairs = [
                    "Find the other process with this domain's signing key and stop one of the two.",
                    "Then restart this manager.",
                ];
                self.audit("manager", text.to_owned());
                self.raise("manager-identity-conflict", "", text.to_owned(), &repairs);
            }
            Event::NoEpoch | Event::NoSignature => {
                let text = "nothing can be signed, so this domain tells its peers nothing";
                let repairs = ["Check the signing key and the disk of the data directory."];
                self.raise("federation-not-publishing", "", text.to_owned(), &repairs);
            }
            Event::OldRoster { version } => {
                tracing::warn!(version, "A roster older than the one in force was refused.");
                self.audit("manager", format!("refused a roster of version {version}, older than the one in force"));
            }
            _ => {}
        }
    }

    fn standing(&self, origin: &OriginId, (before, now): (Option<Freshness>, Freshness), way: &Way) {
        let behind = way.silent.as_ref();
        let domain = origin.as_str();
        let told = if behind.is_some() { told_behind(now) } else { now };
        let mut event = serde_json::json!({ "domain": domain, "freshness": told.as_str() });
        if let Some(way) = behind {
            event["knownThrough"] = way.as_str().into();
        }
        self.event(event);
        tracing::info!(
            domain,
            before = before.map(Freshness::as_str),
            now = told.as_str(),
            behind = behind.map(OriginId::as_str),
            "A domain is seen otherwise."
        );
        let complaints = locked(&self.complaints).standing(origin, (before, now), way.relayed);
        self.complain(complaints);
    }

    /// Domains that are not complained about as long as one on the way to them is silent.
    pub(super) fn waiting(&self) -> Vec<OriginId> {
        locked(&self.complaints).behind_others()
    }

    /// Time passes; these are behind a silent one still, and of those nothing was ever heard.
    pub(super) fn tick(&self, behind: &BTreeSet<OriginId>, unheard: &BTreeSet<OriginId>) {
        let now = Instant::now();
        let complaints = {
            let mut complaints = locked(&self.complaints);
            [complaints.tick(now, behind), complaints.unheard(now, unheard)].concat()
        };
        self.complain(complaints);
    }

    fn complain(&self, complaints: Vec<Complaint>) {
        let repairs = ["Check the connection to that domain's manager, and ask its operators."];
        let alarm_type = |seen: Freshness| match seen {
            Freshness::Unreachable => "peer-unreachable",
            _ => "peer-stale",
        };
        for complaint in complaints {
            match complaint {
                Complaint::Raise(domain, seen) => {
                    let text = match seen {
                        Freshness::Unreachable => {
                            format!("nothing new of domain {domain} by any path for four times its validity")
                        }
                        _ => format!("nothing new of domain {domain} for longer than it said it would take"),
                    };
                    self.raise(alarm_type(seen), domain.as_str(), text, &repairs);
                }
                Complaint::NeverHeard(domain) => {
                    let text = format!(
                        "there is no session with the manager of domain {domain}, and nothing was ever heard of it"
                    );
                    let repairs = [
                        "See why with `qkdnm peer list` and `qkdnm peer show`: address, certificates, keys.",
                        "Ask the operators of that domain whether their manager runs and has this one among its peers.",
                    ];
                    self.raise(alarm_type(Freshness::Unreachable), domain.as_str(), text, &repairs);
                }
                Complaint::Clear(domain, seen, why) => self.clear(alarm_type(seen), domain.as_str(), why),
            }
        }
    }
}
