//! `qkdnm history` and `qkdnm value`: what a value was, and what all values are now.

use serde::Serialize;

use super::{ApiArgs, Client, CommandResult, Exit, Output, output::count};
use crate::{
    api::Page,
    api::csv::Tabular,
    api::views::{HistoryPoint, HistoryView, LastValueView, ReportedValue},
    config::limits,
    model::{ComponentRef, ReferencePoint},
};

/// Which value, when.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  qkdnm history mq/qm-1 qber_ratio\n  qkdnm history mq/qm-1 qber_ratio --from -24h --step 10m\n  qkdnm \
                  history mk/km-1 kma_link_state --resource kma-1 --from 2026-11-26T08:00:00Z -o json"
)]
pub struct HistoryArgs {
    /// Reference point and component ID, such as mq/qm-1.
    component: ComponentRef,
    /// Name of the value; several at once are shown one after the other.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Part of the component that the value speaks of.
    #[arg(long, default_value = "")]
    resource: String,
    /// From this time on (RFC 3339), or so long ago, such as -6h.
    #[arg(long, allow_hyphen_values = true, default_value = "-1h")]
    from: String,
    /// Up to this time.
    #[arg(long, allow_hyphen_values = true)]
    to: Option<String>,
    /// Steps of this length instead of samples, such as 1m or 1h.
    #[arg(long)]
    step: Option<String>,
}

/// The commands of `value`.
#[derive(Debug, clap::Subcommand)]
pub enum ValueCommand {
    /// List the last value of everything.
    #[command(
        after_help = "Examples:\n  qkdnm value list --component mk/km-1\n  qkdnm value list --name qber_ratio -o csv"
    )]
    List(ValueArgs),
}

/// Which values.
#[derive(Debug, clap::Args)]
pub struct ValueArgs {
    /// Of this reference point.
    #[arg(long, value_name = "POINT")]
    point: Option<ReferencePoint>,
    /// Of this component.
    #[arg(long)]
    component: Option<ComponentRef>,
    /// Of this part of a component.
    #[arg(long)]
    resource: Option<String>,
    /// Of this name.
    #[arg(long)]
    name: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = limits::API_PAGE, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// Runs `history`.
pub(super) fn run(args: HistoryArgs, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let path = super::client::component_path(&args.component);
    let several = args.names.len() > 1;
    let names = args.names.clone();
    let mut query: Vec<(&str, String)> = args.names.into_iter().map(|name| ("name", name)).collect();
    query.extend([("resource", args.resource), ("from", args.from)]);
    query.extend(args.to.map(|to| ("to", to)));
    query.extend(args.step.map(|step| ("step", step)));
    let client = Client::new(api)?;
    if several {
        let page: Page<HistoryView> = client.get(&format!("{path}/histories"), &query)?;
        if output.is_data() {
            output.rows(page, named_points)?;
            return Ok(Exit::Success);
        }
        let there = |name: &String| page.items.iter().any(|history| history.name == *name);
        let missing: Vec<String> = names.into_iter().filter(|name| !there(name)).collect();
        if !missing.is_empty() {
            output.line(&format!("Never reported: {}. `qkdnm value list` has what was.", missing.join(", ")))?;
            output.line("")?;
        }
        for history in page.items {
            output.line(&format!("{}:", history.name))?;
            show(history, output)?;
            output.line("")?;
        }
        return Ok(Exit::Success);
    }
    let history: HistoryView = client.get(&format!("{path}/history"), &query)?;
    if output.is_data() {
        output.rows::<HistoryPoint, _>(history, |history| history.points)?;
    } else {
        show(history, output)?;
    }
    Ok(Exit::Success)
}

/// A point of one of several histories.
#[derive(Serialize)]
struct NamedPoint {
    name: String,
    #[serde(flatten)]
    point: HistoryPoint,
}

impl Tabular for NamedPoint {
    /// Those of one history, with the name before them.
    const COLUMNS: &'static [&'static str] = &["name", "time", "value", "min", "max", "mean", "last", "count"];
}

fn named_points(page: Page<HistoryView>) -> Vec<NamedPoint> {
    let of = |HistoryView { name, points, .. }: HistoryView| {
        points.into_iter().map(move |point| NamedPoint { name: name.clone(), point })
    };
    page.items.into_iter().flat_map(of).collect()
}

fn show(history: HistoryView, output: &mut Output<'_>) -> std::io::Result<()> {
    if history.points.is_empty() {
        return output.line("Nothing was reported in that time.");
    }
    let total = count(history.points.len(), if history.step_ms.is_some() { "step" } else { "sample" });
    let unit = history.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
    if history.step_ms.is_none() {
        let rows = history.points.into_iter().map(|point| match point {
            HistoryPoint::Sample { time, value } => [time.to_string(), value.to_string()],
            HistoryPoint::Step { time, last, .. } | HistoryPoint::States { time, last, .. } => {
                [time.to_string(), last.to_string()]
            }
        });
        output.table(["TIME", &format!("IS{unit}")], rows.collect())?;
    } else {
        let rows = history.points.into_iter().map(step);
        output.table(["FROM", "LEAST", "GREATEST", "MEAN", &format!("LAST{unit}"), "VALUES"], rows.collect())?;
    }
    output.line(&total)
}

fn step(point: HistoryPoint) -> [String; 6] {
    let dash = || "-".to_owned();
    match point {
        HistoryPoint::Step { time, min, max, mean, last, count } => {
            [time.to_string(), min.to_string(), max.to_string(), mean.to_string(), last.to_string(), count.to_string()]
        }
        HistoryPoint::States { time, last, count } => {
            [time.to_string(), dash(), dash(), dash(), last.to_string(), count.to_string()]
        }
        HistoryPoint::Sample { time, value } => {
            [time.to_string(), dash(), dash(), dash(), value.to_string(), 1.to_string()]
        }
    }
}

/// Runs `value`.
pub(super) fn run_values(command: ValueCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let ValueCommand::List(args) = command;
    let mut query = Vec::new();
    query.extend(args.point.map(|point| ("referencePoint", point.to_string())));
    query.extend(args.component.map(|component| ("component", component.to_string())));
    query.extend(args.resource.map(|resource| ("resource", resource)));
    query.extend(args.name.map(|name| ("name", name)));
    let page = Client::new(api)?.list::<LastValueView>("/api/v1/values", &query, args.limit)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = count(page.items.len(), "value");
    let is = |value: &ReportedValue, unit: &Option<String>| match unit {
        Some(unit) => format!("{value} {unit}"),
        None => value.to_string(),
    };
    let rows = page.items.into_iter().map(|LastValueView { component, value }| {
        let shown = is(&value.value, &value.unit);
        [component.to_string(), value.resource, value.name, shown, value.time.to_string()]
    });
    output.table(["COMPONENT", "RESOURCE", "VALUE", "IS", "TIME"], rows.collect())?;
    let more = if page.next.is_some() { "; there are more, see --limit" } else { "" };
    output.line(&format!("{total}{more}"))?;
    Ok(Exit::Success)
}
