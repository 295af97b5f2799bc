//! Times and traffic of calm worlds, against the formulas of the design: what a bench of simulated managers prints.

use crate::{
    federation::protocol::{Audience, Draft, Input, OriginId, Slot},
    graph::Shape,
    run::go,
    scenario::{Scenario, name},
    world::World,
};

/// What was measured of one world.
#[derive(Clone, Debug, Default)]
pub struct Measures {
    /// From a change to its sight in all others, milliseconds, sorted.
    pub seen: Vec<u64>,
    /// From the healing of a partition to agreement, milliseconds.
    pub healed: u64,
    /// Bytes a second and manager, at rest.
    pub rest: f64,
    /// Bytes a second and manager at rest by the formula.
    pub formula: f64,
}

fn draft(number: u64) -> Draft {
    let section = |name: &str, bytes: usize| {
        let text = format!("{name} {number} ").repeat(bytes / 6 + 1);
        (name.into(), text.as_bytes()[..bytes].into())
    };
    Draft { sections: [section("health", 1_056), section("alarms", 220), section("links", 360)].into() }
}

fn publish(world: &mut World, machine: usize, number: u64) {
    world.step(machine, Input::Publish { audience: Audience::Federation, draft: draft(number) });
}

/// How many hold the latest of a domain.
fn holders(world: &World, domain: usize) -> usize {
    let slot = Slot { origin: OriginId::from(name(domain).as_str()), audience: Audience::Federation };
    let latest = |machine: usize| {
        let node = world.machines[machine].node.as_ref()?;
        let held = node.document(&slot)?;
        Some(held.manifest.sections.clone())
    };
    let own = latest(domain);
    (0..world.machines.len()).filter(|machine| latest(*machine) == own).count()
}

fn until_seen(scenario: &mut Scenario, domain: usize) -> u64 {
    let began = scenario.world.now;
    while holders(&scenario.world, domain) < scenario.graph.size && scenario.world.now < began + 60_000 {
        let next = scenario.world.now + 5;
        go(scenario, next);
    }
    scenario.world.now - began
}

/// Measures one graph.
#[must_use]
pub fn measure(size: usize, shape: Shape) -> Measures {
    let mut scenario = Scenario::calm(1, size, shape);
    for machine in 0..size {
        scenario.world.machines[machine].drafts.insert(Audience::Federation, draft(0));
        scenario.world.start(machine);
    }
    go(&mut scenario, 60_000);
    let mut measures = Measures::default();
    for number in 0..10 {
        let domain = (number * 7) % size;
        publish(&mut scenario.world, domain, number as u64 + 1);
        measures.seen.push(until_seen(&mut scenario, domain));
        let next = scenario.world.now + 1_000;
        go(&mut scenario, next);
    }
    measures.seen.sort_unstable();
    let next = scenario.world.now + 20_000;
    go(&mut scenario, next);
    scenario.world.counts = Default::default();
    let rest = 60_000;
    let next = scenario.world.now + rest;
    go(&mut scenario, next);
    measures.rest = scenario.world.counts.bytes as f64 / size as f64 / (rest as f64 / 1_000.0);
    measures.formula = formula(&scenario);
    if std::env::var_os("SIMULATE_KINDS").is_some() {
        for (kind, (count, bytes)) in &scenario.world.counts.by_kind {
            println!("    {kind:10} {count:9} {bytes:12} bytes");
        }
    }
    measures.healed = heal(&mut scenario);
    measures
}

/// Traffic at rest: refreshes to direct neighbours, with two echoes between two of them; to others announced and asked for.
fn formula(scenario: &Scenario) -> f64 {
    let size = scenario.graph.size as f64;
    let degree = 2.0 * scenario.graph.edges.len() as f64 / size;
    let refresh = 15.0;
    let mesh = scenario.graph.edges.len() == scenario.graph.size * (scenario.graph.size - 1) / 2;
    let beat = 1_150.0;
    if mesh {
        (size - 1.0) * (beat + 2.0 * 290.0) / refresh
    } else {
        size * (beat / refresh + degree * 180.0 / refresh)
    }
}

/// Cut in two for 60 s, each domain changing on both sides; from healing to agreement.
fn heal(scenario: &mut Scenario) -> u64 {
    let size = scenario.graph.size;
    let side = |machine: usize| machine < size / 2;
    for from in 0..size {
        for to in 0..size {
            if side(from) != side(to) {
                scenario.world.network.blocked.insert((from, to));
            }
        }
    }
    for round in 0..3 {
        for machine in 0..size {
            publish(&mut scenario.world, machine, 100 + round);
        }
        let next = scenario.world.now + 20_000;
        go(scenario, next);
    }
    for (from, to) in scenario.world.network.blocked.clone() {
        scenario.world.unblock(from, to);
    }
    let began = scenario.world.now;
    for domain in 0..size {
        until_seen(scenario, domain);
    }
    scenario.world.now - began
}

/// Prints a table for some sizes.
pub fn table(sizes: &[usize]) {
    println!(
        "managers graph     seen by all, ms (median, worst)  agreement after healing, ms  at rest, kB/min a manager  formula  ratio  took, s"
    );
    for &size in sizes {
        let shapes = [(Shape::Mesh, "mesh"), (Shape::Ring(4), "degree 4"), (Shape::Ring(6), "degree 6")];
        for (shape, label) in shapes {
            // Large meshes are no way to run a federation, and degree 4 is the thriftier of two for a thousand.
            let too_large = (shape == Shape::Mesh && size > 100) || (shape == Shape::Ring(6) && size > 300);
            if too_large || (shape != Shape::Mesh && size < 10) {
                continue;
            }
            let began = std::time::Instant::now();
            let measures = measure(size, shape);
            let median = measures.seen.get(measures.seen.len() / 2).copied().unwrap_or(0);
            let worst = measures.seen.last().copied().unwrap_or(0);
            let Measures { healed, rest, formula, .. } = measures;
            let ratio = rest / formula;
            let kilobytes = rest * 60.0 / 1_000.0;
            println!(
                "{size:8} {label:9} {median:14} {worst:14} {healed:30} {kilobytes:23.0} {:8.0} {ratio:6.2} {:8.0}",
                formula * 60.0 / 1_000.0,
                began.elapsed().as_secs_f64()
            );
        }
    }
}
