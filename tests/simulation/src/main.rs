//! Runs seeds of the simulation and tells which fail. `cargo xtask simulate` builds and starts it.

use qkdn_federation_simulation::{run::run, scenario::Options};

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut failed = 0;
    for seed in 0..count {
        let outcome = run(seed, Options::default());
        if !outcome.violations.is_empty() {
            failed += 1;
            println!("seed {seed}: {:?}", outcome.violations.first());
        }
    }
    println!("{failed} of {count} failed");
}
