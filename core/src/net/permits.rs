//! How many connections there may be: on an interface, and of one identity.
//!
//! A [`ConnectionPermit`] is held as long as its connection lives; dropping it gives the place back and takes the
//! connection off the gauge.

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Cause, Identity, Refused};
use crate::{model::ReferencePoint, telemetry::metrics::Metrics};

/// The connections of one interface.
#[derive(Debug)]
pub struct ConnectionRegistry {
    point: ReferencePoint,
    places: Arc<Semaphore>,
    per_identity: usize,
    /// By fingerprint; no entry for identities without a connection.
    open: DashMap<String, usize>,
    metrics: Arc<Metrics>,
}

/// A connection's place.
#[derive(Debug)]
pub struct ConnectionPermit {
    registry: Arc<ConnectionRegistry>,
    fingerprint: String,
    /// Dialled connections take no place of the listener.
    place: Option<OwnedSemaphorePermit>,
}

impl ConnectionPermit {
    /// Takes the listener's place over.
    pub(super) fn hold(&mut self, place: Option<OwnedSemaphorePermit>) {
        self.place = place;
    }
}

impl ConnectionRegistry {
    /// Bounds from `[interfaces.*]`.
    #[must_use]
    pub fn new(
        point: ReferencePoint,
        max_connections: usize,
        max_connections_per_identity: usize,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            point,
            places: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            per_identity: max_connections_per_identity,
            open: DashMap::new(),
            metrics,
        })
    }

    /// A place for a connection that was just accepted, before its handshake.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Refused> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Refused::new(
                Cause::Full,
                format!("all connections of interface {} are in use (`max_connections`)", self.point),
            )
        })
    }

    /// Counts the connection for its identity.
    pub(super) fn admit(self: &Arc<Self>, identity: &Identity) -> Result<ConnectionPermit, Refused> {
        let fingerprint = identity.fingerprint.clone();
        {
            let mut open = self.open.entry(fingerprint.clone()).or_insert(0);
            if *open >= self.per_identity {
                let sentence = format!(
                    "the certificate already has {} connections here (`max_connections_per_identity`); close one",
                    *open
                );
                return Err(Refused::new(Cause::IdentityFull, sentence)
                    .with_certificate(&identity.subject, &identity.fingerprint));
            }
            *open += 1;
        }
        let counters = self.metrics.interface(self.point);
        counters.connections.increment();
        counters.connections_opened.increment();
        Ok(ConnectionPermit { registry: Arc::clone(self), fingerprint, place: None })
    }

    /// Connections of an identity now.
    #[must_use]
    pub fn open_connections(&self, fingerprint: &str) -> usize {
        self.open.get(fingerprint).map_or(0, |open| *open)
    }

    /// Places left on the listener.
    #[must_use]
    pub fn places_left(&self) -> usize {
        self.places.available_permits()
    }

    /// Counts a refusal by its cause.
    pub(super) fn count(&self, refused: &Refused) {
        self.metrics.handshakes_refused.entry(refused.cause.as_str()).or_default().increment();
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.registry.open.entry(std::mem::take(&mut self.fingerprint)) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
        self.registry.metrics.interface(self.registry.point).connections.decrement();
    }
}
