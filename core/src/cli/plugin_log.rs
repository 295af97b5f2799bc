//! `qkdnm plugin log`: what plugins said and what went wrong in them, for their authors. In: `/api/v1/plugin-log`.

use std::{io, thread, time::Duration};

use super::{ApiArgs, Client, CommandResult, Exit, Output};
use crate::api::{Page, views::PluginLineView};

/// Which lines, and for how long.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The plugin's name in the configuration; by default all plugins.
    name: Option<String>,
    /// Go on with what comes, until interrupted.
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Of what is there, only so many of the newest lines.
    #[arg(long, value_name = "N")]
    lines: Option<usize>,
    /// With --follow: end after so many lines.
    #[arg(long, value_name = "N", requires = "follow")]
    count: Option<u64>,
}

const PATH: &str = "/api/v1/plugin-log";
/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn run(args: &LogArgs, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    let (mut after, mut told) = (0, 0);
    let mut first = true;
    loop {
        let plugin = args.name.iter().map(|name| ("plugin", name.clone()));
        let query: Vec<_> = plugin.chain([("after", after.to_string())]).collect();
        let mut page: Page<PluginLineView> = client.get(PATH, &query)?;
        if std::mem::take(&mut first) {
            let most = args.lines.unwrap_or(usize::MAX);
            after = page.items.last().map_or(0, |line| line.id);
            page.items.drain(..page.items.len().saturating_sub(most));
            if !args.follow && output.is_data() {
                output.list(&page)?;
                return Ok(Exit::Success);
            }
        }
        for line in &page.items {
            after = line.id;
            show(line, args.name.is_none(), output)?;
            told += 1;
            if args.count.is_some_and(|most| told >= most) {
                return Ok(Exit::Success);
            }
        }
        if !args.follow {
            return Ok(Exit::Success);
        }
        thread::sleep(LOOK);
    }
}

fn show(line: &PluginLineView, with_name: bool, output: &mut Output<'_>) -> io::Result<()> {
    if output.is_data() {
        return output.next_document(line);
    }
    for one in lines(line, with_name) {
        output.line(&one)?;
    }
    Ok(())
}

/// On one line, further ones below it, indented.
fn lines(line: &PluginLineView, with_name: bool) -> Vec<String> {
    let what = if line.kind == "log" { line.level.as_str() } else { line.kind.as_str() };
    let name = if with_name { format!("{}  ", line.plugin) } else { String::new() };
    let mut texts = line.text.lines();
    let first = format!("{}  {what:<7}  {name}{}", line.time, texts.next().unwrap_or_default());
    [first].into_iter().chain(texts.map(|text| format!("    {text}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_trace_is_shown_below_its_first_line() {
        let line = PluginLineView {
            id: 1,
            time: Timestamp(0),
            plugin: "acme".into(),
            kind: "failed".into(),
            level: "error".into(),
            text: "trap: panicked\n0: f".into(),
        };
        let shown = lines(&line, true);
        assert_eq!(shown, ["1970-01-01T00:00:00.000Z  failed   acme  trap: panicked", "    0: f"]);
    }
}
