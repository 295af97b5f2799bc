//! Ten managers in a ring with chords: whoever relays may end, and word goes another way.

use harness::{eventually, patience};
use serde_json::Value;

use crate::cluster::{Cluster, version};

const NAMES: [&str; 10] = ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"];
/// Who tells and who looks: at least three steps apart.
const TELLS: usize = 3;
/// See [`TELLS`].
const LOOKS: usize = 0;

fn relays(seen: &Value) -> Vec<String> {
    let via = seen["documents"][0]["via"].as_array().expect("a way");
    via.iter().map(|domain| domain.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn relays_end_one_after_the_other_and_word_goes_another_way() {
    let mut cluster = Cluster::prepare(&NAMES);
    cluster.lines = "refresh = \"1s\"";
    let ring = (0..10).map(|at| (at, (at + 1) % 10));
    let chords = (0..5).map(|at| (at, at + 5));
    cluster.start(&ring.chain(chords).collect::<Vec<_>>());
    for (at, here) in NAMES.iter().enumerate() {
        for domain in NAMES {
            eventually(&format!("{domain} known at {here}"), patience(), || {
                let seen = cluster.domain(at, domain);
                (seen["freshness"] == "fresh" || seen["freshness"] == "indirect").then_some(())
            });
        }
    }
    let mut ended: Vec<String> = Vec::new();
    // Everybody has three neighbours: two may go.
    for round in 0..2 {
        let seen = eventually("word by a way that is open", patience(), || {
            let seen = cluster.domain(LOOKS, NAMES[TELLS]);
            let way = relays(&seen);
            (seen["freshness"] == "indirect" && way.iter().all(|relay| !ended.contains(relay))).then_some(seen)
        });
        let relay = relays(&seen).first().expect("it is no neighbour").clone();
        let number = NAMES.iter().position(|name| **name == *relay).expect("one of ours");
        cluster.managers[number].kill();
        ended.push(relay);
        let before = version(&cluster.domain(LOOKS, NAMES[TELLS]));
        let raised = u64::from(round == 0);
        cluster.says(TELLS, if round == 0 { 0.1 } else { 0.9 });
        let seen = eventually("the change, by another way", patience(), || {
            let seen = cluster.domain(LOOKS, NAMES[TELLS]);
            let is_new = version(&seen) > before && cluster.raised(LOOKS, NAMES[TELLS], "major") == raised;
            (is_new && relays(&seen).iter().all(|relay| !ended.contains(relay))).then_some(seen)
        });
        assert_eq!(seen["freshness"], "indirect", "{seen}");
    }
    // Who ended is known to be away, and everybody else is seen by everybody.
    for relay in &ended {
        eventually(&format!("{relay} silent"), patience(), || {
            let freshness = cluster.domain(LOOKS, relay)["freshness"].clone();
            (freshness == "stale" || freshness == "unreachable").then_some(())
        });
    }
    for domain in NAMES.iter().filter(|name| !ended.iter().any(|relay| relay == **name)) {
        let freshness = cluster.domain(LOOKS, domain)["freshness"].clone();
        assert!(freshness == "fresh" || freshness == "indirect", "{domain}: {freshness}");
    }
}
