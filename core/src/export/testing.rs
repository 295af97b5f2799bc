//! Alarms for tests.

use crate::{
    alarm::raise,
    model::{Alarm, AlarmKey, AlarmReport, Timestamp, alarm::Fact},
};

/// An alarm of `mk/km-1` that was just raised.
pub(crate) fn alarm(id: u64, severity: &str) -> Alarm {
    let key = AlarmKey {
        component: "mk/km-1".into(),
        resource: "store-a".into(),
        alarm_type_id: "key-store-low".into(),
        alarm_type_qualifier: "stores".into(),
    };
    let report = AlarmReport {
        severity: severity.parse().unwrap(),
        text: "store at 12 %".into(),
        event_type: "quality-of-service".into(),
        probable_cause: "threshold-crossed".into(),
        observed: Some(0.12),
        threshold: Some(0.2),
        repair_actions: vec!["Check the link.".into(), "Route around it.".into()],
        additional_information: vec![Fact { name: "fill before".into(), value: "31 %".into() }],
    };
    raise(None, key, report, "policy:stores", || id, Timestamp(1_795_680_000_000)).unwrap()
}
