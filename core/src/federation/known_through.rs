//! Domains of which one knows through another alone: by what that relays, or by the sum that it publishes. When it falls silent they
//! do too, and are not to be blamed for it.
//!
//! In: how domains are seen, by which way the newest of one came, what aggregators say of their sources. Out: the domain that stands
//! between, and how the one behind it is told. Nothing here is believed of a document, nor refused: a relay that lies about the way can
//! have a domain told as stale which is unreachable, and nothing as fresher than it is.

use super::protocol::{Freshness, OriginId, Standing};

/// How a domain is seen that may be on the way of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnTheWay {
    /// By its documents; absent: it has said nothing yet.
    pub standing: Option<Standing>,
    /// How long ago anything came on the session with it, milliseconds; absent: there is none.
    pub heard_before_ms: Option<u64>,
    /// Whether it is a neighbour of ours, with which there ought to be a session.
    pub is_peer: bool,
}

impl OnTheWay {
    /// Whether it is not heard now. It counts as silent once more than half of its validity has passed, which is a refresh that did not
    /// come: what it relays grows old as soon as it does itself, and whichever is seen first tells nothing. Of who is no neighbour and tells
    /// us nothing by right it is not known whether it is there: it counts as heard, so that nobody is excused by its name.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let validity = self.standing.map_or(u64::MAX, |seen| seen.valid_for_ms);
        if let Some(heard_before) = self.heard_before_ms {
            return heard_before > validity / 2;
        }
        match self.standing {
            Some(Standing { freshness: Freshness::Fresh | Freshness::Indirect, age_ms, .. }) => age_ms > validity / 2,
            Some(Standing { freshness: Freshness::Stale | Freshness::Unreachable, .. }) => true,
            Some(Standing { freshness: Freshness::Withdrawn, .. }) | None => self.is_peer,
            Some(Standing { freshness: Freshness::Excluded, .. }) => false,
        }
    }
}

/// The domain without which nothing is heard of one that is seen so: the silent one on the way of its newest document that is nearest
/// to us. `None`: it is heard, or those on its way are, and its silence is its own.
pub fn silent_way(seen: Freshness, via: &[OriginId], on_the_way: impl Fn(&OriginId) -> OnTheWay) -> Option<&OriginId> {
    let is_old = matches!(seen, Freshness::Stale | Freshness::Unreachable);
    via.iter().rev().filter(|_| is_old).find(|domain| on_the_way(domain).is_silent())
}

/// How a domain is told whose way is silent: that nothing came of it for long says nothing of it.
#[must_use]
pub const fn told_behind(seen: Freshness) -> Freshness {
    match seen {
        Freshness::Unreachable => Freshness::Stale,
        other => other,
    }
}

/// What an aggregator says of a domain that it adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InSum<'a> {
    /// The aggregator.
    pub aggregator: &'a str,
    /// Whether that is heard itself.
    pub is_heard: bool,
    /// How it sees the domain.
    pub state: &'a str,
    /// What the domain said is at most so old, milliseconds.
    pub max_age_ms: Option<u64>,
}

impl InSum<'_> {
    /// How the domain is told: as the aggregator sees it, at second hand; `stale` where the aggregator is not heard.
    #[must_use]
    pub fn freshness(&self) -> &str {
        match self.state {
            _ if !self.is_heard => Freshness::Stale.as_str(),
            "fresh" | "indirect" | "disputed" => Freshness::Indirect.as_str(),
            other => other,
        }
    }

    /// Of two the one to go by: the least. Of aggregators that are heard one that hears the domain, at first hand before others, then the
    /// younger. One that is silent has said more than one that never heard of it.
    fn rank(&self) -> (u8, bool, u64) {
        let says = match (self.is_heard, self.state) {
            (_, "unheard") => 3,
            (false, _) => 2,
            (true, "fresh" | "indirect" | "disputed") => 0,
            (true, _) => 1,
        };
        (says, self.state != Freshness::Fresh.as_str(), self.max_age_ms.unwrap_or(u64::MAX))
    }
}

/// Of what several aggregators say of one domain the one to go by.
pub fn best_sum<'a>(all: impl Iterator<Item = InSum<'a>>) -> Option<InSum<'a>> {
    all.min_by_key(|one| (one.rank(), one.aggregator))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(freshness: Freshness, age_ms: u64) -> OnTheWay {
        let standing = Standing { freshness, age_ms, valid_for_ms: 45_000, disputed: false };
        OnTheWay { standing: Some(standing), heard_before_ms: None, is_peer: false }
    }

    fn with_session(one: OnTheWay, heard_before_ms: u64) -> OnTheWay {
        OnTheWay { heard_before_ms: Some(heard_before_ms), ..one }
    }

    #[test]
    fn who_has_missed_a_refresh_is_silent_before_it_is_stale() {
        assert!(!seen(Freshness::Indirect, 20_000).is_silent());
        assert!(seen(Freshness::Indirect, 30_000).is_silent());
        assert!(seen(Freshness::Unreachable, 200_000).is_silent());
        // A neighbour that has left in good order; with a session it tells this domain nothing, and relays. Of one further away nothing is
        // known: it may tell this domain nothing, and its name excuses nobody.
        assert!(OnTheWay { is_peer: true, ..seen(Freshness::Withdrawn, 0) }.is_silent());
        assert!(!with_session(seen(Freshness::Withdrawn, 0), 2_000).is_silent());
        assert!(!seen(Freshness::Withdrawn, 0).is_silent());
        assert!(!seen(Freshness::Excluded, 0).is_silent());
        // One that is held keeps its session for a while.
        assert!(with_session(seen(Freshness::Fresh, 30_000), 30_000).is_silent());
        let unheard = OnTheWay { standing: None, heard_before_ms: None, is_peer: false };
        assert!(!unheard.is_silent() && OnTheWay { is_peer: true, ..unheard }.is_silent());
    }

    #[test]
    fn silence_is_put_down_to_the_way_only_if_that_is_silent() {
        let via = [OriginId::from("hub"), OriginId::from("relay")];
        let way = |hub: u64, relay: u64| {
            let of =
                move |domain: &OriginId| seen(Freshness::Indirect, if domain.as_str() == "hub" { hub } else { relay });
            silent_way(Freshness::Unreachable, &via, of).map(OriginId::as_str)
        };
        assert_eq!(way(1_000, 1_000), None, "everybody on the way speaks: it is the domain that does not");
        assert_eq!(way(44_000, 1_000), Some("hub"));
        assert_eq!(way(44_000, 44_000), Some("relay"), "the nearest");
        assert_eq!(silent_way(Freshness::Indirect, &via, |_| seen(Freshness::Stale, 99_000)), None, "it is heard");
        assert_eq!(silent_way(Freshness::Stale, &[], |_| seen(Freshness::Stale, 99_000)), None, "nobody is between");
    }

    #[test]
    fn what_an_aggregator_says_is_told_at_second_hand_and_as_stale_when_it_is_not_heard() {
        let one = InSum { aggregator: "hub", is_heard: true, state: "fresh", max_age_ms: Some(45_000) };
        assert_eq!(one.freshness(), "indirect");
        assert_eq!(InSum { state: "unreachable", ..one }.freshness(), "unreachable");
        let gone = InSum { is_heard: false, ..one };
        assert_eq!((gone.freshness(), InSum { state: "unreachable", ..gone }.freshness()), ("stale", "stale"));
        let nation = InSum { aggregator: "nation", state: "indirect", max_age_ms: Some(5_000), ..one };
        assert_eq!(best_sum([nation, one].into_iter()), Some(one), "at first hand");
        assert_eq!(best_sum([InSum { max_age_ms: Some(90_000), ..one }, one].into_iter()), Some(one), "the younger");
        let unheard = InSum { state: "unheard", ..nation };
        assert_eq!(best_sum([unheard, gone].into_iter()), Some(gone), "it said something once");
        assert_eq!(best_sum([nation, gone].into_iter()), Some(nation), "of one that is heard");
        assert_eq!(best_sum(std::iter::empty()), None);
    }

    proptest! {
        #[test]
        fn nothing_is_told_as_fresher_than_it_is_seen(at in 0_usize..6, ages in prop::collection::vec(0_u64..100_000, 0..5)) {
            let before = Freshness::ALL[at];
            prop_assert!(told_behind(before) == before || before == Freshness::Unreachable);
            prop_assert!(!matches!(told_behind(before), Freshness::Fresh | Freshness::Indirect) || told_behind(before) == before);
            let via: Vec<OriginId> = (0..ages.len()).map(|at| OriginId::from(format!("d{at}").as_str())).collect();
            let of = |domain: &OriginId| seen(Freshness::Indirect, ages[via.iter().position(|one| one == domain).unwrap()]);
            let way = silent_way(before, &via, of);
            let nearest = via.iter().rev().find(|one| of(one).is_silent());
            prop_assert_eq!(way, nearest.filter(|_| matches!(before, Freshness::Stale | Freshness::Unreachable)));
        }
    }
}
