//! Alarms of one cause, seen from two domains: a link between them that is down or degraded is one entry, whoever says so.
//!
//! In: the links that are known here. Out: those in trouble, each with both sides: what it says, since when, and how fresh that is. Times
//! are those at which this manager learnt of it; clocks of other domains are not compared. What is old is not taken for an end of it.

use super::{
    known_links::{KnownLink, Statement},
    protocol::OriginId,
    section::rank,
};
use crate::model::Severity;

/// How far both sides agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Both say that it is in trouble.
    Both,
    /// One does, and the other says that it is not.
    Disagree,
    /// One does, and the other says nothing that still holds: it does not disclose its end, does not know, or was not heard for too long.
    One,
}

impl Sides {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Disagree => "disagree",
            Self::One => "one",
        }
    }
}

/// A link in trouble.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined<'a> {
    /// Which.
    pub link: &'a KnownLink,
    /// Of the worse state: `critical` for a link that is down, `minor` for one that is degraded.
    pub severity: Severity,
    /// Who says so.
    pub sides: Sides,
    /// Of whom this manager learnt it first; absent: that is not known, or from both at once.
    pub first: Option<&'a OriginId>,
}

fn is_trouble(said: &Statement) -> bool {
    rank(&said.state) >= rank("degraded")
}

/// Links in trouble, the worst first, then by name.
#[must_use]
pub fn joined(links: &[KnownLink]) -> Vec<Joined<'_>> {
    let mut joined: Vec<Joined<'_>> = links.iter().filter_map(of_one).collect();
    joined.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.link.id.cmp(&other.link.id)));
    joined
}

fn of_one(link: &KnownLink) -> Option<Joined<'_>> {
    let said = || link.ends.iter().filter_map(|(domain, said)| Some((domain, said.as_ref()?)));
    let troubled: Vec<_> = said().filter(|(_, said)| is_trouble(said)).collect();
    let worst = troubled.iter().map(|(_, said)| rank(&said.state)).max()?;
    let sides = match troubled.len() {
        2.. => Sides::Both,
        _ if said().any(|(_, said)| said.state == "up" && said.is_current()) => Sides::Disagree,
        _ => Sides::One,
    };
    let first = match troubled[..] {
        [(domain, _)] => Some(domain),
        // Who is not known to have said it later has said it before this manager started.
        [(one, said_one), (other, said_other)] => match (said_one.since, said_other.since) {
            (Some(early), Some(late)) if early < late => Some(one),
            (Some(late), Some(early)) if early < late => Some(other),
            (None, Some(_)) => Some(one),
            (Some(_), None) => Some(other),
            _ => None,
        },
        _ => None,
    };
    let severity = if worst == rank("down") { Severity::Critical } else { Severity::Minor };
    Some(Joined { link, severity, sides, first })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        federation::{
            known_links::{KnownLinks, tests::said},
            protocol::Freshness,
        },
        model::Timestamp,
    };

    fn since(state: &str, since: i64) -> Statement {
        Statement { since: Some(Timestamp(since)), ..said(state, None) }
    }

    fn link(ours: Option<Statement>, theirs: Option<Statement>) -> Vec<KnownLink> {
        let mut links = KnownLinks::default();
        ours.into_iter().for_each(|said| links.add("l", &"east".into(), &"west".into(), said));
        theirs.into_iter().for_each(|said| links.add("l", &"west".into(), &"east".into(), said));
        links.into_links()
    }

    fn seen(ours: Option<Statement>, theirs: Option<Statement>) -> Option<(Severity, Sides, Option<String>)> {
        let links = link(ours, theirs);
        joined(&links).first().map(|one| (one.severity, one.sides, one.first.map(ToString::to_string)))
    }

    #[test]
    fn one_cut_is_one_entry_and_who_saw_it_first_is_told() {
        let both = seen(Some(since("down", 20)), Some(since("degraded", 10)));
        assert_eq!(both, Some((Severity::Critical, Sides::Both, Some("west".into()))));
        assert_eq!(
            seen(Some(since("down", 20)), Some(since("down", 20))),
            Some((Severity::Critical, Sides::Both, None))
        );
        // What was so before this manager started was so before what came later.
        let before = seen(Some(said("down", None)), Some(since("down", 10)));
        assert_eq!(before, Some((Severity::Critical, Sides::Both, Some("east".into()))));
        assert_eq!(seen(Some(since("up", 20)), Some(since("up", 10))), None);
    }

    #[test]
    fn what_one_side_says_alone_is_shown_as_that() {
        let east = Some("east".to_owned());
        let disagree = seen(Some(since("degraded", 20)), Some(since("up", 10)));
        assert_eq!(disagree, Some((Severity::Minor, Sides::Disagree, east.clone())));
        assert_eq!(seen(Some(since("down", 20)), None), Some((Severity::Critical, Sides::One, east.clone())));
        assert_eq!(
            seen(Some(since("down", 20)), Some(said("unknown", None))),
            Some((Severity::Critical, Sides::One, east.clone()))
        );
        let old = Statement { freshness: Some(Freshness::Stale), ..said("up", None) };
        assert_eq!(seen(Some(since("down", 20)), Some(old)), Some((Severity::Critical, Sides::One, east)));
        // What was down when it was last heard of is not up since.
        let old = Statement { freshness: Some(Freshness::Unreachable), ..said("down", None) };
        assert_eq!(
            seen(None, Some(old)).map(|(severity, sides, _)| (severity, sides)),
            Some((Severity::Critical, Sides::One))
        );
    }

    proptest! {
        #[test]
        fn every_link_in_trouble_is_there_once_and_none_else(states in prop::collection::vec((0_usize..4, 0_usize..4), 0..20)) {
            const STATES: [&str; 4] = ["unknown", "up", "degraded", "down"];
            let mut links = KnownLinks::default();
            for (number, (one, other)) in states.iter().enumerate() {
                links.add(&format!("l{number}"), &"a".into(), &"b".into(), said(STATES[*one], None));
                links.add(&format!("l{number}"), &"b".into(), &"a".into(), said(STATES[*other], None));
            }
            let links = links.into_links();
            let joined = joined(&links);
            prop_assert_eq!(joined.len(), states.iter().filter(|(one, other)| one.max(other) >= &2).count());
            prop_assert!(joined.is_sorted_by(|one, other| one.severity >= other.severity));
            for one in joined {
                let troubled = one.link.ends.iter().filter(|(_, said)| said.as_ref().is_some_and(is_trouble)).count();
                prop_assert_eq!(one.sides == Sides::Both, troubled == 2);
            }
        }
    }
}
