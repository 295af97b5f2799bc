//! Extension text to the types of a subscription; a complaint names the path of what is wrong.

use serde_json::{Map, Value};

use super::{
    EventFilter, FailedEvent, Granted, MatchingDir, Notification, NotificationMethod, PathError, SubscribeAsk,
    SubscriptionSpec, Threshold,
};
use crate::{config::limits, model::Timestamp};

type Object = Map<String, Value>;

fn wrong(path: impl Into<String>, message: impl Into<String>) -> PathError {
    PathError { path: path.into(), message: message.into() }
}

/// The first object of a type, and its path.
fn object_of(extension: &str, kind: &str) -> Result<(Object, String), PathError> {
    let missing = || wrong("extension", format!("expected an object {{\"type\":\"{kind}\"}}"));
    let Ok(Value::Array(objects)) = serde_json::from_str::<Value>(extension) else { return Err(missing()) };
    let found = objects.into_iter().enumerate().find_map(|(index, object)| match object {
        Value::Object(object) if object.get("type").and_then(Value::as_str) == Some(kind) => Some((index, object)),
        _ => None,
    });
    let (index, object) = found.ok_or_else(missing)?;
    Ok((object, format!("extension[{index}]")))
}

/// A member that is there; `null` is a value of the wrong type.
fn member<'o>(object: &'o Object, key: &str) -> Option<&'o Value> {
    object.get(key)
}

/// Members of one object, each with its path.
struct Members<'o> {
    object: &'o Object,
    path: &'o str,
}

impl<'o> Members<'o> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn text(&self, key: &str, most: usize) -> Result<Option<String>, PathError> {
        let Some(value) = member(self.object, key) else { return Ok(None) };
        let expected = || wrong(self.at(key), format!("expected a string of 1 to {most} characters"));
        let text = value.as_str().ok_or_else(expected)?;
        if text.is_empty() || text.chars().count() > most {
            return Err(expected());
        }
        Ok(Some(text.to_owned()))
    }

    fn integer(&self, key: &str, least: u64) -> Result<Option<u64>, PathError> {
        let Some(value) = member(self.object, key) else { return Ok(None) };
        let fits =
            |number: f64| number.fract() == 0.0 && number >= least as f64 && number <= limits::MAX_SEQUENCE as f64;
        match value.as_f64() {
            Some(number) if fits(number) => Ok(Some(number as u64)),
            _ => Err(wrong(self.at(key), format!("expected an integer from {least} to {}", limits::MAX_SEQUENCE))),
        }
    }

    fn boolean(&self, key: &str) -> Result<bool, PathError> {
        match member(self.object, key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(wrong(self.at(key), "expected true or false")),
        }
    }

    fn time(&self, key: &str) -> Result<Option<Timestamp>, PathError> {
        let Some(value) = member(self.object, key) else { return Ok(None) };
        let time = value.as_str().and_then(Timestamp::parse);
        time.map(Some).ok_or_else(|| wrong(self.at(key), "expected an RFC 3339 time such as 2026-01-31T12:00:00Z"))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, PathError> {
        let Some(value) = member(self.object, key) else { return Ok(Vec::new()) };
        let Some(items) = value.as_array() else {
            return Err(wrong(self.at(key), "expected an array of strings"));
        };
        if items.len() > limits::SUBSCRIPTION_LIST_ITEMS {
            let message = format!("{} elements, but {} are allowed", items.len(), limits::SUBSCRIPTION_LIST_ITEMS);
            return Err(wrong(self.at(key), message));
        }
        let one = |(index, item): (usize, &Value)| match item.as_str() {
            Some(text) if text.chars().count() <= limits::SUBSCRIPTION_TEXT_CHARS => Ok(text.to_owned()),
            _ => Err(wrong(
                format!("{}[{index}]", self.at(key)),
                format!("expected a string of at most {} characters", limits::SUBSCRIPTION_TEXT_CHARS),
            )),
        };
        items.iter().enumerate().map(one).collect()
    }

    /// The objects of a list and their paths.
    fn objects(&self, key: &str, most: usize) -> Result<Vec<(&'o Object, String)>, PathError> {
        let Some(value) = member(self.object, key) else { return Ok(Vec::new()) };
        let Some(items) = value.as_array() else {
            return Err(wrong(self.at(key), "expected an array of objects"));
        };
        if items.len() > most {
            return Err(wrong(self.at(key), format!("{} elements, but {most} are allowed", items.len())));
        }
        let one = |(index, item): (usize, &'o Value)| {
            let path = format!("{}[{index}]", self.at(key));
            match item.as_object() {
                Some(object) => Ok((object, path)),
                None => Err(wrong(path, "expected an object")),
            }
        };
        items.iter().enumerate().map(one).collect()
    }
}

fn event_filter(object: &Object, path: &str) -> Result<EventFilter, PathError> {
    let members = Members { object, path };
    Ok(EventFilter {
        types: members.texts("types")?,
        names: members.texts("names")?,
        resources: members.texts("resources")?,
        components: members.texts("components")?,
    })
}

fn number(object: &Object, path: &str, key: &str) -> Result<Option<f64>, PathError> {
    match member(object, key) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| wrong(format!("{path}.{key}"), "expected a number")),
    }
}

fn threshold(object: &Object, path: &str) -> Result<Threshold, PathError> {
    let members = Members { object, path };
    let missing = |key: &str, what: &str| wrong(format!("{path}.{key}"), format!("is missing: {what}"));
    let name = members.text("name", limits::SUBSCRIPTION_TEXT_CHARS)?;
    let level = number(object, path, "level")?;
    let matching_dir = match member(object, "matchingDir") {
        None => MatchingDir::default(),
        Some(value) => MatchingDir::ALL
            .into_iter()
            .find(|dir| value.as_str() == Some(dir.as_str()))
            .ok_or_else(|| wrong(members.at("matchingDir"), "expected ASCENDING, DESCENDING or CROSSED"))?,
    };
    let hysteresis = number(object, path, "hysteresis")?.unwrap_or(0.0);
    if hysteresis < 0.0 {
        return Err(wrong(members.at("hysteresis"), "expected a number that is not negative"));
    }
    Ok(Threshold {
        name: name.ok_or_else(|| missing("name", "the name of a value"))?,
        level: level.ok_or_else(|| missing("level", "a number"))?,
        matching_dir,
        hysteresis,
    })
}

fn spec(object: &Object, path: &str) -> Result<SubscriptionSpec, PathError> {
    let members = Members { object, path };
    let events = members.objects("events", limits::SUBSCRIPTION_EVENTS)?;
    let events: Vec<EventFilter> =
        events.iter().map(|(object, path)| event_filter(object, path)).collect::<Result<_, _>>()?;
    if events.is_empty() {
        return Err(wrong(members.at("events"), "expected at least one event; {} stands for all that may be seen"));
    }
    let expected = "expected PERIODIC, ONE_TIME or ON_EVENT_DETECTION";
    let notification_method = member(object, "notificationMethod")
        .and_then(Value::as_str)
        .and_then(|word| NotificationMethod::ALL.into_iter().find(|method| method.as_str() == word))
        .ok_or_else(|| wrong(members.at("notificationMethod"), expected))?;
    let repetition_period_ms = members.integer("repetitionPeriodMs", 1)?;
    if notification_method == NotificationMethod::Periodic && repetition_period_ms.is_none() {
        return Err(wrong(members.at("repetitionPeriodMs"), "is missing: PERIODIC needs a period"));
    }
    let thresholds = members.objects("thresholds", usize::MAX)?;
    Ok(SubscriptionSpec {
        events,
        notification_method,
        repetition_period_ms,
        thresholds: thresholds.iter().map(|(object, path)| threshold(object, path)).collect::<Result<_, _>>()?,
        dampening_period_ms: members.integer("dampeningPeriodMs", 0)?,
        immediate_report: members.boolean("immediateReport")?,
        max_reports: members.integer("maxReports", 1)?,
        expiry_time: members.time("expiryTime")?,
        correlation_id: members.text("correlationId", limits::SUBSCRIPTION_TEXT_CHARS)?,
        durable: members.boolean("durable")?,
    })
}

/// What a `subscribe` asks for: with a `subscriptionId` to resume, and nothing else counts.
pub fn parse_subscribe(extension: &str) -> Result<SubscribeAsk, PathError> {
    let (object, path) = object_of(extension, "subscription")?;
    let members = Members { object: &object, path: &path };
    match members.text("subscriptionId", limits::SUBSCRIPTION_TEXT_CHARS)? {
        Some(subscription_id) => Ok(SubscribeAsk::Resume { subscription_id }),
        None => spec(&object, &path).map(SubscribeAsk::New),
    }
}

/// The subscription that an `unsubscribe` names.
pub fn parse_subscription_id(extension: &str) -> Result<String, PathError> {
    let (object, path) = object_of(extension, "subscription")?;
    let id = Members { object: &object, path: &path }.text("subscriptionId", limits::SUBSCRIPTION_TEXT_CHARS)?;
    id.ok_or_else(|| wrong(format!("{path}.subscriptionId"), "is missing: the ID that the answer to `subscribe` gave"))
}

/// What the answer to a `subscribe` grants.
pub fn parse_granted(extension: &str) -> Result<Granted, PathError> {
    let (object, path) = object_of(extension, "subscription")?;
    let members = Members { object: &object, path: &path };
    let id = members.text("subscriptionId", limits::SUBSCRIPTION_TEXT_CHARS)?;
    let at = members.at("granted");
    let granted = member(&object, "granted").and_then(Value::as_object);
    let failed = |(object, path): &(&Object, String)| {
        let members = Members { object, path };
        Ok(FailedEvent {
            event: usize::try_from(members.integer("event", 0)?.unwrap_or(0)).unwrap_or(usize::MAX),
            what: event_filter(object, path)?,
            reason: members.text("reason", limits::ALARM_TEXT_CHARS)?.unwrap_or_default(),
        })
    };
    Ok(Granted {
        subscription_id: id.ok_or_else(|| wrong(members.at("subscriptionId"), "is missing"))?,
        granted: spec(granted.ok_or_else(|| wrong(at.clone(), "expected an object"))?, &at)?,
        failed_events: members
            .objects("failedEvents", limits::REPORT_VALUES)?
            .iter()
            .map(failed)
            .collect::<Result<_, _>>()?,
    })
}

/// The notification that an extension starts with, and the gap behind it; `None` if it is an ordinary report's.
pub fn parse_notification(extension: &str) -> Result<Option<Notification>, PathError> {
    let Ok(Value::Array(objects)) = serde_json::from_str::<Value>(extension) else { return Ok(None) };
    let kind = |index: usize| objects.get(index).and_then(|object| object.get("type")).and_then(Value::as_str);
    if kind(0) != Some("notification") {
        return Ok(None);
    }
    let Some(object) = objects.first().and_then(Value::as_object) else { return Ok(None) };
    let members = Members { object, path: "extension[0]" };
    let missing = |key: &str| wrong(members.at(key), "is missing");
    let subscription_id = members.text("subscriptionId", limits::SUBSCRIPTION_TEXT_CHARS)?;
    let sequence = members.integer("notificationSequence", 0)?;
    let gap = match objects.get(1).and_then(Value::as_object).filter(|_| kind(1) == Some("gap")) {
        None => None,
        Some(object) => {
            let members = Members { object, path: "extension[1]" };
            let bound = |key: &str| members.integer(key, 0)?.ok_or_else(|| wrong(members.at(key), "is missing"));
            Some((bound("from")?, bound("to")?))
        }
    };
    Ok(Some(Notification {
        subscription_id: subscription_id.ok_or_else(|| missing("subscriptionId"))?,
        correlation_id: members.text("correlationId", limits::SUBSCRIPTION_TEXT_CHARS)?,
        sequence: sequence.ok_or_else(|| missing("notificationSequence"))?,
        gap,
    }))
}
