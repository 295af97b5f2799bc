//! One subscription at one component, as a state machine without I/O: when to ask, what an answer means, what is remembered.
//!
//! In go a reading of the clock, answers, and the numbers of notifications; out come what to ask and what to keep over a
//! restart. A subscription ends with its connection unless it is durable; then it is resumed by its `subscriptionId`, and asked
//! for anew when the component no longer knows it. A component that serves no subscriptions is polled if the configuration
//! says so. What is refused for good is asked again on the next connection.

use super::numbers::{Noted, Numbers};
use crate::{
    config::{
        NotificationMethod, SubscriptionConfig,
        limits::{SUBSCRIBE_RETRY_MAX, SUBSCRIBE_RETRY_MIN, SUBSCRIBE_SILENCES},
    },
    wire::outward::SubscriptionAnswer,
};

/// What became of a `subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answer(SubscriptionAnswer),
    /// None in time.
    Silence,
    /// It could not be sent, or the connection is gone.
    NotSent,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was asked on this connection yet, or there is none.
    Idle,
    /// Asked, not answered.
    Asking,
    /// Granted.
    Granted {
        /// The component's name for it.
        id: String,
        /// It outlives its connection.
        durable: bool,
        /// Events that were not granted.
        failed_events: Vec<String>,
        /// It ends then, in milliseconds, and is asked for again.
        expires: Option<i64>,
    },
    /// The one notification has come.
    Done,
    /// The component serves no subscriptions: it is asked on a schedule.
    Polled {
        /// Its answer, or that there was none.
        reason: String,
    },
    /// Refused.
    Refused {
        /// The answer, or that there was none.
        reason: String,
        /// When it is asked for again on this connection, in milliseconds.
        again: Option<i64>,
    },
}

/// What has to be remembered after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing changes.
    AsItIs,
    /// This durable subscription.
    Id(String),
    /// None any more.
    Nothing,
}

/// Counts of one subscription since the manager's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Notifications received, repeats included.
    pub notifications: u64,
    /// Numbers that never came.
    pub missing: u64,
    /// When the last one came, in milliseconds.
    pub last: Option<i64>,
}

/// One subscription at one component.
#[derive(Clone, Debug)]
pub struct Subscription {
    one_time: bool,
    asks_durable: bool,
    polls: bool,
    state: State,
    /// Durable subscription from before, by its ID.
    remembered: Option<String>,
    silences: u32,
    wait_ms: i64,
    numbers: Numbers,
    tally: Tally,
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Subscription {
    /// Not asked for yet; `remembered` is the ID of one from before a restart.
    #[must_use]
    pub fn new(config: &SubscriptionConfig, remembered: Option<String>) -> Self {
        Self {
            one_time: config.method == NotificationMethod::OneTime,
            asks_durable: config.durable,
            polls: config.poll_interval.is_some(),
            state: State::Idle,
            remembered,
            silences: 0,
            wait_ms: 0,
            numbers: Numbers::default(),
            tally: Tally::default(),
        }
    }

    /// How it stands.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What came.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// When to ask, in milliseconds: now or earlier means at once.
    #[must_use]
    pub const fn due(&self) -> Option<i64> {
        match &self.state {
            State::Idle => Some(i64::MIN),
            State::Refused { again, .. } => *again,
            State::Granted { expires, .. } => *expires,
            State::Asking | State::Done | State::Polled { .. } => None,
        }
    }

    /// It is asked for now; the ID of the one to resume, if there is one.
    pub fn ask(&mut self) -> Option<String> {
        self.state = State::Asking;
        self.remembered.clone()
    }

    /// Takes what became of it. `chance` is between 0 and 1.
    pub fn answered(&mut self, now: i64, outcome: Outcome, chance: f64) -> Keep {
        match outcome {
            Outcome::NotSent => {
                let again = now.saturating_add(self.wait(chance));
                self.refused("it could not be sent".to_owned(), Some(again));
                Keep::AsItIs
            }
            Outcome::Silence => {
                self.silences += 1;
                let reason = "no answer to subscribe".to_owned();
                if self.silences >= SUBSCRIBE_SILENCES {
                    self.serves_none(reason);
                } else {
                    let again = now.saturating_add(self.wait(chance));
                    self.refused(reason, Some(again));
                }
                Keep::AsItIs
            }
            Outcome::Answer(answer) => {
                self.silences = 0;
                if answer.is_success() { self.granted(answer) } else { self.not_granted(now, &answer, chance) }
            }
        }
    }

    fn granted(&mut self, answer: SubscriptionAnswer) -> Keep {
        self.wait_ms = 0;
        let Some(id) = answer.subscription_id.or_else(|| self.remembered.clone()) else {
            self.refused("it was granted without a subscriptionId".to_owned(), None);
            return Keep::AsItIs;
        };
        if self.remembered.as_ref() != Some(&id) {
            self.numbers = Numbers::default();
        }
        for (from, to) in answer.gaps {
            self.tally.missing += self.numbers.gap(from, to);
        }
        // One that was resumed is durable, whether the answer says so again or not.
        let durable = self.asks_durable && (answer.durable || self.remembered.as_ref() == Some(&id));
        let keep = match (&self.remembered, durable) {
            (Some(known), true) if *known == id => Keep::AsItIs,
            (_, true) => Keep::Id(id.clone()),
            (Some(_), false) => Keep::Nothing,
            (None, false) => Keep::AsItIs,
        };
        self.remembered = durable.then(|| id.clone());
        let expires = answer.expires.map(|time| time.0);
        self.state = State::Granted { id, durable, failed_events: answer.failed_events, expires };
        keep
    }

    fn not_granted(&mut self, now: i64, answer: &SubscriptionAnswer, chance: f64) -> Keep {
        let later = matches!(answer.code(), "overloaded" | "unavailable" | "internal");
        if later {
            let wait = self.wait(chance);
            let told = answer.retry_after_ms.map_or(0, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
            let most = millis(SUBSCRIBE_RETRY_MAX);
            self.refused(answer.response.clone(), Some(now.saturating_add(wait.max(told.min(most)))));
            return Keep::AsItIs;
        }
        let forgets = self.remembered.take().is_some();
        if answer.code() == "unsupported" {
            self.serves_none(answer.response.clone());
        } else if forgets {
            // The component does not know the one from before: ask for a new one.
            self.state = State::Idle;
        } else {
            self.refused(answer.response.clone(), None);
        }
        if forgets { Keep::Nothing } else { Keep::AsItIs }
    }

    fn refused(&mut self, reason: String, again: Option<i64>) {
        self.state = State::Refused { reason, again };
    }

    fn serves_none(&mut self, reason: String) {
        self.state = if self.polls { State::Polled { reason } } else { State::Refused { reason, again: None } };
    }

    /// The next wait: doubling, capped, between half of the step and all of it.
    fn wait(&mut self, chance: f64) -> i64 {
        let (least, most) = (millis(SUBSCRIBE_RETRY_MIN), millis(SUBSCRIBE_RETRY_MAX));
        self.wait_ms = self.wait_ms.saturating_mul(2).clamp(least, most);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "within minutes")]
        let part = (self.wait_ms as f64 * (0.5 + 0.5 * chance.clamp(0.0, 1.0))) as i64;
        part.max(1)
    }

    /// The connection is gone: what was granted is to be resumed or asked for again.
    pub fn disconnected(&mut self) {
        self.state = State::Idle;
        self.silences = 0;
        self.wait_ms = 0;
    }

    /// Whether a notification with this `subscriptionId` is one of its own.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        match &self.state {
            State::Granted { id: own, .. } => own == id,
            _ => self.remembered.as_deref() == Some(id),
        }
    }

    /// Takes a notification's number; how many before it never came.
    pub fn notified(&mut self, now: i64, number: Option<u64>) -> u64 {
        self.tally.notifications += 1;
        self.tally.last = Some(now);
        let noted = number.map_or(Noted::Next, |number| self.numbers.note(number));
        if self.one_time && matches!(self.state, State::Granted { .. }) {
            self.state = State::Done;
        }
        let missing = if let Noted::Missing(missing) = noted { missing } else { 0 };
        self.tally.missing += missing;
        missing
    }

    /// Takes a gap that the component tells; how many numbers are missing that were not known to be.
    pub fn lost(&mut self, from: u64, to: u64) -> u64 {
        let missing = self.numbers.gap(from, to);
        self.tally.missing += missing;
        missing
    }
}

#[cfg(test)]
mod tests;
