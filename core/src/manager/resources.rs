//! Parts of components for the API: what values, inventory and alarms name beside the component itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    alarm::AlarmBoard,
    api::{
        Page, PageRequest,
        views::{NetworkEntryView, ResourceCursor, ResourceDetail, ResourceFilter, ResourceView, ValueView},
    },
    dispatch::{ComponentEntry, Registry, registry::ComponentView},
    model::{ComponentRef, Severity, Symbol, SymbolTable, Timestamp},
    state::network::EntryKind,
};

/// Alarms that are not cleared: how many, and the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Raised {
    count: usize,
    worst: Option<Severity>,
}

/// Raised alarms by component, then by part.
type Alarmed = HashMap<String, BTreeMap<String, Raised>>;

fn alarmed(board: &AlarmBoard) -> Alarmed {
    let mut found = Alarmed::new();
    for alarm in board.all() {
        if alarm.is_cleared || alarm.key.resource.is_empty() {
            continue;
        }
        let parts = found.entry(alarm.key.component.clone()).or_default();
        let raised = parts.entry(alarm.key.resource.clone()).or_default();
        raised.count += 1;
        raised.worst = raised.worst.max(Some(alarm.report.severity));
    }
    found
}

/// Parts of components that meet the filter.
pub(super) fn list(
    registry: &Registry,
    symbols: &SymbolTable,
    board: &AlarmBoard,
    filter: &ResourceFilter,
    page: &PageRequest<ResourceCursor>,
) -> Page<ResourceView> {
    let mut entries = registry.all();
    entries.retain(|entry| {
        let component = &entry.component;
        filter.reference_point.is_none_or(|point| point == component.reference_point)
            && filter.component.as_ref().is_none_or(|wanted| wanted == component)
            && filter.site.as_ref().is_none_or(|site| entry.card.load().site == *site)
            && page.after.as_ref().is_none_or(|after| *component >= after.component)
    });
    entries.sort_unstable_by(|a, b| a.component.cmp(&b.component));
    let alarmed = alarmed(board);
    let behind = |part: &ResourceView| {
        page.after.as_ref().is_none_or(|after| {
            part.component > after.component || (part.component == after.component && part.resource > after.resource)
        })
    };
    let matches = |part: &ResourceView| {
        filter.resource.as_ref().is_none_or(|resource| part.resource == *resource)
            && filter.alarmed.is_none_or(|alarmed| alarmed == (part.raised_alarms > 0))
    };
    let parts = entries.iter().flat_map(|entry| parts(entry, symbols, &alarmed));
    let cursor = |last: &ResourceView| {
        ResourceCursor { component: last.component.clone(), resource: last.resource.clone() }.to_string()
    };
    Page::take(parts.filter(|part| behind(part) && matches(part)), page.limit, cursor)
}

/// The parts of one component, in the order of their names.
fn parts(entry: &Arc<ComponentEntry>, symbols: &SymbolTable, alarmed: &Alarmed) -> Vec<ResourceView> {
    let mut parts: BTreeMap<String, ResourceView> = BTreeMap::new();
    let site = entry.card.load().site.clone();
    let new = |name: &str| ResourceView {
        component: entry.component.clone(),
        reference_point: entry.component.reference_point,
        id: entry.component.id.as_str().to_owned(),
        resource: name.to_owned(),
        site: site.clone(),
        values: 0,
        inventory: 0,
        last_value: None,
        worst_alarm: None,
        raised_alarms: 0,
    };
    let view = entry.view.load_full().unwrap_or_default();
    for value in view.values.0.iter().filter(|value| value.resource != Symbol::NONE.0) {
        let name = symbols.text(Symbol(value.resource));
        let part = parts.entry(name.as_ref().to_owned()).or_insert_with(|| new(name.as_ref()));
        part.values += 1;
        part.last_value = part.last_value.max(Some(Timestamp(value.time)));
    }
    for place in view.network.0.keys().filter(|place| place.kind == EntryKind::Inventory && !place.resource.is_empty())
    {
        parts.entry(place.resource.to_string()).or_insert_with(|| new(&place.resource)).inventory += 1;
    }
    for (name, raised) in alarmed.get(&entry.component.to_string()).into_iter().flatten() {
        let part = parts.entry(name.clone()).or_insert_with(|| new(name));
        part.raised_alarms = raised.count;
        part.worst_alarm = raised.worst;
    }
    parts.into_values().collect()
}

/// One part of a component.
pub(super) fn one(
    registry: &Registry,
    symbols: &SymbolTable,
    board: &AlarmBoard,
    component: &ComponentRef,
    resource: &str,
) -> Option<ResourceDetail> {
    let entry = registry.find(component)?;
    let summary = parts(&entry, symbols, &alarmed(board)).into_iter().find(|part| part.resource == resource)?;
    let view = entry.view.load_full().unwrap_or_default();
    Some(ResourceDetail {
        summary,
        last_values: values(&view, symbols, resource),
        inventory_entries: inventory(&entry, &view, resource),
    })
}

fn values(view: &ComponentView, symbols: &SymbolTable, resource: &str) -> Vec<ValueView> {
    let values = view.values.0.iter().map(|value| ValueView::new(value, symbols));
    values.filter(|value| value.resource == resource).collect()
}

fn inventory(entry: &ComponentEntry, view: &ComponentView, resource: &str) -> Vec<NetworkEntryView> {
    let known = view.network.0.iter();
    let of_it = known.filter(|(place, _)| place.kind == EntryKind::Inventory && *place.resource == *resource);
    of_it.map(|(place, known)| super::network::shown(&entry.component, place, known)).collect()
}
