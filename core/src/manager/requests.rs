//! Status report requests (Q.QKDN_Mk clause 7.2): of operators, and of policies.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Clock,
    config::limits::POLICY_REQUEST_INTERVAL,
    connection::{Ask, ManagerRequest, RequestOutcome},
    dispatch::{ComponentEntry, Registry},
    shard::commit::PolicyRequest,
    telemetry::metrics::Metrics,
    wire::encode::Query,
};

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// No connection is up.
    NotConnected,
    /// The newest connection has as many requests waiting as it takes.
    Busy,
}

/// Sends a request over the component's newest connection that is not closing.
pub fn send(entry: &ComponentEntry, query: Query) -> Result<oneshot::Receiver<RequestOutcome>, NotSent> {
    let newest = entry.newest_open().ok_or(NotSent::NotConnected)?;
    let (reply, outcome) = oneshot::channel();
    let request = ManagerRequest { component: entry.component.clone(), ask: Ask::Status(query), reply };
    match newest.requests.try_send(request) {
        Ok(()) => Ok(outcome),
        Err(mpsc::error::TrySendError::Full(_)) => Err(NotSent::Busy),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(NotSent::NotConnected),
    }
}

/// Sends what policies ask for, with a least interval for each component, until the shards are gone.
pub async fn serve_policies(
    registry: Arc<Registry>,
    clock: Clock,
    metrics: Arc<Metrics>,
    mut wishes: mpsc::Receiver<PolicyRequest>,
) {
    while let Some((component, names)) = wishes.recv().await {
        let Some(entry) = registry.by_symbol(component) else { continue };
        if !entry.policy_request_due(clock.now(), POLICY_REQUEST_INTERVAL) {
            metrics.policy_requests_dropped.increment();
            continue;
        }
        // The answer goes the way of every report; nobody waits for it here.
        if let Err(why) = send(&entry, Query { names, ..Query::default() }) {
            tracing::debug!(component = %entry.component, ?why, "A policy's status report request could not be sent.");
        }
    }
}
