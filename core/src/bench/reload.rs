//! Reloads under load: how long one takes, for how long nobody is read, what the senders notice.
//!
//! Components of all seven reference points report over connections with many reports in flight, as in `ingest`; meanwhile
//! the files change and are reloaded again and again: a policy's level, a component more or less, a limit of every interface. One
//! report that is not answered `success`, or one connection that ends, fails the measurement.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::{
    costs,
    ingest::{Bench, Options, median},
    load,
    server::Server,
    site::{Member, Setup, Site},
};

/// Between two reloads.
const PAUSE: Duration = Duration::from_millis(100);
/// A token of the role admin, and its SHA-256 (of FIPS 180-2).
pub(super) const TOKEN: (&str, &str) = ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Connections that report.
    pub connections: usize,
    /// Unanswered reports on each.
    pub window: usize,
    /// Components in the configuration.
    pub components: usize,
    /// Reloads.
    pub reloads: usize,
    /// Reports sent meanwhile, all answered `success`.
    pub reports: u64,
    /// From the request to the answer, milliseconds: median and longest.
    pub took_ms: (f64, f64),
    /// For how long of that no connection was read, milliseconds: median and longest.
    pub held_ms: (f64, f64),
    /// Longest time that a connection with open reports got no answer, milliseconds; and without reloads.
    pub longest_wait_ms: (f64, f64),
}

impl Report {
    /// As a table in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} reloads under {} reports over {} connections of {} in flight; {} components configured; \
             none lost, none refused, no connection dropped\n\n| | median | longest |\n|---|---|---|\n",
            self.reloads, self.reports, self.connections, self.window, self.components
        );
        for (what, (median, longest)) in [("a reload, ms", self.took_ms), ("of that nobody is read, ms", self.held_ms)]
        {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {what} | {median:.2} | {longest:.2} |");
        }
        let (with, without) = self.longest_wait_ms;
        let _ = writeln!(text, "\nLongest wait for an answer: {with:.1} ms, without reloads {without:.1} ms.");
        text
    }
}

/// Measures, with so many components in the configuration beside those that report.
pub fn run(options: &Options, more: usize) -> anyhow::Result<Report> {
    let temporary = tempfile::tempdir()?;
    let folder = options.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    let site = Site::make(&folder, Member::of_each(options.connections))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut bench = Bench::new(options, site);
    let config = bench.site.configure(&setup(options, more, 0))?;
    let server = Server::manager(&bench.site, &config)?;
    let api = server.api.context("the manager told no address of its API")?;
    let (warm, quiet) = (bench.reporters(None), bench.reporters(None));
    runtime.block_on(load::run(&bench.site, &server.addresses, warm, options.window, options.lasts / 4))?;
    let quiet = runtime.block_on(load::run(&bench.site, &server.addresses, quiet, options.window, options.lasts))?;
    let reporters = bench.reporters(None);
    let (site, until) = (&bench.site, Instant::now() + options.lasts);
    let (brought, told) = std::thread::scope(|scope| {
        let reloads = scope.spawn(move || {
            let mut told = Vec::new();
            while Instant::now() < until {
                std::thread::sleep(PAUSE);
                site.configure(&setup(options, more, told.len() + 1))?;
                told.push(reload(api)?);
            }
            anyhow::Ok(told)
        });
        let brought =
            runtime.block_on(load::run(site, &server.addresses, reporters, options.window, options.lasts + 3 * PAUSE));
        (brought, reloads.join())
    });
    let told = told.map_err(|_| anyhow::anyhow!("the thread that reloads broke"))??;
    let brought = brought?;
    let figures = |which: usize| {
        let figures: Vec<f64> = told.iter().map(|one| if which == 0 { one.0 } else { one.1 }).collect();
        let longest = figures.iter().copied().fold(0.0, f64::max);
        (median(figures), longest)
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Report {
        connections: options.connections,
        window: options.window,
        components: bench.site.members().len() + more,
        reloads: told.len(),
        reports: brought.answered,
        took_ms: figures(0),
        held_ms: figures(1),
        longest_wait_ms: (ms(brought.longest_wait), ms(quiet.longest_wait)),
    })
}

/// The configuration of turn `number`.
fn setup(options: &Options, more: usize, number: usize) -> Setup {
    let mut text: String = costs::POLICIES.iter().map(costs::SixPolicies::table).collect();
    let _ = write!(
        text,
        "[[policies]]\nname = \"turns\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\nconfig = {{ value = \
         \"key_store_fill_ratio\", raise_below = 0.0{}, severity = \"minor\", alarm_type = \"key-store-low\" }}\n\
         [[api.tokens]]\nname = \"bench\"\nsha256 = \"{}\"\nrole = \"admin\"\n",
        1 + number % 9,
        TOKEN.1
    );
    for component in 0..more + number % 2 {
        let _ =
            write!(text, "[[components]]\nid = \"listed-{component}\"\nreference_point = \"mk\"\nsite = \"vienna\"\n");
    }
    Setup {
        name: "reload".to_owned(),
        policies: text,
        durability: options.durability.clone(),
        history: true,
        idle_minutes: 10 + number % 2,
    }
}

/// What a manager answers to a request of an administrator without a body to speak of.
pub(super) fn post(api: SocketAddr, path: &str) -> anyhow::Result<serde_json::Value> {
    let mut stream = TcpStream::connect(api)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        TOKEN.0
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).with_context(|| format!("no JSON: {answer}"))
}

/// Has the manager reload; how long it took, and for how long of that nobody was read, in milliseconds.
fn reload(api: SocketAddr) -> anyhow::Result<(f64, f64)> {
    let told = post(api, "/api/v1/configuration/reload")?;
    match (told["result"].as_str(), told["tookMs"].as_f64(), told["heldMs"].as_f64()) {
        (Some("applied"), Some(took), Some(held)) => Ok((took, held)),
        _ => bail!("not reloaded: {told}"),
    }
}
