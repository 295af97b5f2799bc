//! One guest in its store: what it may spend, what it may call, and what it means when a call fails.
//!
//! A store lives until a call in it fails; after a trap nothing in it can be called again. Memory and tables are
//! bounded in sum, CPU time a call (see `engine`), and what a call may answer by wasmtime's hostcall fuel. The one
//! import is the log; its last error lines explain a trap, since that is where a guest's panic hook writes.

use std::fmt::Write as _;

use wasmtime::{Engine, ResourceLimiter, Store, Trap};

use super::{bindings::handler::qkdn::manager::host, engine::CpuBudget};
use crate::{
    config::limits,
    plugin::{
        PluginFailure,
        setup::{PluginLog, Setup, shortened},
    },
};

/// What the host knows beside a guest.
pub(super) struct Guest {
    setup: Setup,
    cpu: CpuBudget,
    spending: Spending,
    log: PluginLog,
}

/// Memory and tables, in sum. A refusal is remembered: the guest sees "out of memory" and usually traps for it.
#[derive(Debug)]
struct Spending {
    memory_limit: usize,
    memory: usize,
    table_elements: usize,
    refused: Option<String>,
}

impl ResourceLimiter for Spending {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.memory.saturating_add(desired.saturating_sub(current));
        if sum > self.memory_limit {
            self.refused =
                Some(format!("asked for {sum} bytes of memory; plugins.memory allows {} bytes", self.memory_limit));
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = sum;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.table_elements.saturating_add(desired.saturating_sub(current));
        if sum > limits::PLUGIN_TABLE_ELEMENTS {
            self.refused = Some(format!(
                "asked for {sum} elements in its tables; the manager allows {}",
                limits::PLUGIN_TABLE_ELEMENTS
            ));
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = sum;
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::PLUGIN_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        limits::PLUGIN_TABLES
    }

    fn memories(&self) -> usize {
        limits::PLUGIN_MEMORIES
    }
}

impl Guest {
    /// Bytes of linear memory that it has.
    pub(super) const fn memory(&self) -> usize {
        self.spending.memory
    }
}

impl host::Host for Guest {
    fn log(&mut self, level: String, message: String) {
        self.log.line(&level, message);
    }
}

/// A store with every limit set.
pub(super) fn new_store(engine: &Engine, setup: &Setup) -> Store<Guest> {
    let spending = Spending { memory_limit: setup.memory, memory: 0, table_elements: 0, refused: None };
    let guest =
        Guest { cpu: CpuBudget::new(setup.cpu_time), log: PluginLog::new(setup), setup: setup.clone(), spending };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.spending);
    store.set_hostcall_fuel(limits::PLUGIN_ANSWER_BYTES);
    store.epoch_deadline_callback(|mut store| store.data_mut().cpu.tick());
    store
}

/// Calls into the guest with a fresh budget. After an error the store is of no more use.
pub(super) fn call<T>(
    store: &mut Store<Guest>,
    function: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> Result<T, PluginFailure> {
    let guest = store.data_mut();
    guest.cpu.begin();
    guest.spending.refused = None;
    guest.log.forget_errors();
    store.set_epoch_deadline(1);
    function(store).map_err(|error| failure(store.data_mut(), &error))
}

/// Makes the instance itself; what fails here is [`PluginFailure::Instantiate`] unless a limit bit.
pub(super) fn instantiate<T>(
    store: &mut Store<Guest>,
    function: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> Result<T, PluginFailure> {
    call(store, function).map_err(|failure| match failure {
        PluginFailure::Trap(text) => PluginFailure::Instantiate(text),
        other => other,
    })
}

fn failure(guest: &mut Guest, error: &wasmtime::Error) -> PluginFailure {
    let trap = error.downcast_ref::<Trap>();
    let mut trace = guest.log.take_errors();
    let _ = write!(trace, "{error:?}");
    let with = |sentence: String| shortened(format!("{sentence}\n{trace}"), limits::PLUGIN_TRACE_BYTES);
    if trap == Some(&Trap::Interrupt) {
        return PluginFailure::CpuTime(with(format!(
            "took more than {:?} of CPU time in one call, which is what plugins.cpu_time allows",
            guest.setup.cpu_time
        )));
    }
    if let Some(refused) = guest.spending.refused.take() {
        return PluginFailure::Memory(with(refused));
    }
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return PluginFailure::AnswerTooLarge(with(format!(
            "answered with more than {} bytes in one call",
            limits::PLUGIN_ANSWER_BYTES
        )));
    }
    PluginFailure::Trap(shortened(trace, limits::PLUGIN_TRACE_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_bounded_in_sum() {
        let mut spending = Spending { memory_limit: 100, memory: 0, table_elements: 0, refused: None };
        assert!(spending.memory_growing(0, 60, None).unwrap());
        assert!(!spending.memory_growing(0, 41, None).unwrap());
        assert!(spending.refused.take().unwrap().contains("plugins.memory allows 100 bytes"));
        assert!(spending.memory_growing(60, 100, None).unwrap());
        assert!(!spending.memory_growing(100, 101, None).unwrap());
    }
}
