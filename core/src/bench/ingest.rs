//! Ingest: the floor and the manager in turn, on the same reports.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::{
    latency::{self, Latency},
    load::{self, Reporter},
    site::Site,
};

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
    /// Bytes of a report's line.
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
}

impl Report {
    /// As a table in Markdown.
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
        text
    }
}

/// A server process, ended with this value.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; either way it is to be gone and reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn floor(site: &Site) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "floor"])
            .arg(site.folder())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the floor server")?;
        let out = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().context("the floor server did not tell its address")?;
        Ok(Self { child, address })
    }

    fn manager(site: &Site) -> anyhow::Result<Self> {
        let ready = site.folder().join("ready.json");
        // From an earlier round.
        let _ = std::fs::remove_file(&ready);
        let child = Command::new(std::env::current_exe()?)
            .args(["run", "--config"])
            .arg(site.folder().join("manager.toml"))
            .arg("--ready-file")
            .arg(&ready)
            .spawn()
            .context("cannot start the manager")?;
        let mut server = Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        server.address = server.wait_ready(&ready)?;
        Ok(server)
    }

    fn wait_ready(&mut self, ready: &Path) -> anyhow::Result<SocketAddr> {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Ok(text) = std::fs::read_to_string(ready) {
                let note: serde_json::Value = serde_json::from_str(&text)?;
                let address = note.pointer("/interfaces/mk/0").and_then(|address| address.as_str());
                return address.context("the ready file names no Mk address")?.parse().context("not an address");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the manager ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the manager was not ready within a minute")
    }

    /// CPU time of all its threads.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread that ended meanwhile has no file any more.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split_whitespace().next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn reporters(count: usize, incarnation: u64) -> Vec<Reporter> {
    (0..count).map(|number| Reporter::key_manager(&format!("km-{number}"), incarnation)).collect()
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

async fn round(
    site: &Site,
    server: &Server,
    options: &Options,
    incarnation: &mut u64,
    rounds: &mut Rounds,
) -> anyhow::Result<()> {
    let mut fresh = || {
        *incarnation += 1;
        reporters(options.connections, *incarnation)
    };
    // Caches, code and files warm.
    load::run(site, server.address, fresh(), options.window, options.lasts / 4).await?;
    let before = server.cpu()?;
    let brought = load::run(site, server.address, fresh(), options.window, options.lasts).await?;
    let cpu = server.cpu()?.saturating_sub(before);
    rounds.cpu.push(micros(cpu) / brought.answered as f64);
    rounds.rate.push(brought.answered as f64 / brought.took.as_secs_f64());
    let lone = fresh().into_iter().next().context("no reporter")?;
    let Latency { p50, p99 } = latency::acknowledged(site, server.address, lone, options.lasts).await?;
    rounds.p50.push(micros(p50));
    rounds.p99.push(micros(p99));
    Ok(())
}

/// Measures floor and manager in turn.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let site = Site::make(&folder, options.connections, &options.durability)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut floor_rounds, mut manager_rounds, mut incarnation) = (Rounds::default(), Rounds::default(), 0);
    let (floor, manager) = (Server::floor(&site)?, Server::manager(&site)?);
    let (mut sync_p50, mut sync_p99) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        eprintln!("round {number} of {}", options.rounds);
        runtime.block_on(round(&site, &floor, options, &mut incarnation, &mut floor_rounds))?;
        runtime.block_on(round(&site, &manager, options, &mut incarnation, &mut manager_rounds))?;
        let sync = latency::fdatasync(&folder, options.lasts / 2)?;
        sync_p50.push(micros(sync.p50));
        sync_p99.push(micros(sync.p99));
    }
    Ok(Report {
        connections: options.connections,
        window: options.window,
        line_bytes: Reporter::key_manager("km-0", 1).line_bytes(),
        durability: options.durability.clone(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        floor: floor_rounds.figures(),
        manager: manager_rounds.figures(),
        fdatasync_p50_us: median(sync_p50),
        fdatasync_p99_us: median(sync_p99),
    })
}
