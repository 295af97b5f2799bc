//! Which alarms a target is told.

use super::change::Known;
use crate::{
    config::{FcapsFunction, exporter::ExporterFilter},
    model::{Alarm, ReferencePoint, Severity},
    subscription::globs::Globs,
};

/// A filter, compiled. All criteria that are given have to be met.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    severity_at_least: Option<Severity>,
    functions: Vec<FcapsFunction>,
    alarm_types: Globs,
    reference_points: Vec<ReferencePoint>,
    components: Globs,
}

/// The reference point of an alarm's component (`mk/km-1`).
#[must_use]
pub fn reference_point(alarm: &Alarm) -> Option<ReferencePoint> {
    alarm.key.component.split('/').next()?.parse().ok()
}

impl Filter {
    /// Compiles it.
    #[must_use]
    pub fn new(config: &ExporterFilter) -> Self {
        Self {
            severity_at_least: config.severity_at_least,
            functions: config.functions.clone(),
            alarm_types: Globs::new(&config.alarm_types),
            reference_points: config.reference_points.clone(),
            components: Globs::new(&config.components),
        }
    }

    /// Whether the target is told of an alarm. What counts is the worst severity since the alarm was raised: who was told
    /// that it is critical is also told that it became minor, and that it is over.
    #[must_use]
    pub fn wants(&self, alarm: &Alarm, known: &Known) -> bool {
        self.severity_at_least.is_none_or(|least| known.peak >= least)
            && (self.functions.is_empty() || self.functions.contains(&known.function))
            && self.alarm_types.matches(&alarm.key.alarm_type_id)
            && (self.reference_points.is_empty()
                || reference_point(alarm).is_some_and(|point| self.reference_points.contains(&point)))
            && self.components.matches(&alarm.key.component)
    }

    /// Whether an alarm of this severity is bad enough by itself.
    #[must_use]
    pub fn is_bad_enough(&self, severity: Severity) -> bool {
        self.severity_at_least.is_none_or(|least| severity >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alarm::{clear, raise},
        export::testing::alarm,
        model::Timestamp,
    };

    fn wants(change: impl FnOnce(&mut ExporterFilter)) -> bool {
        let alarm = alarm(1, "major");
        let mut config = ExporterFilter::default();
        change(&mut config);
        Filter::new(&config).wants(&alarm, &Known::of(&alarm, None, FcapsFunction::Performance))
    }

    #[test]
    fn every_criterion_excludes_on_its_own() {
        assert!(wants(|_| {}));
        assert!(wants(|f| f.severity_at_least = Some(Severity::Major)));
        assert!(!wants(|f| f.severity_at_least = Some(Severity::Critical)));
        assert!(wants(|f| f.functions = vec![FcapsFunction::Fault, FcapsFunction::Performance]));
        assert!(!wants(|f| f.functions = vec![FcapsFunction::Fault]));
        assert!(wants(|f| f.alarm_types = vec!["key-*".into()]));
        assert!(!wants(|f| f.alarm_types = vec!["qber-*".into()]));
        assert!(wants(|f| f.reference_points = vec![ReferencePoint::Mk]));
        assert!(!wants(|f| f.reference_points = vec![ReferencePoint::Mq]));
        assert!(wants(|f| f.components = vec!["mq/*".into(), "mk/km-?".into()]));
        assert!(!wants(|f| f.components = vec!["mk/other".into()]));
    }

    #[test]
    fn who_was_told_of_an_alarm_is_told_that_it_is_over() {
        let filter =
            Filter::new(&ExporterFilter { severity_at_least: Some(Severity::Major), ..ExporterFilter::default() });
        let told = alarm(1, "critical");
        let known = Known::of(&told, None, FcapsFunction::Fault);
        let mut report = told.report.clone();
        report.severity = Severity::Minor;
        let sunk = raise(Some(&told), told.key.clone(), report.clone(), "x", || 0, Timestamp(2)).unwrap();
        let sunk_known = Known::of(&sunk, Some(&known), FcapsFunction::Fault);
        assert!(filter.wants(&sunk, &sunk_known) && !filter.is_bad_enough(sunk.report.severity));
        let cleared = clear(&sunk, "", Timestamp(3)).unwrap();
        let cleared_known = Known::of(&cleared, Some(&sunk_known), FcapsFunction::Fault);
        assert!(filter.wants(&cleared, &cleared_known));
        let again = raise(Some(&cleared), cleared.key.clone(), report, "x", || 0, Timestamp(4)).unwrap();
        assert!(
            !filter.wants(&again, &Known::of(&again, Some(&cleared_known), FcapsFunction::Fault)),
            "a new beginning"
        );
    }
}
