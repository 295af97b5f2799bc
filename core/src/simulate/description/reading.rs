//! From TOML to a [`Description`]: every key is checked, names are looked up, and all problems are told at once.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    Demand, Description, Devices, Link, Network, Node, NodeKind, Peer, Preset, RandomFaults, Scheduled, Simulation,
    fault::{self, FaultKind, Figure, Written},
};
use crate::config::{
    Problem, Problems, quantity,
    reader::{Found, TableReader, resembling},
    source::{Place, SourceText, Sources, Spot},
    tree,
};

/// Most nodes and links: what ten thousand components need, and more.
const MOST: usize = 20_000;
/// Most pairs of modules on a link.
const MOST_PAIRS: u64 = 1_000;
/// Longest fibre that is believed.
const LONGEST_KM: f64 = 20_000.0;

const TOP: &[&str] = &["network", "nodes", "links", "peers", "devices", "simulation", "demand", "faults"];
const NETWORK: &[&str] = &["name", "attenuation_db_per_km", "route_factor", "longest_hop_km"];
const NODE: &[&str] = &["id", "name", "kind", "latitude", "longitude"];
const LINK: &[&str] = &["from", "to", "length_km", "loss_db", "relay_point", "pairs"];
const PEER: &[&str] = &["id", "at"];
const DEVICES: &[&str] =
    &["preset", "pairs", "switches", "switch_loss_db", "least_rate_bps", "store_bits", "store_start", "controllers"];
const SIMULATION: &[&str] = &["seed", "report_interval", "speed", "demand_bps", "random_faults"];
const RANDOM: &[&str] = &["every", "last"];
const DEMAND: &[&str] = &["from", "to", "bps"];
const FAULT: [&str; 4] = ["kind", "target", "at", "for"];

/// Reads a description. `name` is that of the file, for messages.
pub fn parse(name: &str, text: &str) -> Result<Description, Box<Problems>> {
    let mut sources = Sources::default();
    let source = sources.add(SourceText { name: name.to_owned(), folder: PathBuf::new(), text: text.to_owned() });
    let found = Found::default();
    let read = match tree::parse(text, source) {
        Ok(table) => {
            let top = TableReader::new(&found, &table, Place::default(), "the description", TOP);
            Some(description(&top, &found))
        }
        Err(problems) => {
            problems.into_iter().for_each(|problem| found.add(problem));
            None
        }
    };
    let problems = Problems::new(sources, found.take());
    match read {
        Some(read) if problems.list.is_empty() => Ok(read),
        _ => Err(Box::new(problems)),
    }
}

fn description(top: &TableReader<'_>, found: &Found) -> Description {
    let nodes = nodes(top, found);
    let names = Names(nodes.iter().map(|(id, node)| (node.id.clone(), id.place)).collect());
    let links = links(top, found, &names);
    let peers = top.tables("peers", PEER).iter().filter_map(|table| peer(table, found, &names)).collect();
    let devices = top.table("devices", "[devices]", DEVICES).map_or_else(Devices::default, |it| devices(&it, found));
    let simulation = top
        .table("simulation", "[simulation]", SIMULATION)
        .map_or_else(Simulation::default, |it| simulation(&it, found));
    let demand = top.tables("demand", DEMAND).iter().filter_map(|table| demand(table, found, &names)).collect();
    let known: Vec<&str> = FAULT.iter().chain(&fault::FIGURES).copied().collect();
    let faults = top.tables("faults", &known).iter().filter_map(|table| scheduled(table, found)).collect();
    Description {
        network: network(top, found),
        nodes: nodes.into_iter().map(|(_, node)| node).collect(),
        links,
        peers,
        devices,
        simulation,
        demand,
        faults,
    }
}

fn network(top: &TableReader<'_>, found: &Found) -> Network {
    let table = top.table("network", "[network]", NETWORK);
    if table.is_none() && !top.has("network") {
        found.add(Problem::nowhere("there is no [network] table").help("add [network] with a `name`"));
    }
    Network {
        name: table
            .and_then(|it| it.required_text("name", "[network]", "name = \"Metro\""))
            .map_or_else(String::new, |name| name.value),
        attenuation_db_per_km: table
            .and_then(|it| within(&it, found, "attenuation_db_per_km", 0.01..=5.0))
            .unwrap_or(0.2),
        route_factor: table.and_then(|it| within(&it, found, "route_factor", 1.0..=10.0)),
        longest_hop_km: table.and_then(|it| within(&it, found, "longest_hop_km", 0.0..=LONGEST_KM)),
    }
}

/// A number within bounds.
fn within(table: &TableReader<'_>, found: &Found, key: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
    let number = table.real(key)?;
    if bounds.contains(&number.value) {
        return Some(number.value);
    }
    let expected = format!("expected {} to {}", bounds.start(), bounds.end());
    found.add(Problem::error(number.place, format!("`{key}` cannot be {}", number.value)).label(expected));
    None
}

/// Identifiers become parts of component IDs, file names and words of the prompt.
fn identifier(text: &Spot<String>, key: &str, found: &Found) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits =
        (1..=64).contains(&text.value.len()) && text.value.chars().all(good) && !text.value.starts_with(['.', '-']);
    if !fits {
        let problem = Problem::error(text.place, format!("`{key}` cannot be `{}`", text.value));
        found.add(problem.label("expected 1 to 64 letters, digits, `-`, `_` and `.`"));
    }
    fits
}

fn nodes(top: &TableReader<'_>, found: &Found) -> Vec<(Spot<()>, Node)> {
    let tables = top.tables("nodes", NODE);
    if tables.is_empty() && !top.has("nodes") {
        found.add(Problem::nowhere("there are no nodes").help("add nodes = [{ id = \"a\" }, { id = \"b\" }]"));
    }
    too_many(&tables, "nodes", found);
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    let read = tables.iter().filter_map(|table| {
        let id = table.required_text("id", "a node", "id = \"vienna\"")?;
        if !identifier(&id, "id", found) {
            return None;
        }
        if let Some(first) = seen.insert(id.value.clone(), id.place) {
            let problem = Problem::error(id.place, format!("there are two nodes `{}`", id.value));
            found.add(problem.label("here again").related(first, "the first is here"));
        }
        let kinds = [("site", NodeKind::Site), ("relay", NodeKind::Relay)];
        let latitude = within(table, found, "latitude", -90.0..=90.0);
        let longitude = within(table, found, "longitude", -180.0..=180.0);
        let node = Node {
            name: table.text("name").map_or_else(|| id.value.clone(), |name| name.value),
            kind: table.word("kind", &kinds).map_or(NodeKind::Site, |kind| kind.value),
            position: latitude.zip(longitude),
            id: id.value,
        };
        Some((Spot::new((), id.place), node))
    });
    read.collect()
}

fn too_many(tables: &[TableReader<'_>], what: &str, found: &Found) {
    if let Some(first) = tables.get(MOST) {
        found.add(Problem::error(first.place, format!("more than {MOST} {what}")).label("the first that is too many"));
    }
}

/// The nodes by name, with their places.
struct Names(BTreeMap<String, Place>);

impl Names {
    fn node(&self, table: &TableReader<'_>, key: &str, name: &str, found: &Found) -> Option<Spot<String>> {
        let text = table.required_text(key, name, &format!("{key} = \"a node\""))?;
        if self.0.contains_key(&text.value) {
            return Some(text);
        }
        let problem = Problem::error(text.place, format!("there is no node `{}`", text.value));
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
        found.add(match resembling(&text.value, &known) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem,
        });
        None
    }

    /// Two nodes that are not the same.
    fn two(&self, table: &TableReader<'_>, name: &str, found: &Found) -> Option<(Spot<String>, Spot<String>)> {
        let (from, to) = (self.node(table, "from", name, found), self.node(table, "to", name, found));
        let (from, to) = (from?, to?);
        if from.value == to.value {
            found.add(Problem::error(to.place, format!("{name} begins and ends at `{}`", to.value)));
            return None;
        }
        Some((from, to))
    }
}

fn links(top: &TableReader<'_>, found: &Found, names: &Names) -> Vec<Link> {
    let tables = top.tables("links", LINK);
    if tables.is_empty() && !top.has("links") {
        let example = "add links = [{ from = \"a\", to = \"b\", length_km = 20.0 }]";
        found.add(Problem::nowhere("there are no links").help(example));
    }
    too_many(&tables, "links", found);
    let mut seen: BTreeMap<[String; 2], Place> = BTreeMap::new();
    let read = tables.iter().filter_map(|table| {
        if !table.has("length_km") {
            table.missing("length_km", "a link", "length_km = 20.0");
        }
        let length_km = within(table, found, "length_km", 0.0..=LONGEST_KM);
        let loss_db = within(table, found, "loss_db", 0.0..=1_000.0);
        let relay_point = table.flag("relay_point").is_some_and(|flag| flag.value);
        let pairs = table.number("pairs", 1..=MOST_PAIRS).and_then(|pairs| u16::try_from(pairs.value).ok());
        let (from, to) = names.two(table, "a link", found)?;
        let mut ends = [from.value.clone(), to.value.clone()];
        ends.sort();
        if let Some(first) = seen.insert(ends, from.place) {
            let problem = Problem::error(from.place, format!("there are two links {} - {}", from.value, to.value));
            found.add(problem.related(first, "the first is here").help("for more keys, write `pairs` at the first"));
        }
        Some(Link { from: from.value, to: to.value, length_km: length_km?, loss_db, relay_point, pairs })
    });
    read.collect()
}

fn peer(table: &TableReader<'_>, found: &Found, names: &Names) -> Option<Peer> {
    let id = table.required_text("id", "a peer", "id = \"manager-west\"");
    let at = names.node(table, "at", "a peer", found);
    let id = id.filter(|id| identifier(id, "id", found))?;
    Some(Peer { id: id.value, at: at?.value })
}

fn devices(table: &TableReader<'_>, found: &Found) -> Devices {
    let usual = Devices::default();
    let presets = [("gigahertz", Preset::Gigahertz), ("gobby-yuan-shields", Preset::GobbyYuanShields)];
    let small = |key: &str, most: u64| table.number(key, 1..=most).and_then(|number| u16::try_from(number.value).ok());
    Devices {
        preset: table.word("preset", &presets).map_or(usual.preset, |preset| preset.value),
        pairs: small("pairs", MOST_PAIRS).unwrap_or(usual.pairs),
        switches: table.flag("switches").map_or(usual.switches, |flag| flag.value),
        switch_loss_db: within(table, found, "switch_loss_db", 0.0..=20.0).unwrap_or(usual.switch_loss_db),
        least_rate_bps: within(table, found, "least_rate_bps", 1.0..=1e9).unwrap_or(usual.least_rate_bps),
        store_bits: within(table, found, "store_bits", 1e3..=1e15).unwrap_or(usual.store_bits),
        store_start: within(table, found, "store_start", 0.0..=1.0).unwrap_or(usual.store_start),
        controllers: small("controllers", 100).unwrap_or(usual.controllers),
    }
}

fn simulation(table: &TableReader<'_>, found: &Found) -> Simulation {
    let usual = Simulation::default();
    let (least, day) = (Duration::from_millis(100), Duration::from_secs(86_400));
    let random = table.table("random_faults", "random_faults", RANDOM).map(|random| {
        let time = |key: &str, usual: u64| {
            random.duration(key, least..=30 * day).map_or(Duration::from_secs(usual), |time| time.value)
        };
        RandomFaults { every: time("every", 300), last: time("last", 60) }
    });
    Simulation {
        seed: table.number("seed", 0..=i64::MAX.unsigned_abs()).map_or(usual.seed, |seed| seed.value),
        report_interval: table
            .duration("report_interval", least..=day)
            .map_or(usual.report_interval, |interval| interval.value),
        speed: within(table, found, "speed", 0.01..=10_000.0).unwrap_or(usual.speed),
        demand_bps: within(table, found, "demand_bps", 0.0..=1e12).unwrap_or(usual.demand_bps),
        random_faults: random,
    }
}

fn demand(table: &TableReader<'_>, found: &Found, names: &Names) -> Option<Demand> {
    let (from, to) = names.two(table, "a demand", found)?;
    if !table.has("bps") {
        table.missing("bps", "a demand", "bps = 512");
    }
    Some(Demand { from: from.value, to: to.value, bps: within(table, found, "bps", 0.0..=1e12)? })
}

fn scheduled(table: &TableReader<'_>, found: &Found) -> Option<Scheduled> {
    let word = table.required_text("kind", "a fault", "kind = \"fibre-cut\"");
    let target = table.required_text("target", "a fault", "target = \"a-b\"");
    let times = Duration::ZERO..=Duration::from_secs(400 * 86_400);
    let at = table.duration("at", times.clone()).map_or(Duration::ZERO, |at| at.value);
    let lasts = table.duration("for", times).map(|lasts| lasts.value);
    let figures = fault::FIGURES.iter().filter(|figure| table.has(figure)).map(|figure| {
        let value = match table.entry(figure).map(|entry| &entry.node.value) {
            Some(tree::Value::String(text)) => quantity::duration(text).ok().map(Figure::Time),
            _ => table.real(figure).map(|number| Figure::Number(number.value)),
        };
        // What is neither a number nor a time is refused with the bounds of the figure.
        ((*figure).to_owned(), value.unwrap_or(Figure::Number(f64::NAN)))
    });
    let figures: Vec<(String, Figure)> = figures.collect();
    let (word, target) = (word?, target?);
    match FaultKind::new(&word.value, &figures) {
        Ok(kind) => Some(Scheduled { at, fault: Written { kind, target: target.value, lasts } }),
        Err(error) => {
            found.add(Problem::error(word.place, "this fault cannot be").label(error));
            None
        }
    }
}
