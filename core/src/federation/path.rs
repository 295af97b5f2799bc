//! A path over domains: which links lead from one to another, and what is left if one of them fails.
//!
//! In: the links that are known here. Out: the best path, the best other one, and the links that no path does without. Best is what has
//! the fewest links that are down, then the fewest of which nobody says how they are, or one end alone while the other is silent, then the fewest degraded ones, then the fewest of
//! all; among equals the first by name, so that one question has one answer. Only what is disclosed is known: there may be others.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{
    known_links::{KnownLink, Statement},
    protocol::OriginId,
    section::ONE_SIDED,
};

/// A link of a path, and the domain that it is entered from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hop<'a> {
    /// The link.
    pub link: &'a KnownLink,
    /// Where it is entered.
    pub from: &'a OriginId,
    /// Where it leads.
    pub to: &'a OriginId,
}

/// A path, from its begin to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path<'a> {
    /// Its links.
    pub hops: Vec<Hop<'a>>,
}

/// The least figure of a path, and the links of which it is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Least<'a> {
    /// The least that is known; absent: none is.
    pub value: Option<f64>,
    /// The link with it.
    pub link: Option<&'a str>,
    /// Links of which nobody says it: with them it may be less.
    pub unknown: Vec<&'a str>,
}

impl<'a> Path<'a> {
    /// `down` if a link is, else `unknown` if of one nobody says how it is, else `one-sided` if of one a single end alone is known to be up,
    /// else `degraded` if one is, else `up`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let has = |state: &str| self.hops.iter().any(|hop| hop.link.state() == state);
        ["down", "unknown", ONE_SIDED, "degraded"].into_iter().find(|state| has(state)).unwrap_or("up")
    }

    /// The least of a figure over all links.
    #[must_use]
    pub fn least(&self, figure: impl Fn(&Statement) -> Option<f64>) -> Least<'a> {
        let mut least = Least::default();
        for hop in &self.hops {
            match hop.link.least(&figure) {
                Some(value) if least.value.is_none_or(|known| value < known) => {
                    (least.value, least.link) = (Some(value), Some(hop.link.id.as_str()));
                }
                Some(_) => {}
                None => least.unknown.push(hop.link.id.as_str()),
            }
        }
        least
    }

    fn has(&self, link: &KnownLink) -> bool {
        self.hops.iter().any(|hop| std::ptr::eq(hop.link, link))
    }

    fn passes(&self, domain: &OriginId) -> bool {
        self.hops.iter().any(|hop| hop.to == domain || hop.from == domain)
    }
}

/// What is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The best.
    pub path: Path<'a>,
    /// Another, over links that are not known to be down, that shares the fewest links with it, then the fewest domains on the way.
    pub alternative: Option<Path<'a>>,
    /// Links that both have.
    pub shared: Vec<&'a str>,
    /// Domains on the way that both have.
    pub shared_domains: Vec<&'a OriginId>,
    /// Links of the best without which no path is left that is not known to be down; empty if it has one that is down itself.
    pub without_other_way: Vec<&'a str>,
}

/// What a path costs, the weightiest first.
type Cost = [u32; 6];

fn plain(link: &KnownLink) -> Cost {
    let is = |state: &str| u32::from(link.state() == state);
    [0, 0, is("down"), is("unknown") + is(ONE_SIDED), is("degraded"), 1]
}

/// Paths from one domain to another; `None`: no links are known that lead there.
#[must_use]
pub fn find<'a>(links: &'a [KnownLink], from: &'a OriginId, to: &OriginId) -> Option<Found<'a>> {
    let all: Vec<&KnownLink> = links.iter().collect();
    let path = best(&all, from, to, |link, _| plain(link))?;
    let usable: Vec<&KnownLink> = all.into_iter().filter(|link| link.state() != "down").collect();
    let other = best(&usable, from, to, |link, next| {
        let [_, _, rest @ ..] = plain(link);
        let on_the_way = next != to && path.passes(next);
        let [down, unknown, degraded, hops] = rest;
        [u32::from(path.has(link)), u32::from(on_the_way), down, unknown, degraded, hops]
    });
    let alternative = other.filter(|other| other.hops.iter().any(|hop| !path.has(hop.link)));
    let shared_links = |other: &Path<'a>| -> Vec<&'a str> {
        other.hops.iter().filter(|hop| path.has(hop.link)).map(|hop| hop.link.id.as_str()).collect()
    };
    let shared_domains = |other: &Path<'a>| -> Vec<&'a OriginId> {
        other.hops.iter().map(|hop| hop.to).filter(|domain| *domain != to && path.passes(domain)).collect()
    };
    let needed = |hop: &&Hop<'a>| {
        let rest: Vec<&KnownLink> = usable.iter().copied().filter(|link| !std::ptr::eq(*link, hop.link)).collect();
        best(&rest, from, to, |link, _| plain(link)).is_none()
    };
    let works = path.state() != "down";
    let without_other_way = path.hops.iter().filter(|_| works).filter(needed).map(|hop| hop.link.id.as_str()).collect();
    Some(Found {
        shared: alternative.as_ref().map(shared_links).unwrap_or_default(),
        shared_domains: alternative.as_ref().map(shared_domains).unwrap_or_default(),
        alternative,
        without_other_way,
        path,
    })
}

/// The cheapest path (Dijkstra); among equals the one whose links come first. No cost is negative and every link has one, so no domain is
/// on it twice.
fn best<'a>(
    links: &[&'a KnownLink],
    from: &'a OriginId,
    to: &OriginId,
    cost: impl Fn(&KnownLink, &OriginId) -> Cost,
) -> Option<Path<'a>> {
    if from == to {
        return None;
    }
    let mut by_domain: BTreeMap<&OriginId, Vec<usize>> = BTreeMap::new();
    for (number, link) in links.iter().enumerate() {
        link.ends.iter().for_each(|(domain, _)| by_domain.entry(domain).or_default().push(number));
    }
    // Numbers of links are in the order of their names, so the way itself decides between equals.
    let mut next: BinaryHeap<Reverse<(Cost, Vec<usize>, &OriginId)>> =
        BinaryHeap::from([Reverse(([0; 6], vec![], from))]);
    let mut done: BTreeMap<&OriginId, ()> = BTreeMap::new();
    while let Some(Reverse((so_far, way, at))) = next.pop() {
        if at == to {
            return Some(walk(links, &way, from));
        }
        if done.insert(at, ()).is_some() {
            continue;
        }
        for number in by_domain.get(at).into_iter().flatten() {
            let Some((link, other)) = links.get(*number).and_then(|link| Some((link, link.other(at)?))) else {
                continue;
            };
            if done.contains_key(other) {
                continue;
            }
            let step = cost(link, other);
            let total = std::array::from_fn(|at| so_far[at] + step[at]);
            let longer = way.iter().copied().chain([*number]).collect();
            next.push(Reverse((total, longer, other)));
        }
    }
    None
}

fn walk<'a>(links: &[&'a KnownLink], way: &[usize], from: &'a OriginId) -> Path<'a> {
    let mut at = from;
    let mut hops = Vec::with_capacity(way.len());
    for link in way.iter().filter_map(|number| links.get(*number)) {
        let Some(to) = link.other(at) else { break };
        hops.push(Hop { link, from: at, to });
        at = to;
    }
    Path { hops }
}

#[cfg(test)]
mod tests;
