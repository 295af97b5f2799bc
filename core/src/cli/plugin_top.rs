//! `qkdnm plugin top`: what plugins cost, live. The first look shows what was since the manager started, each further one what was since
//! the look before. In: `/api/v1/plugin-activity`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    thread,
    time::{Duration, Instant},
};

use super::{ApiArgs, Client, CommandResult, Exit, Output, watch};
use crate::api::{
    Page,
    views::{ActivityView, PluginActivityView},
};

/// How it is looked.
#[derive(Debug, clap::Args)]
pub struct TopArgs {
    /// Show once what was since the manager started, and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    every: f64,
    /// A line below each plugin for each of its instances: a plugin has one in each shard.
    #[arg(long)]
    instances: bool,
    /// End after so many looks.
    #[arg(long, value_name = "N", conflicts_with = "once")]
    looks: Option<u64>,
}

const PATH: &str = "/api/v1/plugin-activity";

pub(super) fn run(args: &TopArgs, api: &ApiArgs, output: &mut Output<'_>) -> CommandResult {
    let client = Client::new(api)?;
    let mut before: Page<PluginActivityView> = client.get(PATH, &[])?;
    if args.once {
        if output.is_data() {
            output.list(&before)?;
        } else {
            table(&before, None, args.instances, output)?;
        }
        return Ok(Exit::Success);
    }
    let mut at = Instant::now();
    let terminal = io::stdout().is_terminal() && !output.is_data();
    if terminal {
        write!(io::stdout(), "\x1b[2J")?;
    }
    show(&before, None, args, terminal, output)?;
    let mut looks = 1;
    while args.looks.is_none_or(|most| looks < most) {
        thread::sleep(Duration::from_secs_f64(args.every.clamp(0.1, 3_600.0)));
        let now: Page<PluginActivityView> = client.get(PATH, &[])?;
        let span = at.elapsed();
        at = Instant::now();
        show(&now, Some((&before, span)), args, terminal, output)?;
        before = now;
        looks += 1;
    }
    Ok(Exit::Success)
}

type Before<'a> = Option<(&'a Page<PluginActivityView>, Duration)>;

fn show(
    now: &Page<PluginActivityView>,
    before: Before<'_>,
    args: &TopArgs,
    terminal: bool,
    output: &mut Output<'_>,
) -> CommandResult {
    if output.is_data() {
        output.next_document(now)?;
        return Ok(Exit::Success);
    }
    if !terminal {
        table(now, before, args.instances, output)?;
        return Ok(Exit::Success);
    }
    let mut printed = Vec::new();
    table(now, before, args.instances, &mut Output::buffered(&mut printed, super::Format::Table, true))?;
    watch::paint(&printed, true)?;
    Ok(Exit::Success)
}

fn table(
    now: &Page<PluginActivityView>,
    before: Before<'_>,
    instances: bool,
    output: &mut Output<'_>,
) -> io::Result<()> {
    let calls = if before.is_some() { "CALLS/S" } else { "CALLS" };
    let reports = if before.is_some() { "REPORTS/S" } else { "REPORTS" };
    let headings =
        ["PLUGIN", "ROLE", calls, reports, "P50", "P99", "CPU", "MEMORY", "STATE", "FAILED", "REFUSED", "NOW"];
    let mut rows = Vec::new();
    for one in &now.items {
        let was =
            before.and_then(|(page, _)| page.items.iter().find(|was| was.name == one.name && was.role == one.role));
        let span = before.map(|(_, span)| span);
        let busy = one.instances.iter().filter_map(|instance| instance.busy_ms).max();
        // Its file has something else.
        let mark = if one.held_back_sha256.is_some() { " (rolled back)" } else { "" };
        let id = [format!("{}{mark}", one.name), one.role.clone()];
        rows.push((one.total.seconds, row(id, &one.total, was.map(|was| &was.total), span, busy)));
        for instance in one.instances.iter().filter(|_| instances) {
            let was = was.and_then(|was| was.instances.iter().find(|was| was.instance == instance.instance));
            let id = [format!("  {}", instance.instance), String::new()];
            let was = was.map(|was| &was.activity);
            rows.push((one.total.seconds, row(id, &instance.activity, was, span, instance.busy_ms)));
        }
    }
    // What costs most first; a plugin's instances stay with it.
    rows.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    output.table(headings, rows.into_iter().map(|(_, row)| row).collect())?;
    let since = before.map_or_else(
        || "since the manager started".to_owned(),
        |(_, span)| format!("in the last {:.1} s; failed and refused since the start", span.as_secs_f64()),
    );
    output.line(&format!("{} plugins, {since}", now.items.len()))
}

fn row(
    id: [String; 2],
    now: &ActivityView,
    before: Option<&ActivityView>,
    span: Option<Duration>,
    busy: Option<u64>,
) -> [String; 12] {
    let done = before.map_or_else(|| now.clone(), |before| now.since(before));
    let [name, role] = id;
    let failed: Vec<String> = now.failures_by_kind.iter().map(|(kind, calls)| format!("{calls} {kind}")).collect();
    [
        name,
        role,
        number(done.calls, span),
        number(done.reports, span),
        duration(done.p50_us),
        duration(done.p99_us),
        span.map_or_else(
            || format!("{:.2} s", done.cpu_seconds),
            |span| format!("{:.1} %", done.cpu_seconds / span.as_secs_f64() * 100.0),
        ),
        size(now.memory_bytes),
        if now.subjects == 0 { "-".to_owned() } else { format!("{} of {}", size(now.state_bytes), now.subjects) },
        if failed.is_empty() { "-".to_owned() } else { failed.join(", ") },
        if now.reports_refused == 0 { "-".to_owned() } else { now.reports_refused.to_string() },
        // What runs for longer than a look takes is worth a look.
        busy.filter(|ms| *ms >= 100).map_or_else(String::new, |ms| format!("in a call for {ms} ms")),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn number(n: u64, span: Option<Duration>) -> String {
    span.map_or_else(|| n.to_string(), |span| format!("{:.0}", n as f64 / span.as_secs_f64()))
}

fn duration(microseconds: Option<f64>) -> String {
    match microseconds {
        None => "-".to_owned(),
        Some(us) if us < 1e3 => format!("{us:.1} us"),
        Some(us) if us < 1e6 => format!("{:.1} ms", us / 1e3),
        Some(us) => format!("{:.1} s", us / 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn size(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes if bytes < 1 << 10 => format!("{bytes} B"),
        bytes if bytes < 1 << 20 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        bytes => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        assert_eq!(
            (size(0), size(10), size(2_048), size(3 << 20)),
            ("-".into(), "10 B".into(), "2.0 KiB".into(), "3.0 MiB".into())
        );
        assert_eq!(
            (duration(None), duration(Some(7.5)), duration(Some(2_500.0))),
            ("-".into(), "7.5 us".into(), "2.5 ms".into())
        );
        assert_eq!(number(10, Some(Duration::from_secs(2))), "5");
    }

    #[test]
    fn a_row_has_rates_of_the_span_and_failures_since_the_start() {
        let before = ActivityView { calls: 100, cpu_seconds: 1.0, ..ActivityView::default() };
        let now = ActivityView {
            calls: 300,
            cpu_seconds: 1.5,
            failures_by_kind: [("trap".to_owned(), 2)].into(),
            ..ActivityView::default()
        };
        let id = ["a".to_owned(), "policy".to_owned()];
        let row = row(id, &now, Some(&before), Some(Duration::from_secs(2)), Some(250));
        assert_eq!((row[2].as_str(), row[6].as_str(), row[9].as_str()), ("100", "25.0 %", "2 trap"));
        assert_eq!(row[11], "in a call for 250 ms");
    }
}
