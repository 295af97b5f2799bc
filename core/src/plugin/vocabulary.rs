//! Names that a plugin asks for become symbols: value names and words must be the catalogue's, components must be
//! written as references. What is not is a problem of the configuration, with the name that was perhaps meant.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    config::limits,
    model::{Catalogue, ComponentRef, ObjectKind, Symbol, SymbolTable},
};

/// Collects problems while names are resolved.
pub(super) struct Resolver<'a> {
    symbols: &'a SymbolTable,
    config: &'a Value,
    names: HashSet<&'static str>,
    words: HashSet<&'static str>,
    /// JSON Pointer and message.
    pub(super) problems: Vec<(String, String)>,
}

impl<'a> Resolver<'a> {
    /// `config` is the plugin's, so that a problem can point at the name in it.
    pub(super) fn new(symbols: &'a SymbolTable, config: &'a Value) -> Self {
        let catalogue = Catalogue::get();
        let performance = catalogue.performance.iter().map(|value| value.name.as_str());
        let names = performance.chain(catalogue.state.iter().map(|value| value.name.as_str())).collect();
        let words = catalogue.state.iter().flat_map(|value| value.words.iter().map(String::as_str)).collect();
        Self { symbols, config, names, words, problems: Vec::new() }
    }

    /// Value names.
    pub(super) fn value_names(&mut self, wanted: &[String]) -> Vec<Symbol> {
        self.each(wanted, |this, name| {
            if this.names.contains(name) {
                return Ok(this.symbols.intern(name));
            }
            let meant = did_you_mean(name, this.names.iter().copied());
            Err(format!("`{name}` is no value name of the catalogue{meant}"))
        })
    }

    /// Words of values.
    pub(super) fn words(&mut self, wanted: &[String]) -> Vec<Symbol> {
        self.each(wanted, |this, word| {
            if this.words.contains(word) {
                return Ok(this.symbols.intern(word));
            }
            let meant = did_you_mean(word, this.words.iter().copied());
            Err(format!("`{word}` is no word of the catalogue{meant}"))
        })
    }

    /// Value names and words together.
    pub(super) fn names_and_words(&mut self, wanted: &[String]) -> Vec<Symbol> {
        self.each(wanted, |this, name| {
            if this.names.contains(name) || this.words.contains(name) {
                return Ok(this.symbols.intern(name));
            }
            let meant = did_you_mean(name, this.names.iter().chain(&this.words).copied());
            Err(format!("`{name}` is no name or word of the catalogue{meant}"))
        })
    }

    /// Components, such as `mk/km-1`.
    pub(super) fn components(&mut self, wanted: &[String]) -> Vec<Symbol> {
        self.each(wanted, |this, text| match text.parse::<ComponentRef>() {
            Ok(component) => Ok(this.symbols.intern(&component.to_string())),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Types of extension objects.
    pub(super) fn objects(&mut self, wanted: &[String]) -> Vec<ObjectKind> {
        let mut found = Vec::new();
        for text in wanted {
            match ObjectKind::parse(text) {
                Some(kind) => found.push(kind),
                None => self.problem(text, format!("`{text}` is no type of extension objects that policies are shown")),
            }
        }
        found
    }

    /// Resources of any name.
    pub(super) fn resources(&mut self, wanted: &[String]) -> Vec<Symbol> {
        self.each(wanted, |this, text| {
            let characters = text.chars().count();
            if characters > limits::RESOURCE_CHARS {
                return Err(format!(
                    "a resource has at most {} characters, this one has {characters}",
                    limits::RESOURCE_CHARS
                ));
            }
            Ok(this.symbols.intern(text))
        })
    }

    /// Notes a problem, at the place of `text` in the configuration if it stands there.
    pub(super) fn problem(&mut self, text: &str, message: String) {
        self.problems.push((pointer_to(self.config, text).unwrap_or_default(), message));
    }

    fn each(&mut self, wanted: &[String], symbol: impl Fn(&Self, &str) -> Result<Symbol, String>) -> Vec<Symbol> {
        if wanted.len() > limits::PLUGIN_NEEDS {
            let message =
                format!("the plugin asks for {} names; a list has at most {}", wanted.len(), limits::PLUGIN_NEEDS);
            self.problems.push((String::new(), message));
            return Vec::new();
        }
        let mut found = Vec::with_capacity(wanted.len());
        for text in wanted {
            match symbol(self, text) {
                Ok(symbol) => found.push(symbol),
                Err(message) => self.problem(text, message),
            }
        }
        found
    }
}

/// `, did you mean ...?` for the most similar of the candidates, or nothing if none is similar.
pub(super) fn did_you_mean<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(text, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map_or_else(String::new, |(_, candidate)| format!(", did you mean `{candidate}`?"))
}

/// JSON Pointer of the first string that equals `text`.
fn pointer_to(value: &Value, text: &str) -> Option<String> {
    match value {
        Value::String(found) if found == text => Some(String::new()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let rest = pointer_to(item, text)?;
            Some(format!("/{index}{rest}"))
        }),
        Value::Object(entries) => entries.iter().find_map(|(key, item)| {
            let rest = pointer_to(item, text)?;
            Some(format!("/{}{rest}", pointer_token(key)))
        }),
        _ => None,
    }
}

/// A key as part of a JSON Pointer (RFC 6901).
pub(super) fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_point_at_the_name_in_the_configuration() {
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        let config = json!({ "rules": [{ "a/b": "qber_ration" }], "km": "km-1" });
        let mut resolver = Resolver::new(&symbols, &config);
        let found = resolver.value_names(&["qber_ratio".to_owned(), "qber_ration".to_owned()]);
        assert_eq!(found, [symbols.find("qber_ratio").unwrap()]);
        resolver.components(&["km-1".to_owned()]);
        let found = resolver.components(&["mk/km-1".to_owned()]);
        assert_eq!(symbols.text(found[0]).as_ref(), "mk/km-1");
        assert_eq!(resolver.problems[0].0, "/rules/0/a~1b");
        assert!(resolver.problems[0].1.ends_with("did you mean `qber_ratio`?"), "{:?}", resolver.problems);
        assert_eq!(resolver.problems[1].0, "/km");
        assert_eq!(resolver.problems.len(), 2);
    }

    #[test]
    fn what_is_like_nothing_gets_no_suggestion() {
        assert_eq!(did_you_mean("zzzzzz", ["threshold", "mq"].into_iter()), "");
        assert_eq!(did_you_mean("treshold", ["threshold", "mq"].into_iter()), ", did you mean `threshold`?");
    }
}
