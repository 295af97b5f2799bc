//! World `exchange-policy`: what of our domain's sections passes to an audience, and what of others' is shown.
//!
//! In: the sections of one audience of one domain, as JSON ([`Passing`]). Out: the same, with less in them. The manager
//! takes an answer that adds anything for a failed call, and then nothing passes at all. A policy keeps nothing between calls
//! but what it puts into [`Passing::memory`].

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exchange_policy::exports::qkdn::manager::exchange as wit;
use crate::{Description, Problem};

pub use wit::{Alias, Passage, Passed, Section};

/// A policy at the border of the domain, configured in a file of its own.
pub trait Exchange: Sized + 'static {
    /// The configuration: what the plugin's JSON Schema describes. `serde_json::Value` takes anything.
    type Config: DeserializeOwned;

    /// Name, version, summary and the schema of the configuration.
    fn describe() -> Description;

    /// Takes the configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it; the manager's configuration is then refused as a whole.
    fn configure(config: Self::Config) -> Result<Self, Vec<Problem>>;

    /// Leaves in `passing` what passes.
    fn pass(&self, passing: &mut Passing);
}

/// The way of the sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From our domain to others.
    Export,
    /// From others to those who look here.
    Import,
}

/// What is about to pass, to be changed in place.
#[derive(Clone, Debug, PartialEq)]
pub struct Passing {
    /// The manager's time in milliseconds since 1970-01-01 UTC.
    pub now: u64,
    /// Which way.
    pub direction: Direction,
    /// The domain that the sections speak of.
    pub domain: String,
    /// Whom they are for.
    pub audience: String,
    /// Names and contents. One that is removed does not pass.
    pub sections: Vec<(String, Value)>,
    /// Names and what they may be called instead.
    pub aliases: Vec<(String, String)>,
    /// What the last answer about this direction, domain and audience left here.
    pub memory: String,
}

impl Passing {
    /// From the contract's form. A section that is no JSON, which no manager sends, is left out.
    #[must_use]
    pub fn new(passage: Passage) -> Self {
        let read = |section: Section| Some((section.name, serde_json::from_str(&section.content).ok()?));
        Self {
            now: passage.now,
            // Only what is said to be import is: the other way is the careful one.
            direction: if passage.direction == "import" { Direction::Import } else { Direction::Export },
            domain: passage.domain,
            audience: passage.audience,
            sections: passage.sections.into_iter().filter_map(read).collect(),
            aliases: passage.aliases.into_iter().map(|one| (one.name, one.alias)).collect(),
            memory: passage.memory,
        }
    }

    /// The section with this name.
    pub fn section_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.sections.iter_mut().find(|(known, _)| known == name).map(|(_, content)| content)
    }

    /// The answer.
    #[must_use]
    pub fn finish(self) -> Passed {
        let written = |(name, content): (String, Value)| Section { name, content: content.to_string() };
        Passed { sections: self.sections.into_iter().map(written).collect(), memory: self.memory }
    }
}
