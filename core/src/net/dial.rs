//! Dials a component that only listens (`dial` in its configuration entry), and makes sure that it is the one meant.
//!
//! In: the component, `host:port`, the trust of its reference point. Out: a connection like an accepted one. The
//! component's certificate must come from an anchor of the interface, be valid, not revoked, made for servers, and cover
//! exactly the component that was dialled; DNS names and addresses in it do not matter. When to dial again is
//! `backoff`'s matter.

use std::{io, sync::Arc, time::Duration};

use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, TlsStream};

use super::{Accepted, Cause, ConnectionRegistry, InterfaceTrust, Refused, Role, tls::Agreed};
use crate::model::ComponentRef;

/// Why a component was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No TCP connection.
    #[error("cannot reach {component} at {address}: {source}")]
    Connect {
        /// Who was dialled.
        component: ComponentRef,
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Not within the time.
    #[error("cannot reach {component} at {address}: no answer within {within:?}")]
    Timeout {
        /// Who was dialled.
        component: ComponentRef,
        /// Where.
        address: String,
        /// The time.
        within: Duration,
    },
    /// What answered is not the component, or may not be spoken to.
    #[error("{component} at {address} is refused: {refused}")]
    Refused {
        /// Who was dialled.
        component: ComponentRef,
        /// Where.
        address: String,
        /// Why.
        refused: Refused,
    },
}

/// Dials once; `within` bounds connecting and the handshake, each.
pub async fn dial(
    component: &ComponentRef,
    address: &str,
    trust: &InterfaceTrust,
    registry: &Arc<ConnectionRegistry>,
    within: Duration,
) -> Result<Accepted, DialError> {
    let late = || DialError::Timeout { component: component.clone(), address: address.to_owned(), within };
    let unreachable = |source| DialError::Connect { component: component.clone(), address: address.to_owned(), source };
    let tcp = timeout(within, TcpStream::connect(address)).await.map_err(|_| late())?.map_err(unreachable)?;
    let peer = tcp.peer_addr().map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let secured = timeout(within, secure(component, address, tcp, peer, trust, registry)).await.unwrap_or_else(|_| {
        Err(Refused::new(Cause::HandshakeTimeout, format!("the TLS handshake was not done within {within:?}")))
    });
    secured.map_err(|refused| {
        registry.count(&refused);
        DialError::Refused { component: component.clone(), address: address.to_owned(), refused }
    })
}

async fn secure(
    component: &ComponentRef,
    address: &str,
    tcp: TcpStream,
    peer: std::net::SocketAddr,
    trust: &InterfaceTrust,
    registry: &Arc<ConnectionRegistry>,
) -> Result<Accepted, Refused> {
    let (config, finding) = trust.client_config(component).map_err(|error| Refused::from_tls(&error))?;
    // For the server's SNI only; the certificate is not compared to it.
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::from(peer.ip()));
    let stream = TlsConnector::from(config)
        .connect(name, tcp)
        .await
        .map_err(|error| finding.take().unwrap_or_else(|| Refused::from_io(&error)))?;
    let state = stream.get_ref().1;
    let agreed = Agreed::of(state);
    let trust_changes = trust.changes();
    let role = Role::Dialled(component.clone());
    let identity = trust.entitled_now(state.peer_certificates().unwrap_or_default(), &role)?;
    let permit = registry.admit(&identity)?;
    Ok(Accepted {
        stream: TlsStream::Client(stream),
        peer,
        identity: Arc::new(identity),
        reference_point: component.reference_point,
        permit,
        agreed,
        trust_changes,
    })
}
