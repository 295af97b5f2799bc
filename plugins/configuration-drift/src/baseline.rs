//! The intended baseline: which component is to report which inventory.

use qkdn_plugin::{Problem, Problems, catalogue};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is intended.
    pub baseline: Baseline,
    /// Severity of a difference.
    pub severity: Option<String>,
    /// Severity by value name.
    pub severities: std::collections::BTreeMap<String, String>,
}

/// What is intended, for each component and resource.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Baseline {
    /// Values that hold for every component unless it says otherwise.
    pub everywhere: Map<String, Value>,
    /// Components.
    pub components: Vec<Intended>,
}

/// What one component, or a resource of it, is to report.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intended {
    /// Such as `mq/qm-1`.
    pub component: String,
    /// Part of it; absent: the component itself.
    #[serde(default)]
    pub resource: String,
    /// Value names and what they are to be: one value, or a list of which any is right.
    pub values: Map<String, Value>,
}

const SEVERITIES: [&str; 4] = ["warning", "minor", "major", "critical"];

impl Config {
    /// Checks the configuration.
    pub(crate) fn check(self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new();
        if self.baseline.components.is_empty() && self.baseline.everywhere.is_empty() {
            problems.add("/baseline", "nothing is intended: name components, or values for everywhere");
        }
        values(&mut problems, "/baseline/everywhere", &self.baseline.everywhere);
        for (index, intended) in self.baseline.components.iter().enumerate() {
            let at = format!("/baseline/components/{index}");
            let earlier = self.baseline.components.get(..index).unwrap_or_default();
            let same = |other: &Intended| other.component == intended.component && other.resource == intended.resource;
            if earlier.iter().any(same) {
                let what = format!("{} {}", intended.component, intended.resource);
                problems.add(format!("{at}/component"), format!("{} stands twice", what.trim_end()));
            }
            values(&mut problems, &format!("{at}/values"), &intended.values);
        }
        let severities = self.severities.iter().map(|(name, severity)| (format!("/severities/{name}"), severity));
        let all = self.severity.iter().map(|severity| ("/severity".to_owned(), severity)).chain(severities);
        for (path, severity) in all {
            if !SEVERITIES.contains(&severity.as_str()) {
                problems.add(path, format!("expected one of {}", SEVERITIES.join(", ")));
            }
        }
        problems.or(self)
    }

    /// Severity of a difference in a value.
    pub(crate) fn severity_of(&self, name: &str) -> &str {
        self.severities.get(name).or(self.severity.as_ref()).map_or("warning", String::as_str)
    }
}

/// What is intended has to be of a kind that can be reported.
fn values(problems: &mut Problems, path: &str, values: &Map<String, Value>) {
    for (name, intended) in values {
        let at = format!("{path}/{name}");
        let choices = intended.as_array().map_or_else(|| std::slice::from_ref(intended), Vec::as_slice);
        if choices.is_empty() {
            problems.add(at.clone(), "an empty list: nothing would be right");
        }
        let known = catalogue::inventory(name);
        for choice in choices {
            match (choice, known) {
                (Value::Null | Value::Array(_) | Value::Object(_), _) => {
                    problems.add(at.clone(), "expected a text, a number, true or false, or a list of these");
                }
                (Value::String(_), Some(known)) if known.number => problems.add(at.clone(), "expected a number"),
                (Value::Number(_), Some(known)) if !known.number => problems.add(at.clone(), "expected a text"),
                (Value::String(word), Some(known))
                    if !known.words.is_empty() && !known.words.contains(&word.as_str()) =>
                {
                    problems.add(at.clone(), format!("`{word}` is none of {}", known.words.join(", ")));
                }
                _ => {}
            }
        }
    }
}

/// Whether what is reported is what is intended.
pub(crate) fn agrees(intended: &Value, reported: &Value) -> bool {
    match (intended, reported) {
        (Value::Array(choices), _) => choices.iter().any(|choice| agrees(choice, reported)),
        // 5 and 5.0 are one number.
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

/// A value as text for a person.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(choices) => choices.iter().map(shown).collect::<Vec<_>>().join(" or "),
        other => other.to_string(),
    }
}
