//! One guest in its store: what it may spend, what it may call, and what it means when a call fails.
//!
//! A store lives until a call in it fails; after a trap nothing in it can be called again. Memory and tables are
//! bounded in sum, CPU time a call (see `engine`), and what a call may answer by wasmtime's hostcall fuel. The one
//! import is the log; its last error lines explain a trap, since that is where a guest's panic hook writes.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use wasmtime::{Engine, ResourceLimiter, Store, Trap};

use super::{
    bindings::handler::qkdn::manager::host,
    engine::{Overdue, TimeBudget},
};
use crate::{
    config::limits,
    plugin::{
        PluginFailure,
        setup::{PluginLog, Setup, shortened},
    },
};

/// More instructions than any call runs in its time.
const FUEL: u64 = 1 << 60;

/// What the host knows beside a guest.
pub(super) struct Guest {
    setup: Setup,
    time: TimeBudget,
    spending: Spending,
    log: PluginLog,
}

/// Memory and tables, in sum. A refusal is remembered: the guest sees "out of memory" and usually traps for it.
#[derive(Debug)]
struct Spending {
    memory_limit: usize,
    memory: usize,
    table_limit: usize,
    table_elements: usize,
    refused: Option<Refused>,
}

/// What it asked for in vain.
#[derive(Debug)]
enum Refused {
    Memory(String),
    Tables(String),
}

impl Spending {
    const fn new(memory_limit: usize, table_limit: usize) -> Self {
        Self { memory_limit, memory: 0, table_limit, table_elements: 0, refused: None }
    }
}

impl ResourceLimiter for Spending {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.memory.saturating_add(desired.saturating_sub(current));
        if sum > self.memory_limit {
            self.refused = Some(Refused::Memory(format!(
                "asked for {sum} bytes of memory; plugins.memory allows {} bytes",
                self.memory_limit
            )));
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
        if sum > self.table_limit {
            self.refused = Some(Refused::Tables(format!(
                "asked for {sum} elements in its tables; plugins.table_elements allows {}",
                self.table_limit
            )));
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
    let spending = Spending::new(setup.memory, setup.table_elements);
    let time = TimeBudget::new(setup.cpu_time, setup.wall_time);
    let guest = Guest { time, log: PluginLog::new(setup), setup: setup.clone(), spending };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.spending);
    store.set_hostcall_fuel(setup.answer_size);
    store.epoch_deadline_callback(|mut store| store.data_mut().time.tick());
    store
}

/// Calls into the guest with a fresh budget. After an error the store is of no more use.
pub(super) fn call<T>(
    store: &mut Store<Guest>,
    function: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> Result<T, PluginFailure> {
    let guest = store.data_mut();
    guest.time.begin();
    guest.spending.refused = None;
    guest.log.forget_errors();
    store.set_epoch_deadline(1);
    let counted = guest_counter(store);
    let result = function(store);
    if let Some(counter) = counted {
        counter.fetch_add(FUEL - store.get_fuel().unwrap_or(FUEL), Ordering::Relaxed);
    }
    result.map_err(|error| failure(store.data_mut(), &error))
}

/// Where instructions are counted, if they are; the store then has fuel for a call.
fn guest_counter(store: &mut Store<Guest>) -> Option<Arc<AtomicU64>> {
    let counter = store.data().setup.instructions.clone()?;
    store.set_fuel(FUEL).ok()?;
    Some(counter)
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
        return match guest.time.overdue() {
            Some(Overdue::Wall) => PluginFailure::WallTime(with(format!(
                "was not over after {:?}, which is what plugins.wall_time allows",
                guest.setup.wall_time
            ))),
            _ => PluginFailure::CpuTime(with(format!(
                "took more than {:?} of CPU time in one call, which is what plugins.cpu_time allows",
                guest.setup.cpu_time
            ))),
        };
    }
    match guest.spending.refused.take() {
        Some(Refused::Memory(refused)) => return PluginFailure::Memory(with(refused)),
        Some(Refused::Tables(refused)) => return PluginFailure::Tables(with(refused)),
        None => {}
    }
    if error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls")) {
        return PluginFailure::AnswerTooLarge(with(format!(
            "answered with more than {} bytes in one call, which is what plugins.answer_size allows",
            guest.setup.answer_size
        )));
    }
    PluginFailure::Trap(shortened(trace, limits::PLUGIN_TRACE_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_bounded_in_sum() {
        let mut spending = Spending::new(100, 10);
        assert!(spending.memory_growing(0, 60, None).unwrap());
        assert!(!spending.memory_growing(0, 41, None).unwrap());
        let Some(Refused::Memory(refused)) = spending.refused.take() else { panic!("a refusal of memory") };
        assert!(refused.contains("plugins.memory allows 100 bytes"));
        assert!(spending.memory_growing(60, 100, None).unwrap());
        assert!(!spending.memory_growing(100, 101, None).unwrap());
    }

    #[test]
    fn tables_are_bounded_in_sum() {
        let mut spending = Spending::new(100, 10);
        assert!(spending.table_growing(0, 6, None).unwrap());
        assert!(!spending.table_growing(0, 5, None).unwrap());
        let Some(Refused::Tables(refused)) = spending.refused.take() else { panic!("a refusal of tables") };
        assert!(refused.contains("asked for 11") && refused.contains("plugins.table_elements allows 10"));
    }
}
