//! `qkdnm health`: how the manager is, in short. `qkdnm doctor` looks closer and says what to try.

use super::{ApiArgs, Client, CommandResult, Exit, Output};
use crate::api::views::Health;

/// Shows it; exit code 1 if the manager does not take reports and store them.
pub(super) fn run(api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let health: Health = Client::new(api)?.get("/api/v1/health", &[])?;
    let exit = if health.ready { Exit::Success } else { Exit::Failure };
    if output.is_data() {
        output.document(&health)?;
        return Ok(exit);
    }
    let raised = health.alarms.0.iter().filter(|count| count.not_cleared > 0);
    let raised: Vec<String> = raised.map(|count| format!("{} {}", count.not_cleared, count.severity)).collect();
    output.fields(&[
        ("Manager", format!("{} of domain {}", health.manager, health.domain)),
        ("Version", health.version),
        ("Ready", if health.ready { "yes".to_owned() } else { health.reasons.join(" ") }),
        ("Started", health.started.to_string()),
        ("Components", format!("{} known, {} connected", health.components.known, health.components.connected)),
        ("Alarms", if raised.is_empty() { "none raised".to_owned() } else { raised.join(", ") }),
    ])?;
    Ok(exit)
}
