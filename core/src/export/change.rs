//! What happened to an alarm, found from what was known of it before and from what it became.

use serde::{Deserialize, Serialize};

use crate::{
    config::FcapsFunction,
    model::{Alarm, OperatorState, Severity, Timestamp},
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It is new, or was clear before.
    Raised,
    /// Its severity changed while it was raised.
    SeverityChanged,
    /// It is clear now.
    Cleared,
    /// An operator looks after it.
    Acknowledged,
    /// An operator is done with it.
    Closed,
    /// An operator took either back, or the manager did because it was raised again.
    Reopened,
    /// An operator said something without changing anything.
    Commented,
}

impl EventKind {
    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::SeverityChanged => "severity-changed",
            Self::Cleared => "cleared",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
            Self::Commented => "commented",
        }
    }
}

/// What is remembered of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// How often it was raised.
    pub raise_count: u64,
    /// Whether it is clear.
    pub is_cleared: bool,
    /// Its severity, or the last it had.
    pub severity: Severity,
    /// The worst severity since it was last raised.
    pub peak: Severity,
    /// The FCAPS function that it had when it was last raised: it is told and ended under that one, whatever becomes of the
    /// policy meanwhile.
    pub function: FcapsFunction,
    /// What the operator says.
    pub operator_state: OperatorState,
    /// When severity or clearance changed.
    pub last_changed: Timestamp,
    /// When an operator last said something, and how many sayings are kept.
    pub last_action: (Option<Timestamp>, usize),
}

fn last_action(alarm: &Alarm) -> (Option<Timestamp>, usize) {
    (alarm.operator_actions.first().map(|action| action.time), alarm.operator_actions.len())
}

/// The worst severity since an alarm was last raised, as far as its history goes.
fn peak(alarm: &Alarm) -> Severity {
    let clear = alarm.status_changes.iter().take_while(|change| change.severity.is_none()).count();
    let raised = alarm.status_changes.iter().skip(clear).map_while(|change| change.severity);
    raised.fold(alarm.report.severity, Severity::max)
}

impl Known {
    /// What is to be remembered of an alarm of which `before` was remembered, and which serves this function now.
    #[must_use]
    pub fn of(alarm: &Alarm, before: Option<&Self>, function: FcapsFunction) -> Self {
        // The history is bounded; what was worse before it is remembered.
        let same = before.filter(|before| before.raise_count == alarm.raise_count);
        Self {
            raise_count: alarm.raise_count,
            is_cleared: alarm.is_cleared,
            severity: alarm.report.severity,
            peak: same.map_or_else(|| peak(alarm), |before| before.peak.max(peak(alarm))),
            function: same.map_or(function, |before| before.function),
            operator_state: alarm.operator_state,
            last_changed: alarm.last_changed,
            last_action: last_action(alarm),
        }
    }

    /// Whether an alarm, as it is given, is older than what is known of it. All that is compared never goes back.
    #[must_use]
    pub fn is_ahead_of(&self, alarm: &Alarm) -> bool {
        let is_over = self.raise_count == alarm.raise_count && self.is_cleared && !alarm.is_cleared;
        is_over
            || self.raise_count > alarm.raise_count
            || self.last_changed > alarm.last_changed
            || self.last_action.0 > last_action(alarm).0
    }

    /// Whether an alarm, as it is given, is nothing newer than what is known of it.
    #[must_use]
    pub fn covers(&self, alarm: &Alarm) -> bool {
        let same = self.raise_count == alarm.raise_count
            && self.last_changed == alarm.last_changed
            && self.is_cleared == alarm.is_cleared
            && self.severity == alarm.report.severity
            && self.last_action == last_action(alarm);
        same || self.is_ahead_of(alarm)
    }

    /// What happened since; `None`: nothing that anybody is told.
    #[must_use]
    pub fn change(before: Option<&Self>, after: &Alarm) -> Option<EventKind> {
        let Some(before) = before else {
            return (!after.is_cleared).then_some(EventKind::Raised);
        };
        if after.is_cleared != before.is_cleared || after.raise_count != before.raise_count {
            return Some(if after.is_cleared { EventKind::Cleared } else { EventKind::Raised });
        }
        if !after.is_cleared && after.report.severity != before.severity {
            return Some(EventKind::SeverityChanged);
        }
        if after.operator_state == before.operator_state {
            return (last_action(after) != before.last_action).then_some(EventKind::Commented);
        }
        Some(match after.operator_state {
            OperatorState::Acknowledged => EventKind::Acknowledged,
            OperatorState::Closed => EventKind::Closed,
            OperatorState::None => EventKind::Reopened,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        alarm::{AlarmChange, clear, operate, raise},
        export::testing::alarm,
    };

    /// What may happen to an alarm.
    #[derive(Clone, Debug)]
    enum Step {
        Raise(Severity),
        Clear,
        Operate(OperatorState, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let states = [OperatorState::None, OperatorState::Acknowledged, OperatorState::Closed];
        let step = prop_oneof![
            proptest::sample::select(Severity::ALL.to_vec()).prop_map(Step::Raise),
            Just(Step::Clear),
            (proptest::sample::select(states.to_vec()), any::<bool>())
                .prop_map(|(state, says)| Step::Operate(state, says)),
        ];
        proptest::collection::vec(step, 0..60)
    }

    fn after(alarm: &Alarm, step: &Step, now: Timestamp) -> Option<Alarm> {
        match step {
            Step::Raise(severity) => {
                let report = crate::model::AlarmReport { severity: *severity, ..alarm.report.clone() };
                raise(Some(alarm), alarm.key.clone(), report, "component", || 0, now)
            }
            Step::Clear => clear(alarm, "over", now),
            Step::Operate(state, says) => operate(alarm, "ops", *state, if *says { "hm" } else { "" }, now).ok(),
        }
    }

    proptest! {
        #[test]
        fn what_happened_agrees_with_the_life_of_the_alarm(steps in steps()) {
            let mut alarm = alarm(1, "minor");
            let mut known = Known::of(&alarm, None, FcapsFunction::Fault);
            let mut worst = alarm.report.severity;
            for (time, step) in (alarm.last_raised.0 + 1..).zip(&steps) {
                let Some(next) = after(&alarm, step, Timestamp(time)) else { continue };
                let kind = Known::change(Some(&known), &next);
                let expected = AlarmChange::between(Some(&alarm), &next);
                prop_assert_eq!(kind.is_none(), expected == AlarmChange::Unchanged, "{:?} {:?}", step, expected);
                match kind {
                    Some(EventKind::Raised) => prop_assert_eq!(expected, AlarmChange::Raised),
                    Some(EventKind::Cleared) => prop_assert_eq!(expected, AlarmChange::Cleared),
                    Some(EventKind::SeverityChanged) => prop_assert_eq!(expected, AlarmChange::Changed),
                    _ => prop_assert_eq!(expected, AlarmChange::Operated),
                }
                prop_assert!(!known.is_ahead_of(&next), "time does not go back");
                let newer = Known::of(&next, Some(&known), FcapsFunction::Fault);
                prop_assert!(newer.is_ahead_of(&alarm), "what is older is known to be");
                if kind == Some(EventKind::Raised) { worst = next.report.severity; }
                worst = worst.max(next.report.severity);
                prop_assert_eq!(newer.peak, worst);
                let stored = serde_json::to_string(&newer).unwrap();
                prop_assert_eq!(serde_json::from_str::<Known>(&stored).unwrap(), newer, "it comes back from the disk");
                (alarm, known) = (next, newer);
            }
        }
    }

    #[test]
    fn a_cleared_alarm_that_nobody_knows_is_nothing_new() {
        let raised = alarm(1, "major");
        assert_eq!(Known::change(None, &raised), Some(EventKind::Raised));
        let cleared = clear(&raised, "", Timestamp(2)).unwrap();
        assert_eq!(Known::change(None, &cleared), None);
        let again = raise(Some(&cleared), cleared.key.clone(), raised.report.clone(), "x", || 0, Timestamp(3)).unwrap();
        let known = Known::of(&raised, None, FcapsFunction::Fault);
        assert_eq!(Known::change(Some(&known), &again), Some(EventKind::Raised), "its clear was not seen");
    }
}
