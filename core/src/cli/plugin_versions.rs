//! `qkdnm plugin reload` and `rollback`: other versions of single plugins while the manager runs, and what would be different with them.

use super::{ApiArgs, Client, CommandResult, Exit, Output, client::percent_encoded, plugin_author::difference};
use crate::api::views::{RehearsalView, ReloadResult, ReloadView};

/// What is taken over, and how.
#[derive(Debug, clap::Args)]
pub struct ReloadArgs {
    /// A handler's or policy's name in the configuration, or where plugins come from (their path): then all that do.
    name: String,
    /// Only say what would be different: the last 1,000 reports go through both versions.
    #[arg(long)]
    dry_run: bool,
    /// Take it over also if it fails where the version in force does not.
    #[arg(long, conflicts_with = "dry_run")]
    anyway: bool,
}

pub(super) fn reload(args: &ReloadArgs, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let (name, dry_run, anyway) = (percent_encoded(&args.name), args.dry_run, args.anyway);
    let path = format!("/api/v1/plugins/{name}/reload?dryRun={dry_run}&anyway={anyway}");
    let view: ReloadView = Client::new(api)?.post(&path, &serde_json::json!({}))?;
    told(&view, output)
}

pub(super) fn roll_back(name: &str, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let path = format!("/api/v1/plugins/{}/rollback", percent_encoded(name));
    let view: ReloadView = Client::new(api)?.post(&path, &serde_json::json!({}))?;
    told(&view, output)
}

fn told(view: &ReloadView, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        output.document(view)?;
        return Ok(Exit::Success);
    }
    output.line(&match view.result {
        ReloadResult::Applied => format!("In force after {:.0} ms: {}", view.took_ms, view.summary),
        ReloadResult::Unchanged => format!("Nothing to do: {}", view.summary),
        ReloadResult::WouldApply => format!("It could be taken over: {}", view.summary),
        ReloadResult::Refused => format!("Not taken over: {}", view.summary),
    })?;
    if let Some(rehearsal) = &view.rehearsal {
        rehearsed(rehearsal, output)?;
    }
    for problem in &view.problems {
        output.line(&format!("  {}", super::client::problem_line(problem)))?;
    }
    Ok(Exit::Success)
}

/// What is different, as a list that a person reads from the top.
pub(super) fn rehearsed(rehearsal: &RehearsalView, output: &mut Output<'_>) -> std::io::Result<()> {
    output.line(&rehearsal.sentence())?;
    for one in &rehearsal.differences {
        let number = one.sequence.map(|sequence| format!(" number {sequence}")).unwrap_or_default();
        output.line(&format!("{} {}{number}", one.time, one.component))?;
        let before: Vec<&str> = one.before.iter().map(String::as_str).collect();
        let now: Vec<&str> = one.now.iter().map(String::as_str).collect();
        for line in difference::lines(&before, &now) {
            output.line(&format!("  {line}"))?;
        }
    }
    let more = rehearsal.different - rehearsal.differences.len().min(rehearsal.different);
    if more > 0 {
        output.line(&format!("... and {more} more reports"))?;
    }
    if let Some(failure) = &rehearsal.first_failure {
        output.line("The first failure of the other version:")?;
        failure.lines().try_for_each(|line| output.line(&format!("  {line}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::views::RehearsalDifferenceView, cli::Format, model::Timestamp};

    #[test]
    fn a_rehearsal_shows_what_follows_before_and_now() {
        let difference = RehearsalDifferenceView {
            component: "mk/km-1".to_owned(),
            time: Timestamp(0),
            sequence: Some(7),
            before: vec!["success".to_owned()],
            now: vec!["rejected: too blue".to_owned()],
        };
        let rehearsal = RehearsalView {
            plugins: vec!["own".to_owned()],
            reports: 1_000,
            different: 3,
            failures_now: 1,
            differences: vec![difference],
            ..RehearsalView::default()
        };
        let mut printed = Vec::new();
        rehearsed(&rehearsal, &mut Output::plain(&mut printed, Format::Table)).unwrap();
        let text = String::from_utf8(printed).unwrap();
        assert!(
            text.contains("own: of the last 1000 reports, something else follows from 3; 1 calls fail, 0 did"),
            "{text}"
        );
        assert!(text.contains("mk/km-1 number 7\n  - success\n  + rejected: too blue"), "{text}");
        assert!(text.contains("... and 2 more reports"), "{text}");
    }
}
