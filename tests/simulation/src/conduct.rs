//! How a manager deals with its neighbours and itself: whom it has sessions with, how much it takes of whom, whom it does not
//! believe any more, and that it signs in no epoch that is not on its disk (I1, I4, I10, I11).
//!
//! All of it is counted here anew from what goes in and comes out, and compared with what the node does.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    federation::protocol::{Event, Held, OriginId, Slot},
    keys,
    machine::Machine,
    network::MachineId,
    world::World,
};

/// What is remembered of a process.
#[derive(Clone, Debug, Default)]
pub struct Conduct {
    /// Sessions that it has had.
    pub sessions: u64,
    /// There was one when it was looked at.
    pub met: bool,
    /// Documents taken of each slot, and since when.
    taken: BTreeMap<Slot, (u64, u64)>,
    /// When each neighbour sent something bad, within a minute.
    bad: BTreeMap<OriginId, Vec<u64>>,
    /// When each lost the right to relay.
    quarantined: BTreeMap<OriginId, u64>,
}

/// Bad items are counted over a little less than the minute of the rule, since clocks differ.
const MINUTE: u64 = 58_000;

/// Looks at what a process tells.
pub fn event(world: &mut World, machine: MachineId, event: &Event, wrong: &mut Vec<String>) {
    let (now, most) = (world.now, world.settings.bad_items as usize);
    let host = &mut world.machines[machine];
    let mono = host.clock.read(now).mono;
    match event {
        Event::Published { slot, version, .. } if host.disk.lock().epoch != version.epoch => {
            wrong.push(format!("I4: {slot} {version} is signed in an epoch that is not on the disk"));
        }
        Event::Quarantined(domain) => {
            host.conduct.bad.remove(domain);
            host.conduct.quarantined.insert(domain.clone(), now);
        }
        Event::Dropped { from, fault, .. } if fault.blames_neighbour() => {
            let bad = host.conduct.bad.entry(from.clone()).or_default();
            bad.retain(|at| now - at < MINUTE);
            bad.push(now);
            let relays = host.node.as_ref().is_some_and(|node| node.relays(from, mono));
            if bad.len() > most && relays {
                wrong.push(format!("I11: {from} may relay after {} bad items within a minute", bad.len()));
            }
        }
        _ => {}
    }
}

/// Looks at a document that is newly held.
pub fn taken(
    world: &mut World,
    machine: MachineId,
    slot: &Slot,
    (from, received_at): &(OriginId, u64),
    wrong: &mut Vec<String>,
) {
    let (now, bucket) = (world.now, u64::from(world.settings.bucket));
    let host = &mut world.machines[machine];
    if *from == host.origin {
        return;
    }
    let mono = host.clock.read(now).mono;
    let relays = host.node.as_ref().is_none_or(|node| node.relays(from, mono));
    // A manifest that came before, and waited for its sections, stays welcome.
    let lost_at = host.conduct.quarantined.get(from).map(|at| host.clock.read(*at).mono);
    if slot.origin != *from && !relays && lost_at.is_some_and(|at| at < *received_at) {
        wrong.push(format!("I1: {slot} is taken from {from}, which must not relay"));
    }
    let (count, since) = host.conduct.taken.entry(slot.clone()).or_insert((0, now));
    *count += 1;
    // Each session brings a full bucket, and a token a second; clocks may run a little fast.
    let seconds = (now - *since) * 102 / 100_000 + 1;
    let most = host.conduct.sessions * bucket + host.neighbours.len() as u64 * seconds;
    if *count > most {
        wrong.push(format!("I10: {count} documents of {slot} are taken within {seconds} s, {most} may be"));
    }
}

/// Looks at a process from time to time.
pub fn look(host: &Machine, wrong: &mut Vec<String>) {
    let Some(node) = &host.node else { return };
    for (_, peer) in node.session_peers().filter(|(_, peer)| !host.roster.members.contains_key(*peer)) {
        wrong.push(format!("I1: there is a session with {peer}, which is not in the roster"));
    }
}

/// I1: the header of what is held names one of the origin's keys that counts now, and its algorithm; the form is known.
pub fn header(host: &Machine, slot: &Slot, held: &Held, wall: u64, wrong: &mut Vec<String>) {
    let bytes = URL_SAFE_NO_PAD.decode(&held.jws.protected).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let Some(member) = host.roster.members.get(&slot.origin) else { return };
    let counts = |key: &&crate::federation::protocol::Key| {
        header["kid"] == *key.kid && key.not_before <= wall && wall <= key.not_after
    };
    let key = member.keys.iter().find(counts);
    if key.is_none() || header["alg"] != keys::ALGORITHM || header["typ"] != "qkdn-mx+jws" {
        wrong.push(format!("I1: {slot} is signed with {header}"));
    }
    if held.manifest.v != 1 || !held.manifest.version.in_range() {
        wrong.push(format!("I1: {slot} has form {} and version {}", held.manifest.v, held.manifest.version));
    }
}
