//! Whatever happens to three nodes, in whatever order, the safety invariants of `ALGORITHM.md` section 9 hold after every step; and
//! once the trouble is over, all hold the same.
//!
//! A fourth origin is in the roster and has no node: it is a liar, who signs two manifests of one version, versions out of order,
//! and what others hand on for it at any time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use proptest::prelude::*;

use super::*;

const HONEST: [&str; 3] = ["a", "b", "c"];
const LIAR: &str = "d";
const ALL: [&str; 4] = ["a", "b", "c", LIAR];

/// A document that was signed.
type Signed = (Slot, Version);

thread_local! {
    /// All that was signed in this thread, with the hashes of the manifests.
    static SIGNED: RefCell<BTreeMap<Signed, BTreeSet<Hash>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes what a key signs.
pub(super) fn note(message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    let (protected, payload) = text.split_once('.').expect("header and payload");
    let jws = Jws { protected: protected.to_owned(), payload: payload.to_owned(), signature: String::new() };
    let manifest = jws.manifest().expect("a manifest");
    SIGNED.with_borrow_mut(|signed| signed.entry((manifest.slot(), manifest.version)).or_default().insert(jws.hash()));
}

/// Something that happens; nodes by their place in [`HONEST`].
#[derive(Clone, Debug)]
enum Step {
    /// One says something, to all or to its neighbour alone.
    Publish { who: usize, to_one: bool, text: u8 },
    /// Two have a session, or another one.
    Join { one: usize, other: usize },
    /// All sessions of two end.
    Cut { one: usize, other: usize },
    /// Time passes.
    Pass { milliseconds: u64 },
    /// What is sent from now on is lost, or is not.
    Lose(bool),
    /// Something that was sent before comes again, to whom it may.
    Replay { which: prop::sample::Index, to: usize, damaged: bool },
    /// The liar's word, by way of one of the others.
    Lie { to: usize, second: u64, life: u64, seq: u64, issued: u64 },
    /// A manifest that the named origin never signed.
    Forge { to: usize, origin: usize, second: u64 },
    /// One ends and starts again: with its disk, with an old copy of it, or without.
    Crash { who: usize, disk: Restored },
    /// A copy of a disk is put aside.
    Backup { who: usize },
}

#[derive(Clone, Copy, Debug)]
enum Restored {
    Kept,
    Old,
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 0..HONEST.len();
    prop_oneof![
        4 => (node(), any::<bool>(), any::<u8>()).prop_map(|(who, to_one, text)| Step::Publish { who, to_one, text }),
        4 => (node(), node()).prop_map(|(one, other)| Step::Join { one, other }),
        2 => (node(), node()).prop_map(|(one, other)| Step::Cut { one, other }),
        3 => (1..20_000_u64).prop_map(|milliseconds| Step::Pass { milliseconds }),
        1 => any::<bool>().prop_map(Step::Lose),
        4 => (any::<prop::sample::Index>(), node(), any::<bool>())
            .prop_map(|(which, to, damaged)| Step::Replay { which, to, damaged }),
        3 => (node(), 0..4_u64, 0..2_u64, 1..4_u64, 0..3_u64)
            .prop_map(|(to, second, life, seq, issued)| Step::Lie { to, second, life, seq, issued }),
        1 => (node(), 0..ALL.len(), 0..9_u64).prop_map(|(to, origin, second)| Step::Forge { to, origin, second }),
        1 => (node(), prop_oneof![Just(Restored::Kept), Just(Restored::Old), Just(Restored::Lost)])
            .prop_map(|(who, disk)| Step::Crash { who, disk }),
        1 => node().prop_map(|who| Step::Backup { who }),
    ]
}

/// What each node held at most, a slot.
type Highest = BTreeMap<(&'static str, Slot), (Version, Hash)>;

struct Trial {
    net: Net,
    backups: BTreeMap<&'static str, (u64, BTreeMap<Slot, Stored>)>,
    highest: Highest,
}

impl Trial {
    fn new() -> Self {
        SIGNED.with_borrow_mut(BTreeMap::clear);
        Self { net: Net::of(&ALL), backups: BTreeMap::new(), highest: BTreeMap::new() }
    }

    fn session_of(&self, name: &str) -> Option<SessionId> {
        self.net.ends.values().find(|(at, _)| *at == name).map(|(_, session)| *session)
    }

    fn bring(&mut self, to: usize, item: Item) {
        let to = HONEST[to];
        if let Some(session) = self.session_of(to) {
            self.net.give(to, Input::Report { session, items: vec![item] });
        }
    }

    fn cut(&mut self, concerned: impl Fn(&str, &str) -> bool) {
        let ends: Vec<_> = self.net.ends.iter().map(|(here, (other, there))| (*here, *other, *there)).collect();
        for (here, other, there) in ends {
            let at = self.net.ends.get(&there).map(|(name, _)| *name);
            if at.is_some_and(|at| concerned(at, other)) {
                self.net.ends.remove(&here);
                self.net.give(other, Input::Disconnected(there));
            }
        }
    }

    fn crash(&mut self, who: usize, restored: Restored) {
        let name = HONEST[who];
        self.cut(|one, other| one == name || other == name);
        let disk = self.net.disks.entry(name).or_default();
        let put_back = match restored {
            Restored::Kept => None,
            Restored::Old => Some(self.backups.get(name).cloned().unwrap_or_default()),
            Restored::Lost => Some((0, BTreeMap::new())),
        };
        if let Some((epoch, documents)) = put_back {
            disk.epoch.store(epoch, Ordering::Relaxed);
            disk.documents = documents;
            self.highest.retain(|(at, _), _| *at != name);
        }
        self.net.counted += 2;
        self.net.start(name);
        // As a manager does: what is said of a domain is said again at every start.
        self.net.publish(name, "started");
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Publish { who, to_one, text } => {
                let audience = if to_one {
                    Audience::Adjacent(id(HONEST[(who + 1) % HONEST.len()]))
                } else {
                    Audience::Federation
                };
                let draft = Draft { sections: [("health".into(), vec![text].into())].into() };
                self.net.give(HONEST[who], Input::Publish { audience, draft });
            }
            Step::Join { one, other } if one != other => {
                self.net.join(HONEST[one], HONEST[other]);
            }
            Step::Cut { one, other } => {
                let pair = [HONEST[one], HONEST[other]];
                self.cut(|here, there| pair.contains(&here) && pair.contains(&there));
            }
            Step::Pass { milliseconds } => self.net.pass(milliseconds),
            Step::Lose(loses) => self.net.loses = loses,
            Step::Replay { which, to, damaged } if !self.net.sent.is_empty() => {
                let (_, mut item) = self.net.sent[which.index(self.net.sent.len())].clone();
                if let (true, Item::Document(document)) = (damaged, &mut item) {
                    document.sections.clear();
                    document.jws.signature.insert(0, 'A');
                }
                self.bring(to, item);
            }
            Step::Lie { to, second, life, seq, issued } => {
                let epoch = ((1_700_000_000 + second) << 20) + life;
                self.bring(to, Item::Document(signed(LIAR, epoch, seq, issued)));
            }
            Step::Forge { to, origin, second } => {
                let mut document = signed(LIAR, (1_700_000_000 + second) << 20, 9, 9);
                let mut manifest = document.jws.manifest().expect("a manifest");
                manifest.origin = id(ALL[origin]);
                manifest.issued_at = 7;
                // Signed with a key that is nobody's; not noted, for nobody signed it.
                let forged = Jws::sign(&manifest, &Nobody).expect("signed");
                document.jws = forged;
                self.bring(to, Item::Document(document));
            }
            Step::Crash { who, disk } => self.crash(who, disk),
            Step::Backup { who } => {
                let disk = &self.net.disks[HONEST[who]];
                self.backups.insert(HONEST[who], (disk.epoch.load(Ordering::Relaxed), disk.documents.clone()));
            }
            Step::Join { .. } | Step::Replay { .. } => {}
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let roster = roster(&ALL);
        for name in HONEST {
            for (slot, held) in self.net.nodes[name].documents() {
                let member = roster.members.get(&slot.origin);
                prop_assert!(member.is_some(), "I1: {name} holds a document of {slot}, which is in no roster");
                let keys = member.iter().flat_map(|member| &member.keys);
                prop_assert!(held.jws.verify(keys, &Keyed).is_ok(), "I1: {name} holds {slot} with a wrong signature");
                let (version, hash) = (held.manifest.version, held.hash);
                let is_signed = SIGNED.with_borrow(|signed| {
                    signed.get(&(slot.clone(), version)).is_some_and(|hashes| hashes.contains(&hash))
                });
                prop_assert!(is_signed, "I3: {name} holds {slot} {version}, which its origin never signed");
                if let Some((before, hash_before)) = self.highest.insert((name, slot.clone()), (version, hash)) {
                    prop_assert!(version >= before, "I2, I5: {name} went from {before} to {version} of {slot}");
                    prop_assert!(version > before || hash <= hash_before, "{name} took the higher hash of {slot}");
                }
                let named: Vec<_> =
                    held.manifest.sections.iter().map(|(name, section)| (name.clone(), section.hash)).collect();
                let shown: Vec<_> =
                    held.sections.values().map(|body| (body.name.clone(), body.reference().hash)).collect();
                prop_assert_eq!(named, shown, "I7: {} shows of {} what its manifest does not name", name, slot);
                if let Audience::Adjacent(reader) = &slot.audience {
                    let may = *reader == id(name) || slot.origin == id(name);
                    prop_assert!(may, "I9: {name} holds {slot}");
                }
            }
        }
        SIGNED.with_borrow(|signed| {
            for ((slot, version), hashes) in signed.iter().filter(|((slot, _), _)| slot.origin != id(LIAR)) {
                prop_assert!(hashes.len() == 1, "I4: {slot} {version} was signed with {} contents", hashes.len());
            }
            Ok(())
        })
    }

    /// What a node holds for all, by origin.
    fn holds(&self, name: &str) -> BTreeMap<Slot, (Version, Hash)> {
        let all = self.net.nodes[name].documents().filter(|(slot, _)| slot.audience == Audience::Federation);
        all.map(|(slot, held)| (slot.clone(), (held.manifest.version, held.hash))).collect()
    }
}

/// A key that is in no roster, though it says that it is the liar's.
struct Nobody;

impl SigningKey for Nobody {
    fn kid(&self) -> &str {
        LIAR
    }

    fn algorithm(&self) -> &str {
        "EdDSA"
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(signature(b"nobody", message))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_unsigned_is_held_nothing_goes_back_and_all_agree_in_the_end(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut trial = Trial::new();
        for step in steps {
            trial.take(step);
            trial.check()?;
        }
        trial.net.loses = false;
        for (one, other) in [("a", "b"), ("b", "c"), ("a", "c")] {
            trial.net.join(one, other);
        }
        // Whom a neighbour takes for a liar passes on what others said only when five minutes are over.
        let quarantined = HONEST.iter().any(|name| trial.net.happened(name, |event| matches!(event, Event::Quarantined(_))) > 0);
        trial.net.pass(if quarantined { 330_000 } else { 30_000 });
        trial.check()?;
        let first = trial.holds("a");
        for name in ["b", "c"] {
            prop_assert_eq!(&trial.holds(name), &first, "L1: {} and a hold the same", name);
        }
    }
}
