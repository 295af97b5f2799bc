//! Nodes of two and three domains in one process, joined by hand: each rule of `ALGORITHM.md` once, in the order of its
//! sections. What comes of their interplay under faults is the simulation's to find out.

mod hierarchy;
mod laws;
mod rosters;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;

/// Signatures that only this test makes.
struct Keyed;

fn signature(key: &[u8], message: &[u8]) -> Vec<u8> {
    Hash::of(&[key, message]).0.to_vec()
}

impl Signatures for Keyed {
    fn verify(&self, key: &Key, message: &[u8], given: &[u8]) -> bool {
        signature(&key.public, message) == given
    }
}

struct OwnKey(String);

impl SigningKey for OwnKey {
    fn kid(&self) -> &str {
        &self.0
    }

    fn algorithm(&self) -> &str {
        "EdDSA"
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        laws::note(message);
        Some(signature(self.0.as_bytes(), message))
    }
}

/// Random numbers that are none, and the epoch that is on the disk.
struct Numbers(u64, Arc<AtomicU64>);

impl Epochs for Numbers {
    fn record(&mut self, epoch: u64) -> bool {
        self.1.store(epoch, Ordering::Relaxed);
        true
    }

    fn random(&mut self) -> u64 {
        self.0 += 7;
        self.0
    }
}

/// What a node has on its disk.
#[derive(Default)]
struct Disk {
    epoch: Arc<AtomicU64>,
    documents: BTreeMap<Slot, Stored>,
}

fn id(name: &str) -> OriginId {
    OriginId::from(name)
}

fn roster(names: &[&str]) -> Roster {
    let member = |name: &str| Member {
        key_gen: 1,
        keys: vec![Key {
            kid: name.to_owned(),
            algorithm: "EdDSA".to_owned(),
            public: name.as_bytes().to_vec(),
            not_before: 0,
            not_after: u64::MAX,
        }],
        ..Member::default()
    };
    let members = names.iter().map(|name| (id(name), member(name))).collect();
    Roster { federation: "f".into(), version: 1, members }
}

/// Nodes, the sessions between them, and what was told as events.
struct Net {
    now: u64,
    nodes: BTreeMap<&'static str, Node>,
    ends: BTreeMap<SessionId, (&'static str, SessionId)>,
    events: Vec<(&'static str, Event)>,
    sent: Vec<(&'static str, Item)>,
    disks: BTreeMap<&'static str, Disk>,
    names: Vec<&'static str>,
    /// Sessions and lives so far.
    counted: u64,
    /// What is sent from now on is lost, and taken for answered.
    loses: bool,
}

impl Net {
    fn of(names: &[&'static str]) -> Self {
        let mut net = Self {
            now: 0,
            nodes: BTreeMap::new(),
            ends: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            disks: BTreeMap::new(),
            names: names.to_vec(),
            counted: 0,
            loses: false,
        };
        names.iter().for_each(|name| net.start(name));
        net
    }

    /// Starts a node on what is on its disk.
    fn start(&mut self, name: &'static str) {
        let disk = self.disks.entry(name).or_default();
        let start = Start {
            me: id(name),
            settings: Settings::default(),
            roster: roster(&self.names),
            signatures: Box::new(Keyed),
            key: Box::new(OwnKey(name.to_owned())),
            epochs: Box::new(Numbers(name.len() as u64 + 7_919 * self.counted, Arc::clone(&disk.epoch))),
            last_epoch: disk.epoch.load(Ordering::Relaxed),
            stored: disk.documents.values().cloned().collect(),
        };
        self.nodes.insert(name, Node::new(start, self.time()));
        let neighbours = self.names.iter().map(|other| (id(other), Neighbour::default())).collect();
        self.give(name, Input::Neighbours(neighbours));
    }

    fn time(&self) -> Now {
        Now { mono: self.now, wall: 1_700_000_000_000 + self.now }
    }

    fn give(&mut self, name: &'static str, input: Input) {
        let now = self.time();
        let outputs = self.nodes.get_mut(name).expect("a node of this name").handle(input, now);
        for output in outputs {
            self.carry(name, output);
        }
    }

    fn carry(&mut self, from: &'static str, output: Output) {
        let other = |net: &Self, session: SessionId| net.ends.get(&session).copied();
        match output {
            Output::Subscribe(session) => {
                if let Some((to, session)) = other(self, session) {
                    self.give(to, Input::Subscribed { session, wishes: Subscription::default() });
                }
            }
            Output::Report { session, token, items } => {
                self.sent.extend(items.iter().cloned().map(|item| (from, item)));
                if self.loses {
                    self.give(from, Input::Acknowledged { session, token });
                } else if let Some((to, there)) = other(self, session) {
                    self.give(to, Input::Report { session: there, items });
                    self.give(from, Input::Acknowledged { session, token });
                }
            }
            Output::Request { session, token, wants } => {
                if let Some((to, session)) = other(self, session) {
                    self.give(to, Input::Requested { session, token, wants });
                }
            }
            Output::Answer { session, token, answer } => {
                if let Some((to, session)) = other(self, session) {
                    self.give(to, Input::Answered { session, token, answer });
                }
            }
            Output::Close(session) => {
                if let Some((to, there)) = self.ends.remove(&session) {
                    self.ends.remove(&there);
                    self.give(to, Input::Disconnected(there));
                }
            }
            Output::Event(event) => self.events.push((from, event)),
            Output::Store(slot, stored) => {
                self.disks.entry(from).or_default().documents.insert(slot, stored);
            }
            Output::Dial(_) => {}
        }
    }

    fn join(&mut self, one: &'static str, other: &'static str) -> (SessionId, SessionId) {
        self.counted += 2;
        let (here, there) = (SessionId(self.counted), SessionId(self.counted + 1));
        self.ends.insert(here, (other, there));
        self.ends.insert(there, (one, here));
        self.give(other, Input::Connected { session: there, peer: id(one), dialled: false });
        if self.ends.contains_key(&here) {
            self.give(one, Input::Connected { session: here, peer: id(other), dialled: true });
        }
        // The other side subscribed before this one knew of the session.
        if self.ends.contains_key(&here) {
            self.give(one, Input::Subscribed { session: here, wishes: Subscription::default() });
        }
        (here, there)
    }

    fn pass(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        let names: Vec<&'static str> = self.nodes.keys().copied().collect();
        while self.now < until {
            self.now += 100;
            names.iter().for_each(|name| self.give(name, Input::Tick));
        }
    }

    fn publish(&mut self, name: &'static str, text: &str) {
        let draft = Draft { sections: [("health".into(), text.as_bytes().into())].into() };
        self.give(name, Input::Publish { audience: Audience::Federation, draft });
    }

    fn says(&self, at: &str, origin: &str) -> Option<String> {
        let (_, held) = self.nodes[at].documents().find(|(slot, _)| slot.origin == id(origin))?;
        held.sections.get("health").map(|body| String::from_utf8_lossy(&body.data).into_owned())
    }

    fn happened(&self, at: &str, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(name, event)| *name == at && wanted(event)).count()
    }
}

/// A manifest of an origin, signed with its key.
fn signed(origin: &str, epoch: u64, seq: u64, issued_at: u64) -> Document {
    let manifest = Manifest {
        v: 1,
        federation: "f".into(),
        origin: id(origin),
        audience: Audience::Federation,
        version: Version { key_gen: 1, epoch, seq },
        issued_at,
        valid_for_ms: 45_000,
        leaving: false,
        sections: BTreeMap::new(),
    };
    let jws = Jws::sign(&manifest, &OwnKey(origin.to_owned())).expect("signed");
    Document { jws, age_ms: 0, hops: 0, via: Vec::new(), sections: Vec::new() }
}

#[test]
fn a_change_is_told_at_once_and_relayed_at_once() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.join("b", "c");
    net.publish("a", "well");
    assert_eq!(net.says("b", "a").as_deref(), Some("well"));
    assert_eq!(net.says("c", "a").as_deref(), Some("well"), "in the same moment, by way of b");
    let standing = net.nodes["c"].standing(&id("a"), net.now).expect("known");
    assert_eq!(standing.freshness, Freshness::Indirect);
}

#[test]
fn a_refresh_is_announced_by_relays_and_asked_for() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.join("b", "c");
    net.publish("a", "well");
    net.pass(14_000);
    net.sent.clear();
    net.pass(3_000);
    let of_a = |item: &Item| matches!(item, Item::Document(document) if document.jws.manifest().is_ok_and(|manifest| manifest.origin == id("a")));
    assert!(net.sent.iter().any(|(from, item)| *from == "a" && of_a(item)), "told directly");
    assert!(!net.sent.iter().any(|(from, item)| *from == "b" && of_a(item)), "never pushed by the relay");
    assert!(net.sent.iter().any(|(from, item)| *from == "b" && matches!(item, Item::Announce(_))));
    let standing = net.nodes["c"].standing(&id("a"), net.now).expect("known");
    assert!(standing.age_ms < 4_000, "{standing:?}");
}

#[test]
fn what_was_missed_is_repaired_on_the_next_session() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.publish("a", "well");
    net.join("b", "c");
    assert_eq!(net.says("c", "a").as_deref(), Some("well"), "roots differ, a digest follows, then a want");
}

#[test]
fn two_manifests_of_one_version_are_proven_to_all_and_the_lower_hash_stays() {
    let mut net = Net::of(&["a", "b", "c"]);
    let (_, at_b) = net.join("a", "b");
    let (_, at_c) = net.join("a", "c");
    let (one, other) = (signed("a", 9 << 20, 1, 1), signed("a", 9 << 20, 1, 2));
    let lower = one.jws.hash().min(other.jws.hash());
    net.give("b", Input::Report { session: at_b, items: vec![Item::Document(one)] });
    net.give("c", Input::Report { session: at_c, items: vec![Item::Document(other)] });
    net.join("b", "c");
    for name in ["b", "c"] {
        let held = net.nodes[name].documents().find(|(slot, _)| slot.origin == id("a")).map(|(_, held)| held.hash);
        assert_eq!(held, Some(lower), "{name}");
        assert!(net.nodes[name].standing(&id("a"), net.now).is_some_and(|standing| standing.disputed), "{name}");
        assert_eq!(net.happened(name, |event| matches!(event, Event::Disputed { .. })), 1, "{name}");
    }
}

#[test]
fn of_who_has_signed_two_a_refresh_is_compared_by_those_who_hear_it_themselves() {
    let mut net = Net::of(&["a", "b", "c"]);
    let (_, at_b) = net.join("a", "b");
    let (_, at_c) = net.join("a", "c");
    net.join("b", "c");
    for seq in 1..=4 {
        // Each has the session with the origin, and is told another word by it.
        let (one, other) = (signed("a", 9 << 20, seq, 1), signed("a", 9 << 20, seq, 2));
        let lower = one.jws.hash().min(other.jws.hash());
        net.give("b", Input::Report { session: at_b, items: vec![Item::Document(one)] });
        net.give("c", Input::Report { session: at_c, items: vec![Item::Document(other)] });
        net.sent.clear();
        net.pass(600);
        let held = |name: &str| {
            net.nodes[name].documents().find(|(slot, _)| slot.origin == id("a")).map(|(_, held)| held.hash)
        };
        assert_eq!((held("b"), held("c")), (Some(lower), Some(lower)), "{seq}");
        let compared = net.sent.iter().any(|(from, item)| *from != "a" && matches!(item, Item::Digest { .. }));
        // At first all that is held is compared, and in five seconds again.
        assert!(seq == 1 || !compared, "{seq}: it was announced, and did not have to be found out");
    }
}

#[test]
fn who_hears_itself_takes_a_higher_epoch_and_the_third_time_stops() {
    let mut net = Net::of(&["a", "b"]);
    let (at_a, _) = net.join("a", "b");
    net.publish("a", "well");
    let second = (1_700_000_000_000 + net.now) / 1_000;
    for time in 1..=3_u64 {
        let twin = signed("a", (second + 100 * time) << 20, 1, 1);
        net.give("a", Input::Report { session: at_a, items: vec![Item::Document(twin)] });
        net.pass(6_000);
        let stopped = net.nodes["a"].has_stopped_publishing();
        assert_eq!(stopped, time == 3, "time {time}");
    }
    assert_eq!(net.happened("a", |event| matches!(event, Event::StoppedPublishing)), 1);
}

#[test]
fn an_epoch_a_century_ahead_is_not_followed_and_new_keys_help() {
    let mut net = Net::of(&["a", "b"]);
    let (at_a, _) = net.join("a", "b");
    net.publish("a", "well");
    let stolen = signed("a", MAX_COUNT, 1, 1);
    net.give("a", Input::Report { session: at_a, items: vec![Item::Document(stolen.clone())] });
    assert_eq!(net.happened("a", |event| *event == Event::NoEpoch), 1);
    let mut next = roster(&["a", "b"]);
    next.version = 2;
    next.members.get_mut(&id("a")).expect("a member").key_gen = 2;
    net.give("b", Input::Roster(next.clone()));
    net.give("a", Input::Roster(next));
    let (_, held) = net.nodes["b"].documents().find(|(slot, _)| slot.origin == id("a")).expect("held");
    assert_eq!(held.manifest.version.key_gen, 2);
}

#[test]
fn of_two_dials_that_cross_the_one_by_the_lower_id_stays() {
    let mut net = Net::of(&["a", "b"]);
    net.join("b", "a");
    net.join("a", "b");
    let dialled: Vec<_> = net.nodes["a"].sessions.values().map(|session| session.dialled).collect();
    assert_eq!(dialled, [true], "a's own");
    let at_b: Vec<_> = net.nodes["b"].sessions.values().map(|session| session.dialled).collect();
    assert_eq!(at_b, [false]);
}

#[test]
fn who_sends_forged_documents_relays_nothing_for_a_while_but_speaks_for_itself() {
    let mut net = Net::of(&["a", "b", "c"]);
    let (_, at_b) = net.join("a", "b");
    let forged = |seq| {
        let mut document = signed("c", 9 << 20, seq, 1);
        document.jws.signature = signed("a", 9 << 20, seq, 1).jws.signature;
        Item::Document(document)
    };
    net.give("b", Input::Report { session: at_b, items: (1..=16).map(forged).collect() });
    assert_eq!(net.happened("b", |event| *event == Event::Quarantined(id("a"))), 1);
    net.give("b", Input::Report { session: at_b, items: vec![Item::Document(signed("c", 9 << 20, 99, 1))] });
    assert_eq!(net.says("b", "c"), None);
    assert!(net.nodes["b"].documents().next().is_none(), "not even a true one, by this way");
    net.publish("a", "well");
    assert_eq!(net.says("b", "a").as_deref(), Some("well"));
}

#[test]
fn what_another_roster_explains_is_no_fault_of_the_neighbour() {
    let mut net = Net::of(&["a", "b"]);
    let (_, at_b) = net.join("a", "b");
    let newcomer = |seq| Item::Document(signed("newcomer", 9 << 20, seq, 1));
    net.give("b", Input::Report { session: at_b, items: (1..=40).map(newcomer).collect() });
    assert_eq!(net.happened("b", |event| matches!(event, Event::Dropped { fault: Fault::UnknownOrigin, .. })), 40);
    assert_eq!(net.happened("b", |event| matches!(event, Event::Quarantined(_))), 0);
}

#[test]
fn a_lie_about_the_way_keeps_no_document_from_anybody() {
    let mut net = Net::of(&["a", "b", "c"]);
    let (_, at_b) = net.join("a", "b");
    net.join("b", "c");
    let mut document = signed("a", 9 << 20, 1, 1);
    (document.hops, document.via) = (u32::MAX, vec![id("c"); 500]);
    net.give("b", Input::Report { session: at_b, items: vec![Item::Document(document)] });
    let (_, held) = net.nodes["c"].documents().find(|(slot, _)| slot.origin == id("a")).expect("it came through");
    assert!(held.via.len() <= 16 && held.hops <= 16);
}

#[test]
fn the_way_of_a_document_is_known_after_a_restart() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.join("b", "c");
    net.publish("a", "well");
    let way = |net: &Net| net.nodes["c"].documents().next().map(|(_, held)| (held.hops, held.via.clone()));
    assert_eq!(way(&net), Some((1, vec![id("b")])));
    net.start("c");
    assert_eq!(way(&net), Some((1, vec![id("b")])));
}

#[test]
fn a_clock_that_is_set_begins_an_epoch() {
    let mut net = Net::of(&["a", "b"]);
    net.join("a", "b");
    net.publish("a", "well");
    let epoch = |net: &Net| net.nodes["b"].documents().next().map(|(_, held)| held.manifest.version.epoch);
    let before = epoch(&net);
    net.pass(20_000);
    assert_eq!(epoch(&net), before);
    let now = Now { mono: net.now, wall: 1_600_000_000_000 };
    let outputs = net.nodes.get_mut("a").expect("a").handle(Input::Tick, now);
    outputs.into_iter().for_each(|output| net.carry("a", output));
    let draft = Draft { sections: [("health".into(), b"ill".as_slice().into())].into() };
    let outputs =
        net.nodes.get_mut("a").expect("a").handle(Input::Publish { audience: Audience::Federation, draft }, now);
    outputs.into_iter().for_each(|output| net.carry("a", output));
    assert!(epoch(&net) > before);
    assert_eq!(net.says("b", "a").as_deref(), Some("ill"));
    assert_eq!(net.nodes["b"].standing(&id("a"), net.now).map(|it| it.freshness), Some(Freshness::Fresh));
}

#[test]
fn who_leaves_is_seen_as_withdrawn_and_not_as_lost() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.join("b", "c");
    net.publish("a", "well");
    net.give("a", Input::Leave);
    net.pass(200_000);
    for name in ["b", "c"] {
        let standing = net.nodes[name].standing(&id("a"), net.now).map(|standing| standing.freshness);
        assert_eq!(standing, Some(Freshness::Withdrawn), "{name}");
    }
}

#[test]
fn who_is_silent_becomes_stale_and_later_unreachable() {
    let mut net = Net::of(&["a", "b"]);
    let (_, at_b) = net.join("a", "b");
    let told = signed("a", 9 << 20, 1, 1);
    net.give("b", Input::Report { session: at_b, items: vec![Item::Document(told)] });
    let mut seen = Vec::new();
    for _ in 0..25 {
        // a is not given the time: it signs nothing.
        for _ in 0..100 {
            net.now += 100;
            net.give("b", Input::Tick);
        }
        seen.extend(net.nodes["b"].standing(&id("a"), net.now).map(|standing| standing.freshness));
    }
    seen.dedup();
    assert!(seen.ends_with(&[Freshness::Stale, Freshness::Unreachable]), "{seen:?}");
}

#[test]
fn a_document_is_as_old_as_who_brings_it_says() {
    let mut net = Net::of(&["a", "b"]);
    let (_, at_b) = net.join("a", "b");
    let old = Document { age_ms: 60_000, ..signed("a", 9 << 20, 1, 1) };
    net.give("b", Input::Report { session: at_b, items: vec![Item::Document(old)] });
    let standing = net.nodes["b"].standing(&id("a"), net.now).expect("known");
    assert_eq!((standing.freshness, standing.age_ms), (Freshness::Stale, 60_000));
}

#[test]
fn sessions_that_die_together_are_our_own_isolation_and_those_of_who_leaves_are_not() {
    for leaves in [false, true] {
        let mut net = Net::of(&["a", "b", "c", "d"]);
        for other in ["b", "c", "d"] {
            let (here, there) = net.join("a", other);
            net.publish(other, "well");
            if leaves {
                net.give(other, Input::Leave);
            }
            net.ends.remove(&here);
            net.ends.remove(&there);
            net.give("a", Input::Disconnected(here));
        }
        assert_eq!(
            net.happened("a", |event| matches!(event, Event::Isolated(CutOff::Deaths))),
            usize::from(!leaves),
            "leaves: {leaves}"
        );
    }
}

#[test]
fn who_was_held_up_takes_silence_for_its_own_fault_for_a_while() {
    let mut net = Net::of(&["a", "b"]);
    net.join("a", "b");
    net.publish("b", "well");
    net.pass(1_000);
    net.now += 60_000;
    net.give("a", Input::Tick);
    let counts = |net: &Net| {
        [Event::Isolated(CutOff::HeldUp), Event::Rejoined].map(|wanted| net.happened("a", |event| *event == wanted))
    };
    assert_eq!(counts(&net), [1, 0]);
    net.pass(4_000);
    assert_eq!(counts(&net), [1, 0], "what was held up meanwhile arrives first");
    net.pass(2_000);
    assert_eq!(counts(&net), [1, 1]);
}
