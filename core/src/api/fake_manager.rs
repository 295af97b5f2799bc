//! The HTTP API over a manager in memory, on a loopback port, for tests that speak to it as anybody would.

use std::{sync::Arc, thread::JoinHandle};

use tokio_util::sync::CancellationToken;

use super::{
    ApiServer,
    fake_backend::{FakeBackend, NOW},
};
use crate::{
    config::{ApiConfig, ReadWithoutToken, Role, TokenConfig},
    model::Timestamp,
};

/// The API over a [`FakeBackend`] on a loopback port; stopped and joined on drop.
pub(crate) struct FakeManager {
    pub(crate) url: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// SHA-256 of `NAME-token`, as `api.tokens` has it.
fn token(name: &str, role: Role, expires: Option<Timestamp>) -> TokenConfig {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{name}-token").as_bytes());
    let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    TokenConfig { name: name.into(), sha256, role, expires }
}

/// The tokens that a [`FakeManager`] knows: one a role, and one that has expired.
pub(crate) fn tokens() -> Vec<TokenConfig> {
    vec![
        token("reader", Role::Viewer, None),
        token("ops", Role::Operator, Some(NOW.plus(1))),
        token("gone", Role::Admin, Some(NOW)),
        token("admin", Role::Admin, None),
    ]
}

impl FakeManager {
    pub(crate) fn start(backend: FakeBackend) -> Self {
        let config = ApiConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            tokens: tokens(),
            read_without_token: ReadWithoutToken::Loopback,
        };
        Self::start_with(config, backend)
    }

    pub(crate) fn start_with(config: ApiConfig, backend: FakeBackend) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = runtime.block_on(ApiServer::bind(&config)).unwrap();
        let (url, stop) = (format!("http://{}", server.address()), CancellationToken::new());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || runtime.block_on(server.serve(Arc::new(backend), stopped)));
        Self { url, stop, thread: Some(thread) }
    }

    /// Stops it and waits until it is gone.
    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for FakeManager {
    fn drop(&mut self) {
        self.stop();
    }
}
