//! Icinga 2 with one satellite and one master, both processes of the installed program in folders of their own. A result goes
//! to the satellite's API; asking the master's API again and again tells when it is there, since its event stream may hold an event
//! back for seconds; what that stream told in the end tells which results never came. The satellite's connection to the master
//! goes through a [`Relay`], which makes the cut.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use rustls_pki_types::ServerName;

use super::Federation;
use crate::{
    bench::{cut::Relay, ingest::micros, latency::Latency, site::Site},
    config::KeyExchange,
    model::{ComponentId, ComponentRef, ReferencePoint},
    net::tls::provider,
    pki,
};

/// How long anything may take before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two questions to the master.
const ASK_AGAIN: Duration = Duration::from_millis(1);
/// Time between results around the end of the cut.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long before the end of the cut the first of these is made.
const BEFORE: Duration = Duration::from_secs(1);
/// How long after it the last is made.
const AFTER: Duration = Duration::from_secs(10);
/// Nothing for so long: what has not come by then does not come any more. Above the five seconds after which the event stream
/// looks for events again by itself.
const SILENCE: Duration = Duration::from_secs(7);
/// A connection to the API that was not used for so long is made anew.
const IDLE: Duration = Duration::from_secs(4);
/// The API's user and password, in configurations that live as long as the measurement.
const CREDENTIALS: &str = "Basic YmVuY2g6YmVuY2g=";

/// Measures `changes` changes, one each `pause`, and a cut of this length.
pub fn run(site: &Site, changes: usize, pause: Duration, cut: Duration) -> anyhow::Result<Federation> {
    let version = Command::new("icinga2").arg("--version").stderr(Stdio::null()).output();
    let version = version.context("cannot start icinga2: is it installed (Debian: icinga2-bin)?")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let version = version.split_once("version: ").map_or("", |(_, rest)| rest.split(')').next().unwrap_or(""));
    let (master_port, satellite_port) = (free_port()?, free_port()?);
    let relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], master_port)))?;
    let master = Node::start(site, "master", master_port, None)?;
    let satellite = Node::start(site, "satellite", satellite_port, Some(relay.address().port()))?;
    master.wait_for_satellite()?;
    let (told, events) = (master.watch()?, master.follow()?);
    let mut results = Results { node: &satellite, api: satellite.connect()?, used: Instant::now(), number: 0 };
    let mut seen = Vec::new();
    for _ in 0..changes.max(1) {
        let sent = Instant::now();
        results.make()?;
        seen.push(wait(&told, results.number)?.duration_since(sent));
        std::thread::sleep(pause);
    }

    relay.cut();
    std::thread::sleep(cut / 2);
    results.make()?;
    let changed = results.number;
    std::thread::sleep((cut / 2).saturating_sub(BEFORE));
    let first = results.number + 1;
    let until = Instant::now() + BEFORE;
    results.make_until(until)?;
    let healed = Instant::now();
    relay.heal();
    results.make_until(healed + AFTER)?;
    let around = usize::try_from(results.number + 1 - first)?;
    // One more, alone: whatever is not there soon after it was passed over.
    results.make()?;
    let agreed = collect(&told, results.number)?
        .into_iter()
        .find(|(number, _)| *number >= changed)
        .map_or(Duration::ZERO, |(_, at)| at.saturating_duration_since(healed));
    let mut arrived = Vec::new();
    while let Ok((number, _)) = events.recv_timeout(SILENCE) {
        arrived.push(number);
    }
    let lost = (first..results.number).filter(|number| !arrived.contains(number)).count();
    let latency = Latency::of(seen);
    let ms = |time: Duration| micros(time) / 1e3;
    Ok(Federation {
        name: format!("Icinga 2 {version}"),
        seen_ms: (ms(latency.p50), ms(latency.p99)),
        agreed_ms: ms(agreed),
        around,
        lost,
    })
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A result of the service, as the master tells it: its number, and when that was read.
type Told = (u64, Instant);

fn wait(told: &Receiver<Told>, number: u64) -> anyhow::Result<Instant> {
    let all = collect(told, number)?;
    all.last().map(|(_, at)| *at).context("no result came")
}

/// Everything that is told up to this number.
fn collect(told: &Receiver<Told>, last: u64) -> anyhow::Result<Vec<Told>> {
    let until = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    loop {
        let next = told.recv_timeout(until.saturating_duration_since(Instant::now()));
        let (number, at) = next.with_context(|| format!("result {last} did not reach the master in {PATIENCE:?}"))?;
        all.push((number, at));
        if number >= last {
            return Ok(all);
        }
    }
}

/// The number that a result carries in its output.
fn number_in(text: &str) -> Option<u64> {
    text.split_once("number=").and_then(|(_, rest)| rest.split(';').next()?.parse().ok())
}

type Api = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// Results of the one service, given to the satellite.
struct Results<'a> {
    node: &'a Node,
    api: Api,
    used: Instant,
    number: u64,
}

impl Results<'_> {
    /// One more. Good and bad in turn, so that each is a change of state.
    fn make(&mut self) -> anyhow::Result<()> {
        // Icinga closes connections on which nobody has asked anything for a while.
        if self.used.elapsed() > IDLE {
            self.api = self.node.connect()?;
        }
        self.number += 1;
        let body = format!(
            "{{\"type\":\"Service\",\"service\":\"km!store\",\"exit_status\":{},\"plugin_output\":\"number={};\"}}",
            if self.number % 2 == 1 { 2 } else { 0 },
            self.number
        );
        ask(&mut self.api, "POST", "/v1/actions/process-check-result", &body)?;
        let (status, answer) = answer(&mut self.api)?;
        if status != 200 {
            bail!("the satellite answered {status}: {answer}");
        }
        self.used = Instant::now();
        Ok(())
    }

    fn make_until(&mut self, until: Instant) -> anyhow::Result<()> {
        while Instant::now() < until {
            self.make()?;
            std::thread::sleep(BETWEEN);
        }
        Ok(())
    }
}

fn ask(api: &mut Api, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nAuthorization: {CREDENTIALS}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    api.write_all(request.as_bytes())?;
    Ok(api.flush()?)
}

/// Status and body of an answer that tells its length.
fn answer(api: &mut Api) -> anyhow::Result<(u16, String)> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        api.read_exact(&mut byte)?;
        text.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no answer of HTTP")?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .context("an answer without its length")?;
    let mut body = vec![0; length];
    api.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// A process of Icinga 2, ended with this value.
struct Node {
    child: Child,
    port: u16,
    tls: Arc<rustls::ClientConfig>,
    name: &'static str,
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its workers are its own to end, so it is asked to and waited for.
        if let Some(process) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(process, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Node {
    /// Starts one. A satellite is told the port by which it reaches its master.
    fn start(site: &Site, name: &'static str, port: u16, master: Option<u16>) -> anyhow::Result<Self> {
        let folder = site.folder().join(format!("icinga2-{name}"));
        let pki_folder = site.folder().join("pki");
        let request = pki::IssueRequest {
            // Icinga goes by the subject, which has the ID for its name.
            components: vec![ComponentRef::new(ReferencePoint::Mx, ComponentId::new(name)?)],
            dns: vec![name.to_owned()],
            ips: vec![],
            days: 90,
            name: Some(name.to_owned()),
        };
        pki::issue(&pki_folder, &request)?;
        for part in ["data/certs", "log", "cache", "run", "spool"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        let certificates = folder.join("data/certs");
        std::fs::copy(pki_folder.join("ca.pem"), certificates.join("ca.crt"))?;
        std::fs::copy(pki_folder.join(format!("{name}.pem")), certificates.join(format!("{name}.crt")))?;
        std::fs::copy(pki_folder.join(format!("{name}.key")), certificates.join(format!("{name}.key")))?;
        let file = folder.join("icinga2.conf");
        std::fs::write(&file, configuration(&folder, name, port, master))?;
        let path = |part: &str| folder.join(part).display().to_string();
        let mut command = Command::new("icinga2");
        command.arg("daemon").arg("-c").arg(&file);
        let identity = |what: &str| -> anyhow::Result<String> {
            let output = Command::new("id").arg(what).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        for (constant, value) in [
            ("DataDir", path("data")),
            ("LogDir", path("log")),
            ("CacheDir", path("cache")),
            ("SpoolDir", path("spool")),
            ("InitRunDir", path("run")),
            ("PidPath", path("run/pid")),
            ("VarsPath", path("cache/vars")),
            ("ObjectsPath", path("cache/objects")),
            ("StatePath", path("data/state")),
            ("ModAttrPath", path("data/modified")),
            ("RunAsUser", identity("-un")?),
            ("RunAsGroup", identity("-gn")?),
        ] {
            command.arg(format!("-D{constant}={value}"));
        }
        let output = std::fs::File::create(folder.join("output"))?;
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        let tls = rustls::ClientConfig::builder_with_provider(provider(KeyExchange::Classical))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(site.roots()?)
            .with_no_client_auth();
        Ok(Self { child, port, tls: Arc::new(tls), name })
    }

    fn connect(&self) -> anyhow::Result<Api> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE * 2))?;
        let name = ServerName::try_from(self.name)?;
        Ok(rustls::StreamOwned::new(rustls::ClientConnection::new(Arc::clone(&self.tls), name)?, tcp))
    }

    fn wait_for_satellite(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let asked = self.connect().and_then(|mut api| {
                ask(&mut api, "GET", "/v1/objects/endpoints/satellite?attrs=connected", "")?;
                answer(&mut api)
            });
            if asked.is_ok_and(|(_, body)| body.contains("\"connected\":true")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the satellite of Icinga 2 did not reach its master within {PATIENCE:?}")
    }

    /// Asks the master again and again for the last result that it has, and tells each new one.
    fn watch(&self) -> anyhow::Result<Receiver<Told>> {
        let mut api = self.connect()?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut last = None;
            loop {
                let path = "/v1/objects/services/km!store?attrs=last_check_result";
                // The measurement's end ends the master, and with it this thread.
                let Ok((_, body)) = ask(&mut api, "GET", path, "").and_then(|()| answer(&mut api)) else { return };
                let number = number_in(&body);
                if let Some(number) = number.filter(|_| number != last)
                    && tell.send((number, Instant::now())).is_err()
                {
                    return;
                }
                last = number;
                std::thread::sleep(ASK_AGAIN);
            }
        });
        Ok(told)
    }

    /// Follows the results that the master tells of.
    fn follow(&self) -> anyhow::Result<Receiver<Told>> {
        let mut api = self.connect()?;
        ask(&mut api, "POST", "/v1/events", "{\"queue\":\"bench\",\"types\":[\"CheckResult\"]}")?;
        let mut lines = BufReader::new(api).lines();
        let first = lines.next().context("the stream of events did not begin")??;
        if !first.contains(" 200 ") {
            bail!("the master answered: {first}");
        }
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if number_in(&line).is_some_and(|number| tell.send((number, Instant::now())).is_err()) {
                    return;
                }
            }
        });
        Ok(told)
    }
}

fn configuration(folder: &Path, name: &str, port: u16, master: Option<u16>) -> String {
    let reach = master.map_or_else(String::new, |port| format!("host = \"127.0.0.1\"\nport = \"{port}\"\n"));
    format!(
        "const NodeName = \"{name}\"\nconst ZoneName = \"{name}\"\nobject Endpoint \"master\" {{\n{reach}}}\n\
         object Endpoint \"satellite\" {{ }}\nobject Zone \"master\" {{ endpoints = [ \"master\" ] }}\n\
         object Zone \"satellite\" {{\nendpoints = [ \"satellite\" ]\nparent = \"master\"\n}}\n\
         object ApiListener \"api\" {{\nbind_host = \"127.0.0.1\"\nbind_port = {port}\n}}\n\
         object ApiUser \"bench\" {{\npassword = \"bench\"\npermissions = [ \"*\" ]\n}}\n\
         object CheckerComponent \"checker\" {{ }}\n\
         object FileLogger \"log\" {{\nseverity = \"warning\"\npath = \"{}\"\n}}\n\
         object CheckCommand \"none\" {{ command = [ \"/bin/true\" ] }}\n\
         object Host \"km\" {{\ncheck_command = \"none\"\nzone = \"satellite\"\nenable_active_checks = false\n}}\n\
         object Service \"store\" {{\nhost_name = \"km\"\nzone = \"satellite\"\ncheck_command = \"none\"\n\
         enable_active_checks = false\nmax_check_attempts = 1\n}}\n",
        folder.join("log/icinga2.log").display()
    )
}
