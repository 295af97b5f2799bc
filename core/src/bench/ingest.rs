//! Ingest: the floor and the manager with everything on, in turn, on the same reports.
//!
//! Components of all seven reference points report; all handlers, six policies and the history of values are on. What
//! each of these costs by itself is measured by `costs`.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    costs::{self, Cost},
    latency::{self, Latency},
    lines::Reporter,
    load,
    server::Server,
    site::{Member, Setup, Site},
};
use crate::{clock::wall_time, model::ReferencePoint};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections.
    pub connections: usize,
    /// Unanswered reports on each.
    pub window: usize,
    /// Rounds.
    pub rounds: usize,
    /// Length of a measurement.
    pub lasts: Duration,
    /// `sync` or `os`.
    pub durability: String,
    /// Where; a temporary folder if absent.
    pub folder: Option<PathBuf>,
    /// Whether to measure what each part costs, too.
    pub costs: bool,
}

/// A server's figures, medians over the rounds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// CPU time of the server for each report, microseconds.
    pub cpu_us_per_report: f64,
    /// Reports answered in a second of wall time, with the load generator on the same cores.
    pub reports_per_second: f64,
    /// Lone reporter, microseconds.
    pub lone_p50_us: f64,
    /// Lone reporter, microseconds.
    pub lone_p99_us: f64,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Connections.
    pub connections: usize,
    /// Unanswered reports on each.
    pub window: usize,
    /// Bytes of a report's line, on average over the reference points.
    pub line_bytes: usize,
    /// `sync` or `os`.
    pub durability: String,
    /// Cores of this machine.
    pub cores: usize,
    /// The floor.
    pub floor: Figures,
    /// The manager.
    pub manager: Figures,
    /// `fdatasync` of 4 KiB, microseconds.
    pub fdatasync_p50_us: f64,
    /// `fdatasync` of 4 KiB, microseconds.
    pub fdatasync_p99_us: f64,
    /// What each part costs; empty if not asked for.
    pub costs: Vec<Cost>,
}

impl Report {
    /// As tables in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} connections of {} in flight, 12 values a report ({} bytes), durability `{}`, {} cores\n\n| | floor | manager | ratio |\n|---|---|---|---|\n",
            self.connections, self.window, self.line_bytes, self.durability, self.cores
        );
        let rows = [
            ("server CPU per report, us", self.floor.cpu_us_per_report, self.manager.cpu_us_per_report, 2),
            ("reports per second", self.floor.reports_per_second, self.manager.reports_per_second, 0),
            ("lone reporter p50, us", self.floor.lone_p50_us, self.manager.lone_p50_us, 0),
            ("lone reporter p99, us", self.floor.lone_p99_us, self.manager.lone_p99_us, 0),
        ];
        for (name, floor, manager, digits) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {name} | {floor:.digits$} | {manager:.digits$} | {:.2} |", manager / floor);
        }
        let _ = writeln!(
            text,
            "\nfdatasync of 4 KiB: p50 {:.0} us, p99 {:.0} us.",
            self.fdatasync_p50_us, self.fdatasync_p99_us
        );
        let beside = self.fdatasync_p50_us + self.floor.lone_p50_us;
        let _ = writeln!(
            text,
            "Lone acknowledgement p50 against one fdatasync and one TLS round trip ({beside:.0} us): {:.2}.",
            self.manager.lone_p50_us / beside
        );
        if !self.costs.is_empty() {
            text.push_str("\n| what | CPU per report, us | of the floor for the same reports |\n|---|---|---|\n");
            for cost in &self.costs {
                let _ = writeln!(text, "| {} | {:.2} | {:.2} |", cost.what, cost.cpu_us_per_report, cost.of_floor);
            }
        }
        text
    }
}

/// Microseconds.
#[must_use]
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The middle one; NaN of none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What every measurement of a run shares.
pub struct Bench<'a> {
    /// What to measure.
    pub options: &'a Options,
    /// Certificates and members.
    pub site: Site,
    /// Grows with every measurement, so that numbers begin anew.
    incarnation: u64,
}

impl<'a> Bench<'a> {
    /// For a site.
    #[must_use]
    pub const fn new(options: &'a Options, site: Site) -> Self {
        Self { options, site, incarnation: 0 }
    }

    /// Reporters of one reference point, or of all in turn, with their places among the members.
    pub fn reporters(&mut self, of: Option<ReferencePoint>) -> Vec<(usize, Reporter)> {
        self.incarnation += 1;
        let (now, count) = (wall_time(), self.options.connections);
        let points = of.map_or_else(|| ReferencePoint::ALL.to_vec(), |point| vec![point]);
        let places = points.iter().cycle().take(count).enumerate().map(|(n, point)| point.index() * count + n);
        let reporter = |place: usize| {
            let member = self.site.members().get(place)?;
            Some((place, Reporter::new(member.point, &member.id, self.incarnation, now)))
        };
        places.filter_map(reporter).collect()
    }

    /// CPU time for a report, and reports a second. The CPU time is counted until the server is idle again: what it
    /// has put off is part of the cost.
    pub async fn cpu(&mut self, server: &Server, of: Option<ReferencePoint>) -> anyhow::Result<(f64, f64)> {
        let Options { window, lasts, .. } = *self.options;
        // Caches, code and files warm.
        let warm = self.reporters(of);
        load::run(&self.site, &server.addresses, warm, window, lasts / 4).await?;
        server.wait_idle()?;
        let measured = self.reporters(of);
        let before = server.cpu()?;
        let brought = load::run(&self.site, &server.addresses, measured, window, lasts).await?;
        let cpu = server.wait_idle()?.saturating_sub(before);
        Ok((micros(cpu) / brought.answered as f64, brought.answered as f64 / brought.took.as_secs_f64()))
    }
}

#[derive(Default)]
struct Rounds {
    cpu: Vec<f64>,
    rate: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Rounds {
    fn figures(self) -> Figures {
        Figures {
            cpu_us_per_report: median(self.cpu),
            reports_per_second: median(self.rate),
            lone_p50_us: median(self.p50),
            lone_p99_us: median(self.p99),
        }
    }
}

async fn round(bench: &mut Bench<'_>, server: &Server, rounds: &mut Rounds) -> anyhow::Result<()> {
    let (cpu, rate) = bench.cpu(server, None).await?;
    rounds.cpu.push(cpu);
    rounds.rate.push(rate);
    let lone = bench.reporters(Some(ReferencePoint::Mk)).into_iter().next().context("no reporter")?;
    let Latency { p50, p99 } = latency::acknowledged(&bench.site, &server.addresses, lone, bench.options.lasts).await?;
    rounds.p50.push(micros(p50));
    rounds.p99.push(micros(p99));
    Ok(())
}

/// Measures floor and manager in turn.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let site = Site::make(&folder, Member::of_each(options.connections))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = Bench::new(options, site);
    let everything = bench.site.configure(&Setup {
        name: "everything".to_owned(),
        policies: costs::POLICIES.iter().map(costs::SixPolicies::table).collect(),
        durability: options.durability.clone(),
        history: true,
        ..Setup::default()
    })?;
    let (floor, manager) = (Server::floor(&bench.site)?, Server::manager(&bench.site, &everything)?);
    let (mut floor_rounds, mut manager_rounds) = (Rounds::default(), Rounds::default());
    let (mut sync_p50, mut sync_p99) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        runtime.block_on(round(&mut bench, &floor, &mut floor_rounds))?;
        runtime.block_on(round(&mut bench, &manager, &mut manager_rounds))?;
        let sync = latency::fdatasync(&folder, options.lasts / 2)?;
        sync_p50.push(micros(sync.p50));
        sync_p99.push(micros(sync.p99));
    }
    drop(manager);
    let line_bytes = line_bytes(&mut bench);
    let costs = if options.costs { costs::measure(&mut bench, &floor, &runtime)? } else { Vec::new() };
    Ok(Report {
        connections: options.connections,
        window: options.window,
        line_bytes,
        durability: options.durability.clone(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        floor: floor_rounds.figures(),
        manager: manager_rounds.figures(),
        fdatasync_p50_us: median(sync_p50),
        fdatasync_p99_us: median(sync_p99),
        costs,
    })
}

fn line_bytes(bench: &mut Bench<'_>) -> usize {
    let reporters = bench.reporters(None);
    reporters.iter().map(|(_, reporter)| reporter.line_bytes()).sum::<usize>() / reporters.len().max(1)
}
