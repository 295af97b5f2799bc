//! Which alarms a reader asked for, and how many there are of each severity (RFC 8632 alarm summary).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Alarm, OperatorState, ReferencePoint, Severity, Timestamp};

/// Criteria that an alarm has to meet, all that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmFilter {
    /// This severity or a worse one (of a cleared alarm: the last it had).
    pub severity_at_least: Option<Severity>,
    /// Cleared alarms only, or raised ones only.
    pub cleared: Option<bool>,
    /// Alarms of components on this reference point.
    pub reference_point: Option<ReferencePoint>,
    /// Alarms of this component, written `mk/km-1`.
    pub component: Option<String>,
    /// Alarms of this part of the component; empty for the component itself.
    pub resource: Option<String>,
    /// Alarms of this type.
    pub alarm_type_id: Option<String>,
    /// Alarms of which the operator says this.
    pub operator_state: Option<OperatorState>,
    /// Alarms whose severity, text or clearance changed at or after this.
    pub since: Option<Timestamp>,
}

impl AlarmFilter {
    /// Whether an alarm meets all criteria.
    #[must_use]
    pub fn matches(&self, alarm: &Alarm) -> bool {
        let same = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        self.severity_at_least.is_none_or(|least| alarm.report.severity >= least)
            && self.cleared.is_none_or(|cleared| alarm.is_cleared == cleared)
            && self.since.is_none_or(|since| alarm.last_changed >= since)
            && self
                .reference_point
                .is_none_or(|point| alarm.key.component.split_once('/').is_some_and(|(of, _)| of == point.as_str()))
            && same(&self.component, &alarm.key.component)
            && same(&self.resource, &alarm.key.resource)
            && same(&self.alarm_type_id, &alarm.key.alarm_type_id)
            && self.operator_state.is_none_or(|state| alarm.operator_state == state)
    }
}

/// Alarms of one severity, counted (RFC 8632 alarm-summary).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeverityCount {
    /// Which severity; of cleared alarms the last they had.
    pub severity: Severity,
    /// All of them.
    pub total: u64,
    /// Raised.
    pub not_cleared: u64,
    /// Cleared.
    pub cleared: u64,
    /// Cleared, and the operator is not done with them.
    pub cleared_not_closed: u64,
    /// Cleared and closed.
    pub cleared_closed: u64,
    /// Raised, though the operator is done with them.
    pub not_cleared_closed: u64,
    /// Raised and not closed: what needs attention.
    pub not_cleared_not_closed: u64,
}

/// Counts of all severities, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AlarmSummary(pub Vec<SeverityCount>);

impl AlarmSummary {
    /// Counts alarms.
    pub fn of<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Self {
        let mut counts: Vec<SeverityCount> = Severity::ALL
            .into_iter()
            .rev()
            .map(|severity| SeverityCount {
                severity,
                total: 0,
                not_cleared: 0,
                cleared: 0,
                cleared_not_closed: 0,
                cleared_closed: 0,
                not_cleared_closed: 0,
                not_cleared_not_closed: 0,
            })
            .collect();
        for alarm in alarms {
            if let Some(count) = counts.iter_mut().find(|count| count.severity == alarm.report.severity) {
                count.add(alarm);
            }
        }
        Self(counts)
    }
}

impl SeverityCount {
    const fn add(&mut self, alarm: &Alarm) {
        let closed = matches!(alarm.operator_state, OperatorState::Closed);
        self.total += 1;
        let (side, part) = match (alarm.is_cleared, closed) {
            (true, true) => (&mut self.cleared, &mut self.cleared_closed),
            (true, false) => (&mut self.cleared, &mut self.cleared_not_closed),
            (false, true) => (&mut self.not_cleared, &mut self.not_cleared_closed),
            (false, false) => (&mut self.not_cleared, &mut self.not_cleared_not_closed),
        };
        *side += 1;
        *part += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alarm::{clear, operate, raise},
        model::{AlarmKey, AlarmReport},
    };

    fn alarm(component: &str, severity: Severity) -> Alarm {
        let key = AlarmKey {
            component: component.into(),
            resource: String::new(),
            alarm_type_id: "component-silent".into(),
            alarm_type_qualifier: String::new(),
        };
        let report = AlarmReport {
            severity,
            text: "silent".into(),
            event_type: String::new(),
            probable_cause: String::new(),
            observed: None,
            threshold: None,
            repair_actions: Vec::new(),
            additional_information: Vec::new(),
        };
        raise(None, key, report, "manager", || 1, Timestamp(1)).unwrap()
    }

    #[test]
    fn every_criterion_excludes_on_its_own() {
        let raised = alarm("mk/km-1", Severity::Major);
        let with = |change: fn(&mut AlarmFilter)| {
            let mut filter = AlarmFilter::default();
            change(&mut filter);
            filter.matches(&raised)
        };
        assert!(with(|_| {}));
        assert!(with(|f| f.severity_at_least = Some(Severity::Major)));
        assert!(!with(|f| f.severity_at_least = Some(Severity::Critical)));
        assert!(!with(|f| f.cleared = Some(true)));
        assert!(with(|f| f.cleared = Some(false)));
        assert!(with(|f| f.reference_point = Some(ReferencePoint::Mk)));
        assert!(!with(|f| f.reference_point = Some(ReferencePoint::Mq)));
        assert!(with(|f| f.since = Some(Timestamp(1))));
        assert!(!with(|f| f.since = Some(Timestamp(2))));
        assert!(!with(|f| f.component = Some("mk/km-2".into())));
        assert!(!with(|f| f.resource = Some("link-1".into())));
        assert!(with(|f| f.resource = Some(String::new())));
        assert!(!with(|f| f.alarm_type_id = Some("module-failed".into())));
        assert!(!with(|f| f.operator_state = Some(OperatorState::Closed)));
    }

    #[test]
    fn the_summary_counts_each_alarm_in_its_three_places() {
        let raised = alarm("mk/km-1", Severity::Major);
        let cleared = clear(&raised, "", Timestamp(2)).unwrap();
        let closed = operate(&cleared, "ops", OperatorState::Closed, "", Timestamp(3)).unwrap();
        let raised_closed = operate(&raised, "ops", OperatorState::Closed, "", Timestamp(3)).unwrap();
        let other = alarm("mk/km-1", Severity::Warning);
        let summary = AlarmSummary::of([&raised, &cleared, &closed, &raised_closed, &other]);
        let severities: Vec<Severity> = summary.0.iter().map(|count| count.severity).collect();
        assert_eq!(severities.first(), Some(&Severity::Critical));
        let major = summary.0.iter().find(|count| count.severity == Severity::Major).unwrap();
        assert_eq!((major.total, major.not_cleared, major.cleared), (4, 2, 2));
        assert_eq!((major.cleared_closed, major.cleared_not_closed), (1, 1));
        assert_eq!((major.not_cleared_closed, major.not_cleared_not_closed), (1, 1));
        assert_eq!(summary.0.iter().map(|count| count.total).sum::<u64>(), 5);
    }
}
