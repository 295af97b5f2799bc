//! Waiting for a condition. One patience for all tests: long enough for a loaded machine, so that it is reached only
//! when something is really wrong.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before the test fails. `QKDNM_TEST_PATIENCE` (seconds) changes it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// [`PATIENCE`], or what the environment says.
#[must_use]
pub fn patience() -> Duration {
    std::env::var("QKDNM_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).map_or(PATIENCE, Duration::from_secs)
}

/// Asks `probe` again and again until it gives a value.
///
/// # Panics
/// When the deadline passes first; the message names `what` was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(started.elapsed() < deadline, "waited {:.1} s in vain for: {what}", started.elapsed().as_secs_f64());
        // Nobody unparks this thread: the probe is a question to another process, which cannot call back.
        thread::park_timeout(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
