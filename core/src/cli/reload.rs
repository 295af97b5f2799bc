//! `qkdnm config reload` and `qkdnm config status`: whether the files are in force, and putting them in force.

use super::{Client, CommandResult, Exit, Output};
use crate::api::views::{ReloadResult, ReloadStatusView, ReloadView};

/// Has the files taken over, or only says what would change.
pub(super) fn reload(client: &Client, dry_run: bool, output: &mut Output<'_>) -> CommandResult {
    let path = format!("/api/v1/configuration/reload?dryRun={dry_run}");
    let view: ReloadView = client.post(&path, &serde_json::json!({}))?;
    reloaded(&view, output)
}

/// Says what a reload would change; the exit code says whether it would change anything.
pub(super) fn would_change(client: &Client, output: &mut Output<'_>) -> CommandResult {
    let view: ReloadView = client.post("/api/v1/configuration/reload?dryRun=true", &serde_json::json!({}))?;
    let is_same = view.result == ReloadResult::Unchanged;
    reloaded(&view, output)?;
    Ok(if is_same { Exit::Success } else { Exit::Differs })
}

/// Says whether the files are in force.
pub(super) fn status(client: &Client, output: &mut Output<'_>) -> CommandResult {
    told(&client.get("/api/v1/configuration/reload", &[])?, output)
}

fn reloaded(view: &ReloadView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(view)?;
        return Ok(Exit::Success);
    }
    let line = match view.result {
        ReloadResult::Applied => {
            format!("Reloaded in {:.0} ms, {} connections closed.", view.took_ms, view.connections_closed)
        }
        ReloadResult::Unchanged => "The files say what is in force already.".to_owned(),
        ReloadResult::WouldApply => "The files are in order; a reload would change this:".to_owned(),
        ReloadResult::Refused => "Not reloaded; everything is as it was.".to_owned(),
    };
    output.line(&line)?;
    if view.result != ReloadResult::Unchanged {
        view.summary.split(", ").try_for_each(|change| output.line(&format!("  {change}")))?;
    }
    for problem in &view.problems {
        output.line(&format!("  {}", super::client::problem_line(problem)))?;
    }
    if let Some(rehearsal) = &view.rehearsal {
        super::plugin_versions::rehearsed(rehearsal, output)?;
    }
    Ok(Exit::Success)
}

fn told(status: &ReloadStatusView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(status)?;
        return Ok(Exit::Success);
    }
    match &status.file {
        None => output.line("The manager was not started from a file; its configuration cannot be reloaded.")?,
        Some(file) if status.files_differ => {
            output.line(&format!("{file} and what belongs to it DIFFER from what is in force."))?;
        }
        Some(file) => output.line(&format!("{file} and what belongs to it are in force."))?,
    }
    output.line(&format!("In force since {}, number {} since the start.", status.since, status.generation))?;
    let by_itself = if status.reloads_on_change { "" } else { " not" };
    output.line(&format!("A change of the files is{by_itself} taken over by itself (manager.reload_on_change)."))?;
    if let Some(last) = &status.last {
        let word = match last.result {
            ReloadResult::Applied => "applied",
            ReloadResult::Unchanged => "nothing to do",
            ReloadResult::Refused => "REFUSED",
            ReloadResult::WouldApply => "only tried",
        };
        output.line(&format!("Last reload {} by {}: {word}: {}", last.time, last.by, last.summary))?;
        for problem in &last.problems {
            output.line(&format!("  {}", super::client::problem_line(problem)))?;
        }
    }
    Ok(Exit::Success)
}
