//! The addresses that are listened on now, each with a task of its own, so that one can be opened and closed alone.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::live::Interface;
use crate::{
    config::InterfaceConfig,
    model::ReferencePoint,
    net::{BindError, ConnectionSink, Listener},
};

/// An address as configured, bound and not served yet.
#[derive(Debug)]
pub struct Bound {
    configured: SocketAddr,
    listener: Listener,
}

/// Binds an address of an interface.
pub async fn bind(point: ReferencePoint, configured: SocketAddr) -> Result<Bound, BindError> {
    Ok(Bound { configured, listener: Listener::bind(point, &[configured]).await? })
}

/// An address that is served.
struct Door {
    point: ReferencePoint,
    configured: SocketAddr,
    /// With the port that the system chose, where the configuration leaves it to it.
    address: SocketAddr,
    cancel: CancellationToken,
}

/// All of them.
pub struct Doors {
    open: Mutex<Vec<Door>>,
    sink: Arc<dyn ConnectionSink>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Doors {
    /// None yet. `stop` closes all.
    #[must_use]
    pub fn new(sink: Arc<dyn ConnectionSink>, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { open: Mutex::default(), sink, tasks, stop }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Door>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds the addresses of an interface that are not open yet; every problem.
    pub async fn bind(&self, config: &InterfaceConfig) -> Result<Vec<Bound>, Vec<BindError>> {
        let point = config.reference_point;
        let known: Vec<SocketAddr> =
            self.locked().iter().filter(|door| door.point == point).map(|door| door.configured).collect();
        let (mut bound, mut problems) = (Vec::new(), Vec::new());
        for &configured in config.listen.iter().filter(|address| !known.contains(address)) {
            match bind(point, configured).await {
                Ok(one) => bound.push(one),
                Err(error) => problems.push(error),
            }
        }
        if problems.is_empty() { Ok(bound) } else { Err(problems) }
    }

    /// Serves what was bound for an interface.
    pub fn open(&self, interface: &Interface, bound: Vec<Bound>) {
        let mut open = self.locked();
        for Bound { configured, listener } in bound {
            let (point, cancel) = (interface.point, self.stop.child_token());
            for address in listener.addresses() {
                tracing::info!(interface = %point, %address, "Listening.");
                open.push(Door { point, configured, address, cancel: cancel.clone() });
            }
            let (trust, places) = (Arc::clone(&interface.trust), Arc::clone(&interface.places));
            self.tasks.spawn(listener.serve(trust, places, Arc::clone(&self.sink), cancel));
        }
    }

    /// Accepts no more on addresses that are not in the configuration. Connections that are up are not concerned.
    pub fn close_all_but(&self, interfaces: &[InterfaceConfig]) {
        self.locked().retain(|door| {
            let is_wanted = |config: &InterfaceConfig| {
                config.reference_point == door.point && config.listen.contains(&door.configured)
            };
            let stays = interfaces.iter().any(is_wanted);
            if !stays {
                tracing::info!(interface = %door.point, address = %door.address, "Not listening any more.");
                door.cancel.cancel();
            }
            stays
        });
    }

    /// What is listened on, by reference point, in the order of opening.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ReferencePoint, Vec<SocketAddr>)> {
        let mut addresses: Vec<(ReferencePoint, Vec<SocketAddr>)> = Vec::new();
        for door in self.locked().iter() {
            match addresses.iter_mut().find(|(point, _)| *point == door.point) {
                Some((_, list)) => list.push(door.address),
                None => addresses.push((door.point, vec![door.address])),
            }
        }
        addresses
    }
}
