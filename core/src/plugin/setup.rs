//! What every instance of a configured plugin has in common, in whichever form it comes: its name, what it may spend, and its
//! log.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::log_gate::{Admission, LogGate};
use crate::{
    config::limits,
    telemetry::{metrics::PluginMetrics, plugin_log::LineKind},
};

/// What every instance of a configured plugin has in common.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The configured name.
    pub(super) name: Arc<str>,
    /// CPU time a call.
    pub(super) cpu_time: Duration,
    /// Time a call, whatever it does.
    pub(super) wall_time: Duration,
    /// Bytes of linear memory.
    pub(super) memory: usize,
    /// Elements of all tables.
    pub(super) table_elements: usize,
    /// Bytes of an answer.
    pub(super) answer_size: usize,
    /// Lines a second.
    pub(super) log: Arc<LogGate>,
    /// Whether it works beside those that count: then its lines are for who looks for them.
    pub(super) is_rehearsing: bool,
    /// Where the instructions of its calls are counted, in an engine that does.
    pub(super) instructions: Option<Arc<AtomicU64>>,
    /// Where its calls and dropped lines are counted.
    pub(super) counters: Arc<PluginMetrics>,
}

impl Setup {
    /// For an instance beside those that work: it counts for itself, and its log lines say that it is a rehearsal.
    pub(super) fn apart(&self) -> Self {
        let log = Arc::new(LogGate::new(self.log.limit()));
        let name = format!("{} (rehearsal)", self.name).into();
        Self { name, log, is_rehearsing: true, counters: Arc::default(), ..self.clone() }
    }
}

/// The log of one instance. Its last error lines explain a failed call.
#[derive(Debug)]
pub(super) struct PluginLog {
    setup: Setup,
    errors: VecDeque<String>,
}

impl PluginLog {
    /// A log without errors.
    pub(super) fn new(setup: &Setup) -> Self {
        Self { setup: setup.clone(), errors: VecDeque::new() }
    }

    /// A line, if the rate allows.
    pub(super) fn line(&mut self, level: &str, message: String) {
        let message = shortened(message, limits::PLUGIN_LOG_LINE_BYTES);
        let lines = &self.setup.counters.lines;
        let plugin: &str = &self.setup.name;
        match self.setup.log.admit() {
            Admission::Drop => {
                self.setup.counters.log_lines_dropped.increment();
                lines.left_out();
            }
            Admission::Write { dropped } => {
                if dropped > 0 && !self.setup.is_rehearsing {
                    tracing::warn!(target: "plugin", plugin, dropped, "Log lines above plugins.log_lines_per_second were dropped.");
                }
                lines.push(LineKind::Log, known_level(level), &message);
                match level {
                    _ if self.setup.is_rehearsing => tracing::debug!(target: "plugin", plugin, "{message}"),
                    "error" => tracing::error!(target: "plugin", plugin, "{message}"),
                    "warn" => tracing::warn!(target: "plugin", plugin, "{message}"),
                    "debug" => tracing::debug!(target: "plugin", plugin, "{message}"),
                    _ => tracing::info!(target: "plugin", plugin, "{message}"),
                }
            }
        }
        if level == "error" {
            if self.errors.len() == limits::PLUGIN_ERROR_LINES {
                self.errors.pop_front();
            }
            self.errors.push_back(message);
        }
    }

    /// A new call begins.
    pub(super) fn forget_errors(&mut self) {
        self.errors.clear();
    }

    /// Error lines since the call began, each on a line of its own.
    pub(super) fn take_errors(&mut self) -> String {
        let mut lines = String::new();
        for line in self.errors.drain(..) {
            // Writing to a text does not fail.
            let _ = writeln!(lines, "{line}");
        }
        lines
    }
}

/// The level as the contract has it: anything that it does not name counts as `info`.
fn known_level(level: &str) -> &'static str {
    ["error", "warn", "debug"].into_iter().find(|known| *known == level).unwrap_or("info")
}

/// The text, cut at a character's boundary if it is longer than `bytes`.
pub(super) fn shortened(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("abc".to_owned(), 3), "abc");
        assert_eq!(shortened("aüb".to_owned(), 2), "a…");
    }
}
