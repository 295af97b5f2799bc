//! How the subscriptions at a component stand, for the API.

use super::{Outward, locked, subscription::State};
use crate::{
    api::views::{OutwardState, OutwardSubscriptionView},
    dispatch::ComponentEntry,
    model::Timestamp,
};

impl Outward {
    /// The subscriptions that apply to a component, in the order of the configuration.
    #[must_use]
    pub fn of(&self, entry: &ComponentEntry) -> Vec<OutwardSubscriptionView> {
        let desk = self.desk(entry);
        let desk = locked(&desk);
        let view = |(config, one): (
            &std::sync::Arc<crate::config::SubscriptionConfig>,
            &super::subscription::Subscription,
        )| {
            let tally = one.tally();
            let mut view = OutwardSubscriptionView {
                name: config.name.clone(),
                state: OutwardState::Pending,
                reason: None,
                subscription_id: None,
                durable: false,
                failed_events: Vec::new(),
                poll_interval_ms: None,
                notifications: tally.notifications,
                missing: tally.missing,
                last_notification: tally.last.map(Timestamp),
            };
            match one.state() {
                State::Idle if !desk.is_manned => view.state = OutwardState::NotConnected,
                State::Idle | State::Asking => {}
                State::Done => view.state = OutwardState::Done,
                State::Granted { id, durable, failed_events, .. } => {
                    view.state = OutwardState::Granted;
                    view.subscription_id = Some(id.clone());
                    view.durable = *durable;
                    view.failed_events.clone_from(failed_events);
                }
                State::Polled { reason } => {
                    view.state = OutwardState::Polled;
                    view.reason = Some(reason.clone());
                    view.poll_interval_ms =
                        config.poll_interval.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
                }
                State::Refused { reason, .. } => {
                    view.state = OutwardState::Refused;
                    view.reason = Some(reason.clone());
                }
            }
            view
        };
        desk.subscriptions().map(view).collect()
    }
}
