//! When a change is told: at once, when its series has been quiet long enough, when a threshold is crossed, or once a
//! period.
//!
//! The laws: what was told last of a series is, once its dampening period is over, what it is (without thresholds); a
//! threshold is told once until the value has gone back by its hysteresis; events are never held back.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{Change, Content, SeriesKey};
use crate::{
    config::limits::SUBSCRIPTION_SERIES,
    model::Timestamp,
    wire::subscription::{MatchingDir, NotificationMethod, SubscriptionSpec, Threshold},
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Series {
    told: Option<Content>,
    /// For each threshold, whether the value is above it, once known.
    above: Vec<Option<bool>>,
    quiet_until: i64,
    held: Option<Change>,
}

/// What of a trigger must be kept to go on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TriggerState {
    series: HashMap<SeriesKey, Series>,
    held: BTreeSet<(i64, SeriesKey)>,
    next_period: Option<i64>,
}

/// One subscription's decision what to tell.
#[derive(Clone, Debug)]
pub struct Trigger {
    method: NotificationMethod,
    period: i64,
    dampening: i64,
    thresholds: Vec<Threshold>,
    state: TriggerState,
}

fn millis(duration: Option<u64>) -> i64 {
    i64::try_from(duration.unwrap_or(0)).unwrap_or(i64::MAX)
}

impl Trigger {
    /// For a subscription granted now.
    #[must_use]
    pub fn new(spec: &SubscriptionSpec, now: Timestamp) -> Self {
        let period = millis(spec.repetition_period_ms).max(1);
        let periodic = spec.notification_method == NotificationMethod::Periodic;
        let next_period = periodic.then(|| now.0.saturating_add(period));
        Self::resumed(spec, TriggerState { next_period, ..TriggerState::default() })
    }

    /// For one that goes on.
    #[must_use]
    pub fn resumed(spec: &SubscriptionSpec, state: TriggerState) -> Self {
        Self {
            method: spec.notification_method,
            period: millis(spec.repetition_period_ms).max(1),
            dampening: millis(spec.dampening_period_ms),
            thresholds: spec.thresholds.clone(),
            state,
        }
    }

    /// To be kept.
    #[must_use]
    pub const fn state(&self) -> &TriggerState {
        &self.state
    }

    /// Learns how things are without telling: what the subscriber knows, or had at the beginning.
    pub fn learn(&mut self, change: &Change) {
        if self.method == NotificationMethod::Periodic || matches!(change.content, Content::Object(_)) {
            return;
        }
        if self.crosses(change).is_some()
            && let Some(series) = self.series(&change.key)
        {
            series.told = Some(change.content.clone());
        }
    }

    fn series(&mut self, key: &SeriesKey) -> Option<&mut Series> {
        if !self.state.series.contains_key(key) {
            if self.state.series.len() >= SUBSCRIPTION_SERIES {
                return None;
            }
            let above = vec![None; self.thresholds.len()];
            self.state.series.insert(key.clone(), Series { above, ..Series::default() });
        }
        self.state.series.get_mut(key)
    }

    /// Whether a number crosses one of its thresholds, which is noted; `None`: beyond the number of series that are kept.
    fn crosses(&mut self, change: &Change) -> Option<bool> {
        let thresholds = std::mem::take(&mut self.thresholds);
        let above = self.series(&change.key).map(|series| &mut series.above);
        let crossed = above.map(|above| {
            let Content::Number(value) = change.content else { return false };
            above.resize(thresholds.len(), None);
            let of_it = thresholds.iter().zip(above).filter(|(threshold, _)| threshold.name == change.key.name);
            // All of them are to learn the value, so no `any`.
            of_it.fold(false, |crossed, (threshold, above)| cross(threshold, above, value) || crossed)
        });
        self.thresholds = thresholds;
        crossed
    }

    /// Takes a change that has passed the gate; what is to be told of it at once.
    pub fn take(&mut self, change: Change, now: Timestamp) -> Option<Change> {
        if self.method == NotificationMethod::Periodic {
            return None;
        }
        if matches!(change.content, Content::Object(_)) {
            return Some(change);
        }
        let by_thresholds = !self.thresholds.is_empty() && matches!(change.content, Content::Number(_));
        // Without room to remember the series it is told as it comes.
        let Some(crossed) = self.crosses(&change) else { return (!by_thresholds).then_some(change) };
        if by_thresholds && !crossed {
            return None;
        }
        let dampening = self.dampening;
        let series = self.state.series.get_mut(&change.key)?;
        if !by_thresholds && series.told.as_ref() == Some(&change.content) {
            // Back where it was when the subscriber was told: nothing is owed.
            if series.held.take().is_some() {
                self.state.held.remove(&(series.quiet_until, change.key));
            }
            return None;
        }
        if now.0 < series.quiet_until {
            self.state.held.insert((series.quiet_until, change.key.clone()));
            series.held = Some(change);
            return None;
        }
        if series.held.take().is_some() {
            self.state.held.remove(&(series.quiet_until, change.key.clone()));
        }
        series.told = Some(change.content.clone());
        series.quiet_until = now.0.saturating_add(dampening);
        Some(change)
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let held = self.state.held.first().map(|(at, _)| *at);
        held.into_iter().chain(self.state.next_period).min().map(Timestamp)
    }

    /// What was held back and is due.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Change> {
        let mut ready = Vec::new();
        while self.state.held.first().is_some_and(|(at, _)| *at <= now.0) {
            let Some((_, key)) = self.state.held.pop_first() else { break };
            let Some(series) = self.state.series.get_mut(&key) else { continue };
            if let Some(change) = series.held.take() {
                series.told = Some(change.content.clone());
                series.quiet_until = now.0.saturating_add(self.dampening);
                ready.push(change);
            }
        }
        ready
    }

    /// Whether a period is over; the next one begins. Periods that were missed (a restart) are not made up for.
    pub fn period_over(&mut self, now: Timestamp) -> bool {
        let Some(next) = self.state.next_period.filter(|next| *next <= now.0) else { return false };
        let periods = (now.0 - next) / self.period + 1;
        self.state.next_period = Some(next.saturating_add(self.period.saturating_mul(periods)));
        true
    }
}

/// Holds a value against a threshold; whether that is a crossing that is asked for.
fn cross(threshold: &Threshold, above: &mut Option<bool>, value: f64) -> bool {
    let Threshold { level, hysteresis, matching_dir, .. } = threshold;
    // Going up counts from `up` on, going down below `down` (or at it, descending): between them nothing changes.
    let (up, down) = match matching_dir {
        MatchingDir::Ascending => (*level, level - hysteresis),
        MatchingDir::Descending => (level + hysteresis, *level),
        MatchingDir::Crossed => (level + hysteresis, level - hysteresis),
    };
    let descending = *matching_dir == MatchingDir::Descending;
    let goes_up = if descending { value > up } else { value >= up };
    let goes_down = if descending { value <= down } else { value < down };
    let before = *above;
    match before {
        None => *above = Some(if descending { value > *level } else { value >= *level }),
        Some(false) if goes_up => *above = Some(true),
        Some(true) if goes_down => *above = Some(false),
        Some(_) => {}
    }
    match (before, *above) {
        (Some(false), Some(true)) => *matching_dir != MatchingDir::Descending,
        (Some(true), Some(false)) => *matching_dir != MatchingDir::Ascending,
        _ => false,
    }
}
