//! How domains are connected, as far as it can be seen from here, and whose loss would cut others off from us.
//!
//! In: connections of managers, each with how it is known. Out: how far each domain is, and for each domain that is a
//! bottleneck, which others are reached through it alone. Nobody tells everybody of its connections: of neighbours that tell us theirs we know
//! all, of others some. So it is told of a bottleneck whether there can be no way round it, or none is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::protocol::OriginId;

/// How a connection is known; the better evidence is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It is in our configuration, and there is no session.
    Configured,
    /// A document came that way, by the word of those who relayed it.
    Way,
    /// A neighbour says that it has the session.
    Told,
    /// We have the session.
    Session,
}

impl Evidence {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Way => "way",
            Self::Told => "told",
            Self::Session => "session",
        }
    }
}

/// Connections between domains.
#[derive(Clone, Debug)]
pub struct Graph {
    me: OriginId,
    connections: BTreeMap<(OriginId, OriginId), Evidence>,
    /// Of these all connections are known.
    whole: BTreeSet<OriginId>,
}

/// A domain whose loss would leave others without a way to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bottleneck<'a> {
    /// Which.
    pub domain: &'a OriginId,
    /// The others.
    pub cuts_off: BTreeSet<&'a OriginId>,
    /// Whether there can be no way round it: of all on our side of it every connection is known.
    pub certain: bool,
}

impl Graph {
    /// Seen from a domain.
    #[must_use]
    pub fn from(me: OriginId) -> Self {
        Self { whole: [me.clone()].into(), me, connections: BTreeMap::new() }
    }

    /// A domain tells us all of its connections.
    pub fn tells_all(&mut self, domain: &OriginId) {
        self.whole.insert(domain.clone());
    }

    /// Whether all connections of a domain are known.
    #[must_use]
    pub fn is_known_whole(&self, domain: &OriginId) -> bool {
        self.whole.contains(domain)
    }

    /// Adds a connection, or better evidence of it.
    pub fn add(&mut self, one: &OriginId, other: &OriginId, evidence: Evidence) {
        if one == other {
            return;
        }
        let ends = if one < other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) };
        let known = self.connections.entry(ends).or_insert(evidence);
        *known = (*known).max(evidence);
    }

    /// All connections.
    pub fn connections(&self) -> impl Iterator<Item = (&OriginId, &OriginId, Evidence)> {
        self.connections.iter().map(|((one, other), evidence)| (one, other, *evidence))
    }

    /// How many connections away each domain is that can be reached over connections that are up.
    #[must_use]
    pub fn distances(&self) -> BTreeMap<&OriginId, u32> {
        self.reached(&self.neighbours(), None)
    }

    /// Domains whose loss would leave others without a way to us, each with those.
    #[must_use]
    pub fn bottlenecks(&self) -> Vec<Bottleneck<'_>> {
        let neighbours = self.neighbours();
        let all = self.reached(&neighbours, None);
        let cut_off = |without: &OriginId| {
            let left = self.reached(&neighbours, Some(without));
            all.keys().copied().filter(|one| *one != without && !left.contains_key(one)).collect::<BTreeSet<_>>()
        };
        // Who has one connection only is on nobody's way.
        let on_a_way = |one: &&OriginId| **one != self.me && neighbours.get(*one).is_some_and(|next| next.len() > 1);
        let candidates = all.keys().copied().filter(on_a_way);
        let bottleneck = |domain| {
            let cuts_off = cut_off(domain);
            // A way round begins at somebody on our side, with a connection that is not known.
            let mut on_our_side = all.keys().filter(|one| **one != domain && !cuts_off.contains(*one));
            let certain = on_our_side.all(|one| self.whole.contains(*one));
            Bottleneck { domain, cuts_off, certain }
        };
        candidates.map(bottleneck).filter(|one| !one.cuts_off.is_empty()).collect()
    }

    fn neighbours(&self) -> BTreeMap<&OriginId, Vec<&OriginId>> {
        let mut neighbours: BTreeMap<&OriginId, Vec<&OriginId>> = BTreeMap::new();
        for (one, other, evidence) in self.connections() {
            if evidence > Evidence::Configured {
                neighbours.entry(one).or_default().push(other);
                neighbours.entry(other).or_default().push(one);
            }
        }
        neighbours
    }

    fn reached<'a>(
        &'a self,
        neighbours: &BTreeMap<&'a OriginId, Vec<&'a OriginId>>,
        without: Option<&OriginId>,
    ) -> BTreeMap<&'a OriginId, u32> {
        let mut reached = BTreeMap::from([(&self.me, 0)]);
        let mut next = VecDeque::from([(&self.me, 0)]);
        while let Some((at, distance)) = next.pop_front() {
            for one in neighbours.get(at).into_iter().flatten().filter(|one| Some(**one) != without) {
                if !reached.contains_key(one) {
                    reached.insert(one, distance + 1);
                    next.push_back((one, distance + 1));
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(connections: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::from("me".into());
        connections.iter().for_each(|(one, other)| graph.add(&(*one).into(), &(*other).into(), Evidence::Told));
        graph
    }

    fn bottlenecks(graph: &Graph) -> Vec<String> {
        let told = graph.bottlenecks();
        let cut = |cut: &BTreeSet<&OriginId>| cut.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        told.iter().map(|one| format!("{}: {}", one.domain, cut(&one.cuts_off))).collect()
    }

    #[test]
    fn who_is_the_only_way_to_others_is_named() {
        let chain = graph(&[("me", "a"), ("a", "b"), ("b", "c")]);
        assert_eq!(bottlenecks(&chain), ["a: b c", "b: c"]);
        assert_eq!(chain.distances()[&OriginId::from("c")], 3);
        assert!(bottlenecks(&graph(&[("me", "a"), ("a", "b"), ("b", "c"), ("c", "me")])).is_empty());
        let two_ways_and_a_tail = graph(&[("me", "a"), ("me", "b"), ("a", "c"), ("b", "c"), ("c", "d")]);
        assert_eq!(bottlenecks(&two_ways_and_a_tail), ["c: d"]);
    }

    #[test]
    fn there_can_be_no_way_round_only_where_all_on_our_side_tell_all_their_connections() {
        let mut graph = graph(&[("me", "a"), ("me", "b"), ("b", "w"), ("a", "c"), ("c", "d")]);
        let certain = |graph: &Graph| -> Vec<(String, bool)> {
            graph.bottlenecks().iter().map(|one| (one.domain.to_string(), one.certain)).collect()
        };
        let all = |a, b, c| vec![("a".to_owned(), a), ("b".to_owned(), b), ("c".to_owned(), c)];
        assert_eq!(certain(&graph), all(false, false, false));
        graph.tells_all(&"b".into());
        graph.tells_all(&"a".into());
        // W, of which only one connection is known, may have one with c or d; and c and d with w.
        assert_eq!(certain(&graph), all(false, false, false));
        graph.tells_all(&"w".into());
        assert_eq!(certain(&graph), all(true, false, true), "c and d may have one with w, but w would tell");
        graph.tells_all(&"c".into());
        assert_eq!(certain(&graph), all(true, false, true), "d may have one with w");
        graph.tells_all(&"d".into());
        assert_eq!(certain(&graph), all(true, true, true));
    }

    #[test]
    fn what_is_only_configured_is_no_way_and_better_evidence_stays() {
        let mut graph = graph(&[("me", "a")]);
        graph.add(&"a".into(), &"b".into(), Evidence::Configured);
        assert!(bottlenecks(&graph).is_empty() && !graph.distances().contains_key(&OriginId::from("b")));
        graph.add(&"b".into(), &"a".into(), Evidence::Way);
        assert_eq!(bottlenecks(&graph), ["a: b"]);
        graph.add(&"me".into(), &"a".into(), Evidence::Session);
        graph.add(&"a".into(), &"me".into(), Evidence::Way);
        assert!(graph.connections().any(|(_, _, evidence)| evidence == Evidence::Session));
    }

    proptest! {
        #[test]
        fn a_ring_has_none_and_every_connection_more_takes_none_in(
            size in 3_usize..12, more in prop::collection::vec((0_usize..12, 0_usize..12), 0..10)
        ) {
            let name = |number: usize| if number == 0 { "me".into() } else { OriginId::from(format!("d{number}").as_str()) };
            let mut graph = Graph::from("me".into());
            (0..size).for_each(|at| graph.add(&name(at), &name((at + 1) % size), Evidence::Told));
            more.iter().for_each(|(one, other)| graph.add(&name(one % size), &name(other % size), Evidence::Way));
            prop_assert!(graph.bottlenecks().is_empty());
            prop_assert_eq!(graph.distances().len(), size);
        }
    }
}
