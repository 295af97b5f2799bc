//! A plugin's configuration against the JSON Schema that the plugin describes it with: every problem, with its place.

use jsonschema::{Draft, error::ValidationErrorKind};
use serde_json::Value;

use super::vocabulary::pointer_token;
use crate::config::limits;

/// The schema of a description, parsed.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let schema = serde_json::from_str(text)
        .map_err(|error| format!("describes its configuration with a schema that is no JSON: {error}"))?;
    validator(&schema)?;
    Ok(schema)
}

/// All problems of a configuration: JSON Pointer and message.
pub(super) fn problems(schema: &Value, config: &Value) -> Result<Vec<(String, String)>, String> {
    let validator = validator(schema)?;
    let mut problems = Vec::new();
    for error in validator.iter_errors(config) {
        let place = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    problems.push((format!("{place}/{}", pointer_token(key)), unknown_key(schema, &place, key)));
                }
            }
            kind => {
                let sentence = sentence(schema, &place, kind, error.instance());
                // Without the value itself: it may be a secret, and this goes to the log.
                let sentence = sentence.unwrap_or_else(|| format!("{}{}", named(&place), error.masked()));
                problems.push((place, sentence));
            }
        }
        if problems.len() >= limits::PLUGIN_CONFIGURATION_PROBLEMS {
            break;
        }
    }
    Ok(problems)
}

/// The beginning of a sentence about the value at a place: the key that it belongs to.
fn named(place: &str) -> String {
    // The steps of a list are numbers.
    let key = place.rsplit('/').find(|step| !step.bytes().all(|byte| byte.is_ascii_digit()));
    key.map(|key| format!("`{key}`: ")).unwrap_or_default()
}

/// What is wrong in the words of who writes the file; `None`: the schema library's words will do. Quotes nothing of the
/// value.
fn sentence(schema: &Value, place: &str, kind: &ValidationErrorKind, value: &Value) -> Option<String> {
    match kind {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str()?;
            let about = at(schema, place).and_then(|here| here.get("properties")?.get(key));
            let about = about.map(|about| followed(schema, about)).and_then(|about| about.get("description")?.as_str());
            let about = about.map(|about| format!(": {}", about.trim_end_matches('.'))).unwrap_or_default();
            Some(format!("`{key}` is missing{about}"))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
            let near = value.as_str().map(|text| super::vocabulary::did_you_mean(text, options.iter().copied()));
            let expected = crate::config::reader::one_of(&options);
            Some(format!("{}expected {expected}{}", named(place), near.unwrap_or_default()))
        }
        ValidationErrorKind::Type { .. } => {
            let expected = at(schema, place)?.get("type")?.as_str()?;
            let is_number = matches!(expected, "number" | "integer");
            let quoted = value.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok());
            let quotes = match (is_number && quoted, expected, value.is_string()) {
                (true, ..) => "; write it without quotes",
                (_, "string", false) => "; write it in quotes",
                _ => "",
            };
            Some(format!("{}expected {}, found {}{quotes}", named(place), word_for(expected), kind_of(value)))
        }
        ValidationErrorKind::AnyOf { .. }
        | ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::Pattern { .. } => {
            let about = at(schema, place)?.get("description")?.as_str()?;
            Some(format!("{}has a form that the plugin does not take: {}", named(place), about.trim_end_matches('.')))
        }
        _ => None,
    }
}

/// The words of TOML for a type of JSON.
fn word_for(json_type: &str) -> &str {
    match json_type {
        "string" => "text",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// What the schema says of the value at a place, as far as it says anything of just that.
fn at<'a>(schema: &'a Value, place: &str) -> Option<&'a Value> {
    place.split('/').skip(1).try_fold(followed(schema, schema), |here, step| {
        let inner = match here.get("properties").and_then(|properties| properties.get(step)) {
            Some(inner) => inner,
            // A position in a list, or a key that the schema does not name.
            None if step.bytes().all(|byte| byte.is_ascii_digit()) => here.get("items")?,
            None => here.get("additionalProperties")?,
        };
        Some(followed(schema, inner))
    })
}

fn unknown_key(schema: &Value, place: &str, key: &str) -> String {
    let known = at(schema, place).and_then(|known| known.get("properties")).and_then(Value::as_object);
    let keys = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
    format!("the plugin knows no key `{key}`{}", super::vocabulary::did_you_mean(key, keys))
}

/// What a schema refers to inside the whole, if it does; one reference deep, as schemas are written.
fn followed<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    reference.and_then(|pointer| whole.pointer(pointer)).unwrap_or(schema)
}

fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .build(schema)
        .map_err(|error| format!("describes its configuration with an invalid JSON Schema: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_problems_are_found_with_their_places() {
        let text = r#"{
            "type": "object", "additionalProperties": false, "required": ["value"],
            "properties": { "value": { "type": "string", "description": "Name of the value watched." }, "raise_above": { "type": "number" },
                            "rules": { "items": { "properties": { "n": { "minimum": 1 } } } } } }"#;
        let schema = parse(text).unwrap();
        let mut found =
            problems(&schema, &json!({ "raise_abov": 1, "raise_above": "x", "rules": [{ "n": 2 }, { "n": 0 }] }))
                .unwrap();
        found.sort();
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["", "/raise_abov", "/raise_above", "/rules/1/n"]);
        assert_eq!(found[0].1, "`value` is missing: Name of the value watched");
        assert_eq!(found[2].1, "`raise_above`: expected a number, found text");
        assert!(found[1].1.contains("did you mean `raise_above`?"), "{found:?}");
        assert_eq!(problems(&schema, &json!({ "value": "qber_ratio" })).unwrap(), []);
    }

    #[test]
    fn a_slip_deep_inside_is_met_with_the_key_that_was_meant() {
        let text = r##"{
            "type": "object", "properties": { "levels": { "$ref": "#/$defs/levels" } },
            "$defs": { "levels": { "type": "array", "items": {
                "type": "object", "additionalProperties": false, "properties": { "raise_above": { "type": "number" } } } } } }"##;
        let found = problems(&parse(text).unwrap(), &json!({ "levels": [{ "raise_abov": 1 }] })).unwrap();
        let expected = "the plugin knows no key `raise_abov`, did you mean `raise_above`?";
        assert_eq!(found, [("/levels/0/raise_abov".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_file_and_quotes_nothing_of_it() {
        let text = r#"{ "properties": { "level": { "type": "number" }, "name": { "type": "string" },
            "severity": { "enum": ["warning", "minor", "major", "critical"] },
            "span": { "description": "A length of time.", "oneOf": [{ "type": "string", "pattern": "^[0-9]+s$" }] } } }"#;
        let config = json!({ "level": "0.3", "name": 7, "severity": "mayor", "span": "hunter2" });
        let mut found: Vec<String> =
            problems(&parse(text).unwrap(), &config).unwrap().into_iter().map(|(_, sentence)| sentence).collect();
        found.sort();
        let expected = [
            "`level`: expected a number, found text; write it without quotes",
            "`name`: expected text, found a number; write it in quotes",
            "`severity`: expected warning, minor, major or critical, did you mean `major`?",
            "`span`: has a form that the plugin does not take: A length of time",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_schema_must_be_one_and_fetches_nothing() {
        assert!(parse("").unwrap_err().contains("no JSON"));
        assert!(parse(r#"{ "type": 3 }"#).unwrap_err().contains("invalid JSON Schema"));
        assert!(parse(r#"{ "$ref": "https://example.org/schema.json" }"#).unwrap_err().contains("invalid JSON Schema"));
        assert!(parse(r#"{ "$ref": "file:///etc/hostname" }"#).unwrap_err().contains("invalid JSON Schema"));
    }
}
