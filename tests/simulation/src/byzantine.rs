//! Managers that lie: what they send is changed on its way out, and more is sent than the protocol would.
//!
//! Each runs a real node and knows only what that knows, and keys that it stole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    federation::protocol::{
        Audience, Claim, Document, Hash, Item, Jws, MAX_COUNT, Manifest, OriginId, Proof, Roster, SectionBody,
        SessionId, Slot, Version, Want,
    },
    keys,
    machine::Machine,
    network::{MachineId, Packet},
    world::World,
};

/// How a manager lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Documents of others with contents of its own.
    Forge,
    /// Valid documents of long ago, as if they were of now.
    Replay,
    /// Passes nothing on of others.
    Withhold,
    /// Keeps documents of others back, and says that they are young.
    Delay,
    /// Honest for a while; from then on keeps for a minute what it hears of others, and says that it is young.
    HoldBack,
    /// Says that documents came a long way, by everybody.
    Hops,
    /// Signs and sends as much as it can.
    Flood,
    /// Signs two manifests of each version, and shows one to some and the other to others.
    Equivocate,
    /// Passes documents on to whom they are not meant for, as if they were young, and asks for what is not meant for it.
    WrongAudience,
    /// Sections that their manifests do not name.
    Sections,
    /// More sections, bytes and relays than allowed.
    Huge,
    /// Headers that name other algorithms, types, and keys that do not count any more.
    Algorithm,
    /// What was signed for another federation, or has another form.
    OtherFederation,
    /// Says that it holds what nobody has, and has sessions with everybody.
    Claims,
}

/// Those that are drawn first; [`Lie::HoldBack`] takes the place of some, so that older seeds still draw what they drew.
pub const LIES: [Lie; 13] = [
    Lie::Forge,
    Lie::Replay,
    Lie::Withhold,
    Lie::Delay,
    Lie::Hops,
    Lie::Flood,
    Lie::Equivocate,
    Lie::WrongAudience,
    Lie::Sections,
    Lie::Huge,
    Lie::Algorithm,
    Lie::OtherFederation,
    Lie::Claims,
];

impl Lie {
    /// Whether ages told by honest relays can still be held to the hop.
    #[must_use]
    pub fn keeps_ages(self) -> bool {
        !matches!(self, Self::Replay | Self::Delay | Self::HoldBack | Self::Hops | Self::WrongAudience)
    }

    /// Whether the actor as an origin of its own documents is to be believed.
    #[must_use]
    pub fn keeps_versions(self) -> bool {
        !matches!(self, Self::Equivocate | Self::Flood)
    }
}

/// A lying manager.
#[derive(Clone, Debug)]
pub struct Actor {
    /// How.
    pub lie: Lie,
    /// Documents of others that it keeps.
    hoard: Vec<(u64, Document)>,
    /// Twins of own manifests, by hash.
    twins: BTreeMap<Hash, Jws>,
    /// What was taken into the hoard.
    hoarded: BTreeSet<Hash>,
    acted_at: u64,
}

impl Actor {
    /// A new one.
    #[must_use]
    pub fn new(lie: Lie) -> Self {
        Self { lie, hoard: Vec::new(), twins: BTreeMap::new(), hoarded: BTreeSet::new(), acted_at: 0 }
    }
}

/// Signs whatever it is given, with the key of a domain: stolen, or the liar's own.
pub fn sign(world: &World, manifest: &Manifest, algorithm: &str, generation: u32) -> Jws {
    sign_as(world, manifest, algorithm, &keys::kid(manifest.origin.as_str(), generation), "qkdn-mx+jws")
}

/// The same with any key, and any type in the header.
fn sign_as(world: &World, manifest: &Manifest, algorithm: &str, kid: &str, typ: &str) -> Jws {
    let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":"{typ}"}}"#);
    let protected = URL_SAFE_NO_PAD.encode(header);
    let payload = URL_SAFE_NO_PAD.encode(manifest.to_bytes());
    let message = format!("{protected}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(keys::signature(kid, message.as_bytes(), world.real));
    if algorithm == keys::ALGORITHM {
        world.history.lock().note(message.as_bytes(), false);
    }
    Jws { protected, payload, signature }
}

/// Until when a manager that holds back is honest, in milliseconds, and for how long it keeps things then.
const HONEST_UNTIL: u64 = 20_000;
const HELD_BACK: u64 = 60_000;

/// Changes what a liar's node would send.
pub fn corrupt(world: &mut World, machine: MachineId, session: SessionId, items: Vec<Item>) -> Vec<Item> {
    let Some(lie) = world.machines[machine].actor.as_ref().map(|actor| actor.lie) else { return items };
    let me = world.machines[machine].origin.clone();
    let other = world.network.find(session).and_then(|(number, side)| {
        world.network.connections.get(&number).map(|connection| connection.ends[1 - side].machine)
    });
    let changed = |world: &mut World, item: Item| match item {
        Item::Document(document) => {
            corrupt_document(world, machine, &me, lie, other.unwrap_or(0), document).map(Item::Document)
        }
        Item::Announce(_) | Item::Digest { .. } if matches!(lie, Lie::Withhold | Lie::Delay) => None,
        Item::Announce(_) | Item::Digest { .. } if lie == Lie::HoldBack && world.now >= HONEST_UNTIL => None,
        Item::Root { complete, .. } if lie == Lie::Claims => Some(Item::Root { hash: Hash([7; 32]), complete }),
        Item::Echo { .. } if lie == Lie::Claims => {
            let everybody = world.machines[machine].roster.members.keys().cloned().collect();
            Some(Item::Echo { direct: Some(everybody) })
        }
        other => Some(other),
    };
    items.into_iter().filter_map(|item| changed(world, item)).collect()
}

fn corrupt_document(
    world: &mut World,
    machine: MachineId,
    me: &OriginId,
    lie: Lie,
    other: MachineId,
    mut document: Document,
) -> Option<Document> {
    use Lie::{Delay, Equivocate, HoldBack, Hops, Replay, Sections, Withhold};
    if !matches!(lie, Delay | Equivocate | HoldBack | Hops | Replay | Sections | Withhold) {
        return Some(document);
    }
    let manifest = document.jws.manifest().ok()?;
    let own = manifest.origin == *me;
    match lie {
        Lie::Withhold if !own => return None,
        Lie::HoldBack if !own && world.now >= HONEST_UNTIL => return None,
        Lie::Delay if !own => {
            let until = world.now + world.random.between(10_000, 60_000);
            let actor = world.machines[machine].actor.as_mut()?;
            if actor.hoard.len() < 200 {
                actor.hoard.push((until, document));
            }
            return None;
        }
        Lie::Replay if !own => {
            let now = world.now;
            let actor = world.machines[machine].actor.as_mut()?;
            if actor.hoard.len() < 200 {
                actor.hoard.push((now, document.clone()));
            }
        }
        Lie::Hops if !own => {
            document.hops = u32::try_from(world.random.between(0, 17)).unwrap_or(0);
            document.via = world.machines[machine].roster.members.keys().take(16).cloned().collect();
        }
        Lie::Equivocate if own && other % 2 == 1 => {
            let hash = document.jws.hash();
            let known = world.machines[machine].actor.as_ref()?.twins.get(&hash).cloned();
            let twin = known.unwrap_or_else(|| {
                let twin = Manifest { issued_at: manifest.issued_at + 1, ..manifest.clone() };
                sign(world, &twin, keys::ALGORITHM, manifest.version.key_gen)
            });
            document.jws = twin.clone();
            world.machines[machine].actor.as_mut()?.twins.insert(hash, twin);
        }
        Lie::Sections => {
            for body in &mut document.sections {
                body.data = b"something else".as_slice().into();
            }
            document.sections.push(SectionBody {
                name: "invented".into(),
                salt: [1; 16],
                data: b"x".as_slice().into(),
            });
        }
        _ => {}
    }
    Some(document)
}

/// What a liar sends of its own accord, four times a second.
pub fn act(world: &mut World, machine: MachineId) {
    let now = world.now;
    let Some(actor) = &mut world.machines[machine].actor else { return };
    if now < actor.acted_at + 250 {
        return;
    }
    actor.acted_at = now;
    let lie = actor.lie;
    if lie == Lie::HoldBack && now >= HONEST_UNTIL {
        hoard(&mut world.machines[machine], now);
    }
    let released = released(&mut world.machines[machine], now);
    for (number, side) in world.open_ends(machine) {
        let mut items = invented(world, machine, lie);
        items.extend(released.iter().cloned().map(Item::Document));
        if !items.is_empty() {
            world.send(number, side, Packet::Report(0, items));
        }
        if lie == Lie::WrongAudience {
            let wants = everything(&world.machines[machine].roster);
            world.send(number, side, Packet::Request(0, wants));
        }
    }
}

/// Takes what a manager that holds back has newly heard of others into its hoard.
fn hoard(host: &mut Machine, now: u64) {
    let (Some(node), Some(actor)) = (&host.node, &mut host.actor) else { return };
    for (slot, held) in node.documents().filter(|(slot, _)| slot.origin != host.origin) {
        if actor.hoarded.insert(held.hash) {
            let sections = held.sections.values().cloned().collect();
            let document = Document { jws: held.jws.clone(), age_ms: 0, hops: 0, via: Vec::new(), sections };
            let wait = if matches!(slot.audience, Audience::Adjacent(_)) { u64::MAX } else { now + HELD_BACK };
            actor.hoard.push((wait, document));
        }
    }
}

/// What a liar has kept back long enough: it goes out as if it were young.
fn released(host: &mut Machine, now: u64) -> Vec<Document> {
    let Some(actor) = host.actor.as_mut().filter(|actor| matches!(actor.lie, Lie::Delay | Lie::HoldBack)) else {
        return Vec::new();
    };
    let (due, kept): (Vec<_>, Vec<_>) = actor.hoard.drain(..).partition(|(until, _)| *until <= now);
    actor.hoard = kept;
    due.into_iter().map(|(_, document)| Document { age_ms: 0, ..document }).collect()
}

/// Wants of all that anybody may have said to anybody.
fn everything(roster: &Roster) -> Vec<Want> {
    let areas = roster.members.values().map(|member| Audience::Area(member.area.clone()));
    let audiences: Vec<Audience> = areas.chain([Audience::Federation, Audience::Aggregator]).collect();
    let origins = roster.members.keys().flat_map(|origin| {
        let near = roster.members.keys().map(|other| Audience::Adjacent(other.clone()));
        let slot = |audience| Slot { origin: origin.clone(), audience };
        audiences.iter().cloned().chain(near).map(slot).collect::<Vec<_>>()
    });
    origins.map(|slot| Want { slot, have: Vec::new(), proof: false }).collect()
}

/// Any document that the liar's node holds, as it would be sent.
fn some_document(world: &mut World, machine: MachineId, of_others: bool) -> Option<(Document, Manifest)> {
    let host = &world.machines[machine];
    let node = host.node.as_ref()?;
    let fitting = || node.documents().filter(|(slot, _)| of_others == (slot.origin != host.origin));
    let count = fitting().count();
    if count == 0 {
        return None;
    }
    let drawn = world.random.index(count);
    let held = fitting().nth(drawn)?.1.clone();
    let sections = held.sections.values().cloned().collect();
    let document = Document { jws: held.jws, age_ms: 0, hops: 1, via: Vec::new(), sections };
    Some((document, held.manifest))
}

fn next(manifest: &Manifest) -> Manifest {
    let version = Version { seq: manifest.version.seq + 1, ..manifest.version };
    Manifest { version, ..manifest.clone() }
}

fn invented(world: &mut World, machine: MachineId, lie: Lie) -> Vec<Item> {
    let of_others = !matches!(lie, Lie::Flood | Lie::Huge);
    match lie {
        Lie::Withhold | Lie::Delay | Lie::HoldBack | Lie::Hops | Lie::Sections | Lie::Equivocate => {
            return Vec::new();
        }
        Lie::Replay => {
            let length = world.machines[machine].actor.as_ref().map_or(0, |actor| actor.hoard.len());
            let drawn = world.random.index(length.max(1));
            let actor = world.machines[machine].actor.as_ref();
            let old = actor.and_then(|actor| actor.hoard.get(drawn)).map(|(_, document)| document.clone());
            return old.map(|old| Item::Document(Document { age_ms: 0, ..old })).into_iter().collect();
        }
        Lie::Claims => return claims(world, machine),
        _ => {}
    }
    let Some((document, manifest)) = some_document(world, machine, of_others) else { return Vec::new() };
    match lie {
        Lie::Forge => forged(document, &manifest),
        Lie::WrongAudience => vec![Item::Document(document)],
        Lie::Flood => flood(world, &document, &manifest),
        Lie::Huge => huge(world, document, &manifest),
        Lie::Algorithm => {
            let (next, generation) = (next(&manifest), manifest.version.key_gen);
            let origin = manifest.origin.as_str();
            let jws = match world.more.below(3) {
                0 => sign(world, &next, "HS256", generation),
                1 => sign_as(world, &next, keys::ALGORITHM, &keys::expired_kid(origin), "qkdn-mx+jws"),
                _ => sign_as(world, &next, keys::ALGORITHM, &keys::kid(origin, generation), "JWT"),
            };
            vec![Item::Document(Document { jws, ..document })]
        }
        Lie::OtherFederation => {
            let mut other = next(&manifest);
            match world.more.percent(50) {
                true => other.federation = "another".into(),
                false => other.v = 2,
            }
            let jws = sign(world, &other, keys::ALGORITHM, manifest.version.key_gen);
            vec![Item::Document(Document { jws, ..document })]
        }
        _ => Vec::new(),
    }
}

fn forged(document: Document, manifest: &Manifest) -> Vec<Item> {
    let payload = URL_SAFE_NO_PAD.encode(next(manifest).to_bytes());
    let forged = Jws { payload, ..document.jws.clone() };
    let proof = Proof::of(document.jws.clone(), forged.clone());
    let mut unknown = next(manifest);
    unknown.origin = "nobody".into();
    let unknown = Jws { payload: URL_SAFE_NO_PAD.encode(unknown.to_bytes()), ..forged.clone() };
    let unknown = Document { jws: unknown, ..document.clone() };
    vec![Item::Document(Document { jws: forged, ..document }), Item::Document(unknown), Item::Proof(Box::new(proof))]
}

fn flood(world: &mut World, document: &Document, manifest: &Manifest) -> Vec<Item> {
    let mut items = Vec::new();
    let mut last = manifest.clone();
    for _ in 0..8 {
        last = next(&last);
        let jws = sign(world, &last, keys::ALGORITHM, last.version.key_gen);
        items.push(Item::Document(Document { jws, ..document.clone() }));
    }
    items
}

fn huge(world: &mut World, document: Document, manifest: &Manifest) -> Vec<Item> {
    let body = |name: String, bytes: usize| SectionBody {
        name: name.into(),
        salt: [0; 16],
        data: Arc::from(vec![0_u8; bytes]),
    };
    let bodies: Vec<SectionBody> = if world.random.percent(50) {
        (0..40).map(|number| body(format!("s{number}"), 10)).collect()
    } else {
        vec![body("health".to_owned(), 100_000)]
    };
    let sections = bodies.iter().map(|body| (body.name.clone(), body.reference())).collect();
    let mut large = Manifest { sections, ..next(manifest) };
    if world.more.percent(30) {
        large.sections.clear();
        large.version.epoch = MAX_COUNT + 1;
    }
    let jws = sign(world, &large, keys::ALGORITHM, manifest.version.key_gen);
    // Who says that it holds for ever would be fresh for ever.
    let valid_for_ms = world.settings.longest_valid_for + 1;
    let for_ever = sign(world, &Manifest { valid_for_ms, ..next(manifest) }, keys::ALGORITHM, manifest.version.key_gen);
    let for_ever = Document { jws: for_ever, ..document.clone() };
    let long = Document { via: vec![manifest.origin.clone(); 1_000], hops: u32::MAX, ..document };
    let large = Document { jws, sections: bodies, via: Vec::new(), ..long.clone() };
    [large, long, for_ever].into_iter().map(Item::Document).collect()
}

fn claims(world: &mut World, machine: MachineId) -> Vec<Item> {
    let roster = world.machines[machine].roster.clone();
    let claim = |origin: &OriginId, audience: Audience| Claim {
        slot: Slot { origin: origin.clone(), audience },
        version: Version {
            key_gen: roster.members.get(origin).map_or(1, |member| member.key_gen),
            epoch: MAX_COUNT,
            seq: 9,
        },
        hash: Hash([9; 32]),
        disputed: true,
    };
    let mut all: Vec<Claim> = roster.members.keys().map(|origin| claim(origin, Audience::Federation)).collect();
    all.extend(roster.members.keys().map(|origin| claim(origin, Audience::Aggregator)));
    all.push(claim(&"nobody".into(), Audience::Federation));
    let everybody = roster.members.keys().cloned().collect();
    vec![
        Item::Announce(all),
        Item::Root { hash: Hash([7; 32]), complete: true },
        Item::Echo { direct: Some(everybody) },
    ]
}
