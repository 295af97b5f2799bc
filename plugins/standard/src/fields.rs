//! The keys of an extension object, read with the path of whatever is wrong.

use crate::{
    json::{Number, Object, Value},
    time::{Instant, parse_rfc3339},
};

/// An object and where it stands: `extension[2]`, or `extension[2].links[0]`.
pub(crate) struct Fields<'a> {
    path: String,
    keys: &'a Object<'a>,
}

impl<'a> Fields<'a> {
    /// The keys of the object at `path`.
    pub(crate) fn new(path: String, keys: &'a Object<'a>) -> Self {
        Self { path, keys }
    }

    /// Keys that every object may have: `resource` and `time`.
    pub(crate) fn check_common(&self) -> Result<(), String> {
        self.text("resource")?;
        if self.has("time") {
            self.required_time("time")?;
        }
        Ok(())
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.get(key).is_some()
    }

    /// A text that may be absent.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.keys.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.problem(key, "expected a string")),
        }
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_text(&self, key: &str) -> Result<&'a str, String> {
        match self.text(key)? {
            Some("") => Err(self.problem(key, "is empty")),
            Some(text) => Ok(text),
            None => Err(self.problem(key, "is missing")),
        }
    }

    /// Yes or no, if it is there.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.keys.get(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.problem(key, "expected true or false")),
        }
    }

    /// A date and time of RFC 3339 that must be there.
    pub(crate) fn required_time(&self, key: &str) -> Result<Instant, String> {
        let text = self.required_text(key)?;
        parse_rfc3339(text)
            .ok_or_else(|| self.problem(key, "expected a date and time of RFC 3339, such as 2026-11-26T07:00:00Z"))
    }

    /// Whether a key that may be absent is there; if so, it is a whole number from 0.
    pub(crate) fn amount(&self, key: &str) -> Result<bool, String> {
        let whole = |number: f64| number >= 0.0 && number.fract() == 0.0 && number <= EXACT;
        match self.keys.get(key) {
            None => Ok(false),
            Some(Value::Number(Number::Whole(_))) => Ok(true),
            Some(Value::Number(Number::Other(number))) if whole(*number) => Ok(true),
            Some(_) => Err(self.problem(key, "expected a whole number, 0 or more")),
        }
    }

    /// An object that must be there.
    pub(crate) fn required_object(&self, key: &str) -> Result<&'a Object<'a>, String> {
        match self.keys.get(key) {
            None => Err(self.problem(key, "is missing")),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(self.problem(key, "expected an object")),
        }
    }

    /// The elements of a list, which may be absent.
    pub(crate) fn list(&self, key: &str) -> Result<&'a [Value<'a>], String> {
        match self.keys.get(key) {
            None => Ok(&[]),
            Some(Value::List(list)) => Ok(list),
            Some(_) => Err(self.problem(key, "expected an array")),
        }
    }

    /// The elements of a list of objects, which may be absent.
    pub(crate) fn objects(&self, key: &str) -> Result<impl Iterator<Item = Result<Self, String>>, String> {
        let list = self.list(key)?.iter().enumerate();
        Ok(list.map(move |(index, value)| {
            let path = format!("{}.{key}[{index}]", self.path);
            match value {
                Value::Object(keys) => Ok(Self::new(path, keys)),
                _ => Err(format!("{path}: expected an object")),
            }
        }))
    }

    /// What is wrong with a key.
    pub(crate) fn problem(&self, key: &str, message: &str) -> String {
        format!("{}.{key}: {message}", self.path)
    }

    /// What is wrong with the object as a whole.
    pub(crate) fn problem_here(&self, message: &str) -> String {
        format!("{}: {message}", self.path)
    }
}

/// Integers up to here are exact as a double.
const EXACT: f64 = 9_007_199_254_740_992.0;
