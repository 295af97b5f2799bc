//! The one engine: it compiles every plugin, and its clock bounds what a call may spend.
//!
//! Epochs are ticks of wall time; what a call is charged for is the CPU time of its thread, read at the ticks only.
//! So a healthy plugin is not killed because the machine is busy, and reading the clock costs an ordinary call nothing.

use wasmtime::{Config, Engine, Trap, UpdateDeadline};

use crate::config::limits;

/// Starts the engine and its clock; the clock's thread ends with the last clone of the engine.
pub(super) fn start() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    let engine = Engine::new(&config)?;
    let weak = engine.weak();
    std::thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(limits::PLUGIN_EPOCH);
            match weak.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    })?;
    Ok(engine)
}

/// CPU time that a call may take, and what it has taken.
#[derive(Debug)]
pub(super) struct CpuBudget {
    nanoseconds: u64,
    started: Option<u64>,
}

impl CpuBudget {
    /// A budget for each call.
    pub(super) fn new(time: std::time::Duration) -> Self {
        Self { nanoseconds: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), started: None }
    }

    /// A new call begins. The count starts with the first tick inside it.
    pub(super) const fn begin(&mut self) {
        self.started = None;
    }

    /// At a tick: goes on or interrupts the guest.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.spend(thread_cpu_ns()) { Ok(UpdateDeadline::Continue(1)) } else { Err(Trap::Interrupt.into()) }
    }

    fn spend(&mut self, now: u64) -> bool {
        let started = *self.started.get_or_insert(now);
        now.saturating_sub(started) < self.nanoseconds
    }
}

/// CPU time of this thread.
fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_counts_from_the_first_tick_of_a_call() {
        let mut budget = CpuBudget::new(Duration::from_nanos(50));
        assert!(budget.spend(1_000));
        assert!(budget.spend(1_049));
        assert!(!budget.spend(1_050));
        budget.begin();
        assert!(budget.spend(9_000), "a new call has all of it");
    }

    #[test]
    fn the_clock_ends_with_the_engine() {
        let engine = start().unwrap();
        let weak = engine.weak();
        drop(engine);
        // The thread holds the engine only while it ticks.
        while weak.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
