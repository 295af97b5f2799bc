//! Where each value of a configuration came from: a place in a file, a variable of the environment, or its default.
//!
//! [`Document`] is a configuration with these, by JSON pointer: either as it is written in the files and the environment,
//! joined, or as the manager uses it.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    contract::{self, Kind, TableSpec},
    effective,
    load::Loaded,
    secrets,
    source::{Place, Sources},
    tree::{self, Entry, Node, Table, Value},
};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Origin {
    /// A file.
    File {
        /// Its path as it was given.
        file: String,
        /// Line, from 1; absent where the whole file is the value (`config_files`).
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// Column, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<usize>,
        /// The table whose key holds here too: `tls` for an interface without a key of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(rename = "inheritedFrom")]
        inherited_from: Option<String>,
    },
    /// The environment.
    Environment {
        /// Name of the variable.
        variable: String,
        /// As for a file.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(rename = "inheritedFrom")]
        inherited_from: Option<String>,
    },
    /// It stands nowhere.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inherited = match self {
            Self::File { file, line: Some(line), inherited_from, .. } => {
                write!(f, "{file}:{line}")?;
                inherited_from
            }
            Self::File { file, inherited_from, .. } => {
                f.write_str(file)?;
                inherited_from
            }
            Self::Environment { variable, inherited_from } => {
                f.write_str(variable)?;
                inherited_from
            }
            Self::Default => return f.write_str("default"),
        };
        inherited.as_ref().map_or(Ok(()), |table| write!(f, ", from [{table}]"))
    }
}

/// A configuration and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The values, in the shape of `manager.toml`.
    pub configuration: Json,
    /// Where each came from, by JSON pointer into the values; a list that is no list of tables counts as one value.
    pub origins: BTreeMap<String, Origin>,
}

impl Document {
    /// As the manager uses it, secrets included. `here` is the working directory.
    #[must_use]
    pub fn effective(loaded: &Loaded, here: &Path) -> Self {
        Self::of(effective::values(&loaded.config, here), loaded)
    }

    /// What is written, files and environment joined; secrets included.
    #[must_use]
    pub fn written(loaded: &Loaded) -> Self {
        Self::of(table_as_written(&loaded.table, &contract::TOP), loaded)
    }

    /// Without secrets.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { configuration: secrets::hidden(self.configuration), ..self }
    }

    /// With paths inside a folder relative to it, so that the same files in two folders are the same. What plugins are
    /// configured with stays as it is.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        let mut prefix = folder.display().to_string();
        if !prefix.ends_with('/') {
            prefix.push('/');
        }
        shorten(&mut self.configuration, &prefix);
        self
    }

    fn of(configuration: Json, loaded: &Loaded) -> Self {
        let mut tracer = Tracer { sources: &loaded.sources, tls: tls(&loaded.table), origins: BTreeMap::new() };
        if let Json::Object(values) = &configuration {
            tracer.table(values, Some(&loaded.table), Some(&contract::TOP), "");
        }
        Self { configuration, origins: tracer.origins }
    }
}

fn shorten(value: &mut Json, prefix: &str) {
    match value {
        Json::String(text) => {
            if let Some(rest) = text.strip_prefix(prefix) {
                *text = rest.to_owned();
            } else if let Some(rest) = text.strip_prefix("native:").and_then(|path| path.strip_prefix(prefix)) {
                *text = format!("native:{rest}");
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| shorten(item, prefix)),
        Json::Object(map) => {
            map.iter_mut().filter(|(key, _)| *key != "config").for_each(|(_, value)| shorten(value, prefix));
        }
        _ => {}
    }
}

fn tls(table: &Table) -> Option<&Table> {
    match &table.get("tls")?.node.value {
        Value::Table(tls) => Some(tls),
        _ => None,
    }
}

/// Follows values and what is written side by side.
struct Tracer<'a> {
    sources: &'a Sources,
    tls: Option<&'a Table>,
    origins: BTreeMap<String, Origin>,
}

impl Tracer<'_> {
    fn table(&mut self, values: &Map<String, Json>, written: Option<&Table>, spec: Option<&TableSpec>, path: &str) {
        for (key, value) in values {
            let path = format!("{path}/{}", token(key));
            let entry = written.and_then(|table| table.get(key));
            let kind = spec.and_then(|spec| spec.key(key)).map(|key| &key.kind);
            match (value, kind) {
                (Json::Object(values), Some(Kind::PluginConfig)) => {
                    self.plugin_config(values, entry, written, &path);
                }
                (Json::Object(values), kind) => {
                    let inner = match kind {
                        Some(Kind::Table(inner)) => Some(*inner),
                        _ => None,
                    };
                    self.table(values, entry.and_then(|entry| as_table(&entry.node)), inner, &path);
                }
                // Tables that stand in the file one by one; other lists are one value.
                (Json::Array(items), Some(Kind::Tables(inner))) if is_joined(&path) => {
                    let written = entry.map(|entry| &entry.node.value);
                    for (index, item) in items.iter().enumerate() {
                        let node = match written {
                            Some(Value::Array(nodes)) => nodes.get(index),
                            _ => None,
                        };
                        if let Json::Object(values) = item {
                            self.table(values, node.and_then(as_table), Some(inner), &format!("{path}/{index}"));
                        }
                    }
                }
                _ => {
                    let origin = match entry {
                        Some(entry) => self.origin(entry, None),
                        None => self.inherited(&path, key),
                    };
                    self.origins.insert(path, origin);
                }
            }
        }
    }

    /// A key of `config` that is not written there is the content of a file that `config_files` names.
    fn plugin_config(
        &mut self,
        values: &Map<String, Json>,
        entry: Option<&Entry>,
        written: Option<&Table>,
        path: &str,
    ) {
        let config = entry.and_then(|entry| as_table(&entry.node));
        let files = written.and_then(|table| table.get("config_files")).and_then(|entry| as_table(&entry.node));
        let (mut own, mut read) = (Map::new(), Vec::new());
        for (key, value) in values {
            match files.and_then(|files| files.get(key)) {
                Some(entry) if config.is_none_or(|config| !config.contains_key(key)) => {
                    read.push((key, value, entry));
                }
                _ => {
                    own.insert(key.clone(), value.clone());
                }
            }
        }
        self.table(&own, config, None, path);
        for (key, value, entry) in read {
            let file = match &entry.node.value {
                Value::String(path) => self.sources.resolve(path, entry.node.place).display().to_string(),
                _ => continue,
            };
            let origin = Origin::File { file, line: None, column: None, inherited_from: None };
            self.all(value, &format!("{path}/{}", token(key)), &origin);
        }
    }

    /// The same origin for everything in a value.
    fn all(&mut self, value: &Json, path: &str, origin: &Origin) {
        match value {
            Json::Object(values) if !values.is_empty() => {
                values.iter().for_each(|(key, value)| self.all(value, &format!("{path}/{}", token(key)), origin));
            }
            _ => {
                self.origins.insert(path.to_owned(), origin.clone());
            }
        }
    }

    /// Where a key came from that an interface does not have itself.
    fn inherited(&self, path: &str, key: &str) -> Origin {
        let entry = self.tls.filter(|_| path.starts_with("/interfaces/")).and_then(|tls| tls.get(key));
        entry.map_or(Origin::Default, |entry| self.origin(entry, Some("tls".to_owned())))
    }

    fn origin(&self, entry: &Entry, inherited_from: Option<String>) -> Origin {
        let place = entry.node.place;
        let Some(source) = self.sources.get(place) else { return Origin::Default };
        if matches!(entry.node.value, Value::Variable(_)) {
            let variable = source.text.get(entry.key.range()).unwrap_or_default().to_owned();
            return Origin::Environment { variable, inherited_from };
        }
        let (line, column) = self.sources.line_and_column(Place { ..place }).unzip();
        Origin::File { file: source.name.clone(), line, column, inherited_from }
    }
}

/// A key in a JSON pointer.
pub(super) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a list of tables is one that files add to, so that each of its tables has places of its own.
fn is_joined(path: &str) -> bool {
    path == "/api/tokens" || path.matches('/').count() == 1
}

fn as_table(node: &Node) -> Option<&Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

fn table_as_written(table: &Table, spec: &TableSpec) -> Json {
    let entry = |(key, entry): (&String, &Entry)| {
        let value = match (&entry.node.value, spec.key(key).map(|key| &key.kind)) {
            (Value::Table(inner), Some(Kind::Table(spec))) => table_as_written(inner, spec),
            (Value::Array(items), Some(Kind::Tables(spec))) => {
                let item = |node: &Node| as_table(node).map(|table| table_as_written(table, spec));
                items.iter().filter_map(item).collect()
            }
            (Value::Variable(text), Some(kind)) => variable(text, kind),
            // Numbers that JSON has not were refused before.
            _ => tree::to_json(&entry.node, &mut Vec::new()),
        };
        (key.clone(), value)
    };
    table.iter().map(entry).collect()
}

/// What the text of a variable stands for.
fn variable(text: &str, kind: &Kind) -> Json {
    let text = text.trim();
    match kind {
        Kind::Flag => text.parse::<bool>().map_or_else(|_| text.into(), Json::from),
        Kind::Whole(..) => text.parse::<u64>().map_or_else(|_| text.into(), Json::from),
        Kind::Texts | Kind::Paths | Kind::Addresses | Kind::Words(_) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
        }
        _ => text.into(),
    }
}
