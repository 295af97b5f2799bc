//! What plugins cost and what became of their calls, as the API shows it: together, and by instance.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plugin::FailureView;
use crate::{
    model::Timestamp,
    telemetry::plugin_calls::{Activity, quantile},
};

/// A plugin as configured, and what it did since the manager started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginActivityView {
    /// Its name in the configuration.
    pub name: String,
    /// `handler`, `policy`, `exchange` or `collector`.
    pub role: String,
    /// Where the plugin comes from: `builtin:mk` or a file.
    pub plugin: String,
    /// The version that it gives itself.
    pub version: String,
    /// SHA-256 of what is in force, lower-case hex.
    pub sha256: String,
    /// The version that was in force before, to which `rollback` goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_version: Option<String>,
    /// SHA-256 of the file, where that was gone back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back_sha256: Option<String>,
    /// All instances together.
    pub total: ActivityView,
    /// Log lines beyond `plugins.log_lines_per_second`.
    pub log_lines_dropped: u64,
    /// Times that a capability was refused that it had not asked for or was not granted.
    #[serde(default)]
    pub capability_refusals: u64,
    /// Verdicts that were not applied (shadow mode, limits).
    pub verdicts_dropped: u64,
    /// Samples that it was not shown: their component has as much state as `plugins.state_per_component` allows.
    pub samples_not_shown: u64,
    /// Its last failed call since the start.
    pub last_failure: Option<FailureView>,
    /// Each instance: one a shard, and for an exchange policy one a thread that asks it.
    pub instances: Vec<InstanceActivityView>,
}

/// An instance of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceActivityView {
    /// Its thread: `shard-0`.
    pub instance: String,
    /// For how long the call that runs now has been running, milliseconds; absent while none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_ms: Option<u64>,
    /// What it did.
    #[serde(flatten)]
    pub activity: ActivityView,
}

/// A report that a plugin could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuarantineView {
    /// When.
    pub time: Timestamp,
    /// The plugin, by its name in the configuration.
    pub plugin: String,
    /// Whose report, as `mk/km-1`.
    pub component: String,
    /// What failed, with the plugin's trace and what it said of it.
    pub failure: String,
    /// What the report said, shortened.
    pub report: String,
}

/// What was done since the manager started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// The same by kind: `trap`, `cpu-time`, `wall-time`, `memory`, `tables`, `answer-too-large`, `bad-answer`, `bad-question`,
    /// `instantiate`, `other`.
    pub failures_by_kind: BTreeMap<String, u64>,
    /// Reports, or subjects of a policy, that were passed.
    pub reports: u64,
    /// Reports that a handler said no to.
    pub reports_refused: u64,
    /// Time in calls.
    pub seconds: f64,
    /// CPU time in calls, from a sample of them.
    pub cpu_seconds: f64,
    /// Half of the calls took no longer, microseconds; known to a quarter.
    pub p50_us: Option<f64>,
    /// Nine of ten.
    pub p90_us: Option<f64>,
    /// 99 of a hundred.
    pub p99_us: Option<f64>,
    /// The longest call, microseconds.
    pub max_us: f64,
    /// Calls by how long they took, what is empty left out; for percentiles between two looks.
    pub durations: Vec<DurationsView>,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Subjects that a policy keeps state of.
    pub subjects: u64,
    /// Bytes of that state.
    pub state_bytes: u64,
    /// Times that an instance was made: more than once where calls failed.
    pub instances_made: u64,
}

/// Calls of about the same duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DurationsView {
    /// None took longer, nanoseconds.
    pub up_to_ns: u64,
    /// How many.
    pub calls: u64,
}

impl From<&Activity> for ActivityView {
    fn from(activity: &Activity) -> Self {
        let microseconds = |thousandths| activity.quantile(thousandths).map(|duration| duration.as_secs_f64() * 1e6);
        let durations = activity.durations.iter().map(|(&up_to_ns, &calls)| DurationsView { up_to_ns, calls });
        Self {
            calls: activity.calls(),
            failures: activity.failures(),
            failures_by_kind: activity.failed.iter().map(|(kind, calls)| ((*kind).to_owned(), *calls)).collect(),
            reports: activity.reports,
            reports_refused: activity.refused,
            seconds: Duration::from_nanos(activity.nanoseconds).as_secs_f64(),
            cpu_seconds: activity.cpu().as_secs_f64(),
            p50_us: microseconds(500),
            p90_us: microseconds(900),
            p99_us: microseconds(990),
            max_us: Duration::from_nanos(activity.slowest).as_secs_f64() * 1e6,
            durations: durations.collect(),
            memory_bytes: activity.memory,
            subjects: activity.subjects,
            state_bytes: activity.state_bytes,
            instances_made: activity.made,
        }
    }
}

impl ActivityView {
    /// What was done after `before`; levels are those of now. The longest call is not known of a part of the time.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut durations = self.durations.clone();
        for one in &mut durations {
            let was = before.durations.iter().find(|was| was.up_to_ns == one.up_to_ns);
            one.calls = one.calls.saturating_sub(was.map_or(0, |was| was.calls));
        }
        durations.retain(|one| one.calls > 0);
        let microseconds = |thousandths| {
            let upper = quantile(durations.iter().map(|one| (one.up_to_ns, one.calls)), thousandths)?;
            Some((Duration::from_nanos(upper).as_secs_f64() * 1e6).min(self.max_us))
        };
        let mut failures_by_kind = self.failures_by_kind.clone();
        for (kind, calls) in &mut failures_by_kind {
            *calls = calls.saturating_sub(before.failures_by_kind.get(kind).copied().unwrap_or(0));
        }
        failures_by_kind.retain(|_, calls| *calls > 0);
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failures: self.failures.saturating_sub(before.failures),
            failures_by_kind,
            reports: self.reports.saturating_sub(before.reports),
            reports_refused: self.reports_refused.saturating_sub(before.reports_refused),
            seconds: (self.seconds - before.seconds).max(0.0),
            cpu_seconds: (self.cpu_seconds - before.cpu_seconds).max(0.0),
            p50_us: microseconds(500),
            p90_us: microseconds(900),
            p99_us: microseconds(990),
            durations,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::plugin_calls::InstanceMetrics;

    #[test]
    fn what_was_done_between_two_looks() {
        let instance = InstanceMetrics::default();
        let look = || ActivityView::from(&instance.activity());
        (0..100).for_each(|_| instance.end(Duration::from_micros(10), 1, None));
        instance.failed("trap");
        let before = look();
        (0..50).for_each(|_| instance.end(Duration::from_millis(1), 64, None));
        instance.failed("memory");
        let now = look().since(&before);
        assert_eq!((now.calls, now.failures, now.reports), (50, 1, 3_200));
        assert_eq!(now.failures_by_kind, BTreeMap::from([("memory".to_owned(), 1)]));
        assert!(now.p50_us.is_some_and(|p50| p50 >= 1_000.0), "{now:?}");
        assert_eq!(look().since(&look()).p50_us, None);
    }
}
