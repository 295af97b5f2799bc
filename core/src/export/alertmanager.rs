//! Alarms in the words of Alertmanager's API v2: a list of alerts, each known by its labels.
//!
//! | label | from |
//! |---|---|
//! | `alertname` | alarm type |
//! | `severity` | perceived severity, in its own word: critical, major, minor, warning, indeterminate |
//! | `component`, `reference_point`, `resource`, `qualifier` | the rest of the alarm's key |
//! | `function` | FCAPS function |
//! | `manager`, `domain` | who tells |
//!
//! The severity is a label because routes and inhibitions go by it. An alarm whose severity changes is therefore another
//! alert: the old one is resolved in the same request. Alertmanager forgets what it is not told again: a raised alarm is
//! sent with an end that lies some resends ahead, a clear alarm with the time when it became clear.

use serde_json::{Map, Value, json};

use super::{Event, Origin, filter::reference_point};
use crate::{
    config::FcapsFunction,
    model::{Alarm, Severity, Timestamp},
};

/// Path of a list of alerts.
pub const CONTENT_TYPE: &str = "application/json";

/// What one alarm is to the target, before and after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The severity under which the target has it as firing, if it has.
    pub before: Option<Severity>,
    /// The severity under which it is to fire; `None`: it is over, or not bad enough any more.
    pub after: Option<Severity>,
}

/// The alerts that tell of an event. `now` is wall time, `ends` when the target is to consider the alarm over by itself.
#[must_use]
pub fn alerts(event: &Event, told: Told, origin: &Origin, now: Timestamp, ends: Timestamp) -> Vec<Value> {
    let mut alerts = Vec::new();
    let over = |severity| alert(&event.alarm, event.function, severity, origin, over_at(&event.alarm, now));
    if let Some(before) = told.before.filter(|before| Some(*before) != told.after) {
        alerts.push(over(before));
    }
    match told.after {
        Some(severity) => alerts.push(alert(&event.alarm, event.function, severity, origin, ends)),
        // The target may have it although nobody knows: the answer to an earlier request may have been lost.
        None if told.before.is_none() => alerts.push(over(event.alarm.report.severity)),
        None => {}
    }
    alerts
}

/// When an alarm was over: by its own account, but not in the target's future and not before it began.
fn over_at(alarm: &Alarm, now: Timestamp) -> Timestamp {
    alarm.last_changed.min(now).max(alarm.last_raised)
}

/// One alert.
#[must_use]
pub fn alert(alarm: &Alarm, function: FcapsFunction, severity: Severity, origin: &Origin, ends: Timestamp) -> Value {
    json!({
        "labels": labels(alarm, function, severity, origin),
        "annotations": annotations(alarm),
        "startsAt": alarm.last_raised,
        "endsAt": ends,
    })
}

/// An alert that says of itself that it is a test, over by itself after a while.
#[must_use]
pub fn test_alert(exporter: &str, origin: &Origin, now: Timestamp, ends: Timestamp) -> Value {
    json!({
        "labels": {
            "alertname": "qkdnm-exporter-test",
            "severity": Severity::Indeterminate,
            "exporter": exporter,
            "manager": origin.manager,
            "domain": origin.domain,
        },
        "annotations": { "summary": "A test of this exporter, asked for by an operator. Nothing is wrong." },
        "startsAt": now,
        "endsAt": ends,
    })
}

fn labels(alarm: &Alarm, function: FcapsFunction, severity: Severity, origin: &Origin) -> Map<String, Value> {
    let point = reference_point(alarm).map_or("", crate::model::ReferencePoint::as_str);
    let labels = [
        ("alertname", alarm.key.alarm_type_id.as_str()),
        ("severity", severity.as_str()),
        ("component", &alarm.key.component),
        ("reference_point", point),
        ("resource", &alarm.key.resource),
        ("qualifier", &alarm.key.alarm_type_qualifier),
        ("function", function.as_str()),
        ("manager", &origin.manager),
        ("domain", &origin.domain),
    ];
    filled(labels.map(|(name, value)| (name, value.to_owned())))
}

fn annotations(alarm: &Alarm) -> Map<String, Value> {
    let report = &alarm.report;
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let evidence: Vec<String> =
        report.additional_information.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    let operator = alarm.operator_actions.first().map(|action| action.operator.clone()).unwrap_or_default();
    filled([
        ("summary", report.text.clone()),
        ("cause", report.probable_cause.clone()),
        ("event_type", report.event_type.clone()),
        ("proposed_repair", report.repair_actions.join("\n")),
        ("evidence", evidence.join("\n")),
        ("observed", number(report.observed)),
        ("threshold", number(report.threshold)),
        ("raised_by", alarm.raised_by.clone()),
        ("alarm_id", alarm.id.to_string()),
        ("operator_state", serde_json::to_value(alarm.operator_state).ok().and_then(text).unwrap_or_default()),
        ("operator", operator),
    ])
}

fn text(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

/// Without what is empty: to Alertmanager an empty label is no label.
fn filled<const N: usize>(pairs: [(&str, String); N]) -> Map<String, Value> {
    let filled = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        alarm::clear,
        export::{EventKind, testing::alarm},
    };

    fn origin() -> Origin {
        Origin { manager: "m".into(), domain: "east".into() }
    }

    fn event(alarm: Alarm) -> Event {
        let function = FcapsFunction::Performance;
        Event { position: 1 << 16, place: 0, kind: EventKind::Raised, resync: false, function, alarm }
    }

    #[test]
    fn an_alarm_is_an_alert_with_labels_and_annotations() {
        let raised = alarm(7, "major");
        let told = Told { before: None, after: Some(Severity::Major) };
        let (now, ends) = (raised.last_raised.plus(5), raised.last_raised.plus(240_000));
        let alerts = alerts(&event(raised), told, &origin(), now, ends);
        let expected = json!([{
            "labels": {
                "alertname": "key-store-low", "severity": "major", "component": "mk/km-1", "reference_point": "mk",
                "resource": "store-a", "qualifier": "stores", "function": "performance", "manager": "m", "domain": "east",
            },
            "annotations": {
                "summary": "store at 12 %", "cause": "threshold-crossed", "event_type": "quality-of-service",
                "proposed_repair": "Check the link.\nRoute around it.", "evidence": "fill before: 31 %",
                "observed": "0.12", "threshold": "0.2", "raised_by": "policy:stores", "alarm_id": "7",
                "operator_state": "none",
            },
            "startsAt": "2026-11-26T08:00:00.000Z",
            "endsAt": "2026-11-26T08:04:00.000Z",
        }]);
        assert_eq!(Value::from(alerts), expected);
    }

    #[test]
    fn a_changed_severity_ends_the_alert_that_it_was() {
        let raised = alarm(7, "critical");
        let now = raised.last_raised.plus(5);
        let told = Told { before: Some(Severity::Minor), after: Some(Severity::Critical) };
        let alerts = alerts(&event(raised.clone()), told, &origin(), now, now.plus(60_000));
        let seen: Vec<_> = alerts.iter().map(|alert| (&alert["labels"]["severity"], &alert["endsAt"])).collect();
        let (over, ends) = (json!(raised.last_changed), json!(now.plus(60_000)));
        assert_eq!(seen, [(&json!("minor"), &over), (&json!("critical"), &ends)]);
    }

    proptest! {
        #[test]
        fn what_fires_afterwards_is_what_was_meant(
            before in proptest::option::of(proptest::sample::select(Severity::ALL.to_vec())),
            fires in any::<bool>(), severity in proptest::sample::select(Severity::ALL.to_vec()), late in 0_i64..10_000,
        ) {
            let raised = alarm(7, severity.as_str());
            let cleared = clear(&raised, "", raised.last_raised.plus(late)).unwrap();
            let now = raised.last_raised.plus(5_000);
            let told = Told { before, after: fires.then_some(severity) };
            let subject = if fires { raised } else { cleared };
            let mut firing: std::collections::BTreeSet<String> = before.iter().map(ToString::to_string).collect();
            for alert in alerts(&event(subject), told, &origin(), now, now.plus(1)) {
                let (label, ends) = (alert["labels"]["severity"].as_str().unwrap(), alert["endsAt"].as_str().unwrap());
                let starts = Timestamp::parse(alert["startsAt"].as_str().unwrap()).unwrap();
                let ends = Timestamp::parse(ends).unwrap();
                prop_assert!(starts <= ends, "Alertmanager refuses the contrary");
                if ends > now { firing.insert(label.to_owned()); } else { firing.remove(label); }
            }
            let expected: std::collections::BTreeSet<String> = told.after.iter().map(ToString::to_string).collect();
            prop_assert_eq!(firing, expected);
        }
    }
}
