//! Aliases for the names of links. They are made by the manager, with a key that both ends have: the policy never sees it.

use qkdn_plugin::exchange::Passing;
use serde_json::Value;

/// Calls links by their aliases, and leaves out those that have none. How many were left out.
pub(crate) fn replace(passing: &mut Passing) -> usize {
    maintenance_and_incidents(passing);
    let Passing { sections, aliases, .. } = passing;
    let links = sections.iter_mut().find(|(name, _)| name == "links").map(|(_, content)| content);
    let Some(ends) = links.and_then(|links| links.get_mut("ends")?.as_array_mut()) else { return 0 };
    let before = ends.len();
    ends.retain_mut(|end| {
        let alias = aliases.iter().find(|(name, _)| end["id"] == **name).map(|(_, alias)| alias);
        if let (Some(alias), Some(id)) = (alias, end.get_mut("id")) {
            *id = alias.as_str().into();
        }
        alias.is_some()
    });
    before - ends.len()
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
