//! `qkdnm peer` and `qkdnm domain`: with whom this manager exchanges status, and what is known of other domains.

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    output::{count, time},
};
use crate::api::{
    Page,
    views::{DisclosureView, DocumentView, DomainLinkView, DomainView, PeerView, PreviewView},
};

/// `qkdnm peer`
#[derive(Debug, clap::Subcommand)]
pub enum PeerCommand {
    /// List peers, and how their domains are seen.
    #[command(after_help = "Example:\n  qkdnm peer list")]
    List,
    /// Show one peer.
    #[command(after_help = "Example:\n  qkdnm peer show manager-west")]
    Show {
        /// Its manager ID.
        id: String,
    },
    /// Show exactly what a peer is told now.
    #[command(after_help = "Example:\n  qkdnm peer preview manager-west")]
    Preview {
        /// Its manager ID.
        id: String,
    },
    /// List what a peer was told, newest first.
    #[command(after_help = "Example:\n  qkdnm peer disclosures manager-west")]
    Disclosures {
        /// Its manager ID.
        id: String,
    },
}

/// `qkdnm domain`
#[derive(Debug, clap::Subcommand)]
pub enum DomainCommand {
    /// List all domains with how fresh what is known of them is.
    #[command(after_help = "Example:\n  qkdnm domain list")]
    List,
    /// List links to other domains, from both ends, with what these say differently.
    #[command(after_help = "Example:\n  qkdnm domain links")]
    Links,
    /// Show what a domain says of itself, and by which way it came.
    #[command(after_help = "Example:\n  qkdnm domain show west")]
    Show {
        /// Its name.
        domain: String,
    },
}

pub(super) fn peer(command: PeerCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        PeerCommand::List => {
            let page: Page<PeerView> = client.get("/api/v1/peers", &[])?;
            peers(page, output)
        }
        PeerCommand::Show { id } => {
            let one: PeerView = client.get(&format!("/api/v1/peers/{id}"), &[])?;
            show_peer(&one, output)
        }
        PeerCommand::Preview { id } => {
            let preview: PreviewView = client.get(&format!("/api/v1/peers/{id}/preview"), &[])?;
            if output.is_data() {
                output.document(&preview)?;
                return Ok(Exit::Success);
            }
            output.line(&format!("{} is told:", preview.domain))?;
            preview.own.iter().try_for_each(|document| show_document(document, output))?;
            if !preview.relayed.is_empty() {
                output.line(&format!("passed on to it as they came: {}", preview.relayed.join(", ")))?;
            }
            Ok(Exit::Success)
        }
        PeerCommand::Disclosures { id } => {
            let page: Page<DisclosureView> = client.get(&format!("/api/v1/peers/{id}/disclosures"), &[])?;
            disclosures(page, output)
        }
    }
}

fn peers(page: Page<PeerView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: PeerView| {
            let connected = if one.connected { "connected" } else { "no session" }.to_owned();
            let round_trip = one.round_trip_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
            let speaks = match one.tells_us {
                Some(false) => "plain reports only",
                _ => "",
            };
            let freshness = one.freshness.unwrap_or_else(|| "unheard".to_owned());
            [one.id, one.domain, freshness, connected, time(one.since), round_trip, speaks.to_owned()]
        };
        let headings = ["PEER", "DOMAIN", "SEEN AS", "SESSION", "SINCE", "ROUND TRIP", ""];
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "peer"))?;
    Ok(Exit::Success)
}

fn show_peer(one: &PeerView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(one)?;
        return Ok(Exit::Success);
    }
    let direction = one.dialled.map(|dialled| if dialled { "we dialled" } else { "it dialled" }.to_owned());
    output.fields(&[
        ("peer", one.id.clone()),
        ("domain", one.domain.clone()),
        ("seen as", one.freshness.clone().unwrap_or_else(|| "unheard".to_owned())),
        ("address", one.address.clone().unwrap_or_else(|| "none: it dials us".to_owned())),
        ("session", if one.connected { "up" } else { "none" }.to_owned()),
        ("since", one.since.map(|at| at.to_string()).unwrap_or_default()),
        ("direction", direction.unwrap_or_default()),
        ("other side", one.peer_address.clone().unwrap_or_default()),
        ("round trip", one.round_trip_ms.map(|ms| format!("{ms:.2} ms")).unwrap_or_default()),
        ("sent", one.sent.to_string()),
        ("answered", one.answered.to_string()),
    ])?;
    Ok(Exit::Success)
}

fn disclosures(page: Page<DisclosureView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: DisclosureView| {
            [one.time.to_string(), one.audience, one.version, one.sections.join(", "), one.bytes.to_string()]
        };
        output.table(["TIME", "FOR", "VERSION", "SECTIONS", "BYTES"], page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "disclosure"))?;
    Ok(Exit::Success)
}

pub(super) fn domain(command: DomainCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        DomainCommand::List => {
            let page: Page<DomainView> = client.get("/api/v1/domains", &[])?;
            domains(page, output)
        }
        DomainCommand::Links => {
            let page: Page<DomainLinkView> = client.get("/api/v1/domain-links", &[])?;
            links(page, output)
        }
        DomainCommand::Show { domain } => {
            let one: DomainView = client.get(&format!("/api/v1/domains/{domain}"), &[])?;
            if output.is_data() {
                output.document(&one)?;
                return Ok(Exit::Success);
            }
            output.fields(&[
                ("domain", one.domain.clone() + if one.own { " (this manager's)" } else { "" }),
                ("seen as", one.freshness.clone() + if one.disputed { ", disputed" } else { "" }),
                ("age", format!("{:.1} s", one.age_ms as f64 / 1e3)),
            ])?;
            one.documents.iter().try_for_each(|document| show_document(document, output))?;
            Ok(Exit::Success)
        }
    }
}

fn domains(page: Page<DomainView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    let row = |one: DomainView| {
        let sum = |section: &str, pointer: &str| {
            let sections = one.documents.iter().flat_map(|document| &document.sections);
            let found =
                sections.filter(|one| one.name == section).find_map(|one| one.content.pointer(pointer).cloned());
            let numbers = found.and_then(|value| value.as_object().cloned()).unwrap_or_default();
            numbers.values().filter_map(|value| value.as_u64().or_else(|| value["known"].as_u64())).sum::<u64>()
        };
        let (components, alarms) = (sum("health", "/components"), sum("alarms", "/raised"));
        let heard = !one.documents.is_empty();
        let shown = |number: u64| if heard { number.to_string() } else { String::new() };
        let by = one.documents.first().map(|document| match document.via.as_slice() {
            _ if one.own => "itself".to_owned(),
            [] => "directly".to_owned(),
            via => format!("by {}", via.join(", ")),
        });
        let freshness = one.freshness.clone() + if one.disputed { ", disputed" } else { "" };
        let age = if heard { format!("{:.1} s", one.age_ms as f64 / 1e3) } else { String::new() };
        [one.domain.clone(), freshness, age, by.unwrap_or_default(), shown(components), shown(alarms)]
    };
    let headings = ["DOMAIN", "SEEN AS", "AGE", "HEARD", "COMPONENTS", "ALARMS"];
    if total > 0 {
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "domain"))?;
    Ok(Exit::Success)
}

fn links(page: Page<DomainLinkView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: DomainLinkView| {
            let figure = |end: &Option<serde_json::Value>, name: &str| {
                end.as_ref().and_then(|end| end[name].as_f64()).map(|value| format!("{value:.3}")).unwrap_or_default()
            };
            let both = |name: &str| match (figure(&one.ours, name), figure(&one.theirs, name)) {
                (ours, theirs) if ours.is_empty() && theirs.is_empty() => String::new(),
                (ours, theirs) => format!("{ours} / {theirs}"),
            };
            let (qber, store) = (both("qberRatio"), both("keyStoreFillRatio"));
            [
                one.id.clone(),
                one.domain.clone(),
                one.state.clone(),
                one.freshness.clone(),
                qber,
                store,
                one.differences.join("; "),
            ]
        };
        let headings = ["LINK", "TO", "STATE", "SEEN AS", "QBER HERE / THERE", "STORE HERE / THERE", "DIFFERENCES"];
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "link"))?;
    Ok(Exit::Success)
}

fn show_document(document: &DocumentView, output: &mut Output<'_>) -> std::io::Result<()> {
    let way = match document.via.as_slice() {
        [] => format!("from {}", document.from),
        via => format!("by {}", via.join(", ")),
    };
    output.line("")?;
    output
        .line(&format!("for {}: version {}, signed {}, {way}", document.audience, document.version, document.issued))?;
    for section in &document.sections {
        let content = match &section.content {
            serde_json::Value::Null => String::new(),
            content => serde_json::to_string_pretty(content).unwrap_or_default(),
        };
        let text = format!("{} ({} bytes): {content}", section.name, section.bytes);
        text.lines().try_for_each(|line| output.line(line))?;
        if let Some(problem) = &section.malformed {
            output.line(&format!("  not believed: {problem}"))?;
        }
        if let Some(why) = &section.withheld {
            output.line(&format!("  not shown: {why}"))?;
        }
    }
    Ok(())
}
