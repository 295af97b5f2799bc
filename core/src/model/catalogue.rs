//! The catalogue of value names, words and alarm types: part of the wire contract (PROTOCOL section 4).
//!
//! The data file is `wit/catalogue.toml`; it is compiled in, parsed once, and its names and words are the first symbols
//! of every manager, in the file's order, so that a symbol of the catalogue is the same number everywhere. It grows by
//! addition at the end of its lists only.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SymbolTable;

/// A `performance` value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PerformanceName {
    /// The name, its unit as the suffix.
    pub name: String,
    /// What it is, in one sentence.
    pub description: String,
    /// `gauge`, `rate` or `counter`.
    pub kind: String,
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Reference points it is expected on.
    #[serde(default)]
    pub points: Vec<String>,
    /// Letters of FCAPS it matters for.
    #[serde(default)]
    pub fcaps: String,
    /// Where the name or the idea comes from.
    #[serde(default)]
    pub source: String,
}

/// A `state` value: one of `words`, or a flag.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StateName {
    /// The name.
    pub name: String,
    /// What it is, in one sentence.
    pub description: String,
    /// Its words; empty for a flag.
    #[serde(default)]
    pub words: Vec<String>,
    /// Reference points it is expected on.
    #[serde(default)]
    pub points: Vec<String>,
    /// Letters of FCAPS it matters for.
    #[serde(default)]
    pub fcaps: String,
    /// Where the name or the idea comes from.
    #[serde(default)]
    pub source: String,
}

/// An `inventory` value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct InventoryName {
    /// The name.
    pub name: String,
    /// What it is, in one sentence.
    pub description: String,
    /// `text` or `gauge`; absent where there are words.
    pub kind: Option<String>,
    /// Its words, where it has them.
    #[serde(default)]
    pub words: Vec<String>,
    /// Where the name comes from.
    #[serde(default)]
    pub source: String,
}

/// An alarm type that policies and components share.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlarmType {
    /// `alarmTypeId`.
    pub id: String,
    /// What it is, in one sentence.
    pub description: String,
    /// Typical severity.
    pub severity: String,
    /// X.733 event type.
    pub event: String,
    /// X.733 or X.736 probable cause.
    pub cause: String,
}

/// The whole catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Catalogue {
    /// Version of the data file.
    pub version: u32,
    /// Names of `performance`.
    pub performance: Vec<PerformanceName>,
    /// Names of `state`.
    pub state: Vec<StateName>,
    /// Names of `inventory`.
    pub inventory: Vec<InventoryName>,
    /// Shared alarm types.
    pub alarms: Vec<AlarmType>,
}

const TEXT: &str = include_str!("../../../wit/catalogue.toml");

impl Catalogue {
    /// The catalogue this manager was built with.
    #[must_use]
    pub fn get() -> &'static Self {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        #[expect(clippy::expect_used, reason = "the file is compiled in and a unit test parses it")]
        CATALOGUE.get_or_init(|| toml::from_str(TEXT).expect("wit/catalogue.toml is valid"))
    }

    /// Gives every name and word its symbol; called on a new [`SymbolTable`] before anything else, and on a recovered one
    /// for the names that are new. [`SymbolTable::is_catalogued`] knows them from then on.
    pub fn intern(&self, symbols: &SymbolTable) {
        symbols.set_catalogued(self.entries().map(|text| symbols.intern(text)).collect());
    }

    /// The names and words that have symbols, in the file's order; a word that several names have comes several times.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        let performance = self.performance.iter().map(|value| value.name.as_str());
        let state = self.state.iter().flat_map(|value| std::iter::once(&value.name).chain(&value.words));
        performance.chain(state.map(String::as_str))
    }

    /// What an alarm type is called before other domains: its own name if it is a shared one, and one word for all that a component
    /// or its vendor chose.
    #[must_use]
    pub fn shared_alarm_type<'a>(&'a self, id: &str) -> &'a str {
        self.alarm_type(id).map_or("other", |kind| kind.id.as_str())
    }

    /// The entry of an alarm type, if it is a shared one.
    #[must_use]
    pub fn alarm_type(&self, id: &str) -> Option<&AlarmType> {
        self.alarms.iter().find(|alarm| alarm.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReferencePoint, Severity, Symbol};

    #[test]
    fn the_data_file_is_consistent() {
        let catalogue = Catalogue::get();
        let mut names: Vec<&str> = catalogue
            .performance
            .iter()
            .map(|v| v.name.as_str())
            .chain(catalogue.state.iter().map(|v| v.name.as_str()))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name occurs once");
        for value in &catalogue.performance {
            assert!(value.points.iter().all(|point| point.parse::<ReferencePoint>().is_ok()), "{}", value.name);
            assert!(value.min.zip(value.max).is_none_or(|(min, max)| min < max), "{}", value.name);
        }
        let symbols = SymbolTable::new();
        let mine = symbols.intern("mk/a");
        catalogue.intern(&symbols);
        assert!(catalogue.performance.iter().all(|v| symbols.find(&v.name).is_some_and(|s| symbols.is_catalogued(s))));
        let words = catalogue.state.iter().flat_map(|v| &v.words).filter_map(|word| symbols.find(word));
        assert!(words.into_iter().all(|symbol| symbols.is_catalogued(symbol)));
        let texts: Vec<_> = symbols.catalogued().iter().map(|symbol| symbols.text(*symbol)).collect();
        assert!(texts.iter().map(|text| &**text).eq(catalogue.entries()));
        assert!(
            ![Symbol::NONE, mine, symbols.intern("mk/b"), Symbol(u32::MAX)].iter().any(|s| symbols.is_catalogued(*s))
        );
        for alarm in &catalogue.alarms {
            assert!(alarm.severity.parse::<Severity>().is_ok(), "{}", alarm.id);
        }
    }
}
