//! `qkdnm component`: what is managed.

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    client::component_path,
    enrolment::{self, DecideArgs},
    output::{count, time},
};
use crate::{
    api::views::{
        ComponentDetail, ComponentSummary, EnrolmentState, ExplanationView, OutwardSubscriptionView, RuleView,
        StatusAnswer, StatusQuery, UnknownView, ValueView,
    },
    model::{ComponentRef, ReferencePoint},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List components.
    #[command(
        after_help = "Examples:\n  qkdnm component list\n  qkdnm component list --reference-point mk --connected false\n  qkdnm component list --site vienna -o json"
    )]
    List(ListArgs),
    /// Show one component: connections, numbering, last values.
    #[command(after_help = "Example:\n  qkdnm component show mk/km-1")]
    Show {
        /// Reference point and component ID.
        #[arg(value_name = "COMPONENT")]
        component: ComponentRef,
    },
    /// Explain which handler takes a component's reports and which policies see it, rule by rule; also before it has connected.
    #[command(after_help = "Example:\n  qkdnm component explain mq/alice-1")]
    Explain {
        /// Reference point and component ID.
        #[arg(value_name = "COMPONENT")]
        component: ComponentRef,
    },
    /// Approve a component that waits: it may report from now on. Needs QKDNM_TOKEN with the role admin.
    ///
    /// With `enrolment = "approve"`. The decision is about the component as its certificate authority vouches for it: it
    /// holds for renewed certificates of that authority, and for no other authority. Compare the fingerprint with the
    /// component's own before.
    #[command(
        after_help = "Examples:\n  qkdnm component list --waiting\n  qkdnm component approve mk/km-9 --fingerprint 3b1f...\n  qkdnm component approve mk/km-9 --note \"delivered 2026-11-20\""
    )]
    Approve(DecideArgs),
    /// Reject a component: it is refused at connection until it is approved. Needs QKDNM_TOKEN with the role admin.
    #[command(after_help = "Example:\n  qkdnm component reject mk/km-9 --note \"nobody knows it\"")]
    Reject(DecideArgs),
    /// Ask a component for a status report, and show what it answers. Needs QKDNM_TOKEN with the role operator.
    #[command(
        after_help = "Examples:\n  qkdnm component request mk/km-1\n  qkdnm component request mq/module-1 --type performance --name qber_ratio"
    )]
    Request(RequestArgs),
}

/// Which components.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// On this reference point: mq, mops, mqrp, mk, mc, mu or mx.
    #[arg(long, value_name = "POINT")]
    reference_point: Option<ReferencePoint>,
    /// Connected now (true), or not (false).
    #[arg(long, value_name = "BOOL")]
    connected: Option<bool>,
    /// Of this vendor.
    #[arg(long)]
    vendor: Option<String>,
    /// Of this model.
    #[arg(long)]
    model: Option<String>,
    /// At this site.
    #[arg(long)]
    site: Option<String>,
    /// With this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Silent for longer than it may be (true), or not (false).
    #[arg(long, value_name = "BOOL")]
    silent: Option<bool>,
    /// Those that wait for approval instead: with their certificates.
    #[arg(long, conflicts_with_all = ["enrolment", "reference_point", "connected", "vendor", "model", "site", "tag", "silent"])]
    waiting: bool,
    /// Those that wait, were approved or were rejected instead: waiting, approved or rejected.
    #[arg(long, value_name = "STATE", conflicts_with_all = ["reference_point", "connected", "vendor", "model", "site", "tag", "silent"])]
    enrolment: Option<EnrolmentState>,
}

/// Whom to ask for what; without any option: for everything it has.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    /// Reference point and component ID, such as mk/km-1.
    #[arg(value_name = "COMPONENT")]
    component: ComponentRef,
    /// Type of objects, such as performance; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Name of a value, such as qber_ratio; may be repeated.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Part of the component, such as a link; may be repeated.
    #[arg(long = "resource", value_name = "RESOURCE")]
    resources: Vec<String>,
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        Command::List(args) => match args.enrolment.or(args.waiting.then_some(EnrolmentState::Waiting)) {
            Some(state) => enrolment::list(state, &client, output),
            None => list(args, &client, output),
        },
        Command::Show { component } => show(&component, &client, output),
        Command::Explain { component } => explain(&component, &client, output),
        Command::Approve(args) => enrolment::decide("approve", &args, &client, output),
        Command::Reject(args) => enrolment::decide("reject", &args, &client, output),
        Command::Request(args) => request(args, &client, output),
    }
}

fn list(args: ListArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let query: Vec<(&str, String)> = [
        ("referencePoint", args.reference_point.map(|point| point.to_string())),
        ("connected", args.connected.map(|connected| connected.to_string())),
        ("vendor", args.vendor),
        ("model", args.model),
        ("site", args.site),
        ("tag", args.tag),
        ("silent", args.silent.map(|silent| silent.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect();
    let page = client.list::<ComponentSummary>("/api/v1/components", &query, usize::MAX)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        output.line("No components.")?;
        return Ok(Exit::Success);
    }
    let connected = page.items.iter().filter(|component| component.connection_count > 0).count();
    let total = format!("{}, {connected} connected", count(page.items.len(), "component"));
    let rows = page.items.into_iter().map(|component| {
        [
            component.component.to_string(),
            component.kind,
            component.site,
            if component.connection_count > 0 { "yes".to_owned() } else { "no".to_owned() },
            time(component.last_report),
            component.reports.to_string(),
            component.worst_alarm.map_or_else(|| "-".to_owned(), |severity| severity.to_string()),
        ]
    });
    let headings = ["COMPONENT", "KIND", "SITE", "CONNECTED", "LAST REPORT", "REPORTS", "WORST ALARM"];
    output.table(headings, rows.collect())?;
    output.line(&total)?;
    Ok(Exit::Success)
}

fn explain(component: &ComponentRef, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let path = format!("{}/explanation", component_path(component));
    let explained: ExplanationView = client.get(&path, &[])?;
    if output.is_data() {
        output.document(&explained)?;
        return Ok(Exit::Success);
    }
    output.fields(&[
        ("component", component.to_string()),
        ("known", if explained.is_known { "yes" } else { "not yet; this is how it would be" }.to_owned()),
        ("in the configuration", if explained.configured { "yes" } else { "no" }.to_owned()),
        ("vendor", explained.vendor),
        ("model", explained.model),
        ("version", explained.version),
        ("site", explained.site),
        ("tags", explained.tags.join(", ")),
        ("collected by", explained.collector.unwrap_or_default()),
    ])?;
    // One handler alone takes the reports; where there are several, as with policies, their order counts.
    let is_chain = explained.handlers.iter().filter(|rule| rule.applies).count() > 1;
    let row = |ordered: bool| {
        move |rule: RuleView| {
            let applies = match (rule.applies, rule.step.filter(|_| ordered)) {
                (false, _) => "no".to_owned(),
                (true, None) => "yes".to_owned(),
                (true, Some(step)) => ordinal(step),
            };
            [applies, rule.name, rule.plugin, rule.why]
        }
    };
    output.line("")?;
    output.table(
        ["TAKES ITS REPORTS", "HANDLER", "PLUGIN", "WHY"],
        explained.handlers.into_iter().map(row(is_chain)).collect(),
    )?;
    output.line("")?;
    output.table(["SEES IT", "POLICY", "PLUGIN", "WHY"], explained.policies.into_iter().map(row(true)).collect())?;
    Ok(Exit::Success)
}

/// `1st`, `2nd`, `3rd`, `4th`.
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn show(component: &ComponentRef, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let enrolments = enrolment::of(component, client)?;
    let document: anyhow::Result<serde_json::Value> = client.get(&component_path(component), &[]);
    // Who only waits is no component of the manager's yet.
    let mut document = match document {
        Err(_) if !enrolments.is_empty() => serde_json::json!({ "component": component }),
        other => other?,
    };
    if output.is_data() {
        if let (Some(document), false) = (document.as_object_mut(), enrolments.is_empty()) {
            document.insert("enrolment".to_owned(), serde_json::to_value(&enrolments)?);
        }
        output.document(&document)?;
        return Ok(Exit::Success);
    }
    if document.get("connections").is_none() {
        enrolment::show(&enrolments, output)?;
        return Ok(Exit::Success);
    }
    let detail: ComponentDetail = serde_json::from_value(document)?;
    let summary = detail.summary;
    let numbering = match (detail.incarnation, detail.last_sequence) {
        (Some(incarnation), Some(last)) => {
            let (outstanding, lost) = (detail.outstanding, detail.gaps);
            format!("at {last} of incarnation {incarnation}, {outstanding} outstanding, {lost} lost")
        }
        _ => "none".to_owned(),
    };
    output.fields(&[
        ("Component", format!("{} ({})", summary.component, summary.kind)),
        ("Vendor", summary.vendor),
        ("Model", summary.model),
        ("Version", summary.version),
        ("Site", summary.site),
        ("Tags", summary.tags.join(", ")),
        ("Handler", detail.handler),
        ("Policies", detail.policies.join(", ")),
        ("Dialled at", detail.dial.unwrap_or_default()),
        ("Collected by", summary.collector.unwrap_or_default()),
        ("Last report", time(summary.last_report)),
        ("Expected every", summary.expected_interval_ms.map(|ms| format!("{} s", ms / 1_000)).unwrap_or_default()),
        ("Silent since", summary.silent_since.map(|since| since.to_string()).unwrap_or_default()),
        ("Reports", format!("{} accepted", summary.reports)),
        ("Numbering", numbering),
        ("Alarms", alarms(summary.raised_alarms, summary.worst_alarm)),
    ])?;
    unknown(&detail.unknown, output)?;
    if detail.connections.is_empty() {
        output.line("Not connected.")?;
    } else {
        output.line("")?;
        let rows = detail.connections.into_iter().map(|connection| {
            let direction = if connection.dialled { "dialled" } else { "accepted" };
            [connection.peer_address, direction.to_owned(), connection.since.to_string(), connection.key_exchange]
        });
        output.table(["CONNECTION", "DIRECTION", "SINCE", "KEY EXCHANGE"], rows.collect())?;
    }
    if !enrolments.is_empty() {
        output.line("")?;
        enrolment::show(&enrolments, output)?;
    }
    subscriptions(detail.outward_subscriptions, output)?;
    values(detail.values, output)?;
    Ok(Exit::Success)
}

/// A table of the manager's subscriptions at the component, under an empty line; nothing if there are none.
fn subscriptions(subscriptions: Vec<OutwardSubscriptionView>, output: &mut Output<'_>) -> std::io::Result<()> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let rows = subscriptions.into_iter().map(|one| {
        let what = match (one.poll_interval_ms, one.reason) {
            (Some(interval), _) => format!("every {} s", interval / 1_000),
            (None, Some(reason)) => reason,
            (None, None) if !one.failed_events.is_empty() => format!("without {}", one.failed_events.join(", ")),
            (None, None) if one.durable => "durable".to_owned(),
            (None, None) => String::new(),
        };
        let state = one.state.as_str().to_owned();
        let (came, missing) = (one.notifications.to_string(), one.missing.to_string());
        [one.name, state, what, came, missing, time(one.last_notification)]
    });
    let headings = ["SUBSCRIPTION", "STATE", "DETAIL", "NOTIFICATIONS", "MISSING", "LAST"];
    output.table(headings, rows.collect())
}

/// What the component says that the catalogue does not have: it is kept, and no policy sees it.
fn unknown(words: &[UnknownView], output: &mut Output<'_>) -> std::io::Result<()> {
    for word in words {
        let meant = word.meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        output.line(&format!(
            "Not in the catalogue: {} `{}`, {}, last at {}{meant}",
            word.kind,
            word.text,
            times(word.count),
            word.last
        ))?;
    }
    Ok(())
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn alarms(raised: usize, worst: Option<crate::model::Severity>) -> String {
    match worst {
        Some(worst) => format!("{}, the worst {worst}", count(raised, "alarm")),
        None => "none raised".to_owned(),
    }
}

/// A table of values under an empty line.
pub(super) fn values(values: Vec<ValueView>, output: &mut Output<'_>) -> std::io::Result<()> {
    output.line("")?;
    if values.is_empty() {
        return output.line("No values.");
    }
    let rows = values.into_iter().map(|value| {
        let unit = value.unit.unwrap_or_default();
        [value.name, value.resource, value.value.to_string(), unit, value.time.to_string()]
    });
    output.table(["VALUE", "RESOURCE", "IS", "UNIT", "TIME"], rows.collect())
}

fn request(args: RequestArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let query = StatusQuery { types: args.types, names: args.names, resources: args.resources };
    let path = format!("{}/request", component_path(&args.component));
    if output.is_data() {
        let document: serde_json::Value = client.post(&path, &query)?;
        output.document(&document)?;
        return Ok(Exit::Success);
    }
    let answer: StatusAnswer = client.post(&path, &query)?;
    output.line(&format!("{} answered at {}.", answer.component, answer.received))?;
    values(answer.values, output)?;
    if !answer.missing.is_empty() {
        output.line(&format!("Asked for, and not in the answer: {}.", answer.missing.join(", ")))?;
    }
    if let Some(extension) = answer.extension {
        output.line("")?;
        output.line(&extension.to_string())?;
    }
    Ok(Exit::Success)
}
