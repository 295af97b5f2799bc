//! `qkdnm report`: what components said.

use super::{ApiArgs, Client, CommandResult, Exit, Output, output::count};
use crate::{
    api::views::{ReportView, ValueView},
    config::limits,
    model::ComponentRef,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List stored reports of a component in the order of acceptance.
    #[command(
        after_help = "Examples:\n  qkdnm report list --component mk/km-1\n  qkdnm report list --component mk/km-1 --from-sequence 1000 --limit 10 -o json"
    )]
    List(ListArgs),
}

/// Which reports.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Reference point and component ID, such as mk/km-1.
    #[arg(long)]
    component: ComponentRef,
    /// Only numbered reports, from this sequence number on.
    #[arg(long, value_name = "N")]
    from_sequence: Option<u64>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = limits::API_PAGE, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let Command::List(args) = command;
    let client = Client::new(api)?;
    let mut query = vec![("component", args.component.to_string())];
    query.extend(args.from_sequence.map(|from| ("fromSequence", from.to_string())));
    let page = client.list::<ReportView>("/api/v1/reports", &query, args.limit)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        output.line("No reports.")?;
        return Ok(Exit::Success);
    }
    let total = count(page.items.len(), "report");
    let rows = page.items.into_iter().map(|report| {
        let said = report.refusal.unwrap_or_else(|| said(&report.values));
        let number = report.sequence.map_or_else(|| "-".to_owned(), |number| number.to_string());
        [report.position.to_string(), report.received.to_string(), number, report.outcome.as_str().to_owned(), said]
    });
    output.table(["POSITION", "RECEIVED", "SEQUENCE", "OUTCOME", "SAID"], rows.collect())?;
    if page.next.is_some() {
        output.line(&format!("{total}; there are more, see --limit and --from-sequence"))?;
    } else {
        output.line(&total)?;
    }
    Ok(Exit::Success)
}

/// The first values, as many as fit a line.
fn said(values: &[ValueView]) -> String {
    const SHOWN: usize = 4;
    let mut words: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| match value.resource.as_str() {
            "" => format!("{}={}", value.name, value.value),
            resource => format!("{resource}:{}={}", value.name, value.value),
        })
        .collect();
    if values.len() > SHOWN {
        words.push(format!("and {} more", values.len() - SHOWN));
    }
    words.join(" ")
}
