//! Seeds that failed once, from `pinned-seeds.txt`: `seed managers why`, a line each.

use crate::scenario::Options;

/// All of them.
#[must_use]
pub fn pinned() -> Vec<(u64, Options)> {
    let lines = include_str!("../pinned-seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let seed = |line: &str| {
        let mut words = line.split_whitespace();
        let seed = words.next()?.parse().ok()?;
        let managers = words.next()?.parse().ok()?;
        Some((seed, Options { managers, ..Options::default() }))
    };
    lines.filter_map(seed).collect()
}
