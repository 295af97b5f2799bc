//! `qkdnm subscription`: who subscribed to what at the manager.

use super::{ApiArgs, Client, CommandResult, Exit, Output, client::percent_encoded, output::count};
use crate::api::{Page, views::SubscriptionView};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List subscriptions, the oldest first.
    #[command(after_help = "Example:\n  qkdnm subscription list")]
    List,
    /// Show one subscription: what was granted, how far its notifications are.
    #[command(after_help = "Example:\n  qkdnm subscription show s0123456789abcdef")]
    Show {
        /// ID, as `subscription list` shows it.
        id: String,
    },
    /// End a subscription. Needs QKDNM_TOKEN with the role operator.
    ///
    /// The subscriber is not told; what it sends for it is refused. It may subscribe again as far as the configuration lets
    /// it (`sees`).
    #[command(after_help = "Example:\n  qkdnm subscription remove s0123456789abcdef")]
    Remove {
        /// ID, as `subscription list` shows it.
        id: String,
    },
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    match command {
        Command::List => list(&client, output),
        Command::Show { id } => {
            let one: SubscriptionView = client.get(&format!("/api/v1/subscriptions/{}", percent_encoded(&id)), &[])?;
            show(&one, output)
        }
        Command::Remove { id } => {
            let nothing = serde_json::json!({});
            let removed: serde_json::Value =
                client.post(&format!("/api/v1/subscriptions/{}/remove", percent_encoded(&id)), &nothing)?;
            if output.is_data() {
                output.document(&removed)?;
            } else {
                output.line(&format!("Subscription {id} removed."))?;
            }
            Ok(Exit::Success)
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let page: Page<SubscriptionView> = client.get("/api/v1/subscriptions", &[])?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    let total = page.items.len();
    if total > 0 {
        let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
        let row = |one: SubscriptionView| {
            let method = one.granted.notification_method.to_string();
            let answered = format!("{}/{}", one.acknowledged, one.last_sequence);
            let (backlog, lost) = (one.backlog.to_string(), one.lost.to_string());
            let (durable, connected) = (yes(one.granted.durable), yes(one.connected));
            [one.id, one.subscriber.to_string(), method, answered, backlog, lost, durable, connected]
        };
        let headings = ["SUBSCRIPTION", "SUBSCRIBER", "METHOD", "ANSWERED", "BACKLOG", "LOST", "DURABLE", "CONNECTED"];
        output.table(headings, page.items.into_iter().map(row).collect())?;
    }
    output.line(&count(total, "subscription"))?;
    Ok(Exit::Success)
}

fn show(one: &SubscriptionView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(one)?;
        return Ok(Exit::Success);
    }
    output.line(&format!("{}  {}  since {}", one.id, one.subscriber, one.created))?;
    let granted = serde_json::to_string_pretty(&one.granted).unwrap_or_default();
    output.line(&format!("granted {granted}"))?;
    output.line(&format!(
        "notifications: {} made, answered up to {}, {} waiting ({} bytes), {} lost; subscriber {}",
        one.last_sequence,
        one.acknowledged,
        one.backlog,
        one.backlog_bytes,
        one.lost,
        if one.connected { "connected" } else { "away" },
    ))?;
    Ok(Exit::Success)
}
