//! `qkdnm peer request` and `qkdnm peer requests`: what operators of two domains ask of each other by their managers.

use serde_json::{Value, json};

use super::{Client, CommandResult, Exit, Output, output::count};
use crate::{
    api::{Page, views::PeerRequestView},
    clock::wall_time,
    config::quantity,
    model::{
        Severity, Timestamp,
        peer_request::{Asked, MaintenanceEffect, PriorityCause, RequestDirection, RequestReason, RequestState},
    },
};

const PATH: &str = "/api/v1/peer-requests";

/// A time, how far ahead, or how long ago: `2026-11-26T08:00:00Z`, `now`, `+2h`, `-1h`.
fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let ms = |span: &str| quantity::duration(span).ok().and_then(|span| i64::try_from(span.as_millis()).ok());
    let away = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(ahead), _) => ms(ahead),
        (_, Some(ago)) => ms(ago).map(|ago| -ago),
        _ if text == "now" => Some(0),
        _ => return Timestamp::parse(text).ok_or_else(|| WHEN.to_owned()),
    };
    away.map(|away| wall_time().plus(away)).ok_or_else(|| WHEN.to_owned())
}

const WHEN: &str =
    "expected a time such as 2026-11-26T08:00:00Z, `now`, how far ahead, such as +2h, or how long ago, such as -1h";

fn effect(text: &str) -> Result<MaintenanceEffect, String> {
    MaintenanceEffect::of(text).ok_or_else(|| format!("expected one of {}", MaintenanceEffect::WORDS.join(", ")))
}

fn cause(text: &str) -> Result<PriorityCause, String> {
    PriorityCause::of(text).ok_or_else(|| format!("expected one of {}", PriorityCause::WORDS.join(", ")))
}

fn reason(text: &str) -> Result<RequestReason, String> {
    let words = || RequestReason::OF_OPERATORS.map(RequestReason::as_str).join(", ");
    RequestReason::of(text)
        .filter(|reason| reason.is_of_operators())
        .ok_or_else(|| format!("expected one of {}", words()))
}

fn state(text: &str) -> Result<RequestState, String> {
    RequestState::of(text).ok_or_else(|| format!("expected one of {}", RequestState::WORDS.join(", ")))
}

/// `qkdnm peer request`
#[derive(Debug, clap::Subcommand)]
pub enum AskCommand {
    /// Announce maintenance of links with a peer: its operator acknowledges or objects.
    #[command(
        after_help = "Example:\n  qkdnm peer request maintenance manager-west --link vienna-brno --from 2026-12-01T22:00:00Z --until 2026-12-02T02:00:00Z --effect interrupted"
    )]
    Maintenance {
        /// Manager ID of the peer.
        peer: String,
        /// A link with it, by its name in the configuration of both; again for each.
        #[arg(long = "link", required = true)]
        links: Vec<String>,
        /// When it begins: a time, `now`, how far ahead (+2h), or how long ago (-1h).
        #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = point_in_time)]
        from: Timestamp,
        /// When it is over.
        #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = point_in_time)]
        until: Timestamp,
        /// What it is expected to do to the links: none, degraded, interrupted, unknown.
        #[arg(long, value_parser = effect)]
        effect: MaintenanceEffect,
        /// How long it waits for a decision; otherwise until it is over.
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<String>,
    },
    /// Ask a peer to give priority to key relay over a link.
    #[command(
        after_help = "Example:\n  qkdnm peer request emergency-priority manager-west --link vienna-brno --until +2h --cause path-lost"
    )]
    EmergencyPriority {
        /// Manager ID of the peer.
        peer: String,
        /// A link with it.
        #[arg(long)]
        link: String,
        /// Until when: a time, or how far ahead (+2h).
        #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = point_in_time)]
        until: Timestamp,
        /// Why: key-store-low, path-lost, public-safety, exercise.
        #[arg(long, value_parser = cause)]
        cause: PriorityCause,
        /// How long it waits for a decision; otherwise until what it asks for is over.
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<String>,
    },
    /// Hand an incident on a link over to a peer. Of its text and components nothing is told.
    #[command(
        after_help = "Examples:\n  qkdnm peer request incident manager-west --link vienna-brno --alarm 12\n  qkdnm peer request incident manager-west --link vienna-brno --severity major --type link-down --since 2026-11-26T08:00:00Z"
    )]
    Incident(IncidentArgs),
}

/// Which incident.
#[derive(Debug, clap::Args)]
pub struct IncidentArgs {
    /// Manager ID of the peer.
    peer: String,
    /// A link with it.
    #[arg(long)]
    link: String,
    /// Number of the alarm that it is about, which has to be one of the link: severity, type and time are taken from it.
    #[arg(long, value_name = "ID", conflicts_with_all = ["severity", "alarm_type", "since"])]
    alarm: Option<u64>,
    /// How bad it is.
    #[arg(long, required_unless_present = "alarm")]
    severity: Option<Severity>,
    /// Alarm type of the catalogue; others are told as `other`.
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "alarm")]
    alarm_type: Option<String>,
    /// Since when: a time, or how long ago (-1h).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = point_in_time, required_unless_present = "alarm")]
    since: Option<Timestamp>,
    /// How long it waits for a decision; otherwise a day.
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<String>,
}

/// `qkdnm peer requests`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RequestsArgs {
    /// What to do; absent: list.
    #[command(subcommand)]
    command: Option<RequestsCommand>,
    /// Which ones are listed.
    #[command(flatten)]
    list: ListArgs,
}

/// Which requests.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Of this peer, by its manager ID or its domain.
    #[arg(long)]
    peer: Option<String>,
    /// In this state: sent, pending, accepted, declined, expired, refused, withdrawn.
    #[arg(long, value_parser = state)]
    state: Option<RequestState>,
}

#[derive(Debug, clap::Subcommand)]
enum RequestsCommand {
    /// List requests to peers and of them, the newest first.
    #[command(
        after_help = "Examples:\n  qkdnm peer requests\n  qkdnm peer requests --peer west\n  qkdnm peer requests list --state pending"
    )]
    List(ListArgs),
    /// Show one request.
    #[command(after_help = "Example:\n  qkdnm peer requests show 9f86d081884c7d65")]
    Show {
        /// Its ID.
        id: String,
    },
    /// Accept a peer's request; of maintenance: acknowledge it.
    #[command(after_help = "Example:\n  qkdnm peer requests accept 9f86d081884c7d65")]
    Accept {
        /// Its ID.
        id: String,
    },
    /// Decline a peer's request; of maintenance: object to it.
    #[command(after_help = "Example:\n  qkdnm peer requests decline 9f86d081884c7d65 --reason conflict")]
    Decline {
        /// Its ID.
        id: String,
        /// Why, which the other domain is told: conflict, capacity, policy, not-ours, duplicate, unspecified.
        #[arg(long, value_parser = reason, default_value = "unspecified")]
        reason: RequestReason,
    },
    /// Take back what was asked of a peer: what is not answered yet, or maintenance that is not over.
    #[command(after_help = "Example:\n  qkdnm peer requests withdraw 9f86d081884c7d65")]
    Withdraw {
        /// Its ID.
        id: String,
    },
}

impl RequestsArgs {
    /// Whether nothing is changed by it.
    pub(super) const fn only_reads(&self) -> bool {
        matches!(&self.command, None | Some(RequestsCommand::List(_) | RequestsCommand::Show { .. }))
    }
}

pub(super) fn ask(command: AskCommand, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let (peer, body) = match command {
        AskCommand::Maintenance { peer, links, from, until, effect, expires_in } => {
            let body = json!({
                "kind": "maintenance", "links": links, "from": from, "until": until, "effect": effect, "expiresIn": expires_in,
            });
            (peer, body)
        }
        AskCommand::EmergencyPriority { peer, link, until, cause, expires_in } => {
            let body = json!({
                "kind": "emergencyPriority", "links": [link], "until": until, "cause": cause, "expiresIn": expires_in,
            });
            (peer, body)
        }
        AskCommand::Incident(args) => incident(args),
    };
    let done: PeerRequestView = client.post(&format!("/api/v1/peers/{peer}/requests"), &body)?;
    if output.is_data() {
        output.document(&done)?;
        return Ok(Exit::Success);
    }
    output.line(&format!("Asked domain {}: {}.", done.domain, done.asked))?;
    output.line(&format!("What becomes of it: qkdnm peer requests show {}", done.id))?;
    Ok(Exit::Success)
}

fn incident(args: IncidentArgs) -> (String, Value) {
    let body = json!({
        "kind": "incidentHandOver", "links": [args.link], "alarm": args.alarm, "severity": args.severity,
        "alarmType": args.alarm_type, "since": args.since, "expiresIn": args.expires_in,
    });
    (args.peer, body)
}

pub(super) fn requests(args: RequestsArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    match args.command.unwrap_or(RequestsCommand::List(args.list)) {
        RequestsCommand::List(args) => list(args, client, output),
        RequestsCommand::Show { id } => {
            let one: PeerRequestView = client.get(&format!("{PATH}/{id}"), &[])?;
            if output.is_data() {
                output.document(&one)?;
                return Ok(Exit::Success);
            }
            show(&one, output)
        }
        RequestsCommand::Accept { id } => decided(&client.post(&format!("{PATH}/{id}/accept"), &json!({}))?, output),
        RequestsCommand::Decline { id, reason } => {
            decided(&client.post(&format!("{PATH}/{id}/decline"), &json!({ "reason": reason }))?, output)
        }
        RequestsCommand::Withdraw { id } => withdraw(&id, client, output),
    }
}

fn decided(done: &PeerRequestView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(done)?;
        return Ok(Exit::Success);
    }
    output.line(&format!("Request {} of domain {} is {}: {}.", done.id, done.domain, standing(done), done.asked))?;
    Ok(Exit::Success)
}

fn withdraw(id: &str, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let done: PeerRequestView = client.post(&format!("{PATH}/{id}/withdraw"), &json!({}))?;
    if output.is_data() {
        output.document(&done)?;
        return Ok(Exit::Success);
    }
    output.line(&format!("Withdrawn, and domain {} is told: {}.", done.domain, done.asked))?;
    Ok(Exit::Success)
}

/// Where a request stands, in the words of its kind.
fn standing(one: &PeerRequestView) -> String {
    let is_notice = matches!(one.asked, Asked::Maintenance { .. });
    let word = match (one.state, one.direction) {
        (RequestState::Accepted, _) if is_notice => "acknowledged",
        (RequestState::Declined, _) if is_notice => "objected to",
        (RequestState::Pending, RequestDirection::Received) => "waiting for us",
        (RequestState::Pending, RequestDirection::Sent) => "waiting there",
        (state, _) => state.as_str(),
    };
    one.reason.map_or_else(|| word.to_owned(), |reason| format!("{word} ({reason})"))
}

fn list(ListArgs { peer, state }: ListArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let state = state.map(|state| state.as_str().to_owned());
    let query: Vec<(&str, String)> =
        [("peer", peer), ("state", state)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let page: Page<PeerRequestView> = client.get(PATH, &query)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = count(page.items.len(), "request");
    if !page.items.is_empty() {
        let wide = output.is_wide();
        let row = |one: PeerRequestView| {
            let stands = standing(&one);
            let way = match one.direction {
                RequestDirection::Sent => "to",
                RequestDirection::Received => "of",
            };
            let what = if wide { one.asked.to_string() } else { in_short(&one.asked) };
            [one.id, format!("{way} {}", one.domain), stands, what, one.made.to_string()]
        };
        output.table_and_more(
            ["ID", "DOMAIN", "STATE", "WHAT", "MADE"],
            1,
            page.items.into_iter().map(row).collect(),
        )?;
    }
    output.line(&total)?;
    Ok(Exit::Success)
}

/// What is asked, and of which links; the whole has its times.
fn in_short(asked: &Asked) -> String {
    format!("{} of {}", asked.kind().configured(), asked.links().join(", "))
}

fn show(one: &PeerRequestView, output: &mut Output<'_>) -> CommandResult {
    let by = one.by.clone().unwrap_or_default();
    let (asked_by, decided_by) = match one.direction {
        RequestDirection::Sent => (by, String::new()),
        RequestDirection::Received => (String::new(), by),
    };
    output.fields(&[
        ("Request", one.id.clone()),
        ("Kind", one.asked.kind().configured().to_owned()),
        ("Direction", one.direction.to_string()),
        ("Domain", one.domain.clone()),
        ("Peer", one.peer.clone().unwrap_or_else(|| "none any more".to_owned())),
        ("Asks for", one.asked.to_string()),
        ("State", standing(one)),
        ("Because", one.explanation.clone().unwrap_or_default()),
        ("Asked by", asked_by),
        ("Decided by", decided_by),
        ("Made", one.made.to_string()),
        ("Expires", one.expires.to_string()),
        ("Settled", one.settled.map(|at| at.to_string()).unwrap_or_default()),
    ])?;
    Ok(Exit::Success)
}
