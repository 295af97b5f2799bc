//! `qkdnm plugin test`: recordings through a plugin, and what follows compared with what followed before.
//!
//! A recording is `NAME.POINT.jsonl`: reports as components send them on that reference point, a line each. What followed is
//! kept beside it, in `NAME.POINT.decisions.txt`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{configuration, difference, sandbox, source, usage};
use crate::{
    cli::{CommandError, CommandResult, Exit, Output, output::count},
    config::{PluginKind, PluginSource},
    manager::trial::{Sandbox, Setting, Trial},
    model::ReferencePoint,
};

/// Arguments of `plugin test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// File of the plugin (.wasm), or builtin:NAME.
    #[arg(value_name = "FILE")]
    plugin: String,
    /// A recording, or a folder of them; by default the folder `recordings` beside the plugin.
    #[arg(long, value_name = "FILE|DIR")]
    recording: Vec<PathBuf>,
    /// The plugin's configuration; by default NAME.POINT.toml beside a recording, if there is one.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Write down what follows now, to be compared with from now on.
    #[arg(long)]
    update: bool,
}

/// What came of a recording, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tested {
    recording: PathBuf,
    reports: usize,
    verdict: Verdict,
    decisions: Vec<String>,
    difference: Vec<String>,
    failures: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    Same,
    Written,
    Different,
    NothingToCompareWith,
    KeepsSomething,
}

pub(super) fn run(args: &TestArgs, output: &mut Output<'_>) -> CommandResult {
    super::log_of_plugins();
    let plugin = source(&args.plugin);
    let sandbox = sandbox()?;
    let role = role(&plugin, &sandbox)?;
    let recordings = recordings(&plugin, &args.recording)?;
    let mut all = Vec::new();
    for recording in &recordings {
        let tested = test(args, &plugin, role, recording, &sandbox)?;
        if !output.is_data() {
            show(&tested, output)?;
        }
        all.push(tested);
    }
    let is_right = all.iter().all(|tested| matches!(tested.verdict, Verdict::Same | Verdict::Written));
    if output.is_data() {
        output.document(&all)?;
    }
    Ok(if is_right { Exit::Success } else { Exit::Failure })
}

/// What the plugin is: handlers and policies are tested.
pub(super) fn role(plugin: &PluginSource, sandbox: &Sandbox) -> Result<PluginKind, CommandError> {
    let none = serde_json::json!({});
    let inspected = sandbox.host().inspect(plugin, ReferencePoint::Mk, &none).map_err(CommandError::usage)?;
    match (inspected.role, inspected.problem) {
        (_, Some(problem)) => Err(usage(problem)),
        (Some(PluginKind::Exchange), None) => Err(usage(format!(
            "{plugin} is an exchange policy, which sees no reports: its own tests try it, with `ExchangeHost` of the SDK"
        ))),
        (Some(PluginKind::Collector), None) => Err(usage(format!(
            "{plugin} is a collector, which sees no reports: its own tests try it, with `CollectorHost` of the SDK"
        ))),
        (Some(role), None) => Ok(role),
        (None, None) => Err(usage(format!("{plugin} is no plugin"))),
    }
}

/// The recordings that are meant, sorted.
pub(super) fn recordings(plugin: &PluginSource, named: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let beside = match plugin {
        PluginSource::File(file) => file.parent().map(|folder| folder.join("recordings")),
        PluginSource::Builtin(_) | PluginSource::Native(_) => None,
    };
    let named = if named.is_empty() { beside.into_iter().collect() } else { named.to_vec() };
    let mut found = Vec::new();
    for path in &named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = path.read_dir().map_err(|error| usage(format!("{}: {error}", path.display())))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        found.extend(files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")));
    }
    found.sort();
    if found.is_empty() {
        let wanted =
            "NAME.POINT.jsonl, such as failing-relays.mk.jsonl, with a report on each line; --recording names it";
        return Err(usage(format!("there is no recording to test {plugin} with: a file {wanted}")));
    }
    Ok(found)
}

/// The reference point in a recording's name.
pub(super) fn point_of(recording: &Path) -> Result<ReferencePoint, CommandError> {
    let name = recording.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let point = name.strip_suffix(".jsonl").and_then(|name| name.rsplit('.').next()?.parse().ok());
    point.ok_or_else(|| {
        usage(format!(
            "{}: on which reference point was this said? A recording's name is NAME.POINT.jsonl, such as first.mk.jsonl",
            recording.display()
        ))
    })
}

/// The configuration of a plugin for a recording.
pub(super) fn config_for(named: Option<&Path>, recording: &Path) -> Result<serde_json::Value, CommandError> {
    let beside = recording.with_extension("toml");
    configuration(named.or_else(|| beside.is_file().then_some(beside.as_path())))
}

/// Lines of a recording with their numbers, those that say nothing left out.
pub(super) fn lines(recording: &Path) -> Result<Vec<(usize, String)>, CommandError> {
    let text = std::fs::read_to_string(recording);
    let text = text.map_err(|error| usage(format!("{}: {error}", recording.display())))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(lines.map(|(index, line)| (index + 1, line.to_owned())).collect())
}

/// Name that the plugin is configured under: that of its file.
pub(super) fn name_of(plugin: &PluginSource) -> String {
    match plugin {
        PluginSource::Builtin(name) => name.clone(),
        PluginSource::File(path) | PluginSource::Native(path) => {
            path.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().replace('_', "-"))
        }
    }
}

fn test(
    args: &TestArgs,
    plugin: &PluginSource,
    role: PluginKind,
    recording: &Path,
    sandbox: &Sandbox,
) -> Result<Tested, CommandError> {
    let config = config_for(args.config.as_deref(), recording)?;
    let name = name_of(plugin);
    let setting = Setting { plugin, role, name: &name, point: point_of(recording)?, config: &config, forgetful: false };
    let lines = lines(recording)?;
    let (decisions, failures) = follow(sandbox.trial(&setting)?, &lines);
    let (anew, _) = follow(sandbox.trial(&Setting { forgetful: true, ..setting })?, &lines);
    let snapshot = recording.with_extension("decisions.txt");
    let before = std::fs::read_to_string(&snapshot).ok();
    let before: Option<Vec<&str>> = before.as_deref().map(|text| text.lines().collect());
    let now: Vec<&str> = decisions.iter().map(String::as_str).collect();
    let mut difference = Vec::new();
    let verdict = match before {
        _ if anew != decisions => {
            let anew: Vec<&str> = anew.iter().map(String::as_str).collect();
            difference = difference::lines(&now, &anew);
            Verdict::KeepsSomething
        }
        Some(before) if before == now => Verdict::Same,
        _ if args.update => {
            let text = decisions.iter().map(|line| format!("{line}\n")).collect::<String>();
            std::fs::write(&snapshot, text).map_err(|error| usage(format!("{}: {error}", snapshot.display())))?;
            Verdict::Written
        }
        Some(before) => {
            difference = difference::lines(&before, &now);
            Verdict::Different
        }
        None => Verdict::NothingToCompareWith,
    };
    Ok(Tested { recording: recording.to_owned(), reports: lines.len(), verdict, decisions, difference, failures })
}

/// What follows from all lines: decisions, and failures of the plugin.
fn follow(mut trial: Trial, lines: &[(usize, String)]) -> (Vec<String>, Vec<String>) {
    let (mut decisions, mut failures) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        let followed = trial.line(*number, line);
        decisions.extend(followed.lines.iter().flat_map(|line| line.lines()).map(str::to_owned));
        failures.extend(followed.failures);
    }
    (decisions, failures)
}

fn show(tested: &Tested, output: &mut Output<'_>) -> Result<(), CommandError> {
    let (recording, reports) = (tested.recording.display(), count(tested.reports, "report"));
    let heading = match tested.verdict {
        Verdict::Same => format!("{recording}: {reports}, the same followed"),
        Verdict::Written => format!("{recording}: {reports}, what followed is written down"),
        Verdict::Different => {
            format!("{recording}: {reports}, something else followed (- before, + now; --update takes it over)")
        }
        Verdict::NothingToCompareWith => {
            format!("{recording}: {reports}, and nothing to compare with yet (--update writes this down)")
        }
        Verdict::KeepsSomething => format!(
            "{recording}: {reports}, and what follows is another thing where each call has a new instance (- one instance, + new \
             ones). A manager drops instances as it likes: what is to be remembered belongs into the state"
        ),
    };
    output.line(&heading)?;
    let shown = match tested.verdict {
        Verdict::Same => &[],
        Verdict::Different | Verdict::KeepsSomething => tested.difference.as_slice(),
        Verdict::Written | Verdict::NothingToCompareWith => tested.decisions.as_slice(),
    };
    for line in shown {
        output.line(&format!("  {line}"))?;
    }
    for failure in &tested.failures {
        output.line("  trace of a failure:")?;
        for line in failure.lines() {
            output.line(&format!("    {line}"))?;
        }
    }
    Ok(())
}
