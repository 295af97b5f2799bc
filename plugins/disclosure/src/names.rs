//! Aliases for the names of links, key relations and services. They are made by the manager, with a key that both ends have: the policy never sees it.

use qkdn_plugin::exchange::Passing;

/// Sections with names, and the list in each.
pub(crate) const NAMED: [(&str, &str); 4] =
    [("links", "ends"), ("interDomainLinks", "links"), ("keyRelations", "relations"), ("services", "services")];

/// Calls links, key relations and services by their aliases, and leaves out those that have none. How many were left out.
pub(crate) fn replace(passing: &mut Passing) -> usize {
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
