//! Handlers that misbehave: each failure has its name, comes in bounded time, and the next call works.

use std::time::{Duration, Instant};

use qkdn_manager::{plugin::PluginFailure, telemetry::plugin_log::LineKind};
use serde_json::json;

use super::{Bench, MARKER};

/// Sets the misbehaviour off, then calls again.
fn provoke(bench: &Bench, misbehaviour: &str) -> PluginFailure {
    let mut handler = bench.handler(json!({ "misbehave": misbehaviour }));
    handler.handle(&bench.reports(&[&[0.1]])).unwrap();
    let failure = handler.handle(&bench.reports(&[&[0.1], &[MARKER]])).unwrap_err();
    let handled = handler.handle(&bench.reports(&[&[0.6], &[1.5]])).unwrap();
    assert_eq!((handled.alarms.len(), handled.refusals.len()), (1, 1), "the next call works");
    let metrics = bench.metrics.plugins.get("test-handler").unwrap();
    assert_eq!((metrics.activity().calls(), metrics.activity().failures()), (3, 1));
    failure
}

#[test]
fn a_panic_is_a_trap_with_the_text_of_the_panic() {
    let failure = provoke(&Bench::new(), "panic");
    assert_eq!(failure.kind(), "trap");
    assert!(failure.detail().contains("the beast was in the batch"), "{failure}");
    assert!(failure.detail().contains("misbehave.rs"), "{failure}");
    assert!(failure.detail().contains("wasm trap: wasm `unreachable` instruction executed"), "{failure}");
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    assert!(!failure.detail().contains(&here), "no folder of the machine: {failure}");
}

#[test]
fn what_went_wrong_is_kept_for_its_author_with_the_trace() {
    let bench = Bench::new();
    provoke(&bench, "panic");
    let lines = bench.metrics.plugins.get("test-handler").unwrap().lines.after(0);
    let of = |kind: LineKind| lines.iter().filter(|line| line.kind == kind).collect::<Vec<_>>();
    let (failed, refused) = (of(LineKind::Failed), of(LineKind::Refused));
    assert_eq!((failed.len(), refused.len()), (1, 1), "{lines:#?}");
    assert!(
        failed[0].text.starts_with("trap: ") && failed[0].text.contains("the beast was in the batch"),
        "{failed:#?}"
    );
    assert!(failed[0].text.contains("wasm backtrace") && failed[0].level == "error", "{failed:#?}");
    assert!(of(LineKind::Log).iter().any(|line| line.text.contains("the beast was in the batch")), "{lines:#?}");
    assert!(failed[0].number < refused[0].number);
}

#[test]
fn an_endless_loop_ends_with_its_cpu_time() {
    let started = Instant::now();
    let failure = provoke(&Bench::new(), "loop");
    assert_eq!(failure.kind(), "cpu-time");
    assert!(failure.detail().contains("plugins.cpu_time") && failure.detail().contains("50ms"), "{failure}");
    // The wall clock says little on a busy machine; this only catches a loop that nothing ends.
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn more_cpu_time_is_given_where_it_is_configured() {
    let bench = Bench::with(|plugins| plugins.cpu_time = Duration::from_millis(200));
    let failure = provoke(&bench, "loop");
    assert!(failure.detail().contains("200ms"), "{failure}");
    let spent = bench.metrics.plugins.get("test-handler").unwrap().activity().nanoseconds;
    assert!(spent >= 200_000_000, "{spent} ns");
}

#[test]
fn a_call_that_is_not_over_in_time_is_ended_whatever_it_does() {
    let failure = provoke(
        &Bench::with(|plugins| {
            plugins.cpu_time = Duration::from_secs(60);
            plugins.wall_time = Duration::from_millis(100);
        }),
        "loop",
    );
    assert_eq!(failure.kind(), "wall-time");
    assert!(failure.detail().contains("plugins.wall_time") && failure.detail().contains("100ms"), "{failure}");
}

#[test]
fn honest_work_is_not_ended_by_the_clock_of_a_busy_machine() {
    // Far more wall time than CPU time may pass here; only the latter counts.
    let bench = Bench::with(|plugins| plugins.cpu_time = Duration::from_millis(500));
    let mut handler = bench.handler(json!({ "misbehave": "slow" }));
    for _ in 0..3 {
        handler.handle(&bench.reports(&[&[MARKER]])).unwrap();
    }
    let activity = bench.metrics.plugins.get("test-handler").unwrap().activity();
    assert_eq!((activity.calls(), activity.failures()), (3, 0));
    assert!(activity.cpu() > Duration::ZERO && activity.quantile(500) >= Some(activity.cpu() / 4), "{activity:?}");
    assert!(activity.memory > 1 << 20, "{activity:?}");
}

#[test]
fn memory_ends_at_its_limit() {
    // Touching 32 MiB may take longer than 50 ms on a busy machine.
    let failure = provoke(&Bench::with(|plugins| plugins.cpu_time = Duration::from_secs(10)), "eat-memory");
    assert_eq!(failure.kind(), "memory");
    assert!(failure.detail().contains("plugins.memory allows 33554432 bytes"), "{failure}");
}

#[test]
fn an_endless_recursion_is_a_trap() {
    assert_eq!(provoke(&Bench::new(), "recurse").kind(), "trap");
}

#[test]
fn answers_are_bounded() {
    let failure = provoke(&Bench::new(), "big-answer");
    assert_eq!(failure.kind(), "answer-too-large");
    assert!(failure.detail().contains("1048576 bytes"), "{failure}");
    let failure = provoke(&Bench::new(), "many-refusals");
    assert_eq!(failure.kind(), "answer-too-large");
    assert!(failure.detail().contains("100 refusals, and at most 2"), "{failure}");
}

#[test]
fn answers_that_do_not_fit_the_question_are_refused() {
    for (misbehaviour, wanted) in [
        ("position-out-of-range", "position 64, but the question had 2"),
        ("unknown-severity", "`awful` is no severity"),
        ("no-alarm-type", "no alarm type"),
        ("unknown-name", "symbol 4000000000"),
        ("not-a-number", "NaN"),
    ] {
        let failure = provoke(&Bench::new(), misbehaviour);
        assert_eq!(failure.kind(), "bad-answer", "{misbehaviour}");
        assert!(failure.detail().contains(wanted), "{misbehaviour}: {failure}");
    }
}

#[test]
fn log_lines_above_the_rate_are_dropped_and_counted() {
    let bench = Bench::new();
    let mut handler = bench.handler(json!({ "misbehave": "chatter" }));
    handler.handle(&bench.reports(&[&[MARKER]])).unwrap();
    let dropped = bench.metrics.plugins.get("test-handler").unwrap().log_lines_dropped.get();
    // 20 a second; the call may cross into another second or two.
    assert!((900..1_000).contains(&dropped), "{dropped}");
}
