//! How many connections there may be: on an interface, and of one identity.
//!
//! The bounds may change while connections are up. Lower ones close nothing: what is above them ends by itself, and
//! nothing is taken in its place.
//! A [`ConnectionPermit`] is held as long as its connection lives; dropping it gives the place back and takes the
//! connection off the gauge.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use dashmap::{DashMap, Entry};

use super::{Cause, Identity, Refused};
use crate::{config::InterfaceConfig, model::ReferencePoint, telemetry::metrics::Metrics};

/// Bounds of one interface's connections, from `[interfaces.*]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections of one identity at a time.
    pub per_identity: usize,
    /// A handshake must be done by then.
    pub handshake_timeout: Duration,
}

impl From<&InterfaceConfig> for Bounds {
    fn from(config: &InterfaceConfig) -> Self {
        Self {
            max_connections: config.max_connections,
            per_identity: config.max_connections_per_identity,
            handshake_timeout: config.handshake_timeout,
        }
    }
}

/// The connections of one interface.
#[derive(Debug)]
pub struct ConnectionRegistry {
    point: ReferencePoint,
    bounds: ArcSwap<Bounds>,
    taken: AtomicUsize,
    /// By fingerprint; no entry for identities without a connection.
    open: DashMap<String, usize>,
    metrics: Arc<Metrics>,
}

/// A place of the listener, given back when it is dropped.
#[derive(Debug)]
pub(super) struct ListenerPlace(Arc<ConnectionRegistry>);

impl Drop for ListenerPlace {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection's place.
#[derive(Debug)]
pub struct ConnectionPermit {
    registry: Arc<ConnectionRegistry>,
    fingerprint: String,
    /// Dialled connections take no place of the listener.
    place: Option<ListenerPlace>,
}

impl ConnectionPermit {
    /// Takes the listener's place over.
    pub(super) fn hold(&mut self, place: Option<ListenerPlace>) {
        self.place = place;
    }
}

impl ConnectionRegistry {
    /// No connections yet.
    #[must_use]
    pub fn new(point: ReferencePoint, bounds: Bounds, metrics: Arc<Metrics>) -> Arc<Self> {
        let (bounds, taken) = (ArcSwap::from_pointee(bounds), AtomicUsize::new(0));
        Arc::new(Self { point, bounds, taken, open: DashMap::new(), metrics })
    }

    /// The bounds now.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        **self.bounds.load()
    }

    /// Goes by other bounds from now on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.bounds.store(Arc::new(bounds));
    }

    /// A place for a connection that was just accepted, before its handshake.
    pub(super) fn place(self: &Arc<Self>) -> Result<ListenerPlace, Refused> {
        let most = self.bounds().max_connections;
        let free = |taken: usize| (taken < most).then_some(taken + 1);
        match self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(ListenerPlace(Arc::clone(self))),
            Err(_) => Err(Refused::new(
                Cause::Full,
                format!("all connections of interface {} are in use (`max_connections`)", self.point),
            )),
        }
    }

    /// Counts the connection for its identity.
    pub(super) fn admit(self: &Arc<Self>, identity: &Identity) -> Result<ConnectionPermit, Refused> {
        let fingerprint = identity.fingerprint.clone();
        {
            let mut open = self.open.entry(fingerprint.clone()).or_insert(0);
            if *open >= self.bounds().per_identity {
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
        self.bounds().max_connections.saturating_sub(self.taken.load(Ordering::Acquire))
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
