//! Everything that is asked of one component, as a state machine without I/O: its subscriptions, those that the
//! configuration no longer wants, and the schedule for what it does not serve.
//!
//! One message is open at a time. In go answers and notices; out comes what to do next, or how long to wait.

use std::sync::Arc;

use super::{
    polling::{Polling, Wish},
    subscription::{Keep, Outcome, State, Subscription},
};
use crate::{
    config::{SubscriptionConfig, limits::EARLY_NOTICES},
    wire::outward::Notice,
};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Subscribe; with an ID, resume.
    Subscribe(usize, Option<String>),
    /// End one that the configuration does not want any more.
    Unsubscribe(String),
    /// Ask for a status report.
    Poll(Wish),
    /// Nothing before then, in milliseconds.
    WaitUntil(i64),
    /// Nothing on this connection.
    Nothing,
}

/// What a notice led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// It belongs to none of the subscriptions.
    pub is_unknown: bool,
    /// The subscription, and how many numbers are missing.
    pub missing: Option<(usize, u64)>,
}

/// A subscription that is wanted, and the ID remembered of it.
pub type Wanted = (Arc<SubscriptionConfig>, Option<String>);

/// One component's desk.
#[derive(Debug)]
pub struct Desk {
    configs: Vec<Arc<SubscriptionConfig>>,
    subscriptions: Vec<Subscription>,
    /// IDs of durable ones that are not wanted any more.
    unwanted: Vec<String>,
    polling: Polling,
    /// Notices that came while an answer is waited for that may grant their subscription.
    early: Vec<(String, Vec<Notice>)>,
    /// Whether somebody works at this desk: a connection is up.
    pub is_manned: bool,
}

impl Desk {
    /// A desk for what is wanted, each with the ID remembered, and for what is not wanted any more.
    #[must_use]
    pub fn new(wanted: Vec<Wanted>, unwanted: Vec<String>) -> Self {
        let subscriptions = wanted.iter().map(|(config, id)| Subscription::new(config, id.clone())).collect();
        let configs = wanted.into_iter().map(|(config, _)| config).collect();
        Self { configs, subscriptions, unwanted, polling: Polling::default(), early: Vec::new(), is_manned: false }
    }

    /// Whether there is nothing to do for this component, ever.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.subscriptions.is_empty() && self.unwanted.is_empty()
    }

    /// The subscriptions with their configuration.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&Arc<SubscriptionConfig>, &Subscription)> {
        self.configs.iter().zip(&self.subscriptions)
    }

    /// Configuration of a subscription.
    #[must_use]
    pub fn config(&self, index: usize) -> Option<&Arc<SubscriptionConfig>> {
        self.configs.get(index)
    }

    /// Number of subscriptions that are granted now.
    #[must_use]
    pub fn granted(&self) -> usize {
        self.subscriptions.iter().filter(|one| matches!(one.state(), State::Granted { .. })).count()
    }

    /// What to do next; whatever it is counts as begun.
    pub fn next(&mut self, now: i64, chance: f64) -> Action {
        if let Some(id) = self.unwanted.first() {
            return Action::Unsubscribe(id.clone());
        }
        let due = |one: &Subscription| one.due().is_some_and(|due| due <= now);
        if let Some((index, one)) = self.subscriptions.iter_mut().enumerate().find(|(_, one)| due(one)) {
            return Action::Subscribe(index, one.ask());
        }
        if let Some(wish) = self.polling.take(now, chance) {
            return Action::Poll(wish);
        }
        let dues = self.subscriptions.iter().filter_map(Subscription::due).chain(self.polling.due());
        dues.min().map_or(Action::Nothing, Action::WaitUntil)
    }

    /// What became of a `subscribe`, and what came in early. What was granted and is not wanted any more is ended.
    pub fn subscribed(
        &mut self,
        config: &SubscriptionConfig,
        now: i64,
        outcome: Outcome,
        chance: f64,
    ) -> (Keep, Vec<Noticed>) {
        let index = self.configs.iter().position(|other| **other == *config);
        let Some((index, one, config)) =
            index.and_then(|index| Some((index, self.subscriptions.get_mut(index)?, self.configs.get(index)?)))
        else {
            if let Outcome::Answer(answer) = outcome
                && answer.is_success()
            {
                self.unwanted.extend(answer.subscription_id);
            }
            return (Keep::AsItIs, Vec::new());
        };
        let keep = one.answered(now, outcome, chance);
        match (one.state(), config.poll_interval) {
            (State::Polled { .. }, Some(interval)) => {
                self.polling.start(index, config.events.len(), interval, config.immediate, now, chance);
            }
            _ => self.polling.stop(index),
        }
        let early = std::mem::take(&mut self.early);
        (keep, early.into_iter().map(|(id, notices)| self.apply(&id, &notices, now)).collect())
    }

    /// Wants something else from now on; whether that is different. What is wanted as before goes on as it is.
    pub fn change(&mut self, wanted: Vec<Wanted>, unwanted: Vec<String>, now: i64, chance: f64) -> bool {
        if self.configs.len() == wanted.len() && self.configs.iter().zip(&wanted).all(|(old, (new, _))| **old == **new)
        {
            return false;
        }
        let mut before: Vec<_> =
            std::mem::take(&mut self.configs).into_iter().zip(std::mem::take(&mut self.subscriptions)).collect();
        self.polling.clear();
        for (index, (config, id)) in wanted.into_iter().enumerate() {
            let known = before.iter().position(|(old, _)| **old == *config).map(|at| before.remove(at).1);
            let one = known.unwrap_or_else(|| Subscription::new(&config, id));
            if let (State::Polled { .. }, Some(interval)) = (one.state(), config.poll_interval) {
                self.polling.start(index, config.events.len(), interval, false, now, chance);
            }
            self.configs.push(config);
            self.subscriptions.push(one);
        }
        self.unwanted.extend(unwanted);
        self.unwanted.extend(before.iter().filter_map(|(_, one)| match one.state() {
            State::Granted { id, .. } => Some(id.clone()),
            _ => None,
        }));
        self.unwanted.sort_unstable();
        self.unwanted.dedup();
        self.unwanted.retain(|id| !self.subscriptions.iter().any(|one| one.is_called(id)));
        true
    }

    /// An `unsubscribe` is over: answered, or not to be asked again on this connection.
    pub fn unsubscribed(&mut self, id: &str) {
        self.unwanted.retain(|other| other != id);
    }

    /// A request of the schedule is answered, or given up.
    pub fn polled(&mut self) {
        self.polling.closed();
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.subscriptions.iter_mut().for_each(Subscription::disconnected);
        self.polling.clear();
        self.early.clear();
    }

    /// What a report says of its subscription. `None`: it waits for the answer to a `subscribe`.
    pub fn notified(&mut self, notices: &[Notice], now: i64) -> Option<Noticed> {
        let Some(Notice::Notification { subscription_id: id, .. }) = notices.first() else {
            return Some(Noticed { is_unknown: true, missing: None });
        };
        let known = self.subscriptions.iter().any(|one| one.is_called(id));
        let asking = self.subscriptions.iter().any(|one| *one.state() == State::Asking);
        if !known && asking && self.early.len() < EARLY_NOTICES {
            self.early.push((id.clone(), notices.to_vec()));
            return None;
        }
        Some(self.apply(&id.clone(), notices, now))
    }

    fn apply(&mut self, id: &str, notices: &[Notice], now: i64) -> Noticed {
        let found = self.subscriptions.iter_mut().enumerate().find(|(_, one)| one.is_called(id));
        let Some((index, one)) = found else { return Noticed { is_unknown: true, missing: None } };
        // Gaps stand behind the notification and speak of numbers before it.
        let told = notices.iter().filter_map(|notice| match notice {
            Notice::Gap { from, to } => Some((*from, *to)),
            Notice::Notification { .. } => None,
        });
        let mut missing: u64 = told.map(|(from, to)| one.lost(from, to)).sum();
        if let Some(Notice::Notification { sequence, .. }) = notices.first() {
            missing += one.notified(now, *sequence);
        }
        Noticed { is_unknown: false, missing: (missing > 0).then_some((index, missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{ComponentMatch, EventConfig, NotificationMethod},
        wire::outward::SubscriptionAnswer,
    };
    use std::time::Duration;

    fn config(name: &str) -> Arc<SubscriptionConfig> {
        Arc::new(SubscriptionConfig {
            name: name.into(),
            applies_to: ComponentMatch::default(),
            events: vec![EventConfig::default(), EventConfig::default()],
            method: NotificationMethod::OnChange,
            period: None,
            thresholds: Vec::new(),
            dampening: None,
            immediate: true,
            durable: true,
            poll_interval: Some(Duration::from_secs(10)),
        })
    }

    fn answer(response: &str, id: Option<&str>) -> Outcome {
        Outcome::Answer(SubscriptionAnswer {
            response: response.into(),
            subscription_id: id.map(str::to_owned),
            durable: true,
            ..SubscriptionAnswer::default()
        })
    }

    fn notification(id: &str, sequence: u64) -> Vec<Notice> {
        vec![Notice::Notification { subscription_id: id.into(), sequence: Some(sequence) }]
    }

    #[test]
    fn first_what_is_not_wanted_then_what_is_then_the_schedule() {
        let mut desk = Desk::new(vec![(config("a"), Some("id-a".into())), (config("b"), None)], vec!["id-x".into()]);
        assert_eq!(desk.next(0, 0.0), Action::Unsubscribe("id-x".into()));
        desk.unsubscribed("id-x");
        assert_eq!(desk.next(0, 0.0), Action::Subscribe(0, Some("id-a".into())));
        assert_eq!(desk.subscribed(&config("a"), 0, answer("success", Some("id-a")), 0.0).0, Keep::AsItIs);
        assert_eq!(desk.next(0, 0.0), Action::Subscribe(1, None));
        assert_eq!(desk.subscribed(&config("b"), 0, answer("unsupported: no", None), 0.0).0, Keep::AsItIs);
        assert_eq!(desk.granted(), 1);
        let first = Wish { subscription: 1, event: 0 };
        assert_eq!(desk.next(0, 0.5), Action::Poll(first));
        assert_eq!(desk.next(1, 0.5), Action::Nothing, "one request at a time");
        desk.polled();
        assert_eq!(desk.next(1, 0.5), Action::WaitUntil(500));
        desk.disconnected();
        assert_eq!(desk.granted(), 0);
        assert_eq!(
            desk.next(2, 0.5),
            Action::Subscribe(0, Some("id-a".into())),
            "the schedule ends with the connection"
        );
    }

    #[test]
    fn a_notification_that_overtakes_its_answer_is_counted() {
        let mut desk = Desk::new(vec![(config("a"), None)], Vec::new());
        assert_eq!(desk.next(0, 0.0), Action::Subscribe(0, None));
        assert_eq!(desk.notified(&notification("new", 1), 0), None);
        assert_eq!(desk.notified(&notification("new", 3), 0), None);
        assert_eq!(desk.notified(&notification("other", 1), 0), None);
        let (keep, noticed) = desk.subscribed(&config("a"), 1, answer("success", Some("new")), 0.0);
        assert_eq!(keep, Keep::Id("new".into()));
        let missing = Noticed { is_unknown: false, missing: Some((0, 1)) };
        let unknown = Noticed { is_unknown: true, missing: None };
        assert_eq!(noticed, [Noticed::default(), missing, unknown.clone()]);
        assert_eq!(desk.notified(&notification("other", 2), 2), Some(unknown.clone()));
        assert_eq!(desk.notified(&[], 2), Some(unknown));
        let mut with_gap = notification("new", 20);
        with_gap.push(Notice::Gap { from: 4, to: 19 });
        let told = Noticed { is_unknown: false, missing: Some((0, 16)) };
        assert_eq!(desk.notified(&with_gap, 3), Some(told));
        let tally = desk.subscriptions().next().unwrap().1.tally();
        assert_eq!((tally.notifications, tally.missing, tally.last), (3, 17, Some(3)));
    }

    #[test]
    fn what_is_still_wanted_goes_on_and_what_is_not_is_ended() {
        let mut desk = Desk::new(vec![(config("a"), None), (config("b"), None), (config("c"), None)], Vec::new());
        for (index, name) in ["a", "b"].into_iter().enumerate() {
            assert_eq!(desk.next(0, 0.0), Action::Subscribe(index, None));
            desk.subscribed(&config(name), 0, answer("success", Some(name)), 0.0);
        }
        assert_eq!(desk.next(0, 0.0), Action::Subscribe(2, None));
        let same = vec![(config("a"), None), (config("b"), None), (config("c"), None)];
        assert!(!desk.change(same, Vec::new(), 0, 0.0));
        // `c` is asked for at this moment, and nobody wants it any more when it is granted.
        assert!(desk.change(vec![(config("b"), None), (config("d"), None)], Vec::new(), 0, 0.0));
        assert_eq!(desk.granted(), 1, "b is still there");
        desk.subscribed(&config("c"), 0, answer("success", Some("c")), 0.0);
        assert_eq!(desk.next(0, 0.0), Action::Unsubscribe("a".into()));
        desk.unsubscribed("a");
        assert_eq!(desk.next(0, 0.0), Action::Unsubscribe("c".into()));
        desk.unsubscribed("c");
        assert_eq!(desk.next(0, 0.0), Action::Subscribe(1, None));
        desk.subscribed(&config("d"), 0, answer("unsupported: no", None), 0.0);
        assert!(matches!(desk.next(0, 0.0), Action::Poll(Wish { subscription: 1, .. })));
        desk.polled();
        assert!(desk.change(vec![(config("d"), None)], Vec::new(), 0, 0.0));
        assert_eq!(desk.next(0, 0.0), Action::Unsubscribe("b".into()));
        desk.unsubscribed("b");
        assert!(matches!(desk.next(60_000, 0.0), Action::Poll(Wish { subscription: 0, .. })), "the schedule goes on");
    }
}
