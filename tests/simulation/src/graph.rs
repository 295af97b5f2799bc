//! Who is a neighbour of whom, in which area, with which role.

use std::collections::BTreeSet;

use crate::random::Random;

/// Kinds of graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everybody with everybody.
    Mesh,
    /// A ring, and random chords up to a mean degree.
    Ring(usize),
    /// One after the other.
    Chain,
    /// Areas of a few, meshed, with two aggregators each, meshed too.
    Areas(usize),
}

/// A graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Number of managers.
    pub size: usize,
    /// Pairs of neighbours, the lower first.
    pub edges: BTreeSet<(usize, usize)>,
    /// Area of each.
    pub areas: Vec<usize>,
    /// Whether each is an aggregator.
    pub aggregators: Vec<bool>,
    near: Vec<Vec<usize>>,
}

impl Graph {
    /// Draws one.
    #[must_use]
    pub fn new(size: usize, shape: Shape, random: &mut Random) -> Self {
        let mut edges = BTreeSet::new();
        let mut areas: Vec<usize> = (0..size).map(|_| random.index(3)).collect();
        let mut aggregators: Vec<bool> = (0..size).map(|_| random.percent(25)).collect();
        let pair = |one: usize, other: usize| (one.min(other), one.max(other));
        match shape {
            Shape::Mesh => edges.extend((0..size).flat_map(|one| (one + 1..size).map(move |other| (one, other)))),
            Shape::Chain => edges.extend((1..size).map(|other| (other - 1, other))),
            Shape::Ring(degree) => {
                edges.extend((0..size).map(|one| pair(one, (one + 1) % size)).filter(|(one, other)| one != other));
                let wanted = (size * degree / 2).min(size * (size - 1) / 2);
                while edges.len() < wanted {
                    let (one, other) = (random.index(size), random.index(size));
                    if one != other {
                        edges.insert(pair(one, other));
                    }
                }
            }
            Shape::Areas(each) => {
                areas = (0..size).map(|one| one / each).collect();
                aggregators = (0..size).map(|one| one % each < 2).collect();
                for one in 0..size {
                    for other in one + 1..size {
                        if areas[one] == areas[other] || (aggregators[one] && aggregators[other]) {
                            edges.insert((one, other));
                        }
                    }
                }
            }
        }
        let near = near(size, &edges);
        Self { size, edges, areas, aggregators, near }
    }

    /// Neighbours of one.
    pub fn of(&self, one: usize) -> impl Iterator<Item = usize> {
        self.near.get(one).into_iter().flatten().copied()
    }
}

/// Neighbours of each.
fn near(size: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    let mut near = vec![Vec::new(); size];
    for &(low, high) in edges {
        near[low].push(high);
        near[high].push(low);
    }
    near
}
