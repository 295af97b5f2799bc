//! `qkdnm report`: what components said.

use super::{ApiArgs, Client, CommandResult, Exit, Output, output::count};
use crate::{
    api::views::{ReportView, ValueView},
    config::limits,
    model::{ComponentRef, unknown::UnknownKind},
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
        let unknown = report.extension.as_ref().map(not_in_the_catalogue).unwrap_or_default();
        let said = report.refusal.unwrap_or_else(|| said(&report.values, &unknown));
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

/// Types of objects that are about the message or the federation, and not about the component.
fn is_protocol(kind: &str) -> bool {
    matches!(kind, "notification" | "gap") || kind.starts_with("mx.")
}

/// Types and names of a stored report that the catalogue does not have: no policy sees what they say.
fn not_in_the_catalogue(extension: &serde_json::Value) -> Vec<String> {
    let mut words = Vec::new();
    for object in extension.as_array().into_iter().flatten() {
        let Some(kind) = object["type"].as_str() else { continue };
        let names = match kind {
            "performance" => UnknownKind::Performance.known(),
            "state" => UnknownKind::State.known(),
            _ if is_protocol(kind) || UnknownKind::Type.known().contains(&kind) => continue,
            _ => {
                words.push(format!("type {kind}"));
                continue;
            }
        };
        let values = object["values"].as_object().into_iter().flatten();
        words.extend(values.map(|(name, _)| name.clone()).filter(|name| !names.contains(&name.as_str())));
    }
    words
}

/// The first values, as many as fit a line, and what the catalogue does not have.
fn said(values: &[ValueView], unknown: &[String]) -> String {
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
    if !unknown.is_empty() {
        let more = if unknown.len() > SHOWN { ", ..." } else { "" };
        let first: Vec<&str> = unknown.iter().take(SHOWN).map(String::as_str).collect();
        words.push(format!("(not in the catalogue: {}{more})", first.join(", ")));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalogue_does_not_have_is_named() {
        let extension = serde_json::json!([
            { "type": "performance", "values": { "key_store_fil_ratio": 0.5, "qber_ratio": 0.02 } },
            { "type": "perfomance", "values": { "qber_ratio": 0.02 } },
            { "type": "state", "values": { "qber_ratio": "up" } },
            { "type": "inventory", "values": { "serial_number": "7" } },
            { "type": "notification" }, { "type": "mx.offer" }, { "type": 7 }, 8,
        ]);
        let words = not_in_the_catalogue(&extension);
        assert_eq!(words, ["key_store_fil_ratio", "type perfomance", "qber_ratio"]);
        assert!(not_in_the_catalogue(&serde_json::json!("what")).is_empty());
        assert_eq!(said(&[], &words), "(not in the catalogue: key_store_fil_ratio, type perfomance, qber_ratio)");
    }
}
