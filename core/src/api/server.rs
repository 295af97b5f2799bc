//! The listener of the API: bound while the manager starts, served once there is something to show.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    auth::{BadTokenDigest, Tokens},
    backend::Backend,
    connection::BoundedListener,
    host_check::HostCheck,
    router::{ApiState, router},
};
use crate::config::{ApiConfig, ReadWithoutToken, limits};

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be bound.
    #[error(
        "api.listen: cannot listen on {address}; is another manager running, or is the address not this machine's?"
    )]
    Bind {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A token of the configuration is unusable.
    #[error(transparent)]
    Token(#[from] BadTokenDigest),
}

/// The API, listening and not yet serving: clients may connect and wait.
#[derive(Debug)]
pub struct ApiServer {
    listener: TcpListener,
    address: SocketAddr,
    tokens: Arc<Tokens>,
    reads_are_open: bool,
}

impl ApiServer {
    /// Binds the address of the configuration; port 0 takes a free one.
    pub async fn bind(config: &ApiConfig) -> Result<Self, ApiError> {
        let tokens = Arc::new(Tokens::new(&config.tokens)?);
        let failed = |source| ApiError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let reads_are_open = match config.read_without_token {
            ReadWithoutToken::Loopback => address.ip().to_canonical().is_loopback(),
            ReadWithoutToken::Always => true,
            ReadWithoutToken::Never => false,
        };
        Ok(Self { listener, address, tokens, reads_are_open })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who may write, to be changed while it serves.
    #[must_use]
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens)
    }

    /// Serves until `stop`; then takes no further connections, finishes open requests, and returns after
    /// [`limits::API_DRAIN`] at the latest.
    pub async fn serve(self, backend: Arc<dyn Backend>, stop: CancellationToken) {
        tracing::info!(address = %self.address, "The HTTP API serves.");
        if !self.address.ip().to_canonical().is_loopback() {
            let readers = if self.reads_are_open { "everybody" } else { "whoever has a token" };
            tracing::warn!(address = %self.address, readers,
                "The HTTP API listens without TLS on an address that others can reach: what is read, and tokens, travel \
                 in the clear. Put a TLS proxy before it.");
        }
        let state = ApiState {
            backend,
            tokens: self.tokens,
            reads_are_open: self.reads_are_open,
            listeners: Arc::new(Semaphore::new(limits::API_LISTENERS)),
        };
        let router = router(state, HostCheck::new(self.address));
        let listener = BoundedListener::new(self.listener, limits::API_CONNECTIONS, limits::API_IDLE_TIMEOUT);
        let stopped = stop.clone();
        let serve = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.cancelled().await });
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(limits::API_DRAIN).await;
        };
        tokio::select! {
            // Never an error: axum's own loop goes on after failed accepts.
            _ = serve => {}
            () = overdue => tracing::warn!("Clients of the HTTP API did not finish in time and were left."),
        }
    }
}
