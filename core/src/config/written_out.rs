//! A configuration as TOML for people: in the order of the contract, each key on a line, where it came from behind it.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

use super::{
    contract::{self, Kind, TableSpec},
    origin::{Document, token},
};

/// Column that comments begin in, where the line is not longer.
const COMMENT: usize = 44;

/// The document as TOML; with `origins`, each key says where it came from.
#[must_use]
pub fn toml(document: &Document, origins: bool) -> String {
    let mut writer = Writer { text: String::new(), document, origins };
    if let Json::Object(values) = &document.configuration {
        for (key, value) in ordered(values, Some(&contract::TOP)) {
            writer.section(key, value, kind(Some(&contract::TOP), key), &path("", key));
        }
    }
    writer.text
}

struct Writer<'a> {
    text: String,
    document: &'a Document,
    origins: bool,
}

impl Writer<'_> {
    /// A table or a list of tables, with its header.
    fn section(&mut self, name: &str, value: &Json, kind: Option<&Kind>, pointer: &str) {
        let spec = match kind {
            Some(Kind::Table(spec) | Kind::Tables(spec)) => Some(*spec),
            _ => None,
        };
        match value {
            Json::Object(values) => {
                // A table of tables alone needs no header.
                if values.is_empty() || !values.values().all(Json::is_object) {
                    self.header(&format!("[{name}]"));
                }
                self.table(name, values, spec, pointer);
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.header(&format!("[[{name}]]"));
                    if let Json::Object(values) = item {
                        self.table(name, values, spec, &format!("{pointer}/{index}"));
                    }
                }
            }
            _ => {}
        }
    }

    fn header(&mut self, header: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{header}");
    }

    /// Keys first, then what needs a header of its own: behind that, keys would belong there.
    fn table(&mut self, name: &str, values: &Map<String, Json>, spec: Option<&'static TableSpec>, pointer: &str) {
        let (own, tables): (Vec<_>, Vec<_>) =
            ordered(values, spec).into_iter().partition(|(key, value)| !has_header(name, key, value));
        for (key, value) in own {
            self.line(key, value, &path(pointer, key));
        }
        for (key, value) in tables {
            self.section(&format!("{name}.{}", quoted(key)), value, kind(spec, key), &path(pointer, key));
        }
    }

    fn line(&mut self, key: &str, value: &Json, pointer: &str) {
        let key = quoted(key);
        let line = match inline(value) {
            Some(value) => format!("{key} = {value}"),
            None => format!("# {key}: null, which TOML has not"),
        };
        let origin = self.document.origins.get(pointer).filter(|_| self.origins);
        let _ = match origin {
            Some(origin) => writeln!(self.text, "{line:COMMENT$} # {origin}"),
            None => writeln!(self.text, "{line}"),
        };
    }
}

fn has_header(table: &str, key: &str, value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => table == "api" && key == "tokens" && !items.is_empty(),
        _ => false,
    }
}

fn kind(spec: Option<&'static TableSpec>, key: &str) -> Option<&'static Kind> {
    spec.and_then(|spec| spec.key(key)).map(|key| &key.kind)
}

/// In the order of the contract; what it does not know behind that, by name.
fn ordered<'a>(values: &'a Map<String, Json>, spec: Option<&TableSpec>) -> Vec<(&'a str, &'a Json)> {
    let position =
        |key: &str| spec.and_then(|spec| spec.keys.iter().position(|known| known.name == key)).unwrap_or(usize::MAX);
    let mut list: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), value)).collect();
    list.sort_by_key(|(key, _)| position(key));
    list
}

fn path(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", token(key))
}

/// A key as TOML wants it.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { key.to_owned() } else { text(key) }
}

/// JSON's escapes are among those of TOML; the one character that JSON leaves alone and TOML does not is DEL.
fn text(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A value on one line; `None` for null.
#[must_use]
pub fn inline(value: &Json) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number_as_toml(number),
        Json::String(string) => text(string),
        Json::Array(items) => format!("[{}]", items.iter().filter_map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let item = |(key, value): (&String, &Json)| Some(format!("{} = {}", quoted(key), inline(value)?));
            format!("{{ {} }}", map.iter().filter_map(item).collect::<Vec<_>>().join(", "))
        }
    })
}

/// Whole numbers beyond TOML's 64 bits with a sign cannot have come from a TOML file; from a JSON file they can.
fn number_as_toml(number: &serde_json::Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(real)) => format!("{real:?}"),
        (None, None) => number.to_string(),
    }
}
