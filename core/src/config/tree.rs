//! A configuration text as a tree in which every key and value knows its place.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{problem::Problem, source::Place};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it is; of a table with a header, the header.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// A value of TOML.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text of an environment variable: becomes whatever is expected.
    Variable(String),
    /// Text.
    String(String),
    /// Whole number.
    Integer(i64),
    /// Number with a point or exponent.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Date or time, as written.
    Time(String),
    /// List.
    Array(Vec<Node>),
    /// Table.
    Table(Table),
}

impl Value {
    /// What it is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Variable(_) => "text of an environment variable",
            Self::String(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean(_) => "true or false",
            Self::Time(_) => "a date or time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys and their values.
pub type Table = BTreeMap<String, Entry>;

/// A value under a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Place of the key.
    pub key: Place,
    /// The value.
    pub node: Node,
}

/// Parses the text of source number `source`. A text with a mistake in its syntax gives the parser's own problems and
/// nothing else: what follows a mistake would be guessed.
pub fn parse(text: &str, source: usize) -> Result<Table, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(first) = errors.first() {
        let span = first.span().unwrap_or(0..0);
        let place = Place { source, start: span.start, end: span.end };
        let message = format!("this is not TOML: {}", first.message().trim().replace('\n', ", "));
        return Err(vec![Problem::error(place, message)]);
    }
    let mut problems = Vec::new();
    let table = convert_table(table.get_ref(), source, &mut problems);
    if problems.is_empty() { Ok(table) } else { Err(problems) }
}

fn convert_table(table: &DeTable<'_>, source: usize, problems: &mut Vec<Problem>) -> Table {
    let place = |span: std::ops::Range<usize>| Place { source, start: span.start, end: span.end };
    table
        .iter()
        .map(|(key, value)| {
            let entry = Entry { key: place(key.span()), node: convert(value, source, problems) };
            (key.get_ref().clone().into_owned(), entry)
        })
        .collect()
}

fn convert(value: &Spanned<DeValue<'_>>, source: usize, problems: &mut Vec<Problem>) -> Node {
    let place = Place { source, start: value.span().start, end: value.span().end };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                problems.push(Problem::error(place, "this number is out of range").label("does not fit 64 bits"));
                Value::Integer(0)
            }
        },
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => {
                problems.push(Problem::error(place, "this is no number that can be represented"));
                Value::Float(0.0)
            }
        },
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| convert(item, source, problems)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, source, problems)),
    };
    Node { place, value }
}

/// The value as JSON, for a plugin. Times become text; infinities and NaN, which JSON has not, are reported.
pub fn to_json(node: &Node, problems: &mut Vec<Problem>) -> serde_json::Value {
    match &node.value {
        Value::Variable(text) | Value::String(text) | Value::Time(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number).map_or_else(
            || {
                problems.push(Problem::error(node.place, "infinite and undefined numbers are not accepted here"));
                serde_json::Value::Null
            },
            serde_json::Value::Number,
        ),
        Value::Boolean(flag) => (*flag).into(),
        Value::Array(items) => items.iter().map(|item| to_json(item, problems)).collect(),
        Value::Table(table) => table_to_json(table, problems),
    }
}

/// A table as a JSON object.
pub fn table_to_json(table: &Table, problems: &mut Vec<Problem>) -> serde_json::Value {
    table.iter().map(|(key, entry)| (key.clone(), to_json(&entry.node, problems))).collect()
}

/// The place that a JSON pointer (RFC 6901) leads to from a node; where it leads nowhere, the last place on the way, so
/// that a missing key is shown in the table that should have it.
#[must_use]
pub fn locate(node: &Node, pointer: &str) -> Place {
    let mut here = node;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let next = match &here.value {
            Value::Table(table) => table.get(&step).map(|entry| &entry.node),
            Value::Array(items) => step.parse::<usize>().ok().and_then(|position| items.get(position)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    here.place
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_at(text: &str, place: Place) -> &str {
        &text[place.range()]
    }

    #[test]
    fn pointers_find_values_and_stop_where_they_end() {
        let text = "[config]\nlevels = [1, { name = \"a\" }]\n\"a/b\" = 2.5\n";
        let table = parse(text, 0).unwrap();
        let config = &table["config"].node;
        assert_eq!(text_at(text, locate(config, "/levels/1/name")), "\"a\"");
        assert_eq!(text_at(text, locate(config, "/levels/1/missing")), "{ name = \"a\" }");
        assert_eq!(text_at(text, locate(config, "/a~1b")), "2.5");
        assert_eq!(text_at(text, locate(config, "")), "[config]");
        let json = to_json(config, &mut Vec::new());
        assert_eq!(json, serde_json::json!({ "levels": [1, { "name": "a" }], "a/b": 2.5 }));
    }

    #[test]
    fn a_mistake_in_syntax_is_reported_once() {
        let problems = parse("a = 1\nb = = 2\nc = 3\n", 0).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(parse("a = 99999999999999999999", 0).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[-a-z0-9\\[\\]{}=\"'#,.\n\\\\ é]{0,80}") {
            let _ = parse(&text, 0);
        }
    }
}
