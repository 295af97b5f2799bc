//! What the manager of one domain asks of another's: the kinds of typed requests, what each says, and what may be answered.
//!
//! Plain values in words of closed lists: nothing here has room for a sentence, so none leaves a domain. How a request lives and
//! ends is `federation/request`; its wire form is in PROTOCOL.md, "Between managers".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Catalogue, Severity, Timestamp};

/// What kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RequestKind {
    /// Work on inter-domain links is announced: the other side acknowledges or objects.
    Maintenance,
    /// Priority for key relay over an inter-domain link is asked for.
    EmergencyPriority,
    /// An incident on an inter-domain link is handed over.
    IncidentHandOver,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::EmergencyPriority, Self::IncidentHandOver];

    /// The word on the wire and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::EmergencyPriority => "emergencyPriority",
            Self::IncidentHandOver => "incidentHandOver",
        }
    }

    /// The word in the configuration (`peers.requests`) and on the command line.
    #[must_use]
    pub const fn configured(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::EmergencyPriority => "emergency-priority",
            Self::IncidentHandOver => "incident",
        }
    }
}

/// Words of a closed list, each with what it is written as. A word is a token, since derives do not see into a literal.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $word:tt,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$meaning])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All words.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What a word stands for; `None`: it is none of these.
            #[must_use]
            pub fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What maintenance is expected to do to a link.
    MaintenanceEffect {
        /// Nothing that its users notice.
        NoEffect = "none",
        /// Keys come more slowly, or the link is less protected.
        Degraded = "degraded",
        /// No keys come.
        Interrupted = "interrupted",
        /// Not known beforehand.
        NotKnown = "unknown",
    }
}

words! {
    /// Why priority is asked for.
    PriorityCause {
        /// The store of keys for users that depend on the link runs out.
        KeyStoreLow = "key-store-low",
        /// Another path was lost.
        PathLost = "path-lost",
        /// A service of public safety depends on it.
        PublicSafety = "public-safety",
        /// It is an exercise.
        Exercise = "exercise",
    }
}

words! {
    /// Where a request stands.
    RequestState {
        /// On its way: the other side has not said yet that it has it.
        Sent = "sent",
        /// Waits for the receiver's operator.
        Pending = "pending",
        /// The receiver's operator has accepted it (of maintenance: acknowledged).
        Accepted = "accepted",
        /// The receiver's operator has declined it (of maintenance: objected).
        Declined = "declined",
        /// Nobody decided in time.
        Expired = "expired",
        /// The receiving manager has not taken it.
        Refused = "refused",
        /// The one who asked has taken it back.
        Withdrawn = "withdrawn",
    }
}

impl RequestState {
    /// Whether nothing more is to come of it, as far as this side knows.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Sent | Self::Pending)
    }
}

words! {
    /// Why a request was declined by an operator, or refused by a manager.
    RequestReason {
        /// Declined: it collides with other work.
        Conflict = "conflict",
        /// Declined: there is no capacity for it.
        Capacity = "capacity",
        /// Declined: rules of the domain forbid it.
        Policy = "policy",
        /// Declined: the matter is not of this domain.
        NotOurs = "not-ours",
        /// Declined: it is known already.
        Duplicate = "duplicate",
        /// Declined, and no reason is given.
        Unspecified = "unspecified",
        /// Refused: the receiver's configuration does not let this manager ask for that.
        NotAllowed = "not-allowed",
        /// Refused: a link is not configured on both sides.
        UnknownLink = "unknown-link",
        /// Refused: its times make no sense, or lie too far ahead.
        NotInTime = "not-in-time",
        /// Refused: as many requests wait as are let wait.
        TooMany = "too-many",
        /// Refused: requests come faster than is taken.
        TooOften = "too-often",
        /// Refused: the ID is that of another request.
        Conflicting = "conflicting",
    }
}

impl RequestReason {
    /// What an operator can say.
    pub const OF_OPERATORS: [Self; 6] =
        [Self::Conflict, Self::Capacity, Self::Policy, Self::NotOurs, Self::Duplicate, Self::Unspecified];

    /// Whether an operator can say it; otherwise a manager does.
    #[must_use]
    pub fn is_of_operators(self) -> bool {
        Self::OF_OPERATORS.contains(&self)
    }

    /// A sentence for a person on the side that asked.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Conflict => "it collides with other work there",
            Self::Capacity => "there is no capacity for it there",
            Self::Policy => "rules of that domain forbid it",
            Self::NotOurs => "that domain says that the matter is not its own",
            Self::Duplicate => "it is known there already",
            Self::Unspecified => "no reason was given",
            Self::NotAllowed => {
                "that manager's configuration does not let us ask for this; its operator allows it with `requests` in the \
                 [[peers]] table that names us"
            }
            Self::UnknownLink => {
                "that manager's configuration has no such link with our domain ([[federation.links]] of both sides)"
            }
            Self::NotInTime => "its times lie in the past there, or too far ahead; compare the clocks of both managers",
            Self::TooMany => "as many requests of ours wait there as are let wait; have them decided first",
            Self::TooOften => "requests of ours came faster than they are taken there; ask again in a minute",
            Self::Conflicting => "that manager knows another request by this ID; ask again",
        }
    }
}

words! {
    /// Who asked.
    RequestDirection {
        /// We did.
        Sent = "sent",
        /// The other side did.
        Received = "received",
    }
}

/// In the place of a name that is not known here.
const UNKNOWN: &str = "unknown";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Asked {
    /// Work on inter-domain links is announced.
    Maintenance {
        /// Names of the links, the same in both domains.
        links: Vec<String>,
        /// When it begins.
        from: Timestamp,
        /// When it is over.
        until: Timestamp,
        /// What it is expected to do to the links.
        effect: MaintenanceEffect,
    },
    /// Priority for key relay over a link is asked for.
    EmergencyPriority {
        /// Name of the link, the same in both domains.
        link: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        cause: PriorityCause,
    },
    /// An incident on a link is handed over.
    IncidentHandOver {
        /// Name of the link, the same in both domains.
        link: String,
        /// Since when it lasts.
        since: Timestamp,
        /// How bad it is (RFC 8632).
        severity: Severity,
        /// Alarm type of the catalogue.
        #[serde(rename = "alarmType")]
        alarm_type: String,
    },
}

impl Asked {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Maintenance { .. } => RequestKind::Maintenance,
            Self::EmergencyPriority { .. } => RequestKind::EmergencyPriority,
            Self::IncidentHandOver { .. } => RequestKind::IncidentHandOver,
        }
    }

    /// Links that it speaks of.
    #[must_use]
    pub fn links(&self) -> &[String] {
        match self {
            Self::Maintenance { links, .. } => links,
            Self::EmergencyPriority { link, .. } | Self::IncidentHandOver { link, .. } => std::slice::from_ref(link),
        }
    }
}

impl Asked {
    /// The same with nothing in it that its sender made up: links by the names that we have for them too, alarm types of the
    /// catalogue. For records of what was refused.
    #[must_use]
    pub fn in_our_words(mut self, our_links: &BTreeSet<String>) -> Self {
        let ours = |link: &mut String| {
            if !our_links.contains(link) {
                UNKNOWN.clone_into(link);
            }
        };
        match &mut self {
            Self::Maintenance { links, .. } => {
                links.iter_mut().for_each(ours);
                links.sort_unstable();
                links.dedup();
            }
            Self::EmergencyPriority { link, .. } => ours(link),
            Self::IncidentHandOver { link, alarm_type, .. } => {
                ours(link);
                if Catalogue::get().alarm_type(alarm_type).is_none() {
                    UNKNOWN.clone_into(alarm_type);
                }
            }
        }
        self
    }

    /// Whether both ask for the same thing, be it in other words: maintenance of the same links at the same time, priority over one
    /// link, one kind of incident on it.
    #[must_use]
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        let all = |links: &[String]| links.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        if self.kind() != other.kind() || all(self.links()) != all(other.links()) {
            return false;
        }
        match (self, other) {
            (Self::Maintenance { from, until, .. }, Self::Maintenance { from: begin, until: end, .. }) => {
                from < end && begin < until
            }
            (Self::IncidentHandOver { alarm_type, .. }, Self::IncidentHandOver { alarm_type: kind, .. }) => {
                alarm_type == kind
            }
            _ => true,
        }
    }
}

impl std::fmt::Display for Asked {
    /// In words, for people of the domain that reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Maintenance { links, from, until, effect } => {
                write!(f, "maintenance of {} from {from} to {until}, expected effect: {effect}", links.join(", "))
            }
            Self::EmergencyPriority { link, until, cause } => {
                write!(f, "priority for key relay over {link} until {until}, because of {cause}")
            }
            Self::IncidentHandOver { link, since, severity, alarm_type } => {
                write!(f, "hand-over of a {severity} incident on {link}, {alarm_type} since {since}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_and_read_alike() {
        for word in RequestReason::WORDS {
            let reason = RequestReason::of(word).unwrap();
            assert_eq!((reason.as_str(), serde_json::to_value(reason).unwrap()), (*word, (*word).into()));
        }
        assert_eq!(RequestState::of("done"), None);
        for kind in RequestKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn the_same_in_other_words_is_the_same_and_another_time_link_or_incident_is_not() {
        let work = |links: &[&str], from: i64, until: i64| Asked::Maintenance {
            links: links.iter().map(|&link| link.to_owned()).collect(),
            from: Timestamp(from),
            until: Timestamp(until),
            effect: MaintenanceEffect::NotKnown,
        };
        assert!(work(&["a", "b"], 0, 9).is_the_same_as(&work(&["b", "a"], 1, 10)));
        assert!(!work(&["a"], 0, 9).is_the_same_as(&work(&["a"], 9, 12)), "one after the other");
        assert!(!work(&["a"], 0, 9).is_the_same_as(&work(&["a", "b"], 0, 9)));
        let priority = |link: &str, until: i64, cause: PriorityCause| Asked::EmergencyPriority {
            link: link.to_owned(),
            until: Timestamp(until),
            cause,
        };
        assert!(priority("a", 1, PriorityCause::PathLost).is_the_same_as(&priority("a", 2, PriorityCause::Exercise)));
        assert!(!priority("a", 1, PriorityCause::PathLost).is_the_same_as(&priority("b", 1, PriorityCause::PathLost)));
        let incident = |since: i64, alarm_type: &str| Asked::IncidentHandOver {
            link: "a".to_owned(),
            since: Timestamp(since),
            severity: Severity::Major,
            alarm_type: alarm_type.to_owned(),
        };
        assert!(incident(1, "link-down").is_the_same_as(&incident(2, "link-down")));
        assert!(!incident(1, "link-down").is_the_same_as(&incident(1, "key-store-low")));
        assert!(!incident(1, "link-down").is_the_same_as(&priority("a", 1, PriorityCause::PathLost)));
    }
}
