//! Plugins in `/metrics`: totals and durations by their configured names, what each instance costs by the name of its thread too.

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::NoLabelSet, metrics::MetricType};

use super::{CounterOf, Labels, Snapshot, Writer, number};
use crate::telemetry::{
    metrics::PluginMetrics,
    plugin_calls::{Activity, InstanceMetrics},
};

/// Bounds of durations that are told, seconds. In the calls' own buckets they are met to a quarter.
const BOUNDS: [f64; 10] = [1e-6, 4e-6, 16e-6, 64e-6, 256e-6, 1e-3, 4e-3, 16e-3, 64e-3, 1.0];

/// Counters of each plugin that its instances share.
const SHARED: [(&str, &str, CounterOf<PluginMetrics>); 4] = [
    ("qkdn_plugin_log_lines_dropped", "Log lines of a plugin beyond its rate.", |m| &m.log_lines_dropped),
    ("qkdn_plugin_capabilities_refused", "Capabilities refused to a plugin, one count a use.", |m| {
        &m.capability_refusals
    }),
    ("qkdn_plugin_verdicts_dropped", "Verdicts of a plugin that were not applied.", |m| &m.verdicts_dropped),
    ("qkdn_plugin_samples_not_shown", "Samples beyond the state that a plugin may keep of a component.", |m| {
        &m.samples_crowded_out
    }),
];

type Number = fn(&Activity) -> u64;

/// Counters of each plugin, of all instances together.
const SUMS: [(&str, &str, Number); 4] = [
    ("qkdn_plugin_calls_made", "Calls of a plugin.", Activity::calls),
    ("qkdn_plugin_calls_failed", "Calls of a plugin that failed.", Activity::failures),
    ("qkdn_plugin_reports_passed", "Reports passed to a plugin.", |activity| activity.reports),
    ("qkdn_plugin_reports_refused", "Reports that a handler said no to.", |activity| activity.refused),
];

/// Levels of each instance.
const LEVELS: [(&str, &str, Number); 3] = [
    ("qkdn_plugin_instance_memory_bytes", "Memory that an instance of a plugin has.", |activity| activity.memory),
    ("qkdn_plugin_instance_subjects", "Subjects that an instance of a policy keeps state of.", |activity| {
        activity.subjects
    }),
    ("qkdn_plugin_instance_state_bytes", "State that is kept for an instance of a policy.", |activity| {
        activity.state_bytes
    }),
];

/// What a plugin did, and each of its instances.
struct Counted {
    name: String,
    sum: Activity,
    instances: Vec<(String, Activity)>,
}

impl Counted {
    fn labels(&self) -> Labels {
        vec![("plugin", self.name.clone())]
    }

    /// Labels and numbers of each instance.
    fn each(&self) -> impl Iterator<Item = (Labels, &Activity)> {
        self.instances
            .iter()
            .map(|(instance, activity)| (vec![("plugin", self.name.clone()), ("instance", instance.clone())], activity))
    }
}

fn counted(name: &str, metrics: &PluginMetrics) -> Counted {
    let (mut sum, mut instances) = (Activity::default(), Vec::new());
    for (instance, numbers) in metrics.instances() {
        let numbers: Arc<InstanceMetrics> = numbers;
        let activity = numbers.activity();
        sum.add(&activity);
        instances.push((instance.to_string(), activity));
    }
    Counted { name: name.to_owned(), sum, instances }
}

impl Snapshot {
    pub(super) fn plugins(&self, out: &mut Writer<'_>) -> fmt::Result {
        for (name, help, counter) in SHARED {
            let plugins = self.metrics.plugins.iter();
            let samples = plugins.map(|entry| (vec![("plugin", entry.key().clone())], counter(entry.value()).get()));
            out.counter(name, help, samples)?;
        }
        let plugins: Vec<Counted> =
            self.metrics.plugins.iter().map(|entry| counted(entry.key(), entry.value())).collect();
        for (name, help, number) in SUMS {
            out.counter(name, help, plugins.iter().map(|one| (one.labels(), number(&one.sum))))?;
        }
        let kinds = plugins.iter().flat_map(|one| {
            one.sum.failed.iter().map(|(kind, calls)| {
                let mut labels = one.labels();
                labels.push(("kind", (*kind).to_owned()));
                (labels, *calls)
            })
        });
        out.counter("qkdn_plugin_failures_seen", "Failed calls of a plugin by what became of them.", kinds)?;
        let spent = plugins.iter().map(|one| (one.labels(), super::seconds(one.sum.nanoseconds)));
        out.seconds("qkdn_plugin_call_seconds", "Time spent in calls of a plugin.", spent)?;
        durations(&plugins, out)?;
        let each = || plugins.iter().flat_map(Counted::each);
        let calls = each().map(|(labels, activity)| (labels, activity.calls()));
        out.counter("qkdn_plugin_instance_calls_made", "Calls of an instance of a plugin.", calls)?;
        let failures = each().map(|(labels, activity)| (labels, activity.failures()));
        out.counter("qkdn_plugin_instance_calls_failed", "Failed calls of an instance of a plugin.", failures)?;
        let cpu = each().map(|(labels, activity)| (labels, activity.cpu().as_secs_f64()));
        out.seconds("qkdn_plugin_instance_cpu_seconds", "CPU time of an instance of a plugin, from a sample.", cpu)?;
        LEVELS.into_iter().try_for_each(|(name, help, level)| {
            out.gauge(name, help, each().map(|(labels, activity)| (labels, number(level(activity)))))
        })
    }
}

/// How long calls took.
fn durations(plugins: &[Counted], out: &mut Writer<'_>) -> fmt::Result {
    if plugins.is_empty() {
        return Ok(());
    }
    let (name, help) = ("qkdn_plugin_call_duration_seconds", "How long calls of a plugin took.");
    let mut family = out.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    plugins.iter().try_for_each(|one| {
        let mut buckets: Vec<(f64, u64)> = BOUNDS.iter().chain([&f64::MAX]).map(|bound| (*bound, 0)).collect();
        for (upper, calls) in &one.sum.durations {
            let upper = super::seconds(*upper);
            // A bound counts as met by what may be a quarter above it.
            let place = buckets.iter_mut().find(|(bound, _)| upper <= bound * 1.25);
            place.into_iter().for_each(|(_, count)| *count += calls);
        }
        let sum = super::seconds(one.sum.nanoseconds);
        family.encode_family(&one.labels())?.encode_histogram::<NoLabelSet>(sum, one.sum.calls(), &buckets, None)
    })
}
