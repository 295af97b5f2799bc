//! The door from the API to requests between managers.

use super::{backend::Answer, views::PeerRequestView};
use crate::model::peer_request::{Asked, RequestReason};

/// What an operator asks of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its manager ID.
    pub peer: String,
    /// What.
    pub asked: Asked,
    /// How many milliseconds it waits for a decision; absent: as long as its kind does.
    pub valid_for: Option<i64>,
    /// Name of the token.
    pub by: String,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no such peer.
    #[error("there is no peer `{0}`; GET /api/v1/peers lists them")]
    UnknownPeer(String),
    /// There is no such request.
    #[error("{0}; GET /api/v1/peer-requests lists them")]
    Unknown(String),
    /// What is asked makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// It cannot be done now.
    #[error("{0}")]
    NotPossible(String),
    /// It was not stored.
    #[error("{0}; nothing has changed, try again")]
    Unavailable(&'static str),
}

/// What the API needs of requests.
pub trait PeerRequestDesk: Send + Sync {
    /// All that are kept, the newest first.
    fn list(&self) -> Vec<PeerRequestView>;
    /// One of them.
    fn find(&self, id: &str) -> Option<PeerRequestView>;
    /// Asks a peer; answers once it is durable, and on its way if the peer is there.
    fn ask(&self, ask: Ask) -> Answer<'_, Result<PeerRequestView, RequestError>>;
    /// Accepts a peer's request, or declines it for a reason; answers once that is durable.
    fn decide(
        &self,
        id: &str,
        declined: Option<RequestReason>,
        by: String,
    ) -> Answer<'_, Result<PeerRequestView, RequestError>>;
    /// Takes a request of ours back; answers once that is durable, and on its way if the peer is there.
    fn withdraw(&self, id: &str, by: String) -> Answer<'_, Result<PeerRequestView, RequestError>>;
}

impl PeerRequestDesk for super::federation_desk::NoFederation {
    fn list(&self) -> Vec<PeerRequestView> {
        Vec::new()
    }

    fn find(&self, _: &str) -> Option<PeerRequestView> {
        None
    }

    fn ask(&self, ask: Ask) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        Box::pin(std::future::ready(Err(RequestError::UnknownPeer(ask.peer))))
    }

    fn decide(
        &self,
        id: &str,
        _: Option<RequestReason>,
        _: String,
    ) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        Box::pin(std::future::ready(Err(RequestError::Unknown(format!("there is no request `{id}`")))))
    }

    fn withdraw(&self, id: &str, _: String) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        Box::pin(std::future::ready(Err(RequestError::Unknown(format!("there is no request `{id}`")))))
    }
}
