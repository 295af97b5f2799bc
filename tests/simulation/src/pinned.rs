//! Seeds that failed once, from `pinned-seeds.txt`: `seed managers why`, a line each; `why` begins with `withdrawals` where these belong to it.

use crate::scenario::Options;

/// All of them.
#[must_use]
pub fn pinned() -> Vec<(u64, Options)> {
    let lines = include_str!("../pinned-seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let seed = |line: &str| {
        let mut words = line.split_whitespace();
        let seed = words.next()?.parse().ok()?;
        let managers = words.next()?.parse().ok()?;
        let withdrawals = words.next() == Some("withdrawals");
        Some((seed, Options { managers, withdrawals, ..Options::default() }))
    };
    lines.filter_map(seed).collect()
}
