//! `alarm` objects: what a component raises and clears itself.

use qkdn_plugin::handler::ComponentAlarm;

use crate::fields::Fields;

/// Reads an alarm object of a report.
pub(crate) fn read(fields: &Fields<'_>, report: u32) -> Result<ComponentAlarm, String> {
    fields.required_text("alarmTypeId")?;
    let severity = severity(fields)?.to_owned();
    let bounded = |key, most| {
        let text = fields.text(key)?.unwrap_or_default();
        if text.len() > most {
            return Err(fields.problem(key, &format!("has {} bytes; at most {most} are taken", text.len())));
        }
        Ok(text.to_owned())
    };
    let name = |key| bounded(key, NAME_BYTES);
    Ok(ComponentAlarm {
        report,
        resource: name("resource")?,
        alarm_type: name("alarmTypeId")?,
        qualifier: name("alarmTypeQualifier")?,
        severity,
        text: bounded("text", TEXT_BYTES)?,
        event_type: name("eventType")?,
        probable_cause: name("probableCause")?,
    })
}

/// The severity, or `cleared`. A clearance may repeat the severity that the alarm had.
fn severity<'a>(fields: &Fields<'a>) -> Result<&'a str, String> {
    let cleared = fields.flag("cleared")?.unwrap_or(false);
    match fields.text("severity")? {
        Some(word) if !SEVERITIES.contains(&word) => {
            let hint = if word == "cleared" { "; an alarm is cleared with \"cleared\": true" } else { "" };
            Err(fields.problem("severity", &format!("{word:?} is not one of {}{hint}", SEVERITIES.join(", "))))
        }
        _ if cleared => Ok("cleared"),
        Some(word) => Ok(word),
        None => Err(fields.problem("severity", "is missing, and the alarm is not cleared")),
    }
}

/// Bytes of a name in an alarm, and of its text: the manager takes no longer ones from a handler.
const NAME_BYTES: usize = 256;
const TEXT_BYTES: usize = 4 * 1_024;
/// Alarms in one report.
pub(crate) const MOST_ALARMS: usize = 256;

const SEVERITIES: [&str; 5] = ["warning", "minor", "major", "critical", "indeterminate"];
