//! `qkdnm audit`: lists the audit trail over the API; reads and verifies that of a data directory on this machine, without a
//! manager.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{ApiArgs, Client, CommandError, CommandResult, Exit, Output, output::count};
use crate::{
    api::views::AuditEntryView,
    config::limits,
    telemetry::audit::{
        chain::{Break, Link, Verified, Verifier},
        files,
    },
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Verify that nothing in the trail was changed, left out or exchanged.
    #[command(
        after_help = "The head that is shown stands for the whole trail. Note it elsewhere (the manager logs it at every start \
                      and stop) and give it with --head later: then entries cut off at the end are found, too.\n\nExamples:\n  \
                      qkdnm audit verify data\n  qkdnm audit verify data --head 3f5a..."
    )]
    Verify {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
        /// A head noted earlier, which has to be in the trail.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// List entries over the manager's API, the newest first. Needs QKDNM_TOKEN with the role operator.
    #[command(
        after_help = "Examples:\n  qkdnm audit list --kind refused\n  qkdnm audit list --who ops --from -7d -o csv"
    )]
    List(ListArgs),
    /// Show entries of a data directory on this machine, oldest first; no manager has to run.
    #[command(after_help = "Examples:\n  qkdnm audit show data\n  qkdnm audit show data --kind refused --last 20")]
    Show {
        /// The data directory (`manager.data_dir`).
        dir: PathBuf,
        /// Only of this kind.
        #[arg(long, value_parser = KINDS)]
        kind: Option<String>,
        /// Only of this operator, component or fingerprint.
        #[arg(long)]
        who: Option<String>,
        /// Only the last so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        last: usize,
    },
}

/// Kinds of entries.
const KINDS: [&str; 9] =
    ["refused", "operator", "configuration", "enrolment", "exporter", "federation", "start", "stop", "audit"];

/// Which entries.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only of this kind.
    #[arg(long, value_parser = KINDS)]
    kind: Option<String>,
    /// Only of this operator, component or fingerprint.
    #[arg(long)]
    who: Option<String>,
    /// At or after this time (RFC 3339), or so long ago, such as -7d.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    from: Option<String>,
    /// Before this time.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    to: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = limits::API_PAGE, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// Does what was asked.
pub fn run(command: Command, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    match command {
        Command::List(args) => list(args, api, output),
        Command::Verify { dir, head } => verify(&dir, head, output),
        Command::Show { dir, kind, who, last } => show(&dir, kind.as_deref(), who.as_deref(), last, output),
    }
}

fn list(args: ListArgs, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let query = [("kind", args.kind), ("who", args.who), ("from", args.from), ("to", args.to)];
    let query: Vec<(&str, String)> =
        query.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    let page = Client::new(api)?.list::<AuditEntryView>("/api/v1/audit", &query, args.limit)?;
    if output.is_data() {
        output.list(&page)?;
        return Ok(Exit::Success);
    }
    if page.items.is_empty() {
        output.line("No entries.")?;
        return Ok(Exit::Success);
    }
    let rows = page.items.into_iter();
    let rows = rows.map(|entry| [entry.number.to_string(), entry.time.to_string(), entry.kind, entry.who, entry.what]);
    output.table(["NUMBER", "TIME", "KIND", "WHO", "WHAT"], rows.collect())?;
    if page.next.is_some() {
        output.line("There are more, see --limit.")?;
    }
    Ok(Exit::Success)
}

fn known(dir: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let files = files(dir);
    if files.is_empty() {
        return Err(CommandError::usage(anyhow::anyhow!(
            "{} holds no audit trail (audit.jsonl); name the folder in manager.data_dir",
            dir.display()
        )));
    }
    Ok(files)
}

/// Calls `take` with each line, its file and its number.
fn each_line<E: Into<anyhow::Error>>(
    files: &[PathBuf],
    mut take: impl FnMut(&[u8], &Path, usize) -> Result<(), E>,
) -> anyhow::Result<()> {
    for path in files {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let (mut reader, mut line, mut number) = (BufReader::new(file), Vec::new(), 0);
        loop {
            line.clear();
            let read =
                reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", path.display()))?;
            if read == 0 {
                break;
            }
            number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            take(&line, path, number).map_err(Into::into)?;
        }
    }
    Ok(())
}

fn verify(dir: &Path, head: Option<String>, output: &mut Output<'_>) -> CommandResult {
    let files = known(dir)?;
    let mut verifier = Verifier::new(head.map(|head| head.to_lowercase()));
    let walked =
        each_line(&files, |line, path, number| verifier.line(line, || format!("{}, line {number}", path.display())));
    let found = match walked.and_then(|()| verifier.finish().map_err(Into::into)) {
        Ok(found) => found,
        Err(error) if error.is::<Break>() => {
            if output.is_data() {
                output.document(&serde_json::json!({ "verified": false, "break": error.to_string() }))?;
            }
            return Err(error.context("the audit trail does not hold together").into());
        }
        Err(error) => return Err(error.into()),
    };
    if output.is_data() {
        let mut document = serde_json::to_value(&found)?;
        document["verified"] = true.into();
        output.document(&document)?;
    } else {
        told(&found, output)?;
    }
    Ok(Exit::Success)
}

fn told(found: &Verified, output: &mut Output<'_>) -> std::io::Result<()> {
    let entries = usize::try_from(found.entries).unwrap_or(usize::MAX);
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    output.line(&format!("The audit trail holds together: {entries}, from number {} on.", found.first_number))?;
    if let Some((first, last)) = found.times {
        output.line(&format!("From {first} to {last}."))?;
    }
    if found.torn > 0 {
        output.line(&format!("{} cut short by a crash or a full disk.", count(found.torn as usize, "line")))?;
    }
    if found.lost > 0 {
        output.line(&format!("The trail says itself that {} entries were lost.", found.lost))?;
    }
    if found.passed_head {
        output.line("The head asked for is in it.")?;
    }
    output.line(&format!("Head: {}", found.head.hash))
}

fn show(dir: &Path, kind: Option<&str>, who: Option<&str>, last: usize, output: &mut Output<'_>) -> CommandResult {
    let mut links = std::collections::VecDeque::new();
    each_line(&known(dir)?, |line, _, _| {
        let matches = |link: &Link| {
            kind.is_none_or(|kind| link.entry.kind == kind) && who.is_none_or(|who| link.entry.who == who)
        };
        links.extend(serde_json::from_slice::<Link>(line).ok().filter(matches));
        if links.len() > last {
            links.pop_front();
        }
        Ok::<_, anyhow::Error>(())
    })?;
    if output.is_data() {
        output.document(&links)?;
        return Ok(Exit::Success);
    }
    let rows = links.into_iter().map(|link| {
        let entry = link.entry;
        [link.number.to_string(), entry.time.to_string(), entry.kind, entry.who, entry.what]
    });
    output.table(["NUMBER", "TIME", "KIND", "WHO", "WHAT"], rows.collect())?;
    Ok(Exit::Success)
}
