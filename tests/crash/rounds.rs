//! The rounds, and what goes wrong in each.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use harness::{ManagerProcess, PATIENCE, Settings, eventually};

use crate::{
    checker::{self, Ledger},
    load::{self, Component, Target},
};

const COMPONENTS: usize = 3;
/// Reports of each component in a round, at most.
const REPORTS: u64 = 600;

/// Fault points at which a process can die.
const DEADLY: [&str; 11] = [
    "before_write",
    "after_partial_write",
    "after_write_before_sync",
    "after_sync_before_tell",
    "segment_create",
    "segment_roll",
    "during_state_flush",
    "state_flush",
    "checkpoint",
    "recovery_before_reset",
    "retention_delete",
];
/// What may fail without killing it; every one is followed by a death from outside.
const FAILING: [&str; 4] = ["write=enospc", "write=eio", "sync=eio", "segment_create=enospc"];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What happens in a round.
struct Plan {
    faults: Option<String>,
    /// Acknowledgements after which it is killed from outside.
    kill_after: u64,
}

impl Plan {
    fn draw(random: &mut fastrand::Rng) -> Self {
        let whole = REPORTS * COMPONENTS as u64;
        let faults = match random.u32(0..10) {
            0..=1 => None,
            2..=6 => {
                let point = random.choice(DEADLY).unwrap_or("before_write");
                // Rare points are hit once or twice a round, the stages of a commit hundreds of times.
                let hit = if random.bool() { random.u64(1..=3) } else { random.u64(1..=120) };
                Some(format!("{point}=kill@{hit}"))
            }
            7..=8 => {
                let failing = random.choice(FAILING).unwrap_or("sync=eio");
                let first = random.u64(1..=40);
                Some(format!("{failing}@{first}..{}", first + random.u64(0..=3)))
            }
            _ => {
                let (first, second) = (random.u64(1..=20), random.u64(1..=60));
                Some(format!("sync=eio@{first};after_write_before_sync=kill@{second}"))
            }
        };
        Self { faults, kill_after: random.u64(0..=whole) }
    }
}

#[test]
fn what_was_acknowledged_is_there_exactly_once_after_every_kind_of_death() {
    let rounds = number("QKDNM_CRASH_ROUNDS", 25);
    let seed = number("QKDNM_CRASH_SEED", 0x5eed);
    let ids: Vec<_> = (1..=COMPONENTS).map(|n| format!("km-{n}")).collect();
    let settings = Settings::one("mk", &ids.iter().map(String::as_str).collect::<Vec<_>>())
        .with("[storage]\njournal_segment_size = \"1MiB\"")
        .with(
            "[[policies]]\nname = \"fill\"\nfunction = \"performance\"\nplugin = \"builtin:threshold\"\n\
             config = { value = \"key_store_fill_ratio\", raise_above = 0.9, clear_below = 0.8, \
             severity = \"minor\", alarm_type = \"key-store-full\" }",
        );
    let mut manager = ManagerProcess::start(settings);
    manager.expect_errors();
    let components: Vec<_> = ids
        .into_iter()
        .map(|id| Component {
            identity: manager.pki.issue("mk", &id),
            ledger: Arc::new(Mutex::new(Ledger::default())),
            id,
        })
        .collect();
    manager.stop();
    let mut deaths = std::collections::BTreeMap::<String, u32>::new();
    for round in 0..rounds {
        let round_seed = seed.wrapping_add(round);
        let plan = Plan::draw(&mut fastrand::Rng::with_seed(round_seed));
        println!(
            "round {round}: QKDNM_CRASH_SEED={round_seed} faults={} kill_after={}",
            plan.faults.as_deref().unwrap_or("none"),
            plan.kill_after
        );
        let died = run_round(&mut manager, &components, &plan);
        *deaths.entry(died).or_default() += 1;
        // A start without faults must always do, and must have everything.
        manager.settings_mut().environment.clear();
        manager.launch();
        for component in &components {
            checker::check(&manager.api(), &component.id, &component.ledger.lock().unwrap());
        }
        manager.kill();
    }
    finish(&mut manager, &components);
    println!("how the processes died: {deaths:?}");
}

/// Runs load until the process is dead; how it died comes back.
fn run_round(manager: &mut ManagerProcess, components: &[Component], plan: &Plan) -> String {
    manager.settings_mut().environment =
        plan.faults.iter().map(|faults| ("QKDNM_FAULTS".to_owned(), faults.clone())).collect();
    if manager.try_launch().is_err() {
        return format!("while starting, {}", plan.faults.as_deref().unwrap_or("without a fault"));
    }
    let target = Target { address: manager.address("mk"), anchor: manager.pki.anchor() };
    let acknowledged = Arc::new(AtomicU64::new(0));
    let last = components.iter().map(|component| component.ledger.lock().unwrap().last_number()).max().unwrap_or(0);
    let threads = load::start(components, &target, last + REPORTS, &acknowledged);
    let died = eventually("the death of the process, or the end of the load", PATIENCE * 2, || {
        if manager.exited().is_some() {
            return Some(format!("at {}", plan.faults.as_deref().unwrap_or("no fault at all")));
        }
        (acknowledged.load(Ordering::Relaxed) >= plan.kill_after || threads.iter().all(|thread| thread.is_finished()))
            .then(|| "from outside".to_owned())
    });
    assert!(plan.faults.is_some() || died == "from outside", "the process died without a reason");
    manager.kill();
    for thread in threads {
        thread.join().expect("the load goes by the protocol");
    }
    for component in components {
        component.ledger.lock().unwrap().connection_lost();
    }
    // One word for each point, for the summary.
    died.split(['=', '@']).next().unwrap_or_default().to_owned()
}

/// Everything that is still open is sent again; then all is acknowledged, and an orderly stop leaves good files.
fn finish(manager: &mut ManagerProcess, components: &[Component]) {
    manager.launch();
    let target = Target { address: manager.address("mk"), anchor: manager.pki.anchor() };
    for thread in load::start(components, &target, 0, &Arc::new(AtomicU64::new(0))) {
        thread.join().expect("the load goes by the protocol");
    }
    for component in components {
        let ledger = component.ledger.lock().unwrap();
        assert!(ledger.is_settled(), "everything sent is acknowledged in the end");
        assert_eq!(ledger.acknowledged() as u64, ledger.last_number());
        checker::check(&manager.api(), &component.id, &ledger);
    }
    manager.stop();
    for arguments in [["storage", "check"].as_slice(), &["storage", "replay", "--check"]] {
        let mut arguments = arguments.to_vec();
        let dir = manager.data_dir().display().to_string();
        arguments.push(&dir);
        let output = manager.command(&arguments);
        assert!(
            output.status.success(),
            "qkdnm {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
