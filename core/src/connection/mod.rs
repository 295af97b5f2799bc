//! One connection, from lines to shards and from commits to answers.
//!
//! [`task`] moves bytes: it reads what is there, has [`intake`] make batches and immediate answers of it, takes the
//! answers that commits have put into the [`answers::AnswerBox`], and writes once a turn. [`open_messages`] knows which
//! answer belongs to which message and in which order answers go. [`requests`] are the manager's own (Q.QKDN_Mk 8.3).
//! TLS and identity were settled before; nothing here knows plugins or storage.

pub mod answers;
pub mod exchange;
pub mod intake;
pub mod open_messages;
pub mod outward;
pub mod requests;
pub mod subscribing;
pub mod task;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{
    clock::Clock,
    config::{Enrolment, InterfaceConfig, limits::ENROLMENT_WAITING},
    dispatch::{ComponentEntry, Enrolments, Registry, Rules},
    model::{AlarmKey, AlarmReport, ComponentRef, ReasonCode, ReferencePoint, Refusal, SymbolTable, Verdict},
    net::{Cause, Identity},
    shard::Mailbox,
    telemetry::metrics::Metrics,
};

pub use exchange::{NoPeers, PeerConnection, PeerDesk, PeerMessage};
pub use outward::{NoSubscriber, Subscriber, SubscriptionAsk};
pub use requests::{Ask, ManagerRequest, RequestOutcome};
pub use subscribing::{Outlet, SubscriptionDesk, SubscriptionWish};

/// What every connection of an interface shares, as of one configuration.
#[derive(Clone)]
pub struct InterfaceContext {
    /// Number of the configuration.
    pub generation: u64,
    /// The interface's bounds.
    pub config: InterfaceConfig,
    /// Who may report, and which handler is whose.
    pub rules: Arc<Rules>,
    /// Components known.
    pub registry: Arc<Registry>,
    /// Who was approved or rejected, and who waits.
    pub enrolments: Arc<Enrolments>,
    /// Names and numbers.
    pub symbols: Arc<SymbolTable>,
    /// Mailboxes of the shards.
    pub shards: Vec<Mailbox>,
    /// The time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Whether some handler of this reference point wants reports as text.
    pub keep_raw: bool,
    /// For each handler of the plugin set, paths exempt from the key-material filter.
    pub exempt_paths: Vec<Vec<String>>,
    /// Whom refusals that concern security are told to.
    pub watch: Arc<dyn SecurityWatch>,
    /// Who subscribes at components.
    pub subscriber: Arc<dyn outward::Subscriber>,
    /// Who keeps subscriptions.
    pub subscriptions: Arc<dyn SubscriptionDesk>,
    /// Who keeps the federation with other domains.
    pub peers: Arc<dyn PeerDesk>,
}

impl InterfaceContext {
    /// The reference point.
    #[must_use]
    pub const fn point(&self) -> ReferencePoint {
        self.config.reference_point
    }

    /// The components that an identity covers and that may report.
    pub fn speaks_for<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = Arc<ComponentEntry>> + 'a {
        identity.components.iter().filter_map(|component| self.admit(component, identity).ok())
    }

    /// The components of an identity about which nobody has decided yet, where somebody has to.
    #[must_use]
    pub fn undecided(&self, identity: &Identity) -> Vec<ComponentRef> {
        if self.rules.enrolment() != Enrolment::Approve {
            return Vec::new();
        }
        let is_open = |component: &&ComponentRef| {
            self.rules.listed(component).is_none() && self.enrolments.verdict(component, &identity.authority).is_none()
        };
        identity.components.iter().filter(is_open).cloned().collect()
    }

    /// Why an identity has no business here at all: it speaks for nobody who may report or waits for being allowed to.
    /// `None`: it has, or `enrolment` leaves it to the answers.
    #[must_use]
    pub fn turned_away(&self, identity: &Identity) -> Option<TurnedAway> {
        if self.rules.enrolment() != Enrolment::Approve {
            return None;
        }
        let mut why = TurnedAway::Rejected;
        for component in &identity.components {
            match self.admit(component, identity) {
                Ok(_) | Err(NotAdmitted::AwaitingApproval | NotAdmitted::Unknown) => return None,
                Err(NotAdmitted::NoRoom) => why = TurnedAway::NoRoom,
                Err(NotAdmitted::Rejected) => {}
            }
        }
        Some(why)
    }

    /// A component that may report, entered now if the enrolment allows it; else why not.
    fn admit(&self, component: &ComponentRef, identity: &Identity) -> Result<Arc<ComponentEntry>, NotAdmitted> {
        let known = self.registry.find(component);
        let enrolment = self.rules.enrolment();
        match (enrolment, known) {
            (_, Some(entry)) if entry.card.load().listed || enrolment == Enrolment::Certificate => Ok(entry),
            (Enrolment::Certificate, _) => Ok(self.registry.admit(component, || self.rules.card(component))),
            (Enrolment::Approve, _) => match self.enrolments.verdict(component, &identity.authority) {
                Some(Verdict::Approved) => Ok(self.registry.admit(component, || self.rules.card(component))),
                Some(Verdict::Rejected) => Err(NotAdmitted::Rejected),
                None if self.enrolments.is_waiting(component, &identity.fingerprint) => {
                    Err(NotAdmitted::AwaitingApproval)
                }
                None => Err(NotAdmitted::NoRoom),
            },
            (Enrolment::Listed, _) => Err(NotAdmitted::Unknown),
        }
    }
}

/// Where the connections of an interface find their context.
///
/// A turn of a connection, from the first byte to the hand-over of its batches, goes by one context and holds it. Who
/// changes the contexts of all interfaces holds all of them for that moment: then no turn is under way, and every report
/// taken in under the old configuration is in its shard's mailbox before the first one under the new.
pub struct ContextSlot(RwLock<Arc<InterfaceContext>>);

impl ContextSlot {
    /// With this context.
    #[must_use]
    pub fn new(context: InterfaceContext) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(context))))
    }

    /// The context; it stays while it is held.
    pub fn hold(&self) -> RwLockReadGuard<'_, Arc<InterfaceContext>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context, to be changed.
    pub fn change(&self) -> RwLockWriteGuard<'_, Arc<InterfaceContext>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotAdmitted {
    Unknown,
    AwaitingApproval,
    /// It would wait for approval, but too many do.
    NoRoom,
    Rejected,
}

/// Why a connection is closed as soon as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// An operator has rejected it.
    Rejected,
    /// Too many wait for approval.
    NoRoom,
}

impl TurnedAway {
    /// The name of the cause, for counters and the audit trail.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::Rejected => Cause::RejectedByOperator,
            Self::NoRoom => Cause::WaitingFull,
        }
    }

    /// What the peer is told.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Rejected => Refusal::new(ReasonCode::NotAuthorized, REJECTED),
            Self::NoRoom => Refusal::new(ReasonCode::NotAuthorized, no_room()),
        }
    }
}

const REJECTED: &str = "an operator of the manager has rejected this component; ask its operator";

fn no_room() -> String {
    format!("{ENROLMENT_WAITING} others await approval already, and the manager keeps no more; ask its operator")
}

/// Why a component that nobody wrote into the configuration is refused.
const NO_TABLE: &str = "is not in the manager's configuration ([[components]])";

/// Something that concerns security and was refused.
#[derive(Clone, Debug)]
pub struct SecurityNote {
    /// Alarm type, such as `unauthorized-report`.
    pub alarm_type: &'static str,
    /// Short name of the cause, such as `not-covered`.
    pub cause: &'static str,
    /// Reference point.
    pub point: ReferencePoint,
    /// Who: certificate subject or fingerprint.
    pub identity: String,
    /// Whether that is who it is: a handshake that was refused shows what somebody claims, and anybody may claim anything.
    pub is_verified: bool,
    /// From where.
    pub peer: std::net::SocketAddr,
    /// What it was about.
    pub concerned: Concerned,
    /// What happened.
    pub sentence: String,
}

/// What a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerned {
    /// The interface it came to.
    Interface,
    /// A component of ours (`mk/km-1`).
    Component(String),
    /// A component that the configuration does not have.
    Unlisted(ComponentRef),
}

/// Audits refusals and raises alarms for them, coalesced.
pub trait SecurityWatch: Send + Sync {
    /// Takes a note; quick, never blocking.
    fn note(&self, note: SecurityNote);
}

/// An alarm about a refusal, for the shard that has it.
#[must_use]
pub fn security_alarm(manager: &str, note: &SecurityNote, report: AlarmReport) -> (AlarmKey, AlarmReport) {
    let (component, resource) = match &note.concerned {
        Concerned::Interface => (manager.to_owned(), format!("interface {}", note.point)),
        Concerned::Component(component) => (component.clone(), String::new()),
        Concerned::Unlisted(component) => (manager.to_owned(), component.to_string()),
    };
    let key = AlarmKey {
        component,
        resource,
        alarm_type_id: note.alarm_type.to_owned(),
        alarm_type_qualifier: "manager".to_owned(),
    };
    (key, report)
}
