//! The description of a network to simulate: a TOML file with nodes, links, devices, demand and faults.
//!
//! [`parse`] reads a text and reports everything that is wrong with it at once, each with its place; [`plan`] expands what
//! was read into the components of all reference points; [`fault`] has the words for what can go wrong. Pure: no file is
//! opened here. `examples/networks/README.md` has the keys.

pub mod fault;
pub mod plan;
mod reading;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use fault::{Fault, FaultKind, Target};
pub use plan::Plan;
pub use reading::parse;

use self::fault::Written;

/// A network as described.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// `[network]`
    pub network: Network,
    /// `nodes`
    pub nodes: Vec<Node>,
    /// `links`
    pub links: Vec<Link>,
    /// `peers`: managers of other domains.
    pub peers: Vec<Peer>,
    /// `[devices]`
    pub devices: Devices,
    /// `[simulation]`
    pub simulation: Simulation,
    /// `[[demand]]`: where it differs from `simulation.demand_bps`.
    pub demand: Vec<Demand>,
    /// `[[faults]]`
    pub faults: Vec<Scheduled>,
}

/// `[network]`
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// For people.
    pub name: String,
    /// Loss of the fibres, decibels a kilometre.
    pub attenuation_db_per_km: f64,
    /// Where lengths are derived from coordinates: length over great circle.
    pub route_factor: Option<f64>,
    /// The rule by which the file's relay nodes were placed; for people.
    pub longest_hop_km: Option<f64>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Has users.
    Site,
    /// A trusted relay node: modules and a key manager, no users.
    Relay,
}

/// `nodes`
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Beginning of the identifiers of its components.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Degrees north and east, for maps.
    pub position: Option<(f64, f64)>,
}

/// `links`
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Node at one end; the senders are there.
    pub from: String,
    /// Node at the other end.
    pub to: String,
    /// Length of the fibre.
    pub length_km: f64,
    /// Measured loss, where it is known; else it follows from the length.
    pub loss_db: Option<f64>,
    /// Whether a quantum relay point measures half way: then both ends have senders.
    pub relay_point: bool,
    /// Pairs of modules that share the fibre, where it is not `devices.pairs`.
    pub pairs: Option<u16>,
}

/// `peers`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Manager ID on Mx.
    pub id: String,
    /// Node that keys of that domain come to.
    pub at: String,
}

/// Which published device stands at the ends of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// `physics::Link::gigahertz`
    Gigahertz,
    /// `physics::Link::gobby_yuan_shields`
    GobbyYuanShields,
}

/// `[devices]`
#[derive(Clone, Debug, PartialEq)]
pub struct Devices {
    /// The modules.
    pub preset: Preset,
    /// Pairs of modules on each link.
    pub pairs: u16,
    /// Whether an optical switch stands between the modules of a node and its fibres.
    pub switches: bool,
    /// Loss of each switch. Half a decibel is usual for small mechanical ones; assumed, not published for these networks.
    pub switch_loss_db: f64,
    /// A link that would make fewer keys than this gets trusted relay nodes until each hop makes as many.
    pub least_rate_bps: f64,
    /// Room for keys of each link.
    pub store_bits: f64,
    /// Share of it that is full at the start.
    pub store_start: f64,
    /// Controllers; the first that works is active.
    pub controllers: u16,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            preset: Preset::Gigahertz,
            pairs: 1,
            switches: true,
            switch_loss_db: 0.5,
            least_rate_bps: 1_000.0,
            store_bits: 20_000_000.0,
            store_start: 0.6,
            controllers: 2,
        }
    }
}

/// `[simulation]`
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// Of everything random.
    pub seed: u64,
    /// Time of the network between two reports of a component.
    pub report_interval: Duration,
    /// How many times faster than the clock the network's time runs.
    pub speed: f64,
    /// What each two sites ask of each other, bits a second: 512 are two keys of 256 bits a second.
    pub demand_bps: f64,
    /// Faults by chance.
    pub random_faults: Option<RandomFaults>,
}

impl Default for Simulation {
    fn default() -> Self {
        Self { seed: 1, report_interval: Duration::from_secs(5), speed: 1.0, demand_bps: 512.0, random_faults: None }
    }
}

/// `simulation.random_faults`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomFaults {
    /// Mean time of the network between two; times are exponential.
    pub every: Duration,
    /// Each ends after so long.
    pub last: Duration,
}

/// `[[demand]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// A site.
    pub from: String,
    /// Another.
    pub to: String,
    /// Bits a second.
    pub bps: f64,
}

/// `[[faults]]`: a fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// Time of the network at which it begins.
    pub at: Duration,
    /// What.
    pub fault: Written,
}
