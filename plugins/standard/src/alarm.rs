//! `alarm` objects: what a component raises and clears itself.

use qkdn_plugin::handler::ComponentAlarm;

use crate::fields::Fields;

/// Reads an alarm object of a report.
pub(crate) fn read(fields: &Fields<'_>, report: u32) -> Result<ComponentAlarm, String> {
    let alarm_type = fields.required_text("alarmTypeId")?.to_owned();
    let severity = severity(fields)?.to_owned();
    let text = |key| fields.text(key).map(|text| text.unwrap_or_default().to_owned());
    Ok(ComponentAlarm {
        report,
        resource: text("resource")?,
        alarm_type,
        qualifier: text("alarmTypeQualifier")?,
        severity,
        text: text("text")?,
        event_type: text("eventType")?,
        probable_cause: text("probableCause")?,
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

const SEVERITIES: [&str; 5] = ["warning", "minor", "major", "critical", "indeterminate"];
