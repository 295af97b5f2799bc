//! Subscriptions at the manager.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{ComponentRef, Timestamp},
    wire::subscription::SubscriptionSpec,
};

/// One subscription and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionView {
    /// Its ID, as the subscriber knows it.
    pub id: String,
    /// Who subscribed, as `mu/net-1`.
    pub subscriber: ComponentRef,
    /// When it was granted.
    pub created: Timestamp,
    /// What was granted, in the words of the protocol.
    #[schema(value_type = Object)]
    pub granted: SubscriptionSpec,
    /// Whether notifications can go out now.
    pub connected: bool,
    /// Number of the last notification made; 0 before the first.
    pub last_sequence: u64,
    /// All notifications up to this number are answered, or lost and told.
    pub acknowledged: u64,
    /// Notifications that wait for being sent or answered.
    pub backlog: usize,
    /// Their bytes.
    pub backlog_bytes: usize,
    /// Notifications lost because the backlog was full.
    pub lost: u64,
}
