//! The manager as subscriber, on one connection: answers to its `subscribe` and `unsubscribe` go to whoever asked, and what
//! reports say of their subscriptions is told to the one that keeps count.
//!
//! Notifications are status reports and go their way; only the objects `notification` and `gap` are looked at here.

use std::sync::Arc;

use super::{intake::Intake, requests::RequestOutcome};
use crate::{
    dispatch::ComponentEntry,
    model::ComponentRef,
    wire::{
        Notes,
        outward::{Notice, SubscriptionAnswer},
    },
};

/// What the manager sends a component of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionAsk {
    /// `subscribe`, with the object of its extension.
    Subscribe(Arc<str>),
    /// `unsubscribe`, with the object of its extension.
    Unsubscribe(Arc<str>),
}

/// Whoever subscribes at components. Quick, never blocking.
pub trait Subscriber: Send + Sync {
    /// A connection of a component is up.
    fn connected(&self, entry: &Arc<ComponentEntry>);
    /// A report of a component says this of its subscription.
    fn notified(&self, component: &ComponentRef, notices: &[Notice]);
}

/// Nobody subscribes.
#[derive(Clone, Copy, Debug)]
pub struct NoSubscriber;

impl Subscriber for NoSubscriber {
    fn connected(&self, _: &Arc<ComponentEntry>) {}
    fn notified(&self, _: &ComponentRef, _: &[Notice]) {}
}

/// Takes an answer to a `subscribe` or `unsubscribe`; one that nobody waits for is counted.
pub(super) fn answered(intake: &mut Intake, message_id: &str, component_id: &str, response: &str, extension: &str) {
    let Some((asked, reply)) = intake.requests.subscription_answered(message_id) else {
        let context = intake.context();
        return context.metrics.interface(context.point()).unexpected_answers.increment();
    };
    let outcome = if component_id == asked.id.as_str() {
        RequestOutcome::Subscription(Box::new(SubscriptionAnswer::read(response, extension)))
    } else {
        RequestOutcome::Refused(format!("malformed: {asked} was asked, {component_id} answered"))
    };
    // Whoever asked may have stopped waiting.
    let _gone = reply.send(outcome);
}

/// Tells what a report says of its subscription.
pub(super) fn note(subscriber: &dyn Subscriber, component: &ComponentRef, notes: &Notes) {
    if notes.notices.is_empty() {
        return;
    }
    let notices: Vec<Notice> = notes.notices.iter().filter_map(|text| Notice::read(text)).collect();
    subscriber.notified(component, &notices);
}
