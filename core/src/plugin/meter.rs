//! Counts the calls of one instance: how many, how long, with what result.
//!
//! The clock of the thread's CPU time costs more than a call of a small policy, so it is read in the first calls and then in one
//! of [`SAMPLE`]; what the others took follows from their share of the time.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    PluginFailure,
    setup::{Setup, shortened},
};
use crate::{
    config::limits,
    telemetry::{metrics::PluginMetrics, plugin_calls::InstanceMetrics, plugin_log::LineKind},
};

/// One call of so many has its CPU time taken.
const SAMPLE: u32 = 64;

/// The counting side of an instance.
#[derive(Debug)]
pub(super) struct Meter {
    plugin: Arc<PluginMetrics>,
    instance: Arc<InstanceMetrics>,
    calls: u32,
}

/// A call that runs.
pub(super) struct Begun {
    at: Instant,
    cpu: Option<u64>,
}

impl Meter {
    /// For an instance of this thread.
    pub(super) fn new(setup: &Setup) -> Self {
        Self { plugin: Arc::clone(&setup.counters), instance: setup.counters.instance(), calls: 0 }
    }

    /// A call begins.
    pub(super) fn begin(&mut self) -> Begun {
        self.calls = self.calls.wrapping_add(1);
        let is_sampled = self.calls < SAMPLE || self.calls.is_multiple_of(SAMPLE);
        let at = Instant::now();
        self.instance.begin(at);
        Begun { at, cpu: is_sampled.then(thread_cpu_ns) }
    }

    /// It is over; `memory` is what the guest has now.
    pub(super) fn end<T>(
        &self,
        begun: Begun,
        reports: usize,
        result: &Result<T, PluginFailure>,
        memory: Option<usize>,
    ) {
        let cpu = begun.cpu.map(|began| thread_cpu_ns().saturating_sub(began));
        self.instance.end(begun.at.elapsed(), reports, cpu);
        self.instance.holds(memory.unwrap_or(0));
        if let Err(failure) = result {
            self.instance.failed(failure.kind());
            let text = shortened(failure.to_string(), limits::PLUGIN_TRACE_BYTES);
            self.plugin.lines.push(LineKind::Failed, "error", &text);
            let text = shortened(text, limits::PLUGIN_FAILURE_BYTES);
            self.plugin.last_failure.store(Some(Arc::new((SystemTime::now(), text))));
        }
    }

    /// A handler said no to a report.
    pub(super) fn refused(&self, reason: &str) {
        let text = shortened(reason.to_owned(), limits::PLUGIN_FAILURE_BYTES);
        self.plugin.lines.push(LineKind::Refused, "info", &text);
    }

    /// Where it counts.
    pub(super) fn instance(&self) -> &InstanceMetrics {
        &self.instance
    }
}

/// CPU time of this thread.
pub(super) fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}
