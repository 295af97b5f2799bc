//! The project's own commands: `cargo xtask demo | test | ci | bench | fuzz | simulate | catalogue | openapi | dashboard`.
//!
//! Standard library only, so that it is built in a moment. Every command works from any folder of the repository, says
//! what it does before it does it, and ends with an exit code that a script can rely on: 0 good, 1 something failed, 2
//! the command line is wrong.

mod bench_plugins;
mod ci;
mod dashboard;
mod programs;
mod run_manager;
mod simulate;
mod steps;
mod test;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

  cargo xtask demo [ARGS...]   builds the manager and runs `qkdnm demo`: a network that reports, and what becomes of it
  cargo xtask test [ARGS...]   builds and runs every test; ARGS go to the test runner, such as a part of a test's name
  cargo xtask ci               what has to be clean: format, lints, documentation, licences, house rules
  cargo xtask bench [ARGS...]  builds with full optimisation and runs `qkdnm bench`; `bench plugins` builds plugins in all
                               languages that this machine has the tools for, and measures them too
  cargo xtask catalogue        writes wit/CATALOGUE.md and wit/catalogue.json from wit/catalogue.toml
  cargo xtask openapi          writes core/openapi.json, the description of the HTTP API, from the code
  cargo xtask dashboard        builds the dashboard from core/ui and tests it; needs Node.js, and Chromium for a part
  cargo xtask fuzz [SECONDS]   every fuzz target for SECONDS (20); needs cargo-fuzz and a nightly toolchain
  cargo xtask simulate [--seeds N] [--from K] [--managers M] [--seed S] [--measure [SIZE...]] [--mutants [NAME...]]
                               the federation's protocol in simulated networks: seeds with faults and liars, one seed
                               again, times and traffic, or whether each guard that is taken out is noticed

demo, test and bench install the target wasm32-unknown-unknown by rustup where it is missing.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let outcome = match command {
        "demo" => run_manager::demo(rest),
        "bench" => run_manager::bench(rest),
        "test" => test::test(rest),
        "ci" => ci::ci(),
        "dashboard" => dashboard::dashboard(),
        "openapi" => run_manager::openapi(),
        "catalogue" => run_manager::catalogue(),
        "fuzz" => test::fuzz(rest),
        "simulate" => simulate::simulate(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(true)
        }
        other => {
            eprintln!("error: there is no command `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
