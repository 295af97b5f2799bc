//! A policy as a WebAssembly component: its calls, and its answers in the manager's own types.

use wasmtime::{
    Store,
    component::{Instance, InstancePre, TypedFunc},
};

use super::{
    bindings::{
        handler::qkdn::manager::types::{Description, Problem},
        policy::{
            FcapsPolicy as World, FcapsPolicyPre,
            exports::qkdn::manager::policy::{self as wit, Needs, Symbols},
        },
    },
    instance::{Guest, call, instantiate, new_store},
};
use crate::plugin::{
    ClearedAlarm, Observations, Outcome, PluginFailure, RaisedAlarm, SeenObject,
    policy::{Migrated, PolicyGuest, Question},
    setup::Setup,
};

/// A component that exports `policy`, ready to be instantiated.
pub(super) struct PolicyProgram(FcapsPolicyPre<Guest>);

impl PolicyProgram {
    /// Fails if the component does not export `policy`.
    pub(super) fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        FcapsPolicyPre::new(pre).map(Self)
    }

    /// An instance.
    pub(super) fn start(&self, setup: &Setup) -> Result<Box<dyn PolicyGuest>, PluginFailure> {
        let mut store = new_store(self.0.engine(), setup);
        let instance = instantiate(&mut store, |store| self.0.instance_pre().instantiate(store))?;
        let world = instantiate(&mut store, |store| World::new(store, &instance))?;
        let migrate = instantiate(&mut store, |store| migration(store, &instance))?;
        Ok(Box::new(Live { store, world, migrate }))
    }
}

/// A store with a guest in it.
struct Live {
    store: Store<Guest>,
    world: World,
    migrate: Option<Migrate>,
}

/// `migrate` of the interface `qkdn:migration/state`.
type Migrate = TypedFunc<(String, u32, Vec<f64>), (Migrated,)>;

/// The migration that it exports, found by the name and type of its function: whatever else it exports, and in whichever version of the
/// contract it is a policy.
fn migration(store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Option<Migrate>> {
    let Some(interface) = instance.get_export_index(&mut *store, None, "qkdn:migration/state@0.1.0") else {
        return Ok(None);
    };
    let function = instance.get_export_index(&mut *store, Some(&interface), "migrate");
    let Some(function) = function else { return Ok(None) };
    instance.get_typed_func(&mut *store, function).map(Some)
}

impl PolicyGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        call(&mut self.store, |store| guest.call_describe(store))
    }

    fn configure(&mut self, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        instantiate(&mut self.store, |store| guest.call_configure(store, config))
    }

    fn bind(&mut self, symbols: Symbols<'_>) -> Result<(), PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        instantiate(&mut self.store, |store| guest.call_bind(store, symbols))
    }

    fn ask(&mut self, question: Question, seen: &Observations) -> Result<Outcome, PluginFailure> {
        let guest = self.world.qkdn_manager_policy();
        let objects: Vec<wit::Object<'_>> = seen.objects.iter().map(object).collect();
        let told = call(&mut self.store, |store| match question {
            Question::Evaluate => guest.call_evaluate(store, observations(seen, &objects)),
            Question::OnTime => guest.call_on_time(store, observations(seen, &objects)),
        })?;
        Ok(told.into())
    }

    fn migrate(&mut self, from: &str, width: u32, state: &[f64]) -> Result<Option<Migrated>, PluginFailure> {
        let Some(migrate) = self.migrate else { return Ok(None) };
        let question = (from.to_owned(), width, state.to_vec());
        let (migrated,) = call(&mut self.store, |store| migrate.call(store, question))?;
        Ok(Some(migrated))
    }

    fn memory(&self) -> Option<usize> {
        Some(self.store.data().memory())
    }
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
