//! Runs seeds of the simulation and tells which fail. `cargo xtask simulate` builds and starts it.

use qkdn_federation_simulation::{run::run, scenario::Options};

fn main() {
    let arg = |n: usize| std::env::args().nth(n).and_then(|text| text.parse::<u64>().ok());
    let (from, count) = (arg(1).unwrap_or(0), arg(2).unwrap_or(100));
    let mut failed = 0;
    for seed in from..from + count {
        let outcome = run(seed, Options { logged: count == 1, ..Options::default() });
        if !outcome.violations.is_empty() {
            failed += 1;
            println!("seed {seed}: {:?}", outcome.violations.first());
        }
        if count == 1 {
            outcome.log.iter().for_each(|line| println!("{}", line.chars().take(260).collect::<String>()));
        }
    }
    println!("{failed} of {count} failed");
}
