//! Requests between managers, at work: what operators and peers say goes into the book, what follows is stored, and only then said
//! and told.
//!
//! ```text
//!   order of an operator, words of a peer, time --> book: plan --> storage --> book: applied --> peers, alarms, audit
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Driver, MESSAGE_ID};
use crate::{
    api::peer_request_desk::RequestError,
    config::limits::{REQUEST_STORE_RETRY, REQUESTS_A_REPORT},
    federation::{
        protocol::{Epochs as _, OriginId, SessionId},
        request::{AskError, Book, DecideError, Entry, Plan, RequestId, Said, WithdrawError, wire},
    },
    manager::federation::{
        announced::Announced,
        locked,
        mailbox::{Order, Wish},
        ports::Ports,
    },
    storage::federation::{FederationDb, StoredRequest},
    wire::{encode, message_type},
};

/// What the driver remembers of requests beside the book.
pub(super) struct Requests {
    /// Links under maintenance, for others to look at.
    pub(super) announced: Announced,
    /// Random numbers for IDs.
    pub(super) random: Ports,
    /// Not before this is tried again what could not be stored.
    pub(super) not_before: Option<Instant>,
    /// Numbers messages.
    pub(super) number: u64,
}

/// How the `messageId` of a message about requests goes on.
pub(super) const ABOUT_REQUESTS: &str = "request-";

/// The book as it was stored; what cannot be read is left out and said.
pub(super) fn stored(db: &FederationDb) -> Result<Book, crate::storage::error::StorageError> {
    let documents = db.requests()?;
    let read = |document: &String| {
        serde_json::from_str::<Entry>(document)
            .inspect_err(|error| tracing::error!(%error, "A stored request cannot be read, and is left out."))
            .ok()
    };
    Ok(Book::new(documents.iter().filter_map(read).collect()))
}

fn row(entry: &Entry) -> StoredRequest {
    StoredRequest {
        id: entry.id.to_string(),
        peer: entry.peer.to_string(),
        direction: entry.direction.as_str(),
        kind: entry.asked.kind().as_str(),
        state: entry.state.as_str(),
        made: entry.made.0,
        document: serde_json::to_string(entry).unwrap_or_default(),
    }
}

/// What is to be said, by the peer it is for; in its order to each.
fn by_peer(say: &[(OriginId, Said)]) -> BTreeMap<&OriginId, Vec<&Said>> {
    let mut by: BTreeMap<&OriginId, Vec<&Said>> = BTreeMap::new();
    say.iter().for_each(|(peer, said)| by.entry(peer).or_default().push(said));
    by
}

/// The peers whose requests to us are among these.
fn who_asked<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeSet<&'a OriginId> {
    entries.filter(|entry| !entry.is_ours()).map(|entry| &entry.peer).collect()
}

impl From<AskError> for RequestError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::TooMany | AskError::Same(..) => Self::NotPossible(error.to_string()),
            other => Self::Wrong(other.to_string()),
        }
    }
}

impl From<DecideError> for RequestError {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Unknown(_) => Self::Unknown(error.to_string()),
            other => Self::NotPossible(other.to_string()),
        }
    }
}

impl From<WithdrawError> for RequestError {
    fn from(error: WithdrawError) -> Self {
        match error {
            WithdrawError::Unknown(_) => Self::Unknown(error.to_string()),
            other => Self::NotPossible(other.to_string()),
        }
    }
}

impl Driver {
    /// At a start: what waits for an operator has its alarm again, and links under maintenance are known.
    pub(super) fn recall_requests(&self) {
        let core = locked(&self.federation.core);
        for peer in who_asked(core.book.entries().filter(|entry| entry.is_open())) {
            self.teller.requests_wait(peer, &core.book.waiting(peer));
        }
        self.requests.announced.set(core.book.entries());
    }

    /// An operator asks, decides or withdraws.
    pub(super) fn order(&mut self, order: Order) {
        let Order { by, wish, reply } = order;
        // Whoever asked may have gone away; what is stored holds all the same.
        let _gone = reply.send(self.carry_out_wish(&by, wish));
    }

    fn carry_out_wish(&mut self, by: &str, wish: Wish) -> Result<Entry, RequestError> {
        let plan = {
            let core = locked(&self.federation.core);
            let now = core.now();
            match wish {
                Wish::Ask { peer, asked, valid_for } => {
                    let plain = core.sessions.values().any(|open| open.domain == peer && open.tells_us == Some(false));
                    if plain {
                        let text =
                            format!("the manager of domain {peer} knows plain status reports only, and no requests");
                        return Err(RequestError::NotPossible(text));
                    }
                    let id = RequestId::of(self.requests.random.random());
                    core.book.ask(&peer, (id, asked), valid_for, by, now)?
                }
                Wish::Decide { id, declined } => core.book.decide(&id, declined, by, now)?,
                Wish::Withdraw { id } => core.book.withdraw(&id, by, now)?,
            }
        };
        let entry = plan.entries.first().cloned();
        if !self.carry_out_plan(plan) {
            return Err(RequestError::Unavailable("it could not be stored"));
        }
        // Not at the next tick: the operator waits to see it go, also what was said before and is withdrawn now.
        if let Some(entry) = &entry {
            locked(&self.federation.core).book.to_be_said(&entry.id);
        }
        self.requests_due();
        entry.ok_or(RequestError::Unavailable("nothing came of it"))
    }

    /// A peer says something of requests.
    pub(super) fn said(&mut self, session: SessionId, said: Vec<Said>) {
        let Some(peer) = locked(&self.federation.core).sessions.get(&session).map(|open| open.domain.clone()) else {
            return;
        };
        for one in said {
            let plan = {
                let mut core = locked(&self.federation.core);
                let now = core.now();
                core.book.heard(&peer, one, now)
            };
            self.carry_out_plan(plan);
        }
    }

    /// A session with a peer is up.
    pub(super) fn met(&self, peer: &OriginId) {
        locked(&self.federation.core).book.met(peer);
    }

    /// Time passes for requests.
    pub(super) fn requests_due(&mut self) {
        if self.requests.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        let plan = {
            let mut core = locked(&self.federation.core);
            let now = core.now();
            let present: BTreeSet<OriginId> = core.node.session_peers().map(|(_, peer)| peer.clone()).collect();
            core.book.due(&present, now)
        };
        self.carry_out_plan(plan);
    }

    /// Stores, then applies, says and tells; false if it could not be stored: then nothing of it is so.
    fn carry_out_plan(&mut self, plan: Plan) -> bool {
        if plan.changes() {
            let rows: Vec<StoredRequest> = plan.entries.iter().map(row).collect();
            let gone: Vec<String> = plan.forgotten.iter().map(ToString::to_string).collect();
            if let Err(error) = locked(&self.db).write_requests(&rows, &gone) {
                self.requests.not_before = Some(Instant::now() + REQUEST_STORE_RETRY);
                self.teller.request_not_stored(&error);
                return false;
            }
            let mut core = locked(&self.federation.core);
            core.book.apply(&plan);
            self.requests.announced.set(core.book.entries());
            for peer in who_asked(plan.entries.iter()) {
                self.teller.requests_wait(peer, &core.book.waiting(peer));
            }
            // Sections about maintenance and incidents may say something else now.
            self.looked = None;
        }
        for (peer, said) in by_peer(&plan.say) {
            self.say(peer, &said);
        }
        plan.happened.iter().for_each(|happened| self.teller.request_happened(happened));
        true
    }

    /// Says it to a peer, if there is a session with it; what is lost is asked for again by the one who wants to know.
    fn say(&mut self, peer: &OriginId, said: &[&Said]) {
        let objects: Vec<String> = {
            let core = locked(&self.federation.core);
            let links = core.book.terms(peer).map(|terms| &terms.links);
            let links: BTreeSet<&str> = links.into_iter().flatten().map(String::as_str).collect();
            let leaving = |said: &&Said| {
                wire::leaving(said, &links)
                    .inspect_err(|problem| tracing::warn!(%peer, problem, "A request does not leave this domain."))
                    .ok()
            };
            said.iter().filter_map(leaving).map(|object| object.to_string()).collect()
        };
        for objects in objects.chunks(REQUESTS_A_REPORT) {
            self.requests.number += 1;
            let message_id = format!("{MESSAGE_ID}{ABOUT_REQUESTS}{}", self.requests.number);
            let extension = format!("[{}]", objects.join(","));
            let (mut line, kind) = (Vec::new(), message_type::STATUS_REPORT);
            encode::with_extension(&mut line, kind, Some(&message_id), &self.manager, None, &extension);
            let mut core = locked(&self.federation.core);
            let session = core.node.session_peers().find(|(_, domain)| *domain == peer).map(|(id, _)| id);
            let Some(open) = session.and_then(|id| core.sessions.get_mut(&id)) else { return };
            open.messages.1 += 1;
            open.connection.outlet.notify(&message_id, &line);
            drop(core);
            self.sent(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer_request::RequestState;

    #[test]
    fn each_peer_is_told_once_what_is_for_it() {
        let said = |number| Said::Outcome { id: RequestId::of(number), state: RequestState::Expired, reason: None };
        let peers = ["west", "north", "west", "west", "north"].map(OriginId::from);
        let say: Vec<(OriginId, Said)> = peers.into_iter().zip((1..).map(said)).collect();
        let told: Vec<(&str, Vec<Said>)> =
            by_peer(&say).into_iter().map(|(peer, all)| (peer.as_str(), all.into_iter().cloned().collect())).collect();
        assert_eq!(told, [("north", vec![said(2), said(5)]), ("west", vec![said(1), said(3), said(4)])]);
    }
}
