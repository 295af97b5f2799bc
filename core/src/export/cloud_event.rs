//! Events of alarms as CloudEvents 1.0, in the JSON format: one in structured mode, several as a batch.
//!
//! | attribute | what |
//! |---|---|
//! | `id` | journal position, place, number of the alarm: the same whenever the event is sent again |
//! | `source` | `/domains/DOMAIN/managers/MANAGER` |
//! | `type` | `qkdnm.alarm.` and what happened; `qkdnm.exporter.test` for a test |
//! | `subject` | the component, as `mk/km-1` |
//! | `time` | when it happened, by the manager's clock |
//! | `sequence` | orders the events of a manager, letter by letter (CloudEvents' extension of this name) |
//! | `alarmid`, `severity` | of the alarm, so that a receiver can route without reading the data |
//! | `resync` | `true`: nothing happened; this is so |
//! | `superseded` | events of this alarm that were left out before this one because too many waited |

use serde_json::{Value, json};

use super::{Event, EventKind, Origin, filter::reference_point};
use crate::model::Timestamp;

/// Of one event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Of several.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// When it happened.
fn time(event: &Event) -> Timestamp {
    let acted = event.alarm.operator_actions.first().map(|action| action.time);
    match event.kind {
        EventKind::Raised | EventKind::SeverityChanged | EventKind::Cleared => event.alarm.last_changed,
        _ => acted.unwrap_or(event.alarm.last_changed),
    }
}

/// Who tells, as a URI reference.
#[must_use]
pub fn source(origin: &Origin) -> String {
    format!("/domains/{}/managers/{}", segment(&origin.domain), segment(&origin.manager))
}

/// Text as a segment of a path (RFC 3986: all but the unreserved characters in percent form).
fn segment(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(char::from(byte)),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

/// An event; `superseded` earlier ones of the same alarm were left out.
#[must_use]
pub fn cloud_event(event: &Event, superseded: u64, origin: &Origin) -> Value {
    let alarm = &event.alarm;
    let mut value = json!({
        "specversion": "1.0",
        "id": event.id(),
        "source": source(origin),
        "type": format!("qkdnm.alarm.{}", event.kind.as_str()),
        "subject": alarm.key.component,
        "time": time(event),
        "datacontenttype": "application/json",
        "sequence": event.sequence(),
        "alarmid": alarm.id.to_string(),
        "severity": alarm.report.severity,
        "data": {
            "manager": origin.manager,
            "domain": origin.domain,
            "event": event.kind,
            "function": event.function.as_str(),
            "referencePoint": reference_point(alarm),
            "alarm": alarm,
        },
    });
    let mut set = |name: &str, what: Value| value.as_object_mut().map(|object| object.insert(name.to_owned(), what));
    if event.resync {
        set("resync", true.into());
    }
    if superseded > 0 {
        set("superseded", superseded.into());
    }
    value
}

/// An event that says of itself that it is a test.
#[must_use]
pub fn test_event(id: &str, exporter: &str, origin: &Origin, now: Timestamp) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": source(origin),
        "type": "qkdnm.exporter.test",
        "subject": exporter,
        "time": now,
        "datacontenttype": "application/json",
        "data": {
            "manager": origin.manager,
            "domain": origin.domain,
            "event": "test",
            "text": "A test of this exporter, asked for by an operator. Nothing is wrong.",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alarm::operate, config::FcapsFunction, export::testing::alarm, model::OperatorState};

    fn origin() -> Origin {
        Origin { manager: "manager east".into(), domain: "ö".into() }
    }

    fn event(kind: EventKind, resync: bool) -> Event {
        let alarm = operate(&alarm(7, "major"), "ops", OperatorState::Acknowledged, "", Timestamp(1_795_680_060_000));
        let function = FcapsFunction::Performance;
        Event { position: (12 << 16) | 3, place: 1, kind, resync, function, alarm: alarm.unwrap() }
    }

    #[test]
    fn an_event_has_the_attributes_of_the_standard() {
        let value = cloud_event(&event(EventKind::Raised, false), 0, &origin());
        assert_eq!(value["specversion"], "1.0");
        assert_eq!(value["id"], "12.3.1-7");
        assert_eq!(value["source"], "/domains/%C3%B6/managers/manager%20east");
        assert_eq!(value["type"], "qkdnm.alarm.raised");
        assert_eq!(value["subject"], "mk/km-1");
        assert_eq!(value["time"], "2026-11-26T08:00:00.000Z");
        assert_eq!(value["sequence"], "00000000000000786435.00001");
        assert_eq!(value["data"]["alarm"]["text"], "store at 12 %");
        assert_eq!(value["data"]["alarm"]["alarmTypeId"], "key-store-low");
        assert_eq!(value["data"]["referencePoint"], "mk");
        assert_eq!(value["data"]["function"], "performance");
        for name in value.as_object().unwrap().keys() {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) && name.len() <= 20, "{name}");
        }
        assert!(value.get("resync").is_none() && value.get("superseded").is_none());
    }

    #[test]
    fn what_an_operator_said_has_its_own_time_and_what_was_left_out_is_told() {
        let acted = cloud_event(&event(EventKind::Acknowledged, false), 3, &origin());
        assert_eq!(acted["type"], "qkdnm.alarm.acknowledged");
        assert_eq!(acted["time"], "2026-11-26T08:01:00.000Z");
        assert_eq!(acted["superseded"], 3);
        let again = cloud_event(&event(EventKind::Raised, true), 0, &origin());
        assert_eq!((&again["id"], &again["resync"]), (&"12.3.1-7-resync".into(), &true.into()));
    }

    #[test]
    fn sequences_order_as_the_journal_does() {
        let at = |position, place| Event { position, place, ..event(EventKind::Raised, false) }.sequence();
        assert!(at(9, 0) < at(10, 0) && at(9, 9) < at(9, 10) && at(u64::MAX >> 1, 0) < at(u64::MAX, 0));
    }
}
