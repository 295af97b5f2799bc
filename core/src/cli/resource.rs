//! `qkdnm resource`: parts of components.

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    client::resource_path,
    component::values,
    output::{count, time},
};
use crate::{
    api::views::{ResourceDetail, ResourceView},
    model::{ComponentRef, ReferencePoint},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List parts of components: links, detectors, key stores, whatever reports and alarms name.
    #[command(
        after_help = "Examples:\n  qkdnm resource list --component mk/km-1\n  qkdnm resource list --alarmed true -o csv"
    )]
    List(ListArgs),
    /// Show one part of a component with its last values.
    #[command(after_help = "Example:\n  qkdnm resource show mk/km-1 kma-1")]
    Show {
        /// Reference point and component ID.
        #[arg(value_name = "COMPONENT")]
        component: ComponentRef,
        /// The part, as `resource list` shows it.
        #[arg(value_name = "RESOURCE")]
        resource: String,
    },
}

/// Which parts.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Of components on this reference point: mq, mops, mqrp, mk, mc, mu or mx.
    #[arg(long, value_name = "POINT")]
    reference_point: Option<ReferencePoint>,
    /// Of this component.
    #[arg(long)]
    component: Option<ComponentRef>,
    /// Of this name.
    #[arg(long)]
    resource: Option<String>,
    /// Of components at this site.
    #[arg(long)]
    site: Option<String>,
    /// With alarms that are not cleared (true), or without (false).
    #[arg(long, value_name = "BOOL")]
    alarmed: Option<bool>,
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        Command::List(args) => list(args, &client, output),
        Command::Show { component, resource } => show(&component, &resource, &client, output),
    }
}

fn list(args: ListArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let query: Vec<(&str, String)> = [
        ("referencePoint", args.reference_point.map(|point| point.to_string())),
        ("component", args.component.map(|component| component.to_string())),
        ("resource", args.resource),
        ("site", args.site),
        ("alarmed", args.alarmed.map(|alarmed| alarmed.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect();
    let page = client.list::<ResourceView>("/api/v1/resources", &query, usize::MAX)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        output.line("No resources.")?;
        return Ok(Exit::Success);
    }
    let total = count(page.items.len(), "resource");
    let rows = page.items.into_iter().map(|part| {
        let worst = part.worst_alarm.map_or_else(|| "-".to_owned(), |severity| severity.to_string());
        let (values, raised) = (part.values.to_string(), part.raised_alarms.to_string());
        [part.component.to_string(), part.resource, part.site, values, time(part.last_value), raised, worst]
    });
    let headings = ["COMPONENT", "RESOURCE", "SITE", "VALUES", "LAST VALUE", "ALARMS", "WORST ALARM"];
    output.table(headings, rows.collect())?;
    output.line(&total)?;
    Ok(Exit::Success)
}

fn show(component: &ComponentRef, resource: &str, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let detail: ResourceDetail = client.get(&resource_path(component, resource), &[])?;
    if output.is_data() {
        output.document(&detail)?;
        return Ok(Exit::Success);
    }
    let summary = detail.summary;
    let worst = summary.worst_alarm.map(|worst| format!(", the worst {worst}")).unwrap_or_default();
    output.fields(&[
        ("Resource", format!("{} of {}", summary.resource, summary.component)),
        ("Site", summary.site),
        ("Last value", time(summary.last_value)),
        ("Alarms", format!("{}{worst}", count(summary.raised_alarms, "alarm"))),
    ])?;
    values(detail.last_values, output)?;
    if !detail.inventory_entries.is_empty() {
        output.line("")?;
        let rows = detail.inventory_entries.into_iter().map(|entry| {
            let is = entry.value.as_str().map_or_else(|| entry.value.to_string(), str::to_owned);
            [entry.name, is, entry.since.to_string(), entry.changed.to_string()]
        });
        output.table(["INVENTORY", "IS", "SINCE", "CHANGED"], rows.collect())?;
    }
    Ok(Exit::Success)
}
