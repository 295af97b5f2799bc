//! `qkdnm inventory`, `qkdnm topology` and `qkdnm usage`: what the manager knows of its domain beside values and alarms.

use super::{ApiArgs, Client, CommandResult, Exit, Output, output::count};
use crate::{
    api::views::{NetworkChangeView, NetworkEntryView, UsageTotalView},
    api::{
        Page,
        csv::{self, Tabular},
    },
    config::limits,
    model::ComponentRef,
};

/// The commands of `inventory` and `topology`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what is known now, since when and from whom.
    #[command(
        visible_alias = "show",
        after_help = "Examples:\n  qkdnm inventory list --component mk/km-1\n  qkdnm topology list --name vienna-brno -o csv"
    )]
    List(ListArgs),
    /// List changes, newest first.
    #[command(
        after_help = "Examples:\n  qkdnm inventory changes --component mk/km-1 --limit 10\n  qkdnm topology changes"
    )]
    Changes(ListArgs),
}

/// Which.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// What this component says, such as mk/km-1.
    #[arg(long)]
    component: Option<ComponentRef>,
    /// Of this part of a component.
    #[arg(long)]
    resource: Option<String>,
    /// Of this value name, node, link or route.
    #[arg(long)]
    name: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = limits::API_PAGE, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// The commands of `usage`.
#[derive(Debug, clap::Subcommand)]
pub enum UsageCommand {
    /// Add up consumed and supplied keys.
    #[command(
        after_help = "Examples:\n  qkdnm usage total --by user\n  qkdnm usage total --component mk/km-1 --from -30d"
    )]
    Total(UsageArgs),
}

/// Which usage.
#[derive(Debug, clap::Args)]
pub struct UsageArgs {
    /// application, user, peer or component.
    #[arg(long, default_value = "application", value_parser = ["application", "user", "peer", "component"])]
    by: String,
    /// Reported by this component.
    #[arg(long)]
    component: Option<ComponentRef>,
    /// Intervals that ended at or after this time (RFC 3339), or so long ago, such as -7d.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// Intervals that ended before this time.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
}

/// Runs `inventory` or `topology`.
pub(super) fn run(what: &str, command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    let (ListArgs { component, resource, name, limit }, are_changes) = match command {
        Command::List(args) => (args, false),
        Command::Changes(args) => (args, true),
    };
    let mut query = Vec::new();
    query.extend(component.map(|component| ("component", component.to_string())));
    query.extend(resource.map(|resource| ("resource", resource)));
    query.extend(name.map(|name| ("name", name)));
    if are_changes {
        let page = client.list::<NetworkChangeView>(&format!("/api/v1/{what}/changes"), &query, limit)?;
        return show(page, output, ["AT", "COMPONENT", "KIND", "NAME", "BEFORE", "AFTER"], "change", |change| {
            let side = |value: serde_json::Value| if value.is_null() { "-".to_owned() } else { text(&value) };
            let name = named(&change.resource, &change.name);
            let component = change.component.to_string();
            [change.at.to_string(), component, change.kind, name, side(change.before), side(change.after)]
        });
    }
    let page = client.list::<NetworkEntryView>(&format!("/api/v1/{what}"), &query, limit)?;
    show(page, output, ["COMPONENT", "KIND", "NAME", "IS", "SINCE", "CHANGED"], "entry", |entry| {
        let name = named(&entry.resource, &entry.name);
        let (since, changed) = (entry.since.to_string(), entry.changed.to_string());
        [entry.component.to_string(), entry.kind, name, text(&entry.value), since, changed]
    })
}

/// Runs `usage`.
pub(super) fn run_usage(command: UsageCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let UsageCommand::Total(args) = command;
    let mut query = vec![("by", args.by.clone())];
    query.extend(args.component.map(|component| ("component", component.to_string())));
    query.extend(args.from.map(|from| ("from", from)));
    query.extend(args.to.map(|to| ("to", to)));
    let page: Page<UsageTotalView> = Client::new(api)?.get("/api/v1/usage", &query)?;
    let headings = ["NAME", "INTERVALS", "CONSUMED BITS", "SUPPLIED KEYS", "RELAYED BITS", "UNTIL"];
    show(page, output, headings, &args.by, |total| {
        let name = if total.name.is_empty() { "-".to_owned() } else { total.name };
        let figures = [total.consumed_bits, total.supplied_keys, total.relayed_bits].map(|figure| figure.to_string());
        let [consumed, supplied, relayed] = figures;
        [name, total.intervals.to_string(), consumed, supplied, relayed, total.to.to_string()]
    })
}

fn show<T: Tabular>(
    page: Page<T>,
    output: &mut Output<'_>,
    headings: [&str; 6],
    what: &str,
    row: impl Fn(T) -> [String; 6],
) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        output.line("Nothing is known.")?;
        return Ok(Exit::Success);
    }
    let total = count(page.items.len(), what);
    output.table(headings, page.items.into_iter().map(row).collect())?;
    let more = if page.next.is_some() { "; there are more, see --limit" } else { "" };
    output.line(&format!("{total}{more}"))?;
    Ok(Exit::Success)
}

fn named(resource: &str, name: &str) -> String {
    if resource.is_empty() { name.to_owned() } else { format!("{resource}: {name}") }
}

/// A value as people read it: texts without quotes, parts of an object one after the other.
fn text(value: &serde_json::Value) -> String {
    if value.is_object() {
        let parts = csv::parts(value).into_iter().map(|(name, value)| format!("{name} {value}"));
        return parts.collect::<Vec<_>>().join(", ");
    }
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
