//! Requests between managers as the API shows them, and the door for what operators want of them.

use tokio::sync::oneshot;

use super::{
    Desk, locked,
    mailbox::{Order, Wish},
};
use crate::{
    api::{
        Answer,
        peer_request_desk::{Ask, PeerRequestDesk, RequestError},
        views::PeerRequestView,
    },
    federation::{protocol::OriginId, request::Entry},
    model::peer_request::RequestReason,
};

impl Desk {
    fn request_view(&self, entry: &Entry) -> PeerRequestView {
        let core = locked(&self.federation.core);
        let manager = core.membership.peers.get(&entry.peer).map(|peer| peer.manager.id.to_string());
        drop(core);
        PeerRequestView {
            id: entry.id.to_string(),
            direction: entry.direction,
            peer: manager,
            domain: entry.peer.to_string(),
            asked: entry.asked.clone(),
            state: entry.state,
            reason: entry.reason,
            explanation: entry.reason.filter(|_| entry.is_ours()).map(|reason| reason.sentence().to_owned()),
            by: entry.by.clone(),
            made: entry.made,
            expires: entry.deadline,
            settled: entry.settled,
        }
    }

    async fn order(&self, by: String, wish: Wish) -> Result<PeerRequestView, RequestError> {
        let (reply, answer) = oneshot::channel();
        if !self.federation.order(Order { by, wish, reply }) {
            return Err(RequestError::Unavailable("the manager has more messages of peers waiting than it takes"));
        }
        let entry = answer.await.map_err(|_| RequestError::Unavailable("the manager is stopping"))??;
        Ok(self.request_view(&entry))
    }
}

impl PeerRequestDesk for Desk {
    fn list(&self) -> Vec<PeerRequestView> {
        let mut entries: Vec<Entry> = locked(&self.federation.core).book.entries().cloned().collect();
        entries.sort_by(|a, b| (b.made, &b.id).cmp(&(a.made, &a.id)));
        entries.iter().map(|entry| self.request_view(entry)).collect()
    }

    fn find(&self, id: &str) -> Option<PeerRequestView> {
        let entry = locked(&self.federation.core).book.find(id).cloned();
        entry.map(|entry| self.request_view(&entry))
    }

    fn ask(&self, ask: Ask) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        let Ask { peer, asked, valid_for, by } = ask;
        Box::pin(async move {
            let domain: Option<OriginId> = self.peer_domain(&peer);
            let unknown = || RequestError::UnknownPeer(peer.clone());
            let wish = Wish::Ask { peer: domain.ok_or_else(unknown)?, asked, valid_for };
            self.order(by, wish).await
        })
    }

    fn decide(
        &self,
        id: &str,
        declined: Option<RequestReason>,
        by: String,
    ) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        let wish = Wish::Decide { id: id.to_owned(), declined };
        Box::pin(self.order(by, wish))
    }

    fn withdraw(&self, id: &str, by: String) -> Answer<'_, Result<PeerRequestView, RequestError>> {
        let wish = Wish::Withdraw { id: id.to_owned() };
        Box::pin(self.order(by, wish))
    }
}
