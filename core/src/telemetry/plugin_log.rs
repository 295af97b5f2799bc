//! What a plugin said and what went wrong in it, for its author: its log lines, the reports it refused, the calls that failed with
//! their traces. The newest are kept in memory, for each configured plugin so many lines and bytes and so many a second; what is left
//! out is counted. Lines of all plugins are numbered together, so that they can be shown in the order in which they came.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::config::limits::{PLUGIN_LOG_KEPT_BYTES, PLUGIN_LOG_KEPT_LINES, PLUGIN_LOG_KEPT_PER_SECOND};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Written by the plugin.
    Log,
    /// A report that a handler said no to: its reason.
    Refused,
    /// A call that failed: how, and the trace.
    Failed,
    /// So many lines were left out before this one.
    Dropped,
}

impl LineKind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLine {
    /// Its number among the lines of all plugins, from 1.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// What it is.
    pub kind: LineKind,
    /// `error`, `warn`, `info` or `debug`.
    pub level: &'static str,
    /// The text; a trace has several lines.
    pub text: String,
}

/// The newest lines of one plugin.
#[derive(Debug, Default)]
pub struct PluginLines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<PluginLine>,
    bytes: usize,
    second: Duration,
    in_second: u32,
    /// Left out and not told yet.
    untold: u64,
    /// Left out since the start.
    dropped: u64,
}

/// The last number that was given.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The number of the newest line of any plugin. Whoever reads one plugin after the other leaves out lines above it: they are of
/// plugins read late, and a line of one read early may come before them.
#[must_use]
pub fn newest() -> u64 {
    NUMBER.load(Ordering::Relaxed)
}

impl PluginLines {
    /// Keeps a line, if there are not too many of this second.
    pub fn push(&self, kind: LineKind, level: &'static str, text: &str) {
        self.push_at(SystemTime::now(), kind, level, text);
    }

    /// A line was left out elsewhere: the plugin wrote more than `plugins.log_lines_per_second`.
    pub fn left_out(&self) {
        self.lock().leave_out();
    }

    /// Lines behind a number, the oldest first.
    #[must_use]
    pub fn after(&self, number: u64) -> Vec<PluginLine> {
        self.lock().lines.iter().filter(|line| line.number > number).cloned().collect()
    }

    /// Lines that were left out since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push_at(&self, at: SystemTime, kind: LineKind, level: &'static str, text: &str) {
        let mut kept = self.lock();
        let second = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let second = Duration::from_secs(second.as_secs());
        if second != kept.second {
            (kept.second, kept.in_second) = (second, 0);
        }
        kept.in_second += 1;
        if kept.in_second > PLUGIN_LOG_KEPT_PER_SECOND {
            kept.leave_out();
            return;
        }
        let dropped = std::mem::take(&mut kept.untold);
        if dropped > 0 {
            let text = format!("{dropped} lines were left out: more than are kept of a second");
            kept.add(PluginLine { number: 0, at, kind: LineKind::Dropped, level: "warn", text });
        }
        kept.add(PluginLine { number: 0, at, kind, level, text: text.to_owned() });
    }
}

impl Kept {
    const fn leave_out(&mut self) {
        self.untold += 1;
        self.dropped += 1;
    }

    /// Numbered under the lock, so that a plugin's numbers ascend.
    fn add(&mut self, line: PluginLine) {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        self.bytes += line.text.len();
        self.lines.push_back(PluginLine { number, ..line });
        while self.lines.len() > PLUGIN_LOG_KEPT_LINES || self.bytes > PLUGIN_LOG_KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &PluginLines) -> Vec<String> {
        lines.after(0).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_newest_lines_are_kept_and_numbers_ascend() {
        let lines = PluginLines::default();
        let at = |second: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(second as u64);
        for second in 0..PLUGIN_LOG_KEPT_LINES + 3 {
            lines.push_at(at(second), LineKind::Log, "info", &second.to_string());
        }
        let all = lines.after(0);
        assert_eq!((all.len(), all[0].text.as_str()), (PLUGIN_LOG_KEPT_LINES, "3"));
        assert!(all.is_sorted_by(|a, b| a.number < b.number));
        assert_eq!(lines.after(all[all.len() - 2].number).len(), 1);
        let long = "x".repeat(PLUGIN_LOG_KEPT_BYTES - 10);
        lines.push_at(at(9_999), LineKind::Failed, "error", &long);
        assert!(lines.after(0).len() < 5, "bytes are bounded, too");
    }

    #[test]
    fn what_is_too_much_for_a_second_is_counted_and_told() {
        let lines = PluginLines::default();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        for _ in 0..PLUGIN_LOG_KEPT_PER_SECOND + 5 {
            lines.push_at(at, LineKind::Refused, "info", "no");
        }
        lines.left_out();
        assert_eq!((texts(&lines).len(), lines.dropped()), (PLUGIN_LOG_KEPT_PER_SECOND as usize, 6));
        lines.push_at(at + Duration::from_secs(1), LineKind::Log, "info", "next");
        let told = texts(&lines);
        assert!(told[told.len() - 2].starts_with("6 lines were left out"), "{told:?}");
        assert_eq!(told[told.len() - 1], "next");
    }
}
