//! Links between domains, as far as they are known here: each with what both of its ends say, and to whom that was said.
//!
//! In: what domains say of their ends, in documents for us, for our area or for everybody. Out: links by name, ends joined. Domains need not say
//! anything of their links; so what is not here may be there all the same, and is `not disclosed`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    protocol::{Freshness, OriginId},
    section::joined,
};
use crate::model::Timestamp;

/// To whom an end's state was said; the better is the greater, since it says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToldTo {
    /// The whole federation.
    Everybody,
    /// Our area, or aggregators.
    Several,
    /// Us, at the other end.
    Us,
    /// It is ours, as we say it.
    Ourselves,
}

impl ToldTo {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everybody => "federation",
            Self::Several => "area",
            Self::Us => "us",
            Self::Ourselves => "own",
        }
    }
}

/// What a domain says of its end of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `up`, `degraded`, `down` or `unknown`.
    pub state: String,
    /// Secret key rate, bits per second.
    pub secret_key_rate_bps: Option<f64>,
    /// Filling of the key store, 0 to 1.
    pub key_store_fill_ratio: Option<f64>,
    /// To whom that was said.
    pub told_to: ToldTo,
    /// How the domain is seen; absent: it has said nothing yet.
    pub freshness: Option<Freshness>,
    /// Age of its newest document, milliseconds.
    pub age_ms: u64,
    /// Since when this manager has known it in this state, by its own receipt; absent: since before it started, or longer.
    pub since: Option<Timestamp>,
}

impl Statement {
    /// Whether it still holds, as far as is known: what is old says nothing about now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.told_to == ToldTo::Ourselves || matches!(self.freshness, Some(Freshness::Fresh | Freshness::Indirect))
    }
}

/// A link between two domains.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownLink {
    /// Its name.
    pub id: String,
    /// Its ends, by the names of the domains; absent: that domain discloses nothing of it.
    pub ends: [(OriginId, Option<Statement>); 2],
    /// A domain at one of its ends is not heard now: stale, unreachable, withdrawn, excluded, or never heard.
    pub one_is_silent: bool,
}

impl KnownLink {
    /// What its ends say that still holds.
    pub fn current(&self) -> impl Iterator<Item = &Statement> {
        self.ends.iter().filter_map(|(_, said)| said.as_ref()).filter(|said| said.is_current())
    }

    /// The worse of what its ends say that still holds; `unknown` if neither says anything, `one-sided` if one says that it is up and the
    /// domain at the other is silent.
    #[must_use]
    pub fn state(&self) -> &'static str {
        joined(self.current().map(|said| said.state.as_str()), self.one_is_silent)
    }

    /// The lower of what its ends say of a figure.
    pub fn least(&self, figure: impl Fn(&Statement) -> Option<f64>) -> Option<f64> {
        self.current().filter_map(figure).min_by(f64::total_cmp)
    }

    /// The end of a domain.
    #[must_use]
    pub fn end(&self, domain: &OriginId) -> Option<&Statement> {
        self.ends.iter().find(|(one, _)| one == domain)?.1.as_ref()
    }

    /// The domain at the other end; `None`: it does not end there.
    #[must_use]
    pub fn other(&self, domain: &OriginId) -> Option<&OriginId> {
        let [(one, _), (other, _)] = &self.ends;
        match domain {
            _ if domain == one => Some(other),
            _ if domain == other => Some(one),
            _ => None,
        }
    }
}

/// Links by name and ends.
#[derive(Clone, Debug, Default)]
pub struct KnownLinks {
    links: BTreeMap<(String, OriginId, OriginId), [Option<Statement>; 2]>,
    /// Domains that are not heard now.
    silent: BTreeSet<OriginId>,
}

impl KnownLinks {
    /// What a domain says of its end of a link. Of two sayings of one domain, the one that says more counts.
    pub fn add(&mut self, id: &str, speaker: &OriginId, other: &OriginId, said: Statement) {
        if speaker == other {
            return;
        }
        let first = speaker < other;
        let (one, two) = if first { (speaker, other) } else { (other, speaker) };
        let ends = self.links.entry((id.to_owned(), one.clone(), two.clone())).or_default();
        let end = &mut ends[usize::from(!first)];
        if end.as_ref().is_none_or(|known| known.told_to < said.told_to) {
            *end = Some(said);
        }
    }

    /// A domain is not heard now: what it said, or left out, says nothing about now.
    pub fn silent(&mut self, domain: OriginId) {
        self.silent.insert(domain);
    }

    /// All, by name.
    #[must_use]
    pub fn into_links(self) -> Vec<KnownLink> {
        let silent = self.silent;
        let link = |((id, one, two), [first, second]): ((String, OriginId, OriginId), [Option<Statement>; 2])| {
            let old = [&first, &second].into_iter().flatten().any(|said| !said.is_current());
            let one_is_silent = old || silent.contains(&one) || silent.contains(&two);
            KnownLink { id, ends: [(one, first), (two, second)], one_is_silent }
        };
        self.links.into_iter().map(link).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::federation) fn said(state: &str, rate: Option<f64>) -> Statement {
        Statement {
            state: state.into(),
            secret_key_rate_bps: rate,
            key_store_fill_ratio: None,
            told_to: ToldTo::Everybody,
            freshness: Some(Freshness::Fresh),
            age_ms: 10,
            since: None,
        }
    }

    fn add(links: &mut KnownLinks, speaker: &str, other: &str, said: Statement) {
        links.add("l", &speaker.into(), &other.into(), said);
    }

    #[test]
    fn both_ends_of_a_link_are_joined_and_the_worse_counts() {
        let mut links = KnownLinks::default();
        add(&mut links, "west", "east", said("up", Some(10.0)));
        add(&mut links, "east", "west", said("degraded", Some(8.0)));
        let links = links.into_links();
        assert_eq!((links.len(), links[0].state()), (1, "degraded"));
        assert_eq!(links[0].least(|said| said.secret_key_rate_bps), Some(8.0));
        assert_eq!(links[0].end(&"west".into()).unwrap().state, "up");
        assert_eq!(links[0].other(&"west".into()), Some(&"east".into()));
    }

    #[test]
    fn what_was_said_to_us_says_more_and_what_is_old_says_nothing_of_now() {
        let mut links = KnownLinks::default();
        add(&mut links, "west", "east", Statement { told_to: ToldTo::Us, ..said("up", Some(4_321.0)) });
        add(&mut links, "west", "east", said("up", Some(2_000.0)));
        assert_eq!(links.clone().into_links()[0].least(|said| said.secret_key_rate_bps), Some(4_321.0));
        let mut links = KnownLinks::default();
        add(&mut links, "west", "east", Statement { freshness: Some(Freshness::Stale), ..said("down", Some(1.0)) });
        let link = &links.clone().into_links()[0];
        assert_eq!((link.state(), link.least(|said| said.secret_key_rate_bps)), ("unknown", None));
        // Our own does not grow old.
        add(&mut links, "east", "west", Statement { freshness: None, told_to: ToldTo::Ourselves, ..said("up", None) });
        assert_eq!(links.into_links()[0].state(), "one-sided", "by our word alone");
        let mut none = KnownLinks::default();
        add(&mut none, "west", "west", said("up", None));
        assert!(none.into_links().is_empty());
    }

    #[test]
    fn no_link_is_up_by_the_word_of_one_end_while_the_domain_at_the_other_is_silent() {
        for silent in [Freshness::Stale, Freshness::Unreachable, Freshness::Withdrawn, Freshness::Excluded] {
            for (ours, expected) in
                [("up", "one-sided"), ("degraded", "degraded"), ("down", "down"), ("unknown", "unknown")]
            {
                let mut links = KnownLinks::default();
                add(&mut links, "east", "west", Statement { told_to: ToldTo::Ourselves, ..said(ours, None) });
                add(&mut links, "west", "east", Statement { freshness: Some(silent), ..said("up", None) });
                assert_eq!(links.into_links()[0].state(), expected, "{silent:?}");
            }
        }
        // Who has left says nothing of its end any more; who says nothing and is heard does not disclose it.
        let mut links = KnownLinks::default();
        add(&mut links, "east", "west", Statement { told_to: ToldTo::Ourselves, ..said("up", None) });
        assert_eq!(links.clone().into_links()[0].state(), "up");
        links.silent("west".into());
        assert_eq!(links.into_links()[0].state(), "one-sided");
    }
}
