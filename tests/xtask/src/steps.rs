//! Steps that are run one after the other, each announced and timed; a failed one does not keep the next from running,
//! so that one run shows all that is wrong.

use std::{process::Command, time::Instant};

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What was run, and how it went.
#[derive(Default)]
pub(crate) struct Steps(Vec<(&'static str, Outcome, f64)>);

impl Steps {
    /// Runs a command as one step; whether it succeeded.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) -> bool {
        println!("\n==> {name}: {}", shown(command));
        let started = Instant::now();
        let outcome = match command.status() {
            Ok(status) if status.success() => Outcome::Passed,
            Ok(status) => Outcome::Failed(status.to_string()),
            Err(error) => Outcome::Failed(format!("does not start: {error}")),
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.0.push((name, outcome, started.elapsed().as_secs_f64()));
        passed
    }

    /// Notes that a step was not run, aloud.
    pub(crate) fn skip(&mut self, name: &'static str, why: &str) {
        println!("\n==> {name}: SKIPPED, {why}");
        self.0.push((name, Outcome::Skipped(why.to_owned()), 0.0));
    }

    /// Prints what became of each step; whether none failed.
    pub(crate) fn summary(&self) -> bool {
        println!("\n==> summary");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, outcome, seconds) in &self.0 {
            let (word, more) = match outcome {
                Outcome::Passed => {
                    passed += 1;
                    ("ok", String::new())
                }
                Outcome::Failed(how) => {
                    failed += 1;
                    ("FAILED", format!("  ({how})"))
                }
                Outcome::Skipped(why) => {
                    skipped += 1;
                    ("SKIPPED", format!("  ({why})"))
                }
            };
            println!("{word:8} {seconds:7.1} s  {name}{more}");
        }
        println!("steps: {passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or(&program).to_owned();
    std::iter::once(program)
        .chain(command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_a_failure_and_the_rest_is_run() {
        let mut steps = Steps::default();
        assert!(!steps.run("fails", &mut Command::new("false")));
        assert!(!steps.run("is not there", &mut Command::new("there-is-no-such-program")));
        assert!(steps.run("passes", &mut Command::new("true")));
        assert_eq!(steps.0.len(), 3);
        assert!(!steps.summary());
    }

    #[test]
    fn what_is_skipped_is_no_failure() {
        let mut steps = Steps::default();
        steps.skip("python", "it is not installed");
        assert!(steps.summary());
    }
}
