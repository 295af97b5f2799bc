//! A run: faults as planned, then calm, then what must have come of it.

use std::collections::BTreeSet;

use crate::{
    byzantine, company,
    federation::protocol::{Audience, Draft, Freshness, Hash, Input, MAX_COUNT, Manifest, OriginId, Slot, Version},
    keys,
    network::Packet,
    quiet,
    scenario::{Fate, Fault, Options, Scenario, machine, name},
    withdrawn,
    world::{Counts, World},
};

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What went wrong.
    pub violations: Vec<String>,
    /// What happened last, if that was kept.
    pub log: Vec<String>,
    /// Bytes and counts.
    pub counts: Counts,
    /// What was sent at rest, where that can be foretold.
    pub traffic: Option<quiet::Traffic>,
}

/// Time for copies to agree once faults have ended, in milliseconds (L1).
const AGREE: u64 = 30_000;
/// What somebody has held for less than this, in milliseconds, may be under way to others.
const UNDER_WAY: u64 = 20_000;
/// A refresh more (L2).
const REFRESH: u64 = 17_000;

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut scenario = Scenario::new(seed, options);
    for number in 0..scenario.graph.size {
        let (_, draft) = scenario.draft(number);
        scenario.world.machines[number].drafts.insert(Audience::Federation, draft);
        if !scenario.late.contains(&number) {
            scenario.world.start(number);
        }
    }
    let end = scenario.faults_end;
    go(&mut scenario, end);
    calm(&mut scenario);
    go(&mut scenario, end + AGREE);
    let before = scenario.world.counts.bytes;
    go(&mut scenario, end + AGREE + UNDER_WAY);
    if scenario.world.violations.is_empty() {
        agreement(&mut scenario);
    }
    go(&mut scenario, end + AGREE + quiet::WINDOW);
    let traffic = quiet::Traffic::of(&scenario, scenario.world.counts.bytes - before);
    scenario.world.violations.extend(traffic.as_ref().and_then(quiet::Traffic::complaint));
    go(&mut scenario, end + AGREE + UNDER_WAY + REFRESH);
    if scenario.world.violations.is_empty() {
        liveness(&mut scenario);
        company::look(&mut scenario.world, scenario.graph.size);
    }
    let world = scenario.world;
    Outcome { seed, violations: world.violations, log: world.log.into(), counts: world.counts, traffic }
}

/// Lets a world go on up to a time, or the first violation.
pub fn go(scenario: &mut Scenario, until: u64) {
    let mut swept = 0;
    while scenario.world.violations.is_empty() {
        let Some(planned) = scenario.world.next(until) else { return };
        if let Some(number) = planned {
            let fault = scenario.plan[number].clone();
            // Once calm has come no fault begins; rosters still arrive.
            if scenario.world.now < scenario.faults_end || matches!(fault, Fault::Roster(..)) {
                carry_out(scenario, fault);
            }
        }
        if scenario.world.now > swept + 2_000 {
            swept = scenario.world.now;
            if scenario.world.now > scenario.faults_end {
                operate(scenario);
            }
            scenario.world.network.sweep();
        }
    }
}

fn carry_out(scenario: &mut Scenario, fault: Fault) {
    scenario.world.note(|| format!("FAULT {fault:?}"));
    let world = &mut scenario.world;
    match fault {
        Fault::Publish(domain) => publish(scenario, domain),
        Fault::Cut(from, to) => {
            world.network.blocked.insert((from, to));
        }
        Fault::Mend(from, to) => world.unblock(from, to),
        Fault::Partition(sides) => {
            for (from, to) in across(&sides) {
                world.network.blocked.insert((from, to));
            }
        }
        Fault::Unite(sides) => across(&sides).for_each(|(from, to)| world.unblock(from, to)),
        Fault::Break(one, other) => break_sessions(world, one, other),
        Fault::Kill(machine, power) => world.kill(machine, power),
        Fault::Restart(machine, fate) => restart(world, machine, fate),
        Fault::Backup(machine) => {
            let copy = world.machines[machine].disk.lock().clone();
            world.machines[machine].backup = copy;
        }
        Fault::Stall(machine, lasts) => world.machines[machine].stalled_until = world.now + lasts,
        Fault::Resume(machine) => world.resume(machine),
        Fault::Twin(domain) => start_twin(scenario, domain),
        Fault::Roster(machine, number) => {
            let roster = scenario.rosters[number].clone();
            world.tell_roster(machine, &roster);
        }
        Fault::SetClock(machine, offset) => world.machines[machine].clock.offset = offset,
        Fault::Poison(domain) => {
            let id = OriginId::from(name(domain).as_str());
            let generation = world.machines[domain].roster.members.get(&id).map_or(0, |member| member.key_gen);
            scenario.poisoned.insert(domain, generation);
            poison(world, domain);
        }
        Fault::RaiseEpoch(domain) => {
            let machine = &world.machines[domain];
            let all = machine.node.iter().flat_map(|node| node.documents_of(&machine.origin));
            let known = all.map(|(_, held)| held.manifest.version.epoch).max();
            // Not after a thief has used all epochs up: then new keys are due.
            if let Some(known) = known.filter(|known| *known < MAX_COUNT / 2) {
                scenario.raise_epoch(domain, known);
            }
        }
        Fault::Withdraw(domain) => withdraw(world, domain),
        Fault::Speak(domain) => {
            if scenario.world.machines[domain].withdrawn.contains(&Audience::Federation) {
                let draft = scenario.draft_for_all();
                say(&mut scenario.world, domain, Audience::Federation, draft);
            }
        }
        Fault::Leave(domain) => {
            world.step(domain, Input::Leave);
            // What it says last is on its way before the process ends.
            world.kill(domain, false);
        }
    }
}

/// What operators do once a twin is gone: they start the manager again that has stopped publishing for it.
fn operate(scenario: &mut Scenario) {
    let stopped = |machine: &crate::machine::Machine| {
        machine.is_honest() && machine.node.as_ref().is_some_and(|node| node.has_stopped_publishing())
    };
    for number in 0..scenario.world.machines.len() {
        let machine = &scenario.world.machines[number];
        if stopped(machine) && !scenario.has_twin(machine.domain) {
            let world = &mut scenario.world;
            world.kill(number, false);
            world.start(number);
        }
    }
}

fn across(sides: &[bool]) -> impl Iterator<Item = (usize, usize)> {
    let count = sides.len();
    (0..count)
        .flat_map(move |from| (0..count).map(move |to| (from, to)))
        .filter(|(from, to)| sides[*from] != sides[*to])
}

fn publish(scenario: &mut Scenario, domain: usize) {
    let (audience, draft) = scenario.draft(domain);
    say(&mut scenario.world, domain, audience, draft);
}

fn say(world: &mut World, domain: usize, audience: Audience, draft: Draft) {
    world.machines[domain].drafts.insert(audience.clone(), draft.clone());
    world.machines[domain].withdrawn.remove(&audience);
    world.machines[domain].drafted_at = world.now;
    if world.machines[domain].stalled_until <= world.now {
        world.step(domain, Input::Publish { audience, draft });
    }
}

/// A domain tells the federation nothing from now on.
fn withdraw(world: &mut World, domain: usize) {
    let host = &mut world.machines[domain];
    if host.drafts.remove(&Audience::Federation).is_none() {
        return;
    }
    host.withdrawn.insert(Audience::Federation);
    if host.stalled_until <= world.now {
        world.step(domain, Input::Withdraw(Audience::Federation));
    }
}

fn break_sessions(world: &mut World, one: usize, other: usize) {
    for (number, side) in world.open_ends(one) {
        let to = world.network.connections.get(&number).map(|connection| connection.ends[1 - side].machine);
        if to == Some(other) {
            world.send(number, 0, Packet::Close);
            world.send(number, 1, Packet::Close);
        }
    }
}

fn restart(world: &mut World, machine: usize, fate: Fate) {
    if world.machines[machine].node.is_some() {
        return;
    }
    match fate {
        Fate::Kept => {}
        Fate::Lost => world.replace_disk(machine, Default::default()),
        Fate::Backup => {
            let backup = world.machines[machine].backup.clone();
            world.replace_disk(machine, backup);
        }
    }
    world.start(machine);
}

/// Starts a second process of a domain on a copy of its disk, if the domain is honest.
pub fn start_twin(scenario: &mut Scenario, domain: usize) {
    let roster = scenario.world.machines[domain].roster.clone();
    let world = &mut scenario.world;
    let mut twin = machine(world, &scenario.graph, &roster, domain, None);
    if !world.machines[domain].is_honest() {
        return;
    }
    *twin.disk.lock() = world.machines[domain].disk.lock().clone();
    twin.twin = true;
    twin.drafts = world.machines[domain].drafts.clone();
    twin.withdrawn = world.machines[domain].withdrawn.clone();
    twin.signer = world.machines[domain].signer.clone();
    world.machines.push(twin);
    world.start(world.machines.len() - 1);
}

/// A thief signs with a domain's key an epoch above which there is none, and some neighbour of it spreads that.
fn poison(world: &mut World, domain: usize) {
    let id = OriginId::from(name(domain).as_str());
    let host = &world.machines[domain];
    let Some(member) = host.roster.members.get(&id) else { return };
    let generation = member.key_gen;
    let manifest = Manifest {
        v: 1,
        federation: host.roster.federation.clone(),
        origin: id,
        audience: Audience::Federation,
        version: Version { key_gen: generation, epoch: MAX_COUNT, seq: MAX_COUNT },
        issued_at: 1,
        valid_for_ms: 45_000,
        leaving: false,
        sections: Default::default(),
    };
    let jws = byzantine::sign(world, &manifest, keys::ALGORITHM, generation);
    let document =
        crate::federation::protocol::Document { jws, age_ms: 0, hops: 0, via: Vec::new(), sections: Vec::new() };
    for (number, side) in world.open_ends(domain) {
        let item = crate::federation::protocol::Item::Document(document.clone());
        world.send(number, side, Packet::Report(0, vec![item]));
    }
}

/// Faults have ended: paths are open, processes run, twins are gone.
fn calm(scenario: &mut Scenario) {
    // A stolen key that was used is replaced in the end, if it has not been yet.
    for (domain, generation) in scenario.poisoned.clone() {
        let id = OriginId::from(name(domain).as_str());
        let now = scenario.rosters.last().and_then(|roster| roster.members.get(&id)).map(|member| member.key_gen);
        if now == Some(generation) {
            let roster = scenario.rekeyed(domain);
            scenario.rosters.push(roster);
        }
    }
    let world = &mut scenario.world;
    world.note(|| "CALM".to_owned());
    world.duplicates = 0;
    for (from, to) in world.network.blocked.clone() {
        world.unblock(from, to);
    }
    for machine in 0..world.machines.len() {
        world.resume(machine);
    }
    let roster = scenario.rosters.last().cloned().unwrap_or_default();
    for machine in 0..world.machines.len() {
        if world.machines[machine].twin && !scenario.twins_stay {
            world.kill(machine, false);
            continue;
        }
        if scenario.dead.contains(&machine) {
            world.kill(machine, false);
            continue;
        }
        world.tell_roster(machine, &roster);
        restart(world, machine, Fate::Kept);
        let drafts = world.machines[machine].drafts.clone();
        for (audience, draft) in drafts {
            world.step(machine, Input::Publish { audience, draft });
        }
        for audience in world.machines[machine].withdrawn.clone() {
            world.step(machine, Input::Withdraw(audience));
        }
    }
}

// === what must have come of it ===

/// Honest managers between which documents of a slot find their way, beginning with one.
fn reached(scenario: &Scenario, slot: &Slot, from: usize) -> BTreeSet<usize> {
    let world = &scenario.world;
    let takes = |number: usize| {
        let host = &world.machines[number];
        let speaks = host.is_honest() && host.node.is_some() && !scenario.has_twin(host.domain);
        speaks && crate::check::may_see(&host.roster, &host.origin, slot)
    };
    let mut reached: BTreeSet<usize> = [from].into();
    let mut next = vec![from];
    while let Some(one) = next.pop() {
        if matches!(slot.audience, Audience::Adjacent(_)) && one != from {
            continue;
        }
        for other in scenario.graph.of(one) {
            if takes(other) && reached.insert(other) {
                next.push(other);
            }
        }
    }
    reached
}

type Rank = (Version, std::cmp::Reverse<Hash>);

fn rank(world: &World, number: usize, slot: &Slot) -> Option<(Rank, u64)> {
    let node = world.machines[number].node.as_ref()?;
    let member = world.machines[number].roster.members.get(&slot.origin)?;
    let held = node.document(slot).filter(|held| member.admits(held.manifest.version))?;
    let for_ms = world.machines[number].clock.read(world.now).mono.saturating_sub(held.received_at);
    Some(((held.manifest.version, std::cmp::Reverse(held.hash)), for_ms))
}

/// L1: what was signed a while ago is held by all whom it can reach, and they hold the same. L6: proofs too.
fn agreement(scenario: &mut Scenario) {
    let world = &scenario.world;
    let mut slots: BTreeSet<Slot> = BTreeSet::new();
    let honest = |number: &usize| {
        let host = &world.machines[*number];
        host.is_honest() && host.node.is_some() && !scenario.has_twin(host.domain)
    };
    for number in (0..scenario.graph.size).filter(honest) {
        let host = &world.machines[number];
        let held = host.node.iter().flat_map(|node| node.documents());
        let shown = held.filter(|(slot, held)| {
            host.roster.members.get(&slot.origin).is_some_and(|member| member.admits(held.manifest.version))
        });
        slots.extend(shown.map(|(slot, _)| slot.clone()));
    }
    let mut wrong = Vec::new();
    for slot in slots {
        let starts = (0..scenario.graph.size).filter(honest).filter(|number| {
            let host = &world.machines[*number];
            crate::check::may_see(&host.roster, &host.origin, &slot)
                && (!matches!(slot.audience, Audience::Adjacent(_)) || host.origin == slot.origin)
        });
        let mut met: BTreeSet<usize> = BTreeSet::new();
        for from in starts {
            // A group is the same wherever in it one begins.
            if met.contains(&from) {
                continue;
            }
            let group = reached(scenario, &slot, from);
            met.extend(&group);
            let ranks: Vec<_> = group.iter().map(|number| (*number, rank(world, *number, &slot))).collect();
            // Who asked for nothing of others finds it out by comparing copies, one neighbour at a time.
            let slow = group.iter().any(|number| !world.machines[*number].wishes.relay);
            let under_way = if slow { 3 * UNDER_WAY } else { UNDER_WAY };
            let settled =
                ranks.iter().filter_map(|(_, rank)| *rank).filter(|(_, for_ms)| *for_ms >= under_way).map(|it| it.0);
            let Some(floor) = settled.max() else { continue };
            for (number, rank) in ranks {
                if rank.is_none_or(|(rank, _)| rank < floor) {
                    let has = rank.map(|(rank, _)| rank.0.to_string());
                    wrong.push(format!("L1: machine {number} has {has:?} of {slot}, machine {from} knows {}", floor.0));
                }
            }
            let proven = |number: &&usize| {
                world.machines[**number].node.iter().any(|node| node.proofs().any(|(other, _)| *other == slot))
            };
            let with = group.iter().filter(proven).count();
            if with != 0 && with != group.len() {
                wrong.push(format!("L6: {with} of {} have the proof about {slot}", group.len()));
            }
        }
    }
    scenario.world.violations.append(&mut wrong);
}

/// L2: the living are fresh or indirect wherever word of them can come, the dead stale. And what they said last is known.
fn liveness(scenario: &mut Scenario) {
    let world = &scenario.world;
    let mut wrong = Vec::new();
    for domain in 0..scenario.graph.size {
        let speaker = &world.machines[domain];
        if !speaker.is_honest() || !speaker.roster.members.contains_key(&speaker.origin) {
            continue;
        }
        let slot = Slot { origin: speaker.origin.clone(), audience: Audience::Federation };
        let dead = scenario.dead.contains(&domain);
        if scenario.has_twin(domain) {
            continue;
        }
        let reached = reached(scenario, &slot, domain);
        // Who asked for nothing of others hears of their refreshes late, and so do those behind it.
        let told = reached.iter().all(|number| world.machines[*number].wishes.relay);
        for number in reached {
            let host = &world.machines[number];
            let Some(node) = host.node.as_ref().filter(|_| number != domain) else { continue };
            let standing = node.standing(&speaker.origin, host.clock.read(world.now).mono);
            let freshness = standing.map(|standing| standing.freshness);
            let alive = matches!(freshness, Some(Freshness::Fresh | Freshness::Indirect));
            if !dead && speaker.withdrawn.contains(&slot.audience) {
                wrong.extend(withdrawn::complaint(speaker, number, node, freshness));
                continue;
            }
            if alive == dead && (told || dead) {
                wrong.push(format!("L2: machine {number} sees {} as {standing:?}, dead: {dead}", slot.origin));
            }
            let draft = speaker.drafts.get(&Audience::Federation);
            let held = node.document(&slot);
            let same = held.zip(draft).is_some_and(|(held, draft)| {
                draft.sections.len() == held.sections.len()
                    && draft
                        .sections
                        .iter()
                        .all(|(name, data)| held.sections.get(name).is_some_and(|body| body.data == *data))
            });
            if !dead && !same {
                wrong.push(format!("L1: machine {number} does not have what {} says", slot.origin));
            }
        }
    }
    scenario.world.violations.append(&mut wrong);
}
