//! Connections that are up: served, found for requests, checked again when trust or configuration changes or a
//! certificate ends.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    runtime::Handle,
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, wall_time},
    config::{
        Enrolment,
        limits::{COLLECTOR_PIPE_BYTES, RETRY_UNAVAILABLE_MS},
    },
    connection::{
        Concerned, ContextSlot, InterfaceContext, ManagerRequest, PeerConnection, SecurityNote, SecurityWatch,
        TurnedAway,
        answers::AnswerBox,
        intake::Intake,
        task::{ConnectionTask, End, REQUEST_QUEUE},
    },
    dispatch::{ComponentEntry, Connected, registry::shard_of},
    model::{ComponentRef, ReasonCode, ReferencePoint, Refusal, Timestamp},
    net::{Accepted, Backoff, ConnectionRegistry, ConnectionSink, DialError, Identity, InterfaceTrust, Refused, dial},
    shard::thread::ShardThread,
};

/// One interface: what its connections share, whom it trusts, how many there are.
#[derive(Clone)]
pub struct Interface {
    /// Which.
    pub point: ReferencePoint,
    /// What its connections share.
    pub slot: Arc<ContextSlot>,
    /// Whom it trusts.
    pub trust: Arc<InterfaceTrust>,
    /// Places.
    pub places: Arc<ConnectionRegistry>,
}

impl Interface {
    /// Whether decisions of operators count, which are about an authority.
    fn needs_authority(&self) -> bool {
        self.slot.hold().rules.enrolment() == Enrolment::Approve
    }
}

/// No address.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A connection whose identity is settled.
struct Arrived<S> {
    stream: S,
    peer: SocketAddr,
    identity: Arc<Identity>,
    point: ReferencePoint,
    key_exchange: String,
    /// Of the trust that it was checked under; `None`: the configuration vouches for it, and no certificate does.
    trust_changes: Option<u64>,
    dialled: bool,
}

/// A connection that is up.
struct Live {
    identity: Arc<Identity>,
    /// By the configuration: there is no certificate that could be revoked or end.
    is_vouched_for: bool,
    point: ReferencePoint,
    cancel: CancellationToken,
    farewell: Arc<OnceLock<Refusal>>,
    answers: Arc<AnswerBox>,
    connected: Connected,
    entries: Mutex<Vec<Arc<ComponentEntry>>>,
}

impl Live {
    /// Closes it in good order, with this as the last word unless there is one already.
    fn close(&self, why: Refusal) {
        // The first reason stands.
        let _ = self.farewell.set(why);
        self.cancel.cancel();
    }

    /// Enters it at the components that it speaks for now, and takes it off those that it does not speak for any more.
    /// Those that it was entered at.
    fn enter(&self, id: u64, context: &InterfaceContext) -> Entered {
        if context.rules.enrolment() == Enrolment::Approve {
            let (undecided, peer, now) = (context.undecided(&self.identity), self.connected.peer, context.clock.now());
            let places = context.enrolments.waits(id, &undecided, &self.identity.shown(), peer, now);
            context.metrics.enrolment_no_room.add(places.iter().filter(|has_place| !**has_place).count() as u64);
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = context.speaks_for(&self.identity).collect();
        let mut lost = false;
        for gone in entries.iter().filter(|one| !now.iter().any(|other| other.component == one.component)) {
            gone.disconnected(id);
            lost = true;
        }
        let is_new = |one: &&Arc<ComponentEntry>| !entries.iter().any(|other| other.component == one.component);
        let fresh: Vec<_> = now.iter().filter(is_new).cloned().collect();
        fresh.iter().for_each(|entry| entry.connected(self.connected.clone()));
        *entries = now;
        Entered { fresh, lost, turned_away: context.turned_away(&self.identity) }
    }
}

/// What came of entering a connection.
struct Entered {
    /// Components that it speaks for now and did not before.
    fresh: Vec<Arc<ComponentEntry>>,
    /// Whether it does not speak for one any more.
    lost: bool,
    /// Why it has no business here, if it has none.
    turned_away: Option<TurnedAway>,
}

/// Where connections are served.
pub struct Spawning {
    /// What the manager waits for when it stops.
    pub tasks: TaskTracker,
    /// The threads of the shards, in their order.
    pub homes: Vec<Handle>,
}

impl Spawning {
    /// On the threads of these shards.
    #[must_use]
    pub fn new(tasks: TaskTracker, shards: &[ShardThread]) -> Self {
        Self { tasks, homes: shards.iter().map(|shard| shard.runtime.clone()).collect() }
    }

    /// Runs something that serves connections but is none.
    fn aside(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Runs what serves a connection of this identity on the thread of the shard that has its first component.
    fn at_home<T: Send + 'static>(
        &self,
        identity: &Identity,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let shard = |component: &ComponentRef| shard_of(&component.to_string(), self.homes.len());
        match identity.components.first().and_then(|component| self.homes.get(shard(component))) {
            Some(home) => self.tasks.spawn_on(task, home),
            None => self.tasks.spawn(task),
        }
    }
}

/// All connections that are up.
pub struct Connections {
    interfaces: ArcSwap<Vec<Interface>>,
    live: DashMap<u64, Live>,
    next: AtomicU64,
    /// Connections that the manager keeps to components that only listen: where, and what ends it.
    dialled: Mutex<Vec<(ComponentRef, String, CancellationToken)>>,
    spawning: Spawning,
    cancel: CancellationToken,
    watch: Arc<dyn SecurityWatch>,
    clock: Clock,
}

impl Connections {
    /// None yet. `cancel` closes all of them in good order.
    #[must_use]
    pub fn new(
        interfaces: Vec<Interface>,
        spawning: Spawning,
        cancel: CancellationToken,
        watch: Arc<dyn SecurityWatch>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            interfaces: ArcSwap::from_pointee(interfaces),
            live: DashMap::new(),
            next: AtomicU64::new(1),
            dialled: Mutex::default(),
            spawning,
            cancel,
            watch,
            clock,
        })
    }

    /// All interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Arc<Vec<Interface>> {
        self.interfaces.load_full()
    }

    /// Puts others in their place. Connections of one that is not among them are the caller's to close.
    pub fn set_interfaces(&self, interfaces: Vec<Interface>) {
        self.interfaces.store(Arc::new(interfaces));
    }

    /// The interface of a reference point.
    #[must_use]
    pub fn interface(&self, point: ReferencePoint) -> Option<Interface> {
        self.interfaces.load().iter().find(|interface| interface.point == point).cloned()
    }

    /// Serves a connection where it is at home.
    fn serve_at_home(
        self: &Arc<Self>,
        accepted: Accepted,
        dialled: bool,
        cancel: CancellationToken,
    ) -> JoinHandle<Option<End>> {
        let identity = Arc::clone(&accepted.identity);
        self.spawning.at_home(&identity, Arc::clone(self).serve(accepted, dialled, cancel))
    }

    /// Serves a connection until it ends; `cancel` closes it in good order.
    async fn serve(self: Arc<Self>, mut accepted: Accepted, dialled: bool, cancel: CancellationToken) -> Option<End> {
        accepted.move_here();
        let Accepted { stream, peer, identity, reference_point: point, permit, agreed, trust_changes } = accepted;
        let key_exchange = agreed.key_exchange.to_owned();
        let arrived =
            Arrived { stream, peer, identity, point, key_exchange, trust_changes: Some(trust_changes), dialled };
        let end = self.run(arrived, cancel).await;
        drop(permit);
        end
    }

    /// Connects a component that is collected to its interface by a pipe inside the process, under a name that the
    /// configuration vouches for. The component's end of the pipe, and after how much silence the interface closes it.
    ///
    /// # Errors
    /// If there is no such interface.
    pub fn collect(
        self: &Arc<Self>,
        component: &ComponentRef,
        collector: &str,
        peer: Option<SocketAddr>,
    ) -> Result<(DuplexStream, Duration), String> {
        let point = component.reference_point;
        let Some(interface) = self.interface(point) else {
            return Err(format!("there is no interface {point} to report {component} to"));
        };
        let (theirs, stream) = tokio::io::duplex(COLLECTOR_PIPE_BYTES);
        let arrived = Arrived {
            stream,
            peer: peer.unwrap_or(NOWHERE),
            identity: Arc::new(Identity::of_collector(component, collector)),
            point,
            key_exchange: format!("collector {collector}"),
            trust_changes: None,
            dialled: false,
        };
        let identity = Arc::clone(&arrived.identity);
        // However it ends, its collector notices.
        drop(self.spawning.at_home(&identity, Arc::clone(self).run(arrived, self.cancel.child_token())));
        let idle_timeout = interface.slot.hold().config.idle_timeout;
        Ok((theirs, idle_timeout))
    }

    /// Runs a connection whose identity is settled until it ends.
    async fn run<S>(self: Arc<Self>, arrived: Arrived<S>, cancel: CancellationToken) -> Option<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Arrived { stream, peer, identity, point, key_exchange, trust_changes, dialled } = arrived;
        let interface = self.interface(point)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (requests, waiting) = mpsc::channel(REQUEST_QUEUE);
        let (answers, farewell) = (Arc::new(AnswerBox::default()), Arc::new(OnceLock::new()));
        let live = Live {
            identity: Arc::clone(&identity),
            point,
            cancel: cancel.clone(),
            farewell: Arc::clone(&farewell),
            answers: Arc::clone(&answers),
            is_vouched_for: trust_changes.is_none(),
            connected: self.connected(id, peer, &key_exchange, requests),
            entries: Mutex::default(),
        };
        // Entered under the context that it is held for: a change of the configuration finds it, or comes before it.
        let (intake, entered, context, decisions) = {
            let context = interface.slot.hold();
            let decisions = context.enrolments.changes();
            let intake = Intake::new(Arc::clone(&context), Arc::clone(&identity), peer, Arc::clone(&answers));
            let entered = live.enter(id, &context);
            if let Some(why) = entered.turned_away {
                live.close(why.refusal());
            }
            self.live.insert(id, live);
            (intake, entered, Arc::clone(&context), decisions)
        };
        entered.fresh.iter().for_each(|entry| context.subscriber.connected(entry));
        if let Some(why) = entered.turned_away {
            self.turned_away(&context, why, &identity, peer);
        } else if context.enrolments.changes() != decisions {
            // Somebody decided meanwhile, and may have looked at all connections before this one was among them.
            self.follow_decisions(|live| live.connected.id == id);
        }
        tracing::debug!(interface = %point, %peer, subject = %identity.subject, key_exchange, "Connection opened.");
        if let Some(trust_changes) = trust_changes {
            self.check_if_missed(id, &interface.trust, trust_changes);
        }
        let outlet = Arc::clone(&intake.outlet);
        let is_peer = point == ReferencePoint::Mx && entered.turned_away.is_none();
        if is_peer {
            let (managers, outlet, cancel) = (identity.components.clone(), Arc::clone(&outlet), cancel.clone());
            context.peers.opened(PeerConnection { managers, dialled, address: peer, outlet, cancel });
        }
        let task = ConnectionTask::new(stream, Arc::clone(&interface.slot), intake, answers, waiting, cancel, farewell);
        let end = Box::new(task).run().await;
        if let Some((_, live)) = self.live.remove(&id) {
            let entries = live.entries.into_inner().unwrap_or_else(PoisonError::into_inner);
            entries.iter().for_each(|entry| entry.disconnected(id));
        }
        if is_peer {
            context.peers.closed(outlet.id);
        }
        context.enrolments.gone(id, self.clock.now());
        match &end {
            End::Failed(reason) => tracing::info!(interface = %point, %peer, reason, "Connection failed."),
            End::Closed(reason) => tracing::info!(interface = %point, %peer, reason, "Connection closed."),
            other => tracing::debug!(interface = %point, %peer, end = ?other, "Connection ended."),
        }
        Some(end)
    }

    fn connected(
        &self,
        id: u64,
        peer: SocketAddr,
        key_exchange: &str,
        requests: mpsc::Sender<ManagerRequest>,
    ) -> Connected {
        Connected { id, peer, since: self.clock.now(), key_exchange: key_exchange.to_owned(), requests }
    }

    /// Closes the connections that are no longer entitled: revoked, expired, or not trusted any more. How many.
    pub fn check_again(&self) -> usize {
        let now = wall_time();
        self.live.iter().filter(|live| self.close_unless_entitled(live, now)).count()
    }

    /// Has every connection go by the configuration that is in force now: those of an interface that is gone, and those
    /// that speak for nobody any more, are closed; the others are entered at the components that they speak for. How many
    /// were closed.
    pub fn follow_configuration(&self) -> usize {
        let (mut closed, mut entered) = (0, Vec::new());
        for live in &self.live {
            let Some(interface) = self.interface(live.point) else {
                let sentence = format!("interface {} is not served any more", live.point);
                live.close(Refusal::new(ReasonCode::Unavailable, sentence));
                closed += 1;
                continue;
            };
            let context = interface.slot.hold();
            let Entered { fresh, turned_away, .. } = live.enter(*live.key(), &context);
            entered.extend(fresh.into_iter().map(|entry| (entry, Arc::clone(&context.subscriber))));
            if let Some(why) = turned_away {
                live.close(why.refusal());
                closed += 1;
            } else if live.entries.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
                && live.identity.components.iter().all(|component| context.rules.excludes(component))
            {
                let names: Vec<String> = live.identity.components.iter().map(ToString::to_string).collect();
                let sentence = format!("{} is not in the manager's configuration any more", names.join(", "));
                live.close(Refusal::new(ReasonCode::UnknownComponent, sentence));
                closed += 1;
            } else {
                live.answers.wake();
            }
        }
        entered.iter().for_each(|(entry, subscriber)| subscriber.connected(entry));
        closed
    }

    /// Has connections go by what operators have decided about components meanwhile: they are entered at those that were
    /// approved. One that speaks for nobody any more is closed, and so is one that has lost a component: it may have handed
    /// in reports of it, and comes back for the others. How many were closed.
    fn follow_decisions(&self, concerns: impl Fn(&Live) -> bool) -> usize {
        let (mut closed, mut fresh) = (0, Vec::new());
        for live in self.live.iter().filter(|live| concerns(live)) {
            let Some(interface) = self.interface(live.point) else { continue };
            let context = interface.slot.hold();
            let entered = live.enter(*live.key(), &context);
            fresh.extend(entered.fresh.into_iter().map(|entry| (entry, Arc::clone(&context.subscriber))));
            let why = match (entered.turned_away, entered.lost) {
                (Some(why), _) => why.refusal(),
                (None, true) => {
                    let sentence = "what this connection may speak for has changed; connect again";
                    Refusal::retry(ReasonCode::Unavailable, sentence, RETRY_UNAVAILABLE_MS)
                }
                (None, false) => continue,
            };
            live.close(why);
            closed += 1;
        }
        fresh.iter().for_each(|(entry, subscriber)| subscriber.connected(entry));
        closed
    }

    /// Has the connections that cover a component go by what was decided about it. How many were closed.
    pub fn follow_decision(&self, component: &ComponentRef) -> usize {
        self.follow_decisions(|live| live.point == component.reference_point && live.identity.covers(component))
    }

    /// Counts and notes a connection that was closed at once.
    fn turned_away(&self, context: &InterfaceContext, why: TurnedAway, identity: &Identity, peer: SocketAddr) {
        let refused = Refused::new(why.cause(), why.refusal().sentence);
        context.metrics.handshakes_refused.entry(refused.cause.as_str()).or_default().increment();
        if refused.cause.is_about_identity() {
            self.refused_peer(context.point(), Some(peer), &refused, &identity.subject, true);
        } else {
            tracing::info!(interface = %context.point(), %peer, subject = %identity.subject, "Not let wait for approval: too many do.");
        }
    }

    /// Closes a connection that is no longer entitled; whether it did.
    fn close_unless_entitled(&self, live: &Live, now: Timestamp) -> bool {
        if live.is_vouched_for {
            return false;
        }
        let Some(interface) = self.interface(live.point) else { return false };
        match interface.trust.still_entitled(&live.identity, now) {
            Ok(identity)
                if identity.components == live.identity.components
                    && (identity.authority.is_empty()
                        || identity.authority == live.identity.authority
                        || !interface.needs_authority()) =>
            {
                return false;
            }
            // It speaks for others than before, or it is an operator's to decide about it now, and it was not looked for who
            // vouches for it: it may come back as what it is now.
            Ok(_) => {}
            Err(refused) => self.refused_peer(live.point, None, &refused, &live.identity.subject, true),
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

    /// Whoever answered where we dialled may not be spoken with. A line that broke, or a program that was just ending, is no matter
    /// of security.
    fn refused_dialled(&self, component: &ComponentRef, address: &str, refused: &Refused) {
        if refused.cause.is_about_identity() {
            self.refused_peer(component.reference_point, address.parse().ok(), refused, &component.to_string(), false);
        } else {
            tracing::debug!(%component, address, cause = refused.cause.as_str(), "Dialling failed: {}", refused.sentence);
        }
    }

    /// Notes a refusal; `is_verified`: the peer had proved who it is.
    fn refused_peer(
        &self,
        point: ReferencePoint,
        peer: Option<SocketAddr>,
        refused: &Refused,
        subject: &str,
        is_verified: bool,
    ) {
        let peer = peer.unwrap_or(NOWHERE);
        let identity = if subject.is_empty() { peer.ip().to_string() } else { subject.to_owned() };
        self.watch.note(SecurityNote {
            alarm_type: "authentication-failed",
            cause: refused.cause.as_str(),
            point,
            identity,
            is_verified,
            peer,
            concerned: Concerned::Interface,
            sentence: refused.sentence.clone(),
        });
    }

    /// Dials these components from now on, and no others: a connection that is up to the same component at the same address
    /// stays, others are closed.
    pub fn dial_these(self: &Arc<Self>, wanted: impl Iterator<Item = (ComponentRef, String)>) {
        let mut dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *dialled);
        for (component, address) in wanted {
            let known = before.iter().position(|known| known.0 == component && known.1 == address);
            let cancel = match known {
                Some(at) => before.swap_remove(at).2,
                None => {
                    let cancel = self.cancel.child_token();
                    let keeping = Arc::clone(self).keep_dialled(component.clone(), address.clone(), cancel.clone());
                    self.spawning.aside(keeping);
                    cancel
                }
            };
            dialled.push((component, address, cancel));
        }
        before.iter().for_each(|(_, _, cancel)| cancel.cancel());
    }

    /// Dials a peer manager once. What comes of it is served until it ends.
    ///
    /// # Errors
    /// If there is no Mx interface, or nobody who may be spoken with was reached.
    pub async fn dial_peer(self: &Arc<Self>, component: &ComponentRef, address: &str) -> Result<(), String> {
        let Some(interface) = self.interface(component.reference_point) else {
            return Err(format!("there is no interface {} to dial from", component.reference_point));
        };
        let within = interface.places.bounds().handshake_timeout;
        let cancel = self.cancel.child_token();
        let dialled = tokio::select! {
            () = cancel.cancelled() => return Err("the manager stops".to_owned()),
            dialled = dial(component, address, &interface.trust, &interface.places, within) => dialled,
        };
        match dialled {
            Ok(accepted) => {
                drop(self.serve_at_home(accepted, true, cancel));
                Ok(())
            }
            Err(error) => {
                if let DialError::Refused { refused, .. } = &error {
                    self.refused_dialled(component, address, refused);
                }
                Err(error.to_string())
            }
        }
    }

    /// Keeps a connection to a component that the manager dials, until `cancel`.
    async fn keep_dialled(self: Arc<Self>, component: ComponentRef, address: String, cancel: CancellationToken) {
        let point = component.reference_point;
        let (mut backoff, mut random) = (Backoff::new(), fastrand::Rng::new());
        loop {
            let Some(interface) = self.interface(point) else { return };
            let within = interface.places.bounds().handshake_timeout;
            let dialled = tokio::select! {
                () = cancel.cancelled() => return,
                dialled = dial(&component, &address, &interface.trust, &interface.places, within) => dialled,
            };
            match dialled {
                Ok(accepted) => {
                    let since = Instant::now();
                    tracing::info!(%component, address, "Dialled.");
                    // However it ended, it is dialled again.
                    let _ended = self.serve_at_home(accepted, true, cancel.child_token()).await;
                    backoff.connection_ended(since.elapsed());
                }
                Err(DialError::Refused { refused, .. }) => self.refused_dialled(&component, &address, &refused),
                Err(error) => tracing::debug!(%component, address, %error, "Dialling failed."),
            }
            let wait: Duration = backoff.next_wait(&mut random);
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// The door for listeners.
pub struct Sink(pub Arc<Connections>);

impl ConnectionSink for Sink {
    fn accepted(&self, connection: Accepted) {
        let cancel = self.0.cancel.child_token();
        drop(self.0.serve_at_home(connection, false, cancel));
    }

    fn refused(&self, point: ReferencePoint, peer: SocketAddr, refused: &Refused) {
        let subject = refused.subject.as_deref().unwrap_or("");
        if refused.cause.is_about_identity() {
            self.0.refused_peer(point, Some(peer), refused, subject, false);
        } else {
            tracing::info!(interface = %point, %peer, cause = refused.cause.as_str(), "Connection refused: {}", refused.sentence);
        }
    }
}
