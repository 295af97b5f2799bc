//! Aliases for the names of links. They are made by the manager, with a key that both ends have: the policy never sees it.

use qkdn_plugin::exchange::Passing;

/// Calls links by their aliases, and leaves out those that have none. How many were left out.
pub(crate) fn replace(passing: &mut Passing) -> usize {
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
