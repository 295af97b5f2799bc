//! Connections that are up: served, found for requests, checked again when trust changes or a certificate ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::wall_time,
    config::ComponentConfig,
    connection::{
        InterfaceContext, SecurityNote, SecurityWatch,
        answers::AnswerBox,
        intake::Intake,
        task::{ConnectionTask, End, REQUEST_QUEUE},
    },
    dispatch::Connected,
    model::{ReferencePoint, Timestamp},
    net::{Accepted, Backoff, ConnectionRegistry, ConnectionSink, DialError, Identity, InterfaceTrust, Refused, dial},
};

/// One interface: what its connections share, whom it trusts, how many there are.
#[derive(Clone)]
pub struct Interface {
    /// What its connections share.
    pub context: Arc<InterfaceContext>,
    /// Whom it trusts.
    pub trust: Arc<InterfaceTrust>,
    /// Places.
    pub places: Arc<ConnectionRegistry>,
}

struct Live {
    identity: Arc<Identity>,
    point: ReferencePoint,
    cancel: CancellationToken,
}

/// All connections that are up.
pub struct Connections {
    interfaces: Vec<Interface>,
    live: DashMap<u64, Live>,
    next: AtomicU64,
    tasks: TaskTracker,
    cancel: CancellationToken,
    watch: Arc<dyn SecurityWatch>,
}

impl Connections {
    /// None yet. `cancel` closes all of them in good order.
    #[must_use]
    pub fn new(
        interfaces: Vec<Interface>,
        tasks: TaskTracker,
        cancel: CancellationToken,
        watch: Arc<dyn SecurityWatch>,
    ) -> Arc<Self> {
        Arc::new(Self { interfaces, live: DashMap::new(), next: AtomicU64::new(1), tasks, cancel, watch })
    }

    /// The interface of a reference point.
    #[must_use]
    pub fn interface(&self, point: ReferencePoint) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.context.point() == point)
    }

    /// Serves a connection until it ends.
    async fn serve(self: Arc<Self>, accepted: Accepted) -> Option<End> {
        let interface = self.interface(accepted.reference_point)?;
        let (id, cancel) = (self.next.fetch_add(1, Ordering::Relaxed), self.cancel.child_token());
        let Accepted { stream, peer, identity, reference_point: point, permit, agreed, trust_changes } = accepted;
        let (requests, waiting) = mpsc::channel(REQUEST_QUEUE);
        let answers = Arc::new(AnswerBox::default());
        let context = &interface.context;
        let intake = Intake::new(Arc::clone(context), Arc::clone(&identity), peer, Arc::clone(&answers));
        let entries: Vec<_> = intake.entries().collect();
        for entry in &entries {
            entry.connected(Connected {
                id,
                peer,
                since: context.clock.now(),
                key_exchange: agreed.key_exchange.to_owned(),
                requests: requests.clone(),
            });
        }
        drop(requests);
        entries.iter().for_each(|entry| context.subscriber.connected(entry));
        tracing::debug!(interface = %point, %peer, subject = %identity.subject, key_exchange = agreed.key_exchange, "Connection opened.");
        self.live.insert(id, Live { identity: Arc::clone(&identity), point, cancel: cancel.clone() });
        self.check_if_missed(id, &interface.trust, trust_changes);
        let end = Box::new(ConnectionTask::new(stream, intake, answers, waiting, cancel)).run().await;
        self.live.remove(&id);
        entries.iter().for_each(|entry| entry.disconnected(id));
        match &end {
            End::Failed(reason) => tracing::info!(interface = %point, %peer, reason, "Connection failed."),
            End::Closed(reason) => tracing::info!(interface = %point, %peer, reason, "Connection closed."),
            other => tracing::debug!(interface = %point, %peer, end = ?other, "Connection ended."),
        }
        drop(permit);
        Some(end)
    }

    /// Closes the connections that are no longer entitled: revoked, expired, or not trusted any more. How many.
    pub fn check_again(&self) -> usize {
        let now = wall_time();
        self.live.iter().filter(|live| self.close_unless_entitled(live, now)).count()
    }

    /// Closes a connection that is no longer entitled; whether it did.
    fn close_unless_entitled(&self, live: &Live, now: Timestamp) -> bool {
        let Some(interface) = self.interface(live.point) else { return false };
        match interface.trust.still_entitled(&live.identity, now) {
            Ok(identity) if identity.components == live.identity.components => return false,
            // It speaks for others than before: it may come back as what it is now.
            Ok(_) => {}
            Err(refused) => self.refused_peer(live.point, None, &refused, &live.identity.subject),
        }
        live.cancel.cancel();
        true
    }

    /// Checks a connection that has just been entered, if trust changed since its handshake was checked: whoever changed
    /// it may have looked at all connections before this one was among them.
    fn check_if_missed(&self, id: u64, trust: &InterfaceTrust, changes: u64) {
        if trust.changes() != changes
            && let Some(live) = self.live.get(&id)
        {
            self.close_unless_entitled(&live, wall_time());
        }
    }

    fn refused_peer(&self, point: ReferencePoint, peer: Option<SocketAddr>, refused: &Refused, subject: &str) {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let peer = peer.unwrap_or(nowhere);
        let identity = if subject.is_empty() { peer.ip().to_string() } else { subject.to_owned() };
        let sentence = format!("{}: {}", refused.cause.as_str(), refused.sentence);
        self.watch.note(SecurityNote {
            alarm_type: "authentication-failed",
            point,
            identity,
            peer,
            component: None,
            sentence,
        });
    }

    /// Keeps a connection to a component that the manager dials, until the manager stops.
    pub async fn keep_dialled(self: Arc<Self>, component: ComponentConfig) {
        let Some(address) = component.dial.clone() else { return };
        let Some(interface) = self.interface(component.component.reference_point).cloned() else { return };
        let (mut backoff, mut random) = (Backoff::new(), fastrand::Rng::new());
        loop {
            let within = interface.context.config.handshake_timeout;
            let dialled = tokio::select! {
                () = self.cancel.cancelled() => return,
                dialled = dial(&component.component, &address, &interface.trust, &interface.places, within) => dialled,
            };
            match dialled {
                Ok(accepted) => {
                    let since = Instant::now();
                    tracing::info!(component = %component.component, address, "Dialled.");
                    Arc::clone(&self).serve(accepted).await;
                    backoff.connection_ended(since.elapsed());
                }
                Err(DialError::Refused { refused, .. }) => {
                    self.refused_peer(
                        component.component.reference_point,
                        None,
                        &refused,
                        &component.component.to_string(),
                    );
                }
                Err(error) => tracing::debug!(component = %component.component, address, %error, "Dialling failed."),
            }
            let wait: Duration = backoff.next_wait(&mut random);
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// The door for listeners.
pub struct Sink(pub Arc<Connections>);

impl ConnectionSink for Sink {
    fn accepted(&self, connection: Accepted) {
        let connections = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            connections.serve(connection).await;
        });
    }

    fn refused(&self, point: ReferencePoint, peer: SocketAddr, refused: &Refused) {
        let subject = refused.subject.as_deref().unwrap_or("");
        if refused.cause.is_about_identity() {
            self.0.refused_peer(point, Some(peer), refused, subject);
        } else {
            tracing::info!(interface = %point, %peer, cause = refused.cause.as_str(), "Connection refused: {}", refused.sentence);
        }
    }
}
