//! `topology` objects: nodes, links and routes.

use crate::{fields::Fields, json::Value};

/// Checks a topology object.
pub(crate) fn check(fields: &Fields<'_>) -> Result<(), String> {
    fields.flag("partial")?;
    if !["nodes", "links", "routes"].iter().any(|&list| fields.has(list)) {
        return Err(fields.problem_here("expected at least one of nodes, links, routes"));
    }
    for node in fields.objects("nodes")? {
        let node = node?;
        node.required_text("id")?;
        node.text("kind")?;
        node.text("site")?;
    }
    for link in fields.objects("links")? {
        let link = link?;
        for key in ["id", "a", "b"] {
            link.required_text(key)?;
        }
        link.text("kind")?;
        link.text("state")?;
    }
    for route in fields.objects("routes")? {
        let route = route?;
        route.required_text("id")?;
        if !route.has("hops") {
            return Err(route.problem("hops", "is missing"));
        }
        for (index, hop) in route.list("hops")?.iter().enumerate() {
            if !matches!(hop, Value::Text(id) if !id.is_empty()) {
                return Err(route.problem(&format!("hops[{index}]"), "expected the id of a node or link"));
            }
        }
    }
    Ok(())
}
