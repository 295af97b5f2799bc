//! `inventory` objects: names to texts, numbers and booleans.

use qkdn_plugin::catalogue;
use serde_json::Value;

use crate::fields::Fields;

/// Checks an inventory object.
pub(crate) fn check(fields: &Fields<'_>) -> Result<(), String> {
    for (name, value) in fields.required_object("values")? {
        let refuse = |message: &str| Err(fields.problem(&format!("values.{name}"), message));
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            return refuse("expected a string, a number or a boolean");
        }
        let Some(known) = catalogue::inventory(name) else { continue };
        match (value, known.number) {
            (Value::Number(_), true) => {}
            (_, true) => return refuse("expected a number"),
            (Value::String(text), false) => {
                if !known.words.is_empty() && !known.words.contains(&text.as_str()) {
                    return refuse(&format!("{value} is not one of {}", known.words.join(", ")));
                }
            }
            (_, false) => return refuse("expected a string"),
        }
    }
    Ok(())
}
