//! One connection, from lines to shards and from commits to answers.
//!
//! [`task`] moves bytes: it reads what is there, has [`intake`] make batches and immediate answers of it, takes the
//! answers that commits have put into the [`answers::AnswerBox`], and writes once a turn. [`open_messages`] knows which
//! answer belongs to which message and in which order answers go. [`requests`] are the manager's own (Q.QKDN_Mk 8.3).
//! TLS and identity were settled before; nothing here knows plugins or storage.

pub mod answers;
pub mod intake;
pub mod open_messages;
pub mod outward;
pub mod requests;
pub mod subscribing;
pub mod task;

use std::sync::Arc;

use crate::{
    clock::Clock,
    config::{Enrolment, InterfaceConfig},
    dispatch::{ComponentCard, ComponentEntry, Registry},
    model::{AlarmKey, AlarmReport, ComponentRef, ReferencePoint, SymbolTable},
    shard::Mailbox,
    telemetry::metrics::Metrics,
};

pub use outward::{NoSubscriber, Subscriber, SubscriptionAsk};
pub use requests::{Ask, ManagerRequest, RequestOutcome};
pub use subscribing::{Outlet, SubscriptionDesk, SubscriptionWish};

/// What every connection of an interface shares.
pub struct InterfaceContext {
    /// The interface's bounds.
    pub config: InterfaceConfig,
    /// Who may report.
    pub enrolment: Enrolment,
    /// Components known.
    pub registry: Arc<Registry>,
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
    /// The card of a component that is not in the configuration.
    pub unlisted: Arc<dyn Fn(&ComponentRef) -> ComponentCard + Send + Sync>,
    /// Whom refusals that concern security are told to.
    pub watch: Arc<dyn SecurityWatch>,
    /// Who subscribes at components.
    pub subscriber: Arc<dyn outward::Subscriber>,
    /// Who keeps subscriptions.
    pub subscriptions: Arc<dyn SubscriptionDesk>,
}

impl InterfaceContext {
    /// The reference point.
    #[must_use]
    pub const fn point(&self) -> ReferencePoint {
        self.config.reference_point
    }

    /// A component that may report, entered now if the enrolment allows it; else why not.
    fn admit(&self, component: &ComponentRef) -> Result<Arc<ComponentEntry>, NotAdmitted> {
        let known = self.registry.find(component);
        match (self.enrolment, known) {
            (_, Some(entry)) if entry.card.load().listed || self.enrolment == Enrolment::Certificate => Ok(entry),
            (Enrolment::Certificate, _) => Ok(self.registry.admit(component, || (self.unlisted)(component))),
            (Enrolment::Approve, _) => Err(NotAdmitted::AwaitingApproval),
            (Enrolment::Listed, _) => Err(NotAdmitted::Unknown),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotAdmitted {
    Unknown,
    AwaitingApproval,
}

/// Something that concerns security and was refused.
#[derive(Clone, Debug)]
pub struct SecurityNote {
    /// Alarm type, such as `unauthorized-report`.
    pub alarm_type: &'static str,
    /// Reference point.
    pub point: ReferencePoint,
    /// Who: certificate subject or fingerprint.
    pub identity: String,
    /// From where.
    pub peer: std::net::SocketAddr,
    /// The component it was about, if it is one of ours (`mk/km-1`).
    pub component: Option<String>,
    /// What happened.
    pub sentence: String,
}

/// Audits refusals and raises alarms for them, coalesced.
pub trait SecurityWatch: Send + Sync {
    /// Takes a note; quick, never blocking.
    fn note(&self, note: SecurityNote);
}

/// An alarm about a refusal, for the shard that has it.
#[must_use]
pub fn security_alarm(manager: &str, note: &SecurityNote, report: AlarmReport) -> (AlarmKey, AlarmReport) {
    let key = AlarmKey {
        component: note.component.clone().unwrap_or_else(|| manager.to_owned()),
        resource: if note.component.is_some() { String::new() } else { format!("interface {}", note.point) },
        alarm_type_id: note.alarm_type.to_owned(),
        alarm_type_qualifier: "manager".to_owned(),
    };
    (key, report)
}
