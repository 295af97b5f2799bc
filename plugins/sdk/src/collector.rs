//! World `device-collector`: asks devices that do not report by themselves, and reports for them.
//!
//! In: a turn, with the answers to what the last turn asked for. Out: what to fetch next, and status reports. A collector
//! sends nothing itself and waits for nothing: the manager fetches, keeps certificates and the schedule, and refuses whom
//! the description does not ask for or the configuration does not grant. It keeps nothing between calls but [`Step::memory`].

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::collector::exports::qkdn::manager0_2_0::collector as wit;
use crate::{Description, Problem};

pub use wit::{Answer, Get, Header, Report, Step, Turn};

/// A collector, configured as one of `[[collectors]]`.
pub trait Collector: Sized + 'static {
    /// The configuration: what the plugin's JSON Schema describes. `serde_json::Value` takes anything.
    type Config: DeserializeOwned;

    /// Name, version, summary, the schema of the configuration, and whom it asks ([`Description::asks`]).
    fn describe() -> Description;

    /// Takes the components that it is to report for, as `mk/kme-1`, and the configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it; the manager's configuration is then refused as a whole.
    fn configure(components: &[String], config: Self::Config) -> Result<Self, Vec<Problem>>;

    /// One call of a collection. It is over when the step asks for nothing.
    fn collect(&self, turn: &Turn) -> Step;
}

impl Description {
    /// Asks for the capability to have requests sent to a host of this name. The configuration says which host that is,
    /// and thereby grants it.
    #[must_use]
    pub fn asks(mut self, host: &str) -> Self {
        self.extra.push(("http".into(), host.into()));
        self
    }
}

impl Answer {
    /// The body as JSON, if there is one and the status says that it is what was asked for.
    ///
    /// # Errors
    /// Why not, for the operator.
    pub fn json(&self) -> Result<Value, String> {
        if !self.failure.is_empty() {
            return Err(format!("{}{}: {}", self.host, self.path, self.failure));
        }
        if !(200..300).contains(&self.status) {
            return Err(format!("{}{}: status {}{}", self.host, self.path, self.status, self.said()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("{}{}: the body is no JSON: {error}", self.host, self.path))
    }

    /// What a device says of its error, in the `message` that ETSI GS QKD 014 and others have for it.
    fn said(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        let shown: String = message.chars().filter(|c| !c.is_control()).take(SAID_CHARS).collect();
        if shown.is_empty() { shown } else { format!(" ({shown})") }
    }
}

impl Step {
    /// Nothing to fetch and nothing to report.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Asks for JSON.
    pub fn get(&mut self, host: &str, path: impl Into<String>) {
        self.gets.push(Get { host: host.into(), path: path.into(), accept: String::new() });
    }

    /// Reports for a component.
    pub fn report(&mut self, component: &str, objects: Vec<Value>) {
        self.reports.push(Report { component: component.into(), extension: Value::Array(objects).to_string() });
    }

    /// The collection failed; said more than once, the first is told.
    pub fn fail(&mut self, why: impl Into<String>) {
        if self.failure.is_empty() {
            self.failure = why.into();
        }
    }
}

/// Characters of a device's own words in a failure.
const SAID_CHARS: usize = 200;
