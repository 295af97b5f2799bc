//! One subscription at the manager: what was granted to whom, how far it is, and where its notifications go.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    config::limits::{SUBSCRIPTION_BACKLOG, SUBSCRIPTION_BACKLOG_BYTES, SUBSCRIPTION_RETRY_MS, SUBSCRIPTION_WINDOW},
    connection::Outlet,
    model::{ComponentRef, Timestamp},
    storage::subscriptions::StoredSubscription,
    subscription::{
        Change,
        objects::{bundles, objects},
        outbox::Outbox,
        trigger::{Trigger, TriggerState},
        visibility::{Gate, Visibility},
    },
    telemetry::metrics::Metrics,
    wire::subscription::{self as wire, Notification, NotificationMethod, SubscriptionSpec},
};

/// Bytes of a line that are not objects of section 4: envelope, notification, gap.
const ENVELOPE_BYTES: usize = 4 * 1024;

/// What does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Definition {
    /// Who subscribed.
    pub(super) subscriber: ComponentRef,
    /// What was granted.
    pub(super) granted: SubscriptionSpec,
    /// When.
    pub(super) created: Timestamp,
}

/// What changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Progress {
    trigger: TriggerState,
    outbox: Outbox,
    ended: bool,
    absent_since: Option<i64>,
}

/// A subscription.
pub(super) struct Active {
    /// Its ID.
    pub(super) id: String,
    /// What it is.
    pub(super) definition: Definition,
    /// What passes.
    pub(super) gate: Gate,
    /// What is told when.
    pub(super) trigger: Trigger,
    /// What waits.
    pub(super) outbox: Outbox,
    /// Where it goes; none while the subscriber is away.
    pub(super) outlet: Option<Arc<Outlet>>,
    /// No more notifications come; it goes when those that wait are answered.
    pub(super) ended: bool,
    /// Since when the subscriber is away.
    pub(super) absent_since: Option<Timestamp>,
    /// To be saved.
    pub(super) changed: bool,
    /// After a failure answer: not before then.
    pub(super) paused_until: Option<Timestamp>,
}

impl Active {
    /// A new one.
    #[must_use]
    pub(super) fn new(id: String, definition: Definition, visibility: Visibility, outlet: Arc<Outlet>) -> Self {
        Self {
            gate: Gate::new(visibility, &definition.granted.events),
            trigger: Trigger::new(&definition.granted, definition.created),
            outbox: Outbox::default(),
            outlet: Some(outlet),
            ended: false,
            absent_since: None,
            changed: true,
            paused_until: None,
            id,
            definition,
        }
    }

    /// As stored; nobody is connected.
    #[must_use]
    pub(super) fn stored(
        row: &StoredSubscription,
        now: Timestamp,
        sees: impl FnOnce(&ComponentRef) -> Visibility,
    ) -> Option<Self> {
        let definition: Definition = serde_json::from_str(&row.definition).ok()?;
        let progress: Progress = postcard::from_bytes(&row.progress).ok()?;
        Some(Self {
            id: row.id.clone(),
            gate: Gate::new(sees(&definition.subscriber), &definition.granted.events),
            trigger: Trigger::resumed(&definition.granted, progress.trigger),
            outbox: progress.outbox,
            outlet: None,
            ended: progress.ended,
            absent_since: Some(progress.absent_since.map_or(now, Timestamp)),
            changed: false,
            paused_until: None,
            definition,
        })
    }

    /// To be stored.
    #[must_use]
    pub(super) fn row(&self) -> StoredSubscription {
        let progress = Progress {
            trigger: self.trigger.state().clone(),
            outbox: self.outbox.clone(),
            ended: self.ended,
            absent_since: self.absent_since.map(|time| time.0),
        };
        StoredSubscription {
            id: self.id.clone(),
            definition: serde_json::to_string(&self.definition).unwrap_or_default(),
            progress: postcard::to_allocvec(&progress).unwrap_or_default(),
        }
    }

    /// Makes notifications of changes: as many as the lines need.
    pub(super) fn tell(&mut self, changes: &[Change], even_empty: bool, most_line_bytes: usize, metrics: &Metrics) {
        if self.ended || (changes.is_empty() && !even_empty) {
            return;
        }
        let room = most_line_bytes.saturating_sub(ENVELOPE_BYTES);
        let (mut bundles, dropped) = bundles(objects(changes, true), room);
        metrics.notifications_lost.add(dropped);
        if bundles.is_empty() && even_empty {
            bundles.push(Vec::new());
        }
        for bundle in bundles {
            metrics.notifications.increment();
            let lost = self.outbox.put(bundle, SUBSCRIPTION_BACKLOG, SUBSCRIPTION_BACKLOG_BYTES);
            metrics.notifications_lost.add(lost);
            self.changed = true;
            if self.definition.granted.max_reports.is_some_and(|most| self.outbox.last() >= most) {
                self.ended = true;
                return;
            }
        }
        if self.definition.granted.notification_method == NotificationMethod::OneTime {
            self.ended |= self.outbox.last() > 0;
        }
    }

    /// Takes changes of a batch.
    pub(super) fn take(&mut self, changes: &[Change], now: Timestamp, most_line_bytes: usize, metrics: &Metrics) {
        if self.ended {
            return;
        }
        let (gate, trigger) = (&self.gate, &mut self.trigger);
        let passing = changes.iter().filter(|change| gate.passes(&change.key));
        let mut seen = false;
        let told: Vec<Change> = passing
            .filter_map(|change| {
                seen = true;
                trigger.take(change.clone(), now)
            })
            .collect();
        // What the trigger has learnt counts as well.
        self.changed |= seen;
        self.tell(&told, false, most_line_bytes, metrics);
    }

    /// When something is due.
    #[must_use]
    pub(super) fn due(&self) -> Option<Timestamp> {
        let expiry = self.definition.granted.expiry_time;
        let trigger = self.trigger.due().filter(|_| !self.ended);
        let paused = self.paused_until.filter(|_| self.outlet.is_some());
        [expiry, trigger, paused].into_iter().flatten().min()
    }

    /// Sends what may go, from the manager of this ID.
    pub(super) fn pump(&mut self, manager: &str, now: Timestamp) {
        if self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        self.paused_until = None;
        let Some(outlet) = self.outlet.clone() else { return };
        while outlet.has_room() {
            let Some(out) = self.outbox.send(SUBSCRIPTION_WINDOW) else { return };
            let notification = Notification {
                subscription_id: self.id.clone(),
                correlation_id: self.definition.granted.correlation_id.clone(),
                sequence: out.number,
                gap: out.gap,
            };
            let extension = wire::notification_extension(&notification, out.objects.iter().map(String::as_str));
            let (message_id, mut line) = (self.message_id(out.number), Vec::new());
            wire::notification(&mut line, &message_id, manager, &extension);
            outlet.notify(&message_id, &line);
        }
    }

    fn message_id(&self, number: u64) -> String {
        format!("{}.{number}", self.id)
    }

    /// The number in a `messageId` of this subscription.
    #[must_use]
    pub(super) fn number_in(&self, message_id: &str) -> Option<u64> {
        message_id.strip_prefix(self.id.as_str())?.strip_prefix('.')?.parse().ok()
    }

    /// The subscriber has answered.
    pub(super) fn answered(&mut self, number: u64, success: bool, now: Timestamp) {
        if success {
            self.changed |= self.outbox.answered(number);
        } else {
            self.outbox.send_again();
            self.paused_until = Some(now.plus(SUBSCRIPTION_RETRY_MS));
        }
    }

    /// The subscriber is on another connection, or on none.
    pub(super) fn moved(&mut self, outlet: Option<Arc<Outlet>>, now: Timestamp) {
        self.outbox.send_again();
        self.paused_until = None;
        self.absent_since = outlet.is_none().then_some(now);
        self.outlet = outlet;
        self.changed = true;
    }
}
