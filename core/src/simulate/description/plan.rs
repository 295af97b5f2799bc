//! From a description to the components that it stands for.
//!
//! | of | becomes |
//! |---|---|
//! | a node | a key manager `NODE-km` (Mk), an optical switch `NODE-switch` (Mops) |
//! | a site | users' network manager `NODE-users` (Mu) beside |
//! | a link A - B | its fibre `A-B-fibre` (Mops), and for each pair two modules `A-qkd-B` and `B-qkd-A` (Mq), from the second pair on with a number |
//! | a link with a relay point | `A-B-relay-point` (Mqrp) beside |
//! | the network | controllers `controller-1`, `controller-2` (Mc) |
//! | a peer | its manager (Mx) |
//!
//! A link that would make fewer keys than `devices.least_rate_bps` is cut into the least number of equally long hops of which each
//! makes as many, with trusted relay nodes `A-B-1`, `A-B-2` between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Description, Devices, Link, NodeKind, Preset, fault::Target};
use crate::{
    config::reader::resembling,
    model::{ComponentId, ComponentRef, ReferencePoint},
    simulate::physics,
};

/// Most hops that a link is cut into.
const MOST_HOPS: u32 = 1_000;
/// Most components of a network.
pub const MOST_COMPONENTS: usize = 20_000;

/// What a component is, and of what: positions in the plan's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A QKD module.
    Module {
        /// Its link.
        link: usize,
        /// Its pair.
        pair: usize,
        /// 0 at the link's first end, 1 at its second.
        end: usize,
    },
    /// A fibre with its monitor.
    Fibre {
        /// Its link.
        link: usize,
    },
    /// The optical switch of a node.
    Switch {
        /// Its node.
        node: usize,
    },
    /// A quantum relay point.
    RelayPoint {
        /// Its link.
        link: usize,
    },
    /// A key manager.
    KeyManager {
        /// Its node.
        node: usize,
    },
    /// A controller.
    Controller {
        /// Its place among them: the first that works is active.
        rank: usize,
    },
    /// A user network's manager.
    Users {
        /// Its node.
        node: usize,
    },
    /// The manager of another domain.
    Peer {
        /// Its place among them.
        peer: usize,
    },
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Who it is.
    pub component: ComponentRef,
    /// What it is.
    pub kind: Kind,
    /// Node that it stands at, for configuration and inventory.
    pub site: String,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// Site or relay.
    pub kind: NodeKind,
    /// Its key manager.
    pub key_manager: usize,
    /// Its switch.
    pub switch: Option<usize>,
    /// Its users.
    pub users: Option<usize>,
    /// Links that end here.
    pub links: Vec<usize>,
}

/// What the modules of a link do in good health.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Light {
    /// One end sends, the other detects.
    Direct(physics::Link),
    /// Both send, a relay point detects.
    Measured(physics::RelayPoint),
}

impl Light {
    /// Secret bits a second of a pair.
    #[must_use]
    pub fn rate_bps(&self) -> f64 {
        match self {
            Self::Direct(link) => link.performance().secret_key_rate_bps,
            Self::Measured(relay) => relay.performance().secret_key_rate_bps,
        }
    }
}

/// A link, after long ones were cut into hops.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLink {
    /// `A-B`
    pub id: String,
    /// Nodes at its ends.
    pub ends: [usize; 2],
    /// Length of the fibre.
    pub length_km: f64,
    /// Its model.
    pub light: Light,
    /// Secret bits a second of all its pairs in good health.
    pub healthy_rate_bps: f64,
    /// Its fibre.
    pub fibre: usize,
    /// Modules at the first and second end.
    pub pairs: Vec<[usize; 2]>,
    /// Its relay point.
    pub relay_point: Option<usize>,
}

/// What a site asks of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedDemand {
    /// Node that asks.
    pub from: usize,
    /// Node that has the same keys then.
    pub to: usize,
    /// Bits a second.
    pub bps: f64,
}

/// A peer's border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedPeer {
    /// Its component.
    pub component: usize,
    /// The node.
    pub at: usize,
}

/// Everything that is simulated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The network's name.
    pub name: String,
    /// All components; the other lists point into it.
    pub components: Vec<Component>,
    /// Nodes, the description's first.
    pub nodes: Vec<Node>,
    /// Links and hops.
    pub links: Vec<PlannedLink>,
    /// Controllers by rank.
    pub controllers: Vec<usize>,
    /// Peers.
    pub peers: Vec<PlannedPeer>,
    /// Who asks for what.
    pub demands: Vec<PlannedDemand>,
    names: BTreeMap<String, Target>,
}

/// Why a description has no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two components would have the same ID.
    #[error("two components would be called `{0}`; give a node another id")]
    TwoOfOneName(String),
    /// An ID that cannot be one.
    #[error("`{0}` cannot be the ID of a component")]
    Id(String),
    /// A fault is at nothing, or at the wrong thing.
    #[error("fault `{0}`: {1}")]
    Fault(String, String),
    /// More than are allowed.
    #[error("{0} components; {MOST_COMPONENTS} are the most")]
    TooMany(usize),
    /// A link makes no keys however short its hops are.
    #[error("link {0} makes fewer keys than `devices.least_rate_bps`, however many relay nodes it gets")]
    Dark(String),
    /// A link with a relay point makes too few keys.
    #[error("link {0} with a relay point makes fewer keys than `devices.least_rate_bps`; leave `relay_point` out")]
    FarRelayPoint(String),
}

impl Plan {
    /// Expands a description. All that cannot be is told at once.
    pub fn new(description: &Description) -> Result<Self, Vec<PlanError>> {
        let mut builder = Builder::default();
        for node in &description.nodes {
            builder.node(&node.id, node.kind, &description.devices);
        }
        for link in &description.links {
            builder.link(link, description);
        }
        let first = description.nodes.first().map_or("", |node| node.id.as_str());
        for rank in 0..usize::from(description.devices.controllers) {
            let kind = Kind::Controller { rank };
            let added = builder.component(ReferencePoint::Mc, format!("controller-{}", rank + 1), kind, first);
            builder.plan.controllers.push(added);
        }
        for peer in &description.peers {
            let kind = Kind::Peer { peer: builder.plan.peers.len() };
            let component = builder.component(ReferencePoint::Mx, peer.id.clone(), kind, &peer.at);
            let at = builder.at(&peer.at);
            builder.plan.peers.push(PlannedPeer { component, at });
        }
        builder.demands(description);
        builder.plan.name.clone_from(&description.network.name);
        builder.finish(description)
    }

    /// A link (`a-b` or `b-a`) or component by name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Target> {
        self.names.get(name).copied()
    }

    /// A name that is nearly this one.
    #[must_use]
    pub fn resembling(&self, name: &str) -> Option<&str> {
        let all: Vec<&str> = self.names.keys().map(String::as_str).collect();
        resembling(name, &all)
    }

    /// The name of a target.
    #[must_use]
    pub fn name_of(&self, target: Target) -> &str {
        match target {
            Target::Link(link) => self.links.get(link).map_or("", |link| link.id.as_str()),
            Target::Component(index) => {
                self.components.get(index).map_or("", |component| component.component.id.as_str())
            }
        }
    }

    /// How many components there are of each reference point.
    #[must_use]
    pub fn numbers(&self) -> Vec<(ReferencePoint, usize)> {
        let of = |point| self.components.iter().filter(|it| it.component.reference_point == point).count();
        ReferencePoint::ALL.into_iter().map(|point| (point, of(point))).filter(|(_, number)| *number > 0).collect()
    }
}

#[derive(Default)]
struct Builder {
    plan: Plan,
    problems: Vec<PlanError>,
    nodes: BTreeMap<String, usize>,
}

impl Builder {
    fn component(&mut self, point: ReferencePoint, id: String, kind: Kind, site: &str) -> usize {
        let index = self.plan.components.len();
        match ComponentId::new(&id) {
            Ok(id) => {
                let component = ComponentRef::new(point, id);
                self.plan.components.push(Component { component, kind, site: site.to_owned() });
            }
            Err(_) => self.problems.push(PlanError::Id(id)),
        }
        index
    }

    fn at(&self, node: &str) -> usize {
        self.nodes.get(node).copied().unwrap_or_default()
    }

    fn node(&mut self, id: &str, kind: NodeKind, devices: &Devices) -> usize {
        let node = self.plan.nodes.len();
        let key_manager = self.component(ReferencePoint::Mk, format!("{id}-km"), Kind::KeyManager { node }, id);
        let switch = devices
            .switches
            .then(|| self.component(ReferencePoint::Mops, format!("{id}-switch"), Kind::Switch { node }, id));
        let users = (kind == NodeKind::Site)
            .then(|| self.component(ReferencePoint::Mu, format!("{id}-users"), Kind::Users { node }, id));
        self.nodes.insert(id.to_owned(), node);
        self.plan.nodes.push(Node { id: id.to_owned(), kind, key_manager, switch, users, links: Vec::new() });
        node
    }

    fn link(&mut self, link: &Link, description: &Description) {
        let name = format!("{}-{}", link.from, link.to);
        let hops = match hops(link, description) {
            Ok(hops) => hops,
            Err(problem) => {
                self.problems.push(problem(name));
                return;
            }
        };
        let mut from = (link.from.clone(), self.at(&link.from));
        for hop in 1..=hops {
            let to = if hop == hops {
                (link.to.clone(), self.at(&link.to))
            } else {
                let id = format!("{name}-{hop}");
                let node = self.node(&id, NodeKind::Relay, &description.devices);
                (id, node)
            };
            self.hop(&from, &to, link, hops, description);
            from = to;
        }
    }

    fn hop(&mut self, a: &(String, usize), b: &(String, usize), link: &Link, hops: u32, description: &Description) {
        let index = self.plan.links.len();
        let id = format!("{}-{}", a.0, b.0);
        let fibre = self.component(ReferencePoint::Mops, format!("{id}-fibre"), Kind::Fibre { link: index }, &a.0);
        let mut module = |pair: usize, end: usize| {
            let (own, other) = if end == 0 { (&a.0, &b.0) } else { (&b.0, &a.0) };
            let number = if pair == 0 { String::new() } else { format!("-{}", pair + 1) };
            let kind = Kind::Module { link: index, pair, end };
            self.component(ReferencePoint::Mq, format!("{own}-qkd-{other}{number}"), kind, own)
        };
        let pairs = usize::from(link.pairs.unwrap_or(description.devices.pairs));
        let pairs: Vec<[usize; 2]> = (0..pairs).map(|pair| [module(pair, 0), module(pair, 1)]).collect();
        let kind = Kind::RelayPoint { link: index };
        let relay_point =
            link.relay_point.then(|| self.component(ReferencePoint::Mqrp, format!("{id}-relay-point"), kind, &a.0));
        for end in [a.1, b.1] {
            if let Some(node) = self.plan.nodes.get_mut(end) {
                node.links.push(index);
            }
        }
        let length_km = link.length_km / f64::from(hops);
        let light = light(link, hops, description);
        #[expect(clippy::cast_precision_loss, reason = "a few pairs")]
        let healthy_rate_bps = light.rate_bps() * pairs.len() as f64;
        let ends = [a.1, b.1];
        let planned = PlannedLink { id, ends, length_km, light, healthy_rate_bps, fibre, pairs, relay_point };
        self.plan.links.push(planned);
    }

    fn demands(&mut self, description: &Description) {
        let own: BTreeMap<[&str; 2], f64> =
            description.demand.iter().map(|demand| ([demand.from.as_str(), demand.to.as_str()], demand.bps)).collect();
        let turned: BTreeSet<[&str; 2]> = own.keys().map(|[from, to]| [*to, *from]).collect();
        let sites: Vec<&str> =
            description.nodes.iter().filter(|node| node.kind == NodeKind::Site).map(|node| node.id.as_str()).collect();
        for (number, from) in sites.iter().enumerate() {
            for to in sites.iter().skip(number + 1) {
                let pair = [*from, *to];
                // Who is named in a demand of its own, in whatever order, asks for that alone.
                if !own.contains_key(&pair) && !turned.contains(&pair) && description.simulation.demand_bps > 0.0 {
                    let bps = description.simulation.demand_bps;
                    self.plan.demands.push(PlannedDemand { from: self.at(from), to: self.at(to), bps });
                }
            }
        }
        for ([from, to], bps) in own {
            self.plan.demands.push(PlannedDemand { from: self.at(from), to: self.at(to), bps });
        }
    }

    fn finish(mut self, description: &Description) -> Result<Plan, Vec<PlanError>> {
        let plan = &mut self.plan;
        for (index, component) in plan.components.iter().enumerate() {
            let id = component.component.id.as_str().to_owned();
            if plan.names.insert(id.clone(), Target::Component(index)).is_some() {
                self.problems.push(PlanError::TwoOfOneName(id));
            }
        }
        for (index, link) in plan.links.iter().enumerate() {
            let [a, b] = link.ends.map(|end| plan.nodes.get(end).map_or("", |node| node.id.as_str()));
            for name in [format!("{a}-{b}"), format!("{b}-{a}")] {
                // A component of that name has it already.
                plan.names.entry(name).or_insert(Target::Link(index));
            }
        }
        if plan.components.len() > MOST_COMPONENTS {
            self.problems.push(PlanError::TooMany(plan.components.len()));
        }
        for scheduled in &description.faults {
            if let Err(error) = scheduled.fault.resolve(plan) {
                self.problems.push(PlanError::Fault(scheduled.fault.kind.to_string(), error));
            }
        }
        if self.problems.is_empty() { Ok(self.plan) } else { Err(self.problems) }
    }
}

/// Into how many hops a link is cut.
fn hops(link: &Link, description: &Description) -> Result<u32, fn(String) -> PlanError> {
    let enough = |hops: u32| light(link, hops, description).rate_bps() >= description.devices.least_rate_bps;
    if link.relay_point {
        return if enough(1) { Ok(1) } else { Err(PlanError::FarRelayPoint) };
    }
    (1..=MOST_HOPS).find(|hops| enough(*hops)).ok_or(PlanError::Dark as fn(String) -> PlanError)
}

/// The model of one of so many hops of a link. What was measured beyond the loss of the fibre is spread evenly over them.
fn light(link: &Link, hops: u32, description: &Description) -> Light {
    let devices = &description.devices;
    let km = link.length_km / f64::from(hops);
    let attenuation = description.network.attenuation_db_per_km;
    let switches = if devices.switches { 2.0 * devices.switch_loss_db } else { 0.0 };
    let beyond = link.loss_db.map_or(0.0, |loss| (loss - link.length_km * attenuation).max(0.0)) / f64::from(hops);
    if link.relay_point {
        let mut relay = physics::RelayPoint::gigahertz(km / 2.0, km / 2.0);
        for arm in &mut relay.arms {
            arm.attenuation_db_per_km = attenuation;
            arm.insertion_loss_db = (beyond + switches) / 2.0;
        }
        return Light::Measured(relay);
    }
    let mut direct = match devices.preset {
        Preset::Gigahertz => physics::Link::gigahertz(km),
        Preset::GobbyYuanShields => physics::Link::gobby_yuan_shields(km),
    };
    direct.channel.attenuation_db_per_km = attenuation;
    direct.channel.insertion_loss_db = beyond + switches;
    Light::Direct(direct)
}
