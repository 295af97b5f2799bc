//! A hundred seeds and the pinned ones: the ordinary run's share of the simulation. `cargo xtask simulate` runs more.

use qkdn_federation_simulation::{pinned::pinned, run::run, scenario::Options};

fn hold(seeds: impl Iterator<Item = (u64, Options)>) {
    for (seed, options) in seeds {
        let outcome = run(seed, options);
        assert!(
            outcome.violations.is_empty(),
            "seed {seed}: {:#?}\nagain: cargo xtask simulate --seed {seed} --managers {}",
            outcome.violations,
            options.managers
        );
        assert!(outcome.counts.steps > 1_000, "seed {seed} did something");
    }
}

#[test]
fn invariants_hold_for_the_pinned_seeds() {
    assert!(!pinned().is_empty());
    hold(pinned().into_iter());
}

#[test]
fn invariants_hold_for_a_hundred_seeds() {
    hold((0..100).map(|seed| (seed, Options { managers: 12, ..Options::default() })));
}

#[test]
fn invariants_hold_with_real_signatures() {
    hold((100..104).map(|seed| (seed, Options { managers: 5, real: true, ..Options::default() })));
}

#[test]
fn a_seed_repeats_itself() {
    let options = Options { managers: 8, ..Options::default() };
    let (one, other) = (run(7, options), run(7, options));
    assert_eq!((one.counts.steps, one.counts.bytes), (other.counts.steps, other.counts.bytes));
}
