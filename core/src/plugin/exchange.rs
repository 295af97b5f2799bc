//! An exchange policy, loaded, and its instances: what of a domain's sections passes the border.
//!
//! In: the sections of one audience of one domain, as JSON. Out: the same, with less in them. Whether an answer only
//! narrows is found out here, once for all plugins; what may be told at all is not known here.

use std::sync::Arc;

use serde_json::Value;

use super::{
    PluginDescription, PluginError, PluginFailure,
    host::{self, Identity, Loading},
    meter::Meter,
    setup::Setup,
    wasm::wit::types::{Description, Problem},
};
use crate::config::limits;

/// Which way sections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Out of our domain.
    Export,
    /// From another domain to those who look here.
    Import,
}

impl Direction {
    /// As in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Import => "import",
        }
    }
}

/// WIT `exchange.passage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The manager's time, milliseconds since 1970.
    pub now: u64,
    /// Which way.
    pub direction: Direction,
    /// Whose sections they are.
    pub domain: String,
    /// Whom they are for.
    pub audience: String,
    /// Names, and contents as JSON text.
    pub sections: Vec<(String, String)>,
    /// Names of links, and what they may be called instead.
    pub aliases: Vec<(String, String)>,
    /// What the last answer about the same left.
    pub memory: String,
}

/// WIT `exchange.passed`, as the guest told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Names, and contents as JSON text.
    pub sections: Vec<(String, String)>,
    /// To be given with the next question.
    pub memory: String,
}

/// What passed, found to be no more than there was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Narrowed {
    /// Names and contents.
    pub sections: Vec<(String, Value)>,
    /// To be given with the next question.
    pub memory: String,
}

/// One instance of an exchange policy: the functions of WIT `exchange`. After a failed call it is of no more use.
pub(super) trait ExchangeGuest: Send {
    /// What the plugin says about itself.
    fn describe(&mut self) -> Result<Description, PluginFailure>;
    /// Takes the configuration as JSON text.
    fn configure(&mut self, config: &str) -> Result<Result<(), Vec<Problem>>, PluginFailure>;
    /// Its answer, not checked yet.
    fn pass(&mut self, passage: &Passage) -> Result<Passed, PluginFailure>;
    /// Bytes of linear memory that it has.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// Makes instances.
pub(super) type StartExchange = Box<dyn Fn(&Setup) -> Result<Box<dyn ExchangeGuest>, PluginFailure> + Send + Sync>;

/// An exchange policy that was compiled, configured once and found to be in order.
pub struct LoadedExchange {
    loading: Loading,
    description: PluginDescription,
    start: StartExchange,
}

impl std::fmt::Debug for LoadedExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedExchange")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl LoadedExchange {
    pub(super) fn load(loading: Loading, start: StartExchange) -> Result<Arc<Self>, PluginError> {
        let mut trial = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        let told = trial.describe().map_err(|failure| loading.failed("describe", failure))?;
        let description = loading.described(told)?;
        let answer = trial.configure(&loading.config_text).map_err(|failure| loading.failed("configure", failure))?;
        loading.configured(answer)?;
        Ok(Arc::new(Self { loading, description, start }))
    }

    /// The configured name: the path of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.loading.name
    }

    /// `builtin:disclosure`, or the plugin's path.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.loading.artifact
    }

    /// What the plugin says about itself.
    #[must_use]
    pub const fn description(&self) -> &PluginDescription {
        &self.description
    }

    /// SHA-256 of the plugin, lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.loading.identity.digest
    }

    /// Digest and signature: what a plugin is known by.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.loading.identity
    }

    /// An instance; its guest is made at the first call.
    #[must_use]
    pub fn instance(self: &Arc<Self>) -> ExchangeInstance {
        ExchangeInstance { loaded: Arc::clone(self), meter: None, live: None }
    }

    fn make(&self) -> Result<Box<dyn ExchangeGuest>, PluginFailure> {
        let mut live = (self.start)(&self.loading.setup)?;
        live.configure(&self.loading.config_text)?.map_err(|problems| host::refused_after_all(&problems))?;
        Ok(live)
    }
}

/// An instance: makes its guest again after a failure.
pub struct ExchangeInstance {
    loaded: Arc<LoadedExchange>,
    /// Made at the first call, which is on the thread that goes on calling.
    meter: Option<Meter>,
    live: Option<Box<dyn ExchangeGuest>>,
}

impl ExchangeInstance {
    /// What passes.
    ///
    /// # Errors
    /// If the call fails, or the answer is more than there was. Then nothing passes.
    pub fn pass(&mut self, passage: &Passage) -> Result<Narrowed, PluginFailure> {
        let mut meter = self.meter.take().unwrap_or_else(|| Meter::new(&self.loaded.loading.setup));
        let begun = meter.begin();
        let result = self.call(passage, &meter);
        meter.end(begun, 1, &result, self.live.as_ref().and_then(|live| live.memory()));
        self.meter = Some(meter);
        result
    }

    fn call(&mut self, passage: &Passage, meter: &Meter) -> Result<Narrowed, PluginFailure> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => {
                meter.instance().made();
                self.loaded.make()?
            }
        };
        let told = live.pass(passage)?;
        let narrowed = check(passage, told)?;
        self.live = Some(live);
        Ok(narrowed)
    }

    /// Of this policy from now on, if it was of one that was loaded otherwise.
    pub fn renew(&mut self, loaded: &Arc<LoadedExchange>) {
        if !Arc::ptr_eq(&self.loaded, loaded) {
            *self = loaded.instance();
        }
    }
}

fn check(asked: &Passage, told: Passed) -> Result<Narrowed, PluginFailure> {
    let bad = |text: String| PluginFailure::BadAnswer(text);
    if told.memory.len() > limits::EXCHANGE_MEMORY_BYTES {
        let (found, most) = (told.memory.len(), limits::EXCHANGE_MEMORY_BYTES);
        return Err(bad(format!("the memory has {found} bytes, and at most {most} are kept")));
    }
    let mut sections: Vec<(String, Value)> = Vec::new();
    for (name, content) in told.sections {
        // A name that is not known is not repeated: it may be anything.
        let Some((_, was)) = asked.sections.iter().find(|(known, _)| *known == name) else {
            return Err(bad("the answer has a section that was not in the question".to_owned()));
        };
        if sections.iter().any(|(known, _)| *known == name) {
            return Err(bad(format!("section `{name}` comes twice")));
        }
        let read = |text: &str| serde_json::from_str::<Value>(text);
        let is = read(&content).map_err(|error| bad(format!("section `{name}` is no JSON: {error}")))?;
        let was = read(was).map_err(|error| PluginFailure::BadQuestion(format!("section `{name}`: {error}")))?;
        if !narrows(&was, &is) {
            return Err(bad(format!("section `{name}` has members that it had not, or values of another kind")));
        }
        sections.push((name, is));
    }
    Ok(Narrowed { sections, memory: told.memory })
}

/// Whether every member of the section was one of it, with a value of the same kind. What is in such a value need not have been
/// there: a policy may tell what was there an hour ago. It is for the form of the section to say what it may be.
fn narrows(was: &Value, is: &Value) -> bool {
    let (Some(was), Some(is)) = (was.as_object(), is.as_object()) else { return false };
    let kind = std::mem::discriminant::<Value>;
    is.iter().all(|(name, is)| was.get(name).is_some_and(|was| kind(was) == kind(is)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passage() -> Passage {
        let sections = [
            ("alarms", json!({ "raised": { "major": 2 } })),
            ("links", json!({ "ends": [{ "id": "a", "state": "up" }, { "id": "b", "qberRatio": 0.1 }] })),
        ];
        Passage {
            now: 0,
            direction: Direction::Export,
            domain: "east".to_owned(),
            audience: "federation".to_owned(),
            sections: sections.map(|(name, content)| (name.to_owned(), content.to_string())).into(),
            aliases: Vec::new(),
            memory: String::new(),
        }
    }

    fn told(sections: &[(&str, Value)]) -> Result<Vec<(String, Value)>, PluginFailure> {
        let sections = sections.iter().map(|(name, content)| ((*name).to_owned(), content.to_string())).collect();
        check(&passage(), Passed { sections, memory: String::new() }).map(|narrowed| narrowed.sections)
    }

    #[test]
    fn less_and_other_values_are_an_answer() {
        assert_eq!(told(&[]), Ok(Vec::new()));
        let alarms = ("alarms", json!({ "raised": { "major": 5, "minor": 1 } }));
        let links = ("links", json!({ "ends": [{ "id": "c" }] }));
        assert_eq!(told(&[links, alarms]).unwrap().len(), 2);
    }

    #[test]
    fn whatever_is_more_is_none() {
        for (name, content) in [
            ("health", json!({})),
            ("alarms", json!({ "raised": "two" })),
            ("alarms", json!({ "raised": { "major": 2 }, "types": {} })),
            ("alarms", json!({ "raised": { "major": 2 }, "operator": "Jane" })),
            ("alarms", json!([])),
            ("links", json!({ "ends": {} })),
            ("links", json!("ends")),
        ] {
            let failure = told(&[(name, content)]).unwrap_err();
            assert_eq!(failure.kind(), "bad-answer", "{failure}");
            assert!(!failure.to_string().contains("Jane"), "{failure}");
        }
        let twice = ("alarms", json!({}));
        assert!(told(&[twice.clone(), twice]).unwrap_err().to_string().contains("comes twice"));
        let memory = "x".repeat(limits::EXCHANGE_MEMORY_BYTES + 1);
        assert!(check(&passage(), Passed { sections: Vec::new(), memory }).is_err());
    }
}
