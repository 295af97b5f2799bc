//! Reads a table of the configuration key by key and writes down every problem instead of stopping at the first.
//!
//! A wrong value is reported and read as absent, so that the rest can still be checked. A key that nobody knows is
//! reported with the known key that it resembles.

use std::{cell::RefCell, ops::RangeInclusive, time::Duration};

use super::{
    problem::Problem,
    quantity,
    source::{Place, Spot},
    tree::{Entry, Node, Table, Value},
};

/// Where problems are written down.
#[derive(Debug, Default)]
pub struct Found {
    problems: RefCell<Vec<Problem>>,
    files: RefCell<Vec<std::path::PathBuf>>,
    /// Tables at the top that a misspelt one probably stands for.
    meant: RefCell<Vec<&'static str>>,
}

impl Found {
    /// Adds one.
    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Adds a key that is unknown at the top, where `known` are the tables.
    pub fn unknown_table(&self, key: &str, place: Place, known: &[&'static str]) {
        self.meant.borrow_mut().extend(resembling(key, known));
        self.add(unknown_key(key, place, "the configuration", known));
    }

    /// Whether a misspelt table was reported that probably stands for this one.
    #[must_use]
    pub fn is_meant(&self, table: &str) -> bool {
        self.meant.borrow().contains(&table)
    }

    /// Notes a file whose content became part of the configuration.
    pub fn read(&self, file: std::path::PathBuf) {
        self.files.borrow_mut().push(file);
    }

    /// Takes the files that were noted.
    #[must_use]
    pub fn take_files(&self) -> Vec<std::path::PathBuf> {
        self.files.take()
    }

    /// Takes all.
    #[must_use]
    pub fn take(&self) -> Vec<Problem> {
        self.problems.take()
    }
}

/// A table that is being read.
#[derive(Clone, Copy, Debug)]
pub struct TableReader<'a> {
    found: &'a Found,
    table: &'a Table,
    known: &'a [&'a str],
    /// Where it is.
    pub place: Place,
}

impl<'a> TableReader<'a> {
    /// Starts to read a table; keys that are not in `known` are reported. `name` is for messages: `[log]`.
    #[must_use]
    pub fn new(found: &'a Found, table: &'a Table, place: Place, name: &str, known: &'a [&'a str]) -> Self {
        for (key, entry) in table {
            if !known.contains(&key.as_str()) {
                found.add(unknown_key(key, entry.key, name, known));
            }
        }
        Self { found, table, known, place }
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    /// The key and its value, whatever it is.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.get(key)
    }

    /// Whether the key is there at all, even with a wrong value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of a key is; where the table is, if the key is not there.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        self.node(key).map_or(self.place, |node| node.place)
    }

    /// Whether the key is there, or another one in its stead that is reported as a slip for it: then that it is missing is
    /// no news.
    #[must_use]
    pub fn is_meant(&self, key: &str) -> bool {
        let stands_for =
            |written: &&String| !self.known.contains(&written.as_str()) && resembling(written, self.known) == Some(key);
        self.has(key) || self.table.keys().any(|written| stands_for(&written))
    }

    fn wrong<T>(&self, key: &str, node: &Node, expected: &str) -> Option<T> {
        let found = node.value.kind();
        let problem = Problem::error(node.place, format!("`{key}` has a value of the wrong type"))
            .label(format!("expected {expected}, found {found}"));
        self.found.add(problem);
        None
    }

    /// Text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Spot<String>> {
        let node = self.node(key)?;
        match &node.value {
            Value::String(text) | Value::Variable(text) => Some(Spot::new(text.clone(), node.place)),
            _ => self.wrong(key, node, "text in quotes"),
        }
    }

    /// Text, or a date or time without quotes.
    #[must_use]
    pub fn time(&self, key: &str) -> Option<Spot<String>> {
        match self.node(key)? {
            Node { value: Value::Time(text), place } => Some(Spot::new(text.clone(), *place)),
            _ => self.text(key),
        }
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<Spot<bool>> {
        let node = self.node(key)?;
        let value = match &node.value {
            Value::Boolean(flag) => Some(*flag),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        match value {
            Some(flag) => Some(Spot::new(flag, node.place)),
            None => self.wrong(key, node, "true or false"),
        }
    }

    /// A whole number within bounds.
    #[must_use]
    pub fn number(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<Spot<u64>> {
        let node = self.node(key)?;
        let number = match &node.value {
            Value::Integer(number) => i128::from(*number),
            Value::Variable(text) => match text.trim().parse() {
                Ok(number) => number,
                Err(_) => return self.wrong(key, node, "a whole number"),
            },
            _ => return self.wrong(key, node, "a whole number"),
        };
        match u64::try_from(number).ok().filter(|number| bounds.contains(number)) {
            Some(number) => Some(Spot::new(number, node.place)),
            None => {
                let label = format!("expected {} to {}", bounds.start(), bounds.end());
                self.found.add(Problem::error(node.place, format!("`{key}` is out of range")).label(label));
                None
            }
        }
    }

    /// A number, whole or not; never infinite, never NaN.
    #[must_use]
    pub fn real(&self, key: &str) -> Option<Spot<f64>> {
        let node = self.node(key)?;
        let number = match &node.value {
            Value::Float(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "a level that large is none")]
            Value::Integer(number) => Some(*number as f64),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Some(Spot::new(number, node.place)),
            None => self.wrong(key, node, "a number"),
        }
    }

    /// A duration within bounds.
    #[must_use]
    pub fn duration(&self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Spot<Duration>> {
        let show = quantity::show_duration;
        self.quantity(key, "a duration in quotes, such as \"10s\"", quantity::duration, show, &bounds)
    }

    /// A size within bounds.
    #[must_use]
    pub fn size(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<Spot<u64>> {
        self.quantity(key, "a size in quotes, such as \"32MiB\"", quantity::size, quantity::show_size, &bounds)
    }

    fn quantity<T: PartialOrd + Copy>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(T) -> String,
        bounds: &RangeInclusive<T>,
    ) -> Option<Spot<T>> {
        let node = self.node(key)?;
        let (Value::String(text) | Value::Variable(text)) = &node.value else {
            return self.wrong(key, node, expected);
        };
        let problem = match read(text) {
            Ok(value) if bounds.contains(&value) => return Some(Spot::new(value, node.place)),
            Ok(_) => {
                let label = format!("expected {} to {}", show(*bounds.start()), show(*bounds.end()));
                Problem::error(node.place, format!("`{key}` is out of range")).label(label)
            }
            Err(why) => Problem::error(node.place, format!("`{key}` cannot be read")).label(why),
        };
        self.found.add(problem);
        None
    }

    /// One of a few words.
    #[must_use]
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<Spot<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Spot::new(*value, text.place));
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let problem = Problem::error(text.place, format!("`{key}` cannot be `{}`", text.value))
            .label(format!("expected {}", one_of(&names)));
        self.found.add(match resembling(&text.value, &names) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem,
        });
        None
    }

    /// Those of a list that are among a few words; the others are reported.
    #[must_use]
    pub fn words<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<Vec<T>> {
        let mut read = Vec::new();
        for text in self.texts(key)?.value {
            if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
                read.push(*value);
                continue;
            }
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let problem = Problem::error(text.place, format!("`{key}` cannot have `{}`", text.value))
                .label(format!("expected {}", one_of(&names)));
            self.found.add(match resembling(&text.value, &names) {
                Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                None => problem,
            });
        }
        Some(read)
    }

    /// A list of texts; a single text is a list of one. From the environment: separated by commas.
    #[must_use]
    pub fn texts(&self, key: &str) -> Option<Spot<Vec<Spot<String>>>> {
        let node = self.node(key)?;
        let items = match &node.value {
            Value::String(text) => vec![Spot::new(text.clone(), node.place)],
            Value::Variable(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Spot::new(item.to_owned(), node.place))
                .collect(),
            Value::Array(items) => items.iter().filter_map(|item| self.text_item(key, item)).collect(),
            _ => return self.wrong(key, node, "text or a list of texts"),
        };
        Some(Spot::new(items, node.place))
    }

    fn text_item(&self, key: &str, item: &Node) -> Option<Spot<String>> {
        match &item.value {
            Value::String(text) => Some(Spot::new(text.clone(), item.place)),
            _ => self.wrong(key, item, "text in quotes"),
        }
    }

    /// A table under a key.
    #[must_use]
    pub fn table(&self, key: &str, name: &str, known: &'a [&'a str]) -> Option<TableReader<'a>> {
        let node = self.node(key)?;
        match &node.value {
            Value::Table(table) => Some(TableReader::new(self.found, table, node.place, name, known)),
            _ => self.wrong(key, node, "a table"),
        }
    }

    /// A list of tables under a key of the whole: `[[components]]`.
    #[must_use]
    pub fn tables(&self, key: &str, known: &'a [&'a str]) -> Vec<TableReader<'a>> {
        self.tables_as(key, &format!("[[{key}]]"), known)
    }

    /// A list of tables under a key; `name` is for messages: `[[api.tokens]]`.
    #[must_use]
    pub fn tables_as(&self, key: &str, name: &str, known: &'a [&'a str]) -> Vec<TableReader<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        match &node.value {
            Value::Array(items) => items.iter().filter_map(|item| self.table_item(item, name, known)).collect(),
            Value::Table(_) => {
                let problem = Problem::error(node.place, format!("`{key}` is a list of tables"))
                    .help(format!("write {name} in double brackets"));
                self.found.add(problem);
                Vec::new()
            }
            _ => {
                let _: Option<()> = self.wrong(key, node, &format!("{name} tables"));
                Vec::new()
            }
        }
    }

    fn table_item(&self, item: &'a Node, name: &str, known: &'a [&'a str]) -> Option<TableReader<'a>> {
        match &item.value {
            Value::Table(table) => Some(TableReader::new(self.found, table, item.place, name, known)),
            _ => self.wrong(name, item, "a table"),
        }
    }

    /// Reports a key that is not there, unless it is and is misspelt.
    pub fn missing(&self, key: &str, name: &str, example: &str) {
        if self.is_meant(key) {
            return;
        }
        let problem = Problem::error(self.place, format!("{name} has no `{key}`")).help(format!("add {example}"));
        self.found.add(problem);
    }

    /// Text that has to be there.
    #[must_use]
    pub fn required_text(&self, key: &str, name: &str, example: &str) -> Option<Spot<String>> {
        if !self.has(key) {
            self.missing(key, name, example);
        }
        self.text(key)
    }
}

/// The problem of an unknown key, with the known key that it resembles.
pub fn unknown_key(key: &str, place: Place, name: &str, known: &[&str]) -> Problem {
    let problem = Problem::error(place, format!("unknown key `{key}` in {name}"));
    match resembling(key, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the keys here are {}", one_of(known).replace(" or ", " and "))),
    }
}

/// The candidate that a mistyped word most likely stands for, if any is near enough: one slip of the fingers away, or much
/// like it.
#[must_use]
pub fn resembling<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let plain = |candidate: &str| candidate.to_lowercase().replace('-', "_");
    let mut a_slip_away = candidates.iter().filter(|candidate| strsim::osa_distance(&word, &plain(candidate)) <= 1);
    if let (Some(only), None) = (a_slip_away.next(), a_slip_away.next()) {
        return Some(only);
    }
    candidates
        .iter()
        .map(|candidate| (*candidate, strsim::jaro_winkler(&word, &plain(candidate))))
        .filter(|(_, likeness)| *likeness >= 0.8)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(candidate, _)| candidate)
}

/// `a, b or c`.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree;

    #[test]
    fn every_wrong_value_is_reported_and_the_right_ones_are_read() {
        let text = "count = 3\ntoo_many = 300\nwait = \"1x\"\nnmae = 1\nwords = [\"a\", 1]\nflag = \"true\"\n";
        let table = tree::parse(text, 0).unwrap();
        let found = Found::default();
        let known = ["count", "too_many", "wait", "name", "words", "flag"];
        let reader = TableReader::new(&found, &table, Place::default(), "[test]", &known);
        assert_eq!(reader.number("count", 1..=10).unwrap().value, 3);
        assert_eq!(reader.number("too_many", 1..=10), None);
        assert_eq!(reader.duration("wait", Duration::ZERO..=Duration::MAX), None);
        assert_eq!(reader.texts("words").unwrap().value.len(), 1);
        assert_eq!(reader.flag("flag"), None);
        let found = found.take();
        assert_eq!(found.len(), 5, "{found:#?}");
        assert_eq!(found[0].help.as_deref(), Some("did you mean `name`?"));
    }

    #[test]
    fn a_misspelt_key_is_not_reported_as_missing_besides() {
        let table = tree::parse("refernce_point = 1\n", 0).unwrap();
        let found = Found::default();
        let reader = TableReader::new(&found, &table, Place::default(), "[test]", &["id", "reference_point"]);
        assert!(reader.is_meant("reference_point") && !reader.is_meant("id"));
        reader.missing("reference_point", "[test]", "it");
        assert_eq!(reader.required_text("id", "[test]", "it"), None);
        let messages: Vec<String> = found.take().into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages, ["unknown key `refernce_point` in [test]", "[test] has no `id`"]);
    }

    #[test]
    fn likeness_finds_slips_and_leaves_strangers_alone() {
        let known = ["max_connections", "max_in_flight", "idle_timeout"];
        assert_eq!(resembling("max_conections", &known), Some("max_connections"));
        assert_eq!(resembling("Idle-Timeout", &known), Some("idle_timeout"));
        assert_eq!(resembling("colour", &known), None);
        let short = ["tls", "log", "api", "mk", "mq", "mx"];
        assert_eq!(resembling("tsl", &short), Some("tls"), "two letters the wrong way round");
        assert_eq!(resembling("mkk", &short), Some("mk"));
        assert_eq!(resembling("nk", &short), Some("mk"));
        assert_eq!(resembling("mz", &short), None, "as near to one as to another");
    }
}
