//! The manager's subscriptions at a component, as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Timestamp;

/// How a subscription at a component stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutwardState {
    /// The component is not connected.
    NotConnected,
    /// Asked for, or about to be.
    Pending,
    /// Granted: the component sends notifications.
    Granted,
    /// The component serves no subscriptions and is asked on a schedule.
    Polled,
    /// Refused.
    Refused,
    /// The one notification that was asked for has come.
    Done,
}

impl OutwardState {
    /// As in the JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConnected => "not-connected",
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Polled => "polled",
            Self::Refused => "refused",
            Self::Done => "done",
        }
    }
}

/// A subscription of the manager at a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutwardSubscriptionView {
    /// Its name in the configuration.
    pub name: String,
    /// How it stands.
    pub state: OutwardState,
    /// Why it is refused or polled, in the component's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The component's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// Whether it outlives its connection.
    pub durable: bool,
    /// Events that the component did not grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_events: Vec<String>,
    /// How often a component is asked that is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_interval_ms: Option<u64>,
    /// Notifications since the manager's start, repeats included.
    pub notifications: u64,
    /// Notifications that never came.
    pub missing: u64,
    /// When the last one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_notification: Option<Timestamp>,
}
