//! Runs seeds of the simulation and tells which fail. `cargo xtask simulate` builds and starts it.

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use qkdn_federation_simulation::{
    measure,
    pinned::pinned,
    run::{Outcome, run},
    scenario::Options,
};

const HELP: &str = "\
simulate-federation [--seeds N] [--from K] [--managers M] [--exact] [--real] [--until-failure] [--no-pinned] [--jobs J]
simulate-federation --seed S [--managers M] [--exact]    one seed again, with what happened last
simulate-federation --measure [SIZE...]                  times and traffic against the formulas";

#[derive(Default)]
struct Arguments {
    seeds: u64,
    from: u64,
    only: Option<u64>,
    options: Options,
    until_failure: bool,
    without_pinned: bool,
    measure: Option<Vec<usize>>,
    jobs: Option<usize>,
}

fn arguments() -> Result<Arguments, String> {
    let mut given = Arguments { seeds: 200, ..Arguments::default() };
    let mut words = std::env::args().skip(1).peekable();
    let number = |name: &str, word: Option<String>| {
        let word = word.unwrap_or_default();
        word.parse::<u64>().map_err(|_| format!("{name}: expected a number, found `{word}`\n{HELP}"))
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => given.seeds = number(&word, words.next())?,
            "--from" => given.from = number(&word, words.next())?,
            "--seed" => given.only = Some(number(&word, words.next())?),
            "--managers" => given.options.managers = usize::try_from(number(&word, words.next())?).unwrap_or(30),
            "--exact" => given.options.exact = true,
            "--real" => given.options.real = true,
            "--jobs" => given.jobs = usize::try_from(number(&word, words.next())?).ok(),
            "--until-failure" => given.until_failure = true,
            "--no-pinned" => given.without_pinned = true,
            "--measure" => {
                let sizes: Vec<usize> = words.by_ref().filter_map(|word| word.parse().ok()).collect();
                given.measure = Some(if sizes.is_empty() { vec![10, 30, 100] } else { sizes });
            }
            other => return Err(format!("`{other}` is not understood\n{HELP}")),
        }
    }
    Ok(given)
}

/// Runs seeds on all processors; those that failed.
fn run_all(seeds: &[(u64, Options)], jobs: Option<usize>, rest: &mut Vec<f64>) -> Vec<(Outcome, Options)> {
    let next = AtomicU64::new(0);
    let (failed, ratios) = (Mutex::new(Vec::new()), Mutex::new(rest));
    let threads = jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((seed, options)) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let outcome = run(*seed, *options);
                    let ratio = outcome.traffic.map(|traffic| traffic.sent as f64 / traffic.foretold as f64);
                    ratios.lock().unwrap_or_else(PoisonError::into_inner).extend(ratio);
                    if !outcome.violations.is_empty() {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((outcome, *options));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn report(failed: &[(Outcome, Options)]) {
    for (outcome, options) in failed {
        let exact = if options.exact { " --exact" } else { "" };
        println!("seed {} FAILED: {}", outcome.seed, outcome.violations.first().map_or("", String::as_str));
        println!("  again: cargo xtask simulate --seed {} --managers {}{exact}", outcome.seed, options.managers);
    }
}

fn again(seed: u64, options: Options) -> ExitCode {
    let outcome = run(seed, Options { logged: true, ..options });
    outcome.log.iter().for_each(|line| println!("{line}"));
    println!("{} steps, {} bytes", outcome.counts.steps, outcome.counts.bytes);
    if let Some(traffic) = outcome.traffic {
        println!("at rest {traffic:?}");
    }
    outcome.violations.iter().for_each(|violation| println!("VIOLATION {violation}"));
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let given = match arguments() {
        Ok(given) => given,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    if let Some(sizes) = given.measure {
        measure::table(&sizes);
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = given.only {
        return again(seed, given.options);
    }
    let started = Instant::now();
    let mut failures = 0;
    if !given.without_pinned {
        let failed = run_all(&pinned(), given.jobs, &mut Vec::new());
        report(&failed);
        failures += failed.len();
        println!("pinned seeds: {} of {} failed", failed.len(), pinned().len());
    }
    let until = given.from + given.seeds;
    let mut at = given.from;
    let mut rest = Vec::new();
    while at < until && !(given.until_failure && failures > 0) {
        // What was done is told every so often: a run can be ended and taken up again from there.
        let end = (at + if given.options.managers > 30 { 10 } else { 50 }).min(until);
        let seeds: Vec<(u64, Options)> = (at..end).map(|seed| (seed, given.options)).collect();
        let failed = run_all(&seeds, given.jobs, &mut rest);
        report(&failed);
        failures += failed.len();
        at = end;
        println!(
            "{at} of {until} done, {failures} failed, {:.0} s; go on with --from {at}",
            started.elapsed().as_secs_f64()
        );
    }
    rest.sort_unstable_by(f64::total_cmp);
    if let (Some(median), Some(most)) = (rest.get(rest.len() / 2), rest.last()) {
        let count = rest.len();
        println!("sent at rest against what was foretold, {count} runs: median {median:.2}, most {most:.2}");
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
