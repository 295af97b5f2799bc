//! `qkdnm demo --federation`: three domains with a network and a manager each, that tell each other over Mx how they are.
//!
//! A fibre is cut in one, another is cut off from both and comes back; each step waits until the managers have noticed, and
//! tells how long that took. What is seen is read from the managers' HTTP API, and nothing else is known of them.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::{DemoError, DemoManager, DemoOptions, Network, Outcome, WatchError, proxy::Wire, site::Site};
use crate::{config::Config, model::ReferencePoint, pki, simulate::running};

/// The domains, each with its network: parts of one published topology.
const DOMAINS: [(&str, &str); 3] = [
    ("flanders", include_str!("../../../examples/federation/flanders.toml")),
    ("brabant", include_str!("../../../examples/federation/brabant.toml")),
    ("wallonia", include_str!("../../../examples/federation/wallonia.toml")),
];
/// A link's name, the domains that it joins, and at each end the site and the module there.
type Link = (&'static str, &'static str, &'static str, ((&'static str, &'static str), (&'static str, &'static str)));
/// Links between domains.
const LINKS: [Link; 2] = [
    ("evere-antwerp", "brabant", "flanders", (("evere", "evere-qkd-antwerp"), ("antwerp", "antwerp-qkd-evere"))),
    ("vilvoorde-mons", "brabant", "wallonia", (("vilvoorde", "vilvoorde-qkd-mons"), ("mons", "mons-qkd-vilvoorde"))),
];
/// How often a domain says that it is there: often enough that its silence shows while somebody watches.
const REFRESH: &str = "2s";
/// Longest wait for the managers to notice something.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Calm after a step before the next begins.
const LINGER: Duration = Duration::from_secs(3);

/// A domain that runs.
struct Domain {
    name: &'static str,
    manager: Box<dyn DemoManager>,
    network: Network,
    folder: PathBuf,
}

/// The demo under way.
struct Stage<'a> {
    domains: Vec<Domain>,
    wires: Vec<(usize, usize, Wire)>,
    agent: ureq::Agent,
    begun: Instant,
    out: &'a mut (dyn io::Write + Send),
    missed: Vec<String>,
}

/// Shows the demo. `start` starts a manager with a configuration; `stop` resolves when the user has seen enough.
pub async fn run<S, F>(
    options: &DemoOptions,
    start: S,
    stop: impl Future<Output = ()>,
    out: &mut (dyn io::Write + Send),
) -> Result<Outcome, DemoError>
where
    S: Fn(Config) -> F,
    F: Future<Output = Result<Box<dyn DemoManager>, String>>,
{
    let temporary = tempfile::Builder::new().prefix("qkdnm-demo-").tempdir()?;
    let folder = options.keep.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let mut wires = Vec::new();
    for near in 0..DOMAINS.len() {
        for far in near + 1..DOMAINS.len() {
            wires.push((near, far, Wire::lay().await?));
        }
    }
    let sites = sites(&folder, &wires)?;
    let components: usize = sites.iter().map(|site| site.plan().components.len()).sum();
    // Both ends of each connection are in this process. Where there is no room, connections fail and the story says so.
    let _ = running::limits::make_room(2 * components + 64);
    let mut domains = Vec::new();
    for ((name, _), site) in DOMAINS.into_iter().zip(&sites) {
        let manager = start(site.load()?).await.map_err(DemoError::Manager)?;
        let network = Network::start(options, site, manager.as_ref()).await?;
        domains.push(Domain { name, manager, network, folder: site.folder().to_path_buf() });
    }
    for (_, far, wire) in &wires {
        let listens = domains.get(*far).and_then(|domain| domain.manager.listens(ReferencePoint::Mx));
        listens.into_iter().for_each(|address| wire.leads_to(address));
    }
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
    let mut stage = Stage { domains, wires, agent: config.into(), begun: Instant::now(), out, missed: Vec::new() };
    stage.opening(components, options)?;
    let story = async {
        stage.story().await?;
        if options.length.is_none() {
            stage.line("That was the story. The domains go on; Ctrl-C ends them.")?;
            std::future::pending::<()>().await;
        }
        Ok::<(), DemoError>(())
    };
    tokio::select! {
        told = story => told?,
        () = stop => {}
    }
    stage.finish().await
}

/// Folders, keys and configurations of all domains.
fn sites(folder: &Path, wires: &[(usize, usize, Wire)]) -> Result<Vec<Site>, DemoError> {
    let of = |domain: &str| folder.join(domain);
    for (domain, _) in DOMAINS {
        std::fs::create_dir_all(of(domain))?;
        if !of(domain).join("signing.key").exists() {
            pki::signing_key(&of(domain).join("signing.key"), pki::SigningAlgorithm::Ed25519)?;
        }
    }
    let mut sites = Vec::new();
    for (number, (domain, network)) in DOMAINS.into_iter().enumerate() {
        let mut more = format!(
            "\n[federation]\nname = \"belgium\"\nsigning_key = \"signing.key\"\nrefresh = \"{REFRESH}\"\n\
                 disclose = [\"health\", \"alarms\", \"alarm-types\", \"capabilities\", \"link-states\"]\n"
        );
        for (link, near, far, from) in LINKS {
            let end = [(near, far), (far, near)].into_iter().find(|(one, _)| *one == domain);
            if let Some((_, other)) = end {
                let at = if near == domain { from.0 } else { from.1 };
                more += &format!(
                    "\n[[federation.links]]\nname = \"{link}\"\ndomain = \"{other}\"\nfrom = [\"mq/{}\", \"mk/{}-km {link}\"]\n",
                    at.1, at.0
                );
            }
        }
        for (other, (name, _)) in DOMAINS.into_iter().enumerate().filter(|(other, _)| *other != number) {
            more += &format!(
                "\n[[peers]]\nid = \"manager-{name}\"\ndomain = \"{name}\"\nsigning_keys = \"../{name}/signing.pub\"\n\
                 trust_anchors = \"../{name}/pki/ca.pem\"\n"
            );
            let wire = wires.iter().find(|(near, far, _)| (*near, *far) == (number, other));
            if let Some((_, _, wire)) = wire {
                more += &format!("address = \"{}\"\n", wire.address);
            }
        }
        sites.push(Site::of_domain(&of(domain), (domain, network), &more)?);
    }
    Ok(sites)
}

impl Stage<'_> {
    fn line(&mut self, text: &str) -> io::Result<()> {
        let seconds = self.begun.elapsed().as_secs_f64();
        writeln!(self.out, "{seconds:6.1} s  {text}")?;
        self.out.flush()
    }

    fn opening(&mut self, components: usize, options: &DemoOptions) -> io::Result<()> {
        writeln!(
            self.out,
            "Three QKD networks, {components} components, and a manager for each, all on this machine. The managers are peers:\n\
             each tells the others over Mx how its domain is, in sum, signed; none is master.\n"
        )?;
        for Domain { name, manager, folder, .. } in &self.domains {
            writeln!(self.out, "  {name:<9} http://{}/   {}", manager.api(), folder.display())?;
        }
        let fate = if options.keep.is_some() { "stay" } else { "are removed at the end; --keep DIR keeps them" };
        writeln!(self.out, "\nThe folders {fate}. Look around from another terminal:\n")?;
        let api = self.domains.first().map(|domain| domain.manager.api().to_string()).unwrap_or_default();
        for command in [
            "domain list",
            "domain show wallonia",
            "domain links",
            "domain path flanders wallonia",
            "domain alarms",
            "peer list",
            "peer preview manager-brabant",
            "event follow",
        ] {
            writeln!(self.out, "  qkdnm --api http://{api} {command}")?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    async fn story(&mut self) -> Result<(), DemoError> {
        self.line("Three managers start, dial each other, check certificates and signatures.")?;
        let all = |stage: &Self| {
            let seen: Vec<_> = (0..3).flat_map(|at| (0..3).map(move |of| (at, of))).collect();
            seen.into_iter().all(|(at, of)| stage.seen(at, of)["freshness"] == "fresh")
        };
        self.until("every domain is fresh in every manager", all).await?;
        let networks = |stage: &Self| stage.domains.iter().all(|domain| domain.network.reports_as_usual());
        self.until("all components report, and policies know what is usual", networks).await?;
        let path = |stage: &Self| {
            let path = stage.get(0, "domain-path?from=flanders&to=wallonia");
            path["state"] == "up" && path["hops"].as_array().is_some_and(|hops| hops.len() == 2)
        };
        self.until(
            "Flanders knows the path to Wallonia by way of Brabant: all three tell the states of their links",
            path,
        )
        .await?;
        tokio::time::sleep(LINGER).await;

        self.line("In Flanders a fibre is cut between Antwerp and Ghent.")?;
        self.happens(0, "cut fibre antwerp-ghent").await;
        let down = |stage: &Self, at: usize| stage.alarms(at, 0, "link-down") > 0;
        self.until("the manager of Flanders has the alarm `link-down`", |stage| stage.own_alarm(0, "link-down"))
            .await?;
        self.until(
            "Brabant and Wallonia know that a link is down in Flanders, and not which: that was not told",
            |stage| down(stage, 1) && down(stage, 2),
        )
        .await?;
        tokio::time::sleep(LINGER).await;

        self.line("Wallonia is cut off from both others. Nothing is refused, nothing arrives.")?;
        self.cut_off(2, false);
        self.until("Flanders and Brabant hold Wallonia for stale; what they knew of it stays, marked", |stage| {
            [0, 1].into_iter().all(|at| stage.seen(at, 2)["freshness"] == "stale")
        })
        .await?;
        self.line("Meanwhile the fibre in Flanders is mended.")?;
        self.happens(0, "end all").await;
        self.until("Brabant knows that the link is up again", |stage| !down(stage, 1)).await?;
        if !down(self, 2) {
            self.missed.push("Wallonia should not have heard of it".to_owned());
        }
        self.line("Wallonia still shows the link down, and says itself that this is old.")?;
        tokio::time::sleep(LINGER).await;

        self.line("The wires to Wallonia are mended.")?;
        self.cut_off(2, true);
        self.until("all three agree again, and Wallonia knows that the link is up", |stage| {
            !down(stage, 2) && all(stage)
        })
        .await?;
        Ok(())
    }

    /// Waits for something that the managers should show, and tells how long it took.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), DemoError> {
        let begun = Instant::now();
        // Requests to the API are short, and nothing else in this task has to go on meanwhile.
        while !tokio::task::block_in_place(|| is_so(self)) {
            if begun.elapsed() > PATIENCE {
                self.line(&format!("MISSED within {} s: {what}", PATIENCE.as_secs()))?;
                self.missed.push(what.to_owned());
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        let took = begun.elapsed();
        let shown = if took < Duration::from_secs(1) {
            format!("{} ms", took.as_millis())
        } else {
            format!("{:.1} s", took.as_secs_f64())
        };
        self.line(&format!("  after {shown}: {what}."))?;
        Ok(())
    }

    async fn happens(&mut self, domain: usize, line: &str) {
        let Some(domain) = self.domains.get(domain) else { return };
        let answer = domain.network.tell(line).await;
        if answer.starts_with("error: ") {
            self.missed.push(format!("`{line}`: {answer}"));
        }
    }

    fn cut_off(&self, domain: usize, whole: bool) {
        let concerned = self.wires.iter().filter(|(near, far, _)| *near == domain || *far == domain);
        concerned.for_each(|(_, _, wire)| wire.set_whole(whole));
    }

    fn get(&self, at: usize, path: &str) -> Value {
        let Some(api) = self.domains.get(at).map(|domain| domain.manager.api()) else { return Value::Null };
        get(&self.agent, api, path).unwrap_or(Value::Null)
    }

    /// What one manager knows of a domain.
    fn seen(&self, at: usize, of: usize) -> Value {
        let name = self.domains.get(of).map_or("", |domain| domain.name);
        self.get(at, &format!("domains/{name}"))
    }

    /// How many alarms of a type one manager sees in a domain.
    fn alarms(&self, at: usize, of: usize, kind: &str) -> u64 {
        let seen = self.seen(at, of);
        let documents = seen["documents"].as_array().cloned().unwrap_or_default();
        let sections = documents.iter().flat_map(|document| document["sections"].as_array().into_iter().flatten());
        let alarms = sections.filter(|section| section["name"] == "alarms");
        alarms.filter_map(|section| section["content"]["types"][kind].as_u64()).sum()
    }

    fn own_alarm(&self, at: usize, kind: &str) -> bool {
        let alarms = self.get(at, &format!("alarms?type={kind}&cleared=false"));
        alarms["items"].as_array().is_some_and(|items| !items.is_empty())
    }

    async fn finish(self) -> Result<Outcome, DemoError> {
        let Self { domains, out, missed, .. } = self;
        let mut outcome = Outcome { missed, ..Outcome::default() };
        for domain in domains {
            let totals = domain.network.finish().await?;
            outcome.totals.sent += totals.sent;
            outcome.totals.acknowledged += totals.acknowledged;
            outcome.totals.refused += totals.refused;
            outcome.totals.lost += totals.lost;
            domain.manager.stop().await;
        }
        let totals = outcome.totals;
        writeln!(
            out,
            "\n{} reports sent, {} acknowledged, {} refused.",
            totals.sent, totals.acknowledged, totals.refused
        )?;
        for missed in &outcome.missed {
            writeln!(out, "MISSED: {missed}")?;
        }
        Ok(outcome)
    }
}

fn get(agent: &ureq::Agent, api: SocketAddr, path: &str) -> Result<Value, WatchError> {
    let url = format!("http://{api}/api/v1/{path}");
    let answer = agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_json::<Value>());
    answer.map_err(|source| WatchError::Get { url, source: Box::new(source) })
}
