//! Checks of `[[subscriptions]]`: that what is asked for can be answered at all.

use super::Checker;
use crate::config::{
    problem::Problem,
    raw_subscription::{RawEvent, RawSubscription, RawThreshold},
    source::Spot,
    subscription::{Direction, EventConfig, NotificationMethod, SubscriptionConfig, ThresholdConfig},
};

/// Types of extension objects of the status protocol (section 4).
const TYPES: [&str; 7] = ["performance", "state", "inventory", "topology", "alarm", "usage", "event"];

fn texts(list: &[Spot<String>]) -> Vec<String> {
    list.iter().map(|spot| spot.value.clone()).collect()
}

impl Checker<'_> {
    /// The subscriptions in order.
    pub(super) fn subscriptions(&self, raw: &[RawSubscription]) -> Vec<SubscriptionConfig> {
        self.unique("subscription", raw.iter().filter_map(|raw| raw.name.clone()));
        raw.iter().filter_map(|raw| self.subscription(raw)).collect()
    }

    fn subscription(&self, raw: &RawSubscription) -> Option<SubscriptionConfig> {
        let name = raw.name.as_ref().and_then(|spot| self.name(spot));
        let applies_to = self.matches(&raw.applies_to);
        let events: Vec<EventConfig> = raw.events.iter().map(|event| self.event(event)).collect();
        let thresholds: Vec<_> = raw.thresholds.iter().map(|threshold| self.threshold(threshold)).collect();
        let method = raw.method.as_ref()?;
        self.method_and_keys(raw, method);
        if events.is_empty() {
            return None;
        }
        Some(SubscriptionConfig {
            name: name?,
            applies_to,
            events,
            method: method.value,
            period: raw.period.as_ref().map(|spot| spot.value),
            thresholds: thresholds.into_iter().collect::<Option<Vec<_>>>()?,
            dampening: raw.dampening.as_ref().map(|spot| spot.value),
            immediate: raw.immediate.as_ref().is_none_or(|spot| spot.value),
            durable: raw.durable.as_ref().is_some_and(|spot| spot.value),
            poll_interval: raw.poll_interval.as_ref().map(|spot| spot.value),
        })
    }

    /// Keys that a method needs, or that mean nothing with it.
    fn method_and_keys(&self, raw: &RawSubscription, method: &Spot<NotificationMethod>) {
        let without_meaning = |place, key: &str| {
            let text = format!("`{key}` means nothing with this `method`");
            self.found.add(Problem::error(place, text).related(method.place, "the method"));
        };
        match (method.value, &raw.period) {
            (NotificationMethod::Periodic, None) if !raw.period_is_there => {
                let problem = Problem::error(method.place, "a periodic subscription has no `period`");
                self.found.add(problem.help("add period = \"10s\""));
            }
            (NotificationMethod::OneTime | NotificationMethod::OnChange, Some(period)) => {
                without_meaning(period.place, "period");
            }
            _ => {}
        }
        if method.value != NotificationMethod::OnChange {
            if let Some(first) = raw.thresholds.first() {
                without_meaning(first.place, "thresholds");
            }
            if let Some(dampening) = &raw.dampening {
                without_meaning(dampening.place, "dampening");
            }
        }
        if method.value == NotificationMethod::OneTime
            && let Some(durable) = raw.durable.as_ref().filter(|spot| spot.value)
        {
            without_meaning(durable.place, "durable");
        }
    }

    fn event(&self, raw: &RawEvent) -> EventConfig {
        for kind in raw.types.iter().filter(|kind| !TYPES.contains(&kind.value.as_str())) {
            let problem =
                Problem::warning(kind.place, format!("the status protocol has no objects of type `{}`", kind.value))
                    .label(format!("the types are {}", TYPES.join(", ")));
            self.found.add(problem);
        }
        EventConfig { types: texts(&raw.types), names: texts(&raw.names), resources: texts(&raw.resources) }
    }

    fn threshold(&self, raw: &RawThreshold) -> Option<ThresholdConfig> {
        let hysteresis = raw.hysteresis.as_ref().map_or(0.0, |spot| spot.value);
        if let Some(spot) = raw.hysteresis.as_ref().filter(|spot| spot.value < 0.0) {
            self.found.add(Problem::error(spot.place, "`hysteresis` is negative").label("expected 0 or more"));
            return None;
        }
        Some(ThresholdConfig {
            name: raw.name.as_ref()?.value.clone(),
            level: raw.level.as_ref()?.value,
            direction: raw.direction.as_ref().map_or(Direction::Crossed, |spot| spot.value),
            hysteresis,
        })
    }
}
