//! `qkdnm simulate`: see `crate::simulate`. Here are its arguments, files, the prompt on standard input, and what is printed.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use super::{CommandError, CommandResult, Exit, Output};
use crate::{
    config::quantity,
    model::ReferencePoint,
    simulate::{
        description::{self, Description, Plan},
        devices::WantedDevice,
        running::{Asked, Certificates, Options, Progress, Running, Told, control, limits, prompt},
        site::{DOMAIN, MANAGER, READY_FILE, Site, Wanted},
    },
};

/// Ports of a host that is given without one: `--manager host`.
const FIRST_PORT: u16 = 7101;
/// Lines that wait for the simulation.
const LINES: usize = 16;
/// Time between two lines of how it goes.
const TELLING: Duration = Duration::from_secs(5);
/// Time between two records of usage.
const BILLING: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
In two terminals:
  qkdnm simulate examples/networks/vienna-5.toml --write-config site
  qkdnm run site/manager.toml
and
  qkdnm simulate examples/networks/vienna-5.toml --site site
then at its prompt, or with --tell from a third:
  cut fibre stp-brt for 30s
  list links";

/// Simulate a QKD network from a description: components of all reference points, and faults
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// Description of the network (TOML); examples/networks has some
    #[arg(value_name = "FILE", required_unless_present = "tell")]
    pub file: Option<PathBuf>,
    /// Folder made by --write-config: certificates, and where its manager listens
    #[arg(long, value_name = "DIR", conflicts_with_all = ["manager", "pki"])]
    pub site: Option<PathBuf>,
    /// The manager: HOST for its usual ports, or POINT=HOST:PORT for each reference point
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub manager: Vec<String>,
    /// Folder with ca.pem, and ca.key or POINT-ID.pem and POINT-ID.key of each component
    #[arg(long, value_name = "DIR")]
    pub pki: Option<PathBuf>,
    /// Write manager.toml and certificates for this network into a folder, and do nothing else
    #[arg(long, value_name = "DIR", conflicts_with_all = ["site", "manager", "tell"])]
    pub write_config: Option<PathBuf>,
    /// With --write-config: port of the API; reference points get those behind it. 0: the system chooses each
    #[arg(long, value_name = "PORT", default_value_t = 7100, requires = "write_config")]
    pub first_port: u16,
    /// With --write-config: write manager.toml anew where there is one
    #[arg(long, requires = "write_config")]
    pub force: bool,
    /// With --write-config: the manager's ID
    #[arg(long, value_name = "ID", default_value = MANAGER, requires = "write_config")]
    pub manager_id: String,
    /// With --write-config: the manager's domain
    #[arg(long, value_name = "NAME", default_value = DOMAIN, requires = "write_config")]
    pub domain: String,
    /// List the components and do nothing else
    #[arg(long)]
    pub dry_run: bool,
    /// Seed of noise and random faults; instead of the file's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Offer a node as a device that has to be asked, over mutual TLS: etsi014:NODE=ADDRESS:PORT (a key management entity),
    /// etsi015:NODE=ADDRESS:PORT (a software-defined QKD node over RESTCONF)
    #[arg(long = "device", value_name = "KIND:NODE=ADDRESS")]
    pub devices: Vec<WantedDevice>,
    /// Only offer devices: no component reports, and no manager is needed; with --pki
    #[arg(long, requires = "devices", conflicts_with_all = ["site", "manager"])]
    pub only_devices: bool,
    /// How many times faster than the clock; instead of the file's
    #[arg(long, value_parser = speed)]
    pub speed: Option<f64>,
    /// End after about this time, such as 30s
    #[arg(long = "for", value_name = "TIME", value_parser = quantity::duration)]
    pub length: Option<Duration>,
    /// Where other terminals ask on this machine; default: a port that the system chooses
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub control: SocketAddr,
    /// Say a line to the simulation that runs with this --site or --control, and print the answer
    #[arg(long, value_name = "LINE")]
    pub tell: Option<String>,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.01..=10_000.0).contains(&speed) { Ok(speed) } else { Err("expected 0.01 to 10000".to_owned()) }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "expected ADDRESS:PORT".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only an address of the machine itself will do".to_owned())
    }
}

/// `qkdnm simulate`
pub fn command(args: &SimulateArgs, output: &mut Output<'_>) -> CommandResult {
    if let Some(line) = &args.tell {
        return tell(args, line, output);
    }
    let Some(file) = &args.file else {
        return Err(CommandError::usage(anyhow::anyhow!("which network? give its FILE")));
    };
    let (description, plan) = read(file)?;
    let description = with_arguments(description, args);
    if args.dry_run {
        return list(&plan, output);
    }
    if let Some(folder) = &args.write_config {
        return write_config(folder, (&description, &plan), (file, args), output);
    }
    let site = args.site.as_deref().map(Site::open);
    let (managers, pki) = match (&site, &args.pki) {
        (Some(site), _) => (site.managers()?, site.pki()),
        (None, Some(pki)) => (managers(&args.manager)?, pki.clone()),
        (None, None) => {
            let missing = "say where: --site DIR (made by --write-config), or --manager ADDRESS and --pki DIR";
            return Err(CommandError::usage(anyhow::anyhow!(missing)));
        }
    };
    if let Err(problem) = limits::make_room(plan.components.len()) {
        output.line(&format!("warning: {problem}"))?;
    }
    let options = Options {
        managers,
        seed: description.simulation.seed,
        speed: description.simulation.speed,
        length: args.length,
        telling: TELLING,
        billing: BILLING,
        devices: args.devices.clone(),
        reports: !args.only_devices,
    };
    let running = Running::new(&description, plan, Certificates::open(&pki)?, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("io").enable_all().build()?;
    let ended = runtime.block_on(run(running, args, (site.as_ref(), &pki), output));
    // The prompt may still wait for a line.
    runtime.shutdown_background();
    ended
}

/// A network from its description.
pub(super) fn read(file: &Path) -> Result<(Description, Arc<Plan>), CommandError> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let described = description::parse(&file.display().to_string(), &text).map_err(|problems| {
        CommandError::usage(anyhow::anyhow!(
            "{} is no description of a network:\n{}",
            file.display(),
            problems.render(super::stderr_is_terminal())
        ))
    })?;
    let plan = Plan::new(&described).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  - {problem}")).collect();
        CommandError::usage(anyhow::anyhow!("{} cannot be simulated:\n{}", file.display(), lines.join("\n")))
    })?;
    Ok((described, Arc::new(plan)))
}

fn with_arguments(mut description: Description, args: &SimulateArgs) -> Description {
    let simulation = &mut description.simulation;
    simulation.seed = args.seed.unwrap_or(simulation.seed);
    simulation.speed = args.speed.unwrap_or(simulation.speed);
    description
}

/// `host`, or `mq=host:port` for each reference point.
fn managers(given: &[String]) -> Result<HashMap<ReferencePoint, String>, CommandError> {
    let mut managers = HashMap::new();
    for text in given {
        match text.split_once('=') {
            Some((point, address)) => {
                let point: ReferencePoint = point
                    .parse()
                    .map_err(|_| CommandError::usage(anyhow::anyhow!("`{point}` is no reference point")))?;
                managers.insert(point, address.to_owned());
            }
            None => {
                let host =
                    if text.contains(':') && !text.starts_with('[') { format!("[{text}]") } else { text.clone() };
                for (point, port) in ReferencePoint::ALL.into_iter().zip(FIRST_PORT..) {
                    managers.entry(point).or_insert_with(|| format!("{host}:{port}"));
                }
            }
        }
    }
    Ok(managers)
}

fn list(plan: &Plan, output: &mut Output<'_>) -> CommandResult {
    if output.is_data() {
        let all: Vec<serde_json::Value> = plan
            .components
            .iter()
            .map(|it| serde_json::json!({ "component": it.component.to_string(), "site": it.site }))
            .collect();
        output.document(&all)?;
        return Ok(Exit::Success);
    }
    for component in &plan.components {
        output.line(&component.component.to_string())?;
    }
    output.line(&summary(plan))?;
    Ok(Exit::Success)
}

fn summary(plan: &Plan) -> String {
    let numbers: Vec<String> = plan.numbers().iter().map(|(point, number)| format!("{number} on {point}")).collect();
    format!("{}: {} components: {}", plan.name, plan.components.len(), numbers.join(", "))
}

fn write_config(
    folder: &Path,
    (description, plan): (&Description, &Plan),
    (file, args): (&Path, &SimulateArgs),
    output: &mut Output<'_>,
) -> CommandResult {
    let (simulation, first_port) = (&description.simulation, args.first_port);
    let interval = simulation.report_interval.div_f64(simulation.speed);
    let there = Site::open(folder).config_file();
    if there.exists() && !args.force {
        return Err(CommandError::usage(anyhow::anyhow!(
            "{} is there already, perhaps with changes of yours; --force writes it anew, certificates stay as they are",
            there.display()
        )));
    }
    let manager = (args.manager_id.as_str(), args.domain.as_str());
    let wanted = Wanted { manager, first_port, interval, hold_off: "10s", more: "" };
    let site = Site::write(folder, description, plan, &wanted)?;
    let ready = if first_port == 0 {
        format!(" --ready-file {}", site.folder().join(READY_FILE).display())
    } else {
        String::new()
    };
    output.line(&summary(plan))?;
    output.line("The manager, and the network in another terminal:")?;
    output.line(&format!("  qkdnm run {}{ready}", site.config_file().display()))?;
    output.line(&format!("  qkdnm simulate {} --site {}", file.display(), site.folder().display()))?;
    Ok(Exit::Success)
}

fn tell(args: &SimulateArgs, line: &str, output: &mut Output<'_>) -> CommandResult {
    let address = match &args.site {
        Some(site) => {
            control::address_of(site).with_context(|| format!("no simulation runs with --site {}", site.display()))?
        }
        None if args.control.port() == 0 => {
            return Err(CommandError::usage(anyhow::anyhow!(
                "say which simulation: --site DIR, as it was started with, or --control ADDRESS, which it showed when it \
                 started"
            )));
        }
        None => args.control,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime
        .block_on(control::tell(address, line))
        .with_context(|| format!("no simulation answers on {address}"))?;
    answer.lines().try_for_each(|line| output.line(line))?;
    Ok(if answer.starts_with("error: ") { Exit::Failure } else { Exit::Success })
}

async fn run(
    mut running: Running,
    args: &SimulateArgs,
    (site, pki): (Option<&Site>, &Path),
    output: &mut Output<'_>,
) -> CommandResult {
    let listener =
        TcpListener::bind(args.control).await.with_context(|| format!("cannot listen on {}", args.control))?;
    let control = listener.local_addr()?;
    let left = site.map(|site| site.folder().join(control::ADDRESS_FILE));
    if let Some(file) = &left {
        fs::write(file, format!("{control}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let (ask, asked) = mpsc::channel::<Asked>(LINES);
    tokio::spawn(control::serve(listener, ask.clone()));
    std::thread::Builder::new().name("prompt".to_owned()).spawn(move || prompt(&ask))?;
    output.line(&format!("{}  control {control}  (`help` here, or --tell help elsewhere)", running.summary()))?;
    for line in running.open_devices(&Certificates::open(pki)?).await.map_err(anyhow::Error::from)? {
        output.line(&format!("device {line}"))?;
    }
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let mut lines = Vec::new();
    let ended = running
        .run(asked, stop, |told| {
            for line in shown(told) {
                // A terminal that is gone is no reason to end the network.
                lines.push(output.line(&line));
            }
            lines.clear();
        })
        .await;
    if let Some(file) = &left {
        let _ = fs::remove_file(file);
    }
    let progress = ended?;
    output.line(&format!("ended; {}", prompt::progress(&progress.totals)))?;
    Ok(Exit::Success)
}

fn shown(told: &Told) -> Vec<String> {
    match told {
        Told::News(news, place) => {
            let what = if news.began { "begins" } else { "ends" };
            vec![format!("{:>6} s  fault {} {what}: {} at {place}", news.time.as_secs(), news.number, news.fault.kind)]
        }
        Told::Troubles(troubles) => troubles.iter().map(|trouble| format!("          {trouble}")).collect(),
        Told::Progress(Progress { network, faults, behind, totals, .. }) => {
            let behind = if *behind { "; slower than asked for" } else { "" };
            let faults = if *faults == 0 { String::new() } else { format!("; {faults} faults") };
            vec![format!("{:>6} s  {}{faults}{behind}", network.as_secs(), prompt::progress(totals))]
        }
    }
}

/// Reads lines from standard input until it ends; a thread of its own, since nothing else can wait for a terminal.
fn prompt(ask: &mpsc::Sender<Asked>) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let (answer, answered) = oneshot::channel();
        if ask.blocking_send((line, answer)).is_err() {
            return;
        }
        if let Ok(answer) = answered.blocking_recv()
            && !answer.is_empty()
        {
            println!("{answer}");
        }
    }
}
