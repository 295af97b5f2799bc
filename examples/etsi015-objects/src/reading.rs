//! Values of RFC 7951: numbers that are strings, identities with prefixes, lists that are absent.

use serde_json::{Map, Value};

use crate::{Finding, Says, Wrong, plain};

/// In which unit a device gives its QBER: ETSI GS QKD 015 does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// 1 is all bits.
    #[default]
    Ratio,
    /// 100 is all bits.
    Percent,
}

/// An object that is being read, and what was found in it.
pub(crate) struct Reading<'a> {
    object: &'a Map<String, Value>,
    path: String,
    pub(crate) resource: String,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(value: &'a Value, path: &str) -> Result<Self, Wrong> {
        let object = value.as_object();
        let object = object.ok_or_else(|| Wrong { path: path.to_owned(), message: "expected an object".to_owned() })?;
        Ok(Self { object, path: path.to_owned(), resource: String::new(), findings: Vec::new() })
    }

    pub(crate) fn wrong(&self, key: &str, message: impl Into<String>) -> Wrong {
        Wrong { path: format!("{}.{key}", self.path), message: message.into() }
    }

    /// A member, with or without a prefix; null is none.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        let found = self.object.get(key).or_else(|| {
            self.object.iter().find(|(name, _)| name.contains(':') && plain(name) == key).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, Wrong> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(key, "expected a text")),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, Wrong> {
        let number = match self.get(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.filter(|number: &f64| number.is_finite());
        number.map(Some).ok_or_else(|| self.wrong(key, "expected a number, or one in a string"))
    }

    /// The word of an identity, out of those that the standard has.
    pub(crate) fn word(&self, key: &str, words: &[&'static str]) -> Result<Option<&'static str>, Wrong> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let found = words.iter().find(|word| **word == plain(&text)).copied();
        found.map(Some).ok_or_else(|| self.wrong(key, format!("expected one of {}", words.join(", "))))
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<Reading<'a>>, Wrong> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let mut inner = Reading::new(value, &format!("{}.{key}", self.path))?;
        inner.resource.clone_from(&self.resource);
        Ok(Some(inner))
    }

    /// A list, or the list inside a container of its name.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<Reading<'a>>, Wrong> {
        let items = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(self.wrong(key, "expected a list")),
        };
        let reading = |(place, item)| {
            let mut inner = Reading::new(item, &format!("{}.{key}[{place}]", self.path))?;
            inner.resource.clone_from(&self.resource);
            Ok(inner)
        };
        items.iter().enumerate().map(reading).collect()
    }

    pub(crate) fn say(&mut self, says: Says) {
        self.findings.push(Finding { resource: self.resource.clone(), says });
    }

    pub(crate) fn say_number(&mut self, key: &str, name: &'static str) -> Result<(), Wrong> {
        if let Some(number) = self.number(key)? {
            if number < 0.0 {
                return Err(self.wrong(key, format!("{number} is less than 0")));
            }
            self.say(Says::Number(name, number));
        }
        Ok(())
    }

    pub(crate) fn say_fact(&mut self, key: &str, name: &'static str) -> Result<(), Wrong> {
        if let Some(text) = self.text(key)?.filter(|text| !text.is_empty()) {
            self.say(Says::Fact(name, plain(&text).to_owned()));
        }
        Ok(())
    }

    pub(crate) fn say_word(&mut self, key: &str, words: &[&'static str]) -> Result<Option<&'static str>, Wrong> {
        let word = self.word(key, words)?;
        if let (Some(word), Some(name)) = (word, STATES.iter().find(|name| **name == key)) {
            self.say(Says::Word(name, word));
        }
        Ok(word)
    }
}

/// States of the standard that have the same name in the catalogue.
const STATES: [&str; 4] = ["qkdi_status", "qkdn_status", "qkdl_status", "app_status"];
