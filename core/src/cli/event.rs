//! `qkdnm event`: follows what changes, as it changes (`/api/v1/events`). After a break of the connection it goes on where it
//! was, and says so where something is missing.

use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{ApiArgs, Client, CommandResult, Exit, Output};
use crate::config::limits::API_EVENTS_RETRY;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Follow alarms, and which components report, until interrupted.
    #[command(
        after_help = "Examples:\n  qkdnm event follow --types alarm\n  qkdnm event follow -o json | jq .data.severity"
    )]
    Follow(FollowArgs),
}

/// Arguments of `follow`.
#[derive(Clone, Debug, clap::Args)]
pub struct FollowArgs {
    /// Only these types, with commas between them: alarm, components.
    #[arg(long, value_name = "TYPES")]
    pub types: Option<String>,
    /// Go on behind this event (`id` of the JSON form) instead of beginning with what comes now.
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
}

/// An event as it stands in the stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    kind: String,
    id: String,
    data: String,
}

pub(super) fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let Command::Follow(args) = command;
    let client = Client::new(api)?;
    let (mut after, mut told) = (args.after.clone(), 0);
    let enough = |told: u64| args.count.is_some_and(|most| told >= most);
    // The first connection has to work; a later one is tried again.
    let mut stream = Some(client.follow(&query(&args, after.as_deref()))?);
    loop {
        let began = Instant::now();
        if let Some(stream) = stream.take() {
            let mut lines = BufReader::new(stream).lines();
            while let Some(event) = next_event(&mut lines) {
                after = Some(event.id.clone()).filter(|id| !id.is_empty()).or(after);
                if event.kind == "ready" {
                    continue;
                }
                show(&event, output)?;
                told += 1;
                if enough(told) {
                    return Ok(Exit::Success);
                }
            }
        }
        eprintln!("The connection broke; trying again.");
        std::thread::sleep(API_EVENTS_RETRY.saturating_sub(began.elapsed()).max(Duration::from_millis(500)));
        stream = client.follow(&query(&args, after.as_deref())).ok();
    }
}

fn query(args: &FollowArgs, after: Option<&str>) -> Vec<(&'static str, String)> {
    let types = args.types.iter().map(|types| ("types", types.clone()));
    types.chain(after.map(|id| ("lastEventId", id.to_owned()))).collect()
}

/// The next event of a stream; `None` at its end. Comments and fields that are not known are passed over.
fn next_event(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<Event> {
    let mut event = Event::default();
    loop {
        let line = lines.next()?.ok()?;
        if line.is_empty() {
            if event.kind.is_empty() && event.data.is_empty() {
                event = Event::default();
                continue;
            }
            return Some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.kind),
            "id" => value.clone_into(&mut event.id),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
}

fn show(event: &Event, output: &mut Output<'_>) -> std::io::Result<()> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    if output.is_data() {
        return output.next_document(&serde_json::json!({ "event": event.kind, "id": event.id, "data": data }));
    }
    output.line(&sentence(event, &data))
}

fn sentence(event: &Event, data: &Value) -> String {
    let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    match event.kind.as_str() {
        "alarm" => {
            let state = if data["isCleared"] == true { "cleared".to_owned() } else { text("/severity") };
            let (component, resource) = (text("/component"), text("/resource"));
            let what = if resource.is_empty() { component } else { format!("{component} {resource}") };
            let (time, kind) = (text("/lastChanged"), text("/alarmTypeId"));
            format!("{time}  alarm {:<5} {state:<13} {what}  {kind}: {}", data["id"].to_string(), text("/text"))
        }
        "components" => {
            let named = data["components"].as_array().map_or(0, Vec::len) as u64 + data["more"].as_u64().unwrap_or(0);
            format!("{} reports of {named} components", data["reports"])
        }
        "resync" => "something was missed; list alarms and components anew".to_owned(),
        other => format!("{other} {}", event.data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_event_by_event() {
        let stream = ":comment\n\nevent: alarm\nid: 3.0.1\ndata: {\"id\":4}\n\nretry: 5\nevent:x\ndata:\n\nevent: lost";
        let mut lines = stream.lines().map(|line| Ok(line.to_owned()));
        let event = |kind: &str, id: &str, data: &str| Event { kind: kind.into(), id: id.into(), data: data.into() };
        assert_eq!(next_event(&mut lines), Some(event("alarm", "3.0.1", "{\"id\":4}")));
        assert_eq!(next_event(&mut lines), Some(event("x", "", "")));
        assert_eq!(next_event(&mut lines), None, "an event that broke off is none");
    }

    #[test]
    fn an_alarm_is_told_in_a_line() {
        let data = serde_json::json!({ "id": 4, "component": "mq/a", "resource": "", "alarmTypeId": "t", "severity": "major",
            "isCleared": false, "text": "too hot", "lastChanged": "2026-01-01T00:00:00.000Z" });
        let event = Event { kind: "alarm".into(), ..Event::default() };
        assert_eq!(sentence(&event, &data), "2026-01-01T00:00:00.000Z  alarm 4     major         mq/a  t: too hot");
    }
}
