//! The rounds, and what goes wrong in each.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{ManagerProcess, PATIENCE, Settings, eventually};

use crate::{
    checker::{self, Depth, Ledger},
    load::{self, Component, Target},
};

const COMPONENTS: usize = 3;
/// Reports of each component in a round, at most.
const REPORTS: u64 = 400;
/// How long a process may live on after its load: a little longer than the state database waits.
const LINGER: Duration = Duration::from_millis(2_500);

/// The stages of a commit, passed some dozens of times in a round.
const STAGES: [&str; 4] = ["before_write", "after_partial_write", "after_write_before_sync", "after_sync_before_tell"];
/// Points passed once or a few times in a round, some only while starting.
const RARE: [&str; 7] = [
    "segment_create",
    "segment_roll",
    "during_state_flush",
    "state_flush",
    "checkpoint",
    "recovery_before_reset",
    "retention_delete",
];
/// What may fail without killing the process; every one is followed by a death.
const FAILING: [&str; 4] = ["write=enospc", "write=eio", "sync=eio", "segment_create=enospc"];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What happens in a round.
struct Plan {
    faults: Option<String>,
    /// Acknowledgements after which it is killed from outside.
    kill_after: u64,
    /// Whether it may live on for a while after its load, for what happens once a second.
    lingers: bool,
}

impl Plan {
    /// The point at which the process is to die, for the summary.
    fn point(&self) -> &str {
        let deadly =
            self.faults.iter().flat_map(|faults| faults.split(';')).find_map(|fault| fault.split_once("=kill"));
        deadly.map_or("no point at all", |(point, _)| point)
    }

    fn draw(random: &mut fastrand::Rng) -> Self {
        let whole = REPORTS * COMPONENTS as u64;
        let failing = |random: &mut fastrand::Rng| {
            let failing = random.choice(FAILING).unwrap_or("sync=eio");
            let first = random.u64(1..=15);
            format!("{failing}@{first}..{}", first + random.u64(0..=3))
        };
        let deadly = |random: &mut fastrand::Rng| match random.u32(0..3) {
            0 => format!("{}=kill@{}", random.choice(RARE).unwrap_or("state_flush"), random.u64(1..=2)),
            _ => format!("{}=kill@{}", random.choice(STAGES).unwrap_or("before_write"), random.u64(1..=25)),
        };
        // Where a fault is to kill, it gets its chance; the end of the load is the latest time of death.
        let (faults, kill_after) = match random.u32(0..10) {
            0..=1 => (None, random.u64(0..=whole)),
            2..=6 => (Some(deadly(random)), whole),
            7 => (Some(failing(random)), random.u64(0..=whole)),
            _ => (Some(format!("{};{}", failing(random), deadly(random))), whole),
        };
        let lingers = faults.as_ref().is_some_and(|faults| RARE.iter().any(|point| faults.contains(point)));
        Self { faults, kill_after, lingers }
    }
}

#[test]
fn what_was_acknowledged_is_there_exactly_once_after_every_kind_of_death() {
    let rounds = number("QKDNM_CRASH_ROUNDS", 50);
    let seed = number("QKDNM_CRASH_SEED", 0x5eed);
    let ids: Vec<_> = (1..=COMPONENTS).map(|n| format!("km-{n}")).collect();
    let settings = Settings::one("mk", &ids.iter().map(String::as_str).collect::<Vec<_>>())
        .with("[storage]\njournal_segment_size = \"64KiB\"")
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
            let depth = if round % 10 == 9 { Depth::Whole } else { Depth::New };
            checker::check(&manager.api(), &component.id, &mut component.ledger.lock().unwrap(), depth);
        }
        manager.kill();
    }
    finish(&mut manager, &components);
    println!("how the processes died: {deaths:?}");
    let at_faults: u32 = deaths.iter().filter(|(how, _)| how.starts_with("at ")).map(|(_, count)| count).sum();
    assert!(rounds < 20 || u64::from(at_faults) * 4 > rounds, "the fault points are met: {deaths:?}");
}

/// Runs load until the process is dead; how it died comes back.
fn run_round(manager: &mut ManagerProcess, components: &[Component], plan: &Plan) -> String {
    manager.settings_mut().environment =
        plan.faults.iter().map(|faults| ("QKDNM_FAULTS".to_owned(), faults.clone())).collect();
    if manager.try_launch().is_err() {
        return format!("at {} while starting", plan.point());
    }
    let target = Target { address: manager.address("mk"), anchor: manager.pki.anchor() };
    let acknowledged = Arc::new(AtomicU64::new(0));
    let last = components.iter().map(|component| component.ledger.lock().unwrap().last_number()).max().unwrap_or(0);
    let threads = load::start(components, &target, last + REPORTS, &acknowledged);
    let mut over = None;
    let died = eventually("the death of the process, or the end of the load", PATIENCE * 2, || {
        if manager.exited().is_some() {
            return Some(format!("at {}", plan.point()));
        }
        let is_over = acknowledged.load(Ordering::Relaxed) >= plan.kill_after
            || threads.iter().all(|thread| thread.is_finished());
        if !is_over {
            return None;
        }
        let since = *over.get_or_insert_with(Instant::now);
        (!plan.lingers || since.elapsed() > LINGER).then(|| "from outside".to_owned())
    });
    assert!(plan.faults.is_some() || died == "from outside", "the process died without a reason");
    manager.kill();
    for thread in threads {
        thread.join().expect("the load goes by the protocol");
    }
    for component in components {
        component.ledger.lock().unwrap().connection_lost();
    }
    died
}

/// Everything that is still open is sent again; then all is acknowledged, and an orderly stop leaves good files.
fn finish(manager: &mut ManagerProcess, components: &[Component]) {
    manager.launch();
    let target = Target { address: manager.address("mk"), anchor: manager.pki.anchor() };
    for thread in load::start(components, &target, 0, &Arc::new(AtomicU64::new(0))) {
        thread.join().expect("the load goes by the protocol");
    }
    for component in components {
        let mut ledger = component.ledger.lock().unwrap();
        assert!(ledger.is_settled(), "everything sent is acknowledged in the end");
        assert_eq!(ledger.acknowledged() as u64, ledger.last_number());
        checker::check(&manager.api(), &component.id, &mut ledger, Depth::Whole);
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
