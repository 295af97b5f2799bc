//! What must have come of it once faults are over, for managers and their company: of two processes with one identity one
//! publishes (L3), and who has sessions again does not take itself to be cut off (L5).

use std::collections::BTreeSet;

use crate::{network::MachineId, world::World};

/// Looks at all machines, of which the first `domains` are one of each domain.
pub fn look(world: &mut World, domains: usize) {
    let mut wrong = Vec::new();
    (0..domains).for_each(|domain| twins(world, domain, &mut wrong));
    isolated(world, &mut wrong);
    world.violations.append(&mut wrong);
}

/// L3: of processes of one domain that can hear of each other at most one goes on publishing, and somebody is told.
fn twins(world: &World, domain: usize, wrong: &mut Vec<String>) {
    let runs = |number: &MachineId| {
        let machine = &world.machines[*number];
        machine.domain == domain && machine.is_honest() && machine.node.is_some()
    };
    let processes: Vec<MachineId> = (0..world.machines.len()).filter(runs).collect();
    for (at, one) in processes.iter().enumerate() {
        let hears = heard_from(world, *one);
        for other in processes[at + 1..].iter().filter(|other| hears.contains(other)) {
            let both = [one, other].map(|number| &world.machines[*number]);
            let stopped = both.map(|machine| machine.node.as_ref().is_some_and(|node| node.has_stopped_publishing()));
            if stopped == [false, false] || !both.iter().any(|machine| machine.heard_itself) {
                wrong.push(format!("L3: machines {one} and {other} are of one domain; stopped: {stopped:?}"));
            }
        }
    }
}

/// Machines that word of one can come to by sessions of honest managers.
fn heard_from(world: &World, one: MachineId) -> BTreeSet<MachineId> {
    let mut reached: BTreeSet<MachineId> = [one].into();
    let mut next = vec![one];
    while let Some(at) = next.pop() {
        for (number, side) in world.open_ends(at) {
            let Some(connection) = world.network.connections.get(&number) else { continue };
            let other = &connection.ends[1 - side];
            let machine = &world.machines[other.machine];
            let lives = other.open && other.life == machine.life && machine.node.is_some();
            if lives && machine.is_honest() && reached.insert(other.machine) {
                next.push(other.machine);
            }
        }
    }
    reached
}

/// L5: it ends once half of the sessions are back.
fn isolated(world: &World, wrong: &mut Vec<String>) {
    // Second processes take the sessions of the first, and back, for ever.
    if world.machines.iter().any(|machine| machine.twin && machine.node.is_some()) {
        return;
    }
    for (number, machine) in world.machines.iter().enumerate().filter(|(_, machine)| machine.is_honest()) {
        let Some(node) = &machine.node else { continue };
        let (sessions, neighbours) = (node.session_peers().count(), machine.neighbours.len());
        if node.is_isolated() && 2 * sessions >= neighbours {
            wrong.push(format!(
                "L5: machine {number} has {sessions} of {neighbours} sessions and thinks itself cut off"
            ));
        }
    }
}
