//! History and last values for the API.

use std::path::Path;

use crate::{
    api::{
        Page, PageRequest, unit,
        views::{
            HistoryError, HistoryFilter, HistoryPoint, HistoryView, LastValueView, ReportedValue, ValueCursor,
            ValueFilter, ValueView,
        },
    },
    config::limits::HISTORY_POINTS,
    dispatch::Registry,
    model::{Catalogue, ReferencePoint, Symbol, SymbolTable},
    storage::history::{
        Retention, Rollup, SeriesKey,
        read::{History, HistoryQuery, read},
    },
};

/// What the values of a name stand for.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Word,
    Flag,
}

fn kind(name: &str) -> Kind {
    let state = Catalogue::get().state.iter().find(|state| state.name == name);
    state.map_or(Kind::Number, |state| if state.words.is_empty() { Kind::Flag } else { Kind::Word })
}

fn shown(kind: Kind, value: f64, symbols: &SymbolTable) -> ReportedValue {
    match kind {
        Kind::Number => ReportedValue::Number(value),
        Kind::Flag => ReportedValue::Flag(value != 0.0),
        // Symbols are whole numbers below 2^32; anything else was no word.
        Kind::Word => ReportedValue::Word(symbols.text(Symbol(value as u32)).as_ref().to_owned()),
    }
}

/// The series that a query names, if anything was ever reported in it.
pub fn series(registry: &Registry, symbols: &SymbolTable, filter: &HistoryFilter) -> Result<SeriesKey, HistoryError> {
    let component = &filter.component;
    let entry = registry
        .find(component)
        .ok_or_else(|| HistoryError::Unknown(format!("the manager knows no component `{component}`")))?;
    let known = |text: &str| if text.is_empty() { Some(Symbol::NONE) } else { symbols.find(text) };
    let (name, resource) = (known(&filter.name).filter(|name| *name != Symbol::NONE), known(&filter.resource));
    let found = name.zip(resource).map(|(name, resource)| (entry.symbol.0, resource.0, name.0));
    found.ok_or_else(|| {
        let of = if filter.resource.is_empty() { String::new() } else { format!(" of resource `{}`", filter.resource) };
        HistoryError::Unknown(format!(
            "no component ever reported `{}`{of}; `qkdnm component show` lists values",
            filter.name
        ))
    })
}

/// Reads history. Not for a shard's or connection's thread.
pub fn history(
    data_dir: &Path,
    key: SeriesKey,
    filter: &HistoryFilter,
    retention: &Retention,
    symbols: &SymbolTable,
) -> Result<HistoryView, HistoryError> {
    let (from, to, step_ms) = (filter.from, filter.to, filter.step_ms);
    let query = HistoryQuery { key, from, to, step_ms, limit: HISTORY_POINTS };
    let found =
        read(data_dir, &query, retention).map_err(|error| HistoryError::Unavailable { reason: error.to_string() })?;
    let kind = kind(&filter.name);
    let value = |value: f64| shown(kind, value, symbols);
    let (level, points, more) = match found {
        History::Samples(samples, more) => {
            let points = samples.into_iter().map(|(time, sample)| HistoryPoint::Sample { time, value: value(sample) });
            ("raw", points.collect::<Vec<_>>(), more)
        }
        History::Steps(level, steps, more) => {
            let step = |rollup: Rollup| match kind {
                Kind::Number => HistoryPoint::Step {
                    time: rollup.time(),
                    min: rollup.min,
                    max: rollup.max,
                    mean: rollup.mean(),
                    last: value(rollup.last),
                    count: rollup.count,
                },
                Kind::Word | Kind::Flag => {
                    HistoryPoint::States { time: rollup.time(), last: value(rollup.last), count: rollup.count }
                }
            };
            let name = match level {
                crate::storage::history::Level::Raw => "raw",
                crate::storage::history::Level::Minute => "minute",
                crate::storage::history::Level::Hour => "hour",
            };
            (name, steps.into_iter().map(step).collect(), more)
        }
    };
    if let Some(found) = more {
        return Err(HistoryError::TooMany { found, most: HISTORY_POINTS, advice: advice(to.since(from)) });
    }
    Ok(HistoryView {
        component: filter.component.clone(),
        resource: filter.resource.clone(),
        name: filter.name.clone(),
        unit: unit::of(&filter.name).map(str::to_owned),
        from,
        to,
        step_ms: (step_ms > 0).then_some(step_ms),
        level: level.to_owned(),
        points,
    })
}

/// The shortest round step in which a span has no more points than an answer holds.
fn advice(span_ms: i64) -> String {
    let steps = [(1, "1s"), (10, "10s"), (60, "1m"), (600, "10m"), (3_600, "1h"), (86_400, "1d")];
    let fits = |(seconds, _): &&(i64, &str)| span_ms / (seconds * 1_000) < HISTORY_POINTS as i64;
    steps.iter().find(fits).map_or("30d", |(_, name)| name).to_owned()
}

/// The last value of everything that is known now, in the order of components, names and resources.
pub fn values(
    registry: &Registry,
    symbols: &SymbolTable,
    filter: &ValueFilter,
    page: &PageRequest<ValueCursor>,
) -> Page<LastValueView> {
    let after = page.after.as_ref();
    let mut entries = registry.all();
    entries.retain(|entry| {
        let point: ReferencePoint = entry.component.reference_point;
        filter.reference_point.is_none_or(|wanted| wanted == point)
            && filter.component.as_ref().is_none_or(|wanted| entry.component == *wanted)
            && after.is_none_or(|after| entry.component >= after.component)
    });
    entries.sort_unstable_by(|a, b| a.component.cmp(&b.component));
    let mut items = Vec::new();
    let mut next = None;
    for entry in entries {
        let Some(view) = entry.view.load_full() else { continue };
        let skipped =
            after.filter(|after| entry.component == after.component).map_or(0, |after| after.place.saturating_add(1));
        for (place, value) in view.values.0.iter().enumerate().skip(skipped) {
            let value = ValueView::new(value, symbols);
            let matches = filter.name.as_ref().is_none_or(|name| value.name == *name)
                && filter.resource.as_ref().is_none_or(|resource| value.resource == *resource);
            if !matches {
                continue;
            }
            if items.len() == page.limit {
                return Page { items, next };
            }
            items.push(LastValueView { component: entry.component.clone(), value });
            next = Some(ValueCursor { component: entry.component.clone(), place }.to_string());
        }
    }
    Page { items, next: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_advised_gives_no_more_points_than_an_answer_holds() {
        assert_eq!(advice(3_600_000), "1s");
        assert_eq!(advice(7 * 86_400_000), "10m");
    }
}
