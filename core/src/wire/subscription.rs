//! Subscriptions on the wire (status protocol, section 6): what is asked, what is granted, what notifications say.
//!
//! In come the extension's text of a `subscribe`, `unsubscribe`, their answers, or of a notification, already known to be
//! JSON within the limits; out come these types (`parse`), or a complaint that names the path. The other way, `write`
//! appends whole lines. Both directions are here, since the manager is asked by users' network managers and asks
//! components itself. What a subscriber may see, and when it is notified, is not known here.
//!
//! Lists that are absent or empty mean "all". Elements may hold `*` and `?`, as in the configuration.

mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

pub use parse::{parse_granted, parse_notification, parse_subscribe, parse_subscription_id};
pub use write::{
    notification, notification_extension, resume, subscribe, subscribe_response, unsubscribe, unsubscribe_response,
};

/// What is wrong with an object, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct PathError {
    /// Path such as `extension[0].thresholds[1].level`.
    pub path: String,
    /// What is wrong, as the rest of a sentence: `expected a number`.
    pub message: String,
}

/// When notifications are sent (3GPP TS 29.508's `notifMethod`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationMethod {
    /// The last known values of all that matches, once a period.
    #[serde(rename = "PERIODIC")]
    Periodic,
    /// Once, at the first thing that matches (or at once with `immediateReport`).
    #[serde(rename = "ONE_TIME")]
    OneTime,
    /// Whenever something that matches changes or, with thresholds, crosses.
    #[serde(rename = "ON_EVENT_DETECTION")]
    OnEventDetection,
}

impl NotificationMethod {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Periodic, Self::OneTime, Self::OnEventDetection];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Periodic => "PERIODIC",
            Self::OneTime => "ONE_TIME",
            Self::OnEventDetection => "ON_EVENT_DETECTION",
        }
    }
}

impl fmt::Display for NotificationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a value has to go through a threshold (3GPP TS 29.520).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchingDir {
    /// From below to the level or above.
    #[serde(rename = "ASCENDING")]
    Ascending,
    /// From above to the level or below.
    #[serde(rename = "DESCENDING")]
    Descending,
    /// Either way.
    #[default]
    #[serde(rename = "CROSSED")]
    Crossed,
}

impl MatchingDir {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Ascending, Self::Descending, Self::Crossed];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ASCENDING",
            Self::Descending => "DESCENDING",
            Self::Crossed => "CROSSED",
        }
    }
}

/// One element of `events`: what is subscribed. An empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Types of extension objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Names of values; of an alarm its type, of an event its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Resources; the empty text is the component itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Components, as `mk/km-1`; at a component itself usually absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
}

/// One element of `thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Name of the value.
    pub name: String,
    /// The level.
    pub level: f64,
    /// Which way.
    #[serde(default)]
    pub matching_dir: MatchingDir,
    /// How far back from the level a value must go before a crossing counts again; not negative.
    #[serde(default)]
    pub hysteresis: f64,
}

/// The content of a subscription: asked for in `subscribe`, and as understood and lowered in `granted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSpec {
    /// What; at least one.
    pub events: Vec<EventFilter>,
    /// When.
    pub notification_method: NotificationMethod,
    /// Of `PERIODIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_period_ms: Option<u64>,
    /// Of `ON_EVENT_DETECTION`: values of these names are notified when they cross.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// Of `ON_EVENT_DETECTION`: a series is notified at most once in this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dampening_period_ms: Option<u64>,
    /// The last known values at once.
    #[serde(default)]
    pub immediate_report: bool,
    /// The subscription ends after this many notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_reports: Option<u64>,
    /// The subscription ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<Timestamp>,
    /// Chosen by the subscriber, in every notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Outlives the connection.
    #[serde(default)]
    pub durable: bool,
}

/// What a `subscribe` asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum SubscribeAsk {
    /// A new subscription.
    New(SubscriptionSpec),
    /// To go on with a durable one.
    Resume {
        /// Its ID.
        subscription_id: String,
    },
}

/// An event that is not granted, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedEvent {
    /// Its position in `events`.
    pub event: usize,
    /// What of it fails; an empty filter is all of it.
    #[serde(flatten)]
    pub what: EventFilter,
    /// A reason code and a sentence.
    pub reason: String,
}

/// What the answer to `subscribe` carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The producer's name for the subscription.
    pub subscription_id: String,
    /// What was granted.
    pub granted: SubscriptionSpec,
    /// What was not.
    pub failed_events: Vec<FailedEvent>,
}

/// The object that a notification's extension starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Which subscription.
    pub subscription_id: String,
    /// As the subscriber chose it.
    pub correlation_id: Option<String>,
    /// Numbers the notifications of the subscription from 1, without holes but those that a gap tells.
    pub sequence: u64,
    /// Notifications that are lost: first and last number.
    pub gap: Option<(u64, u64)>,
}
