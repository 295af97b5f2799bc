//! An FCAPS policy, loaded: what it needs, and its instances, in whichever form the plugin comes ([`PolicyGuest`]).

use std::sync::Arc;

use super::{
    FcapsPolicy, Observations, Outcome, PluginDescription, PluginError, PluginFailure, PolicyNeeds, answer,
    host::{self, Identity, Loading},
    meter::Meter,
    setup::Setup,
    vocabulary::Resolver,
    wasm::wit::{
        policy::{Needs, Symbols},
        types::{Description, Problem},
    },
};
use crate::{
    config::limits,
    model::{Symbol, SymbolTable},
};

/// One instance of a policy, as a WebAssembly component or a native library gives it: the functions of WIT `policy`. After
/// a failed call it is of no more use.
pub(super) trait PolicyGuest: Send {
    /// What the plugin says about itself.
    fn describe(&mut self) -> Result<Description, PluginFailure>;
    /// Takes the configuration as JSON text.
    fn configure(&mut self, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure>;
    /// Symbols of what it named.
    fn bind(&mut self, symbols: Symbols<'_>) -> Result<(), PluginFailure>;
    /// Its answer, not checked yet.
    fn ask(&mut self, question: Question, seen: &Observations) -> Result<Outcome, PluginFailure>;
    /// State of another version's subjects as this one keeps it; `None`: it does not export the interface.
    fn migrate(&mut self, _from: &str, _width: u32, _state: &[f64]) -> Result<Option<Migrated>, PluginFailure> {
        Ok(None)
    }
    /// Bytes of linear memory that it has; `None` where it has none of its own.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// State, or why it is not taken over.
pub(super) type Migrated = Result<Vec<f64>, String>;

/// Which of the policy's two functions.
#[derive(Clone, Copy)]
pub(super) enum Question {
    /// WIT `evaluate`.
    Evaluate,
    /// WIT `on-time`.
    OnTime,
}

/// Makes instances.
pub(super) type StartPolicy = Box<dyn Fn(&Setup) -> Result<Box<dyn PolicyGuest>, PluginFailure> + Send + Sync>;

/// A policy that was compiled, configured once and found to be in order.
pub struct LoadedPolicy {
    loading: Loading,
    description: PluginDescription,
    needs: PolicyNeeds,
    start: StartPolicy,
    bound: Bound,
}

/// Symbols of what the policy named, in its orders.
#[derive(Debug)]
struct Bound {
    names: Vec<u32>,
    words: Vec<u32>,
    components: Vec<u32>,
    resources: Vec<u32>,
}

impl Bound {
    fn symbols(&self) -> Symbols<'_> {
        Symbols { names: &self.names, words: &self.words, components: &self.components, resources: &self.resources }
    }
}

impl std::fmt::Debug for LoadedPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedPolicy")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl LoadedPolicy {
    pub(super) fn load(loading: Loading, start: StartPolicy, symbols: &SymbolTable) -> Result<Arc<Self>, PluginError> {
        let mut trial = start(&loading.setup).map_err(|failure| loading.failed("start", failure))?;
        let told = trial.describe().map_err(|failure| loading.failed("describe", failure))?;
        let description = loading.described(told)?;
        let answer = trial.configure(&loading.config_text).map_err(|failure| loading.failed("configure", failure))?;
        let (needs, bound) = resolve(&loading, &loading.configured(answer)?, symbols)?;
        trial.bind(bound.symbols()).map_err(|failure| loading.failed("bind", failure))?;
        Ok(Arc::new(Self { loading, description, needs, start, bound }))
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

    /// What it wants to be given.
    #[must_use]
    pub const fn needs(&self) -> &PolicyNeeds {
        &self.needs
    }

    /// An instance, configured and bound.
    pub fn instantiate(self: &Arc<Self>) -> Result<Box<dyn FcapsPolicy>, PluginFailure> {
        self.instantiate_as(self.loading.setup.clone())
    }

    /// An instance beside those that work, which counts for itself: for a rehearsal.
    pub fn instantiate_apart(self: &Arc<Self>) -> Result<Box<dyn FcapsPolicy>, PluginFailure> {
        self.instantiate_as(self.loading.setup.apart())
    }

    fn instantiate_as(self: &Arc<Self>, setup: Setup) -> Result<Box<dyn FcapsPolicy>, PluginFailure> {
        let meter = Meter::new(&setup);
        let live = Some(self.make(&setup, &meter)?);
        Ok(Box::new(Instance { loaded: Arc::clone(self), setup, meter, live }))
    }

    fn make(&self, setup: &Setup, meter: &Meter) -> Result<Box<dyn PolicyGuest>, PluginFailure> {
        let mut live = (self.start)(setup)?;
        meter.instance().made();
        live.configure(&self.loading.config_text)?.map_err(|problems| host::refused_after_all(&problems))?;
        live.bind(self.bound.symbols())?;
        Ok(live)
    }
}

fn resolve(loading: &Loading, needs: &Needs, symbols: &SymbolTable) -> Result<(PolicyNeeds, Bound), PluginError> {
    let mut resolver = Resolver::new(symbols, &loading.config);
    if needs.state_width > limits::POLICY_STATE_WIDTH {
        let message = format!(
            "the plugin asks for {} values of state for each subject; at most {} are given",
            needs.state_width,
            limits::POLICY_STATE_WIDTH
        );
        resolver.problems.push((String::new(), message));
    }
    let mut watched = resolver.value_names(&needs.names);
    let bound = Bound {
        names: numbers(&watched),
        words: numbers(&resolver.words(&needs.words)),
        components: numbers(&resolver.components(&needs.components)),
        resources: numbers(&resolver.resources(&needs.resources)),
    };
    let objects = resolver.objects(&needs.objects);
    loading.refuse(resolver.problems)?;
    watched.sort_unstable();
    watched.dedup();
    let state_width = needs.state_width as usize;
    let object_resource =
        if needs.object_resource.is_empty() { "resource".to_owned() } else { needs.object_resource.clone() };
    let per_component = needs.per_component;
    Ok((PolicyNeeds { names: watched, state_width, per_component, objects, object_resource }, bound))
}

fn numbers(symbols: &[Symbol]) -> Vec<u32> {
    symbols.iter().map(|symbol| symbol.0).collect()
}

/// An instance for one shard: makes its guest again after a failure.
struct Instance {
    loaded: Arc<LoadedPolicy>,
    setup: Setup,
    meter: Meter,
    live: Option<Box<dyn PolicyGuest>>,
}

impl FcapsPolicy for Instance {
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure> {
        self.ask(seen, Question::Evaluate)
    }

    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure> {
        self.ask(due, Question::OnTime)
    }

    fn memory(&self) -> Option<usize> {
        self.live.as_ref()?.memory()
    }

    fn migrate(&mut self, from: &str, width: usize, state: &[f64]) -> Result<Option<Vec<f64>>, PluginFailure> {
        let width = u32::try_from(width).unwrap_or(u32::MAX);
        let begun = self.meter.begin();
        let result = self.live.as_mut().map_or(Ok(None), |live| live.migrate(from, width, state));
        self.meter.end(begun, 0, &result, self.memory());
        if result.is_err() {
            self.live = None;
        }
        result?.transpose().map_err(PluginFailure::BadAnswer)
    }

    fn keeps(&self, subjects: usize, bytes: usize) {
        self.meter.instance().keeps(subjects, bytes);
    }
}

impl Instance {
    fn ask(&mut self, seen: &Observations, question: Question) -> Result<Outcome, PluginFailure> {
        if seen.components.is_empty() && seen.values.is_empty() && seen.objects.is_empty() {
            return Ok(Outcome { state: seen.state.clone(), ..Outcome::default() });
        }
        check_question(seen, self.loaded.needs.state_width)?;
        let begun = self.meter.begin();
        let result = self.call(seen, question);
        self.meter.end(begun, seen.components.len(), &result, self.memory());
        result
    }

    fn call(&mut self, seen: &Observations, question: Question) -> Result<Outcome, PluginFailure> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.loaded.make(&self.setup, &self.meter)?,
        };
        let told = live.ask(question, seen)?;
        answer::check_outcome(&told, seen.components.len(), seen.state.len())?;
        self.live = Some(live);
        Ok(told)
    }
}

/// Whether the manager's own arrays fit together.
fn check_question(seen: &Observations, state_width: usize) -> Result<(), PluginFailure> {
    let (subjects, samples) = (seen.components.len(), seen.values.len());
    let fits = seen.resources.len() == subjects
        && seen.state.len() == subjects * state_width
        && [seen.subject.len(), seen.names.len(), seen.sample_resources.len()] == [samples; 3]
        && seen.subject.iter().all(|subject| (*subject as usize) < subjects)
        && seen.objects.iter().all(|object| (object.subject as usize) < subjects);
    if fits {
        return Ok(());
    }
    Err(PluginFailure::BadQuestion(format!(
        "there are {subjects} subjects of {state_width} values of state and {samples} samples, but the arrays do not \
         agree about them"
    )))
}
