//! Load that notices everything: numbered reports, many in flight on each connection, every answer looked at.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use harness::{Closing, Identity, ManagerProcess, RawClient, report, report::with, response_code};
use rustls_pki_types::CertificateDer;
use serde_json::json;

/// Reports in flight on each connection.
const WINDOW: u64 = 32;

/// What one connection went through.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) component: String,
    /// Reports sent; each has a number.
    pub(crate) sent: u64,
    /// Answered `success`.
    pub(crate) accepted: u64,
    /// Other answers.
    pub(crate) refused: Vec<String>,
    /// How the connection ended before its time, if it did.
    pub(crate) dropped: Option<Closing>,
    /// Longest time between two answers.
    pub(crate) longest: Duration,
}

/// Load that runs until it is stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// Answers so far.
    pub(crate) answered: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Load {
    /// One connection for each component (`mk/km-1`).
    pub(crate) fn start(manager: &ManagerProcess, components: &[String]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = components.iter().map(|component| {
            let (point, id) = component.split_once('/').unwrap();
            let (address, anchor) = (manager.address(point), manager.pki.anchor());
            let (identity, id) = (manager.component_identity(point, id), id.to_owned());
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            thread::spawn(move || run(&id, &identity, address, &anchor, &stop, &answered))
        });
        let threads = threads.collect();
        Self { stop, answered, threads }
    }

    /// Waits for so many further answers.
    pub(crate) fn go_on(&self, answers: u64) {
        let until = self.answered.load(Ordering::Relaxed) + answers;
        harness::eventually("answers to the load", harness::PATIENCE, || {
            (self.answered.load(Ordering::Relaxed) >= until || self.threads.iter().any(JoinHandle::is_finished))
                .then_some(())
        });
    }

    /// Ends it, once everything that was sent is answered.
    pub(crate) fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("the load does not panic")).collect()
    }
}

fn run(
    id: &str,
    identity: &Identity,
    address: SocketAddr,
    anchor: &CertificateDer<'static>,
    stop: &AtomicBool,
    answered: &AtomicU64,
) -> Outcome {
    let mut outcome = Outcome { component: id.to_owned(), ..Outcome::default() };
    let mut client = RawClient::connect(address, identity, anchor);
    let (mut in_flight, mut last) = (0, Instant::now());
    loop {
        let mut bytes = Vec::new();
        while in_flight < WINDOW && !stop.load(Ordering::Relaxed) {
            outcome.sent += 1;
            in_flight += 1;
            // High and low in turns, so that policies have something to say.
            let fill = if (outcome.sent / 40) % 2 == 1 { 0.95 } else { 0.15 };
            let values = json!({ "stored_key_count": outcome.sent, "key_store_fill_ratio": fill });
            let message = with(report(id, harness::performance(values)), "sequence", outcome.sent);
            serde_json::to_writer(&mut bytes, &message).unwrap();
            bytes.push(b'\n');
        }
        if !bytes.is_empty() && client.try_send_bytes(&bytes).is_err() {
            // What it was told comes out of reading.
        }
        if in_flight == 0 {
            return outcome;
        }
        match client.try_receive() {
            Ok(answer) => {
                in_flight -= 1;
                answered.fetch_add(1, Ordering::Relaxed);
                outcome.longest = outcome.longest.max(last.elapsed());
                last = Instant::now();
                if response_code(&answer) == "success" {
                    outcome.accepted += 1;
                } else {
                    outcome.refused.push(answer.to_string());
                }
            }
            Err(closing) => {
                outcome.dropped = Some(closing);
                return outcome;
            }
        }
    }
}

/// Everything sent was accepted and stored once, in order, and no connection was dropped.
pub(crate) fn assert_whole(manager: &ManagerProcess, point: &str, outcomes: &[Outcome]) {
    for outcome in outcomes {
        assert_eq!(outcome.refused, Vec::<String>::new(), "{}", outcome.component);
        assert_eq!(outcome.dropped, None, "{}", outcome.component);
        assert_eq!(outcome.accepted, outcome.sent, "{}", outcome.component);
        let shown = manager.api().get(&format!("/api/v1/components/{point}/{}", outcome.component)).json();
        let stored = (shown["reports"].as_u64(), shown["lastSequence"].as_u64(), shown["gaps"].as_u64());
        assert_eq!(stored, (Some(outcome.sent), Some(outcome.sent), Some(0)), "{shown}");
    }
}
