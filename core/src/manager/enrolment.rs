//! Components that wait for approval: operators decide about them here, and are told that somebody waits.
//!
//! A decision goes through the shard of its component into the journal; who may report follows from what is committed
//! ([`Decided`]), then the connections follow, the audit trail has it, and only then is it answered as done. Each component
//! that waits has an alarm, raised once, up to [`ENROLMENT_ALARMS`] at a time, and one line in the audit trail when it
//! comes. The rules are in `dispatch/enrolment`.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use super::{alarms::AlarmDesk, live::Connections};
use crate::{
    api::{
        Answer, EnrolmentDesk, Page, PageRequest,
        enrolment_desk::{Decide, DecideError},
        views::{EnrolmentState, EnrolmentView},
    },
    clock::Clock,
    config::limits::{ENROLMENT_ABSENCE, ENROLMENT_ALARMS, ENROLMENT_AUDITED},
    dispatch::{Enrolments, Unclear, Waiting},
    model::{AlarmKey, ComponentRef, EnrolmentDecision, ShownCertificate, Timestamp, Verdict, alarm::Fact},
    shard::{AlarmRequest, DecideRequest, ShardMessage, alarms::own_report},
    storage::{JournalPosition, follow::Follower, record::BatchRecord},
    telemetry::{
        audit::{Audit, AuditEntry},
        metrics::Metrics,
    },
};

/// The alarm about somebody who waits.
const ALARM: &str = "component-awaiting-approval";

/// Takes decisions over as they are committed.
pub struct Decided(pub Arc<Enrolments>);

impl Follower for Decided {
    fn committed(&self, _position: JournalPosition, record: &Arc<BatchRecord>) {
        if let Some(decision) = record.decision() {
            self.0.decided(decision);
        }
    }
}

/// Where operators decide; clones are one place.
#[derive(Clone)]
pub struct Enrolling {
    enrolments: Arc<Enrolments>,
    connections: Arc<Connections>,
    desk: AlarmDesk,
    audit: Audit,
    clock: Clock,
    metrics: Arc<Metrics>,
    manager: String,
    told: Arc<Mutex<Told>>,
}

/// What was told of those who wait.
#[derive(Default)]
struct Told {
    /// Component and certificate, as the audit trail has them.
    audited: HashSet<(ComponentRef, String)>,
    /// Components that have an alarm.
    raised: BTreeSet<ComponentRef>,
}

impl Enrolling {
    /// `manager` is the component of alarms about the manager itself (`mx/` and its ID).
    #[must_use]
    pub fn new(
        enrolments: Arc<Enrolments>,
        connections: Arc<Connections>,
        desk: AlarmDesk,
        audit: Audit,
        (clock, metrics): (Clock, Arc<Metrics>),
        manager: String,
    ) -> Self {
        Self { enrolments, connections, desk, audit, clock, metrics, manager, told: Arc::default() }
    }

    async fn decide_now(&self, wish: Decide) -> Result<EnrolmentDecision, DecideError> {
        let Decide { component, verdict, fingerprint, by, note } = wish;
        let certificate = self.enrolments.subject(&component, fingerprint.as_deref()).map_err(not_clear)?;
        let stopping = DecideError::Unavailable("the manager is stopping");
        let mailbox = self.desk.mailbox(&component.to_string()).ok_or(stopping)?;
        let (reply, answer) = oneshot::channel();
        let decision = EnrolmentDecision { component, verdict, certificate, by, note, time: Timestamp(0) };
        let request = ShardMessage::Decide(Box::new(DecideRequest { decision, reply }));
        mailbox.put(request).map_err(|_| DecideError::Unavailable("the shard's mailbox is full"))?;
        let Ok(Some(decision)) = answer.await else {
            return Err(DecideError::Unavailable("storage cannot commit now"));
        };
        match verdict {
            Verdict::Approved => self.metrics.enrolment_approved.increment(),
            Verdict::Rejected => self.metrics.enrolment_rejected.increment(),
        }
        let closed = self.connections.follow_decision(&decision.component);
        tracing::info!(component = %decision.component, verdict = verdict.as_str(), by = decision.by, closed, "Decided about a component.");
        self.audit.record_and_wait(entry(&decision)).await;
        self.look();
        Ok(decision)
    }

    /// Tells who waits now and did not before, and who need not wait any more; called now and then.
    pub fn look(&self) {
        let now = self.clock.now();
        let patience = i64::try_from(ENROLMENT_ABSENCE.as_millis()).unwrap_or(i64::MAX);
        self.enrolments.forget_gone(Timestamp(now.0.saturating_sub(patience)));
        let waiting = self.enrolments.all_waiting();
        self.metrics.enrolment_waiting.set(waiting.len() as u64);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() && told.audited.is_empty() && told.raised.is_empty() {
            return;
        }
        self.audit_new(&waiting, &mut told, now);
        let of = |component: &ComponentRef| waiting.iter().find(|one| one.component == *component);
        let over: Vec<ComponentRef> = told.raised.iter().filter(|one| of(one).is_none()).cloned().collect();
        for component in over {
            told.raised.remove(&component);
            let text = self.enrolments.decisions_about(&component).pop().map_or_else(
                || "it does not wait any more".to_owned(),
                |decision| format!("{} by {}", decision.verdict.as_str(), decision.by),
            );
            self.desk.put(AlarmRequest { key: self.key(&component), report: None, text });
        }
        for one in &waiting {
            if told.raised.len() >= ENROLMENT_ALARMS {
                break;
            }
            if told.raised.insert(one.component.clone()) {
                self.raise(one);
            }
        }
    }

    fn key(&self, component: &ComponentRef) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: component.to_string(),
            alarm_type_id: ALARM.to_owned(),
            alarm_type_qualifier: String::new(),
        }
    }

    fn raise(&self, one: &Waiting) {
        let (component, certificate) = (&one.component, &one.certificate);
        let text = format!(
            "{component} waits for approval: certificate sha256:{} of {}, issued by {}, from {}",
            certificate.fingerprint, certificate.subject, certificate.issuer, one.peer
        );
        let approve = format!(
            "Compare the fingerprint with the component's own, then `qkdnm component approve {component} --fingerprint {}`.",
            certificate.fingerprint
        );
        let reject = format!("If nobody expects it: `qkdnm component reject {component}`.");
        let mut report = own_report(ALARM, text, &[&approve, &reject]);
        report.additional_information = facts(one);
        self.desk.put(AlarmRequest { key: self.key(component), report: Some(report), text: String::new() });
    }

    /// One entry for each that is new; where many come at once, one for all that are too many to name.
    fn audit_new(&self, waiting: &[Waiting], told: &mut Told, now: Timestamp) {
        let key = |one: &Waiting| (one.component.clone(), one.certificate.fingerprint.clone());
        let new: Vec<&Waiting> = waiting.iter().filter(|one| !told.audited.contains(&key(one))).collect();
        for one in new.iter().take(ENROLMENT_AUDITED) {
            let what = format!("{} waits for approval, from {}", one.component, one.peer);
            let detail: serde_json::Map<String, serde_json::Value> =
                facts(one).into_iter().map(|fact| (fact.name, fact.value.into())).collect();
            self.audit.record(AuditEntry {
                time: now,
                kind: "enrolment".to_owned(),
                who: one.certificate.subject.clone(),
                what,
                detail: detail.into(),
            });
        }
        if let Some(more) = new.len().checked_sub(ENROLMENT_AUDITED).filter(|more| *more > 0) {
            let what = format!("{more} more components wait for approval (`qkdnm component list --waiting`)");
            self.audit.record(AuditEntry::of_manager(now, "enrolment", what, serde_json::Value::Null));
        }
        told.audited = waiting.iter().map(key).collect();
    }
}

impl EnrolmentDesk for Enrolling {
    fn list(
        &self,
        component: Option<&ComponentRef>,
        state: Option<EnrolmentState>,
        page: &PageRequest<String>,
    ) -> Page<EnrolmentView> {
        let waiting = self.enrolments.all_waiting().into_iter().map(waiting_view);
        let decided = self.enrolments.decisions();
        let all = waiting.chain(decided.iter().map(|decision| decided_view(decision)));
        let fits = |one: &EnrolmentView| {
            component.is_none_or(|component| *component == one.component)
                && state.is_none_or(|state| state == one.state)
        };
        let mut found: Vec<(String, EnrolmentView)> = all.filter(fits).map(|one| (one.place(), one)).collect();
        found.retain(|(place, _)| page.after.as_ref().is_none_or(|after| place > after));
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Page::take(found.into_iter().map(|(_, one)| one), page.limit, EnrolmentView::place)
    }

    /// Goes on to the end, also when whoever asked has gone away: what is committed is followed and audited.
    fn decide(&self, wish: Decide) -> Answer<'_, Result<EnrolmentView, DecideError>> {
        let this = self.clone();
        let deciding = tokio::spawn(async move { this.decide_now(wish).await });
        Box::pin(async move {
            let decided = deciding.await.unwrap_or(Err(DecideError::Unavailable("the manager failed")));
            decided.map(|decision| decided_view(&decision))
        })
    }
}

fn not_clear(unclear: Unclear) -> DecideError {
    match unclear {
        Unclear::Unknown(_) => DecideError::Unknown(unclear.to_string()),
        _ => DecideError::NotPossible(unclear.to_string()),
    }
}

fn waiting_view(one: Waiting) -> EnrolmentView {
    EnrolmentView {
        address: Some(one.peer.to_string()),
        connections: one.connections.len(),
        first_seen: Some(one.first_seen),
        last_seen: Some(one.last_seen),
        ..view(&one.component, EnrolmentState::Waiting, &one.certificate)
    }
}

fn decided_view(decision: &EnrolmentDecision) -> EnrolmentView {
    let state = match decision.verdict {
        Verdict::Approved => EnrolmentState::Approved,
        Verdict::Rejected => EnrolmentState::Rejected,
    };
    EnrolmentView {
        decided_by: Some(decision.by.clone()),
        decided: Some(decision.time),
        note: Some(decision.note.clone()).filter(|note| !note.is_empty()),
        ..view(&decision.component, state, &decision.certificate)
    }
}

fn view(component: &ComponentRef, state: EnrolmentState, certificate: &ShownCertificate) -> EnrolmentView {
    EnrolmentView {
        component: component.clone(),
        state,
        san: component.urn(),
        fingerprint: certificate.fingerprint.clone(),
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        authority: certificate.authority.clone(),
        not_after: certificate.not_after,
        address: None,
        connections: 0,
        first_seen: None,
        last_seen: None,
        decided_by: None,
        decided: None,
        note: None,
    }
}

/// What is known of somebody who waits.
fn facts(one: &Waiting) -> Vec<Fact> {
    let certificate = &one.certificate;
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    vec![
        fact("component", one.component.to_string()),
        fact("reference point", one.component.reference_point.to_string()),
        fact("SAN", one.component.urn()),
        fact("fingerprint", format!("sha256:{}", certificate.fingerprint)),
        fact("subject", certificate.subject.clone()),
        fact("issuer", certificate.issuer.clone()),
        fact("authority key", format!("sha256:{}", certificate.authority)),
        fact("certificate ends", certificate.not_after.to_string()),
        fact("address", one.peer.to_string()),
        fact("first seen", one.first_seen.to_string()),
        fact("last seen", one.last_seen.to_string()),
    ]
}

fn entry(decision: &EnrolmentDecision) -> AuditEntry {
    let EnrolmentDecision { component, verdict, certificate, by, note, time } = decision;
    AuditEntry {
        time: *time,
        kind: "operator".to_owned(),
        who: by.clone(),
        what: format!(
            "component {component} {}: certificate sha256:{} of {}",
            verdict.as_str(),
            certificate.fingerprint,
            certificate.subject
        ),
        detail: serde_json::json!({
            "component": component,
            "verdict": verdict,
            "fingerprint": certificate.fingerprint,
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "authority": certificate.authority,
            "note": note,
        }),
    }
}
