//! Accepts connections of one interface, up to the end of their handshake.
//!
//! In: `[interfaces.*]`, the interface's trust and its permits. Out, through a [`ConnectionSink`]: connections that may
//! speak ([`Accepted`]) and peers that were refused, each with its cause. Binding and serving are two steps, so that a
//! bad address fails at the start and a port chosen by the system is known before the first peer.
//!
//! A handshake runs in a task of its own that ends with it; what lives as long as the connection is the sink's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd as _,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Cause, ConnectionPermit, ConnectionRegistry, Identity, InterfaceTrust, Refused, Role, permits::ListenerPlace,
    tls::Agreed,
};
use crate::model::ReferencePoint;

/// A connection that has completed its handshake: who it is and what was agreed.
#[derive(Debug)]
pub struct Accepted {
    /// The stream.
    pub stream: TlsStream<TcpStream>,
    /// Address of the other side.
    pub peer: SocketAddr,
    /// What its certificate proves.
    pub identity: Arc<Identity>,
    /// The interface.
    pub reference_point: ReferencePoint,
    /// To be held until the connection ends.
    pub permit: ConnectionPermit,
    /// Key exchange group, TLS version, and whether a session was resumed.
    pub agreed: Agreed,
    /// [`InterfaceTrust::changes`] before the identity was checked.
    pub trust_changes: u64,
}

impl Accepted {
    /// Has the runtime that this is called on tell when there is something to read, instead of the one that did the handshake:
    /// who serves a connection is not to be woken from another thread. Where that cannot be had (no file descriptor is
    /// left for the moment of the change), it is served all the same.
    pub fn move_here(&mut self) {
        let (tcp, _) = self.stream.get_mut();
        let again = tcp.as_fd().try_clone_to_owned().and_then(|same| TcpStream::from_std(same.into()));
        match again {
            Ok(here) => *tcp = here,
            Err(error) => {
                tracing::debug!(peer = %self.peer, %error, "A connection is served from where it was accepted.")
            }
        }
    }
}

/// Who takes over. Both are called on a task of the runtime and must not block.
pub trait ConnectionSink: Send + Sync + 'static {
    /// A connection may speak: spawn what serves it.
    fn accepted(&self, connection: Accepted);

    /// A peer was refused; it is counted already.
    fn refused(&self, reference_point: ReferencePoint, peer: SocketAddr, refused: &Refused);
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("interface {reference_point}: cannot listen on {address}: {advice}")]
pub struct BindError {
    /// Which interface.
    pub reference_point: ReferencePoint,
    /// The address from `listen`.
    pub address: SocketAddr,
    advice: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The bound sockets of one interface.
#[derive(Debug)]
pub struct Listener {
    point: ReferencePoint,
    sockets: Vec<(SocketAddr, TcpListener)>,
}

impl Listener {
    /// Binds every address; a port 0 becomes a free one.
    pub async fn bind(reference_point: ReferencePoint, addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut sockets = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let bound = TcpListener::bind(address).await.and_then(|socket| Ok((socket.local_addr()?, socket)));
            sockets.push(bound.map_err(|source| BindError {
                reference_point,
                address,
                advice: bind_advice(&source, address),
                source,
            })?);
        }
        Ok(Self { point: reference_point, sockets })
    }

    /// What is listened on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    /// Accepts until `cancel`; then stops listening, drops unfinished handshakes and returns. Connections that were
    /// handed over live on.
    pub async fn serve(
        self,
        trust: Arc<InterfaceTrust>,
        registry: Arc<ConnectionRegistry>,
        sink: Arc<dyn ConnectionSink>,
        cancel: CancellationToken,
    ) {
        let tasks = TaskTracker::new();
        let gate = Gate { point: self.point, trust, registry, sink, cancel };
        for (address, socket) in self.sockets {
            tasks.spawn(accept_loop(address, socket, gate.clone(), tasks.clone()));
        }
        tasks.close();
        tasks.wait().await;
    }
}

fn bind_advice(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it, or choose another port in `listen` (on Linux, [::] takes 0.0.0.0 \
             with it: name one of them)"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; use one of its own, or 0.0.0.0 or [::] for all", address.ip())
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// What a handshake needs.
#[derive(Clone)]
struct Gate {
    point: ReferencePoint,
    trust: Arc<InterfaceTrust>,
    registry: Arc<ConnectionRegistry>,
    sink: Arc<dyn ConnectionSink>,
    cancel: CancellationToken,
}

async fn accept_loop(address: SocketAddr, socket: TcpListener, gate: Gate, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = gate.cancel.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match gate.registry.place() {
                Ok(place) => {
                    let gate = gate.clone();
                    tasks.spawn(async move {
                        let cancel = gate.cancel.clone();
                        tokio::select! {
                            () = cancel.cancelled() => {}
                            () = gate.handshake(stream, canonical(peer), place) => {}
                        }
                    });
                }
                Err(refused) => gate.refuse(canonical(peer), &refused),
            },
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: what is open goes on, and new connections wait in the backlog.
                tracing::warn!(interface = %gate.point, %address, %error, "cannot accept connections for the moment");
                tokio::select! {
                    () = gate.cancel.cancelled() => return,
                    () = tokio::time::sleep(ACCEPT_BACKOFF) => {}
                }
            }
        }
    }
}

/// Errors of `accept` that concern one connection that is gone already.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// An IPv4 peer of an IPv6 socket is an IPv4 peer.
fn canonical(peer: SocketAddr) -> SocketAddr {
    match peer.ip() {
        IpAddr::V6(ip) => SocketAddr::new(ip.to_canonical(), peer.port()),
        IpAddr::V4(_) => peer,
    }
}

impl Gate {
    fn refuse(&self, peer: SocketAddr, refused: &Refused) {
        self.registry.count(refused);
        self.sink.refused(self.point, peer, refused);
    }

    async fn handshake(&self, tcp: TcpStream, peer: SocketAddr, place: ListenerPlace) {
        // A peer that is gone already shows at the first read.
        let _ = tcp.set_nodelay(true);
        // Held until the connection is closed, also when it is refused.
        let mut place = Some(place);
        let within = self.registry.bounds().handshake_timeout;
        match timeout(within, self.secure(tcp, peer, &mut place)).await {
            Ok(Ok(accepted)) => self.sink.accepted(accepted),
            Ok(Err((refused, farewell))) => {
                self.refuse(peer, &refused);
                farewell.run().await;
            }
            Err(_) => self.refuse(
                peer,
                &Refused::new(
                    Cause::HandshakeTimeout,
                    format!("the TLS handshake was not done within {within:?} (`handshake_timeout`)"),
                ),
            ),
        }
    }

    async fn secure(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        place: &mut Option<ListenerPlace>,
    ) -> Result<Accepted, (Refused, Farewell)> {
        let (config, finding) = match self.trust.server_config() {
            Ok(made) => made,
            Err(error) => return Err((Refused::from_tls(&error), Farewell::Tcp(tcp))),
        };
        let stream = match TlsAcceptor::from(config).accept(tcp).into_fallible().await {
            Ok(stream) => stream,
            Err((error, tcp)) => {
                let refused = finding.take().unwrap_or_else(|| Refused::from_io(&error));
                return Err((refused, Farewell::Tcp(tcp)));
            }
        };
        let state = stream.get_ref().1;
        let agreed = Agreed::of(state);
        let trust_changes = self.trust.changes();
        let entitled = self
            .trust
            .entitled_now(state.peer_certificates().unwrap_or_default(), &Role::Client)
            .and_then(|identity| Ok((self.registry.admit(&identity)?, identity)));
        match entitled {
            Ok((mut permit, identity)) => {
                permit.hold(place.take());
                Ok(Accepted {
                    stream: TlsStream::Server(stream),
                    peer,
                    identity: Arc::new(identity),
                    reference_point: self.point,
                    permit,
                    agreed,
                    trust_changes,
                })
            }
            Err(refused) => Err((refused, Farewell::Tls(Box::new(stream)))),
        }
    }
}

/// A stream to be closed so that the peer sees why: bytes it has sent and nobody read would otherwise reset the
/// connection and take the alert with them.
enum Farewell {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Farewell {
    async fn run(self) {
        let close = async {
            let mut tcp = match self {
                Self::Tcp(tcp) => tcp,
                Self::Tls(mut stream) => {
                    stream.shutdown().await?;
                    stream.into_inner().0
                }
            };
            tcp.shutdown().await?;
            let mut left = FAREWELL_BYTES;
            let mut sink = [0_u8; 1024];
            while left > 0 {
                match tcp.read(&mut sink).await? {
                    0 => break,
                    n => left = left.saturating_sub(n),
                }
            }
            io::Result::Ok(())
        };
        // However it ends, the peer is refused already.
        let _ = timeout(FAREWELL, close).await;
    }
}

/// Wait after a failed `accept`: long enough not to spin, short enough to go unnoticed.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How long a refused peer may take to close its side.
const FAREWELL: Duration = Duration::from_secs(1);
/// What a refused peer may still send.
const FAREWELL_BYTES: usize = 64 * 1024;
