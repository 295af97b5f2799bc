//! Exchange policy `disclosure`: what of this domain others hear, and what of others is shown, narrowed by five options.
//!
//! In: the sections of an audience. Out: the same with less in them. In this order: groups that are too small (`groups`),
//! members that are left out (`redaction`), numbers in steps (`steps`), aliases for the names of links (`names`), and last the
//! delay (`delay`), so that what waits is what may be told. Every option is off unless it is configured.

mod config;
mod delay;
mod groups;
mod names;
mod redaction;
mod steps;

use qkdn_plugin::exchange::{Direction, Passing};
use qkdn_plugin::{Description, Exchange, Problem, log};
use serde::{Deserialize, Serialize};

use config::Settings;
pub use config::{BelowMinimum, Config, StepsConfig};

/// The policy.
pub struct Disclosure {
    settings: Settings,
}

/// What is remembered from call to call, as JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// What waits until it is old enough, and what is told meanwhile.
    waits: Vec<delay::Moment>,
    /// It was said that names have no aliases.
    said_nameless: bool,
}

impl Exchange for Disclosure {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "disclosure",
            env!("CARGO_PKG_VERSION"),
            "Leaves out, rounds, delays and renames what domains tell each other.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { settings: config.check()? })
    }

    fn pass(&self, passing: &mut Passing) {
        let Settings { groups, redaction, steps, pseudonyms, delay } = &self.settings;
        let mut memory: Memory = serde_json::from_str(&passing.memory).unwrap_or_default();
        if let Some(groups) = groups {
            groups.apply(passing);
        }
        redaction.apply(&mut passing.sections);
        steps.apply(passing);
        // Only the domain that a link belongs to gives it another name.
        if *pseudonyms && passing.direction == Direction::Export {
            let nameless = names::replace(passing);
            if nameless > 0 && !memory.said_nameless {
                let text = format!(
                    "{nameless} links are left out of what is told to {}: there is no alias for their names. Agree on \
                     `pseudonym_key` with that peer.",
                    passing.audience
                );
                log::warn(&text);
            }
            memory.said_nameless = nameless > 0;
        }
        if let Some(delay) = delay {
            passing.sections = delay.pass(&mut memory.waits, passing.now, std::mem::take(&mut passing.sections));
        }
        passing.memory = serde_json::to_string(&memory).unwrap_or_default();
    }
}

qkdn_plugin::register_exchange!(Disclosure);

#[cfg(test)]
mod tests;
