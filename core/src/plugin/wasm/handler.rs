//! A handler as a WebAssembly component: its calls, and its answers in the manager's own types.

use wasmtime::{Store, component::InstancePre};

use super::{
    bindings::handler::{
        InterfaceHandler as World, InterfaceHandlerPre,
        exports::qkdn::manager::handler::{self as wit, Needs, Reports},
        qkdn::manager::types::{Description, Problem},
    },
    instance::{Guest, call, instantiate, new_store},
};
use crate::{
    model::ReferencePoint,
    plugin::{ComponentAlarm, Handled, NormalSample, PluginFailure, handler::HandlerGuest, setup::Setup},
};

/// A component that exports `handler`, ready to be instantiated.
pub(super) struct HandlerProgram(InterfaceHandlerPre<Guest>);

impl HandlerProgram {
    /// Fails if the component does not export `handler`.
    pub(super) fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        InterfaceHandlerPre::new(pre).map(Self)
    }

    /// An instance.
    pub(super) fn start(&self, setup: &Setup) -> Result<Box<dyn HandlerGuest>, PluginFailure> {
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

impl HandlerGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        let guest = self.world.qkdn_manager_handler();
        call(&mut self.store, |store| guest.call_describe(store))
    }

    fn configure(&mut self, point: ReferencePoint, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure> {
        let guest = self.world.qkdn_manager_handler();
        instantiate(&mut self.store, |store| guest.call_configure(store, point.as_str(), config))
    }

    fn bind(&mut self, symbols: &[u32]) -> Result<(), PluginFailure> {
        let guest = self.world.qkdn_manager_handler();
        instantiate(&mut self.store, |store| guest.call_bind(store, symbols))
    }

    fn handle(&mut self, reports: Reports<'_>) -> Result<Handled, PluginFailure> {
        let guest = self.world.qkdn_manager_handler();
        call(&mut self.store, |store| guest.call_handle(store, reports)).map(Handled::from)
    }

    fn memory(&self) -> Option<usize> {
        Some(self.store.data().memory())
    }
}

impl From<wit::Handled> for Handled {
    fn from(told: wit::Handled) -> Self {
        Self {
            refusals: told.refusals.into_iter().map(|refusal| (refusal.report, refusal.reason)).collect(),
            alarms: told.alarms.into_iter().map(ComponentAlarm::from).collect(),
            samples: told.samples.into_iter().map(NormalSample::from).collect(),
        }
    }
}

impl From<wit::ComponentAlarm> for ComponentAlarm {
    fn from(told: wit::ComponentAlarm) -> Self {
        Self {
            report: told.report,
            resource: told.resource,
            alarm_type: told.alarm_type,
            qualifier: told.qualifier,
            severity: told.severity,
            text: told.text,
            event_type: told.event_type,
            probable_cause: told.probable_cause,
        }
    }
}

impl From<wit::Sample> for NormalSample {
    fn from(told: wit::Sample) -> Self {
        Self { report: told.report, name: told.name, resource: told.resource, value: told.value, kind: told.kind }
    }
}
