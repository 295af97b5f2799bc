//! A collector, loaded, and its instances: what it wants fetched, and what it reports (contract: `wit/v0.2`).
//!
//! In: a turn of a collection, with the answers to the last. Out: a step that fits the question: within the limits of a
//! call, for components that it was configured for. Whom a collector may ask is not known here, nor how anything is fetched.

use std::sync::Arc;

use super::{
    PluginDescription, PluginError, PluginFailure,
    host::{self, Identity, Loading},
    meter::Meter,
    setup::{Setup, shortened},
    wasm::wit::types::{Description, Problem},
};
use crate::config::limits;

/// The name in `description.extra` under which a plugin asks for hosts.
const HTTP: &str = "http";

/// WIT `collector.get`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// The plugin's name of the host.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// `Accept`, or empty.
    pub accept: String,
}

/// WIT `collector.answer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// What was asked.
    pub get: Get,
    /// Status of HTTP; 0 if there is no answer.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Why there is no answer; empty if there is one.
    pub failure: String,
}

/// WIT `collector.turn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The manager's time, milliseconds since 1970.
    pub now: u64,
    /// Calls of this collection before this one.
    pub round: u32,
    /// What the last call left.
    pub memory: String,
    /// What came of what the last call asked for.
    pub answers: Vec<Fetched>,
}

/// WIT `collector.report`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedReport {
    /// Which component: `mk/kme-1`.
    pub component: String,
    /// JSON array of objects.
    pub extension: String,
}

/// WIT `collector.step`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be fetched before the next call.
    pub gets: Vec<Get>,
    /// To be handed in.
    pub reports: Vec<CollectedReport>,
    /// To be given with the next call.
    pub memory: String,
    /// Why the collection failed; empty if it did not.
    pub failure: String,
}

/// One instance of a collector: the functions of WIT `collector`. After a failed call it is of no more use.
pub(super) trait CollectorGuest: Send {
    /// What the plugin says about itself.
    fn describe(&mut self) -> Result<Description, PluginFailure>;
    /// Takes its components and the configuration as JSON text.
    fn configure(&mut self, components: &[String], config: &str) -> Result<Result<(), Vec<Problem>>, PluginFailure>;
    /// Its step, not checked yet.
    fn collect(&mut self, turn: &Turn) -> Result<Step, PluginFailure>;
    /// Bytes of memory that it has now.
    fn memory(&self) -> Option<usize>;
}

/// Makes instances.
pub(super) type StartCollector = Box<dyn Fn(&Setup) -> Result<Box<dyn CollectorGuest>, PluginFailure> + Send + Sync>;

/// A collector that was compiled, configured once and found to be in order.
pub struct LoadedCollector {
    loading: Loading,
    description: PluginDescription,
    components: Vec<String>,
    start: StartCollector,
}

impl std::fmt::Debug for LoadedCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedCollector")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl LoadedCollector {
    pub(super) fn load(
        loading: Loading,
        start: StartCollector,
        components: Vec<String>,
    ) -> Result<Arc<Self>, PluginError> {
        let mut trial = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        let told = trial.describe().map_err(|failure| loading.failed("describe", failure))?;
        let description = loading.described(told)?;
        let answer = trial
            .configure(&components, &loading.config_text)
            .map_err(|failure| loading.failed("configure", failure))?;
        loading.configured(answer)?;
        Ok(Arc::new(Self { loading, description, components, start }))
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.loading.name
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

    /// Names of the hosts that its description asks for.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.description.extra.iter().filter(|(name, _)| name == HTTP).map(|(_, host)| host.as_str())
    }

    /// A capability was refused to it.
    pub fn refused(&self) {
        self.loading.setup.counters.capability_refusals.increment();
    }

    /// An instance; its guest is made at the first call.
    #[must_use]
    pub fn instance(self: &Arc<Self>) -> CollectorInstance {
        CollectorInstance { loaded: Arc::clone(self), meter: None, live: None }
    }

    fn make(&self) -> Result<Box<dyn CollectorGuest>, PluginFailure> {
        let mut live = (self.start)(&self.loading.setup)?;
        live.configure(&self.components, &self.loading.config_text)?
            .map_err(|problems| host::refused_after_all(&problems))?;
        Ok(live)
    }
}

/// An instance: makes its guest again after a failure.
pub struct CollectorInstance {
    loaded: Arc<LoadedCollector>,
    /// Made at the first call.
    meter: Option<Meter>,
    live: Option<Box<dyn CollectorGuest>>,
}

impl CollectorInstance {
    /// One call of a collection.
    ///
    /// # Errors
    /// If the call fails or its step does not fit. Then nothing of it counts.
    pub fn collect(&mut self, turn: &Turn) -> Result<Step, PluginFailure> {
        let mut meter = self.meter.take().unwrap_or_else(|| Meter::new(&self.loaded.loading.setup));
        let begun = meter.begin();
        let result = self.call(turn, &meter);
        let reports = result.as_ref().map_or(0, |step| step.reports.len());
        meter.end(begun, reports, &result, self.live.as_ref().and_then(|live| live.memory()));
        self.meter = Some(meter);
        result
    }

    fn call(&mut self, turn: &Turn, meter: &Meter) -> Result<Step, PluginFailure> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => {
                meter.instance().made();
                self.loaded.make()?
            }
        };
        let step = check(&self.loaded.components, live.collect(turn)?)?;
        self.live = Some(live);
        Ok(step)
    }
}

fn check(components: &[String], mut step: Step) -> Result<Step, PluginFailure> {
    let bad = |text: String| Err(PluginFailure::BadAnswer(text));
    let (gets, reports, memory) = (step.gets.len(), step.reports.len(), step.memory.len());
    if memory > limits::COLLECTOR_MEMORY_BYTES {
        return bad(format!("the memory has {memory} bytes; at most {} are kept", limits::COLLECTOR_MEMORY_BYTES));
    }
    if gets > limits::COLLECTOR_REQUESTS || reports > limits::COLLECTOR_REPORTS {
        let (most_gets, most_reports) = (limits::COLLECTOR_REQUESTS, limits::COLLECTOR_REPORTS);
        return bad(format!(
            "the step has {gets} requests and {reports} reports; a collection may have {most_gets} and {most_reports}"
        ));
    }
    // A name that is not known is not repeated: it may be anything.
    if step.reports.iter().any(|report| !components.contains(&report.component)) {
        return bad(format!("a report is for a component that is not among its own: {}", components.join(", ")));
    }
    step.failure = shortened(step.failure, limits::PLUGIN_TEXT_BYTES);
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(component: &str) -> CollectedReport {
        CollectedReport { component: component.to_owned(), extension: "[]".to_owned() }
    }

    #[test]
    fn a_step_stays_within_what_was_configured() {
        let own = ["mk/a".to_owned()];
        assert!(check(&own, Step { reports: vec![report("mk/a")], ..Step::default() }).is_ok());
        for (step, told) in [
            (Step { reports: vec![report("mk/b")], ..Step::default() }, "not among its own: mk/a"),
            (Step { gets: vec![Get::default(); limits::COLLECTOR_REQUESTS + 1], ..Step::default() }, "requests"),
            (Step { reports: vec![report("mk/a"); limits::COLLECTOR_REPORTS + 1], ..Step::default() }, "reports"),
            (Step { memory: "x".repeat(limits::COLLECTOR_MEMORY_BYTES + 1), ..Step::default() }, "the memory has"),
        ] {
            let failure = check(&own, step).unwrap_err();
            assert!(failure.kind() == "bad-answer" && failure.detail().contains(told), "{failure}");
        }
    }
}
