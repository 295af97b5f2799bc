//! What a start leaves in the audit trail: version, digests of configuration and plugins, and what changed since the start
//! before.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use super::replay::StartNote;
use crate::telemetry::audit::AuditEntry;

/// Changes named in the sentence; the digests tell all.
const NAMED: usize = 20;

/// Parts of the configuration and the plugins, each with a digest.
fn parts(note: &StartNote) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::from([
        ("components".to_owned(), short(&note.components)),
        ("manager".to_owned(), short(&(&note.manager, &note.domain, note.shards, note.state_per_component))),
        ("version".to_owned(), note.version.clone()),
    ]);
    parts.extend(note.handlers.iter().map(|handler| (format!("handler {}", handler.name), short(handler))));
    parts.extend(note.policies.iter().map(|policy| (format!("policy {}", policy.name), short(policy))));
    parts.extend(note.digests.iter().map(|(name, digest)| (format!("plugin of {name}"), digest.clone())));
    parts
}

fn short(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    digest(&SHA256, &text).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The entry of a start, after the one before it, if that is known.
pub fn entry(note: &StartNote, before: Option<&AuditEntry>) -> AuditEntry {
    let parts = parts(note);
    let changes = before.and_then(|entry| entry.detail.get("parts")?.as_object()).map(|before| {
        let was = |name: &String| before.get(name).and_then(Value::as_str);
        let added = parts.keys().filter(|name| was(name).is_none()).map(|name| format!("{name} is new"));
        let changed = parts.iter().filter(|(name, digest)| was(name).is_some_and(|was| was != digest.as_str()));
        let gone = before.keys().filter(|name| !parts.contains_key(*name)).map(|name| format!("{name} is gone"));
        added.chain(changed.map(|(name, _)| format!("{name} changed"))).chain(gone).collect::<Vec<String>>()
    });
    let what = match &changes {
        None => format!("{} {} started", note.manager, note.version),
        Some(none) if none.is_empty() => format!("{} started, configured as before", note.manager),
        Some(changes) => {
            let more =
                if changes.len() > NAMED { format!(", and {} more", changes.len() - NAMED) } else { String::new() };
            let named: Vec<&str> = changes.iter().take(NAMED).map(String::as_str).collect();
            format!("{} started: {}{more}", note.manager, named.join(", "))
        }
    };
    AuditEntry::of_manager(note.started, "start", what, json!({ "configuration": short(&parts), "parts": parts }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn note(version: &str, digests: &[(&str, &str)]) -> StartNote {
        StartNote {
            version: version.to_owned(),
            manager: "m".to_owned(),
            domain: "d".to_owned(),
            shards: 1,
            state_per_component: 1,
            enrolment: None,
            components: Vec::new(),
            handlers: Vec::new(),
            policies: Vec::new(),
            started: Timestamp(1),
            digests: digests.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect(),
        }
    }

    #[test]
    fn what_changed_since_the_start_before_is_named() {
        let first = entry(&note("1", &[("a", "aa"), ("b", "bb")]), None);
        assert_eq!(first.what, "m 1 started");
        assert_eq!(
            entry(&note("1", &[("a", "aa"), ("b", "bb")]), Some(&first)).what,
            "m started, configured as before"
        );
        let changed = entry(&note("2", &[("a", "ab"), ("c", "cc")]), Some(&first));
        assert_eq!(
            changed.what,
            "m started: plugin of c is new, plugin of a changed, version changed, plugin of b is gone"
        );
    }
}
