//! Laws of merging, for any documents in any order: it is the maximum of a total order, a slot, and nothing else.

#![allow(clippy::expect_used, reason = "a test fails by a panic that says what was expected")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use qkdn_federation_simulation::{
    federation::protocol::{
        Audience, Document, Hash, Input, Item, Jws, Manifest, Neighbour, Node, Now, OriginId, Roster, SectionBody,
        SessionId, Settings, Slot, Start, Version,
    },
    history::SharedHistory,
    keys::{Signer, Verifier, public},
    machine::{DiskEpochs, SharedDisk},
    random::Random,
};

/// What an origin may have signed: two audiences, few versions, so that equal ones with other contents are drawn too.
#[derive(Clone, Debug)]
struct Drawn {
    origin: u8,
    for_area: bool,
    epoch: u64,
    seq: u64,
    contents: u8,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..3_u8, any::<bool>(), 1..4_u64, 1..5_u64, 0..2_u8).prop_map(|(origin, for_area, epoch, seq, contents)| Drawn {
        origin,
        for_area,
        epoch,
        seq,
        contents,
    })
}

fn name(origin: u8) -> String {
    format!("o{origin}")
}

fn document(drawn: &Drawn) -> Document {
    let body = SectionBody { name: "health".into(), salt: [drawn.contents; 16], data: vec![drawn.contents].into() };
    let audience = if drawn.for_area { Audience::Area("area".into()) } else { Audience::Federation };
    let manifest = Manifest {
        v: 1,
        federation: "f".into(),
        origin: OriginId::from(name(drawn.origin).as_str()),
        audience,
        version: Version { key_gen: 1, epoch: drawn.epoch, seq: drawn.seq },
        issued_at: 1,
        valid_for_ms: 45_000,
        leaving: false,
        sections: [(body.name.clone(), body.reference())].into(),
    };
    let signer = Signer::new(&name(drawn.origin), 1, SharedHistory::default(), false, false);
    let jws = Jws::sign(&manifest, &signer).expect("signed");
    Document { jws, age_ms: 0, hops: 0, via: Vec::new(), sections: vec![body] }
}

/// A node with a session with each origin.
struct Reader {
    node: Node,
    at: u64,
}

impl Reader {
    fn new() -> Self {
        let mut roster = Roster { federation: "f".into(), version: 1, ..Roster::default() };
        for domain in ["reader", "o0", "o1", "o2"] {
            let keys = vec![public(domain, 1, false)];
            let member = qkdn_federation_simulation::federation::protocol::Member {
                area: "area".into(),
                key_gen: 1,
                keys,
                ..Default::default()
            };
            roster.members.insert(OriginId::from(domain), member);
        }
        let neighbours = roster.members.keys().map(|domain| (domain.clone(), Neighbour::default())).collect();
        let start = Start {
            me: OriginId::from("reader"),
            // Limits are another test's: here every document is taken.
            settings: Settings { bucket: u32::MAX, ..Settings::default() },
            roster,
            signatures: Box::new(Verifier { real: false }),
            key: Box::new(Signer::new("reader", 1, SharedHistory::default(), false, true)),
            epochs: Box::new(DiskEpochs { disk: SharedDisk::default(), random: Random::new(1) }),
            last_epoch: 0,
            stored: Vec::new(),
        };
        let mut node = Node::new(start, Now::default());
        node.handle(Input::Neighbours(neighbours), Now::default());
        for origin in 0..3 {
            let peer = OriginId::from(name(origin).as_str());
            let session = SessionId(u64::from(origin) + 1);
            node.handle(Input::Connected { session, peer, dialled: false }, Now::default());
        }
        Self { node, at: 0 }
    }

    fn take(&mut self, drawn: &Drawn, by: u8) {
        self.at += 1;
        let input =
            Input::Report { session: SessionId(u64::from(by) + 1), items: vec![Item::Document(document(drawn))] };
        self.node.handle(input, Now { mono: self.at, wall: 1_700_000_000_000 });
    }

    fn holds(&self) -> BTreeMap<Slot, (Version, Hash)> {
        self.node.documents().map(|(slot, held)| (slot.clone(), (held.manifest.version, held.hash))).collect()
    }
}

/// The model: the maximum by version, of one version the lower hash.
fn model(all: &[Drawn]) -> BTreeMap<Slot, (Version, Hash)> {
    let mut model: BTreeMap<Slot, (Version, Hash)> = BTreeMap::new();
    for drawn in all {
        let document = document(drawn);
        let manifest = document.jws.manifest().expect("a manifest");
        let rank = (manifest.version, document.jws.hash());
        let best = model.entry(manifest.slot()).or_insert(rank);
        if rank.0 > best.0 || (rank.0 == best.0 && rank.1 < best.1) {
            *best = rank;
        }
    }
    model
}

proptest! {
    #[test]
    fn a_node_holds_the_maximum_after_each_document(
        steps in prop::collection::vec((drawn(), 0..3_u8), 1..40),
    ) {
        let mut reader = Reader::new();
        let mut fed = Vec::new();
        for (drawn, by) in steps {
            reader.take(&drawn, by);
            fed.push(drawn);
            prop_assert_eq!(reader.holds(), model(&fed));
        }
    }

    #[test]
    fn order_repeats_and_ways_make_no_difference(
        (all, shuffled) in prop::collection::vec(drawn(), 1..25)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ways in prop::collection::vec(0..3_u8, 25),
    ) {
        let (mut one, mut other) = (Reader::new(), Reader::new());
        all.iter().for_each(|drawn| one.take(drawn, drawn.origin));
        for (drawn, way) in shuffled.iter().zip(&ways) {
            other.take(drawn, *way);
            other.take(drawn, drawn.origin);
        }
        prop_assert_eq!(one.holds(), other.holds());
        // Once more changes nothing.
        all.iter().for_each(|drawn| one.take(drawn, drawn.origin));
        prop_assert_eq!(one.holds(), other.holds());
        // Who holds the same has the same root, whoever looks.
        let peer = OriginId::from("o0");
        // A proof of two manifests is known to whom both came while the lower was not old yet: that depends on the way, and is
        // told from node to node.
        let proven = |reader: &Reader| reader.node.proofs().map(|(slot, _)| slot.clone()).collect::<Vec<_>>();
        let equal = proven(&one) == proven(&other);
        prop_assert!(!equal || one.node.root_with(&peer) == other.node.root_with(&peer));
    }
}
