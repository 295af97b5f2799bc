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
            // Without the value itself: it may be a secret, and this goes to the log.
            _ => problems.push((place, error.masked().to_string())),
        }
        if problems.len() >= limits::PLUGIN_CONFIGURATION_PROBLEMS {
            break;
        }
    }
    Ok(problems)
}

fn unknown_key(schema: &Value, place: &str, key: &str) -> String {
    let known = place.split('/').skip(1).try_fold(followed(schema, schema), |here, step| {
        let inner = match here.get("properties").and_then(|properties| properties.get(step)) {
            Some(inner) => inner,
            // A position in a list, or a key that the schema does not name.
            None if step.bytes().all(|byte| byte.is_ascii_digit()) => here.get("items")?,
            None => here.get("additionalProperties")?,
        };
        Some(followed(schema, inner))
    });
    let known = known.and_then(|known| known.get("properties")).and_then(Value::as_object);
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
            "properties": { "value": { "type": "string" }, "raise_above": { "type": "number" },
                            "rules": { "items": { "properties": { "n": { "minimum": 1 } } } } } }"#;
        let schema = parse(text).unwrap();
        let mut found =
            problems(&schema, &json!({ "raise_abov": 1, "raise_above": "x", "rules": [{ "n": 2 }, { "n": 0 }] }))
                .unwrap();
        found.sort();
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["", "/raise_abov", "/raise_above", "/rules/1/n"]);
        assert!(found[0].1.contains("\"value\" is a required property"), "{found:?}");
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
    fn a_schema_must_be_one_and_fetches_nothing() {
        assert!(parse("").unwrap_err().contains("no JSON"));
        assert!(parse(r#"{ "type": 3 }"#).unwrap_err().contains("invalid JSON Schema"));
        assert!(parse(r#"{ "$ref": "https://example.org/schema.json" }"#).unwrap_err().contains("invalid JSON Schema"));
        assert!(parse(r#"{ "$ref": "file:///etc/hostname" }"#).unwrap_err().contains("invalid JSON Schema"));
    }
}
