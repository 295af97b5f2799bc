//! All subscriptions at the manager: granting, resuming, ending; batches and time to notifications; saving before sending.

use std::{collections::HashMap, sync::Arc};

use super::{
    Around,
    active::{Active, Definition},
    feed,
};
use crate::{
    api::views::SubscriptionView,
    config::{
        SeesRule,
        limits::{
            MAX_LINE_BYTES, RETRY_OVERLOADED_MS, RETRY_UNAVAILABLE_MS, SUBSCRIPTION_ABSENCE_MS, SUBSCRIPTION_PERIOD_MS,
            SUBSCRIPTION_THRESHOLDS, SUBSCRIPTIONS, SUBSCRIPTIONS_PER_SUBSCRIBER,
        },
    },
    connection::{Outlet, SubscriptionWish},
    model::{ComponentRef, ReasonCode, Refusal, Response, Timestamp},
    storage::{JournalPosition, error::StorageError, record::BatchRecord, subscriptions::SubscriptionDb},
    subscription::visibility::{Gate, Visibility},
    wire::{
        encode, message_type,
        subscription::{self as wire, Granted, SubscribeAsk, SubscriptionSpec},
    },
};

/// All of them.
pub(super) struct Keeper {
    around: Around,
    sees: HashMap<ComponentRef, Vec<SeesRule>>,
    db: SubscriptionDb,
    active: Vec<Active>,
    /// Durable ones that ended and are still stored.
    gone: Vec<String>,
    /// The journal is reflected up to here.
    pub(super) position: JournalPosition,
    save_failed: bool,
}

impl Keeper {
    /// As stored, checked against what may be seen now.
    pub(super) fn open(around: Around, sees: HashMap<ComponentRef, Vec<SeesRule>>) -> Result<Self, StorageError> {
        let db = SubscriptionDb::open(&around.data_dir)?;
        let (position, rows) = db.load()?;
        let mut keeper = Self { around, sees, db, active: Vec::new(), gone: Vec::new(), position, save_failed: false };
        let now = keeper.around.clock.now();
        for row in rows {
            let restored = Active::stored(&row, now, |subscriber| keeper.visibility(subscriber));
            let may_see = restored.filter(|active| {
                let visibility = keeper.visibility(&active.definition.subscriber);
                let (granted, failed) = visibility.grant(&active.definition.granted.events);
                if !failed.is_empty() {
                    let what = format!(
                        "subscription {} of {}: less may be seen than was granted",
                        active.id, active.definition.subscriber
                    );
                    keeper.around.audit_entry("subscription", &active.definition.subscriber.to_string(), what);
                }
                !granted.is_empty()
            });
            match may_see {
                Some(active) => keeper.active.push(active),
                None => {
                    tracing::warn!(
                        subscription = row.id,
                        "A stored subscription has ended: its subscriber may see nothing of it any more."
                    );
                    keeper.gone.push(row.id);
                }
            }
        }
        keeper.count();
        Ok(keeper)
    }

    fn visibility(&self, subscriber: &ComponentRef) -> Visibility {
        Visibility::new(&subscriber.to_string(), self.sees.get(subscriber).map_or(&[], Vec::as_slice))
    }

    fn count(&self) {
        self.around.metrics.subscriptions.set(self.active.len() as u64);
    }

    /// Whether there is any.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    fn line_bytes(outlet: Option<&Arc<Outlet>>) -> usize {
        outlet.map_or(MAX_LINE_BYTES, |outlet| outlet.max_line_bytes).min(MAX_LINE_BYTES)
    }

    /// A batch is durable.
    pub(super) fn batch(&mut self, position: JournalPosition, record: &BatchRecord) {
        if position <= self.position {
            return;
        }
        self.position = position;
        let now = self.around.clock.now();
        let active = &self.active;
        let wanted = |component: &str| active.iter().any(|one| !one.ended && one.gate.passes_component(component));
        let changes = feed::changes(record, &self.around.symbols, &wanted);
        if changes.is_empty() {
            return;
        }
        for one in &mut self.active {
            let bytes = Self::line_bytes(one.outlet.as_ref());
            one.take(&changes, now, bytes, &self.around.metrics);
        }
    }

    /// Takes a wish and answers it.
    pub(super) fn wish(&mut self, wish: SubscriptionWish) {
        let mut line = Vec::new();
        let id = wish.subscriber.id.as_str();
        if wish.ends {
            let response = self.end(&wish).map_or_else(Response::from, |()| Response::Success);
            wire::unsubscribe_response(&mut line, &wish.message_id, id, &response);
            return wish.outlet.answer(&line);
        }
        match self.subscribe(&wish) {
            Ok(granted) => {
                self.around.metrics.subscriptions_granted.increment();
                wire::subscribe_response(&mut line, &wish.message_id, id, &granted);
            }
            Err(refusal) => {
                self.around.metrics.subscriptions_refused.increment();
                self.around.metrics.refuse(wish.subscriber.reference_point, refusal.code);
                let kind = message_type::SUBSCRIBE_RESPONSE;
                encode::answer(&mut line, kind, Some(&wish.message_id), id, &refusal.into());
            }
        }
        wish.outlet.answer(&line);
    }

    fn denied(&self, subscriber: &ComponentRef, what: &str) {
        self.around.audit_entry("refused", &subscriber.to_string(), format!("subscription: {what}"));
    }

    fn subscribe(&mut self, wish: &SubscriptionWish) -> Result<Granted, Refusal> {
        let rejected = |sentence: String| Refusal::new(ReasonCode::Rejected, sentence);
        match wire::parse_subscribe(&wish.extension).map_err(|error| rejected(error.to_string()))? {
            SubscribeAsk::Resume { subscription_id } => self.resume(wish, &subscription_id),
            SubscribeAsk::New(spec) => self.begin(wish, spec),
        }
    }

    fn begin(&mut self, wish: &SubscriptionWish, mut spec: SubscriptionSpec) -> Result<Granted, Refusal> {
        let now = self.around.clock.now();
        if spec.expiry_time.is_some_and(|expiry| expiry <= now) {
            return Err(Refusal::new(ReasonCode::Rejected, "expiryTime: lies in the past"));
        }
        if spec.thresholds.len() > SUBSCRIPTION_THRESHOLDS {
            let sentence =
                format!("thresholds: {} given, but {SUBSCRIPTION_THRESHOLDS} are granted", spec.thresholds.len());
            return Err(Refusal::new(ReasonCode::Rejected, sentence));
        }
        let visibility = self.visibility(&wish.subscriber);
        let (events, failed_events) = visibility.grant(&spec.events);
        if events.is_empty() {
            let reason = failed_events.first().map_or("", |failed| failed.reason.as_str());
            let (code, sentence) = match reason.strip_prefix("not-authorized: ") {
                Some(_) => (
                    ReasonCode::NotAuthorized,
                    "nothing of this may be seen by the subscriber (`sees` in its [[components]] entry)",
                ),
                None => (ReasonCode::Rejected, "no such type of object, or no value of such a name"),
            };
            self.denied(&wish.subscriber, sentence);
            return Err(Refusal::new(code, sentence));
        }
        let of_it = self.active.iter().filter(|one| one.definition.subscriber == wish.subscriber).count();
        if of_it >= SUBSCRIPTIONS_PER_SUBSCRIBER || self.active.len() >= SUBSCRIPTIONS {
            let sentence = format!(
                "{SUBSCRIPTIONS_PER_SUBSCRIBER} subscriptions a subscriber and {SUBSCRIPTIONS} in all are granted; end one first"
            );
            return Err(Refusal::retry(ReasonCode::Overloaded, sentence, RETRY_OVERLOADED_MS));
        }
        if failed_events.iter().any(|failed| failed.reason.starts_with("not-authorized")) {
            self.denied(&wish.subscriber, "granted in part, the rest may not be seen");
        }
        spec.events = events;
        spec.repetition_period_ms = spec.repetition_period_ms.map(|period| period.max(SUBSCRIPTION_PERIOD_MS));
        spec.dampening_period_ms =
            spec.dampening_period_ms.map(|period| if period == 0 { 0 } else { period.max(SUBSCRIPTION_PERIOD_MS) });
        let id = format!("s{:016x}", fastrand::u64(..));
        let definition = Definition { subscriber: wish.subscriber.clone(), granted: spec.clone(), created: now };
        // From now on batches come; those before are in the views.
        self.position = self.position.max(self.around.begin_following());
        let mut active = Active::new(id.clone(), definition, visibility, Arc::clone(&wish.outlet));
        let known = feed::snapshot(&self.around.registry, &self.around.board, &self.around.symbols, &active.gate);
        known.iter().for_each(|change| active.trigger.learn(change));
        if spec.immediate_report {
            active.tell(&known, false, Self::line_bytes(active.outlet.as_ref()), &self.around.metrics);
        }
        if spec.durable {
            self.db.save(self.position, &[active.row()], &[]).map_err(|error| {
                tracing::error!(%error, "A durable subscription could not be stored.");
                let sentence = "the subscription cannot be stored now";
                Refusal::retry(ReasonCode::Unavailable, sentence, RETRY_UNAVAILABLE_MS)
            })?;
        }
        self.active.push(active);
        self.count();
        Ok(Granted { subscription_id: id, granted: spec, failed_events })
    }

    fn resume(&mut self, wish: &SubscriptionWish, id: &str) -> Result<Granted, Refusal> {
        let now = self.around.clock.now();
        let place = self.own(&wish.subscriber, id)?;
        let unknown = || Refusal::new(ReasonCode::Rejected, "there is no such subscription");
        let one = self.active.get_mut(place).ok_or_else(unknown)?;
        one.moved(Some(Arc::clone(&wish.outlet)), now);
        Ok(Granted {
            subscription_id: one.id.clone(),
            granted: one.definition.granted.clone(),
            failed_events: Vec::new(),
        })
    }

    /// The place of a subscription, for its own subscriber.
    fn own(&self, subscriber: &ComponentRef, id: &str) -> Result<usize, Refusal> {
        let refused = || {
            Refusal::new(ReasonCode::Rejected, "extension: this subscriber has no subscription of this subscriptionId")
        };
        let place = self.active.iter().position(|one| one.id == id).ok_or_else(refused)?;
        if self.active.get(place).is_some_and(|one| one.definition.subscriber == *subscriber) {
            return Ok(place);
        }
        self.denied(subscriber, "it named a subscription of somebody else");
        Err(refused())
    }

    fn end(&mut self, wish: &SubscriptionWish) -> Result<(), Refusal> {
        let id = wire::parse_subscription_id(&wish.extension)
            .map_err(|error| Refusal::new(ReasonCode::Rejected, error.to_string()))?;
        let place = self.own(&wish.subscriber, &id)?;
        self.drop_at(place);
        Ok(())
    }

    fn drop_at(&mut self, place: usize) {
        let one = self.active.swap_remove(place);
        if one.definition.granted.durable {
            self.gone.push(one.id);
        }
        self.count();
    }

    /// An operator ends one; whether there was one.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let place = self.active.iter().position(|one| one.id == id);
        if let Some(place) = place {
            self.drop_at(place);
        }
        place.is_some()
    }

    /// Goes by other rules of what may be seen.
    pub(super) fn see(&mut self, sees: HashMap<ComponentRef, Vec<SeesRule>>) {
        if self.sees == sees {
            return;
        }
        self.sees = sees;
        let mut gone = Vec::new();
        for place in 0..self.active.len() {
            let Some(definition) = self.active.get(place).map(|one| one.definition.clone()) else { continue };
            let visibility = self.visibility(&definition.subscriber);
            let (granted, failed) = visibility.grant(&definition.granted.events);
            let Some(one) = self.active.get_mut(place) else { continue };
            one.gate = Gate::new(visibility, &definition.granted.events);
            if !failed.is_empty() {
                let ends = if granted.is_empty() { "it ends: nothing" } else { "less" };
                let what = format!(
                    "subscription {} of {}: {ends} of it may be seen under the changed configuration",
                    one.id, definition.subscriber
                );
                tracing::info!("{what}");
                self.around.audit_entry("subscription", &definition.subscriber.to_string(), what);
            }
            if granted.is_empty() {
                gone.push(place);
            }
        }
        gone.into_iter().rev().for_each(|place| self.drop_at(place));
    }

    /// The subscriber has answered a notification.
    pub(super) fn answered(&mut self, outlet: u64, message_id: &str, success: bool) {
        let now = self.around.clock.now();
        let here = |one: &&mut Active| one.outlet.as_ref().is_some_and(|own| own.id == outlet);
        for one in self.active.iter_mut().filter(here) {
            if let Some(number) = one.number_in(message_id) {
                one.answered(number, success, now);
            }
        }
    }

    /// A connection has ended, and with it what is not durable.
    pub(super) fn closed(&mut self, outlet: u64) {
        let now = self.around.clock.now();
        let here = |one: &Active| one.outlet.as_ref().is_some_and(|own| own.id == outlet);
        self.active.retain(|one| one.definition.granted.durable || !here(one));
        self.active.iter_mut().filter(|one| here(one)).for_each(|one| one.moved(None, now));
        self.count();
    }

    /// When something is due.
    #[must_use]
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.active.iter().filter_map(Active::due).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) {
        let now = self.around.clock.now();
        for one in &mut self.active {
            let bytes = Self::line_bytes(one.outlet.as_ref());
            if one.definition.granted.expiry_time.is_some_and(|expiry| expiry <= now) {
                one.ended = true;
                one.outbox = Default::default();
                continue;
            }
            if one.ended || one.trigger.due().is_none_or(|due| due > now) {
                continue;
            }
            let ready = one.trigger.tick(now);
            one.changed = true;
            one.tell(&ready, false, bytes, &self.around.metrics);
            if one.trigger.period_over(now) {
                let Around { registry, board, symbols, .. } = &self.around;
                let known = feed::snapshot(registry, board, symbols, &one.gate);
                one.tell(&known, true, bytes, &self.around.metrics);
            }
        }
        let over = |one: &Active| {
            let absent = one.absent_since.is_some_and(|since| now.since(since) >= SUBSCRIPTION_ABSENCE_MS);
            (one.ended && one.outbox.is_empty()) || absent
        };
        while let Some(place) = self.active.iter().position(over) {
            self.drop_at(place);
        }
    }

    /// Saves what changed of durable ones, then sends what may go.
    pub(super) fn save_and_send(&mut self) {
        let durable = |one: &&Active| one.definition.granted.durable && one.changed;
        let rows: Vec<_> = self.active.iter().filter(durable).map(Active::row).collect();
        let saved = if rows.is_empty() && self.gone.is_empty() {
            true
        } else {
            let saved = self.db.save(self.position, &rows, &self.gone);
            if let Err(error) = &saved
                && !self.save_failed
            {
                tracing::error!(%error, "Durable subscriptions could not be saved; their notifications wait.");
            }
            self.save_failed = saved.is_err();
            saved.is_ok()
        };
        if saved {
            self.gone.clear();
        }
        let now = self.around.clock.now();
        for one in &mut self.active {
            if saved || !one.definition.granted.durable {
                one.changed &= !saved;
                one.pump(&self.around.manager, now);
            }
        }
    }

    /// For the API.
    #[must_use]
    pub(super) fn list(&self) -> Vec<SubscriptionView> {
        let view = |one: &Active| SubscriptionView {
            id: one.id.clone(),
            subscriber: one.definition.subscriber.clone(),
            created: one.definition.created,
            granted: one.definition.granted.clone(),
            connected: one.outlet.is_some(),
            last_sequence: one.outbox.last(),
            acknowledged: one.outbox.acknowledged(),
            backlog: one.outbox.len(),
            backlog_bytes: one.outbox.bytes(),
            lost: one.outbox.lost(),
        };
        let mut views: Vec<_> = self.active.iter().map(view).collect();
        views.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        views
    }
}
