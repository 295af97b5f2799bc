//! `[[subscriptions]]`: what the manager subscribes at components (status protocol, section 6), as checked.
//!
//! Only values: who asks, when and what becomes of it is the manager's business. A subscription is known by its name; what it
//! asks for is told apart from what it asked for before a restart by [`SubscriptionConfig::content`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ComponentMatch;

/// `subscriptions.method`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationMethod {
    /// A notification every `period`.
    Periodic,
    /// One notification.
    OneTime,
    /// A notification when something has changed, or a threshold was crossed.
    OnChange,
}

/// One entry of `subscriptions.events`: what is wanted; an empty list wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventConfig {
    /// Types of extension objects.
    pub types: Vec<String>,
    /// Names of values.
    pub names: Vec<String>,
    /// Parts of the component.
    pub resources: Vec<String>,
}

/// `subscriptions.thresholds.direction`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From below to above.
    Ascending,
    /// From above to below.
    Descending,
    /// Either.
    Crossed,
}

/// One entry of `subscriptions.thresholds`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdConfig {
    /// Name of a value.
    pub name: String,
    /// Where the threshold lies.
    pub level: f64,
    /// Which way it counts.
    pub direction: Direction,
    /// How far the value has to go back before the threshold counts again.
    pub hysteresis: f64,
}

/// `[[subscriptions]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionConfig {
    /// Unique name; the `correlationId` of its notifications.
    pub name: String,
    /// At which components.
    pub applies_to: ComponentMatch,
    /// What is wanted, never empty.
    pub events: Vec<EventConfig>,
    /// When it is told.
    pub method: NotificationMethod,
    /// How often, for periodic ones.
    pub period: Option<Duration>,
    /// Levels of values, for those on change.
    pub thresholds: Vec<ThresholdConfig>,
    /// Least time between two notifications.
    pub dampening: Option<Duration>,
    /// Whether the first notification comes at once.
    pub immediate: bool,
    /// Whether it is to outlive its connection.
    pub durable: bool,
    /// How often a component is asked that serves no subscriptions; absent: never.
    pub poll_interval: Option<Duration>,
}

impl SubscriptionConfig {
    /// What is asked for, as text that is equal if and only if the wish is: without the name and where it applies.
    #[must_use]
    pub fn content(&self) -> String {
        let asked = (&self.events, self.method, self.period, &self.thresholds, self.dampening, self.durable);
        // Plain values: their JSON cannot fail.
        serde_json::to_string(&asked).unwrap_or_default()
    }
}
