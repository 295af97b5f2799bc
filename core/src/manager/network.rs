//! Inventory, topology and usage for the API: what is known now from published views, changes and books from the state
//! database.

use std::path::Path;

use crate::{
    api::{
        Page, PageRequest,
        views::{
            NetworkChangeView, NetworkCursor, NetworkEntryView, NetworkFilter, UsageBy, UsageFilter, UsageTotalView,
        },
    },
    dispatch::Registry,
    model::ComponentRef,
    state::network::{Entry, EntryKind, Place},
    storage::{
        error::StorageError,
        network_read::{self, ChangeQuery, UsageQuery},
    },
};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// What is known now.
pub fn list(registry: &Registry, filter: &NetworkFilter, page: &PageRequest<NetworkCursor>) -> Page<NetworkEntryView> {
    let after = page.after.as_ref();
    let mut entries = registry.all();
    entries.retain(|entry| filter.component.as_ref().is_none_or(|component| entry.component == *component));
    entries.retain(|entry| after.is_none_or(|after| entry.component >= after.component));
    entries.sort_unstable_by(|a, b| a.component.cmp(&b.component));
    let matches = |place: &Place| {
        (place.kind == EntryKind::Inventory) == filter.inventory
            && filter.resource.as_deref().is_none_or(|resource| *place.resource == *resource)
            && filter.name.as_deref().is_none_or(|name| *place.name == *name)
    };
    let mut items = Vec::new();
    let mut last = None;
    for entry in entries {
        let Some(view) = entry.view.load_full() else { continue };
        let behind =
            |place: &Place| after.is_none_or(|after| entry.component > after.component || *place > after.place);
        for (place, known) in view.network.0.iter().filter(|(place, _)| matches(place) && behind(place)) {
            if items.len() == page.limit {
                return Page { items, next: last };
            }
            items.push(shown(&entry.component, place, known));
            last = Some(NetworkCursor { component: entry.component.clone(), place: place.clone() }.to_string());
        }
    }
    Page { items, next: None }
}

/// An entry as the API shows it.
pub(super) fn shown(component: &ComponentRef, place: &Place, known: &Entry) -> NetworkEntryView {
    NetworkEntryView {
        component: component.clone(),
        kind: place.kind.as_str().to_owned(),
        resource: place.resource.to_string(),
        name: place.name.to_string(),
        value: json(&known.value),
        since: known.since,
        changed: known.changed,
        time: known.time,
    }
}

/// Changes, newest first. Reads a database: not for a shard's or connection's thread.
pub fn changes(
    data_dir: &Path,
    filter: &NetworkFilter,
    page: &PageRequest<u64>,
) -> Result<Page<NetworkChangeView>, StorageError> {
    let query = ChangeQuery {
        component: filter.component.as_ref().map(ToString::to_string),
        inventory: filter.inventory,
        resource: filter.resource.clone(),
        name: filter.name.clone(),
        before: page.after,
        limit: page.limit,
    };
    let found = network_read::changes(data_dir, &query)?;
    let shown = found.into_iter().filter_map(|change| {
        Some(NetworkChangeView {
            number: change.number,
            component: change.component.parse().ok()?,
            kind: change.kind,
            resource: change.resource,
            name: change.name,
            before: change.before.as_deref().map(json).unwrap_or_default(),
            after: change.after.as_deref().map(json).unwrap_or_default(),
            at: change.at,
        })
    });
    Ok(Page::take(shown, page.limit, |last| last.number.to_string()))
}

/// Usage added up. Reads a database.
pub fn usage(data_dir: &Path, by: UsageBy, filter: &UsageFilter) -> Result<Vec<UsageTotalView>, StorageError> {
    let by = match by {
        UsageBy::Application => "application",
        UsageBy::User => "user",
        UsageBy::Peer => "peer",
        UsageBy::Component => "component",
    };
    let component = filter.component.as_ref().map(ToString::to_string);
    let totals = network_read::usage(data_dir, &UsageQuery { by, component, from: filter.from, to: filter.to })?;
    let shown = totals.into_iter().map(|total| {
        let [consumed_bits, supplied_keys, relayed_bits] = total.figures;
        UsageTotalView {
            name: total.name,
            intervals: total.intervals,
            consumed_bits,
            supplied_keys,
            relayed_bits,
            from: total.from,
            to: total.to,
        }
    });
    Ok(shown.collect())
}
