//! Two processes with one identity, started by mistake: one wins, and both are told (L3); and nothing that they do makes a
//! version of two meanings, or brings back an epoch that is over (I4, I5: checked after every step).

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use qkdn_federation_simulation::{
    federation::protocol::{Audience, OriginId, Slot},
    graph::Shape,
    run::{go, start_twin},
    scenario::{Scenario, name},
};

/// A federation in which the first domain gets a second process after a while, a minute and a half later.
fn with_a_twin(seed: u64, size: usize, shape: Shape) -> Scenario {
    let mut scenario = Scenario::calm(seed, size, shape);
    scenario.world.checked = true;
    for machine in 0..size {
        let (_, draft) = scenario.draft(machine);
        scenario.world.machines[machine].drafts.insert(Audience::Federation, draft);
        scenario.world.start(machine);
    }
    let begins = 20_000 + 700 * seed;
    go(&mut scenario, begins);
    start_twin(&mut scenario, 0);
    go(&mut scenario, begins + 90_000);
    assert!(scenario.world.violations.is_empty(), "{:?}", scenario.world.violations);
    scenario
}

#[test]
fn of_two_processes_with_one_identity_one_wins_and_both_are_told() {
    for seed in 0..8 {
        for (size, shape) in [(3, Shape::Mesh), (5, Shape::Mesh), (4, Shape::Chain), (8, Shape::Ring(4))] {
            let scenario = with_a_twin(seed, size, shape);
            let world = &scenario.world;
            let both = [&world.machines[0], world.machines.last().unwrap()];
            let stopped = both.map(|machine| machine.node.as_ref().unwrap().has_stopped_publishing());
            let told = both.map(|machine| machine.heard_itself);
            assert_eq!(
                stopped.iter().filter(|stopped| **stopped).count(),
                1,
                "seed {seed}, {size} {shape:?}: {stopped:?}"
            );
            assert_eq!(told, [true, true], "seed {seed}, {size} {shape:?}");
            let winner = both.iter().zip(stopped).find(|(_, stopped)| !stopped).unwrap().0;
            let slot = Slot { origin: OriginId::from(name(0).as_str()), audience: Audience::Federation };
            let version = |node: &qkdn_federation_simulation::federation::protocol::Node| {
                node.document(&slot).unwrap().manifest.version
            };
            let wins = version(winner.node.as_ref().unwrap());
            for machine in &world.machines[1..size] {
                let held = version(machine.node.as_ref().unwrap());
                assert_eq!((held.epoch, held.key_gen), (wins.epoch, wins.key_gen), "seed {seed}, {size} {shape:?}");
            }
        }
    }
}
