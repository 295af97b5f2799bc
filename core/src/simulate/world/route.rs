//! Routes: which links serve, and the ways that keys take over them.
//!
//! A controller prefers few hops over links that make many keys; a link that makes none serves from its store where there is no
//! other way, until that is empty.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::faults::Condition;
use crate::simulate::description::Plan;

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It makes keys.
    Live,
    /// It makes none, and has some.
    Stored,
    /// It has none.
    Empty,
    /// A key manager at its ends does not work.
    Unmanaged,
}

impl Standing {
    /// A store below this is empty; it serves again above `ENOUGH`.
    const LITTLE: f64 = 0.01;
    /// See `LITTLE`.
    const ENOUGH: f64 = 0.05;

    pub(super) fn next(self, managed: bool, rate_bps: f64, fill: f64) -> Self {
        if !managed {
            return Self::Unmanaged;
        }
        if rate_bps > 0.0 {
            return Self::Live;
        }
        let enough = if self == Self::Empty { Self::ENOUGH } else { Self::LITTLE };
        if fill >= enough { Self::Stored } else { Self::Empty }
    }

    const fn serves(self) -> bool {
        matches!(self, Self::Live | Self::Stored)
    }
}

/// What a change of the network did to the routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Demands that go another way.
    pub(super) moved: u64,
    /// Demands that have no way any more.
    pub(super) lost: u64,
}

/// The way of each demand: links from its first node to its second.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    known: Option<(Vec<Standing>, Vec<bool>)>,
    ways: Vec<Option<Vec<usize>>>,
}

impl Routes {
    /// The links of a demand's way.
    #[must_use]
    pub fn way(&self, demand: usize) -> Option<&[usize]> {
        self.ways.get(demand).and_then(Option::as_deref)
    }

    /// Demands that have a way.
    #[must_use]
    pub fn active(&self) -> usize {
        self.ways.iter().flatten().count()
    }

    /// Finds new ways where anything changed that matters.
    pub(super) fn follow(&mut self, plan: &Plan, standing: &[Standing], conditions: &[Condition]) -> Changed {
        let works = |component: usize| conditions.get(component).is_some_and(Condition::works);
        let nodes: Vec<bool> = plan.nodes.iter().map(|node| works(node.key_manager)).collect();
        if self.known.as_ref().is_some_and(|(links, known)| links == standing && *known == nodes) {
            return Changed::default();
        }
        let is_first = self.known.is_none();
        let before = std::mem::take(&mut self.ways);
        let mut changed = Changed::default();
        let mut trees: Vec<Option<Vec<Option<usize>>>> = vec![None; plan.nodes.len()];
        for (number, demand) in plan.demands.iter().enumerate() {
            let way = trees.get_mut(demand.from).and_then(|slot| {
                let tree = slot.get_or_insert_with(|| tree(plan, standing, &nodes, demand.from));
                walk(plan, tree, demand.from, demand.to)
            });
            let former = before.get(number).and_then(Option::as_ref);
            if !is_first && way.as_ref() != former {
                match way {
                    Some(_) => changed.moved += 1,
                    None => changed.lost += 1,
                }
            }
            self.ways.push(way);
        }
        self.known = Some((standing.to_vec(), nodes));
        changed
    }
}

/// What a hop costs.
fn cost(plan: &Plan, standing: &[Standing], link: usize) -> Option<u64> {
    /// A link that makes so many keys costs twice as much as one that makes very many.
    const FAST_BPS: f64 = 50_000.0;
    const HOP: u64 = 1_000;
    const STORED: u64 = 1_000_000;
    let rates = plan.links.get(link).map(|link| link.healthy_rate_bps)?;
    let slow = (1_000.0 * FAST_BPS / rates.max(1.0)).min(5_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 5000")]
    let hop = HOP + slow as u64;
    match standing.get(link) {
        Some(Standing::Live) => Some(hop),
        Some(Standing::Stored) => Some(hop + STORED),
        _ => None,
    }
}

/// Dijkstra's tree: for each node the link towards `root`.
fn tree(plan: &Plan, standing: &[Standing], nodes: &[bool], root: usize) -> Vec<Option<usize>> {
    let works = |node: usize| nodes.get(node).copied().unwrap_or(false);
    let mut towards = vec![None; plan.nodes.len()];
    let mut best = vec![u64::MAX; plan.nodes.len()];
    let mut open = BinaryHeap::new();
    if works(root) {
        if let Some(own) = best.get_mut(root) {
            *own = 0;
        }
        open.push(Reverse((0, root)));
    }
    while let Some(Reverse((far, node))) = open.pop() {
        if best.get(node).is_none_or(|best| far > *best) {
            continue;
        }
        let links = plan.nodes.get(node).map(|node| node.links.as_slice()).unwrap_or_default();
        for &link in links.iter().filter(|link| standing.get(**link).is_some_and(|it| it.serves())) {
            let Some((cost, next)) = cost(plan, standing, link).zip(other_end(plan, link, node)) else { continue };
            let through = far + cost;
            if works(next) && best.get(next).is_some_and(|best| through < *best) {
                if let (Some(best), Some(towards)) = (best.get_mut(next), towards.get_mut(next)) {
                    *best = through;
                    *towards = Some(link);
                }
                open.push(Reverse((through, next)));
            }
        }
    }
    towards
}

/// The other node of a link.
pub(super) fn other_end(plan: &Plan, link: usize, node: usize) -> Option<usize> {
    let [a, b] = plan.links.get(link)?.ends;
    Some(if a == node { b } else { a })
}

/// The way from the root of a tree to a node.
fn walk(plan: &Plan, tree: &[Option<usize>], root: usize, to: usize) -> Option<Vec<usize>> {
    let (mut way, mut node) = (Vec::new(), to);
    while node != root {
        let link = (*tree.get(node)?)?;
        way.push(link);
        node = other_end(plan, link, node)?;
    }
    way.reverse();
    Some(way)
}
