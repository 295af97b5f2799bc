//! Components that are not in the configuration: which an operator has approved or rejected, and which wait.
//!
//! In: decisions as they are committed, and who shows up with which certificate. Out: what holds for a component under an
//! authority, and the list of those that wait. A decision holds for every certificate that the same authority issues for
//! the component (`model/enrolment`). Those that wait are remembered by component and certificate, up to
//! [`ENROLMENT_WAITING`], and only while the manager runs: who still wants in after a restart shows up again.
//!
//! Whether any of this counts is `manager.enrolment`'s to say ([`super::Rules`]). Nothing here knows TLS, storage or
//! connections beyond their numbers.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

use crate::{
    config::limits::{ENROLMENT_DECISIONS, ENROLMENT_WAITING},
    model::{ComponentRef, EnrolmentDecision, ShownCertificate, Timestamp, Verdict},
};

/// Component and authority.
type DecidedKey = (ComponentRef, String);

/// Somebody who waits for approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who it says it is.
    pub component: ComponentRef,
    /// What it shows for it.
    pub certificate: ShownCertificate,
    /// Where it last came from.
    pub peer: SocketAddr,
    /// When it first came, since the manager started.
    pub first_seen: Timestamp,
    /// When it last came or went; for one that is connected, of the last connection.
    pub last_seen: Timestamp,
    /// Connections that it has open.
    pub connections: BTreeSet<u64>,
}

/// Why a decision cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Nobody of that name waits, and nothing was decided about one.
    #[error("{0} neither waits for approval nor was decided about")]
    Unknown(ComponentRef),
    /// No certificate with this fingerprint.
    #[error("{component} was not shown with the certificate {asked}; shown: {}", shown.join(", "))]
    OtherFingerprint {
        /// Which component.
        component: ComponentRef,
        /// What was asked for.
        asked: String,
        /// Fingerprints there are.
        shown: Vec<String>,
    },
    /// Certificates of several authorities, and none was named.
    #[error("certificates of {} authorities are shown for {component}: {}; name one by its fingerprint", shown.len(), shown.join(", "))]
    Several {
        /// Which component.
        component: ComponentRef,
        /// A fingerprint of each authority's.
        shown: Vec<String>,
    },
    /// As many decisions as are kept.
    #[error(
        "{ENROLMENT_DECISIONS} decisions about components are kept already; list components in the configuration instead"
    )]
    Full,
}

/// Decisions and those who wait for one.
#[derive(Debug, Default)]
pub struct Enrolments {
    decided: ArcSwap<HashMap<DecidedKey, Arc<EnrolmentDecision>>>,
    waiting: Mutex<Vec<Waiting>>,
    changes: AtomicU64,
}

impl Enrolments {
    /// With decisions from before the start.
    #[must_use]
    pub fn new(decisions: Vec<EnrolmentDecision>) -> Self {
        let decided = decisions.into_iter().map(|decision| (key(&decision), Arc::new(decision))).collect();
        Self { decided: ArcSwap::from_pointee(decided), ..Self::default() }
    }

    fn waiting_list(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds for a component under an authority; `None`: nothing was decided.
    #[must_use]
    pub fn verdict(&self, component: &ComponentRef, authority: &str) -> Option<Verdict> {
        let decided = self.decided.load();
        // An authority that could not be told is none that anything was decided about.
        if decided.is_empty() || authority.is_empty() {
            return None;
        }
        decided.get(&(component.clone(), authority.to_owned())).map(|decision| decision.verdict)
    }

    /// All decisions, in no order.
    #[must_use]
    pub fn decisions(&self) -> Vec<Arc<EnrolmentDecision>> {
        self.decided.load().values().cloned().collect()
    }

    /// Those about a component, the latest last.
    #[must_use]
    pub fn decisions_about(&self, component: &ComponentRef) -> Vec<Arc<EnrolmentDecision>> {
        let decided = self.decided.load();
        let mut found: Vec<_> = decided.values().filter(|decision| decision.component == *component).cloned().collect();
        found.sort_by_key(|decision| decision.time);
        found
    }

    /// Takes a decision over that is committed: whom it is about waits no more. Called by one thread at a time for each
    /// component, in the order of commits.
    pub fn decided(&self, decision: EnrolmentDecision) {
        let decision = Arc::new(decision);
        self.decided.rcu(|before| {
            let mut after = HashMap::clone(before);
            after.insert(key(&decision), Arc::clone(&decision));
            after
        });
        self.waiting_list().retain(|one| {
            one.component != decision.component || one.certificate.authority != decision.certificate.authority
        });
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often something was decided. Whoever reads this before looking at decisions, and reads the same after entering a
    /// connection among those that a decision is followed by, has missed none.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// What a decision of an operator is to be about: the certificate with this fingerprint, or where none is named the only
    /// authority that waits, or that was decided about.
    pub fn subject(&self, component: &ComponentRef, fingerprint: Option<&str>) -> Result<ShownCertificate, Unclear> {
        let mut waiting: Vec<ShownCertificate> = self.of(component).into_iter().map(|one| one.certificate).collect();
        let decided: Vec<ShownCertificate> =
            self.decisions_about(component).iter().map(|decision| decision.certificate.clone()).collect();
        if waiting.is_empty() && decided.is_empty() {
            return Err(Unclear::Unknown(component.clone()));
        }
        if decided.is_empty() && self.decided.load().len() >= ENROLMENT_DECISIONS {
            return Err(Unclear::Full);
        }
        if let Some(asked) = fingerprint {
            let shown: Vec<String> =
                waiting.iter().chain(&decided).map(|certificate| certificate.fingerprint.clone()).collect();
            let found = waiting.into_iter().chain(decided).find(|certificate| certificate.fingerprint == asked);
            return found.ok_or_else(|| Unclear::OtherFingerprint {
                component: component.clone(),
                asked: asked.to_owned(),
                shown,
            });
        }
        let mut candidates = if waiting.is_empty() { decided } else { std::mem::take(&mut waiting) };
        // The one shown last stands for its authority.
        candidates.reverse();
        let mut seen = BTreeSet::new();
        candidates.retain(|certificate| seen.insert(certificate.authority.clone()));
        match candidates.pop() {
            Some(only) if candidates.is_empty() => Ok(only),
            Some(last) => {
                candidates.push(last);
                let shown = candidates.into_iter().map(|certificate| certificate.fingerprint).collect();
                Err(Unclear::Several { component: component.clone(), shown })
            }
            None => Err(Unclear::Unknown(component.clone())),
        }
    }

    /// A connection waits for these components, and for no others that it may have waited for. Whether there was room for
    /// each.
    pub fn waits(
        &self,
        connection: u64,
        components: &[ComponentRef],
        certificate: &ShownCertificate,
        peer: SocketAddr,
        now: Timestamp,
    ) -> Vec<bool> {
        let mut waiting = self.waiting_list();
        let is_it = |one: &Waiting, component: &ComponentRef| {
            one.component == *component && one.certificate.fingerprint == certificate.fingerprint
        };
        // It was settled what it waited for: by the configuration.
        waiting.retain(|one| !one.connections.contains(&connection) || components.contains(&one.component));
        let mut enter = |component: &ComponentRef| {
            let known = waiting.iter().position(|one| is_it(one, component));
            if known.is_none() && waiting.len() >= ENROLMENT_WAITING && !make_room(&mut waiting) {
                return false;
            }
            if let Some(one) = known.and_then(|at| waiting.get_mut(at)) {
                if one.connections.insert(connection) {
                    (one.peer, one.last_seen) = (peer, now);
                }
                return true;
            }
            waiting.push(Waiting {
                component: component.clone(),
                certificate: certificate.clone(),
                peer,
                first_seen: now,
                last_seen: now,
                connections: BTreeSet::from([connection]),
            });
            true
        };
        components.iter().map(&mut enter).collect()
    }

    /// Whether a component waits with this certificate.
    #[must_use]
    pub fn is_waiting(&self, component: &ComponentRef, fingerprint: &str) -> bool {
        let waiting = self.waiting_list();
        waiting.iter().any(|one| one.component == *component && one.certificate.fingerprint == fingerprint)
    }

    /// A connection has ended.
    pub fn gone(&self, connection: u64, now: Timestamp) {
        for one in self.waiting_list().iter_mut() {
            if one.connections.remove(&connection) {
                one.last_seen = now;
            }
        }
    }

    /// Forgets those that need not wait any more.
    pub fn settle(&self, waits: impl Fn(&ComponentRef) -> bool) {
        self.waiting_list().retain(|one| waits(&one.component));
    }

    /// Forgets those that are not connected and were last seen before a time.
    pub fn forget_gone(&self, before: Timestamp) {
        self.waiting_list().retain(|one| !one.connections.is_empty() || one.last_seen >= before);
    }

    /// All who wait, in the order in which they came.
    #[must_use]
    pub fn all_waiting(&self) -> Vec<Waiting> {
        self.waiting_list().clone()
    }

    /// Those who wait under this name.
    #[must_use]
    pub fn of(&self, component: &ComponentRef) -> Vec<Waiting> {
        self.waiting_list().iter().filter(|one| one.component == *component).cloned().collect()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting_list().len()
    }
}

fn key(decision: &EnrolmentDecision) -> DecidedKey {
    (decision.component.clone(), decision.certificate.authority.clone())
}

/// Forgets the one that has been gone longest; whether there was one.
fn make_room(waiting: &mut Vec<Waiting>) -> bool {
    let gone = waiting.iter().enumerate().filter(|(_, one)| one.connections.is_empty());
    let Some((at, _)) = gone.min_by_key(|(_, one)| one.last_seen) else { return false };
    waiting.remove(at);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(fingerprint: &str, authority: &str) -> ShownCertificate {
        ShownCertificate {
            fingerprint: fingerprint.to_owned(),
            authority: authority.to_owned(),
            ..ShownCertificate::default()
        }
    }

    fn peer() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 7))
    }

    fn component(id: usize) -> ComponentRef {
        format!("mk/km-{id}").parse().unwrap()
    }

    fn decision(id: usize, verdict: Verdict, certificate: ShownCertificate) -> EnrolmentDecision {
        let (by, note) = ("ops".to_owned(), String::new());
        EnrolmentDecision { component: component(id), verdict, certificate, by, note, time: Timestamp(1) }
    }

    #[test]
    fn a_decision_is_about_a_component_as_one_authority_vouches_for_it() {
        let enrolments = Enrolments::default();
        let shown = certificate("f1", "ca-1");
        assert_eq!(enrolments.waits(1, &[component(1)], &shown, peer(), Timestamp(1)), [true]);
        enrolments.waits(2, &[component(1)], &certificate("f2", "ca-2"), peer(), Timestamp(2));
        assert!(
            matches!(enrolments.subject(&component(1), None), Err(Unclear::Several { shown, .. }) if shown.len() == 2)
        );
        assert_eq!(enrolments.subject(&component(1), Some("f1")), Ok(shown.clone()));
        enrolments.decided(decision(1, Verdict::Approved, shown));
        assert_eq!(enrolments.verdict(&component(1), "ca-1"), Some(Verdict::Approved));
        assert_eq!(enrolments.verdict(&component(1), "ca-2"), None);
        // The other one waits on, and is what a decision is about now.
        assert_eq!(enrolments.subject(&component(1), None), Ok(certificate("f2", "ca-2")));
        enrolments.decided(decision(1, Verdict::Rejected, certificate("f2", "ca-2")));
        assert_eq!(enrolments.verdict(&component(1), "ca-1"), Some(Verdict::Approved));
        assert_eq!(enrolments.waiting_count(), 0);
        assert!(matches!(enrolments.subject(&component(2), None), Err(Unclear::Unknown(_))));
        assert!(matches!(enrolments.subject(&component(1), Some("f3")), Err(Unclear::OtherFingerprint { .. })));
    }

    #[test]
    fn a_renewed_certificate_that_waits_too_is_of_the_same_authority() {
        let enrolments = Enrolments::default();
        enrolments.waits(1, &[component(1)], &certificate("old", "ca"), peer(), Timestamp(1));
        enrolments.waits(2, &[component(1)], &certificate("new", "ca"), peer(), Timestamp(2));
        assert_eq!(enrolments.subject(&component(1), None).map(|shown| shown.authority), Ok("ca".to_owned()));
        enrolments.decided(decision(1, Verdict::Approved, certificate("new", "ca")));
        assert_eq!(enrolments.waiting_count(), 0);
    }

    #[test]
    fn at_the_limit_who_is_gone_longest_gives_way_and_who_is_connected_does_not() {
        let enrolments = Enrolments::default();
        let enter = |connection: usize, at: i64| {
            let shown = certificate(&format!("f{connection}"), "ca");
            let waits = enrolments.waits(connection as u64, &[component(connection)], &shown, peer(), Timestamp(at));
            waits == [true]
        };
        for connection in 0..ENROLMENT_WAITING {
            assert!(enter(connection, 1));
        }
        assert!(!enter(ENROLMENT_WAITING, 2));
        enrolments.gone(7, Timestamp(9));
        enrolments.gone(8, Timestamp(5));
        assert!(enter(ENROLMENT_WAITING, 10));
        assert_eq!(enrolments.waiting_count(), ENROLMENT_WAITING);
        assert!(enrolments.of(&component(8)).is_empty() && !enrolments.of(&component(7)).is_empty());
        // Coming back is no new place.
        assert!(enter(9, 11));
    }

    #[test]
    fn who_need_not_wait_any_more_is_forgotten() {
        let enrolments = Enrolments::default();
        let both = [component(1), component(2)];
        enrolments.waits(1, &both, &certificate("f", "ca"), peer(), Timestamp(1));
        enrolments.waits(1, &both[..1], &certificate("f", "ca"), peer(), Timestamp(2));
        assert!(enrolments.is_waiting(&both[0], "f") && !enrolments.is_waiting(&both[1], "f"));
        enrolments.gone(1, Timestamp(3));
        assert!(enrolments.is_waiting(&both[0], "f"));
        enrolments.settle(|_| false);
        assert_eq!(enrolments.waiting_count(), 0);
    }
}
