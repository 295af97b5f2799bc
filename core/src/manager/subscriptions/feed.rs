//! Committed batches to changes, and last known values to changes: the two sources of notifications.
//!
//! Only what was accepted is a change. Objects that travel as text are passed on without what looks like key material
//! (a vendor's exempt path ends here).

use serde_json::{Map, Value, json};

use crate::{
    alarm::AlarmBoard,
    dispatch::Registry,
    model::{
        Alarm, ObjectKind, Symbol, SymbolTable, Timestamp,
        report_batch::{SampleKind, sample_kind},
    },
    state::LastValues,
    storage::record::{AnswerCode, BatchRecord},
    subscription::{Change, Content, SeriesKey, visibility::Gate},
    wire::decode::is_key_name,
};

fn value(symbols: &SymbolTable, subject: &str, sample: (u32, u32, u32, f64), time: Timestamp) -> Change {
    let (name, resource, kind, value) = sample;
    let text = |symbol: u32| symbols.text(Symbol(symbol)).as_ref().to_owned();
    let (kind, content) = match sample_kind(kind) {
        SampleKind::Number => ("performance", Content::Number(value)),
        // The symbol of a word is a whole number below 2^32.
        SampleKind::Word => ("state", Content::Word(text(value as u32))),
        SampleKind::Flag => ("state", Content::Flag(value != 0.0)),
    };
    let key = SeriesKey {
        subject: subject.to_owned(),
        resource: text(resource),
        kind: kind.to_owned(),
        name: text(name),
        qualifier: String::new(),
    };
    Change { key, time, content }
}

/// An alarm as it is now.
fn alarm(alarm: &Alarm) -> Change {
    let mut members = json!({
        "alarmTypeId": alarm.key.alarm_type_id,
        "text": alarm.report.text,
        "eventType": alarm.report.event_type,
        "probableCause": alarm.report.probable_cause,
    });
    if let Some(members) = members.as_object_mut() {
        if !alarm.key.alarm_type_qualifier.is_empty() {
            members.insert("alarmTypeQualifier".to_owned(), json!(alarm.key.alarm_type_qualifier));
        }
        if alarm.is_cleared {
            members.insert("cleared".to_owned(), json!(true));
        } else {
            members.insert("severity".to_owned(), json!(alarm.report.severity));
        }
        members.retain(|_, value| value.as_str() != Some(""));
    }
    let key = SeriesKey {
        subject: alarm.key.component.clone(),
        resource: alarm.key.resource.clone(),
        kind: "alarm".to_owned(),
        name: alarm.key.alarm_type_id.clone(),
        qualifier: alarm.key.alarm_type_qualifier.clone(),
    };
    Change { key, time: alarm.last_changed, content: Content::Alarm(members.to_string()) }
}

fn carries_key(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| (is_key_name(key) && (value.is_string() || value.is_array())) || carries_key(value)),
        Value::Array(items) => items.iter().any(carries_key),
        _ => false,
    }
}

/// An object that travels as text.
fn object(kind: ObjectKind, text: &str, subject: &str, received: Timestamp) -> Option<Change> {
    let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(text) else { return None };
    if members.iter().any(|(key, value)| (is_key_name(key) && !value.is_number()) || carries_key(value)) {
        return None;
    }
    let own = |members: &mut Map<String, Value>, key: &str| match members.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let resource = own(&mut members, "resource");
    let time = Timestamp::parse(&own(&mut members, "time")).unwrap_or(received);
    members.remove("type");
    members.remove("subject");
    let name = members.get("name").filter(|_| kind == ObjectKind::Event).and_then(Value::as_str);
    let key = SeriesKey {
        subject: subject.to_owned(),
        resource,
        kind: kind.as_str().to_owned(),
        name: name.unwrap_or_default().to_owned(),
        qualifier: String::new(),
    };
    Some(Change { key, time, content: Content::Object(Value::Object(members).to_string()) })
}

/// What a committed batch changed, in its order. `wanted` says of which components.
pub(super) fn changes(record: &BatchRecord, symbols: &SymbolTable, wanted: &dyn Fn(&str) -> bool) -> Vec<Change> {
    let (batch, mut changes) = (&record.input, Vec::new());
    for (index, head) in batch.reports.iter().enumerate() {
        if record.answers.get(index) != Some(&(AnswerCode::Accepted as u8)) {
            continue;
        }
        let subject = symbols.text(Symbol(head.component));
        if !wanted(&subject) {
            continue;
        }
        let time = Timestamp(head.time);
        for at in batch.samples(index) {
            let sample = (batch.names.get(at), batch.resources.get(at), batch.flags.get(at), batch.values.get(at));
            if let (Some(&name), Some(&resource), Some(&flags), Some(&number)) = sample {
                changes.push(value(symbols, &subject, (name, resource, flags, number), time));
            }
        }
        let added = record.effects.added_samples.iter().filter(|added| added.report as usize == index);
        changes.extend(
            added.map(|added| value(symbols, &subject, (added.name, added.resource, added.kind, added.value), time)),
        );
        // Alarms of components are told as the manager has them, from the effects.
        let objects = batch.objects.iter().filter(|object| object.report as usize == index);
        let objects = objects.filter(|object| object.kind != ObjectKind::Alarm);
        changes.extend(objects.filter_map(|text| object(text.kind, batch.object_text(text), &subject, record.time)));
    }
    let alarms = record.effects.alarms.iter().filter(|alarm| wanted(&alarm.key.component));
    changes.extend(alarms.map(alarm));
    changes
}

/// The last known values and raised alarms that pass a gate, component by component.
pub(super) fn snapshot(registry: &Registry, board: &AlarmBoard, symbols: &SymbolTable, gate: &Gate) -> Vec<Change> {
    let mut entries = registry.all();
    entries.retain(|entry| gate.passes_component(&entry.component.to_string()));
    entries.sort_unstable_by(|a, b| a.component.cmp(&b.component));
    let mut changes = Vec::new();
    for entry in entries {
        let Some(view) = entry.view.load_full() else { continue };
        let LastValues(values) = view.values.as_ref();
        let subject = entry.component.to_string();
        changes.extend(values.iter().map(|last| {
            value(symbols, &subject, (last.name, last.resource, last.kind, last.value), Timestamp(last.time))
        }));
    }
    let mut alarms = board.all();
    alarms.retain(|alarm| !alarm.is_cleared);
    alarms.sort_unstable_by_key(|alarm| alarm.id);
    changes.extend(alarms.iter().map(|one| alarm(one)));
    changes.retain(|change| gate.passes(&change.key));
    changes
}
