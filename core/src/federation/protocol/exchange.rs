//! What goes over sessions: changes told, copies compared, what is missing asked for. Sections 4 and 5 of `ALGORITHM.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    digest::{self, is_shared},
    event::{Event, Fault},
    freshness::Freshness,
    identity::{OriginId, Slot},
    manifest::{Hash, SectionBody},
    message::{Answer, Claim, Document, Item, Proof, Subscription, Want},
    neighbour::{Neighbour, NeighbourState},
    node::{Node, Now, Output},
    outbox::Known,
    pulling::Wanted,
    session::{Session, SessionId},
    slots::{Held, outranks},
};

/// Two sessions of one pair that begin within this time, in milliseconds, were dialled by both sides.
const COLLISION: u64 = 5_000;
/// Between two times that neighbours are told with whom we have sessions, in milliseconds.
const DIRECT_INTERVAL: u64 = 1_000;
/// Bytes that a claim takes in a report, about.
const CLAIM_BYTES: usize = 200;

impl Proof {
    /// Of two manifests, in the order of their hashes.
    #[must_use]
    pub fn of(one: super::jws::Jws, other: super::jws::Jws) -> Self {
        if one.hash() <= other.hash() { Self { first: one, second: other } } else { Self { first: other, second: one } }
    }
}

impl Node {
    // === sessions ===

    pub(super) fn connected(&mut self, id: SessionId, peer: OriginId, dialled: bool, now: u64) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.dialling &= !dialled;
        }
        if peer == self.me || !self.roster.members.contains_key(&peer) || !self.neighbours.contains_key(&peer) {
            self.out.push(Output::Close(id));
            return;
        }
        let before: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| session.peer == peer).map(|(id, _)| *id).collect();
        for other in &before {
            let Some(session) = self.sessions.get(other) else { continue };
            let collision = session.dialled != dialled && now.saturating_sub(session.since) < COLLISION;
            let lower_dialled = (self.me < peer) == session.dialled;
            if collision && lower_dialled {
                self.out.push(Output::Close(id));
                return;
            }
        }
        self.sessions.insert(id, Session::new(peer.clone(), dialled, now));
        self.seen.may_have_changed(&peer);
        for other in &before {
            self.out.push(Output::Close(*other));
            self.forget_session(*other);
        }
        if before.is_empty() {
            self.event(Event::SessionUp(peer));
        }
        self.out.push(Output::Subscribe(id));
    }

    fn forget_session(&mut self, id: SessionId) -> Option<Session> {
        self.pulling.ended(id);
        self.requests.retain(|(session, _), _| *session != id);
        self.sessions.remove(&id)
    }

    pub(super) fn disconnected(&mut self, id: SessionId, now: u64) {
        let Some(session) = self.forget_session(id) else { return };
        let longest = self.settings.longest_redial(self.neighbours.len());
        let random = self.random();
        if self.session_with(&session.peer).is_some() {
            return;
        }
        if let Some(neighbour) = self.neighbours.get_mut(&session.peer) {
            neighbour.back_off(now.saturating_sub(session.since), longest, &self.settings, now, random);
        }
        // Who has said goodbye has not died.
        let has_left = self.standing(&session.peer, now).is_some_and(|seen| seen.freshness == Freshness::Withdrawn);
        self.seen.may_have_changed(&session.peer);
        self.event(Event::SessionDown(session.peer.clone()));
        self.direct_changed = true;
        if !has_left {
            self.died(&session.peer, now);
        }
    }

    pub(super) fn close(&mut self, id: SessionId, now: u64) {
        self.out.push(Output::Close(id));
        self.disconnected(id, now);
    }

    pub(super) fn dial_failed(&mut self, peer: &OriginId, now: u64) {
        let longest = self.settings.longest_redial(self.neighbours.len());
        let random = self.random();
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.back_off(0, longest, &self.settings, now, random);
        }
    }

    pub(super) fn new_neighbours(&mut self, neighbours: &BTreeMap<OriginId, Neighbour>, now: u64) {
        self.neighbours.retain(|peer, _| neighbours.contains_key(peer));
        for (peer, configured) in neighbours {
            let state = self.neighbours.entry(peer.clone()).or_insert_with(|| NeighbourState::new(*configured, now));
            state.configured = *configured;
        }
        let gone: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| !neighbours.contains_key(&session.peer))
            .map(|(id, _)| *id)
            .collect();
        for session in gone {
            self.close(session, now);
        }
    }

    /// The other side listens: it gets our own documents, and compares the rest with us.
    pub(super) fn subscribed(&mut self, id: SessionId, wishes: Subscription, now: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.heard_at = now;
        session.subscription = Some(wishes);
        let peer = session.peer.clone();
        for slot in self.slots.keys().filter(|slot| slot.origin == self.me) {
            if is_shared(&self.roster, &self.me, &peer, slot)
                && let Some(session) = self.sessions.get_mut(&id)
            {
                session.outbox.documents.insert(slot.clone(), now);
            }
        }
        self.send_root(id, now);
        self.direct_changed = true;
    }

    // === telling ===

    /// A document is new here: to whom it goes at once, and to whom it is announced. `eager` if it says something new.
    pub(super) fn spread(&mut self, slot: &Slot, eager: bool, now: u64) {
        let Some(state) = self.slots.get(slot) else { return };
        let Some(held) = state.held.as_ref() else { return };
        let (version, hash, from) = (held.manifest.version, held.hash, held.from.clone());
        let own = slot.origin == self.me;
        // Whoever has signed two manifests of one version may tell each of us another: being told by it is not being told the same.
        let disputed = state.is_disputed();
        for session in self.sessions.values_mut() {
            let Some(wishes) = &session.subscription else { continue };
            let known = session.holds(slot, version, hash) || session.peer == from || session.peer == slot.origin;
            if known || !(own || wishes.relay) || !is_shared(&self.roster, &self.me, &session.peer, slot) {
                continue;
            }
            let first_hand = session.direct.contains(&slot.origin);
            if own || (eager && !first_hand) {
                let not_before = session.outbox.last_sent.get(slot).map_or(0, |sent| sent + wishes.min_interval_ms);
                session.outbox.documents.insert(slot.clone(), not_before.max(now));
            } else if eager || !first_hand || disputed {
                session.outbox.announce(slot.clone(), now);
            }
        }
    }

    pub(super) fn spread_proof(&mut self, slot: &Slot, from: Option<SessionId>, _now: u64) {
        for (id, session) in &mut self.sessions {
            if Some(*id) != from
                && session.subscription.is_some()
                && is_shared(&self.roster, &self.me, &session.peer, slot)
            {
                session.outbox.proofs.insert(slot.clone());
            }
        }
    }

    /// All neighbours learn with whom we speak; not more often than once a second, for sessions come and go in numbers.
    pub(super) fn tell_direct(&mut self, now: u64) {
        if !self.direct_changed || now < self.next_direct {
            return;
        }
        self.direct_changed = false;
        self.next_direct = now + DIRECT_INTERVAL;
        let direct: BTreeSet<OriginId> = self
            .sessions
            .values()
            .filter(|session| session.subscription.is_some())
            .map(|session| session.peer.clone())
            .collect();
        for session in self.sessions.values_mut().filter(|session| session.subscription.is_some()) {
            let mut others = direct.clone();
            others.remove(&session.peer);
            if session.told_direct.as_ref() != Some(&others) {
                session.outbox.put_small(Item::Echo { direct: Some(others.clone()) });
                session.told_direct = Some(others);
            }
        }
    }

    pub(super) fn send_root(&mut self, id: SessionId, now: u64) {
        let Some(session) = self.sessions.get(&id) else { return };
        let complete = now.saturating_sub(session.since) < self.settings.repair;
        let hash = digest::root(&self.claims_for(&session.peer, complete, now));
        if let Some(session) = self.sessions.get_mut(&id) {
            session.outbox.put_small(Item::Root { hash, complete });
        }
    }

    fn claims_for(&self, peer: &OriginId, complete: bool, now: u64) -> Vec<Claim> {
        let held_before = (!complete).then(|| now.saturating_sub(self.settings.repair));
        digest::claims(&self.slots, &self.roster, (&self.me, peer), held_before)
    }

    // === taking ===

    pub(super) fn note_known(&mut self, session: SessionId, slot: &Slot, known: Known) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.note(slot, known);
        }
    }

    pub(super) fn reported(&mut self, id: SessionId, items: Vec<Item>, repaired: bool, now: Now) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.heard_at = now.mono;
        let peer = session.peer.clone();
        if items.len() > self.settings.items {
            self.dropped(&peer, None, Fault::OverLimit, now.mono);
        }
        for item in items.into_iter().take(self.settings.items) {
            self.take_item(id, &peer, item, repaired, now);
        }
    }

    fn take_item(&mut self, id: SessionId, peer: &OriginId, item: Item, repaired: bool, now: Now) {
        match item {
            Item::Document(document) => {
                self.take_document(id, document, repaired, now);
            }
            Item::Proof(proof) => {
                self.take_proof(id, *proof, now);
            }
            Item::Root { hash, complete } => {
                let claims = self.claims_for(peer, complete, now.mono);
                if digest::root(&claims) != hash {
                    self.put_small(id, Item::Digest { claims, complete, wants_yours: true });
                }
            }
            Item::Digest { claims, complete, wants_yours } => {
                self.take_claims(id, peer, claims, now);
                if wants_yours {
                    let claims = self.claims_for(peer, complete, now.mono);
                    self.put_small(id, Item::Digest { claims, complete, wants_yours: false });
                }
            }
            Item::Announce(claims) => self.take_claims(id, peer, claims, now),
            Item::Echo { direct } => {
                if let (Some(direct), Some(session)) = (direct, self.sessions.get_mut(&id)) {
                    session.direct = direct.into_iter().take(self.roster.members.len()).collect();
                }
            }
        }
    }

    fn put_small(&mut self, id: SessionId, item: Item) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.outbox.put_small(item);
        }
    }

    /// What a neighbour says it holds: noted, and asked for where it is more than what is here. Nothing is believed yet.
    fn take_claims(&mut self, id: SessionId, peer: &OriginId, claims: Vec<Claim>, now: Now) {
        for claim in claims {
            let Claim { mut slot, version, hash, disputed } = claim;
            let Some(name) = self.roster.name_of(&slot.origin) else { continue };
            slot.origin = name;
            if !is_shared(&self.roster, &self.me, peer, &slot) {
                continue;
            }
            let admitted = self.roster.members.get(&slot.origin).is_some_and(|member| member.admits(version));
            let relays = slot.origin == *peer
                || self.neighbours.get(peer).is_some_and(|neighbour| neighbour.may_relay(now.mono));
            if !admitted || !version.in_range() || !relays {
                continue;
            }
            self.note_known(id, &slot, Known { version, hash, sections: BTreeSet::new() });
            let state = self.slots.get(&slot);
            let held = state.and_then(|state| state.held.as_ref()).map(|held| (held.manifest.version, held.hash));
            let unproven = !state.is_some_and(|state| state.is_disputed());
            if slot.origin == self.me && self.own.stopped {
                continue;
            }
            if held.is_none_or(|held| outranks((version, hash), held)) {
                let wanted = Wanted { slot: slot.clone(), proof: false };
                self.pulling.offer(wanted, id, version, hash);
            }
            let same_life = held.is_some_and(|held| (held.0.key_gen, held.0.epoch) == (version.key_gen, version.epoch));
            if disputed && unproven && same_life && slot.origin != self.me {
                self.pulling.offer(Wanted { slot, proof: true }, id, version, hash);
            }
        }
    }

    pub(super) fn acknowledged(&mut self, id: SessionId, token: u64, now: u64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.heard_at = now;
            session.outbox.in_flight.remove(&token);
        }
    }

    // === asking ===

    /// Asks for what is wanted and not asked for yet.
    pub(super) fn ask(&mut self, now: u64) {
        for (id, wanted) in self.pulling.due(now, self.settings.want) {
            let wants = wanted.iter().take(self.settings.items).map(|wanted| self.want(wanted)).collect();
            self.next_token += 1;
            let token = self.next_token;
            self.requests.insert((id, token), wanted.into_iter().collect());
            if let Some(session) = self.sessions.get_mut(&id) {
                session.said_at = now;
            }
            self.out.push(Output::Request { session: id, token, wants });
        }
    }

    fn want(&self, wanted: &Wanted) -> Want {
        let state = self.slots.get(&wanted.slot);
        let held = state.into_iter().flat_map(|state| state.held.iter().chain(&state.waiting));
        Want { slot: wanted.slot.clone(), have: held.flat_map(Held::hashes).collect(), proof: wanted.proof }
    }

    pub(super) fn requested(&mut self, id: SessionId, token: u64, wants: &[Want], now: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.heard_at = now;
        session.said_at = now;
        let peer = session.peer.clone();
        let mut items = Vec::new();
        let mut bytes = 0;
        for want in wants.iter().take(self.settings.items) {
            if bytes >= self.settings.report_bytes || !is_shared(&self.roster, &self.me, &peer, &want.slot) {
                continue;
            }
            let Some(state) = self.slots.get(&want.slot) else { continue };
            if want.proof {
                items.extend(state.proof.as_ref().map(|(_, proof)| Item::Proof(Box::new(proof.clone()))));
                continue;
            }
            let Some(held) = &state.held else { continue };
            let have: BTreeSet<Hash> = want.have.iter().copied().collect();
            let document = self.composed(held, &have, None, now);
            bytes += size(&document);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.note(&want.slot, known(held));
                session.outbox.documents.remove(&want.slot);
            }
            items.push(Item::Document(document));
        }
        self.out.push(Output::Answer { session: id, token, answer: Answer { items } });
    }

    pub(super) fn answered(&mut self, id: SessionId, token: u64, answer: Answer, now: Now) {
        let Some(wanted) = self.requests.remove(&(id, token)) else { return };
        let before: Vec<_> = wanted.iter().map(|wanted| self.rank(wanted)).collect();
        self.reported(id, answer.items, true, now);
        let progress = wanted.iter().zip(&before).any(|(wanted, before)| self.rank(wanted) != *before);
        if progress {
            self.pulling.kept_its_word(id);
        }
        for (wanted, before) in wanted.iter().zip(&before) {
            // An answer may be cut short by its size: who brought some of it is asked again for the rest.
            if self.rank(wanted) == *before && !progress {
                self.pulling.disappointed(wanted, id);
            } else {
                self.pulling.retry(wanted);
            }
        }
    }

    /// What is here of a thing wanted: changes when something of it comes.
    fn rank(&self, wanted: &Wanted) -> (Option<Hash>, Option<Hash>, usize, bool) {
        let Some(state) = self.slots.get(&wanted.slot) else { return (None, None, 0, false) };
        let waiting = state.waiting.as_ref();
        (
            state.held.as_ref().map(|held| held.hash),
            waiting.map(|waiting| waiting.hash),
            waiting.map_or(0, |waiting| waiting.sections.len()),
            state.proof.is_some(),
        )
    }

    // === sending ===

    /// A document as it is sent: without the sections that the other side has.
    fn composed(&self, held: &Held, have: &BTreeSet<Hash>, wishes: Option<&Subscription>, now: u64) -> Document {
        let wanted = |body: &&SectionBody| {
            let names = wishes.and_then(|wishes| wishes.sections.as_ref());
            let has = held.manifest.sections.get(&body.name).is_some_and(|section| have.contains(&section.hash));
            names.is_none_or(|names| names.contains(&body.name)) && !has
        };
        let own = held.manifest.origin == self.me;
        let mut via = held.via.clone();
        if !own {
            if via.len() >= self.settings.hops as usize {
                via.remove(0);
            }
            via.push(self.me.clone());
        }
        Document {
            jws: held.jws.clone(),
            age_ms: held.age(now),
            hops: if own { 0 } else { held.hops.saturating_add(1).min(self.settings.hops) },
            via,
            sections: held.sections.values().filter(wanted).cloned().collect(),
        }
    }

    /// Sends what is owed, as far as each session has room.
    pub(super) fn flush(&mut self, now: u64) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            while let Some(items) = self.compose(id, now) {
                self.next_token += 1;
                let token = self.next_token;
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.said_at = now;
                    session.outbox.in_flight.insert(token, Vec::new());
                }
                self.out.push(Output::Report { session: id, token, items });
            }
        }
    }

    /// The next report for a session; `None` if there is nothing to say or no room.
    fn compose(&mut self, id: SessionId, now: u64) -> Option<Vec<Item>> {
        let session = self.sessions.get(&id)?;
        if session.outbox.in_flight.len() >= self.settings.window || !session.owes(&self.settings, now) {
            return None;
        }
        let wishes = session.subscription.clone()?;
        let due: Vec<Slot> =
            session.outbox.documents.iter().filter(|(_, at)| **at <= now).map(|(slot, _)| slot.clone()).collect();
        let mut items = Vec::new();
        let mut bytes = 0;
        for slot in due {
            if bytes >= self.settings.report_bytes || items.len() >= self.settings.items {
                break;
            }
            if let Some(document) = self.take_due(id, &slot, &wishes, now) {
                bytes += size(&document);
                items.push(Item::Document(document));
            }
        }
        let session = self.sessions.get_mut(&id)?;
        items.extend(std::mem::take(&mut session.outbox.proofs).iter().filter_map(|slot| {
            let (_, proof) = self.slots.get(slot)?.proof.as_ref()?;
            Some(Item::Proof(Box::new(proof.clone())))
        }));
        items.append(&mut session.outbox.small);
        if !session.outbox.announce.is_empty() && session.outbox.announce_since + self.settings.announce <= now {
            let most = self.settings.report_bytes / CLAIM_BYTES;
            let claims = self.announcement(id, most);
            if !claims.is_empty() {
                items.push(Item::Announce(claims));
            }
        }
        let session = self.sessions.get(&id)?;
        if items.is_empty() && session.said_at + self.settings.heartbeat <= now {
            items.push(Item::Echo { direct: None });
        }
        (!items.is_empty()).then_some(items)
    }

    fn take_due(&mut self, id: SessionId, slot: &Slot, wishes: &Subscription, now: u64) -> Option<Document> {
        let session = self.sessions.get_mut(&id)?;
        session.outbox.documents.remove(slot);
        let held = self.slots.get(slot)?.held.as_ref()?;
        let session = self.sessions.get(&id)?;
        let entitled = is_shared(&self.roster, &self.me, &session.peer, slot);
        if !entitled || session.holds(slot, held.manifest.version, held.hash) {
            return None;
        }
        let nothing = BTreeSet::new();
        let have = session.knows.get(slot).map_or(&nothing, |known| &known.sections);
        let document = self.composed(held, have, Some(wishes), now);
        let known = known(held);
        let session = self.sessions.get_mut(&id)?;
        session.note(slot, known);
        session.outbox.last_sent.insert(slot.clone(), now);
        Some(document)
    }

    fn announcement(&mut self, id: SessionId, most: usize) -> Vec<Claim> {
        let Some(session) = self.sessions.get_mut(&id) else { return Vec::new() };
        let slots = std::mem::take(&mut session.outbox.announce);
        let session = &*session;
        slots
            .iter()
            .filter(|slot| is_shared(&self.roster, &self.me, &session.peer, slot))
            .filter_map(|slot| self.slots.get(slot)?.claim(slot))
            .filter(|claim| !session.holds(&claim.slot, claim.version, claim.hash))
            .take(most)
            .collect()
    }
}

/// What the other side holds of a document once it was sent to it.
fn known(held: &Held) -> Known {
    Known { version: held.manifest.version, hash: held.hash, sections: held.hashes().collect() }
}

/// Bytes that a document takes in a report, about: base64url makes four of three.
fn size(document: &Document) -> usize {
    let sections: usize = document.sections.iter().map(|body| body.data.len() * 4 / 3 + 120).sum();
    document.jws.size() + sections + 300
}
