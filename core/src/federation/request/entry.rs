//! One request as this side has it, sent or received.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    config::limits,
    federation::{protocol::OriginId, section::form},
    model::{
        Timestamp,
        peer_request::{Asked, RequestDirection, RequestReason, RequestState},
    },
};

/// Names a request, on both sides: 16 hexadecimal digits, drawn by the one who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

impl RequestId {
    /// Of a random number.
    #[must_use]
    pub fn of(random: u64) -> Self {
        Self(format!("{random:016x}"))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if form::is_request_id(&text) { Ok(Self(text)) } else { Err("expected 16 hexadecimal digits".to_owned()) }
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request, sent or received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its ID.
    pub id: RequestId,
    /// The other domain.
    pub peer: OriginId,
    /// Who asked.
    pub direction: RequestDirection,
    /// What.
    pub asked: Asked,
    /// Where it stands.
    pub state: RequestState,
    /// Why it was declined or refused.
    pub reason: Option<RequestReason>,
    /// Who of our operators asked or decided, or has withdrawn it.
    pub by: Option<String>,
    /// When it was asked or came, by our clock.
    pub made: Timestamp,
    /// When it expires, by our clock.
    pub deadline: Timestamp,
    /// When it was settled, by our clock.
    pub settled: Option<Timestamp>,
    /// Of one that we sent: the other side has said what became of it.
    pub answered: bool,
}

impl Entry {
    /// Whether it waits for somebody.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.state.is_settled()
    }

    /// Whether we sent it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.direction == RequestDirection::Sent
    }

    /// Whether what it asks for is to be reckoned with: not whether it is over.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.state {
            // Our own plans stand whatever the other side says. What we have objected to explains no alarm of ours.
            RequestState::Declined | RequestState::Expired => self.is_ours(),
            RequestState::Refused | RequestState::Withdrawn => false,
            RequestState::Sent | RequestState::Pending | RequestState::Accepted => true,
        }
    }

    /// Whether it is about maintenance that is to be reckoned with and has not ended.
    #[must_use]
    pub(super) fn is_maintenance_ahead(&self, now: Timestamp) -> bool {
        matches!(self.asked, Asked::Maintenance { until, .. } if until > now) && self.holds()
    }

    /// Whether it can be taken back: while nobody has answered, and maintenance for as long as it is not over, whatever the other side
    /// said to it.
    #[must_use]
    pub(super) fn can_be_withdrawn(&self, now: Timestamp) -> bool {
        self.is_open() || self.is_maintenance_ahead(now)
    }

    /// Until when the other side is asked what became of it, or told that it is withdrawn.
    #[must_use]
    pub(super) fn asked_until(&self) -> Timestamp {
        let mut until = self.deadline;
        if self.state == RequestState::Withdrawn {
            until = until.max(self.settled.unwrap_or(until));
            if let Asked::Maintenance { until: over, .. } = self.asked {
                until = until.max(over);
            }
        }
        until.plus(ms(limits::REQUEST_ASKED_AFTER))
    }

    /// Seconds until it expires, none if it has.
    #[must_use]
    pub fn valid_for_s(&self, now: Timestamp) -> u64 {
        u64::try_from(self.deadline.since(now)).unwrap_or(0).div_ceil(1_000)
    }
}

/// Milliseconds of a bound.
pub(super) fn ms(bound: std::time::Duration) -> i64 {
    i64::try_from(bound.as_millis()).unwrap_or(i64::MAX)
}

/// How long a request waits for a decision if nothing else is said: until what it asks for is over; of an incident, a day.
pub(super) fn lifetime(asked: &Asked, now: Timestamp) -> i64 {
    let until = match asked {
        Asked::Maintenance { until, .. } | Asked::EmergencyPriority { until, .. } => until.since(now),
        Asked::IncidentHandOver { .. } => ms(limits::INCIDENT_LIFETIME),
    };
    until.clamp(0, ms(limits::REQUEST_LIFETIME_MAX))
}

/// What is wrong with the times and lists of a request, seen now; both sides look.
pub(super) fn problem(asked: &Asked, now: Timestamp) -> Option<&'static str> {
    match asked {
        Asked::Maintenance { links, from, until, .. } => {
            let mut names: Vec<&String> = links.iter().collect();
            names.sort_unstable();
            names.dedup();
            if links.is_empty() || links.len() > limits::REQUEST_LINKS || names.len() != links.len() {
                return Some("it names no link, one twice, or more than 16");
            }
            let length = until.since(*from);
            if *until <= now || length <= 0 {
                return Some("maintenance ends after it begins, and not in the past");
            }
            let ahead = from.since(now) > ms(limits::MAINTENANCE_AHEAD);
            (ahead || length > ms(limits::MAINTENANCE_LENGTH))
                .then_some("maintenance takes 31 days at most, and begins within 366 days")
        }
        Asked::EmergencyPriority { until, .. } => {
            let length = until.since(now);
            (length <= 0 || length > ms(limits::PRIORITY_LENGTH))
                .then_some("priority ends in the future, and within 7 days")
        }
        Asked::IncidentHandOver { since, .. } => {
            let age = now.since(*since);
            (age < -FUTURE || age > ms(limits::MAINTENANCE_AHEAD))
                .then_some("an incident began in the past, and within 366 days")
        }
    }
}

/// How far a clock may be ahead of ours, in milliseconds.
const FUTURE: i64 = 300_000;
