//! `qkdnm token`: makes tokens for the HTTP API. Works on this machine alone; the manager knows only the digest.

use std::time::Duration;

use aws_lc_rs::{digest, rand};
use serde_json::json;

use super::{CommandError, CommandResult, Exit, Output};
use crate::{
    config::{limits, quantity},
    model::Timestamp,
};

/// Bytes from the system's random generator in a token.
const RANDOM_BYTES: usize = 32;
/// What a token begins with, so that people and scanners for lost secrets know what it is.
const PREFIX: &str = "qkdnm_";

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token, and print it with the table that makes it known to a manager.
    ///
    /// The token is shown this once and is stored nowhere. The table goes into manager.toml; it holds the token's SHA-256
    /// and not the token. Clients send it as `Authorization: Bearer TOKEN`; commands of qkdnm take it from QKDNM_TOKEN.
    #[command(
        after_help = "Examples:\n  qkdnm token new --name ops --role operator --expires 90d\n  qkdnm token new --name grafana --role viewer --expires 2027-12-31T00:00:00Z"
    )]
    New(NewArgs),
}

/// Whose token, and what it may do.
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// Name that the audit trail and the history of alarms show.
    #[arg(long)]
    name: String,
    /// viewer reads, operator also acts on alarms and components, admin may do everything.
    #[arg(long, value_parser = ["viewer", "operator", "admin"])]
    role: String,
    /// Not valid from then on: a time (RFC 3339), or a span from now such as 90d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

pub(super) fn run(command: Command, output: &mut Output<'_>) -> CommandResult {
    let Command::New(args) = command;
    let chars = args.name.chars().count();
    if chars == 0 || chars > limits::NAME_CHARS || args.name.chars().any(char::is_control) {
        return Err(CommandError::usage(anyhow::anyhow!(
            "--name takes 1 to {} characters, none of them a control character",
            limits::NAME_CHARS
        )));
    }
    let now = Timestamp::of(std::time::SystemTime::now());
    let expires = args.expires.map(|text| expiry(&text, now)).transpose()?;
    let token = random()?;
    let sha256 = digest_of(&token);
    let table = table(&args.name, &sha256, &args.role, expires);
    if output.is_data() {
        let expires = expires.map(|time| time.to_string());
        output.document(
            &json!({ "token": token, "name": args.name, "sha256": sha256, "role": args.role, "expires": expires }),
        )?;
        return Ok(Exit::Success);
    }
    output.line("The token, shown this once:")?;
    output.line("")?;
    output.line(&format!("  {token}"))?;
    output.line("")?;
    output.line("For manager.toml:")?;
    output.line("")?;
    table.lines().try_for_each(|line| output.line(line))?;
    Ok(Exit::Success)
}

fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, CommandError> {
    let span = quantity::duration(text).ok().filter(|span| *span > Duration::ZERO);
    let after = span.and_then(|span| i64::try_from(span.as_millis()).ok()).map(|span| now.plus(span));
    let time = after.or_else(|| Timestamp::parse(text)).ok_or_else(|| {
        CommandError::usage(anyhow::anyhow!(
            "--expires: `{text}` is no time such as 2027-12-31T00:00:00Z, and no span such as 90d"
        ))
    })?;
    if time <= now {
        return Err(CommandError::usage(anyhow::anyhow!(
            "--expires: {time} is past; such a token would never be valid"
        )));
    }
    Ok(time)
}

fn random() -> Result<String, CommandError> {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes.iter().fold(PREFIX.to_owned(), |token, byte| format!("{token}{byte:02x}")))
}

fn digest_of(token: &str) -> String {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    digest.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The table of the configuration.
fn table(name: &str, sha256: &str, role: &str, expires: Option<Timestamp>) -> String {
    let name = toml::Value::from(name);
    let mut table = format!("[[api.tokens]]\nname = {name}\nsha256 = \"{sha256}\"\nrole = \"{role}\"\n");
    if let Some(expires) = expires {
        table.push_str(&format!("expires = \"{expires}\"\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_random_and_known_by_its_digest() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 2 * RANDOM_BYTES);
        // SHA-256 of `abc`, from FIPS 180-2.
        assert_eq!(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn it_ends_at_a_time_or_after_a_span() {
        let now = Timestamp::parse("2026-11-26T08:00:00Z").unwrap();
        assert_eq!(expiry("2d", now).unwrap(), now.plus(2 * 86_400_000));
        assert_eq!(expiry("2026-11-26T08:00:01Z", now).unwrap(), now.plus(1_000));
        for bad in ["2026-11-26T08:00:00Z", "0s", "-1d", "soon", ""] {
            assert!(matches!(expiry(bad, now), Err(CommandError::Usage(_))), "{bad}");
        }
    }
}
