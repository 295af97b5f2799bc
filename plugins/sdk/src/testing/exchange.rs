//! Plays the manager for an exchange policy: keeps its memory by domain and audience, moves time on, and checks that an
//! answer only narrows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::exchange::{Alias, Exchange, Passage, Passing, Section};
use crate::{Problem, config};

/// A manager with one exchange policy.
pub struct ExchangeHost<P> {
    policy: P,
    now: u64,
    memories: BTreeMap<String, String>,
    /// Names, and what they may be called instead.
    pub aliases: Vec<(String, String)>,
}

impl<P: Exchange> ExchangeHost<P> {
    /// Configures the policy.
    ///
    /// # Errors
    /// What it finds wrong.
    pub fn new(config: &Value) -> Result<Self, Vec<Problem>> {
        let policy = P::configure(config::parse(&config.to_string())?)?;
        Ok(Self { policy, now: 1_700_000_000_000, memories: BTreeMap::new(), aliases: Vec::new() })
    }

    /// Time goes on.
    pub fn advance(&mut self, millis: u64) {
        self.now += millis;
    }

    /// The manager starts anew: what was remembered is gone.
    pub fn restart(&mut self) {
        self.memories.clear();
    }

    /// What passes to an audience, by section; null for one that does not.
    ///
    /// # Panics
    /// Where the manager would take the answer for a failed call.
    pub fn export(&mut self, audience: &str, sections: &Value) -> Value {
        self.pass("export", "ours", audience, sections)
    }

    /// What of another domain is shown.
    ///
    /// # Panics
    /// Where the manager would take the answer for a failed call.
    pub fn import(&mut self, domain: &str, audience: &str, sections: &Value) -> Value {
        self.pass("import", domain, audience, sections)
    }

    fn pass(&mut self, direction: &str, domain: &str, audience: &str, sections: &Value) -> Value {
        let asked = sections.as_object().unwrap_or_else(|| panic!("sections are an object by name"));
        let memory = self.memories.entry(format!("{direction} {domain} {audience}")).or_default();
        let section = |(name, content): (&String, &Value)| Section { name: name.clone(), content: content.to_string() };
        let alias = |(name, alias): &(String, String)| Alias { name: name.clone(), alias: alias.clone() };
        let mut passing = Passing::new(Passage {
            now: self.now,
            direction: direction.to_owned(),
            domain: domain.to_owned(),
            audience: audience.to_owned(),
            sections: asked.iter().map(section).collect(),
            aliases: self.aliases.iter().map(alias).collect(),
            memory: memory.clone(),
        });
        self.policy.pass(&mut passing);
        let answer = passing.finish();
        assert!(answer.memory.len() <= 256 << 10, "a memory of {} bytes", answer.memory.len());
        *memory = answer.memory;
        let mut passed = serde_json::Map::new();
        for Section { name, content } in answer.sections {
            let content: Value =
                serde_json::from_str(&content).unwrap_or_else(|error| panic!("section `{name}`: {error}"));
            let was = asked.get(&name).unwrap_or_else(|| panic!("section `{name}` was not in the question"));
            assert!(narrows(was, &content), "section `{name}` has more than it had: {was} became {content}");
            assert!(passed.insert(name, content).is_none(), "a section comes twice");
        }
        passed.into()
    }
}

fn narrows(was: &Value, is: &Value) -> bool {
    let (Some(was), Some(is)) = (was.as_object(), is.as_object()) else { return false };
    let kind = std::mem::discriminant::<Value>;
    is.iter().all(|(name, is)| was.get(name).is_some_and(|was| kind(was) == kind(is)))
}
