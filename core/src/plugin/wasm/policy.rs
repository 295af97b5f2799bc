//! A policy as a WebAssembly component: its calls, and its answers in the manager's own types.

use wasmtime::{Store, component::InstancePre};

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
    policy::{PolicyGuest, Question},
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
        let world = instantiate(&mut store, |store| self.0.instantiate(store))?;
        Ok(Box::new(Live { store, world }))
    }
}

/// A store with a guest in it.
struct Live {
    store: Store<Guest>,
    world: World,
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
