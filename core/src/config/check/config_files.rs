//! `config_files` of a handler or policy: files whose content becomes a key of the plugin's configuration, such as the
//! baseline that a policy compares with. They are read with the configuration, so that what the manager runs with, and
//! what it writes down at its start, is whole.

use std::{fs, io::Read as _, path::Path};

use super::Checker;
use crate::config::{
    limits::PLUGIN_CONFIG_FILE_BYTES,
    problem::Problem,
    source::Spot,
    tree::{Entry, Node, Table, Value},
};

impl Checker<'_> {
    /// Reads the files into `config`; `node`, where problems of its keys are shown, learns where each came from.
    pub(super) fn config_files(&self, files: Option<&Node>, config: &mut serde_json::Value, node: &mut Option<Node>) {
        let Some(files) = files else { return };
        let Value::Table(table) = &files.value else {
            let problem = Problem::error(files.place, "`config_files` has a value of the wrong type");
            return self.found.add(problem.label(format!("expected a table of files, found {}", files.value.kind())));
        };
        for (key, entry) in table {
            let Value::String(path) = &entry.node.value else {
                let problem = Problem::error(entry.node.place, format!("`config_files.{key}` names no file"));
                self.found.add(problem.label("expected a path in quotes"));
                continue;
            };
            if config.get(key).is_some() {
                let problem = Problem::error(entry.key, format!("`{key}` stands in `config` and in `config_files`"));
                self.found.add(problem.help("leave one of them out"));
                continue;
            }
            let spot = Spot::new(path.clone(), entry.node.place);
            let path = self.sources.resolve(path, spot.place);
            self.found.read(path.clone());
            match read(&path) {
                Ok(content) => {
                    if let Some(config) = config.as_object_mut() {
                        config.insert(key.clone(), content);
                    }
                    remember(node, files, key, entry);
                }
                Err(trouble) => {
                    let problem = Problem::error(spot.place, format!("cannot use {} as `{key}`", path.display()));
                    self.found.add(problem.label(trouble));
                }
            }
        }
    }
}

/// Problems of the key are shown where its file is named.
fn remember(node: &mut Option<Node>, files: &Node, key: &str, entry: &Entry) {
    let node = node.get_or_insert_with(|| Node { place: files.place, value: Value::Table(Table::new()) });
    if let Value::Table(table) = &mut node.value {
        let here = Node { place: entry.node.place, value: Value::Table(Table::new()) };
        table.insert(key.to_owned(), Entry { key: entry.key, node: here });
    }
}

/// A TOML or JSON file, as its name says.
fn read(path: &Path) -> Result<serde_json::Value, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| super::show(&error))?;
    let read =
        file.take(PLUGIN_CONFIG_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| super::show(&error))?;
    if read as u64 > PLUGIN_CONFIG_FILE_BYTES {
        return Err(format!("the file is larger than {} MiB", PLUGIN_CONFIG_FILE_BYTES >> 20));
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text.get(..span.start).map_or(1, |before| before.lines().count().max(1)));
            format!("line {line}: {}", error.message().trim().replace('\n', ", "))
        }),
        Some("json") => serde_json::from_str(&text).map_err(|error| format!("line {}: {error}", error.line())),
        _ => Err("expected a file whose name ends in .toml or .json".to_owned()),
    }
}
