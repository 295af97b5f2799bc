//! `usage` objects: what an application consumed in an interval.

use crate::fields::Fields;

/// Checks a usage object.
pub(crate) fn check(fields: &Fields<'_>) -> Result<(), String> {
    fields.required_text("usageId")?;
    fields.required_text("application")?;
    let start = fields.required_time("startTime")?;
    let end = fields.required_time("endTime")?;
    if end < start {
        return Err(fields.problem("endTime", "is before startTime"));
    }
    fields.text("user")?;
    fields.text("peer")?;
    let mut amounts = 0;
    for key in AMOUNTS {
        amounts += u32::from(fields.amount(key)?);
    }
    if amounts == 0 {
        return Err(fields.problem_here(&format!("expected at least one of {}", AMOUNTS.join(", "))));
    }
    Ok(())
}

const AMOUNTS: [&str; 3] = ["consumedBits", "suppliedKeys", "relayedBits"];
