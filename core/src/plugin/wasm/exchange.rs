//! An exchange policy as a WebAssembly component: its calls, and its answers in the manager's own types.

use wasmtime::{Store, component::InstancePre};

use super::{
    bindings::{
        exchange::{
            ExchangePolicy as World, ExchangePolicyPre,
            exports::qkdn::manager::exchange::{Alias, Passage as Asked, SectionParam},
        },
        handler::qkdn::manager::types::{Description, Problem},
    },
    instance::{Guest, call, instantiate, new_store},
};
use crate::plugin::{Passage, Passed, PluginFailure, exchange::ExchangeGuest, setup::Setup};

/// A component that exports `exchange`, ready to be instantiated.
pub(super) struct ExchangeProgram(ExchangePolicyPre<Guest>);

impl ExchangeProgram {
    /// Fails if the component does not export `exchange`.
    pub(super) fn new(pre: InstancePre<Guest>) -> wasmtime::Result<Self> {
        ExchangePolicyPre::new(pre).map(Self)
    }

    /// An instance.
    pub(super) fn start(&self, setup: &Setup) -> Result<Box<dyn ExchangeGuest>, PluginFailure> {
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

impl ExchangeGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        let guest = self.world.qkdn_manager_exchange();
        call(&mut self.store, |store| guest.call_describe(store))
    }

    fn configure(&mut self, config: &str) -> Result<Result<(), Vec<Problem>>, PluginFailure> {
        let guest = self.world.qkdn_manager_exchange();
        instantiate(&mut self.store, |store| guest.call_configure(store, config))
    }

    fn pass(&mut self, asked: &Passage) -> Result<Passed, PluginFailure> {
        let guest = self.world.qkdn_manager_exchange();
        let sections: Vec<SectionParam<'_>> = asked
            .sections
            .iter()
            .map(|(name, content)| SectionParam { name: name.as_str(), content: content.as_str() })
            .collect();
        let aliases: Vec<Alias<'_>> =
            asked.aliases.iter().map(|(name, alias)| Alias { name: name.as_str(), alias: alias.as_str() }).collect();
        let question = Asked {
            now: asked.now,
            direction: asked.direction.as_str(),
            domain: asked.domain.as_str(),
            audience: asked.audience.as_str(),
            sections: sections.as_slice(),
            aliases: aliases.as_slice(),
            memory: asked.memory.as_str(),
        };
        let told = call(&mut self.store, |store| guest.call_pass(store, question))?;
        let sections = told.sections.into_iter().map(|section| (section.name, section.content)).collect();
        Ok(Passed { sections, memory: told.memory })
    }

    fn memory(&self) -> Option<usize> {
        Some(self.store.data().memory())
    }
}
