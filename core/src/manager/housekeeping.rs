//! What has to be looked at now and then: certificates that end, wall time that jumps, storage that fails.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{alarms::AlarmDesk, enrolment::Enrolling, in_force::Current, live::Connections, watch::Watch};
use crate::{
    clock::{Clock, wall_time},
    model::AlarmKey,
    shard::{AlarmRequest, alarms::own_report},
    storage::journal::{Journal, JournalHealth},
    telemetry::metrics::Metrics,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// Connections are checked for certificates that have ended this often (in intervals).
const CHECK_EVERY: u64 = 30;
/// A change of the difference between wall time and the manager's clock from one look to the next that counts as a jump.
const JUMP_MS: i64 = 2_000;
/// By so much a call may be late in being interrupted.
const PLUGIN_GRACE: Duration = Duration::from_secs(1);
/// The manager's own certificate is warned about when it ends within this.
const CERTIFICATE_WARNING: Duration = Duration::from_secs(14 * 24 * 3600);

/// What housekeeping looks at.
pub struct House {
    /// `mx/` and the manager's ID.
    pub manager: String,
    /// The time.
    pub clock: Clock,
    /// Connections that are up.
    pub connections: Arc<Connections>,
    /// Components that wait for approval.
    pub enrolment: Enrolling,
    /// Refusals.
    pub watch: Arc<Watch>,
    /// Alarms.
    pub desk: AlarmDesk,
    /// Storage.
    pub journal: Arc<Journal>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The configuration in force.
    pub current: Current,
}

#[derive(Default)]
struct Seen {
    wall_offset: Option<i64>,
    jumped: bool,
    failing: bool,
    commits_failed: u64,
    expiring: bool,
    overloaded: u64,
    overload_raised: bool,
    stuck: BTreeSet<String>,
}

impl House {
    fn key(&self, alarm_type: &str, resource: &str) -> AlarmKey {
        AlarmKey {
            component: self.manager.clone(),
            resource: resource.to_owned(),
            alarm_type_id: alarm_type.to_owned(),
            alarm_type_qualifier: String::new(),
        }
    }

    fn raise(&self, alarm_type: &str, resource: &str, text: String, repairs: &[&str]) {
        let report = own_report(alarm_type, text, repairs);
        self.desk.put(AlarmRequest { key: self.key(alarm_type, resource), report: Some(report), text: String::new() });
    }

    fn clear(&self, alarm_type: &str, resource: &str, text: &str) {
        self.desk.put(AlarmRequest { key: self.key(alarm_type, resource), report: None, text: text.to_owned() });
    }

    /// Looks, until `cancel`.
    pub async fn run(self, cancel: CancellationToken) {
        let mut seen = Seen::default();
        let mut round = 0_u64;
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.look_at_time(&mut seen);
            self.look_at_storage(&mut seen);
            self.look_at_load(&mut seen);
            self.look_at_plugins(&mut seen);
            self.desk.retry();
            self.watch.look();
            self.enrolment.look();
            if round.is_multiple_of(CHECK_EVERY) {
                self.connections.check_again();
                self.look_at_certificates(&mut seen);
            }
            round += 1;
        }
    }

    fn look_at_time(&self, seen: &mut Seen) {
        let offset = self.clock.wall_offset();
        if let Some(before) = seen.wall_offset.replace(offset) {
            let jump = offset - before;
            if jump.abs() >= JUMP_MS {
                self.metrics.clock_jumps.increment();
                seen.jumped = true;
                let text = format!("wall time jumped by {jump} ms; timers and the order of reports are not affected");
                tracing::warn!("{text}");
                self.raise("clock-offset", "wall time", text, &["Check the time service (NTP, PTP) of this machine."]);
            } else if seen.jumped {
                seen.jumped = false;
                self.clear("clock-offset", "wall time", "wall time runs evenly again");
            }
        }
    }

    /// Calls that go on for longer than any may: native code, which nothing interrupts, or a function of the host that waits.
    fn look_at_plugins(&self, seen: &mut Seen) {
        let (now, wall_time) = (Instant::now(), self.current.get().config.plugins.wall_time);
        let mut stuck = BTreeSet::new();
        for plugin in &self.metrics.plugins {
            let longest = plugin.instances().into_iter().filter_map(|(name, one)| Some((one.busy(now)?, name))).max();
            // What is interrupted in time is told by the call's failure.
            let Some((busy, instance)) = longest.filter(|(busy, _)| *busy > wall_time + PLUGIN_GRACE) else { continue };
            stuck.insert(plugin.key().clone());
            if !seen.stuck.contains(plugin.key()) {
                let text = format!(
                    "a call of {} on {instance} has been running for {} s, and cannot be ended; plugins.wall_time allows {} s",
                    plugin.key(),
                    busy.as_secs(),
                    wall_time.as_secs_f64()
                );
                tracing::error!("{text}");
                let repairs =
                    &["The shard waits for it: take the plugin out of the configuration, and restart the manager."];
                self.raise("plugin-stuck", &format!("plugin {}", plugin.key()), text, repairs);
            }
        }
        for over in seen.stuck.difference(&stuck) {
            self.clear("plugin-stuck", &format!("plugin {over}"), "the call is over");
        }
        seen.stuck = stuck;
    }

    fn look_at_storage(&self, seen: &mut Seen) {
        // A failure may come and go between two looks: the counter tells.
        let failed = self.metrics.commits_failed.get();
        let is_new = failed > std::mem::replace(&mut seen.commits_failed, failed);
        match self.journal.health() {
            JournalHealth::Failing { reason, .. } => {
                if !std::mem::replace(&mut seen.failing, true) {
                    tracing::error!(reason, "Storage fails; reports are answered `unavailable`.");
                }
            }
            JournalHealth::Ok if is_new || seen.failing => {
                seen.failing = false;
                // An alarm about storage needs storage: it can be raised only now.
                let text = "storage failed and works again; reports in between were answered `unavailable`".to_owned();
                tracing::warn!("{text}");
                let repairs = &["Check the free space and health of the disk under data_dir."];
                self.raise("storage-failed", "journal", text.clone(), repairs);
                self.clear("storage-failed", "journal", &text);
            }
            JournalHealth::Ok => {}
        }
    }

    fn look_at_load(&self, seen: &mut Seen) {
        let code = crate::model::ReasonCode::Overloaded as usize;
        let refused: u64 = self
            .metrics
            .interfaces
            .iter()
            .filter_map(|interface| interface.refused.get(code))
            .map(crate::telemetry::metrics::Counter::get)
            .sum();
        let now = refused - std::mem::replace(&mut seen.overloaded, refused);
        if now > 0 && !seen.overload_raised {
            seen.overload_raised = true;
            let text = format!("{now} reports were answered `overloaded` within a second: shards cannot keep up");
            self.raise("overload", "shards", text, &["Find the component that sends too much, or the plugin that takes too long (`qkdnm policy list`, /metrics).", "Give the manager more cores."]);
        } else if now == 0 && seen.overload_raised {
            seen.overload_raised = false;
            self.clear("overload", "shards", "no report is refused for load any more");
        }
    }

    fn look_at_certificates(&self, seen: &mut Seen) {
        let now = wall_time();
        let interfaces = self.connections.interfaces();
        let ends = interfaces.iter().map(|interface| interface.trust.own_not_after()).min();
        let Some(ends) = ends else { return };
        let soon = ends.since(now) < i64::try_from(CERTIFICATE_WARNING.as_millis()).unwrap_or(i64::MAX);
        if soon && !seen.expiring {
            self.raise(
                "certificate-expiring",
                "own certificate",
                format!("the manager's own certificate ends at {ends}"),
                &["Issue a new certificate under the same file name and reload (`qkdnm config reload`, or SIGHUP)."],
            );
        } else if !soon && seen.expiring {
            self.clear("certificate-expiring", "own certificate", "a certificate that lasts longer is in use");
        }
        seen.expiring = soon;
    }
}
