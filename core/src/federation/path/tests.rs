//! Paths by hand, and against trying all of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::federation::known_links::{KnownLinks, tests::said};

/// Links as `name one other state`; both ends say the same.
fn links(lines: &[&str]) -> Vec<KnownLink> {
    let mut links = KnownLinks::default();
    for line in lines {
        let [id, one, other, state] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        links.add(id, &one.into(), &other.into(), said(state, None));
        links.add(id, &other.into(), &one.into(), said(state, None));
    }
    links.into_links()
}

fn ids(path: &Path<'_>) -> String {
    path.hops.iter().map(|hop| hop.link.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_path_without_trouble_is_preferred_and_then_the_shortest() {
    let all = links(&["ab a b up", "bc b c degraded", "ad a d up", "de d e up", "ec e c up"]);
    let (a, c) = ("a".into(), "c".into());
    let found = find(&all, &a, &c).unwrap();
    assert_eq!((ids(&found.path).as_str(), found.path.state()), ("ad de ec", "up"));
    assert_eq!(ids(found.alternative.as_ref().unwrap()), "ab bc");
    assert!(found.shared.is_empty() && found.shared_domains.is_empty() && found.without_other_way.is_empty());
    let domains: Vec<&str> = found.path.hops.iter().map(|hop| hop.to.as_str()).collect();
    assert_eq!(domains, ["d", "e", "c"]);
    assert!(find(&all, &a, &"nowhere".into()).is_none());
    assert!(find(&all, &a, &a).is_none());
}

#[test]
fn what_every_path_needs_is_named() {
    let all = links(&["ab a b up", "bc1 b c up", "bc2 b c up"]);
    let (a, c) = ("a".into(), "c".into());
    let found = find(&all, &a, &c).unwrap();
    assert_eq!((ids(&found.path).as_str(), ids(found.alternative.as_ref().unwrap()).as_str()), ("ab bc1", "ab bc2"));
    assert_eq!((found.shared, found.without_other_way), (vec!["ab"], vec!["ab"]));
    assert_eq!(found.shared_domains, [&OriginId::from("b")]);
}

#[test]
fn a_path_that_is_down_is_shown_and_is_no_alternative() {
    let all = links(&["ab a b down", "bc b c up", "ac a c down"]);
    let (a, c) = ("a".into(), "c".into());
    let found = find(&all, &a, &c).unwrap();
    assert_eq!((ids(&found.path).as_str(), found.path.state()), ("ac", "down"));
    assert!(found.alternative.is_none() && found.without_other_way.is_empty());
}

#[test]
fn the_least_figure_is_told_with_what_is_not_known() {
    let mut known = KnownLinks::default();
    known.add("ab", &"a".into(), &"b".into(), said("up", Some(500.0)));
    known.add("ab", &"b".into(), &"a".into(), said("up", Some(400.0)));
    known.add("bc", &"b".into(), &"c".into(), said("up", None));
    known.add("cd", &"c".into(), &"d".into(), said("up", Some(900.0)));
    let all = known.into_links();
    let (a, d) = ("a".into(), "d".into());
    let found = find(&all, &a, &d).unwrap();
    let least = found.path.least(|said| said.secret_key_rate_bps);
    assert_eq!(least, Least { value: Some(400.0), link: Some("ab"), unknown: vec!["bc"] });
}

/// Every path on which no domain is twice, as numbers of links.
fn every(links: &[KnownLink], from: &OriginId, to: &OriginId) -> Vec<Vec<usize>> {
    fn go(
        links: &[KnownLink],
        at: &OriginId,
        to: &OriginId,
        seen: &mut Vec<OriginId>,
        way: &mut Vec<usize>,
        all: &mut Vec<Vec<usize>>,
    ) {
        if at == to {
            all.push(way.clone());
            return;
        }
        for (number, link) in links.iter().enumerate() {
            let Some(next) = link.other(at).filter(|next| !seen.contains(next)) else { continue };
            seen.push(next.clone());
            way.push(number);
            go(links, next, to, seen, way, all);
            way.pop();
            seen.pop();
        }
    }
    let mut all = Vec::new();
    go(links, from, to, &mut vec![from.clone()], &mut Vec::new(), &mut all);
    all
}

fn any_links() -> impl Strategy<Value = Vec<KnownLink>> {
    let one = (0_usize..6, 0_usize..6, prop::sample::select(vec!["up", "up", "degraded", "down", "unknown"]));
    prop::collection::vec(one, 1..10).prop_map(|all| {
        let mut links = KnownLinks::default();
        for (number, (one, other, state)) in all.into_iter().enumerate() {
            let name = |at: usize| OriginId::from(format!("d{at}").as_str());
            links.add(&format!("l{number}"), &name(one), &name(other), said(state, None));
        }
        links.into_links()
    })
}

proptest! {
    /// Against all paths there are.
    #[test]
    fn no_path_is_better_and_nothing_is_said_that_is_not_so(links in any_links()) {
        let (from, to) = (OriginId::from("d0"), OriginId::from("d1"));
        let all = every(&links, &from, &to);
        let count = |way: &[usize], state: &str| way.iter().filter(|at| links[**at].state() == state).count();
        let cost = |way: &[usize]| (count(way, "down"), count(way, "unknown"), count(way, "degraded"), way.len(), way.to_vec());
        let found = find(&links, &from, &to);
        let Some(best) = all.iter().min_by_key(|way| cost(way)) else {
            prop_assert!(found.is_none());
            return Ok(());
        };
        let found = found.unwrap();
        let numbers = |path: &Path<'_>| -> Vec<usize> {
            path.hops.iter().map(|hop| links.iter().position(|link| std::ptr::eq(link, hop.link)).unwrap()).collect()
        };
        prop_assert_eq!(&numbers(&found.path), best);
        // The other one shares as few links as any does, and is not the same.
        let usable: Vec<&Vec<usize>> = all.iter().filter(|way| count(way, "down") == 0).collect();
        let shared = |way: &[usize]| way.iter().filter(|at| best.contains(at)).count();
        let others: Vec<_> = usable.iter().filter(|way| **way != best).collect();
        let least = others.iter().map(|way| shared(way)).min();
        prop_assert_eq!(found.alternative.as_ref().map(|path| shared(&numbers(path))), least);
        prop_assert_eq!(found.shared.len(), least.unwrap_or(0));
        if let Some(other) = &found.alternative {
            prop_assert!(usable.contains(&&numbers(other)));
        }
        // What no path does without is what all have.
        let needed: BTreeSet<&str> = if count(best, "down") > 0 { BTreeSet::new() } else {
            best.iter().filter(|at| usable.iter().all(|way| way.contains(at))).map(|at| links[*at].id.as_str()).collect()
        };
        prop_assert_eq!(found.without_other_way.iter().copied().collect::<BTreeSet<_>>(), needed);
    }

    #[test]
    fn there_and_back_again_is_the_same_way(links in any_links()) {
        let (from, to) = (OriginId::from("d0"), OriginId::from("d1"));
        let way = |one: &OriginId, other: &OriginId| find(&links, one, other).map(|found| (found.path.hops.len(), found.path.state()));
        prop_assert_eq!(way(&from, &to), way(&to, &from));
    }
}
