//! An FCAPS policy, loaded: what it needs, and its instances.

use std::sync::Arc;

use wasmtime::{Store, component::InstancePre};

use super::{
    ClearedAlarm, FcapsPolicy, Observations, Outcome, PluginDescription, PluginError, PluginFailure, PolicyNeeds,
    RaisedAlarm, SeenObject, answer,
    bindings::{
        handler::qkdn::manager::types::Problem,
        policy::{
            FcapsPolicy as World, FcapsPolicyPre,
            exports::qkdn::manager::policy::{self as wit, Symbols},
        },
    },
    host::Loading,
    instance::{Guest, call, counted, instantiate, new_store},
    vocabulary::Resolver,
};
use crate::{
    config::limits,
    model::{Symbol, SymbolTable},
};

/// A policy that was compiled, configured once and found to be in order.
pub struct LoadedPolicy {
    loading: Loading,
    description: PluginDescription,
    needs: PolicyNeeds,
    pre: FcapsPolicyPre<Guest>,
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

impl std::fmt::Debug for LoadedPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedPolicy")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl LoadedPolicy {
    pub(super) fn load(
        loading: Loading,
        pre: InstancePre<Guest>,
        symbols: &SymbolTable,
    ) -> Result<Arc<Self>, PluginError> {
        let pre = FcapsPolicyPre::new(pre).map_err(|error| loading.wrong_world("policy", &error))?;
        let mut trial = Live::new(&loading, &pre).map_err(|failure| loading.failed("start", failure))?;
        let told = call(&mut trial.store, |store| trial.world.qkdn_manager_policy().call_describe(store))
            .map_err(|failure| loading.failed("describe", failure))?;
        let description = loading.described(told)?;
        let answer = trial.configure(&loading).map_err(|failure| loading.failed("configure", failure))?;
        let (needs, bound) = resolve(&loading, &loading.configured(answer)?, symbols)?;
        trial.bind(&bound).map_err(|failure| loading.failed("bind", failure))?;
        Ok(Arc::new(Self { loading, description, needs, pre, bound }))
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
        self.loading.digest()
    }

    /// What it wants to be given.
    #[must_use]
    pub const fn needs(&self) -> &PolicyNeeds {
        &self.needs
    }

    /// An instance, configured and bound.
    pub fn instantiate(self: &Arc<Self>) -> Result<Box<dyn FcapsPolicy>, PluginFailure> {
        let live = Some(self.start()?);
        Ok(Box::new(Instance { loaded: Arc::clone(self), live }))
    }

    fn start(&self) -> Result<Live, PluginFailure> {
        let mut live = Live::new(&self.loading, &self.pre)?;
        live.configure(&self.loading)?.map_err(|problems| {
            let first = problems.first().map_or("no reason given", |problem| problem.message.as_str());
            PluginFailure::Instantiate(format!("refuses the configuration that it accepted before: {first}"))
        })?;
        live.bind(&self.bound)?;
        Ok(live)
    }
}

fn resolve(loading: &Loading, needs: &wit::Needs, symbols: &SymbolTable) -> Result<(PolicyNeeds, Bound), PluginError> {
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

/// A store with a guest in it.
struct Live {
    store: Store<Guest>,
    world: World,
}

impl Live {
    fn new(loading: &Loading, pre: &FcapsPolicyPre<Guest>) -> Result<Self, PluginFailure> {
        let mut store = new_store(pre.engine(), &loading.setup);
        let world = instantiate(&mut store, |store| pre.instantiate(store))?;
        Ok(Self { store, world })
    }

    fn configure(&mut self, loading: &Loading) -> Result<Result<wit::Needs, Vec<Problem>>, PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        instantiate(&mut self.store, |store| guest.call_configure(store, &loading.config_text))
    }

    fn bind(&mut self, bound: &Bound) -> Result<(), PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        let symbols = Symbols {
            names: &bound.names,
            words: &bound.words,
            components: &bound.components,
            resources: &bound.resources,
        };
        instantiate(&mut self.store, |store| guest.call_bind(store, symbols))
    }
}

/// An instance for one shard: makes its guest again after a failure.
struct Instance {
    loaded: Arc<LoadedPolicy>,
    live: Option<Live>,
}

/// Which of the policy's two functions.
#[derive(Clone, Copy)]
enum Question {
    Evaluate,
    OnTime,
}

impl FcapsPolicy for Instance {
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure> {
        self.ask(seen, Question::Evaluate)
    }

    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure> {
        self.ask(due, Question::OnTime)
    }
}

impl Instance {
    fn ask(&mut self, seen: &Observations, question: Question) -> Result<Outcome, PluginFailure> {
        if seen.components.is_empty() && seen.values.is_empty() && seen.objects.is_empty() {
            return Ok(Outcome { state: seen.state.clone(), ..Outcome::default() });
        }
        let loaded = Arc::clone(&self.loaded);
        check_question(seen, loaded.needs.state_width)?;
        counted(&loaded.loading.setup, seen.components.len(), || {
            let mut live = match self.live.take() {
                Some(live) => live,
                None => loaded.start()?,
            };
            let guest = live.world.qkdn_manager_policy();
            let objects: Vec<wit::Object<'_>> = seen.objects.iter().map(object).collect();
            let told = call(&mut live.store, |store| match question {
                Question::Evaluate => guest.call_evaluate(store, observations(seen, &objects)),
                Question::OnTime => guest.call_on_time(store, observations(seen, &objects)),
            })?;
            answer::check_outcome(&told, seen.components.len(), seen.state.len())?;
            self.live = Some(live);
            Ok(told.into())
        })
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

const fn object(seen: &SeenObject) -> wit::Object<'_> {
    let SeenObject { subject, samples_before, kind, text } = seen;
    wit::Object { subject: *subject, samples_before: *samples_before, kind: kind.as_str(), text: text.as_str() }
}

const fn observations<'a>(seen: &'a Observations, objects: &'a [wit::Object<'a>]) -> wit::Observations<'a> {
    wit::Observations {
        now: seen.now,
        components: seen.components.as_slice(),
        resources: seen.resources.as_slice(),
        state: seen.state.as_slice(),
        subject: seen.subject.as_slice(),
        names: seen.names.as_slice(),
        values: seen.values.as_slice(),
        sample_resources: seen.sample_resources.as_slice(),
        objects,
    }
}

impl From<wit::Outcome> for Outcome {
    fn from(told: wit::Outcome) -> Self {
        Self {
            state: told.state,
            raised: told.raised.into_iter().map(RaisedAlarm::from).collect(),
            cleared: told.cleared.into_iter().map(ClearedAlarm::from).collect(),
            timers: told.timers.into_iter().map(|timer| (timer.subject, timer.at)).collect(),
            requests: told.requests.into_iter().map(|request| (request.subject, request.names)).collect(),
        }
    }
}

impl From<wit::Alarm> for RaisedAlarm {
    fn from(told: wit::Alarm) -> Self {
        Self {
            subject: told.subject,
            alarm_type: told.alarm_type,
            qualifier: told.qualifier,
            severity: told.severity,
            text: told.text,
            event_type: told.event_type,
            probable_cause: told.probable_cause,
            observed: told.observed,
            threshold: told.threshold,
            repair_actions: told.repair_actions,
            evidence: told.evidence,
            step: told.step,
        }
    }
}

impl From<wit::Clearance> for ClearedAlarm {
    fn from(told: wit::Clearance) -> Self {
        let wit::Clearance { subject, alarm_type, qualifier, text, step } = told;
        Self { subject, alarm_type, qualifier, text, step }
    }
}
