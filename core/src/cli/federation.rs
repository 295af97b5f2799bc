//! `qkdnm peer` and `qkdnm domain`: with whom this manager exchanges status, and what is known of other domains.

use super::{
    ApiArgs, Client, CommandResult, Exit, Output,
    output::{age, count},
};
use crate::api::{
    Page,
    views::{
        DisclosureView, DocumentView, DomainLinkView, DomainView, FailedDialsView, KnownThroughView, PeerView,
        PreviewView, SectionView,
    },
};

/// What the words for freshness say.
const SEEN_AS: &str = "\
SEEN AS:
  fresh        what it says is within its validity, and there is a session with it
  indirect     within its validity, and comes by way of another domain, or is in the sum of an aggregator
  stale        older than its validity, or known through another alone that is not heard: it may be well
  unreachable  nothing newer came by any way for four times its validity
  withdrawn    its manager left in good order, or tells its area and aggregators alone, and said so: no alarm
  excluded     it is not in the federation any more, or signs with keys that were replaced
  unheard      it has said nothing yet";

/// `qkdnm peer`
#[derive(Debug, clap::Subcommand)]
pub enum PeerCommand {
    /// List peers, and how their domains are seen.
    #[command(after_help = format!("{SEEN_AS}\n\nExample:\n  qkdnm peer list"))]
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
    /// Add a peer: a file of its own in conf.d, with its keys beside it. Checked before it stays.
    #[command(
        after_help = "Examples:\n  qkdnm peer add manager-west --domain west --address 192.0.2.9:7107 --signing-key west.pub --trust-anchor west-ca.pem\n  qkdnm peer add manager-south --domain south --signing-key south.pub    it dials us"
    )]
    Add(super::peering::AddArgs),
    /// Remove a peer that `peer add` has added.
    #[command(after_help = "Example:\n  qkdnm peer remove manager-west")]
    Remove(super::peering::RemoveArgs),
    /// Show how domains are connected as far as it is known here, and whose loss would cut others off.
    #[command(after_help = "Examples:\n  qkdnm peer graph\n  qkdnm peer graph --dot | dot -Tsvg > federation.svg")]
    Graph(super::domain_graph::GraphArgs),
    /// Ask the operators of a peer for something: that they note maintenance, give priority, take over an incident.
    #[command(subcommand)]
    Request(super::peer_request::AskCommand),
    /// Requests to peers and of them: list them, show one, decide.
    Requests(super::peer_request::RequestsArgs),
    /// List what a peer was told, newest first.
    #[command(after_help = "Example:\n  qkdnm peer disclosures manager-west")]
    Disclosures {
        /// Its manager ID.
        id: String,
    },
}

impl PeerCommand {
    /// Whether nothing is changed by it.
    pub(super) const fn only_reads(&self) -> bool {
        match self {
            Self::Add(_) | Self::Remove(_) | Self::Request(_) => false,
            Self::Requests(args) => args.only_reads(),
            _ => true,
        }
    }
}

/// `qkdnm domain`
#[derive(Debug, clap::Subcommand)]
pub enum DomainCommand {
    /// List all domains with how fresh what is known of them is, and areas in sum.
    #[command(after_help = format!("{SEEN_AS}\n\nExample:\n  qkdnm domain list"))]
    List,
    /// List links to other domains, from both ends: what each says, how old that is, and what they say differently.
    #[command(
        after_help = "STATE is the worse of both. While the other domain is not heard, what it said counts no more: then it is what we\nsay, and one-sided instead of up.\n\nExamples:\n  qkdnm domain links\n  qkdnm domain links --wide    with error rates and key stores"
    )]
    Links,
    /// List key relations, services and settlements with other domains, as both sides tell them.
    #[command(
        after_help = "STATE is the worse of both. While the other domain is not heard, what it said counts no more: then it is what we\nsay, and one-sided instead of up or met. Of a settlement it says whether both books agree.\n\nExamples:\n  qkdnm domain compare\n  qkdnm domain compare west"
    )]
    Compare {
        /// With this domain alone.
        domain: Option<String>,
    },
    /// Show the best path from one domain to another over the links that domains disclose, and what is left if a link fails.
    #[command(after_help = "Examples:\n  qkdnm domain path east west\n  qkdnm domain path east west --json")]
    Path(super::domain_crossing::PathArgs),
    /// List links between domains that are down or degraded, each once, as both ends see it.
    #[command(after_help = "Example:\n  qkdnm domain alarms")]
    Alarms,
    /// Show what a domain says of itself, and by which way it came; of an aggregator also what it adds up, with the sources.
    #[command(after_help = "Example:\n  qkdnm domain show west")]
    Show {
        /// Its name.
        domain: String,
    },
}

pub(super) fn peer(command: PeerCommand, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    // These two need no manager that runs.
    match &command {
        PeerCommand::Add(args) => return super::peering::add(args, output),
        PeerCommand::Remove(args) => return super::peering::remove(args, output),
        _ => {}
    }
    let client = Client::new(api)?;
    match command {
        PeerCommand::Add(_) | PeerCommand::Remove(_) => Ok(Exit::Success),
        PeerCommand::Request(command) => super::peer_request::ask(command, &client, output),
        PeerCommand::Requests(args) => super::peer_request::requests(args, &client, output),
        PeerCommand::Graph(args) => super::domain_graph::show(&args, &client, output),
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
            output.line(&format!("{id} (domain {}) is told:", preview.domain))?;
            preview.own.iter().try_for_each(|document| show_document(document, output))?;
            if !preview.relayed.is_empty() {
                output.line("")?;
                output.line(&format!("Passed on to it as they came: {}", preview.relayed.join(", ")))?;
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
            let since = one.since.map_or_else(|| "-".to_owned(), |since| since.to_string());
            let connected = if speaks.is_empty() { connected } else { format!("{connected}, {speaks}") };
            [one.id, one.domain, freshness, connected, since, round_trip]
        };
        let headings = ["PEER", "DOMAIN", "SEEN AS", "SESSION", "SINCE", "ROUND TRIP"];
        output.table_and_more(headings, 1, page.items.into_iter().map(row).collect())?;
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
        ("Peer", one.id.clone()),
        ("Domain", one.domain.clone()),
        ("Seen as", one.freshness.clone().unwrap_or_else(|| "unheard".to_owned())),
        ("Key generation", one.key_generation.to_string()),
        ("Least epoch", if one.min_epoch == 0 { "none".to_owned() } else { one.min_epoch.to_string() }),
        ("Address", one.address.clone().unwrap_or_else(|| "none: it dials us".to_owned())),
        ("Session", if one.connected { "up" } else { "none" }.to_owned()),
        ("Dials", one.failed_dials.as_ref().map(failed_dials).unwrap_or_default()),
        ("Since", one.since.map(|at| at.to_string()).unwrap_or_default()),
        ("Direction", direction.unwrap_or_default()),
        ("Other side", one.peer_address.clone().unwrap_or_default()),
        ("Heard", one.heard_before_ms.map(|ms| format!("{:.1} s ago", ms as f64 / 1e3)).unwrap_or_default()),
        ("Relays", if one.relays { "yes" } else { "not for a while: it sent too many bad items" }.to_owned()),
        ("Dropped", format!("{}, since the start", count(usize::try_from(one.dropped).unwrap_or(usize::MAX), "item"))),
        ("Round trip", one.round_trip_ms.map(|ms| format!("{ms:.2} ms")).unwrap_or_default()),
        ("Sent to it", messages(one.sent, "message")),
        ("Asked by it", messages(one.answered, "question")),
        ("May ask us for", if one.may_ask.is_empty() { NOTHING.to_owned() } else { one.may_ask.join(", ") }),
    ])?;
    Ok(Exit::Success)
}

/// That a peer was not reached, and why.
fn failed_dials(failed: &FailedDialsView) -> String {
    let FailedDialsView { since, at, times, why } = failed;
    if *times == 1 {
        format!("failed at {at}: {why}")
    } else {
        format!("{times} failed since {since}, the last at {at}: {why}")
    }
}

/// What a peer may ask for that may ask for nothing.
const NOTHING: &str = "nothing (`requests` in its [[peers]] table)";

/// A number of messages of this session, nothing where there is no session.
fn messages(number: u64, noun: &str) -> String {
    format!("{}, in this session", count(usize::try_from(number).unwrap_or(usize::MAX), noun))
}

fn disclosures(page: Page<DisclosureView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let row = |one: DisclosureView| {
            [one.time.to_string(), one.audience, one.bytes.to_string(), one.sections.join(", "), one.version]
        };
        output.table_and_more(
            ["TIME", "FOR", "BYTES", "SECTIONS", "VERSION"],
            1,
            page.items.into_iter().map(row).collect(),
        )?;
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
        DomainCommand::Compare { domain } => {
            let page = super::domain_crossing::comparisons(&client, domain.as_deref())?;
            super::domain_crossing::compare(page, output)
        }
        DomainCommand::Path(args) => super::domain_crossing::path(&args, &client, output),
        DomainCommand::Alarms => super::domain_crossing::alarms(&client, output),
        DomainCommand::Show { domain } => {
            let mut one: DomainView = client.get(&format!("/api/v1/domains/{domain}"), &[])?;
            if output.is_data() {
                output.document(&one)?;
                return Ok(Exit::Success);
            }
            output.fields(&[
                ("Domain", one.domain.clone() + if one.own { " (this manager's)" } else { "" }),
                ("Seen as", one.freshness.clone() + if one.disputed { ", disputed" } else { "" }),
                ("Heard", heard(&one)),
                ("Known", one.known_through.as_ref().map(|through| through.text.clone()).unwrap_or_default()),
                ("Area", one.area.clone().unwrap_or_default()),
                ("Role", one.role.clone()),
            ])?;
            // What is shown below need not be shown twice.
            let is_below = |section: &&mut SectionView| section.name == "rollup" && !one.rollups.is_empty();
            let sections = one.documents.iter_mut().flat_map(|document| &mut document.sections);
            sections.filter(is_below).for_each(|section| section.content = serde_json::Value::Null);
            one.documents.iter().try_for_each(|document| show_document(document, output))?;
            super::rollups::show(&one, output)?;
            let both = super::domain_crossing::comparisons(&client, Some(&one.domain))?;
            if !both.items.is_empty() {
                output.line("")?;
                output.line("What it and this domain tell of the same:")?;
                super::domain_crossing::table(&both.items, output)?;
            }
            Ok(Exit::Success)
        }
    }
}

/// When the newest was heard of a domain, and from whom.
fn heard(one: &DomainView) -> String {
    let says_something = |document: &&DocumentView| !document.sections.is_empty();
    let newest = one.documents.iter().find(says_something).or_else(|| one.documents.first());
    let not_now = |through: &KnownThroughView| if through.heard { "" } else { " (silent)" };
    match (&one.known_through, newest.map(|document| document.via.as_slice())) {
        _ if one.own => "by itself".to_owned(),
        (Some(through), _) if through.state.is_some() => {
            format!("in the sum of {}{}", through.domain, not_now(through))
        }
        (Some(through), _) => format!("{} ago, by {}{}", age(one.age_ms), through.domain, not_now(through)),
        (None, None) => "never".to_owned(),
        (None, Some([])) => format!("{} ago, from itself", age(one.age_ms)),
        (None, Some(via)) => format!("{} ago, by {}", age(one.age_ms), via.join(", ")),
    }
}

fn domains(page: Page<DomainView>, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    let row = |one: &DomainView| {
        let sum = |section: &str, pointer: &str| {
            let sections = one.documents.iter().flat_map(|document| &document.sections);
            let found =
                sections.filter(|one| one.name == section).find_map(|one| one.content.pointer(pointer).cloned());
            // What is not told is not none.
            let numbers = found.and_then(|value| value.as_object().cloned())?;
            let counted = numbers.values().filter_map(|value| value.as_u64().or_else(|| value["known"].as_u64()));
            Some(counted.sum::<u64>())
        };
        let (components, alarms) = (sum("health", "/components"), sum("alarms", "/raised"));
        let shown = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let freshness = one.freshness.clone() + if one.disputed { ", disputed" } else { "" };
        let area = match (one.area.clone().unwrap_or_default(), one.role.as_str()) {
            (area, "aggregator") => format!("{area} (aggregator)").trim_start().to_owned(),
            (area, _) => area,
        };
        [one.domain.clone(), area, freshness, heard(one), shown(components), shown(alarms)]
    };
    let headings = ["DOMAIN", "AREA", "SEEN AS", "HEARD", "COMPONENTS", "ALARMS"];
    if total > 0 {
        output.table(headings, page.items.iter().map(row).collect())?;
    }
    super::rollups::list(&page.items, output)?;
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
            let says =
                |end: &Option<serde_json::Value>| end.as_ref().and_then(|end| end["state"].as_str().map(str::to_owned));
            let ours = says(&one.ours).unwrap_or_else(|| "not configured".to_owned());
            let theirs = says(&one.theirs).unwrap_or_else(|| "nothing".to_owned());
            let seen = one.age_ms.map_or_else(|| one.freshness.clone(), |ms| format!("{}, {}", one.freshness, age(ms)));
            let theirs = format!("{theirs} ({seen})");
            [
                one.id.clone(),
                one.domain.clone(),
                one.state.clone(),
                ours,
                theirs,
                one.differences.join("; "),
                qber,
                store,
            ]
        };
        let headings =
            ["LINK", "TO", "STATE", "WE SAY", "IT SAYS", "DIFFERENCES", "QBER HERE / THERE", "STORE HERE / THERE"];
        output.table_and_more(headings, 2, page.items.into_iter().map(row).collect())?;
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
        .line(&format!("For {}: version {}, signed {}, {way}", document.audience, document.version, document.issued))?;
    for section in &document.sections {
        output.line(&format!("  {} ({} bytes)", section.name, section.bytes))?;
        let mut lines = Vec::new();
        told(&section.content, "", &mut lines);
        lines.iter().try_for_each(|(path, value)| output.line(&format!("    {path}: {value}")))?;
        if let Some(problem) = &section.malformed {
            output.line(&format!("    not believed: {problem}"))?;
        }
        if let Some(why) = &section.withheld {
            output.line(&format!("  not shown: {why}"))?;
        }
    }
    Ok(())
}

/// What a section says, a line each: `components mk known: 12`.
pub(super) fn told(content: &serde_json::Value, path: &str, lines: &mut Vec<(String, String)>) {
    let inner = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path} {step}") };
    match content {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(key, value)| told(value, &inner(key), lines));
        }
        serde_json::Value::Array(items) => {
            items.iter().zip(1..).for_each(|(value, number)| told(value, &inner(&number.to_string()), lines));
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => lines.push((path.to_owned(), text.clone())),
        other => lines.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_section_is_told_in_lines() {
        let content =
            serde_json::json!({ "components": { "mk": { "known": 12 } }, "ends": [{ "state": "up" }], "no": null });
        let mut lines = Vec::new();
        super::told(&content, "", &mut lines);
        let lines: Vec<String> = lines.into_iter().map(|(path, value)| format!("{path}: {value}")).collect();
        assert_eq!(lines, ["components mk known: 12", "ends 1 state: up"]);
    }

    #[test]
    fn when_and_from_whom_a_domain_was_heard_is_told_in_words() {
        let view = |via: &[&str], through: serde_json::Value| -> super::DomainView {
            let document = serde_json::json!({
                "audience": "federation", "version": "1.7.3", "issued": "2026-01-01T00:00:00Z", "manifestBytes": 900,
                "from": "hub", "via": via, "sections": [],
            });
            let view = serde_json::json!({
                "domain": "west", "own": false, "area": null, "role": "member", "freshness": "stale", "ageMs": 300_000,
                "disputed": false, "documents": [document], "rollups": [], "knownThrough": through,
            });
            serde_json::from_value(view).unwrap()
        };
        let through = |state: Option<&str>, heard: bool| serde_json::json!({ "domain": "hub", "state": state, "maxAgeMs": null, "heard": heard, "text": "" });
        let told = [
            (view(&[], serde_json::Value::Null), "5 min ago, from itself"),
            (view(&["hub", "north"], serde_json::Value::Null), "5 min ago, by hub, north"),
            (view(&["hub"], through(None, false)), "5 min ago, by hub (silent)"),
            (view(&[], through(Some("fresh"), true)), "in the sum of hub"),
            (view(&[], through(Some("fresh"), false)), "in the sum of hub (silent)"),
        ];
        for (view, expected) in told {
            assert_eq!(super::heard(&view), expected);
        }
        assert_eq!([2_140, 7_199_999, 90_000_000, 300_000_000].map(super::age), ["2.1 s", "119 min", "25 h", "3 d"]);
    }
}
