//! `qkdnm alarm`: what is wrong, and what the operator says of it.

use serde_json::json;

use super::{ApiArgs, Client, CommandError, CommandResult, Exit, Output, client::component_path, output::count};
use crate::{
    alarm::AlarmSummary,
    api::views::{AlarmView, MaintenanceMark},
    model::{ComponentRef, OperatorState, ReferencePoint, Severity},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List alarms: those that are raised, the worst first.
    #[command(
        after_help = "Examples:\n  qkdnm alarm list\n  qkdnm alarm list --severity major --component mq/module-1\n  qkdnm alarm list --all -o json\n  qkdnm alarm list --fail-on critical    # exit code 3 if one stands"
    )]
    List(ListArgs),
    /// Count alarms by severity (RFC 8632 alarm summary).
    #[command(after_help = "Example:\n  qkdnm alarm summary")]
    Summary,
    /// Show one alarm with its history.
    #[command(after_help = "Example:\n  qkdnm alarm show 17")]
    Show {
        /// Number of the alarm, as `alarm list` shows it.
        #[arg(value_parser = alarm_id)]
        id: u64,
    },
    /// Say that somebody looks after these alarms. Needs QKDNM_TOKEN with the role operator.
    #[command(visible_alias = "ack", after_help = "Example:\n  qkdnm alarm acknowledge 17 18 --comment \"on my way\"")]
    Acknowledge(OperateArgs),
    /// Say that these alarms are done with. Needs QKDNM_TOKEN with the role operator.
    ///
    /// Closing does not clear: only the component or the policy that raised an alarm clears it. A closed alarm that was
    /// clear and is raised again needs attention again.
    #[command(after_help = "Example:\n  qkdnm alarm close 17 --comment \"fibre replaced\"")]
    Close(OperateArgs),
    /// Take an acknowledgement or closing back. Needs QKDNM_TOKEN with the role operator.
    #[command(after_help = "Example:\n  qkdnm alarm reopen 17 --comment \"wrong alarm\"")]
    Reopen(OperateArgs),
}

/// Which alarms.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Of this severity or a worse one: indeterminate, warning, minor, major or critical.
    #[arg(long)]
    severity: Option<Severity>,
    /// Of components on this reference point: mq, mops, mqrp, mk, mc, mu or mx.
    #[arg(long, value_name = "POINT")]
    reference_point: Option<ReferencePoint>,
    /// Of this component, such as mk/km-1.
    #[arg(long)]
    component: Option<ComponentRef>,
    /// Of this part of a component.
    #[arg(long)]
    resource: Option<String>,
    /// Of this FCAPS function: fault, configuration, accounting, performance or security, or its letter.
    #[arg(long)]
    function: Option<String>,
    /// Changed at or after this time (RFC 3339), or so long ago, such as -6h.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    since: Option<String>,
    /// Of this type, such as qber-threshold-exceeded.
    #[arg(long = "type", value_name = "TYPE")]
    alarm_type: Option<String>,
    /// Of which the operator says this: none, acknowledged or closed.
    #[arg(long, value_name = "STATE", value_parser = operator_state)]
    operator_state: Option<OperatorState>,
    /// Cleared ones too.
    #[arg(long)]
    all: bool,
    /// End with exit code 3 if one of the listed alarms is raised and of this severity or a worse one.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
}

/// What to say of which alarms.
#[derive(Debug, clap::Args)]
pub struct OperateArgs {
    /// Numbers of the alarms, as `alarm list` shows them.
    #[arg(required = true, value_parser = alarm_id)]
    ids: Vec<u64>,
    /// Comment for the alarm's history.
    #[arg(long, short = 'm', default_value = "")]
    comment: String,
}

fn alarm_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected the number of an alarm, as `qkdnm alarm list` shows it".to_owned())
}

const STATES: [OperatorState; 3] = [OperatorState::None, OperatorState::Acknowledged, OperatorState::Closed];

const fn state_word(state: OperatorState) -> &'static str {
    match state {
        OperatorState::None => "none",
        OperatorState::Acknowledged => "acknowledged",
        OperatorState::Closed => "closed",
    }
}

fn operator_state(text: &str) -> Result<OperatorState, String> {
    let found = STATES.into_iter().find(|state| state_word(*state) == text);
    found.ok_or_else(|| "expected none, acknowledged or closed".to_owned())
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = &Client::new(api)?;
    match command {
        Command::List(args) => list(args, client, output),
        Command::Summary => summary(client, output),
        Command::Show { id } => show(id, client, output),
        Command::Acknowledge(args) => operate(&args, "acknowledge", client, output),
        Command::Close(args) => operate(&args, "close", client, output),
        Command::Reopen(args) => operate(&args, "reopen", client, output),
    }
}

fn list(args: ListArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let component = args.component.clone();
    let query: Vec<(&str, String)> = [
        ("severity", args.severity.map(|severity| severity.to_string())),
        ("referencePoint", args.reference_point.map(|point| point.to_string())),
        ("resource", args.resource),
        ("function", args.function),
        ("since", args.since),
        ("component", args.component.map(|component| component.to_string())),
        ("type", args.alarm_type),
        ("operatorState", args.operator_state.map(|state| state_word(state).to_owned())),
        ("cleared", (!args.all).then(|| "false".to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect();
    let mut page = client.list::<AlarmView>("/api/v1/alarms", &query, usize::MAX)?;
    // With a slip in the name, a check would say for ever that all is well.
    if let Some(component) = component.filter(|_| page.items.is_empty()) {
        is_known(&component, client)?;
    }
    let stands = |AlarmView { alarm, .. }: &AlarmView| {
        !alarm.is_cleared && args.fail_on.is_some_and(|least| alarm.report.severity >= least)
    };
    let exit = if page.items.iter().any(stands) { Exit::AlarmStands } else { Exit::Success };
    if output.is_data() {
        output.list(&page)?;
        return Ok(exit);
    }
    if page.items.is_empty() {
        output.line("No alarms.")?;
        return Ok(exit);
    }
    page.items.sort_by_key(|AlarmView { alarm, .. }| {
        (alarm.is_cleared, std::cmp::Reverse(alarm.report.severity), std::cmp::Reverse(alarm.last_changed))
    });
    let total = count(page.items.len(), "alarm");
    let rows = page.items.into_iter().map(|AlarmView { alarm, maintenance, .. }| {
        let state = match (alarm.is_cleared, maintenance) {
            (true, _) => "cleared",
            (false, Some(_)) => "raised, maintenance",
            (false, None) => "raised",
        };
        [
            alarm.id.to_string(),
            alarm.report.severity.to_string(),
            state.to_owned(),
            operator_column(alarm.operator_state).to_owned(),
            alarm.key.component,
            alarm.key.resource,
            alarm.key.alarm_type_id,
            alarm.last_changed.to_string(),
            alarm.report.text,
        ]
    });
    let headings = ["ID", "SEVERITY", "STATE", "OPERATOR", "COMPONENT", "RESOURCE", "TYPE", "CHANGED", "TEXT"];
    output.table(headings, rows.collect())?;
    output.line(&total)?;
    Ok(exit)
}

/// That the manager has heard of a component: it manages it, or has alarms about it.
fn is_known(component: &ComponentRef, client: &Client) -> anyhow::Result<()> {
    let all = client.list::<AlarmView>("/api/v1/alarms", &[("component", component.to_string())], 1)?;
    if all.items.is_empty() && component.reference_point != ReferencePoint::Mx {
        client.get::<serde_json::Value>(&component_path(component), &[])?;
    }
    Ok(())
}

const fn operator_column(state: OperatorState) -> &'static str {
    match state {
        OperatorState::None => "-",
        other => state_word(other),
    }
}

fn summary(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let summary: AlarmSummary = client.get("/api/v1/alarms/summary", &[])?;
    if output.is_data() {
        output.document(&summary)?;
        return Ok(Exit::Success);
    }
    let rows = summary.0.into_iter().map(|count| {
        let figures = [count.not_cleared_not_closed, count.not_cleared, count.cleared_not_closed, count.cleared];
        let [attention, raised, open, cleared] = figures.map(|figure| figure.to_string());
        [count.severity.to_string(), attention, raised, open, cleared, count.total.to_string()]
    });
    let headings = ["SEVERITY", "RAISED, NOT CLOSED", "RAISED", "CLEARED, NOT CLOSED", "CLEARED", "TOTAL"];
    output.table(headings, rows.collect())?;
    Ok(Exit::Success)
}

fn show(id: u64, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let path = format!("/api/v1/alarms/{id}");
    if output.is_data() {
        let document: serde_json::Value = client.get(&path, &[])?;
        output.document(&document)?;
        return Ok(Exit::Success);
    }
    let AlarmView { alarm, function, value_name, unit, clear_threshold, maintenance } = client.get(&path, &[])?;
    let evidence: Vec<String> =
        alarm.report.additional_information.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    let number = |value: Option<f64>| value.map(|value| format!("{value}{unit}")).unwrap_or_default();
    output.fields(&[
        ("Alarm", alarm.id.to_string()),
        ("Severity", alarm.report.severity.to_string()),
        ("State", if alarm.is_cleared { "cleared" } else { "raised" }.to_owned()),
        ("Operator", state_word(alarm.operator_state).to_owned()),
        ("Component", alarm.key.component),
        ("Resource", alarm.key.resource),
        ("Type", alarm.key.alarm_type_id),
        ("Qualifier", alarm.key.alarm_type_qualifier),
        ("Text", alarm.report.text),
        ("Function", function.as_str().to_owned()),
        ("Event type", alarm.report.event_type),
        ("Cause", alarm.report.probable_cause),
        ("Value", value_name.unwrap_or_default()),
        ("Observed", number(alarm.report.observed)),
        ("Threshold", number(alarm.report.threshold)),
        ("Clears at", number(clear_threshold)),
        ("Repair", alarm.report.repair_actions.join(" ")),
        ("Evidence", evidence.join("; ")),
        ("Maintenance", maintenance.as_ref().map(under_maintenance).unwrap_or_default()),
        ("Raised by", alarm.raised_by),
        ("Created", alarm.time_created.to_string()),
        ("Last raised", format!("{} ({})", alarm.last_raised, count_times(alarm.raise_count))),
        ("Changed", alarm.last_changed.to_string()),
    ])?;
    output.line("")?;
    let rows = alarm.status_changes.into_iter().map(|change| {
        let severity = change.severity.map_or_else(|| "cleared".to_owned(), |severity| severity.to_string());
        [change.time.to_string(), severity, change.text]
    });
    output.table(["TIME", "STATUS", "TEXT"], rows.collect())?;
    if !alarm.operator_actions.is_empty() {
        output.line("")?;
        let rows = alarm
            .operator_actions
            .into_iter()
            .map(|action| [action.time.to_string(), action.operator, state_word(action.state).to_owned(), action.text]);
        output.table(["TIME", "OPERATOR", "STATE", "COMMENT"], rows.collect())?;
    }
    Ok(Exit::Success)
}

/// What is known of maintenance on the link that an alarm is about.
fn under_maintenance(mark: &MaintenanceMark) -> String {
    let MaintenanceMark { link, announced_by, request, until, effect } = mark;
    format!("of link {link} until {until}, announced by {announced_by} (request {request}), expected effect: {effect}")
}

fn count_times(raised: u64) -> String {
    if raised == 1 { "once".to_owned() } else { format!("{raised} times") }
}

/// Operates on each alarm; goes on after a failure, so that one wrong number does not leave the rest undone.
fn operate(args: &OperateArgs, action: &str, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let mut failures = Vec::new();
    let mut done = Vec::new();
    for id in &args.ids {
        let path = format!("/api/v1/alarms/{id}/{action}");
        match client.post::<AlarmView>(&path, &json!({ "comment": args.comment })) {
            Ok(view) if output.is_data() => done.push(view),
            Ok(AlarmView { alarm, .. }) => {
                let state = match alarm.operator_state {
                    OperatorState::None => "open again",
                    other => state_word(other),
                };
                // Closing is what an operator says of it; it does not make the cause go away.
                let still = if alarm.operator_state == OperatorState::Closed && !alarm.is_cleared {
                    format!(", and still raised ({}) until its cause is gone", alarm.report.severity)
                } else {
                    String::new()
                };
                output.line(&format!("Alarm {id} is {state}{still}: {}", alarm.key))?;
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if output.is_data() {
        output.list(&crate::api::Page::whole(done))?;
    }
    if failures.is_empty() {
        return Ok(Exit::Success);
    }
    Err(CommandError::Failure(anyhow::anyhow!(failures.join("\n       "))))
}
