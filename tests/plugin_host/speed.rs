//! What a call costs, on request: `cargo test -p qkdn-tests --test plugin_host -- --ignored --nocapture speed`.

use serde_json::{Value, json};

use super::Bench;

const ROUNDS: u32 = 2_000;

#[test]
#[ignore = "prints figures, proves nothing"]
fn time_of_a_call() {
    let bench = Bench::new();
    let mut handler = bench.handler(Value::Null);
    for (reports, samples) in [(1, 12), (8, 12), (64, 12)] {
        let values = vec![0.03; samples];
        let batch = bench.reports(&vec![values.as_slice(); reports]);
        let time = fastest(|| drop(handler.handle(&batch).unwrap()));
        println!("handler, {reports} reports of {samples} samples: {time} ns a call");
    }
    let mut policy = bench.policy(json!({ "value": "qber_ratio", "limit": 1 }));
    let seen = bench.observations(64, &[0.0; 64], &[0.03; 128]);
    let time = fastest(|| drop(policy.evaluate(&seen).unwrap()));
    println!("policy, 64 subjects, 128 samples: {time} ns a call");
}

/// The fastest of ten series, in nanoseconds a call.
fn fastest(mut call: impl FnMut()) -> u128 {
    let series = (0..10).map(|_| {
        let started = std::time::Instant::now();
        (0..ROUNDS).for_each(|_| call());
        started.elapsed().as_nanos() / u128::from(ROUNDS)
    });
    series.min().unwrap_or(0)
}
