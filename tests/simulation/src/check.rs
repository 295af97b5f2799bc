//! The safety invariants of `ALGORITHM.md` section 9, checked after every step against what was really signed.

use std::collections::BTreeMap;

use crate::{
    conduct,
    federation::protocol::{
        Audience, Event, Freshness, Hash, Held, Item, Member, OriginId, Output, Role, Roster, SectionBody, SessionId,
        Slot, Version,
    },
    history::History,
    network::MachineId,
    world::World,
};

/// What the invariants remember of a machine.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What it held last, by slot; survives restarts with the disk.
    ranks: BTreeMap<Slot, (Version, Hash)>,
    /// The quickest way of a document of a slot and epoch to this process, in true milliseconds, and when that was.
    quickest: BTreeMap<(Slot, u64), (u64, u64)>,
    /// When freshness was last looked at.
    looked_at: u64,
}

impl Seen {
    /// Whether a machine is to be looked at though nothing seems to have changed.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        now >= self.looked_at + 1_000
    }

    /// A new process begins.
    pub fn restarted(&mut self) {
        self.quickest.clear();
    }
}

/// Of a delay that grows, one millisecond in so many is put down to clocks of different rates, and as much may truly be theirs.
const RATES: u64 = 25;

/// What a way counts for that was the quickest then.
fn loosened((way, at): (u64, u64), now: u64) -> u64 {
    way + now.saturating_sub(at) / RATES
}

/// Most relays on a way.
const HOPS: usize = 16;

/// Who may see a slot, by the words of `ALGORITHM.md` section 1; written anew, to be compared with the protocol's.
#[must_use]
pub fn may_see(roster: &Roster, reader: &OriginId, slot: &Slot) -> bool {
    let Some(member) = roster.members.get(reader) else { return false };
    if !roster.members.contains_key(&slot.origin) {
        return false;
    }
    if *reader == slot.origin {
        return true;
    }
    match &slot.audience {
        Audience::Federation => true,
        Audience::Area(area) => *area == member.area,
        Audience::Aggregator => member.role == Role::Aggregator,
        Audience::Adjacent(domain) => domain == reader,
    }
}

/// Looks at what an honest node wants done.
pub fn output(world: &mut World, machine: MachineId, output: &Output, by_report: bool) {
    let mut wrong = Vec::new();
    match output {
        Output::Close(_) if by_report => wrong.push("I11: a session is ended for what was reported on it".to_owned()),
        Output::Report { session, items, .. } => sent(world, machine, *session, items, true, &mut wrong),
        Output::Answer { session, answer, .. } => sent(world, machine, *session, &answer.items, false, &mut wrong),
        Output::Request { session, wants, .. } => {
            let peer = peer_of(world, *session);
            for want in wants {
                may_tell(world, machine, &peer, &want.slot, "a want", &mut wrong);
            }
        }
        Output::Event(Event::Isolated(_)) if std::mem::replace(&mut world.machines[machine].isolated, true) => {
            wrong.push("L5: isolation told twice".to_owned());
        }
        Output::Event(event @ (Event::Published { .. } | Event::Quarantined(_) | Event::Dropped { .. })) => {
            conduct::event(world, machine, event, &mut wrong);
        }
        Output::Event(Event::Rejoined) => world.machines[machine].isolated = false,
        _ => {}
    }
    blame(world, machine, wrong);
}

fn blame(world: &mut World, machine: MachineId, wrong: Vec<String>) {
    for what in wrong {
        let line = format!("at {:.3} s, machine {machine}: {what}", world.now as f64 / 1_000.0);
        world.note(|| format!("VIOLATION {line}"));
        world.violations.push(line);
    }
}

fn peer_of(world: &World, session: SessionId) -> Option<OriginId> {
    let (number, side) = world.network.find(session)?;
    let other = world.network.connections.get(&number)?.ends[1 - side].machine;
    Some(world.machines[other].origin.clone())
}

fn may_tell(
    world: &World,
    machine: MachineId,
    peer: &Option<OriginId>,
    slot: &Slot,
    what: &str,
    wrong: &mut Vec<String>,
) {
    let Some(peer) = peer else { return };
    let sender = &world.machines[machine];
    let direct =
        !matches!(slot.audience, Audience::Adjacent(_)) || slot.origin == sender.origin || slot.origin == *peer;
    if !may_see(&sender.roster, peer, slot) || !direct {
        wrong.push(format!("I9: {what} of {slot} is told to {peer}"));
    }
}

fn sent(
    world: &mut World,
    machine: MachineId,
    session: SessionId,
    items: &[Item],
    pushed: bool,
    wrong: &mut Vec<String>,
) {
    let peer = peer_of(world, session);
    let history = world.history.clone();
    let history = history.lock();
    let mut pushes = Vec::new();
    for item in items {
        match item {
            Item::Document(document) => {
                let hash = document.jws.hash();
                let Some(signed) = history.signed.get(&hash) else {
                    wrong.push(format!("I3: what nobody signed is sent to {peer:?}"));
                    continue;
                };
                may_tell(world, machine, &peer, &signed.manifest.slot(), "a document", wrong);
                if document.hops as usize > HOPS || document.via.len() > HOPS {
                    wrong.push(format!("I10: {} hops, {} relays named", document.hops, document.via.len()));
                }
                pushes.push(hash);
            }
            Item::Digest { claims, .. } | Item::Announce(claims) => {
                for claim in claims {
                    may_tell(world, machine, &peer, &claim.slot, "a claim", wrong);
                }
            }
            Item::Proof(proof) => {
                for jws in [&proof.first, &proof.second] {
                    match history.signed.get(&jws.hash()) {
                        Some(signed) => may_tell(world, machine, &peer, &signed.manifest.slot(), "a proof", wrong),
                        None => wrong.push("I3: a proof of what nobody signed is sent".to_owned()),
                    }
                }
            }
            Item::Root { .. } | Item::Echo { .. } => {}
        }
    }
    let window = world.settings.window;
    let Some((number, side)) = world.network.find(session).filter(|_| pushed) else { return };
    let Some(connection) = world.network.connections.get_mut(&number) else { return };
    if connection.ends[side].unanswered >= window {
        wrong.push(format!("I10: more than {window} reports without answer"));
    }
    for hash in pushes {
        if !connection.pushed[side].insert(hash) {
            wrong.push(format!("I10: the same document is pushed twice on session {number}"));
        }
    }
}

/// Looks at what an honest node holds after a step: at some slots, or at everything.
pub fn node(world: &mut World, machine: MachineId, slots: Option<&[Slot]>) {
    let mut wrong = Vec::new();
    let mut news = Vec::new();
    let host = &world.machines[machine];
    let Some(node) = &host.node else { return };
    let history = world.history.clone();
    let mut history = history.lock();
    wrong.append(&mut history.violations);
    let some = slots.into_iter().flatten().filter_map(|slot| Some((slot, node.document(slot)?)));
    let all = slots.is_none().then(|| node.documents()).into_iter().flatten();
    for (slot, held) in some.chain(all) {
        let rank = (held.manifest.version, held.hash);
        let before = host.seen.ranks.get(slot);
        if before == Some(&rank) {
            continue;
        }
        let own = slot.origin == host.origin;
        if let Some(before) = before.filter(|_| !own)
            && (before.0 > rank.0 || (before.0 == rank.0 && before.1 < rank.1))
        {
            wrong.push(format!("I2: {slot} goes back from {} to {}", before.0, rank.0));
        }
        document(world, machine, slot, held, &history, &mut wrong);
        let transit = history.signed.get(&held.hash).map_or(0, |signed| world.now.saturating_sub(signed.at));
        news.push((slot.clone(), rank, transit, (held.from.clone(), held.received_at)));
    }
    let (slots, wanted, requests) = node.sizes();
    let bound = 5 * host.roster.members.len() + 5;
    if slots > bound + host.seen.ranks.len() || wanted > 2 * bound || requests > 4 * bound {
        wrong.push(format!("I10: {slots} slots, {wanted} wanted, {requests} requests"));
    }
    freshness(world, machine, &history, &mut wrong);
    drop(history);
    let now = world.now;
    let seen = &mut world.machines[machine].seen;
    for (slot, rank, transit, _) in &news {
        let quickest = seen.quickest.entry((slot.clone(), rank.0.epoch)).or_insert((*transit, now));
        if *transit <= loosened(*quickest, now) {
            *quickest = (*transit, now);
        }
        seen.ranks.insert(slot.clone(), *rank);
    }
    if now >= seen.looked_at + 1_000 {
        seen.looked_at = now;
        company(world, machine, &mut wrong);
        conduct::look(&world.machines[machine], &mut wrong);
    }
    for (slot, _, _, from) in &news {
        conduct::taken(world, machine, slot, from, &mut wrong);
    }
    blame(world, machine, wrong);
}

/// L5: who has had no session for longer than a dead one takes to be noticed says that it is cut off.
fn company(world: &mut World, machine: MachineId, wrong: &mut Vec<String>) {
    let mono = world.machines[machine].clock.read(world.now).mono;
    let host = &mut world.machines[machine];
    let Some(node) = &host.node else { return };
    let members = &host.roster.members;
    let left = |peer: &OriginId| node.standing(peer, mono).is_some_and(|seen| seen.freshness == Freshness::Withdrawn);
    let belongs = |peer: &&OriginId| members.contains_key(*peer) && !left(peer);
    let expected = members.contains_key(&host.origin) && host.neighbours.keys().any(|peer| belongs(&peer));
    let none = node.session_peers().next().is_none();
    host.conduct.met |= !none;
    let alone = expected && none && host.conduct.met;
    host.alone = if alone { host.alone + 1 } else { 0 };
    if u64::from(host.alone) > world.settings.dead / 1_000 + 2 && !node.is_isolated() {
        wrong.push(format!("L5: without a session for {} s, and does not say so", host.alone));
    }
}

/// A document that is newly held: I1, I3, I7, I9.
fn document(world: &World, machine: MachineId, slot: &Slot, held: &Held, history: &History, wrong: &mut Vec<String>) {
    let host = &world.machines[machine];
    if slot.origin != host.origin {
        // What is on the disk of an origin that was excluded since is kept, marked.
        let restored = held.from == host.origin;
        let member = host.roster.members.get(&slot.origin);
        let version = held.manifest.version;
        let replaced = |member: &Member| (member.key_gen, member.min_epoch) > (version.key_gen, version.epoch);
        if restored && member.is_none_or(replaced) {
            return;
        }
        let Some(member) = member else {
            return wrong.push(format!("I1: {slot} is held, but its origin is not in the roster"));
        };
        if !may_see(&host.roster, &host.origin, slot) {
            wrong.push(format!("I9: {slot} is held by {}", host.origin));
        }
        if version.key_gen != member.key_gen || version.epoch < member.min_epoch {
            wrong.push(format!("I1: {slot} {version} is held, the roster has generation {}", member.key_gen));
        }
        conduct::header(host, slot, held, host.clock.read(world.now).wall, wrong);
        if held.manifest.federation != host.roster.federation {
            wrong.push(format!("I1: {slot} was signed for federation {}", held.manifest.federation));
        }
    }
    match history.signed.get(&held.hash) {
        None => wrong.push(format!("I3: {slot} {} was never signed", held.manifest.version)),
        Some(signed) if signed.manifest != held.manifest => wrong.push(format!("I3: {slot} is not what was signed")),
        Some(_) => {}
    }
    let whole = held.manifest.sections.len() == held.sections.len();
    let fits = |body: &SectionBody| held.manifest.sections.get(&body.name) == Some(&body.reference());
    if !whole || !held.sections.values().all(fits) {
        wrong.push(format!("I7: sections of {slot} {} do not fit its manifest", held.manifest.version));
    }
    if held.via.len() > HOPS {
        wrong.push(format!("I10: {} relays are remembered", held.via.len()));
    }
    let size: usize = held.sections.values().map(|body| body.data.len()).sum();
    let largest = held.sections.values().map(|body| body.data.len()).max().unwrap_or(0);
    if held.manifest.valid_for_ms > world.settings.longest_valid_for {
        wrong.push(format!("I10: {slot} is held to be valid for {} ms", held.manifest.valid_for_ms));
    }
    if largest > world.settings.section_bytes {
        wrong.push(format!("I10: a section of {slot} has {largest} bytes"));
    }
    if held.sections.len() > world.settings.sections || size > world.settings.document_bytes {
        wrong.push(format!("I10: {} sections, {size} bytes are held of {slot}", held.sections.len()));
    }
}

/// I6: what is called fresh was signed lately, whatever relays say.
fn freshness(world: &World, machine: MachineId, history: &History, wrong: &mut Vec<String>) {
    let host = &world.machines[machine];
    let Some(node) = &host.node else { return };
    if world.now < host.seen.looked_at + 1_000 {
        return;
    }
    let mono = host.clock.read(world.now).mono;
    for origin in host.roster.members.keys().filter(|origin| **origin != host.origin) {
        // An origin that lies of itself may say what it likes of its own time.
        if world.liars.contains(origin) {
            continue;
        }
        let Some(standing) = node.standing(origin, mono) else { continue };
        if !matches!(standing.freshness, Freshness::Fresh | Freshness::Indirect) {
            continue;
        }
        let honest = node.documents_of(origin).any(|(slot, held)| {
            let Some(signed) = history.signed.get(&held.hash) else { return false };
            let age = world.now.saturating_sub(signed.at);
            // Clocks may run one in a hundred wrong, each of both.
            let valid = held.manifest.valid_for_ms * 102 / 100 + 1_000;
            let key = (slot.clone(), held.manifest.version.epoch);
            let quickest = host.seen.quickest.get(&key).map_or(age, |quickest| loosened(*quickest, world.now));
            let on_the_way = (u64::from(held.hops) + 1) * (world.longest_way + 100);
            age <= valid + quickest && (!world.ages_honest || age <= valid + on_the_way)
        });
        if !honest {
            wrong.push(format!("I6: {origin} is {}, age told {} ms", standing.freshness.as_str(), standing.age_ms));
        }
    }
}
