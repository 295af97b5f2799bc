//! A federation of managers on one machine: how long a change in one domain takes to be seen in all others, how long a manager
//! that was cut off takes to agree again, and what it costs to be there.
//!
//! All are processes of the same binary, each with a domain of its own. A component of the first reports values that raise
//! and clear an alarm; listeners at the others' event streams tell when they have the new document. Times run from the first byte of
//! the report. Beside them: the round trip of one report at the floor, in the same run.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    against::{self, icinga2},
    cut::Relay,
    latency::{self, Latency},
    lines::Reporter,
    load::count,
    server::Server,
    site::{Member, Site},
};
use crate::{
    clock::wall_time,
    model::{ComponentId, ComponentRef, ReferencePoint},
    pki,
};

/// Between two changes: beyond the interval that limits repeated ones.
const PAUSE: Duration = Duration::from_millis(1_100);
/// How long anything may take before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// Least time that a manager is held for the measurement of its healing: its peers have given it up by then.
const HELD: Duration = Duration::from_secs(18);
/// An echo from a neighbour or the answer to ours, about.
const ECHO_BYTES: f64 = 165.0;
/// A comparison that finds nothing different or the answer to it, about.
const COMPARISON_BYTES: f64 = 95.0;
/// How long the last manager's connections are cut.
const CUT: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Managers.
    pub managers: usize,
    /// Neighbours of each; `None`: all others.
    pub degree: Option<usize>,
    /// Changes.
    pub changes: usize,
    /// How long traffic at rest is counted.
    pub rest: Duration,
    /// Folder for everything; a temporary one by default.
    pub folder: Option<PathBuf>,
    /// Another system to measure beside the managers.
    pub against: Option<against::Peer>,
}

/// What came of it. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Managers.
    pub managers: usize,
    /// Neighbours of each.
    pub degree: usize,
    /// Changes seen.
    pub changes: usize,
    /// Round trip of a report at the floor over TLS: median.
    pub round_trip_ms: f64,
    /// Until the first other manager had it: median and 99th percentile.
    pub first_ms: (f64, f64),
    /// Until all had it: median and 99th percentile.
    pub all_ms: (f64, f64),
    /// From when one manager that had been held went on until it had what had changed meanwhile.
    pub healed_ms: f64,
    /// From the end of a cut of all its connections until one manager had what had changed meanwhile.
    pub cut_healed_ms: f64,
    /// Bytes that a manager received at rest, each minute, mean.
    pub rest_bytes_per_minute: f64,
    /// The same by the formula, with the size of a manifest as it was.
    pub formula_bytes_per_minute: f64,
    /// Processor time of a manager at rest, share of one processor, mean.
    pub rest_cpu: f64,
    /// Resident memory of a manager, MiB, mean.
    pub memory_mib: f64,
    /// Another system beside them.
    pub against: Option<against::Federation>,
}

impl Report {
    /// As a table in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} managers, {} neighbours each; {} changes; one TLS round trip of the floor: {:.2} ms\n\n| | median | p99 |\n|---|---|---|\n",
            self.managers, self.degree, self.changes, self.round_trip_ms
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| seen by the first other, ms | {:.2} | {:.2} |", self.first_ms.0, self.first_ms.1);
        let _ = writeln!(text, "| seen by all, ms | {:.2} | {:.2} |", self.all_ms.0, self.all_ms.1);
        let _ = writeln!(
            text,
            "\nHeld for {} s, a manager agreed {:.0} ms after it went on; with its connections cut for {} s, {:.0} ms after the end \
             of that. At rest a manager received {:.0} bytes a minute (by the formula \
             {:.0}), used {:.2} % of a processor and {:.0} MiB.",
            HELD.as_secs(),
            self.healed_ms,
            CUT.as_secs(),
            self.cut_healed_ms,
            self.rest_bytes_per_minute,
            self.formula_bytes_per_minute,
            self.rest_cpu * 100.0,
            self.memory_mib
        );
        if let Some(against) = &self.against {
            let _ = writeln!(text, "\n{}", against.line(CUT));
        }
        text
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measures.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let site = Site::make(&folder, vec![Member { point: ReferencePoint::Mk, id: "km-1".to_owned() }])?;
    let managers = options.managers.max(2);
    let degree = options.degree.unwrap_or(managers - 1).min(managers - 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let floor = Server::floor(&site)?;
    let reporter = Reporter::new(ReferencePoint::Mk, "km-1", 1, wall_time());
    let lone = latency::acknowledged(&site, &floor.addresses, (0, reporter), Duration::from_secs(1));
    let round_trip = runtime.block_on(lone)?;
    drop(floor);
    let (servers, relay) = start(&site, managers, degree)?;
    let first = servers.first().context("no manager")?;
    let apis: Vec<SocketAddr> = servers.iter().filter_map(|server| server.api).collect();
    apis.iter().try_for_each(|api| wait_for_all(*api, managers))?;
    let followers = apis.iter().skip(1).map(|api| follow(*api)).collect::<anyhow::Result<Vec<_>>>()?;
    let stream = runtime.block_on(site.connect(&first.addresses, 0))?;
    let mut changes = Changes { stream, sequence: 0 };
    // That the component is connected is a change too, and is to be over.
    std::thread::sleep(PAUSE);
    let (mut firsts, mut alls) = (Vec::new(), Vec::new());
    for _ in 0..options.changes.max(1) {
        let sent = runtime.block_on(changes.make())?;
        let mut seen = followers.iter().map(|told| wait(told, sent)).collect::<anyhow::Result<Vec<_>>>()?;
        seen.sort_unstable();
        firsts.push(*seen.first().context("nobody saw it")?);
        alls.push(*seen.last().context("nobody saw it")?);
        std::thread::sleep(PAUSE);
    }
    let (rest_bytes, rest_cpu) = at_rest(&servers, &apis, options.rest)?;
    let healed = heal(&servers, &followers, &mut changes, &runtime)?;
    std::thread::sleep(PAUSE);
    relay.cut();
    std::thread::sleep(CUT / 2);
    runtime.block_on(changes.make())?;
    std::thread::sleep(CUT / 2);
    let mended = Instant::now();
    relay.heal();
    let cut_healed = wait(followers.last().context("no listener")?, mended)?;
    let memory = servers.iter().map(|server| memory(server.id())).collect::<anyhow::Result<Vec<_>>>()?;
    let (firsts, alls) = (Latency::of(firsts), Latency::of(alls));
    let manifest = manifest_bytes(apis.get(1).copied().context("no second manager")?)?;
    drop(servers);
    let against = match options.against {
        None => None,
        Some(against::Peer::Icinga2) => Some(icinga2::run(&site, options.changes, PAUSE, CUT)?),
    };
    Ok(Report {
        managers,
        degree,
        changes: options.changes.max(1),
        round_trip_ms: ms(round_trip.p50),
        first_ms: (ms(firsts.p50), ms(firsts.p99)),
        all_ms: (ms(alls.p50), ms(alls.p99)),
        healed_ms: ms(healed),
        cut_healed_ms: ms(cut_healed),
        rest_bytes_per_minute: rest_bytes,
        formula_bytes_per_minute: at_rest_by_formula(degree, manifest),
        rest_cpu,
        memory_mib: memory.iter().sum::<f64>() / memory.len() as f64,
        against,
    })
}

/// Free ports of the loopback interface, as many as asked for.
fn ports(count: usize) -> anyhow::Result<Vec<u16>> {
    // Held until all are chosen, so that none is chosen twice.
    let held = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    Ok(held.iter().map(|one| one.local_addr().map(|address| address.port())).collect::<Result<_, _>>()?)
}

fn neighbours(managers: usize, degree: usize, one: usize) -> Vec<usize> {
    if degree + 1 >= managers {
        return (0..managers).filter(|other| *other != one).collect();
    }
    // A ring, and chords of growing length until there are enough.
    let steps = (0..degree.div_ceil(2)).map(|chord| 1 + chord * managers / (degree + 1));
    let mut found: Vec<usize> =
        steps.flat_map(|step| [(one + step) % managers, (one + managers - step % managers) % managers]).collect();
    found.sort_unstable();
    found.dedup();
    found.retain(|other| *other != one);
    found
}

/// Starts the managers; with what all others reach the last one through, which dials none itself.
fn start(site: &Site, managers: usize, degree: usize) -> anyhow::Result<(Vec<Server>, Relay)> {
    let (folder, ports) = (site.folder(), ports(managers)?);
    let last = ports.last().copied().context("no manager")?;
    let relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], last)))?;
    let mut dialled = ports.clone();
    if let Some(last) = dialled.last_mut() {
        *last = relay.address().port();
    }
    for number in 0..managers {
        let id = ComponentRef::new(ReferencePoint::Mx, ComponentId::new(&format!("manager-{number}"))?);
        let name = Some(format!("manager-{number}"));
        let request = pki::IssueRequest { components: vec![id], dns: vec![], ips: vec![], days: 90, name };
        pki::issue(&folder.join("pki"), &request)?;
        pki::signing_key(&folder.join(format!("signing-{number}.key")), pki::SigningAlgorithm::Ed25519)?;
    }
    let mut started = Vec::new();
    for number in 0..managers {
        let config = configure(folder, number, (managers, degree), (&ports, &dialled))?;
        started.push(Server::spawn(&config, &folder.join(format!("ready-{number}.json")))?);
    }
    let ready = started.into_iter().map(|(server, ready)| server.ready(&ready)).collect::<anyhow::Result<_>>()?;
    Ok((ready, relay))
}

fn configure(
    folder: &Path,
    number: usize,
    (managers, degree): (usize, usize),
    (listens, dialled): (&[u16], &[u16]),
) -> anyhow::Result<PathBuf> {
    let port = |ports: &[u16], of: usize| ports.get(of).copied().unwrap_or_default();
    let mut text = format!(
        "[manager]\nid = \"manager-{number}\"\ndomain = \"domain-{number}\"\ndata_dir = \"data-{number}\"\nshards = 1\n\
         reload_on_change = false\n[log]\nlevel = \"error\"\n[tls]\ncertificate = \"pki/manager-{number}.pem\"\nprivate_key = \
         \"pki/manager-{number}.key\"\ntrust_anchors = \"pki/ca.pem\"\n[api]\nlisten = \"127.0.0.1:0\"\n[plugins]\n\
         cache_dir = \"plugin-cache\"\n[interfaces.mx]\nlisten = \"127.0.0.1:{}\"\n[interfaces.mk]\nlisten = \
         \"127.0.0.1:0\"\n[[components]]\nid = \"km-1\"\nreference_point = \"mk\"\n[[policies]]\nname = \"store-low\"\nfunction \
         = \"performance\"\nplugin = \"builtin:threshold\"\nconfig = {{ value = \"key_store_fill_ratio\", raise_below = 0.2, \
         clear_above = 0.3, severity = \"major\", alarm_type = \"key-store-low\" }}\n[federation]\nname = \"bench\"\nsigning_key = \
         \"signing-{number}.key\"\n",
        port(listens, number)
    );
    let near = neighbours(managers, degree, number);
    for other in (0..managers).filter(|other| *other != number) {
        if near.contains(&other) {
            write!(text, "[[peers]]\nid = \"manager-{other}\"\n")?;
            // One of each pair dials.
            if number < other {
                writeln!(text, "address = \"127.0.0.1:{}\"", port(dialled, other))?;
            }
        } else {
            text.push_str("[[federation.origins]]\n");
        }
        write!(text, "domain = \"domain-{other}\"\nsigning_keys = \"signing-{other}.pub\"\n")?;
    }
    let path = folder.join(format!("manager-{number}.toml"));
    std::fs::write(&path, text)?;
    Ok(path)
}

/// One request at the API, as JSON or text.
fn get(api: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer of HTTP")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("{path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}

fn wait_for_all(api: SocketAddr, managers: usize) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let domains: serde_json::Value = serde_json::from_str(&get(api, "/api/v1/domains")?)?;
        let known = |one: &&serde_json::Value| matches!(one["freshness"].as_str(), Some("fresh" | "indirect"));
        let count = domains["items"].as_array().map_or(0, |items| items.iter().filter(known).count());
        if count == managers {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("a manager did not hear of all domains within {PATIENCE:?}")
}

/// Follows what is told of the first domain; when each change of it was read.
fn follow(api: SocketAddr) -> anyhow::Result<Receiver<Instant>> {
    let mut stream = TcpStream::connect(api)?;
    stream.set_nodelay(true)?;
    write!(stream, "GET /api/v1/events?types=domain HTTP/1.1\r\nHost: {api}\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = lines.next().context("the stream of events ended before it began")??;
        if line.starts_with("event: ready") || line.starts_with("event:ready") {
            break;
        }
    }
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let wanted = line.contains("\"domain\":\"domain-0\"") && line.contains("\"changed\":true");
            if wanted && tell.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

fn wait(told: &Receiver<Instant>, sent: Instant) -> anyhow::Result<Duration> {
    let until = Instant::now() + PATIENCE;
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            // What was told before belongs to an earlier change.
            Ok(seen) if seen >= sent => return Ok(seen - sent),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => bail!("a change was not seen within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("a stream of events ended"),
        }
    }
}

/// Reports that raise and clear an alarm in the first domain.
struct Changes {
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    sequence: u64,
}

impl Changes {
    /// Makes one; when its first byte was sent.
    async fn make(&mut self) -> anyhow::Result<Instant> {
        self.sequence += 1;
        let fill = if self.sequence % 2 == 1 { "0.1" } else { "0.9" };
        let line = format!(
            "{{\"messageType\":\"statusReport\",\"componentId\":\"km-1\",\"incarnation\":1,\"sequence\":{},\"extension\":[{{\
             \"type\":\"performance\",\"values\":{{\"key_store_fill_ratio\":{fill}}}}}]}}\n",
            self.sequence
        );
        let sent = Instant::now();
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.flush().await?;
        let (mut buffer, mut carry) = (vec![0; 4096], Vec::new());
        loop {
            let read = self.stream.read(&mut buffer).await?;
            if read == 0 {
                bail!("the manager closed the connection");
            }
            if count(buffer.get(..read).unwrap_or_default(), &mut carry)? > 0 {
                return Ok(sent);
            }
        }
    }
}

/// Bytes received over Mx a minute, and processor time, both a manager, while nothing changes.
fn at_rest(servers: &[Server], apis: &[SocketAddr], lasts: Duration) -> anyhow::Result<(f64, f64)> {
    let received = || -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for api in apis {
            let metrics = get(*api, "/metrics")?;
            let line =
                metrics.lines().find(|line| line.starts_with("qkdn_net_bytes_received") && line.contains("\"mx\""));
            sum += line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).context("no count of bytes")?;
        }
        Ok(sum)
    };
    let cpu = || -> anyhow::Result<f64> {
        servers.iter().map(|server| server.cpu().map(|time| time.as_secs_f64())).sum::<anyhow::Result<f64>>()
    };
    std::thread::sleep(PAUSE);
    let (begun, bytes, used) = (Instant::now(), received()?, cpu()?);
    std::thread::sleep(lasts);
    let (used, bytes, lasted) = (cpu()? - used, received()? - bytes, begun.elapsed().as_secs_f64());
    let count = servers.len() as f64;
    Ok((bytes / count / lasted * 60.0, used / count / lasted))
}

/// Holds the last manager until its peers have given it up, changes something meanwhile, and lets it go on.
fn heal(
    servers: &[Server],
    followers: &[Receiver<Instant>],
    changes: &mut Changes,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Duration> {
    let last = servers.last().context("no manager")?;
    let told = followers.last().context("no listener")?;
    let pid = i32::try_from(last.id()).ok().and_then(Pid::from_raw).context("no process")?;
    kill_process(pid, Signal::STOP)?;
    std::thread::sleep(HELD);
    let changed = runtime.block_on(changes.make());
    let healed = Instant::now();
    kill_process(pid, Signal::CONT)?;
    changed?;
    wait(told, healed)
}

/// Bytes a minute that a manager receives while nothing changes, from neighbours that all speak to each other: a manifest from
/// each every 15 s and two echoes in between, and every 5 s a comparison with one of them. What TCP and TLS add is 15 %.
fn at_rest_by_formula(neighbours: usize, manifest: f64) -> f64 {
    const REFRESHES: f64 = 4.0;
    const COMPARISONS: f64 = 24.0;
    1.15 * (neighbours as f64 * (manifest + 2.0 * ECHO_BYTES) * REFRESHES + COMPARISONS * COMPARISON_BYTES)
}

fn memory(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Bytes of a report with a manifest alone, as it goes over the wire, about.
fn manifest_bytes(api: SocketAddr) -> anyhow::Result<f64> {
    let domains: serde_json::Value = serde_json::from_str(&get(api, "/api/v1/domains")?)?;
    let bytes = domains.pointer("/items/0/documents/0/manifestBytes").and_then(serde_json::Value::as_f64);
    // The envelope of the report and of its answer.
    Ok(bytes.context("no manifest")? + 330.0)
}
