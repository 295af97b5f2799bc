//! Requests between managers for tests of the API and of the commands: one that waits, one that was refused.

use std::future::ready;

use serde_json::json;

use super::{
    Answer,
    peer_request_desk::{Ask, PeerRequestDesk, RequestError},
    views::PeerRequestView,
};
use crate::model::peer_request::{RequestReason, RequestState};

/// The requests.
pub(super) struct FakePeerRequests;

fn waiting() -> PeerRequestView {
    let one = json!({
        "id": "0123456789abcdef", "direction": "received", "peer": "manager-west", "domain": "west",
        "kind": "maintenance", "links": ["vienna-brno"], "from": "2026-01-02T00:00:00Z", "until": "2026-01-02T02:00:00Z",
        "effect": "interrupted", "state": "pending", "made": "2026-01-01T00:00:00Z", "expires": "2026-01-02T02:00:00Z",
    });
    serde_json::from_value(one).unwrap()
}

fn refused() -> PeerRequestView {
    let one = json!({
        "id": "fedcba9876543210", "direction": "sent", "peer": "manager-west", "domain": "west",
        "kind": "emergencyPriority", "link": "vienna-brno", "until": "2026-01-02T02:00:00Z", "cause": "path-lost",
        "state": "refused", "reason": "not-allowed", "explanation": RequestReason::NotAllowed.sentence(), "by": "anna",
        "made": "2026-01-01T00:00:00Z", "expires": "2026-01-02T02:00:00Z", "settled": "2026-01-01T00:00:01Z",
    });
    serde_json::from_value(one).unwrap()
}

impl PeerRequestDesk for FakePeerRequests {
    fn list(&self) -> Vec<PeerRequestView> {
        vec![waiting(), refused()]
    }

    fn find(&self, id: &str) -> Option<PeerRequestView> {
        self.list().into_iter().find(|one| one.id == id)
    }

    fn ask(&self, ask: Ask) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        if ask.peer != "manager-west" {
            return Box::pin(ready(Err(RequestError::UnknownPeer(ask.peer))));
        }
        let (reason, explanation, settled) = (None, None, None);
        let by = Some(ask.by);
        let state = RequestState::Sent;
        Box::pin(ready(Ok(PeerRequestView { asked: ask.asked, by, state, reason, explanation, settled, ..refused() })))
    }

    fn decide(
        &self,
        id: &str,
        declined: Option<RequestReason>,
        by: String,
    ) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        let decided = match self.find(id) {
            None => Err(RequestError::Unknown(format!("there is no request `{id}`"))),
            Some(one) if one.state != RequestState::Pending => {
                Err(RequestError::NotPossible("it is settled".to_owned()))
            }
            Some(one) => {
                let state = if declined.is_some() { RequestState::Declined } else { RequestState::Accepted };
                Ok(PeerRequestView { state, reason: declined, by: Some(by), ..one })
            }
        };
        Box::pin(ready(decided))
    }

    fn withdraw(&self, id: &str, by: String) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        let withdrawn = match self.find(id) {
            None if id == "00000000000000aa" => {
                Ok(PeerRequestView { id: id.to_owned(), state: RequestState::Withdrawn, by: Some(by), ..refused() })
            }
            None => Err(RequestError::Unknown(format!("there is no request `{id}`"))),
            Some(_) => Err(RequestError::NotPossible("it is settled, or not ours".to_owned())),
        };
        Box::pin(ready(withdrawn))
    }
}
