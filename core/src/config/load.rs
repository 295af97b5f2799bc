//! Finds and layers what the configuration is made of: the main file, then the files of the folder `conf.d` beside it in
//! the order of their names, then environment variables named `QKDNM__SECTION__KEY`. Nothing else is opened, nothing is
//! bound, nothing is changed. A later file's key replaces an earlier one's; lists of tables (`LISTS`) are joined.
//!
//! Each text is parsed with the places of its values first; then the `config` crate lays the layers over each other,
//! the values standing in for themselves as numbers of a list, so that every value of the result still knows its place.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use config::{ConfigError, Environment, Map, Source, Value as Layered, ValueKind};

use super::{
    Config,
    check::{self, PluginPlaces},
    limits::CONFIGURATION_FILES,
    problem::{Level, Problem, Problems},
    raw::{self, keys},
    raw_exchange,
    reader::{Found, unknown_key},
    source::{Place, SourceText, Sources},
    tree::{self, Entry, Node, Table, Value},
};

/// Folder beside the main file with further files.
const FOLDER: &str = "conf.d";
/// Lists of tables that several files may add to. Each table has an `id` or `name`; one that occurs twice is an error.
const LISTS: [&[&str]; 8] = [
    &["components"],
    &["handlers"],
    &["policies"],
    &["collectors"],
    &["subscriptions"],
    &["exporters"],
    &["peers"],
    &["api", "tokens"],
];
const PREFIX: &str = "QKDNM";
const SEPARATOR: &str = "__";

/// A configuration that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is doubtful about it.
    pub warnings: Vec<Problem>,
    /// The texts it was read from.
    pub sources: Sources,
    /// Further files that became part of it (`config_files`, exchange policies).
    pub files: Vec<std::path::PathBuf>,
    places: PluginPlaces,
    /// What is written, layered.
    pub(super) table: Table,
}

/// Where a plugin is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// `[[handlers]]`
    Handler,
    /// `[[policies]]`
    Policy,
    /// The file of an exchange policy.
    Exchange,
    /// `[[collectors]]`
    Collector,
}

/// What a plugin, or its loading, finds wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginConfigProblem {
    /// The table.
    pub kind: PluginKind,
    /// `name` of the entry.
    pub name: String,
    /// JSON pointer into its `config`. `None`: it is about the plugin itself (missing, not loadable, wrong digest).
    pub pointer: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What a file says, as far as it can be made out, and everything that is wrong or doubtful.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Errors and warnings.
    pub problems: Problems,
    /// What it says; also there where something else in the file is wrong, so that all can be checked at once.
    pub loaded: Option<Loaded>,
}

impl Examined {
    fn unreadable(problems: Problems) -> Self {
        Self { problems, loaded: None }
    }

    /// The configuration if nothing is wrong with it.
    pub fn into_result(self) -> Result<Loaded, Problems> {
        match self.loaded {
            Some(loaded) if self.problems.count(Level::Error) == 0 => Ok(loaded),
            _ => Err(self.problems),
        }
    }
}

/// Reads the file and the environment of this process.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    examine(path).into_result()
}

/// Reads the file and the environment of this process, and goes on where something is wrong.
#[must_use]
pub fn examine(path: &Path) -> Examined {
    examine_as_if(path, |_| {})
}

/// As [`examine`], as if the files of `conf.d` were others than they are.
#[must_use]
pub fn examine_as_if(path: &Path, change: impl FnOnce(&mut Vec<SourceText>)) -> Examined {
    let mut unreadable = Vec::new();
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if name.starts_with("QKDNM__") {
            match value.into_string() {
                Ok(value) => variables.push((name, value)),
                Err(_) => unreadable.push(Problem::nowhere(format!("environment variable {name} is not UTF-8"))),
            }
        }
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_path_buf();
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) if unreadable.is_empty() => {
            let further = match further_files(&folder) {
                Ok(mut further) => {
                    change(&mut further);
                    further.sort_by(|one, other| one.name.cmp(&other.name));
                    further
                }
                Err(problems) => {
                    let mut sources = Sources::default();
                    sources.add(SourceText { name, folder, text });
                    return Examined::unreadable(Problems::new(sources, problems));
                }
            };
            let main = SourceText { name, folder, text };
            examine_texts(std::iter::once(main).chain(further).collect(), &variables)
        }
        Ok(text) => {
            let mut sources = Sources::default();
            sources.add(SourceText { name, folder, text });
            Examined::unreadable(Problems::new(sources, unreadable))
        }
        Err(error) => {
            let mut sources = Sources::default();
            sources.add(SourceText { name: name.clone(), folder, text: String::new() });
            let problem = Problem::nowhere(format!("cannot read {name}: {error}"));
            let problem = problem
                .help("name the file, as in `qkdnm run FILE`; the README of qkdnm has a configuration to start from");
            Examined::unreadable(Problems::new(sources, vec![problem]))
        }
    }
}

/// The files of `conf.d`, in the order of their names: those that end in `.toml` and do not begin with a dot.
fn further_files(folder: &Path) -> Result<Vec<SourceText>, Vec<Problem>> {
    let folder = folder.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(vec![Problem::nowhere(format!("cannot read {}: {error}", folder.display()))]),
    };
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    let is_meant = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.ends_with(".toml") && !name.starts_with('.')
    };
    paths.retain(is_meant);
    paths.sort();
    if paths.len() > CONFIGURATION_FILES {
        let (found, folder) = (paths.len(), folder.display());
        return Err(vec![Problem::nowhere(format!(
            "{folder} has {found} files; at most {CONFIGURATION_FILES} are read"
        ))]);
    }
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => texts.push(SourceText { name, folder: folder.clone(), text }),
            Err(error) => problems.push(Problem::nowhere(format!("cannot read {name}: {error}"))),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// Reads a text that is at hand already, and the given environment variables.
pub fn load_text(main: SourceText, variables: &[(String, String)]) -> Result<Loaded, Problems> {
    examine_text(main, variables).into_result()
}

/// As [`load_text`], and goes on where something is wrong.
#[must_use]
pub fn examine_text(main: SourceText, variables: &[(String, String)]) -> Examined {
    examine_texts(vec![main], variables)
}

/// As [`examine_text`], for the main file and further ones.
#[must_use]
pub fn examine_texts(texts: Vec<SourceText>, variables: &[(String, String)]) -> Examined {
    let mut sources = Sources::default();
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    let found = Found::default();
    for text in texts {
        let parsed = tree::parse(&text.text, sources.iter().count());
        sources.add(text);
        match parsed {
            Ok(document) => documents.push(document),
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Examined::unreadable(Problems::new(sources, problems));
    }
    LISTS.iter().for_each(|path| join(&mut documents, path));
    let environment = read_environment(variables, &mut sources, &found);
    let table = layer(&documents, &environment, &found);
    let raw = raw::read(&table, &found);
    let exchange = raw_exchange::read(&raw, &mut sources, &found);
    let checked = check::check(raw, exchange, &sources, &found);
    let problems = Problems::new(sources, found.take());
    let files = found.take_files();
    let loaded = checked.map(|(config, places)| {
        let warnings = problems.list.iter().filter(|problem| problem.level == Level::Warning).cloned().collect();
        Loaded { config, warnings, sources: problems.sources.clone(), files, places, table }
    });
    Examined { problems, loaded }
}

impl Loaded {
    /// Where an entry's `config` says what a JSON pointer leads to; without a pointer, its `plugin`. `None` for
    /// handlers that are in no file.
    #[must_use]
    pub fn locate(&self, kind: PluginKind, name: &str, pointer: Option<&str>) -> Option<Place> {
        let entries = match kind {
            PluginKind::Handler => &self.places.handlers,
            PluginKind::Policy => &self.places.policies,
            PluginKind::Exchange => &self.places.exchange,
            PluginKind::Collector => &self.places.collectors,
        };
        let entry = entries.get(name)?;
        Some(match (pointer, &entry.config) {
            (Some(pointer), Some(config)) => tree::locate(config, pointer),
            (Some(_), None) => entry.table,
            (None, _) => entry.plugin,
        })
    }

    /// Where a key is written, as `["manager", "id"]`; `None` if it is not.
    #[must_use]
    pub fn place_of(&self, path: &[&str]) -> Option<Place> {
        let (last, tables) = path.split_last()?;
        let mut table = &self.table;
        for step in tables {
            match &table.get(*step)?.node.value {
                Value::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get(*last).map(|entry| entry.node.place)
    }

    /// What plugins complained of, as problems in the user's files.
    #[must_use]
    pub fn complaints(&self, complaints: &[PluginConfigProblem]) -> Vec<Problem> {
        let complaint = |complaint: &PluginConfigProblem| {
            let (kind, name) = match complaint.kind {
                PluginKind::Handler => ("handler", &complaint.name),
                PluginKind::Policy => ("policy", &complaint.name),
                PluginKind::Exchange => ("exchange policy", &complaint.name),
                PluginKind::Collector => ("collector", &complaint.name),
            };
            let message = format!("{kind} `{name}`: {}", complaint.message);
            match self.locate(complaint.kind, name, complaint.pointer.as_deref()) {
                Some(place) => Problem::error(place, message),
                None => Problem::nowhere(message),
            }
        };
        complaints.iter().map(complaint).collect()
    }

    /// The warnings, ready to be shown.
    #[must_use]
    pub fn warnings(&self) -> Problems {
        Problems::new(self.sources.clone(), self.warnings.clone())
    }
}

/// An environment variable that sets a key.
struct Variable {
    name: String,
    value: String,
    /// `log.level`
    path: String,
    key: Place,
    place: Place,
}

/// The variables as one more source, a line each. Those that set no known key are reported and left out.
fn read_environment(variables: &[(String, String)], sources: &mut Sources, found: &Found) -> Vec<Variable> {
    let mut variables: Vec<&(String, String)> =
        variables.iter().filter(|(name, _)| name.starts_with("QKDNM__")).collect();
    if variables.is_empty() {
        return Vec::new();
    }
    variables.sort();
    let mut text = String::new();
    let source = sources.iter().count();
    let mut read = Vec::new();
    for (name, value) in variables {
        let start = text.len();
        text.push_str(&format!("{name}={}\n", value.replace('\n', " ")));
        let key = Place { source, start, end: start + name.len() };
        let place = Place { source, start: key.end + 1, end: text.len() - 1 };
        let path = name.get(PREFIX.len() + SEPARATOR.len()..).unwrap_or_default().to_lowercase();
        match check_path(&path, name, key) {
            Some(problem) => found.add(problem),
            None => read.push(Variable {
                name: name.clone(),
                value: value.clone(),
                path: path.replace(SEPARATOR, "."),
                key,
                place,
            }),
        }
    }
    sources.add(SourceText { name: "environment".to_owned(), folder: ".".into(), text });
    read
}

/// Lists of tables in `[federation]`.
const TABLES_OF_THE_FEDERATION: [&str; 5] = ["origins", "links", "key_relations", "services", "settlements"];

fn check_path(path: &str, name: &str, place: Place) -> Option<Problem> {
    let parts: Vec<&str> = path.split(SEPARATOR).collect();
    let known = match parts.as_slice() {
        ["manager", _] => keys::MANAGER,
        ["log", _] => keys::LOG,
        ["tls", _] => keys::TLS,
        ["interfaces", point, _] if keys::INTERFACES.contains(point) => keys::INTERFACE,
        ["interfaces", ..] => keys::INTERFACES,
        ["plugins", _] => keys::PLUGINS,
        ["storage", "history", _] => keys::HISTORY,
        ["storage", _] => keys::STORAGE,
        ["api", "listen"] => keys::API,
        ["federation", other] if !TABLES_OF_THE_FEDERATION.contains(other) => super::raw_federation::FEDERATION,
        ["components" | "handlers" | "policies" | "collectors" | "subscriptions" | "exporters" | "peers", ..]
        | ["api", "tokens", ..]
        | ["federation", _, ..] => {
            let problem = Problem::error(place, format!("environment variable {name} cannot set a list of tables"));
            return Some(problem.help("write them in a file"));
        }
        _ => keys::TOP,
    };
    let last = match parts.as_slice() {
        [first, ..] if !keys::TOP.contains(first) => first,
        ["interfaces", point, ..] if !keys::INTERFACES.contains(point) => point,
        [.., last] => last,
        [] => "",
    };
    if known.contains(&last) && parts.len() > 1 && known != keys::TOP && known != keys::INTERFACES {
        return None;
    }
    let mut problem = unknown_key(last, place, "the environment", known);
    problem.message = format!("environment variable {name} sets no key of the configuration");
    Some(problem)
}

/// Puts the tables of a list that several documents add to into the first document that has it, in their order.
fn join(documents: &mut [Table], path: &[&str]) {
    let (mut first, mut further) = (None, Vec::new());
    for (index, document) in documents.iter_mut().enumerate() {
        let Some(list) = list_at(document, path) else { continue };
        match first {
            None => first = Some(index),
            Some(_) => further.append(list),
        }
    }
    if let Some(list) = first.and_then(|index| documents.get_mut(index)).and_then(|document| list_at(document, path)) {
        list.append(&mut further);
    }
    // What was moved leaves no empty list behind, which would replace the joined one.
    for document in documents.iter_mut().skip(first.map_or(0, |index| index + 1)) {
        if list_at(document, path).is_some() {
            remove_at(document, path);
        }
    }
}

fn list_at<'a>(table: &'a mut Table, path: &[&str]) -> Option<&'a mut Vec<Node>> {
    let (step, rest) = path.split_first()?;
    match &mut table.get_mut(*step)?.node.value {
        Value::Table(inner) => list_at(inner, rest),
        Value::Array(list) if rest.is_empty() => Some(list),
        _ => None,
    }
}

fn remove_at(table: &mut Table, path: &[&str]) {
    let Some((step, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.remove(*step);
    } else if let Some(Entry { node: Node { value: Value::Table(inner), .. }, .. }) = table.get_mut(*step) {
        remove_at(inner, rest);
    }
}

/// A document as a layer: each value that is not a table is a number in the list of leaves.
#[derive(Clone, Debug)]
struct DocumentLayer(Map<String, Layered>);

impl Source for DocumentLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Layered>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Lays the documents and then the environment over each other.
fn layer(documents: &[Table], environment: &[Variable], found: &Found) -> Table {
    let mut leaves: Vec<&Entry> = Vec::new();
    let mut builder = config::Config::builder();
    for document in documents {
        // A key that is unknown at the top is reported here: as a layer it would be read as a path.
        let (known, unknown): (Vec<_>, Vec<_>) =
            document.iter().partition(|(key, _)| keys::TOP.contains(&key.as_str()));
        for (key, entry) in unknown {
            found.unknown_table(key, entry.key, keys::TOP);
        }
        let layer = known.into_iter().map(|(key, entry)| (key.clone(), to_layer(entry, &mut leaves))).collect();
        builder = builder.add_source(DocumentLayer(layer));
    }
    let variables = environment.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect();
    let source = Environment::with_prefix(PREFIX).separator(SEPARATOR).source(Some(variables));
    match builder.add_source(source).build() {
        Ok(layered) => from_layers(&layered.cache, "", &leaves, documents, environment),
        Err(error) => {
            found.add(Problem::nowhere(format!("the configuration cannot be put together: {error}")));
            Table::new()
        }
    }
}

fn to_layer<'a>(entry: &'a Entry, leaves: &mut Vec<&'a Entry>) -> Layered {
    match &entry.node.value {
        Value::Table(table) => {
            let inner: HashMap<String, Layered> =
                table.iter().map(|(key, entry)| (key.clone(), to_layer(entry, leaves))).collect();
            Layered::new(None, ValueKind::Table(inner))
        }
        _ => {
            leaves.push(entry);
            Layered::new(None, ValueKind::U64(leaves.len() as u64 - 1))
        }
    }
}

fn from_layers(
    layered: &Layered,
    path: &str,
    leaves: &[&Entry],
    documents: &[Table],
    environment: &[Variable],
) -> Table {
    let ValueKind::Table(map) = &layered.kind else { return Table::new() };
    let mut table = BTreeMap::new();
    for (key, value) in map {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let entry = match &value.kind {
            ValueKind::U64(leaf) => {
                usize::try_from(*leaf).ok().and_then(|leaf| leaves.get(leaf)).map(|leaf| (*leaf).clone())
            }
            ValueKind::Table(_) => {
                let inner = from_layers(value, &path, leaves, documents, environment);
                let (key, place) = table_place(&path, documents, environment);
                Some(Entry { key, node: Node { place, value: Value::Table(inner) } })
            }
            _ => environment.iter().find(|variable| variable.path == path).map(|variable| Entry {
                key: variable.key,
                node: Node { place: variable.place, value: Value::Variable(variable.value.clone()) },
            }),
        };
        if let Some(entry) = entry {
            table.insert(key.clone(), entry);
        }
    }
    table
}

/// Key and header of a table: in the last document that has it, else in the environment.
fn table_place(path: &str, documents: &[Table], environment: &[Variable]) -> (Place, Place) {
    let in_document = |document: &Table| {
        let mut table = document;
        let mut found = None;
        for step in path.split('.') {
            let entry = table.get(step)?;
            found = Some((entry.key, entry.node.place));
            match &entry.node.value {
                Value::Table(inner) => table = inner,
                _ => return found,
            }
        }
        found
    };
    let in_environment = || {
        let variable = environment.iter().find(|variable| variable.path.starts_with(path))?;
        Some((variable.key, variable.key))
    };
    documents.iter().rev().find_map(in_document).or_else(in_environment).unwrap_or_default()
}
