//! A collector as a WebAssembly component: its calls, and its answers in the manager's own types.

use wasmtime::{Store, component::InstancePre};

use super::{
    bindings::{
        collector::{
            DeviceCollector as World, DeviceCollectorPre,
            exports::qkdn::manager0_2_0::collector::{Answer, Header, Turn as Asked},
        },
        handler::qkdn::manager::types::{Description, Problem},
    },
    instance::{Guest, call, instantiate, new_store},
};
use crate::plugin::{CollectedReport, Get, PluginFailure, Step, Turn, collector::CollectorGuest, setup::Setup};

/// A component that exports `collector`, ready to be instantiated.
pub(super) struct CollectorProgram(DeviceCollectorPre<Guest>);

impl CollectorProgram {
    /// Fails if the component does not export `collector`.
    pub(super) fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        DeviceCollectorPre::new(pre).map(Self)
    }

    /// An instance.
    pub(super) fn start(&self, setup: &Setup) -> Result<Box<dyn CollectorGuest>, PluginFailure> {
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

impl CollectorGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        let guest = self.world.qkdn_manager0_2_0_collector();
        call(&mut self.store, |store| guest.call_describe(store))
    }

    fn configure(&mut self, components: &[String], config: &str) -> Result<Result<(), Vec<Problem>>, PluginFailure> {
        let guest = self.world.qkdn_manager0_2_0_collector();
        let components: Vec<&str> = components.iter().map(String::as_str).collect();
        instantiate(&mut self.store, |store| guest.call_configure(store, &components, config))
    }

    fn collect(&mut self, turn: &Turn) -> Result<Step, PluginFailure> {
        let guest = self.world.qkdn_manager0_2_0_collector();
        let headers: Vec<Vec<Header<'_>>> = turn
            .answers
            .iter()
            .map(|answer| answer.headers.iter().map(|(name, value)| Header { name, value }).collect())
            .collect();
        let answers: Vec<Answer<'_>> = turn
            .answers
            .iter()
            .zip(&headers)
            .map(|(answer, headers)| Answer {
                host: &answer.get.host,
                path: &answer.get.path,
                status: answer.status,
                headers,
                body: &answer.body,
                failure: &answer.failure,
            })
            .collect();
        let asked = Asked { now: turn.now, round: turn.round, memory: &turn.memory, answers: &answers };
        let step = call(&mut self.store, |store| guest.call_collect(store, asked))?;
        let get = |get: super::bindings::collector::exports::qkdn::manager0_2_0::collector::Get| Get {
            host: get.host,
            path: get.path,
            accept: get.accept,
        };
        let reports = step.reports.into_iter();
        Ok(Step {
            gets: step.gets.into_iter().map(get).collect(),
            reports: reports
                .map(|report| CollectedReport { component: report.component, extension: report.extension })
                .collect(),
            memory: step.memory,
            failure: step.failure,
        })
    }

    fn memory(&self) -> Option<usize> {
        Some(self.store.data().memory())
    }
}
