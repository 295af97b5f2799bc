//! `qkdnm collector`: plugins that ask devices, and how they do.

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    output::{count, time},
};
use crate::{
    api::{Page, views::CollectorView},
    model::Timestamp,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List collectors, in the order of the configuration.
    #[command(after_help = "Example:\n  qkdnm collector list")]
    List,
    /// Show one collector: whom it may ask, what was refused, how its last collections went.
    #[command(after_help = "Example:\n  qkdnm collector show kme-1")]
    Show {
        /// Its name.
        name: String,
    },
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        Command::List => list(&client, output),
        Command::Show { name } => {
            let one: CollectorView = client.get(&format!("/api/v1/collectors/{name}"), &[])?;
            show(&one, output)
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let page: Page<CollectorView> = client.get("/api/v1/collectors", &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: CollectorView| {
            let components = components(&one);
            let (collections, reports) = (one.collections.to_string(), one.reports.to_string());
            let failed = one.collections_failed.to_string();
            [one.name, one.state.to_string(), components, collections, failed, reports, time(one.last_success)]
        };
        let headings = ["COLLECTOR", "STATE", "COMPONENTS", "COLLECTIONS", "FAILED", "REPORTS", "LAST SUCCESS"];
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "collector"))?;
    Ok(Exit::Success)
}

fn components(one: &CollectorView) -> String {
    one.components.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn show(one: &CollectorView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(one)?;
        return Ok(Exit::Success);
    }
    let maybe = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let of = |number: u64, total: u64| format!("{number} of {total}");
    let refused = one.requests_refused.iter().map(|refused| format!("{} {}", refused.requests, refused.why));
    output.fields(&[
        ("collector", one.name.clone()),
        ("plugin", format!("{} (sha256 {})", one.plugin, one.sha256)),
        ("reports for", components(one)),
        ("state", one.state.to_string()),
        ("every", format!("{} ms", one.interval_ms)),
        ("failed collections", of(one.collections_failed, one.collections)),
        ("failed requests", of(one.requests_failed, one.requests)),
        ("refused requests", refused.collect::<Vec<_>>().join(", ")),
        ("last refused", one.last_refusal.clone().unwrap_or_default()),
        ("refused reports", of(one.reports_refused, one.reports)),
        ("last success", time(one.last_success)),
        ("failing since", maybe(one.failing_since)),
        ("last error", one.last_error.clone().unwrap_or_default()),
        ("at", maybe(one.last_error_time)),
        ("next collection", maybe(one.next_collection)),
    ])?;
    output.line("")?;
    let granted = one.hosts.iter().map(|host| {
        let note = if host.asked_for { "yes" } else { "granted, and the plugin does not ask for it" };
        [host.name.clone(), note.to_owned(), host.url.clone()]
    });
    let missing = one.not_granted.iter().map(|name| [name.clone(), "no: not granted".to_owned(), String::new()]);
    output.table(["HOST", "MAY BE ASKED", "URL"], granted.chain(missing).collect())?;
    Ok(Exit::Success)
}
