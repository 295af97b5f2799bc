//! `event` objects: something that happened once.

use crate::fields::Fields;

/// Checks an event object.
pub(crate) fn check(fields: &Fields<'_>) -> Result<(), String> {
    fields.required_text("name")?;
    fields.text("reason")?;
    fields.flag("security")?;
    Ok(())
}
