//! Sessions on which one side is not heard any more: while nobody has noticed yet, word must come by other ways.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use qkdn_federation_simulation::{
    federation::protocol::{Audience, Freshness, OriginId},
    graph::Shape,
    run::go,
    scenario::{Scenario, name},
};

/// Oldest that the first domain ever was at the second, and whether it was ever stale there, while nothing came through
/// from the one to the other for a minute; the cut begins so long after the last refresh.
fn oldest_while_cut(size: usize, shape: Shape, after: u64) -> u64 {
    let mut scenario = Scenario::calm(after, size, shape);
    for machine in 0..size {
        let (_, draft) = scenario.draft(machine);
        scenario.world.machines[machine].drafts.insert(Audience::Federation, draft);
        scenario.world.start(machine);
    }
    go(&mut scenario, 40_000 + after);
    scenario.world.network.blocked.insert((0, 1));
    let mut oldest = 0;
    for second in 1..60 {
        go(&mut scenario, 40_000 + after + second * 1_000);
        let reader = &scenario.world.machines[1];
        let node = reader.node.as_ref().unwrap();
        let mono = reader.clock.read(scenario.world.now).mono;
        let standing = node.standing(&OriginId::from(name(0).as_str()), mono).unwrap();
        assert!(
            matches!(standing.freshness, Freshness::Fresh | Freshness::Indirect),
            "{size} managers, cut after {after} ms, second {second}: {standing:?}"
        );
        oldest = oldest.max(standing.age_ms);
    }
    oldest
}

#[test]
fn a_half_dead_session_makes_no_origin_stale() {
    for after in (0..15_000).step_by(1_500) {
        for (size, shape) in [(3, Shape::Mesh), (6, Shape::Mesh), (12, Shape::Ring(4))] {
            let oldest = oldest_while_cut(size, shape, after);
            assert!(oldest < 45_000, "{size} managers, after {after} ms: {oldest} ms");
        }
    }
}
