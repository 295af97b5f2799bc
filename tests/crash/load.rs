//! The load of one round: every component on two connections, each with many reports in flight.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use harness::{Identity, RawClient, raw_client::Hello, report, report::with, response_code};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::checker::Ledger;

/// Connections of each component.
pub(crate) const CONNECTIONS: usize = 2;
/// Reports in flight on each connection.
const WINDOW: usize = 32;

/// What report `sequence` says: a function of its number, so that a repeat says the same. The fill level is high and
/// low in turns of 40, and never between the two thresholds of the policy.
pub(crate) fn fill_ratio(sequence: u64) -> f64 {
    if (sequence / 40) % 2 == 1 { 0.95 } else { 0.5 }
}

fn message(component: &str, sequence: u64) -> Value {
    let extension = json!([
        {"type": "performance", "values": {"stored_key_count": sequence, "key_store_fill_ratio": fill_ratio(sequence)}},
        {"type": "performance", "resource": "to-peer", "values": {"relay_count": sequence}},
    ]);
    with(with(report(component, extension), "sequence", sequence), "messageId", format!("s-{sequence}"))
}

/// Where and as whom to connect.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) anchor: CertificateDer<'static>,
}

/// One component's part of the load.
pub(crate) struct Component {
    pub(crate) id: String,
    pub(crate) identity: Identity,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
}

/// Starts all connections; each ends when its numbers are used up, or the connection is gone. Numbers up to `last`.
pub(crate) fn start(
    components: &[Component],
    target: &Target,
    last: u64,
    acknowledged: &Arc<AtomicU64>,
) -> Vec<JoinHandle<()>> {
    components
        .iter()
        .flat_map(|component| (0..CONNECTIONS).map(move |_| component))
        .map(|component| {
            let (id, identity) = (component.id.clone(), component.identity.clone());
            let (ledger, target, acknowledged) =
                (Arc::clone(&component.ledger), target.clone(), Arc::clone(acknowledged));
            thread::spawn(move || run(&id, &identity, &ledger, &target, last, &acknowledged))
        })
        .collect()
}

fn run(id: &str, identity: &Identity, ledger: &Mutex<Ledger>, target: &Target, last: u64, acknowledged: &AtomicU64) {
    let Ok(mut client) = RawClient::try_connect(target.address, &Hello::new(identity, &target.anchor)) else { return };
    let mut in_flight = 0;
    loop {
        let mut bytes = Vec::new();
        while in_flight < WINDOW {
            let Some(sequence) = ledger.lock().unwrap().take(last) else { break };
            serde_json::to_writer(&mut bytes, &message(id, sequence)).unwrap();
            bytes.push(b'\n');
            in_flight += 1;
        }
        if !bytes.is_empty() && client.try_send_bytes(&bytes).is_err() {
            return;
        }
        if in_flight == 0 {
            return;
        }
        let Ok(answer) = client.try_receive() else { return };
        in_flight -= 1;
        let sequence = answer["messageId"].as_str().and_then(|id| id.strip_prefix("s-")?.parse().ok()).expect("our id");
        match response_code(&answer) {
            "success" => {
                ledger.lock().unwrap().acknowledge(sequence);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            "unavailable" | "overloaded" => ledger.lock().unwrap().give_back(sequence),
            other => panic!("report {sequence} of {id} was answered {other}: {answer}"),
        }
    }
}
