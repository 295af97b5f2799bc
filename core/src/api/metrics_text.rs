//! `/metrics`: what is counted, and the levels of the moment, as text for Prometheus (format 0.0.4).
//!
//! Names are `qkdn_<stage>_<noun>_<verb>_total` for what grows, the stages named as the modules. Labels are few and
//! bounded: reference point, reason code, severity, shard, values of the catalogue, plugins by their configured names and threads;
//! never a component, so that a large network has as many series as a small one. Everything is
//! written from a snapshot on each scrape, so what is gone vanishes.

mod federation;
mod plugins;

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, prometheus_text},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    unit,
    views::{Gauges, Health, NetworkLevel},
};
use crate::{
    model::{ReasonCode, ReferencePoint, Severity},
    telemetry::{
        collector::CollectorMetrics,
        exporter::ExporterMetrics,
        metrics::{Counter, InterfaceMetrics, Metrics},
        outward::OutwardMetrics,
    },
};

/// The type of what [`render`] writes.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Writes everything.
pub fn render(metrics: Arc<Metrics>, gauges: Gauges, health: Health) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot { metrics, gauges, health }));
    let mut text = String::with_capacity(16 * 1024);
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Snapshot {
    metrics: Arc<Metrics>,
    gauges: Gauges,
    health: Health,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer { encoder };
        self.manager(&mut out)?;
        self.interfaces(&mut out)?;
        self.reloads(&mut out)?;
        self.network(&mut out)?;
        self.outward(&mut out)?;
        self.plugins(&mut out)?;
        self.collectors(&mut out)?;
        self.exporters(&mut out)?;
        self.enrolment(&mut out)?;
        self.federation(&mut out)?;
        self.storage(&mut out)
    }
}

type CounterOf<T> = fn(&T) -> &Counter;

/// Counters of each reference point: name without `_total`, help, where it is.
const INTERFACE_COUNTERS: [(&str, &str, CounterOf<InterfaceMetrics>); 12] = [
    ("qkdn_net_connections_opened", "Connections accepted or dialled.", |m| &m.connections_opened),
    ("qkdn_net_bytes_received", "Bytes received inside TLS.", |m| &m.bytes),
    ("qkdn_wire_lines_received", "Lines received.", |m| &m.lines),
    ("qkdn_wire_reports_accepted", "Status reports answered with success, repeats included.", |m| &m.accepted),
    ("qkdn_wire_reports_repeated", "Of the accepted status reports, repeats.", |m| &m.repeats),
    ("qkdn_wire_answers_unexpected", "Answers that nobody asked for.", |m| &m.unexpected_answers),
    ("qkdn_wire_objects_kept", "Objects and values of unknown type or name, kept as text.", |m| &m.kept_objects),
    ("qkdn_wire_times_replaced", "Source times replaced by the time of receipt.", |m| &m.times_replaced),
    ("qkdn_wire_reports_without_performance", "Reports and answers without a performance object.", |m| {
        &m.without_performance
    }),
    ("qkdn_wire_reports_without_state", "Reports and answers without a state object.", |m| &m.without_state),
    ("qkdn_wire_requests_sent", "Status report requests sent.", |m| &m.requests),
    ("qkdn_wire_requests_unanswered", "Status report requests not answered in time.", |m| &m.requests_unanswered),
];

/// Why requests of collectors are not sent; a test holds it against `collect`.
pub(crate) const COLLECTOR_REFUSALS: [&str; 5] = ["not-asked", "not-granted", "keys", "malformed", "too-many"];

/// Counters of each collector.
const COLLECTOR_COUNTERS: [(&str, &str, CounterOf<CollectorMetrics>); 8] = [
    ("qkdn_collector_collections_begun", "Collections begun.", |m| &m.collections),
    ("qkdn_collector_collections_failed", "Of those, failed.", |m| &m.collections_failed),
    ("qkdn_collector_collections_waited", "Of those, begun late because too many were under way.", |m| {
        &m.collections_waited
    }),
    ("qkdn_collector_requests_sent", "Requests to the collector's hosts.", |m| &m.requests),
    ("qkdn_collector_requests_failed", "Of those, without an answer that can be used.", |m| &m.requests_failed),
    ("qkdn_collector_bytes_received", "Bytes of bodies received.", |m| &m.bytes),
    ("qkdn_collector_reports_made", "Status reports handed in.", |m| &m.reports),
    ("qkdn_collector_reports_refused", "Of those, refused.", |m| &m.reports_refused),
];

/// Counters of each exporter of alarms.
const EXPORTER_COUNTERS: [(&str, &str, CounterOf<ExporterMetrics>); 7] = [
    ("qkdn_exporter_events_delivered", "Events that arrived at the target.", |m| &m.delivered),
    ("qkdn_exporter_requests_sent", "Requests to the target.", |m| &m.requests),
    ("qkdn_exporter_requests_failed", "Of those, without success.", |m| &m.requests_failed),
    ("qkdn_exporter_events_parked", "Events that the target refused and that were parked.", |m| &m.parked),
    ("qkdn_exporter_events_lost", "Parked events given up because too many were parked.", |m| &m.parked_lost),
    ("qkdn_exporter_events_superseded", "Events left out of a full outbox for a later one of the same alarm.", |m| {
        &m.left_out
    }),
    ("qkdn_exporter_resyncs_made", "Times that the target was told anew what is so.", |m| &m.resyncs),
];

/// Counters of the subscriptions at components.
const OUTWARD_COUNTERS: [(&str, &str, CounterOf<OutwardMetrics>); 7] = [
    ("qkdn_outward_subscribes_sent", "Subscriptions asked for at components, resumptions included.", |m| &m.subscribes),
    ("qkdn_outward_subscribes_refused", "Of those, refused.", |m| &m.refused),
    ("qkdn_outward_notifications_received", "Notifications of components, repeats included.", |m| &m.notifications),
    ("qkdn_outward_notifications_unknown", "Of those, of no known subscription.", |m| &m.notifications_unknown),
    ("qkdn_outward_notifications_missed", "Notifications that never came.", |m| &m.notifications_missed),
    ("qkdn_outward_polls_sent", "Status report requests of the schedule.", |m| &m.polls),
    ("qkdn_outward_polls_failed", "Of those, without a status.", |m| &m.polls_failed),
];

/// Counters of the manager as a whole.
const MANAGER_COUNTERS: [(&str, &str, CounterOf<Metrics>); 24] = [
    ("qkdn_state_sequence_numbers_missed", "Sequence numbers that never came.", |m| &m.sequence_gaps),
    ("qkdn_state_network_entries_dropped", "Inventory and topology beyond what a component may have.", |m| {
        &m.network_entries_dropped
    }),
    ("qkdn_history_chunks_written", "Chunks of history written.", |m| &m.history_chunks),
    ("qkdn_history_writes_failed", "Writes of history that failed.", |m| &m.history_failed),
    ("qkdn_history_gaps_seen", "Times that history missed what was committed.", |m| &m.history_gaps),
    ("qkdn_history_samples_dropped", "Samples of series beyond the limit.", |m| &m.history_dropped),
    ("qkdn_state_usage_repeats_seen", "Usage intervals that were counted before.", |m| &m.usage_repeats),
    ("qkdn_plugin_reports_quarantined", "Reports that a plugin could not take.", |m| &m.quarantined),
    ("qkdn_alarm_raises_dropped", "New alarms beyond what a component may have.", |m| &m.alarms_dropped),
    ("qkdn_plugin_samples_dropped", "Samples beyond the state that a component may have.", |m| &m.samples_crowded_out),
    ("qkdn_plugin_requests_dropped", "Status report requests of policies not sent.", |m| &m.policy_requests_dropped),
    ("qkdn_storage_commits_made", "Commits of the journal.", |m| &m.commits),
    ("qkdn_storage_commits_failed", "Commits of the journal that failed.", |m| &m.commits_failed),
    ("qkdn_storage_journal_bytes_written", "Bytes written to the journal.", |m| &m.journal_bytes),
    ("qkdn_storage_batches_committed", "Batches in commits of the journal.", |m| &m.batches),
    ("qkdn_storage_reports_committed", "Reports in commits of the journal.", |m| &m.reports_committed),
    ("qkdn_storage_state_flushes_made", "Flushes of the state database.", |m| &m.state_flushes),
    ("qkdn_storage_state_flushes_failed", "Flushes of the state database that failed.", |m| &m.state_flushes_failed),
    ("qkdn_subscriptions_granted", "Subscriptions granted.", |m| &m.subscriptions_granted),
    ("qkdn_subscriptions_refused", "Subscriptions refused.", |m| &m.subscriptions_refused),
    ("qkdn_subscription_notifications", "Notifications made.", |m| &m.notifications),
    (
        "qkdn_subscription_notifications_lost",
        "Notifications lost: the subscriber was too slow, or an object too large.",
        |m| &m.notifications_lost,
    ),
    ("qkdn_subscription_fell_behind", "Times the commits were read from the journal.", |m| &m.subscriptions_behind),
    ("qkdn_clock_jumps_seen", "Jumps of the wall clock.", |m| &m.clock_jumps),
];

impl Snapshot {
    fn manager(&self, out: &mut Writer<'_>) -> fmt::Result {
        let health = &self.health;
        let info = [
            ("version", health.version.clone()),
            ("manager", health.manager.clone()),
            ("domain", health.domain.clone()),
        ];
        out.gauge("qkdn_manager_info", "The manager: version, ID and domain.", [(info.to_vec(), 1.0)])?;
        let ready = f64::from(u8::from(health.ready));
        out.gauge("qkdn_manager_ready", "Whether the manager takes and stores reports.", [(Vec::new(), ready)])?;
        let started = seconds_since_epoch(health.started.0);
        out.gauge("qkdn_manager_start_time_seconds", "When the manager started.", [(Vec::new(), started)])?;
        let raised = Severity::ALL.iter().zip(&self.metrics.alarms_raised);
        let raised = raised.map(|(severity, count)| (vec![("severity", severity.to_string())], number(count.get())));
        out.gauge("qkdn_alarm_alarms_raised", "Alarms that are not cleared.", raised)?;
        let boxes = self.gauges.shard_mailboxes.iter().enumerate();
        let boxes = boxes.map(|(shard, waiting)| (vec![("shard", shard.to_string())], number(*waiting)));
        out.gauge("qkdn_shard_mailbox_messages", "Messages waiting for a shard.", boxes)?;
        let timers = number(self.gauges.policy_timers);
        out.gauge("qkdn_plugin_policy_timers", "Timers that policies have set.", [(Vec::new(), timers)])?;
        let symbols = number(self.gauges.symbols);
        out.gauge("qkdn_model_symbols", "Names that have a symbol.", [(Vec::new(), symbols)])?;
        let subscriptions = number(self.metrics.subscriptions.get());
        out.gauge("qkdn_subscription_subscriptions", "Subscriptions at the manager.", [(Vec::new(), subscriptions)])?;
        for (name, help, counter) in MANAGER_COUNTERS {
            out.counter(name, help, [(Vec::new(), counter(&self.metrics).get())])?;
        }
        Ok(())
    }

    fn interfaces(&self, out: &mut Writer<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        for (name, help, counter) in INTERFACE_COUNTERS {
            let samples = ReferencePoint::ALL.map(|point| (of(point), counter(metrics.interface(point)).get()));
            out.counter(name, help, samples)?;
        }
        let refused = ReferencePoint::ALL.into_iter().flat_map(|point| {
            let codes = ReasonCode::ALL.into_iter().zip(&metrics.interface(point).refused);
            codes.map(move |(code, count)| {
                (vec![("reference_point", point.to_string()), ("code", code.to_string())], count.get())
            })
        });
        out.counter("qkdn_wire_messages_refused", "Messages refused.", refused)?;
        let causes = metrics.handshakes_refused.iter();
        let causes = causes.map(|entry| (vec![("cause", (*entry.key()).to_owned())], entry.value().get()));
        out.counter("qkdn_net_handshakes_refused", "TLS handshakes and identities refused.", causes)?;
        let open = ReferencePoint::ALL.map(|point| (of(point), number(metrics.interface(point).connections.get())));
        out.gauge("qkdn_net_connections_open", "Connections open now.", open)?;
        let known = self.gauges.interfaces.iter().map(|i| (of(i.reference_point), number(i.components.known)));
        out.gauge("qkdn_state_components_known", "Components configured or heard of.", known)?;
        let connected = self.gauges.interfaces.iter().map(|i| (of(i.reference_point), number(i.components.connected)));
        out.gauge("qkdn_state_components_connected", "Components with a connection open now.", connected)
    }

    fn reloads(&self, out: &mut Writer<'_>) -> fmt::Result {
        let reloads = &self.metrics.reloads;
        let results = [("applied", &reloads.applied), ("unchanged", &reloads.unchanged), ("refused", &reloads.refused)];
        let results = results.map(|(result, count)| (vec![("result", result.to_owned())], count.get()));
        out.counter("qkdn_config_reloads", "Reloads of the configuration, by what became of them.", results)?;
        let last = [(Vec::new(), seconds_since_epoch(reloads.last_success().0))];
        out.gauge("qkdn_config_last_success_timestamp_seconds", "When the files were last taken over.", last)?;
        let differ = [(Vec::new(), number(reloads.differ.get()))];
        out.gauge("qkdn_config_files_differ", "Whether the files are other ones than those in force.", differ)
    }

    fn enrolment(&self, out: &mut Writer<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let waiting = [(Vec::new(), number(metrics.enrolment_waiting.get()))];
        out.gauge("qkdn_enrolment_components_waiting", "Components that wait for approval.", waiting)?;
        let verdicts = [("approved", &metrics.enrolment_approved), ("rejected", &metrics.enrolment_rejected)];
        let verdicts = verdicts.map(|(verdict, count)| (vec![("verdict", verdict.to_owned())], count.get()));
        out.counter("qkdn_enrolment_decisions", "Decisions of operators about components.", verdicts)?;
        let refused = [(Vec::new(), metrics.enrolment_no_room.get())];
        out.counter("qkdn_enrolment_refused", "Times that a component had no place among those that wait.", refused)
    }

    fn network(&self, out: &mut Writer<'_>) -> fmt::Result {
        let silent = self.gauges.silent.iter().map(|one| (of(one.reference_point), number(one.components)));
        out.gauge("qkdn_network_components_silent", "Components that are held for silent.", silent)?;
        let levels = &self.gauges.network;
        let labels = |level: &NetworkLevel| {
            let unit = unit::of(&level.value).unwrap_or("1");
            let point = level.reference_point.to_string();
            vec![("reference_point", point), ("value", level.value.clone()), ("unit", unit.to_owned())]
        };
        let least = levels.iter().map(|level| (labels(level), level.least));
        out.gauge("qkdn_network_value_least", "The least of a value over all that report it.", least)?;
        let greatest = levels.iter().map(|level| (labels(level), level.greatest));
        out.gauge("qkdn_network_value_greatest", "The greatest of a value over all that report it.", greatest)?;
        let mean = levels.iter().map(|level| (labels(level), level.mean));
        out.gauge("qkdn_network_value_mean", "The mean of a value over all that report it.", mean)?;
        let reporting = levels.iter().map(|level| (labels(level), number(level.count)));
        out.gauge("qkdn_network_value_reporters", "Components and parts of them that report a value.", reporting)
    }

    fn outward(&self, out: &mut Writer<'_>) -> fmt::Result {
        let metrics = &self.metrics.outward;
        for (name, help, counter) in OUTWARD_COUNTERS {
            out.counter(name, help, [(Vec::new(), counter(metrics).get())])?;
        }
        let granted = number(metrics.granted.get());
        out.gauge(
            "qkdn_outward_subscriptions_granted",
            "Subscriptions that components serve now.",
            [(Vec::new(), granted)],
        )
    }

    fn collectors(&self, out: &mut Writer<'_>) -> fmt::Result {
        let of = |name: &str| vec![("collector", name.to_owned())];
        let collectors = &self.metrics.collectors;
        for (name, help, counter) in COLLECTOR_COUNTERS {
            out.counter(name, help, collectors.iter().map(|entry| (of(entry.key()), counter(entry.value()).get())))?;
        }
        let mut refused = Vec::new();
        for entry in collectors {
            for (why, counter) in COLLECTOR_REFUSALS.iter().zip(&entry.value().requests_refused) {
                let labels = vec![("collector", entry.key().clone()), ("reason", (*why).to_owned())];
                refused.push((labels, counter.get()));
            }
        }
        let help = "Requests that a collector's plugin wanted and that were not sent.";
        out.counter("qkdn_collector_requests_refused", help, refused)?;
        let seconds = collectors.iter().map(|entry| {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            let seconds = entry.value().nanoseconds.get() as f64 / 1e9;
            (of(entry.key()), seconds)
        });
        out.gauge("qkdn_collector_requests_seconds", "Time that requests took since the start.", seconds)
    }

    fn exporters(&self, out: &mut Writer<'_>) -> fmt::Result {
        let of = |name: &str| vec![("exporter", name.to_owned())];
        let exporters = &self.metrics.exporters;
        for (name, help, counter) in EXPORTER_COUNTERS {
            out.counter(name, help, exporters.iter().map(|entry| (of(entry.key()), counter(entry.value()).get())))?;
        }
        let waiting = exporters.iter().map(|entry| (of(entry.key()), number(entry.value().waiting.get())));
        out.gauge("qkdn_exporter_events_waiting", "Events that wait to be sent.", waiting)?;
        let parked = exporters.iter().map(|entry| (of(entry.key()), number(entry.value().parked_now.get())));
        out.gauge("qkdn_exporter_events_parked_now", "Events that are parked.", parked)
    }

    fn storage(&self, out: &mut Writer<'_>) -> fmt::Result {
        let spent = seconds(self.metrics.sync_nanoseconds.get());
        out.seconds("qkdn_storage_sync_seconds", "Time spent making commits durable.", [(Vec::new(), spent)])?;
        let size = number(self.gauges.journal_size_bytes);
        out.gauge("qkdn_storage_journal_size_bytes", "Bytes that the journal takes on disk.", [(Vec::new(), size)])
    }
}

type Labels = Vec<(&'static str, String)>;

fn of(point: ReferencePoint) -> Labels {
    vec![("reference_point", point.to_string())]
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
const fn number(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but doubles")]
const fn seconds_since_epoch(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}

/// One family after the other; a family without samples is left out, since its header alone says nothing.
struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    fn counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels, u64)>) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        samples.try_for_each(|(labels, value)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn seconds(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        samples.try_for_each(|(labels, value)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        samples.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }
}
