//! What plugins cost: a report in a call, memory, loading, a reload, a start with many of them.
//!
//! Calls are measured as a shard makes them, in this process, beside a native function and an empty plugin that are given the
//! same reports: those of the ingest measurement, 12 values and now and then an object. A start and a reload are measured from
//! outside, of manager processes; plugins of which a measurement needs many are one plugin in files that differ in a section
//! that means nothing, so that each is compiled by itself.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;

use super::{
    costs::POLICIES,
    ingest::median,
    lines::Reporter,
    reload::{TOKEN, post},
    server::Server,
    site::{Member, Setup, Site},
};
use crate::{
    config::{PluginKind, PluginSource, limits::BATCH_REPORTS},
    manager::trial::{Cost, Sandbox, Setting, variant},
    model::{ReferencePoint, Timestamp},
};

/// Reloads of a plugin.
const RELOADS: usize = 10;

/// A plugin beside those that ship, with a recording.
#[derive(Clone, Debug)]
pub struct Also {
    /// What it is called in the table.
    pub name: String,
    /// It.
    pub plugin: PluginSource,
    /// Handler or policy.
    pub role: PluginKind,
    /// Where its reports come from.
    pub point: ReferencePoint,
    /// What it is configured with.
    pub config: Value,
    /// Its reports.
    pub lines: Vec<String>,
}

/// What is measured.
#[derive(Debug)]
pub struct Options {
    /// Plugins beside those that ship.
    pub also: Vec<Also>,
    /// Plugins of a start.
    pub plugins: usize,
}

/// What a plugin costs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What it is.
    pub what: String,
    /// Whose reports.
    pub reference_point: ReferencePoint,
    /// Of 64 reports, how many have something for it.
    pub shown: usize,
    /// A report that has.
    pub own: Cost,
    /// The same, of the empty plugin of its role.
    pub empty: Cost,
    /// The same, of a native function that does about as much as the plainest plugin of its role.
    pub native: Cost,
    /// Milliseconds until it is loaded and checked, with and without machine code in the cache.
    pub load_ms: (f64, f64),
}

/// A standard handler and the six policies together.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Together {
    /// Whose reports.
    pub reference_point: ReferencePoint,
    /// Nanoseconds for a report with 64 in a call. A policy counts for the share of reports that it is shown.
    pub together_ns: f64,
    /// Nanoseconds for a report that is alone and has something for every policy that sees any.
    pub alone_ns: f64,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Each handler and policy, on the reports of each reference point that have something for it.
    pub calls: Vec<Row>,
    /// By reference point.
    pub together: Vec<Together>,
    /// Plugins of the starts.
    pub plugins: usize,
    /// Milliseconds from the start of a process to its being ready: without these plugins, with them for the first time, and again.
    pub start_ms: (f64, f64, f64),
    /// Milliseconds of taking over a policy's file while the manager runs: median with code that is not in the cache, and with such as is.
    pub reload_ms: (f64, f64),
}

/// Measures.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let calls = calls(options)?;
    let together = ReferencePoint::ALL.into_iter().filter_map(|point| together(&calls, point)).collect();
    eprintln!("starts with {} plugins", options.plugins);
    let start_ms = starts(options.plugins)?;
    eprintln!("reloads");
    Ok(Report { calls, together, plugins: options.plugins, start_ms, reload_ms: reloads()? })
}

fn calls(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for point in ReferencePoint::ALL {
        eprintln!("calls, reports of {point}");
        let lines = lines(point)?;
        let name = point.as_str();
        let mut all = vec![(name, PluginKind::Handler, Value::Object(serde_json::Map::new()))];
        for policy in &POLICIES {
            let (name, config) = policy.parts()?;
            all.push((name, PluginKind::Policy, config));
        }
        for (name, role, config) in all {
            let plugin = PluginSource::Builtin(name.to_owned());
            let one = Also { name: name.to_owned(), plugin, role, point, config, lines: lines.clone() };
            rows.extend(row(&one)?);
        }
    }
    for one in &options.also {
        eprintln!("calls, {}", one.name);
        let row = row(one)?.with_context(|| format!("no report of its recording has anything for {}", one.name))?;
        rows.push(row);
    }
    Ok(rows)
}

/// What one costs; `None` where no report has anything for it.
fn row(one: &Also) -> anyhow::Result<Option<Row>> {
    let Also { name, plugin, role, point, config, lines } = one;
    let setting = Setting { plugin, role: *role, name, point: *point, config, forgetful: false };
    // Nothing of it is compiled yet, here.
    let sandbox = Sandbox::new(None)?;
    let cold = sandbox.load_ms(&setting)?;
    let warm = sandbox.load_ms(&setting)?;
    let shown = (sandbox.shown(&setting, lines)? * BATCH_REPORTS).div_ceil(lines.len().max(1));
    if shown == 0 {
        return Ok(None);
    }
    let [own, empty] = sandbox.measure(&setting, lines)?;
    let native = sandbox.measure_floor(&setting, lines)?;
    let kind = if *role == PluginKind::Handler { "handler" } else { "policy" };
    let (what, reference_point) = (format!("{kind} `{name}`"), *point);
    Ok(Some(Row { what, reference_point, shown, own, empty, native, load_ms: (cold, warm) }))
}

/// 64 reports of a component, one of them with what is sent seldom.
fn lines(point: ReferencePoint) -> anyhow::Result<Vec<String>> {
    let now = Timestamp(1_767_225_600_000);
    let mut reporter = Reporter::new(point, &format!("{point}-0"), 1, now);
    let mut bytes = Vec::new();
    (0..BATCH_REPORTS).for_each(|_| reporter.next(&mut bytes));
    Ok(String::from_utf8(bytes)?.lines().map(str::to_owned).collect())
}

#[expect(clippy::cast_precision_loss, reason = "64")]
fn together(rows: &[Row], point: ReferencePoint) -> Option<Together> {
    let (handler, policies) = (format!("handler `{point}`"), POLICIES.map(|policy| policy.called()));
    let mut sum = Together { reference_point: point, together_ns: 0.0, alone_ns: 0.0 };
    let of_point = rows.iter().filter(|row| row.reference_point == point);
    let shipped = |row: &&Row| row.what == handler || policies.contains(&row.what);
    let mut found = false;
    for row in of_point.filter(shipped) {
        found = true;
        sum.together_ns += row.own.together_ns * row.shown as f64 / BATCH_REPORTS as f64;
        sum.alone_ns += row.own.alone_ns;
    }
    found.then_some(sum)
}

/// Milliseconds until a manager is ready: without plugins beside those that serve its interfaces, with so many for the first time, and again.
fn starts(plugins: usize) -> anyhow::Result<(f64, f64, f64)> {
    let temporary = tempfile::tempdir()?;
    let site = Site::make(temporary.path(), Member::of_each(1))?;
    let mut tables = String::new();
    for number in 0..plugins {
        let policy = POLICIES.get(number % POLICIES.len()).context("there are policies")?;
        let (name, _) = policy.parts()?;
        let file = temporary.path().join(format!("plugin-{number}.wasm"));
        write_variant(&file, name, number)?;
        tables.push_str(&policy.entry(&format!("p-{number}"), &file.display().to_string()));
    }
    let configure = |name: &str, policies: &str| {
        let (name, policies) = (name.to_owned(), policies.to_owned());
        site.configure(&Setup { name, policies, durability: "sync".to_owned(), ..Setup::default() })
    };
    let (without, with) = (configure("without", "")?, configure("with", &tables)?);
    // What serves the interfaces is compiled by the first.
    started(&site, &without)?;
    let none = started(&site, &without)?;
    let cold = started(&site, &with)?;
    let mut warm = Vec::new();
    for _ in 0..3 {
        warm.push(started(&site, &with)?);
    }
    Ok((none, cold, median(warm)))
}

fn started(site: &Site, config: &Path) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let ready = site.folder().join("ready.json");
    let (server, _) = Server::spawn(config, &ready)?;
    // In smaller steps than a bench of seconds needs.
    while !ready.exists() {
        if begun.elapsed() > Duration::from_secs(300) {
            bail!("the manager was not ready within five minutes");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    drop(server);
    Ok(took)
}

fn write_variant(file: &Path, plugin: &str, number: usize) -> anyhow::Result<()> {
    let source = PluginSource::Builtin(plugin.to_owned());
    let bytes = variant(&source, u32::try_from(number)?).with_context(|| format!("there is no {plugin}"))?;
    // Written elsewhere and renamed, so that nobody reads half of it.
    let scratch = file.with_extension("part");
    fs::write(&scratch, bytes)?;
    fs::rename(scratch, file)?;
    Ok(())
}

/// Milliseconds of a reload of one policy's file, as the manager tells them: medians of files that it has not had yet, and of such as
/// it has.
fn reloads() -> anyhow::Result<(f64, f64)> {
    let temporary = tempfile::tempdir()?;
    let site = Site::make(temporary.path(), Member::of_each(1))?;
    let file = temporary.path().join("reloaded.wasm");
    let policy = POLICIES.iter().find(|policy| policy.called() == "policy `threshold`").context("threshold ships")?;
    let mut policies = policy.entry("reloaded", &file.display().to_string());
    let _ = write!(policies, "[[api.tokens]]\nname = \"bench\"\nsha256 = \"{}\"\nrole = \"admin\"\n", TOKEN.1);
    write_variant(&file, "threshold", 0)?;
    let setup = Setup { name: "reloads".to_owned(), policies, durability: "sync".to_owned(), ..Setup::default() };
    let server = Server::manager(&site, &site.configure(&setup)?)?;
    let api = server.api.context("the manager told no address of its API")?;
    let mut turn = |number: usize| {
        write_variant(&file, "threshold", number)?;
        let told = post(api, "/api/v1/plugins/reloaded/reload")?;
        let took = told["tookMs"].as_f64().filter(|_| told["result"] == "applied");
        took.with_context(|| format!("not reloaded: {told}"))
    };
    let cold: Vec<f64> = (1..=RELOADS).map(&mut turn).collect::<anyhow::Result<_>>()?;
    let warm: Vec<f64> = (0..RELOADS).map(&mut turn).collect::<anyhow::Result<_>>()?;
    Ok((median(cold), median(warm)))
}

impl Report {
    /// As tables in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "Nanoseconds a report, with 64 in a call and alone; of 64 reports as many have something for it as `shown` says.\n\n\
             | plugin | reports of | shown | 64: native | 64: empty | 64: it | alone: native | alone: empty | alone: it | memory, KiB | \
             loaded cold, warm, ms |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.calls {
            let Row { what, reference_point, shown, own, empty, native, load_ms: (cold, warm) } = row;
            let memory = own.memory.map_or_else(|| "-".to_owned(), |bytes| (bytes / 1_024).to_string());
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {what} | {reference_point} | {shown} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {memory} | {cold:.1}, {warm:.1} |",
                native.together_ns, empty.together_ns, own.together_ns, native.alone_ns, empty.alone_ns, own.alone_ns,
            );
        }
        text.push_str(
            "\n| standard handler and six policies, reports of | 64 in a call, us | alone, us |\n|---|---|---|\n",
        );
        for Together { reference_point, together_ns, alone_ns } in &self.together {
            let _ = writeln!(text, "| {reference_point} | {:.2} | {:.2} |", together_ns / 1e3, alone_ns / 1e3);
        }
        let (none, cold, warm) = self.start_ms;
        let (new, known) = self.reload_ms;
        let _ = write!(
            text,
            "\n| | ms |\n|---|---|\n| start without further plugins | {none:.0} |\n| start with {0}, nothing in the cache | {cold:.0} |\n\
             | start with {0}, all in the cache | {warm:.0} |\n| of that for the {0} | {1:.0} |\n\
             | a policy's file taken over while the manager runs, code not in the cache | {new:.1} |\n\
             | the same, code in the cache | {known:.1} |\n",
            self.plugins,
            warm - none
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(together_ns: f64, alone_ns: f64) -> Cost {
        Cost { alone_ns, together_ns, memory: Some(2_048), ..Cost::default() }
    }

    fn row(what: &str, point: ReferencePoint, shown: usize, together_ns: f64) -> Row {
        let own = cost(together_ns, 1_000.0);
        let (what, empty, native) = (what.to_owned(), cost(1.0, 2.0), cost(0.5, 0.25));
        Row { what, reference_point: point, shown, own, empty, native, load_ms: (30.0, 1.5) }
    }

    #[test]
    fn a_policy_counts_for_the_reports_that_it_is_shown() {
        let rows = [
            row("handler `mk`", ReferencePoint::Mk, 64, 100.0),
            row("policy `state`", ReferencePoint::Mk, 16, 40.0),
            row("policy `vendors`", ReferencePoint::Mk, 64, 1_000.0),
            row("policy `state`", ReferencePoint::Mq, 64, 40.0),
        ];
        let sum = together(&rows, ReferencePoint::Mk).unwrap();
        assert_eq!((sum.together_ns, sum.alone_ns), (110.0, 2_000.0));
        assert!(together(&rows, ReferencePoint::Mu).is_none());
    }

    #[test]
    fn the_tables_have_a_line_for_each_figure() {
        let calls = vec![row("handler `mk`", ReferencePoint::Mk, 64, 100.0)];
        let together = calls.iter().filter_map(|row| together(&calls, row.reference_point)).collect();
        let text =
            Report { calls, together, plugins: 50, start_ms: (40.0, 900.0, 90.0), reload_ms: (31.0, 2.0) }.table();
        for line in [
            "| handler `mk` | mk | 64 | 0 | 1 | 100 | 0 | 2 | 1000 | 2 | 30.0, 1.5 |",
            "| mk | 0.10 | 1.00 |",
            "| of that for the 50 | 50 |",
            "| the same, code in the cache | 2.0 |",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
    }

    #[test]
    fn each_reference_point_has_64_reports_of_which_one_has_more() {
        for point in ReferencePoint::ALL {
            let lines = lines(point).unwrap();
            assert_eq!(lines.len(), BATCH_REPORTS);
            let longest = lines.iter().map(String::len).max();
            assert_eq!(lines.iter().filter(|line| Some(line.len()) == longest).count(), 1, "{point}");
            assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{point}");
        }
    }
}
