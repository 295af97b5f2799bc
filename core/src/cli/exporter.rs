//! `qkdnm exporter`: where alarms are sent to, and whether they arrive.

use serde::{Deserialize, Serialize};

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    output::{count, time},
};
use crate::api::{
    Page,
    views::{ExporterView, ParkedEventView, RetryView, TestView},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List exporters, in the order of the configuration.
    #[command(after_help = "Example:\n  qkdnm exporter list")]
    List,
    /// Show one exporter: how far it is, what went wrong, which events its target refused.
    #[command(after_help = "Example:\n  qkdnm exporter show noc")]
    Show {
        /// Its name.
        name: String,
    },
    /// Send parked events again, and do not wait for the next try. Needs QKDNM_TOKEN with the role operator.
    #[command(after_help = "Example:\n  qkdnm exporter retry noc")]
    Retry {
        /// Its name.
        name: String,
    },
    /// Send an event that says of itself that it is a test. Needs QKDNM_TOKEN with the role operator.
    #[command(after_help = "Example:\n  qkdnm exporter test noc\n\nExit code 1 if the target did not take it.")]
    Test {
        /// Its name.
        name: String,
    },
}

/// One exporter with its parked events.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    exporter: ExporterView,
    parked_events: Vec<ParkedEventView>,
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    let nothing = serde_json::json!({});
    match command {
        Command::List => list(&client, output),
        Command::Show { name } => {
            let shown: Shown = client.get(&format!("/api/v1/exporters/{name}"), &[])?;
            show(&shown, output)
        }
        Command::Retry { name } => {
            let done: RetryView = client.post(&format!("/api/v1/exporters/{name}/retry"), &nothing)?;
            if output.is_data() {
                output.document(&done)?;
                return Ok(Exit::Success);
            }
            let outdated = match done.outdated {
                0 => String::new(),
                number => format!(", {} let go because they are no longer true", count(number, "event")),
            };
            output.line(&format!("Parked events that wait again: {}{outdated}. Trying now.", done.requeued))?;
            Ok(Exit::Success)
        }
        Command::Test { name } => {
            let outcome: TestView = client.post(&format!("/api/v1/exporters/{name}/test"), &nothing)?;
            test(&name, &outcome, output)
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let page: Page<ExporterView> = client.get("/api/v1/exporters", &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: ExporterView| {
            let (pending, parked) = (one.pending.to_string(), one.parked.to_string());
            let (delivered, last) = (one.events_delivered.to_string(), time(one.last_success));
            [one.name, one.kind.to_string(), one.state.to_string(), pending, parked, delivered, last, one.url]
        };
        let headings = ["EXPORTER", "KIND", "STATE", "PENDING", "PARKED", "DELIVERED", "LAST SUCCESS", "TARGET"];
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "exporter"))?;
    Ok(Exit::Success)
}

fn show(shown: &Shown, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(shown)?;
        return Ok(Exit::Success);
    }
    let one = &shown.exporter;
    let maybe = |at: Option<crate::model::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    output.fields(&[
        ("exporter", format!("{} ({})", one.name, one.kind)),
        ("target", one.url.clone()),
        ("state", one.state.to_string()),
        ("journal read to", one.cursor.clone()),
        ("delivered to", one.delivered.clone()),
        ("waiting", one.pending.to_string()),
        ("parked", one.parked.to_string()),
        ("firing there", if one.firing > 0 { one.firing.to_string() } else { String::new() }),
        (
            "delivered",
            format!("{} since the start", count(usize::try_from(one.events_delivered).unwrap_or(usize::MAX), "event")),
        ),
        ("superseded", if one.superseded > 0 { one.superseded.to_string() } else { String::new() }),
        ("failed requests", one.requests_failed.to_string()),
        ("last success", time(one.last_success)),
        ("failing since", maybe(one.failing_since)),
        ("last error", one.last_error.clone().unwrap_or_default()),
        ("at", maybe(one.last_error_time)),
        ("next attempt", maybe(one.next_attempt)),
    ])?;
    if !shown.parked_events.is_empty() {
        let row = |event: &ParkedEventView| {
            let alarm = format!("{} {} {}", event.alarm, event.component, event.alarm_type_id);
            [event.event.clone(), event.kind.clone(), alarm, event.parked.to_string(), event.why.clone()]
        };
        let headings = ["PARKED EVENT", "KIND", "ALARM", "SINCE", "WHY"];
        output.table(headings, shown.parked_events.iter().map(row).collect())?;
    }
    Ok(Exit::Success)
}

fn test(name: &str, outcome: &TestView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(outcome)?;
    } else if outcome.delivered {
        let status = outcome.status.unwrap_or_default();
        output.line(&format!(
            "The target of {name} took the test event (status {status}, {} ms).",
            outcome.milliseconds
        ))?;
    } else {
        let error = outcome.error.as_deref().unwrap_or("no answer");
        output.line(&format!("The target of {name} did not take the test event: {error}"))?;
    }
    Ok(if outcome.delivered { Exit::Success } else { Exit::Failure })
}
