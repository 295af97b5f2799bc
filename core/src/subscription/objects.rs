//! Changes to the JSON text of extension objects: values of one subject, resource, type and time share one object.

use serde_json::{Map, Value, json};

use super::{Change, Content};

/// Most values in one object, so that no object comes near the limit of a line.
const VALUES: usize = 256;

/// An object being put together: its first change, its members, its values.
type Open<'c> = (&'c Change, Map<String, Value>, Map<String, Value>);

/// The object of a change without its values; `subject` only where the sender speaks of others.
fn head(change: &Change, with_subject: bool) -> Map<String, Value> {
    let key = &change.key;
    let mut object = Map::new();
    object.insert("type".to_owned(), json!(key.kind));
    if with_subject {
        let (point, id) = key.subject.split_once('/').unwrap_or(("", &key.subject));
        object.insert("subject".to_owned(), json!({ "referencePoint": point, "componentId": id }));
    }
    if !key.resource.is_empty() {
        object.insert("resource".to_owned(), json!(key.resource));
    }
    object.insert("time".to_owned(), json!(change.time));
    object
}

fn value(content: &Content) -> Option<Value> {
    match content {
        Content::Number(value) => Some(json!(value)),
        Content::Word(word) => Some(json!(word)),
        Content::Flag(flag) => Some(json!(flag)),
        Content::Alarm(_) | Content::Object(_) => None,
    }
}

/// Objects in the order of the first change of each.
#[must_use]
pub fn objects(changes: &[Change], with_subject: bool) -> Vec<String> {
    let mut objects: Vec<Open<'_>> = Vec::new();
    for change in changes {
        let Some(value) = value(&change.content) else {
            let mut object = head(change, with_subject);
            if let Content::Alarm(text) | Content::Object(text) = &change.content
                && let Ok(Value::Object(members)) = serde_json::from_str(text)
            {
                for (key, value) in members {
                    object.entry(key).or_insert(value);
                }
            }
            objects.push((change, object, Map::new()));
            continue;
        };
        let same = |other: &Change| {
            let (a, b) = (&other.key, &change.key);
            other.time == change.time && a.subject == b.subject && a.resource == b.resource && a.kind == b.kind
        };
        let open = objects.iter_mut().rev().take(8).find(|(first, _, values)| {
            same(first) && !values.is_empty() && values.len() < VALUES && !values.contains_key(&change.key.name)
        });
        match open {
            Some((_, _, values)) => drop(values.insert(change.key.name.clone(), value)),
            None => {
                let values = Map::from_iter([(change.key.name.clone(), value)]);
                objects.push((change, head(change, with_subject), values));
            }
        }
    }
    let text = |(_, mut object, values): Open<'_>| {
        if !values.is_empty() {
            object.insert("values".to_owned(), Value::Object(values));
        }
        Value::Object(object).to_string()
    };
    objects.into_iter().map(text).collect()
}

/// Objects in bundles of at most so many bytes; how many objects are too large for any.
#[must_use]
pub fn bundles(objects: Vec<String>, most_bytes: usize) -> (Vec<Vec<String>>, u64) {
    let (mut bundles, mut open, mut bytes, mut dropped) = (Vec::new(), Vec::new(), 0, 0);
    for object in objects {
        if object.len() >= most_bytes {
            dropped += 1;
            continue;
        }
        if bytes + object.len() + 1 > most_bytes {
            bundles.push(std::mem::take(&mut open));
            bytes = 0;
        }
        bytes += object.len() + 1;
        open.push(object);
    }
    if !open.is_empty() {
        bundles.push(open);
    }
    (bundles, dropped)
}
