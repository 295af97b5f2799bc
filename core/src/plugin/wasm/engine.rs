//! The one engine: it compiles every plugin, and its clock bounds what a call may spend.
//!
//! Epochs are ticks of wall time; what a call is charged for is the CPU time of its thread, read at the ticks only.
//! So a healthy plugin is not killed because the machine is busy, and reading the clock costs an ordinary call nothing. Far
//! above it stands a bound in wall time, so that nothing holds a shard up for ever.

use std::time::{Duration, Instant};

use wasmtime::{Config, Engine, OptLevel, Trap, UpdateDeadline};

use crate::{config::limits, plugin::meter::thread_cpu_ns};

/// Starts the engine and its clock; the clock's thread ends with the last clone of the engine. Where it `counts`, code says how many
/// instructions it ran, and is slower for it.
pub(super) fn start(counts: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(counts)
        .epoch_interruption(true)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    if counts {
        // It runs a few calls: what makes it is what takes time, and the count is the same.
        config.cranelift_opt_level(OptLevel::None);
    }
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

/// Which time a call used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Its thread computed for longer than it may.
    Cpu,
    /// It is not over, although its thread did little: the machine is overloaded, or a function of the host waits.
    Wall,
}

/// Time that a call may take, and what it has taken.
#[derive(Debug)]
pub(super) struct TimeBudget {
    cpu: u64,
    wall: Duration,
    /// CPU and wall time at the first tick.
    started: Option<(u64, Instant)>,
    overdue: Option<Overdue>,
}

impl TimeBudget {
    /// A budget for each call.
    pub(super) fn new(cpu: Duration, wall: Duration) -> Self {
        Self { cpu: u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), wall, started: None, overdue: None }
    }

    /// A new call begins. The count starts with the first tick inside it.
    pub(super) const fn begin(&mut self) {
        (self.started, self.overdue) = (None, None);
    }

    /// At a tick: goes on or interrupts the guest.
    pub(super) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.overdue = self.spend(thread_cpu_ns(), Instant::now());
        if self.overdue.is_none() { Ok(UpdateDeadline::Continue(1)) } else { Err(Trap::Interrupt.into()) }
    }

    /// Which time the call that was interrupted used up.
    pub(super) const fn overdue(&self) -> Option<Overdue> {
        self.overdue
    }

    fn spend(&mut self, cpu: u64, wall: Instant) -> Option<Overdue> {
        let (cpu_began, wall_began) = *self.started.get_or_insert((cpu, wall));
        if cpu.saturating_sub(cpu_began) >= self.cpu {
            return Some(Overdue::Cpu);
        }
        (wall.saturating_duration_since(wall_began) >= self.wall).then_some(Overdue::Wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_from_the_first_tick_of_a_call() {
        let mut budget = TimeBudget::new(Duration::from_nanos(50), Duration::from_secs(5));
        let at = Instant::now();
        assert_eq!(budget.spend(1_000, at), None);
        assert_eq!(budget.spend(1_049, at), None);
        assert_eq!(budget.spend(1_050, at), Some(Overdue::Cpu));
        budget.begin();
        assert_eq!(budget.spend(9_000, at), None, "a new call has all of it");
        assert_eq!(budget.spend(9_001, at + Duration::from_secs(4)), None, "a busy machine is no reason");
        assert_eq!(budget.spend(9_002, at + Duration::from_secs(5)), Some(Overdue::Wall));
    }

    #[test]
    fn the_clock_ends_with_the_engine() {
        let engine = start(false).unwrap();
        let weak = engine.weak();
        drop(engine);
        // The thread holds the engine only while it ticks.
        while weak.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
