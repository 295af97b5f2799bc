//! Aliases for the names of links, key relations and services. They are made by the manager, with a key that both ends have: the policy never sees it.

use qkdn_plugin::exchange::Passing;
use serde_json::Value;

/// Sections with names, and the list in each.
pub(crate) const NAMED: [(&str, &str); 4] =
    [("links", "ends"), ("interDomainLinks", "links"), ("keyRelations", "relations"), ("services", "services")];

/// Calls links, key relations and services by their aliases, and leaves out those that have none. How many were left out.
pub(crate) fn replace(passing: &mut Passing) -> usize {
    maintenance_and_incidents(passing);
    let Passing { sections, aliases, .. } = passing;
    let mut nameless = 0;
    for (section, list) in NAMED {
        let content = sections.iter_mut().find(|(name, _)| name == section).map(|(_, content)| content);
        let Some(entries) = content.and_then(|content| content.get_mut(list)?.as_array_mut()) else { continue };
        let before = entries.len();
        entries.retain_mut(|entry| {
            let alias = aliases.iter().find(|(name, _)| entry["id"] == **name).map(|(_, alias)| alias);
            if let (Some(alias), Some(id)) = (alias, entry.get_mut("id")) {
                *id = alias.as_str().into();
            }
            alias.is_some()
        });
        nameless += before - entries.len();
    }
    nameless
}

/// In sections that speak of links beside `links`: what has no name left says nothing.
fn maintenance_and_incidents(passing: &mut Passing) {
    let Passing { sections, aliases, .. } = passing;
    let alias = |name: &Value| aliases.iter().find(|(known, _)| *name == **known).map(|(_, alias)| alias.as_str());
    for (section, content) in sections {
        let list = match section.as_str() {
            "maintenance" => content.get_mut("windows"),
            "incidents" => content.get_mut("open"),
            _ => None,
        };
        let Some(list) = list.and_then(Value::as_array_mut) else { continue };
        list.retain_mut(|one| {
            if let Some(names) = one.get_mut("links").and_then(Value::as_array_mut) {
                let called: Vec<Value> = names.iter().filter_map(alias).map(Value::from).collect();
                *names = called;
                return !names.is_empty();
            }
            let called = one.get("link").and_then(alias).map(Value::from);
            called.is_some_and(|called| {
                one["link"] = called;
                true
            })
        });
    }
}
