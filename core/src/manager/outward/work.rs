//! Carrying out what a desk decides: sends over one connection of the component, waits for answers and times, and goes on
//! with the newest other connection when that one is gone.
//!
//! A subscription belongs to the connection that it was granted on, so a second connection of a component changes nothing
//! as long as the first is up.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{Outward, Place, desk::Action, locked, polling::Wish, subscription::Outcome, wish};
use crate::{
    connection::{Ask, ManagerRequest, RequestOutcome, SubscriptionAsk},
    dispatch::ComponentEntry,
};

/// How it went on a connection.
enum Went {
    /// Something was done: look for what is next.
    On,
    /// The connection is gone.
    Lost,
}

struct Worker {
    outward: Arc<Outward>,
    entry: Arc<ComponentEntry>,
    desk: Arc<Place>,
    requests: mpsc::Sender<ManagerRequest>,
}

/// Works at a desk while the component has a connection.
pub(super) async fn at_desk(outward: Arc<Outward>, entry: Arc<ComponentEntry>, desk: Arc<Place>) {
    loop {
        let newest = {
            let mut locked = locked(&desk);
            let newest = entry.connections().into_iter().rev().find(|connection| !connection.requests.is_closed());
            if newest.is_none() || outward.cancel.is_cancelled() {
                // Whoever connects from now on finds nobody at the desk.
                locked.is_manned = false;
                return;
            }
            newest
        };
        let Some(connected) = newest else { return };
        let (outward, entry) = (Arc::clone(&outward), Arc::clone(&entry));
        let gauge = Arc::clone(&outward);
        let worker = Worker { outward, entry, desk: Arc::clone(&desk), requests: connected.requests };
        worker.run().await;
        let granted = {
            let mut locked = locked(&desk);
            let granted = locked.granted();
            locked.disconnected();
            granted
        };
        (0..granted).for_each(|_| gauge.metrics.outward.granted.decrement());
    }
}

impl Worker {
    /// Until the connection is gone or the manager stops.
    async fn run(&self) {
        loop {
            let now = self.outward.clock.now().0;
            let action = locked(&self.desk).next(now, fastrand::f64());
            let done = async {
                match action {
                    Action::Subscribe(index, resume) => self.subscribe(index, resume).await,
                    Action::Unsubscribe(id) => self.unsubscribe(&id).await,
                    Action::Poll(wish) => self.poll(wish).await,
                    Action::WaitUntil(time) => {
                        let wait = u64::try_from(time.saturating_sub(now)).unwrap_or(0);
                        self.wait(Some(Duration::from_millis(wait))).await
                    }
                    Action::Nothing => self.wait(None).await,
                }
            };
            let went = tokio::select! {
                () = self.outward.cancel.cancelled() => return,
                went = done => went,
            };
            if matches!(went, Went::Lost) {
                return;
            }
        }
    }

    async fn wait(&self, time: Option<Duration>) -> Went {
        let sleep = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.requests.closed() => Went::Lost,
            () = self.desk.changed.notified() => Went::On,
            () = sleep => Went::On,
        }
    }

    /// Sends over this connection; `None` if it cannot be sent or the connection ended first.
    async fn ask(&self, ask: Ask) -> Option<RequestOutcome> {
        let (reply, outcome) = oneshot::channel();
        let request = ManagerRequest { component: self.entry.component.clone(), ask, reply };
        // Waits while the connection has as many requests waiting as it takes.
        self.requests.send(request).await.ok()?;
        match outcome.await {
            Ok(RequestOutcome::ConnectionLost) | Err(_) => None,
            Ok(outcome) => Some(outcome),
        }
    }

    async fn subscribe(&self, index: usize, resume: Option<String>) -> Went {
        let Some(config) = locked(&self.desk).config(index).cloned() else { return Went::On };
        let metrics = &self.outward.metrics.outward;
        metrics.subscribes.increment();
        let object = wish::subscribe(&config, resume.as_deref());
        let outcome = match self.ask(Ask::Subscription(SubscriptionAsk::Subscribe(object))).await {
            Some(RequestOutcome::Subscription(answer)) => Outcome::Answer(*answer),
            Some(RequestOutcome::TimedOut) => Outcome::Silence,
            Some(RequestOutcome::Refused(why)) => {
                tracing::warn!(component = %self.entry.component, subscription = config.name, why, "An answer to subscribe is not valid.");
                Outcome::Silence
            }
            Some(RequestOutcome::Answered(..) | RequestOutcome::ConnectionLost) | None => return Went::Lost,
        };
        self.log(&config.name, &outcome);
        let mut desk = locked(&self.desk);
        let before = desk.granted();
        let now = self.outward.clock.now().0;
        let (keep, early) = desk.subscribed(&config, now, outcome, fastrand::f64());
        let component = &self.entry.component;
        early.iter().for_each(|noticed| self.outward.tell(component, &desk, noticed));
        let after = desk.granted();
        (before..after).for_each(|_| metrics.granted.increment());
        (after..before).for_each(|_| metrics.granted.decrement());
        drop(desk);
        self.outward.memory.keep(&component.to_string(), &config, keep);
        Went::On
    }

    fn log(&self, subscription: &str, outcome: &Outcome) {
        let component = &self.entry.component;
        match outcome {
            Outcome::Answer(answer) if answer.is_success() => {
                let id = answer.subscription_id.as_deref().unwrap_or("");
                tracing::debug!(%component, subscription, id, failed_events = ?answer.failed_events, "Subscribed.");
            }
            Outcome::Answer(answer) => {
                self.outward.metrics.outward.refused.increment();
                tracing::info!(%component, subscription, response = answer.response, "A subscription was refused.");
            }
            Outcome::Silence | Outcome::NotSent => {
                tracing::info!(%component, subscription, "A subscription was not answered.");
            }
        }
    }

    /// One that the configuration no longer wants. Whatever the component says to it, it is not asked again; without an
    /// answer it is, on the next start.
    async fn unsubscribe(&self, id: &str) -> Went {
        let object = wish::unsubscribe(id);
        let outcome = self.ask(Ask::Subscription(SubscriptionAsk::Unsubscribe(object))).await;
        let Some(outcome) = outcome else { return Went::Lost };
        locked(&self.desk).unsubscribed(id);
        if let RequestOutcome::Subscription(answer) = outcome {
            let component = &self.entry.component;
            tracing::info!(%component, id, response = answer.response, "Unsubscribed.");
            if !matches!(answer.code(), "overloaded" | "unavailable") {
                self.outward.memory.forget(&component.to_string(), id);
            }
        }
        Went::On
    }

    async fn poll(&self, wish: Wish) -> Went {
        let config = locked(&self.desk).config(wish.subscription).cloned();
        let event = config.as_ref().and_then(|config| config.events.get(wish.event));
        let outcome = match event {
            Some(event) => {
                self.outward.metrics.outward.polls.increment();
                self.ask(Ask::Status(wish::query(event))).await
            }
            None => None,
        };
        locked(&self.desk).polled();
        match outcome {
            // What it said went the way of every report.
            Some(RequestOutcome::Answered(..)) => Went::On,
            Some(other) => {
                self.outward.metrics.outward.polls_failed.increment();
                tracing::debug!(component = %self.entry.component, outcome = ?other, "A component that is polled gave no status.");
                Went::On
            }
            None if event.is_none() => Went::On,
            None => Went::Lost,
        }
    }
}
