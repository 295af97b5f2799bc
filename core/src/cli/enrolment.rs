//! Components that wait for approval, on the command line: part of `qkdnm component`.

use super::{
    Client, CommandResult, Exit, Output,
    client::component_path,
    output::{count, time},
};
use crate::{
    api::views::{EnrolmentState, EnrolmentView},
    model::{ComponentRef, Timestamp},
};

const PATH: &str = "/api/v1/enrolments";

/// About whom something is decided, and why.
#[derive(Debug, clap::Args)]
pub struct DecideArgs {
    /// Reference point and component ID.
    #[arg(value_name = "COMPONENT")]
    component: ComponentRef,
    /// SHA-256 of the certificate that is meant; refused if another one was shown. Needed where certificates of several
    /// authorities are shown.
    #[arg(long, value_name = "SHA256")]
    fingerprint: Option<String>,
    /// Why; kept with the decision and in the audit trail.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

/// Lists those in a state.
pub(super) fn list(state: EnrolmentState, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let query = [("state", state.as_str().to_owned())];
    let page = client.list::<EnrolmentView>(PATH, &query, usize::MAX)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = format!("{} {}", count(page.items.len(), "component"), state.as_str());
    if !page.items.is_empty() {
        let row = |one: EnrolmentView| {
            let (from, when, who) = match one.state {
                EnrolmentState::Waiting => (one.address.unwrap_or_default(), one.first_seen, time(one.last_seen)),
                _ => (one.note.unwrap_or_default(), one.decided, one.decided_by.unwrap_or_default()),
            };
            [one.component.to_string(), one.fingerprint, one.subject, one.issuer, from, maybe(when), who]
        };
        let headings = match state {
            EnrolmentState::Waiting => {
                ["COMPONENT", "FINGERPRINT", "SUBJECT", "ISSUER", "FROM", "FIRST SEEN", "LAST SEEN"]
            }
            _ => ["COMPONENT", "FINGERPRINT", "SUBJECT", "ISSUER", "NOTE", "DECIDED", "BY"],
        };
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&total)?;
    Ok(Exit::Success)
}

/// What is known of a component's enrolment.
pub(super) fn of(component: &ComponentRef, client: &Client) -> anyhow::Result<Vec<EnrolmentView>> {
    Ok(client.list::<EnrolmentView>(PATH, &[("component", component.to_string())], usize::MAX)?.items)
}

/// Shows it, one block a certificate.
pub(super) fn show(enrolments: &[EnrolmentView], output: &mut Output<'_>) -> std::io::Result<()> {
    for (at, one) in enrolments.iter().enumerate() {
        if at > 0 {
            output.line("")?;
        }
        let connected = if one.connections > 0 { count(one.connections, "connection") } else { String::new() };
        output.fields(&[
            ("Component", one.component.to_string()),
            ("Enrolment", one.state.as_str().to_owned()),
            ("SAN", one.san.clone()),
            ("Fingerprint", format!("sha256:{}", one.fingerprint)),
            ("Subject", one.subject.clone()),
            ("Issuer", one.issuer.clone()),
            ("Authority key", format!("sha256:{}", one.authority)),
            ("Valid until", one.not_after.to_string()),
            ("From", one.address.clone().unwrap_or_default()),
            ("Waits with", connected),
            ("First seen", maybe(one.first_seen)),
            ("Last seen", maybe(one.last_seen)),
            ("Decided", maybe(one.decided)),
            ("By", one.decided_by.clone().unwrap_or_default()),
            ("Note", one.note.clone().unwrap_or_default()),
        ])?;
    }
    Ok(())
}

fn maybe(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Decides; `action` is the last part of the path.
pub(super) fn decide(action: &str, args: &DecideArgs, client: &Client, output: &mut Output<'_>) -> CommandResult {
    let body = match &args.fingerprint {
        Some(fingerprint) => serde_json::json!({ "fingerprint": fingerprint, "note": args.note }),
        None => serde_json::json!({ "note": args.note }),
    };
    let done: EnrolmentView = client.post(&format!("{}/{action}", component_path(&args.component)), &body)?;
    if output.is_data() {
        output.document(&done)?;
        return Ok(Exit::Success);
    }
    output.line(&format!(
        "{} is {}: certificate sha256:{} of {}, issued by {}.",
        done.component,
        done.state.as_str(),
        done.fingerprint,
        done.subject,
        done.issuer
    ))?;
    Ok(Exit::Success)
}
