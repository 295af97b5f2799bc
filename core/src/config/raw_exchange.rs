//! Files of exchange policies as written: each one plugin with its configuration. They are found by the lists that name them, and
//! become texts of the configuration like any other, so that what is wrong in one is shown in it.

use std::{collections::BTreeSet, fs, io::Read as _, path::PathBuf};

use super::{
    limits::EXCHANGE_FILE_BYTES,
    problem::Problem,
    raw::Raw,
    reader::{Found, TableReader},
    source::{Place, SourceText, Sources, Spot},
    tree::{self, Node, Value},
};

/// Keys of a file.
pub const EXCHANGE: &[&str] = &["plugin", "sha256", "config", "config_files"];

/// A file.
#[derive(Debug)]
pub struct RawExchange {
    pub(super) path: PathBuf,
    /// Its first line.
    pub(super) place: Place,
    pub(super) plugin: Option<Spot<String>>,
    pub(super) sha256: Option<Spot<String>>,
    pub(super) config: Option<Node>,
    pub(super) config_files: Option<Node>,
}

/// Reads every file that is named, once. One that cannot be opened is left to the check of the list that names it.
pub(super) fn read(raw: &Raw, sources: &mut Sources, found: &Found) -> Vec<RawExchange> {
    let of_all = raw.federation.iter().flat_map(|one| [&one.export, &one.import]);
    let of_peers = raw.peers.iter().flat_map(|peer| [&peer.export, &peer.import]);
    let named: Vec<Spot<String>> = of_all.chain(of_peers).flatten().flat_map(|list| list.value.clone()).collect();
    let mut known = BTreeSet::new();
    let mut read = Vec::new();
    for spot in named {
        let path = sources.resolve(&spot.value, spot.place);
        if !known.insert(path.clone()) {
            continue;
        }
        match text(&path) {
            Ok(Some(text)) => {
                found.read(path.clone());
                read.extend(file(path, text, sources, found));
            }
            Ok(None) => {}
            Err(trouble) => {
                let problem =
                    Problem::error(spot.place, format!("cannot use {} as an exchange policy", path.display()));
                found.add(problem.label(trouble));
            }
        }
    }
    read
}

fn text(path: &PathBuf) -> Result<Option<String>, String> {
    let Ok(file) = fs::File::open(path) else { return Ok(None) };
    if path.is_dir() {
        return Ok(None);
    }
    let mut text = String::new();
    let bytes = file.take(EXCHANGE_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if bytes as u64 > EXCHANGE_FILE_BYTES {
        return Err(format!("the file is larger than {} MiB", EXCHANGE_FILE_BYTES >> 20));
    }
    Ok(Some(text))
}

fn file(path: PathBuf, text: String, sources: &mut Sources, found: &Found) -> Option<RawExchange> {
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let end = text.find('\n').unwrap_or(text.len());
    let source = sources.add(SourceText { name: path.display().to_string(), folder, text: text.clone() });
    let place = Place { source, start: 0, end };
    let table = match tree::parse(&text, source) {
        Ok(table) => table,
        Err(problems) => {
            problems.into_iter().for_each(|problem| found.add(problem));
            return None;
        }
    };
    let table = TableReader::new(found, &table, place, "the file of an exchange policy", EXCHANGE);
    let config = table.entry("config").map(|entry| entry.node.clone());
    if let Some(node) = config.as_ref().filter(|node| !matches!(node.value, Value::Table(_))) {
        let label = format!("expected a table, found {}", node.value.kind());
        found.add(Problem::error(node.place, "`config` has a value of the wrong type").label(label));
    }
    Some(RawExchange {
        path,
        place,
        plugin: table.required_text("plugin", "the file of an exchange policy", "plugin = \"builtin:disclosure\""),
        sha256: table.text("sha256"),
        config: config.filter(|node| matches!(node.value, Value::Table(_))),
        config_files: table.entry("config_files").map(|entry| entry.node.clone()),
    })
}
