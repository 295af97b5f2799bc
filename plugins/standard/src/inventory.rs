//! `inventory` objects: names to texts, numbers and booleans.

use qkdn_plugin::catalogue;

use crate::{fields::Fields, json::Value};

/// Checks an inventory object.
pub(crate) fn check(fields: &Fields<'_>) -> Result<(), String> {
    for (name, value) in fields.required_object("values")?.members() {
        let refuse = |message: &str| Err(fields.problem(&format!("values.{name}"), message));
        if !matches!(value, Value::Text(_) | Value::Number(_) | Value::Flag(_)) {
            return refuse("expected a string, a number or a boolean");
        }
        let Some(known) = catalogue::inventory(name) else { continue };
        match (value, known.number) {
            (Value::Number(_), true) => {}
            (_, true) => return refuse("expected a number"),
            (Value::Text(text), false) => {
                if !known.words.is_empty() && !known.words.contains(&text.as_ref()) {
                    let said = serde_json::Value::from(text.as_ref());
                    return refuse(&format!("{said} is not one of {}", known.words.join(", ")));
                }
            }
            (_, false) => return refuse("expected a string"),
        }
    }
    Ok(())
}
