//! Which domains are behind one that is silent: of these nothing comes, and nobody complains about them.
//!
//! In: the state machine and who our peers are. Out: how domains are told, and through whom they are known. What makes a way silent is
//! decided in `federation/known_through`.

use std::collections::BTreeMap;

use super::driver::Core;
use crate::{
    api::views::{DomainView, KnownThroughView},
    federation::{
        known_through::{InSum, OnTheWay, best_sum, silent_way, told_behind},
        protocol::{Freshness, OriginId, Standing},
    },
};

impl Core {
    fn on_the_way(&self, domain: &OriginId) -> OnTheWay {
        let now = self.now().mono;
        OnTheWay {
            standing: self.node.standing(domain, now),
            heard_before_ms: self.node.heard_before(domain, now),
            is_peer: self.membership.peers.contains_key(domain),
        }
    }

    /// By whom the newest of a domain came. By nobody of a peer: there is a way to it, on which it does not answer.
    fn way_of<'a>(&'a self, domain: &'a OriginId) -> &'a [OriginId] {
        if self.membership.peers.contains_key(domain) {
            return &[];
        }
        let now = self.now().mono;
        let documents = self.node.documents_of_its_life(domain).map(|(_, held)| held);
        documents.min_by_key(|held| (held.manifest.leaving, held.age(now))).map_or(&[], |newest| &newest.via)
    }

    /// Whether a domain is heard by way of others alone.
    fn is_relayed(&self, domain: &OriginId) -> bool {
        !self.way_of(domain).is_empty()
    }

    /// The silent domain through which alone this one is known.
    pub(super) fn silent_way(&self, domain: &OriginId) -> Option<OriginId> {
        let seen = self.node.standing(domain, self.now().mono)?.freshness;
        silent_way(seen, self.way_of(domain), |one| self.on_the_way(one)).cloned()
    }

    /// Both of it.
    pub(super) fn way(&self, domain: &OriginId) -> Way {
        Way { relayed: self.is_relayed(domain), silent: self.silent_way(domain) }
    }

    /// How a domain is told, and the silent one that it is behind.
    pub(super) fn told(&self, domain: &OriginId) -> (Option<Standing>, Option<OriginId>) {
        let standing = self.node.standing(domain, self.now().mono);
        let way = self.silent_way(domain);
        let told = |seen: Standing| match way {
            Some(_) => Standing { freshness: told_behind(seen.freshness), ..seen },
            None => seen,
        };
        (standing.map(told), way)
    }
}

/// The way to a domain, for those who tell of it.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// It is heard by way of others alone: what is silent may be one of these, and show it later.
    pub(super) relayed: bool,
    /// The silent one on it.
    pub(super) silent: Option<OriginId>,
}

/// A domain of which nothing comes because another is silent.
pub(super) fn behind(way: &OriginId) -> KnownThroughView {
    KnownThroughView {
        domain: way.to_string(),
        state: None,
        max_age_ms: None,
        heard: false,
        text: format!("known only through {way}, which is not heard"),
    }
}

fn in_sum(one: &InSum<'_>) -> KnownThroughView {
    let text = if one.is_heard {
        format!("known only through the sum of {}, which tells it as {}", one.aggregator, one.state)
    } else {
        format!("known only through {}, which is not heard", one.aggregator)
    };
    KnownThroughView {
        domain: one.aggregator.to_owned(),
        state: Some(one.state.to_owned()),
        max_age_ms: one.max_age_ms,
        heard: one.is_heard,
        text,
    }
}

/// Domains that tell us nothing and are in the sum of an aggregator are told as that sees them.
pub(super) fn tell_of_sums(domains: &mut [DomainView]) {
    let mut told: BTreeMap<String, (String, KnownThroughView)> = BTreeMap::new();
    let says_nothing = |one: &&DomainView| {
        let is_silent_here = one.freshness == super::desk::UNHEARD || one.freshness == Freshness::Withdrawn.as_str();
        is_silent_here && !one.own && one.documents.iter().all(|document| document.sections.is_empty())
    };
    for one in domains.iter().filter(says_nothing) {
        let sums = domains.iter().flat_map(|by| by.rollups.iter().map(move |rollup| (by, rollup)));
        let sources = sums.flat_map(|(by, rollup)| rollup.sources.iter().map(move |source| (by, rollup, source)));
        let all = sources.filter(|(_, _, source)| source.domain == one.domain).map(|(by, rollup, source)| InSum {
            aggregator: &rollup.aggregator,
            is_heard: [Freshness::Fresh, Freshness::Indirect].iter().any(|seen| seen.as_str() == by.freshness),
            state: &source.state,
            max_age_ms: source.max_age_ms,
        });
        if let Some(best) = best_sum(all) {
            told.insert(one.domain.clone(), (best.freshness().to_owned(), in_sum(&best)));
        }
    }
    for one in domains {
        if let Some((freshness, through)) = told.remove(&one.domain) {
            one.age_ms = through.max_age_ms.unwrap_or(one.age_ms);
            (one.freshness, one.known_through) = (freshness, Some(through));
        }
    }
}
