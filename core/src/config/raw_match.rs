//! `handlers.match`, `policies.applies_to` and `subscriptions.applies_to` as written: globs, and tables of globs one of which
//! has to match, or none of which may.

use super::{
    problem::Problem,
    reader::{Found, TableReader},
    source::{Place, Spot},
    tree::{Entry, Node, Value},
};
use crate::model::ReferencePoint;

/// Which components.
#[derive(Debug, Default)]
pub struct RawMatch {
    pub(super) place: Place,
    pub(super) reference_points: Vec<Spot<ReferencePoint>>,
    pub(super) id: Vec<Spot<String>>,
    pub(super) vendor: Vec<Spot<String>>,
    pub(super) model: Vec<Spot<String>>,
    pub(super) version: Vec<Spot<String>>,
    pub(super) site: Vec<Spot<String>>,
    pub(super) tags: Vec<Spot<String>>,
    pub(super) any: Vec<Self>,
    pub(super) not: Vec<Self>,
}

/// Reads one; `part`: keys of the tables in `any` and `not`.
pub(super) fn of(table: Option<TableReader<'_>>, part: &'static [&'static str], found: &Found) -> RawMatch {
    let Some(table) = table else { return RawMatch::default() };
    let parts = |key: &str| parts(&table, key, part, found);
    RawMatch { any: parts("any"), not: parts("not"), ..globs(&table, found) }
}

fn parts(table: &TableReader<'_>, key: &str, known: &'static [&'static str], found: &Found) -> Vec<RawMatch> {
    if let Some(Entry { node: Node { value: Value::Table(_), place }, .. }) = table.entry(key) {
        let problem = Problem::error(*place, format!("`{key}` is a list of tables"));
        found.add(problem.help(format!("write {key} = [{{ ... }}], one table or several")));
        return Vec::new();
    }
    table.tables_as(key, key, known).iter().map(|one| globs(one, found)).collect()
}

fn globs(table: &TableReader<'_>, found: &Found) -> RawMatch {
    let globs = |key: &str| table.texts(key).map(|list| list.value).unwrap_or_default();
    let points = globs("reference_point").into_iter().filter_map(|text| match text.value.parse::<ReferencePoint>() {
        Ok(point) => Some(Spot::new(point, text.place)),
        Err(error) => {
            found.add(Problem::error(text.place, error.to_string()));
            None
        }
    });
    RawMatch {
        place: table.place,
        reference_points: points.collect(),
        id: globs("id"),
        vendor: globs("vendor"),
        model: globs("model"),
        version: globs("version"),
        site: globs("site"),
        tags: globs("tags"),
        any: Vec::new(),
        not: Vec::new(),
    }
}
