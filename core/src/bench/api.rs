//! The HTTP API under load: how long a reader waits for each of the main endpoints while thousands of components are known
//! and report.
//!
//! One client asks one endpoint after the other over one connection that stays open, as a dashboard does, and reads each
//! answer to its end. Components report meanwhile at the rate that they would have by themselves. Times are from the first
//! byte sent to the last one read, so the client's own reading is in them.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::{
    costs,
    event::{self, Told},
    ingest::micros,
    latency::Latency,
    lines::Reporter,
    load::count,
    server::{Addresses, Server},
    site::{Member, Setup, Site},
};
use crate::{clock::wall_time, model::ReferencePoint};

/// Components that speak over one connection, as behind a gateway.
const PER_CONNECTION: usize = 100;
/// Unanswered reports of a connection.
const WINDOW: usize = 50;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Components known.
    pub components: usize,
    /// How often each reports.
    pub interval: Duration,
    /// Length of the measurement of each endpoint.
    pub lasts: Duration,
    /// Where; a temporary folder if absent.
    pub folder: Option<PathBuf>,
}

/// An endpoint's figures.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// The request.
    pub path: String,
    /// Answers.
    pub requests: usize,
    /// Bytes of the body of the last one.
    pub bytes: usize,
    /// Half were faster, microseconds.
    pub p50_us: f64,
    /// 99 of 100 were faster, microseconds.
    pub p99_us: f64,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Components known.
    pub components: usize,
    /// Reports a second meanwhile, as answered.
    pub reports_per_second: f64,
    /// Cores of this machine.
    pub cores: usize,
    /// By endpoint.
    pub endpoints: Vec<Figures>,
    /// From a report to its answer and to the event at a listener.
    pub told: ToldFigures,
}

/// How long a report that raises or clears an alarm takes to be known.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldFigures {
    /// Reports sent, one at a time.
    pub reports: usize,
    /// Half were acknowledged faster, microseconds.
    pub acknowledged_p50_us: f64,
    /// 99 of 100 were.
    pub acknowledged_p99_us: f64,
    /// Half of the events were read faster, microseconds.
    pub event_p50_us: f64,
    /// 99 of 100 were.
    pub event_p99_us: f64,
}

impl From<Told> for ToldFigures {
    fn from(Told { acknowledged, event, reports }: Told) -> Self {
        Self {
            reports,
            acknowledged_p50_us: micros(acknowledged.p50),
            acknowledged_p99_us: micros(acknowledged.p99),
            event_p50_us: micros(event.p50),
            event_p99_us: micros(event.p99),
        }
    }
}

impl Report {
    /// As a table in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let Self { components, reports_per_second, cores, endpoints, told } = self;
        let mut text = format!(
            "{components} components, {reports_per_second:.0} reports a second meanwhile, {cores} cores\n\n| request | bytes | p50, ms | p99, ms | requests |\n|---|---|---|---|---|\n"
        );
        for Figures { path, requests, bytes, p50_us, p99_us } in endpoints {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| `{path}` | {bytes} | {:.2} | {:.2} | {requests} |",
                p50_us / 1_000.0,
                p99_us / 1_000.0
            );
        }
        let row = |what: &str, p50: f64, p99: f64| {
            format!("| {what} | | {:.2} | {:.2} | {} |\n", p50 / 1_000.0, p99 / 1_000.0, told.reports)
        };
        text.push_str(&row("report to its answer", told.acknowledged_p50_us, told.acknowledged_p99_us));
        text.push_str(&row("report to the event at a listener", told.event_p50_us, told.event_p99_us));
        text
    }
}

/// What is asked; `{last}` is the last component of the list.
const PATHS: [&str; 15] = [
    "/api/v1/health",
    "/api/v1/components?limit=100",
    "/api/v1/components?limit=1000",
    "/api/v1/components?limit=100&cursor={last}",
    "/api/v1/components?silent=true",
    "/api/v1/components/{last}",
    "/api/v1/resources?limit=100",
    "/api/v1/alarms?limit=100",
    "/api/v1/alarms/summary",
    "/api/v1/values?limit=100",
    "/api/v1/topology?limit=100",
    "/api/v1/inventory/changes?limit=100",
    "/api/v1/components/{last}/history?name=key_store_fill_ratio",
    "/api/v1/policies",
    "/metrics",
];

/// Measures.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let member = |n: usize| Member { point: ReferencePoint::Mk, id: format!("km-{n:06}") };
    let mut members: Vec<Member> = (0..options.components.max(1)).map(member).collect();
    let last = members.last().map(|member| format!("{}/{}", member.point, member.id)).unwrap_or_default();
    // One more, which alarms.
    members.push(Member { point: ReferencePoint::Mk, id: "km-alarming".to_owned() });
    eprintln!("certificates and configuration for {} components", members.len());
    let site = Site::make_shared(&folder, members, PER_CONNECTION)?;
    let config = site.configure(&Setup {
        name: "api".to_owned(),
        policies: costs::POLICIES.iter().map(costs::SixPolicies::table).collect(),
        durability: "sync".to_owned(),
        history: true,
        ..Setup::default()
    })?;
    let server = Server::manager(&site, &config)?;
    let api = server.api.context("the manager does not say where its API is")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut reporting = runtime.block_on(Reporting::begin(&site, &server.addresses))?;
    let alone = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = CancellationToken::new();
    let (interval, stopped) = (options.interval, stop.clone());
    let background = std::thread::spawn(move || runtime.block_on(reporting.go_on(interval, &stopped)));
    let started = Instant::now();
    let endpoints = PATHS.iter().map(|path| {
        let path = path.replace("{last}", &last);
        eprintln!("{path}");
        measure(api, path, options.lasts)
    });
    let endpoints = endpoints.collect::<anyhow::Result<Vec<_>>>();
    eprintln!("events");
    let told = alone.block_on(event::told(&site, &server.addresses, api, options.components.max(1), options.lasts));
    let took = started.elapsed().as_secs_f64();
    stop.cancel();
    let answered = background.join().map_err(|_| anyhow::anyhow!("the reporting thread failed"))??;
    Ok(Report {
        components: options.components,
        reports_per_second: answered as f64 / took,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        endpoints: endpoints?,
        told: told?.into(),
    })
}

/// A connection and the components that speak over it.
struct Line {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    reporters: Vec<Reporter>,
}

/// All connections.
struct Reporting(Vec<Line>);

impl Reporting {
    /// Connects, and has every component report once, so that all are known with their values.
    async fn begin(site: &Site, addresses: &Addresses) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        // All but the last, which reports by itself.
        let reporting = site.members().split_last().map(|(_, others)| others).unwrap_or_default();
        for (number, members) in reporting.chunks(PER_CONNECTION).enumerate() {
            let stream = site.connect(addresses, number * PER_CONNECTION).await?;
            let reporter = |member: &Member| Reporter::new(member.point, &member.id, 1, wall_time());
            let mut line = Line { stream, reporters: members.iter().map(reporter).collect() };
            line.report_all().await?;
            lines.push(line);
        }
        Ok(Self(lines))
    }

    /// Has every component report once an interval, one connection after the other, until `stop`. Reports answered.
    async fn go_on(&mut self, interval: Duration, stop: &CancellationToken) -> anyhow::Result<u64> {
        let mut answered = 0;
        let each = interval / u32::try_from(self.0.len().max(1)).unwrap_or(u32::MAX);
        let mut due = tokio::time::interval(each.max(Duration::from_micros(1)));
        loop {
            for line in &mut self.0 {
                tokio::select! {
                    () = stop.cancelled() => return Ok(answered),
                    _ = due.tick() => answered += line.report_all().await?,
                }
            }
        }
    }
}

impl Line {
    /// One report of each component; how many were answered, which is all.
    async fn report_all(&mut self) -> anyhow::Result<u64> {
        let (mut out, mut buffer, mut carry, mut answered) = (Vec::new(), vec![0; 64 * 1024], Vec::new(), 0);
        for some in self.reporters.chunks_mut(WINDOW) {
            out.clear();
            some.iter_mut().for_each(|reporter| reporter.next(&mut out));
            self.stream.write_all(&out).await?;
            self.stream.flush().await?;
            let mut open = some.len();
            while open > 0 {
                let read = self.stream.read(&mut buffer).await?;
                if read == 0 {
                    bail!("the manager closed a connection");
                }
                open -= count(buffer.get(..read).unwrap_or_default(), &mut carry)?.min(open);
            }
            answered += some.len() as u64;
        }
        Ok(answered)
    }
}

/// Asks again and again for `lasts`, at least ten times.
fn measure(api: SocketAddr, path: String, lasts: Duration) -> anyhow::Result<Figures> {
    let stream = TcpStream::connect(api).with_context(|| format!("cannot connect to {api}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream.try_clone()?);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {api}\r\n\r\n");
    let (mut times, mut bytes, mut stream) = (Vec::new(), 0, stream);
    let until = Instant::now() + lasts;
    while times.len() < 10 || Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(request.as_bytes())?;
        bytes = answer(&mut reader).with_context(|| format!("GET {path}"))?;
        times.push(sent.elapsed());
    }
    let requests = times.len();
    let Latency { p50, p99 } = Latency::of(times);
    Ok(Figures { path, requests, bytes, p50_us: micros(p50), p99_us: micros(p99) })
}

/// Reads an answer to its end; bytes of its body. Only 200 with a length will do.
fn answer(reader: &mut BufReader<TcpStream>) -> anyhow::Result<usize> {
    let (mut line, mut length) = (String::new(), None);
    reader.read_line(&mut line)?;
    let status = line.trim_end().to_owned();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let length = length.context("an answer without a length")?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !status.starts_with("HTTP/1.1 200") {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(length)
}
