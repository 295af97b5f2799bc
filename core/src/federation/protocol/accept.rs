//! What is believed: the steps of section 3 of `ALGORITHM.md`, each document through all of them.

use super::{
    digest::is_shared,
    event::{Event, Fault},
    identity::{Audience, OriginId, Slot},
    jws::{Jws, JwsError},
    manifest::{Manifest, SectionBody},
    message::{Document, Proof},
    node::{Node, Now, Output, Stored},
    outbox::Known,
    pulling::Wanted,
    roster::Member,
    session::SessionId,
    slots::{Held, outranks},
    version::Version,
};

/// How long a manifest that waits for its sections keeps older ones that wait too from its place, in milliseconds.
const WAITING_PATIENCE: u64 = 10_000;

/// Whether a document brought anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It, or something of it, is here now that was not.
    News,
    /// It was known, or is not believed.
    Nothing,
}

impl From<JwsError> for Fault {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Form => Self::Form,
            JwsError::UnknownKey => Self::UnknownKey,
            JwsError::Algorithm => Self::Algorithm,
            JwsError::Signature => Self::Signature,
        }
    }
}

impl Node {
    /// Takes a document that a session brought. What is wrong with it is told as an event and changes nothing.
    pub(super) fn take_document(&mut self, session: SessionId, document: Document, repaired: bool, now: Now) -> Taken {
        let Some(from) = self.sessions.get(&session).map(|session| session.peer.clone()) else { return Taken::Nothing };
        let manifest = match document.jws.manifest() {
            Ok(manifest) => manifest,
            Err(error) => return self.dropped(&from, None, error.into(), now.mono),
        };
        let slot = manifest.slot();
        match self.take_checked(session, &from, document, manifest, repaired, now) {
            Ok(taken) => taken,
            Err(fault) => self.dropped(&from, Some(slot), fault, now.mono),
        }
    }

    /// Tells that an item was dropped, and counts it against the neighbour that sent it.
    pub(super) fn dropped(&mut self, from: &OriginId, slot: Option<Slot>, fault: Fault, now: u64) -> Taken {
        self.event(Event::Dropped { from: from.clone(), slot, fault });
        if fault.blames_neighbour()
            && let Some(neighbour) = self.neighbours.get_mut(from)
            && neighbour.blame(&self.settings, now)
        {
            self.event(Event::Quarantined(from.clone()));
        }
        Taken::Nothing
    }

    fn take_checked(
        &mut self,
        session: SessionId,
        from: &OriginId,
        mut document: Document,
        mut manifest: Manifest,
        repaired: bool,
        now: Now,
    ) -> Result<Taken, Fault> {
        // What is said of its way decides nothing here: a relay can lie about it. Names that nobody of the roster has are no way.
        document.hops = document.hops.min(self.settings.hops);
        document.via = self.known_ways(&document.via);
        self.within_limits(&document, &manifest)?;
        let direct = manifest.origin == *from;
        if !direct && (!self.may_relay(from, now.mono) || matches!(manifest.audience, Audience::Adjacent(_))) {
            return Err(Fault::NotARelay);
        }
        manifest.origin = self.roster.name_of(&manifest.origin).ok_or(Fault::UnknownOrigin)?;
        let slot = manifest.slot();
        if !is_shared(&self.roster, &self.me, from, &slot) {
            return Err(Fault::Audience);
        }
        let hash = document.jws.hash();
        if manifest.origin == self.me {
            return self.hear_ourselves(&document.jws, &manifest, now);
        }
        let rank = (manifest.version, hash);
        if let Some(held) = self.slots.get(&slot).and_then(|state| state.held.as_ref()) {
            let known = (held.manifest.version, held.hash);
            let conflict = known.0 == rank.0 && known.1 != rank.1;
            if known == rank || (outranks(known, rank) && !conflict) {
                let sections = manifest.sections.values().map(|section| section.hash).collect();
                self.note_known(session, &slot, Known { version: rank.0, hash: rank.1, sections });
                return Ok(Taken::Nothing);
            }
        }
        let settings = &self.settings;
        if self.sessions.get_mut(&session).is_some_and(|session| !session.take_token(&slot, settings, now.mono)) {
            return Err(Fault::TooOften);
        }
        self.believe(&document.jws, &manifest, now.wall)?;
        let sections = manifest.sections.values().map(|section| section.hash).collect();
        self.note_known(session, &slot, Known { version: rank.0, hash: rank.1, sections });
        self.look_for_dispute(&slot, &document.jws, &manifest, now.mono);
        self.keep(session, from.clone(), document, manifest, repaired, now)
    }

    fn may_relay(&self, from: &OriginId, now: u64) -> bool {
        self.neighbours.get(from).is_none_or(|neighbour| neighbour.may_relay(now))
    }

    fn within_limits(&self, document: &Document, manifest: &Manifest) -> Result<(), Fault> {
        let settings = &self.settings;
        let mut bytes = 0;
        for (name, section) in &manifest.sections {
            let len = section.len as usize;
            bytes += len;
            if len > settings.section_bytes || name.len() > 64 {
                return Err(Fault::OverLimit);
            }
        }
        let too_many = manifest.sections.len() > settings.sections || document.sections.len() > settings.sections;
        let too_long = manifest.valid_for_ms > settings.longest_valid_for;
        if too_many || too_long || bytes > settings.document_bytes {
            return Err(Fault::OverLimit);
        }
        Ok(())
    }

    /// Whether a manifest is what it says: the signature, and that it fits the roster.
    fn believe(&self, jws: &Jws, manifest: &Manifest, wall: u64) -> Result<(), Fault> {
        let member = self.roster.members.get(&manifest.origin).ok_or(Fault::UnknownOrigin)?;
        let version = manifest.version;
        if manifest.v != 1 {
            return Err(Fault::Version);
        }
        if manifest.federation != self.roster.federation {
            return Err(Fault::OtherFederation);
        }
        if !version.in_range() || !member.admits(version) {
            return Err(Fault::Version);
        }
        let valid = member.keys.iter().filter(|key| key.not_before <= wall && wall <= key.not_after);
        Ok(jws.verify(valid, &*self.signatures)?)
    }

    /// A manifest of our own: if it is newer than ours, we take an epoch above it.
    fn hear_ourselves(&mut self, jws: &Jws, manifest: &Manifest, now: Now) -> Result<Taken, Fault> {
        let slot = manifest.slot();
        let ours = self.slots.get(&slot).and_then(|state| state.held.as_ref());
        let ours = ours.map(|held| (held.manifest.version, held.hash));
        let life = |version: Version| (version.key_gen, version.epoch);
        let mine = self.own.epoch.map(|epoch| (manifest.version.key_gen, epoch));
        let same = ours.is_some_and(|ours| ours == (manifest.version, jws.hash()));
        let older = mine.is_some_and(|mine| life(manifest.version) < mine);
        let earlier = ours.is_some_and(|ours| manifest.version < ours.0);
        if same || older || earlier {
            return Ok(Taken::Nothing);
        }
        self.believe(jws, manifest, now.wall)?;
        if self.own.must_follow(manifest.version.epoch) {
            self.event(Event::HeardOurselves(manifest.version));
        }
        self.follow_ourselves(now);
        Ok(Taken::Nothing)
    }

    /// Puts a believed document in its place, once all its sections are here.
    fn keep(
        &mut self,
        session: SessionId,
        from: OriginId,
        document: Document,
        manifest: Manifest,
        repaired: bool,
        now: Now,
    ) -> Result<Taken, Fault> {
        let slot = manifest.slot();
        let fits = |body: &SectionBody| manifest.sections.get(&body.name) == Some(&body.reference());
        let (fitting, unfitting): (Vec<_>, Vec<_>) = document.sections.into_iter().partition(fits);
        let hash = document.jws.hash();
        let state = self.slots.entry(slot.clone()).or_default();
        let rank = (manifest.version, hash);
        let held_rank = state.held.as_ref().map(|held| (held.manifest.version, held.hash));
        let waiting_rank = state.waiting.as_ref().map(|waiting| (waiting.manifest.version, waiting.hash));
        if held_rank.is_some_and(|held| outranks(held, rank)) {
            return Ok(Taken::Nothing);
        }
        let mut next = match state.waiting.take_if(|_| waiting_rank == Some(rank)) {
            // More sections of what waits already.
            Some(waiting) => waiting,
            None => {
                let delay = state.delays.excess(manifest.version.epoch, manifest.issued_at, now.mono);
                if held_rank.is_none_or(|held| manifest.version > held.0) {
                    state.advanced_at = now.mono;
                }
                Held {
                    hash,
                    jws: document.jws,
                    received_at: now.mono,
                    age_at_receipt: document.age_ms.max(delay),
                    hops: document.hops,
                    via: document.via,
                    from: from.clone(),
                    repaired,
                    sections: Default::default(),
                    manifest,
                }
            }
        };
        let before = next.sections.len();
        // What fits this manifest was looked at above, and what is held fits its own: no hash is taken twice.
        let same = state.held.as_ref().map(|held| held.shared_with(&next.manifest)).unwrap_or_default();
        for body in same.into_iter().chain(fitting) {
            next.sections.insert(body.name.clone(), body);
        }
        if next.is_whole() {
            self.replace(&slot, next, now.mono);
        } else {
            let news = next.sections.len() > before;
            // What waits for sections that nobody brings gives way: it may be a manifest that only a liar knows.
            let newer_waits = |waiting: &Held| {
                outranks((waiting.manifest.version, waiting.hash), rank)
                    && now.mono.saturating_sub(waiting.received_at) < WAITING_PATIENCE
            };
            if state.waiting.as_ref().is_some_and(newer_waits) {
                return if unfitting.is_empty() { Ok(Taken::Nothing) } else { Err(Fault::Section) };
            }
            state.waiting = Some(next);
            let wanted = Wanted { slot, proof: false };
            self.pulling.offer(wanted, session, rank.0, rank.1);
            if !news && unfitting.is_empty() {
                return Ok(Taken::Nothing);
            }
        }
        if unfitting.is_empty() { Ok(Taken::News) } else { Err(Fault::Section) }
    }

    fn replace(&mut self, slot: &Slot, next: Held, now: u64) {
        let (jws, via) = (next.jws.clone(), next.via.clone());
        let stored = Stored { jws, via, sections: next.sections.values().cloned().collect() };
        let (version, hash, from) = (next.manifest.version, next.hash, next.from.clone());
        let repaired = next.repaired;
        let state = self.slots.entry(slot.clone()).or_default();
        let same_content = |held: &Held| {
            held.manifest.sections == next.manifest.sections && held.manifest.leaving == next.manifest.leaving
        };
        let changed = !state.held.as_ref().is_some_and(same_content);
        let lived = state.held.as_ref().map(|held| held.manifest.version);
        // What is newer goes on waiting beside it.
        state.waiting.take_if(|waiting| !outranks((waiting.manifest.version, waiting.hash), (version, hash)));
        state.held = Some(next);
        let life = |version: Version| (version.key_gen, version.epoch);
        if state.proof.as_ref().is_some_and(|(disputed, _)| life(*disputed) < life(version)) {
            state.proof = None;
        }
        self.pulling.arrived(&Wanted { slot: slot.clone(), proof: false }, version, hash);
        self.seen.may_have_changed(&slot.origin);
        self.out.push(Output::Store(slot.clone(), stored));
        self.event(Event::Accepted { slot: slot.clone(), version, from, changed });
        if lived.is_some_and(|lived| lived < version)
            && let Some(neighbour) = self.neighbours.get_mut(&slot.origin)
        {
            neighbour.encourage(&self.settings, now);
        }
        self.spread(slot, changed && !repaired, now);
    }

    /// Those that the roster has of the relays that are said to be on the way of a document.
    fn known_ways(&self, said: &[OriginId]) -> Vec<OriginId> {
        said.iter().take(self.settings.hops as usize).filter_map(|name| self.roster.name_of(name)).collect()
    }

    /// What is stored from before: believed like anything else, and old until something newer comes.
    pub(super) fn restore(&mut self, stored: Stored, now: Now) {
        let Stored { jws, via, sections } = stored;
        let Ok(manifest) = jws.manifest() else { return };
        let via = self.known_ways(&via);
        // What an origin said that is out of the roster now, or under replaced keys, was believed when it was stored: kept,
        // so that nothing older of it is believed should it come back. It is shown as excluded.
        let member = self.roster.members.get(&manifest.origin);
        let replaced = |member: &Member| member.key_gen >= manifest.version.key_gen && !member.admits(manifest.version);
        let excluded = member.is_none_or(replaced);
        let entitled = self.roster.entitled(&self.me, &manifest.origin, &manifest.audience);
        let taken = excluded || (entitled && self.believe(&jws, &manifest, now.wall).is_ok());
        if manifest.origin == self.me || !taken || !self.roster.members.contains_key(&self.me) {
            return;
        }
        let slot = manifest.slot();
        let fits = |body: &SectionBody| manifest.sections.get(&body.name) == Some(&body.reference());
        let sections: std::collections::BTreeMap<_, _> =
            sections.into_iter().filter(fits).map(|body| (body.name.clone(), body)).collect();
        let held = Held {
            hash: jws.hash(),
            jws,
            received_at: now.mono,
            age_at_receipt: manifest.valid_for_ms.saturating_add(1),
            hops: u32::try_from(via.len()).unwrap_or(self.settings.hops),
            via,
            from: self.me.clone(),
            repaired: true,
            sections,
            manifest,
        };
        if held.is_whole() {
            let state = self.slots.entry(slot).or_default();
            state.advanced_at = now.mono;
            state.held = Some(held);
        }
    }

    // === one version, two manifests ===

    fn look_for_dispute(&mut self, slot: &Slot, jws: &Jws, manifest: &Manifest, now: u64) {
        let Some(state) = self.slots.get(slot) else { return };
        let candidates = [state.held.as_ref(), state.waiting.as_ref()];
        let twin = candidates
            .into_iter()
            .flatten()
            .find(|held| held.manifest.version == manifest.version && held.hash != jws.hash());
        if let Some(twin) = twin {
            let proof = Proof::of(twin.jws.clone(), jws.clone());
            // Who sent the second may not know of the first.
            self.learn(slot, manifest.version, proof, None, now);
        }
    }

    fn learn(&mut self, slot: &Slot, version: Version, proof: Proof, from: Option<SessionId>, now: u64) {
        let state = self.slots.entry(slot.clone()).or_default();
        let life = |version: Version| (version.key_gen, version.epoch);
        let old = state.proof.as_ref().is_some_and(|(known, _)| life(*known) >= life(version));
        let over = state.held.as_ref().is_some_and(|held| life(held.manifest.version) > life(version));
        if old || over {
            return;
        }
        state.proof = Some((version, proof));
        self.pulling.proven(slot);
        self.event(Event::Disputed { slot: slot.clone(), version });
        self.spread_proof(slot, from, now);
        self.spread(slot, false, now);
    }

    /// Takes what is said to be a proof; believed only if both manifests are the origin's.
    pub(super) fn take_proof(&mut self, session: SessionId, proof: Proof, now: Now) -> Taken {
        let Some(from) = self.sessions.get(&session).map(|session| session.peer.clone()) else { return Taken::Nothing };
        let (Ok(first), Ok(second)) = (proof.first.manifest(), proof.second.manifest()) else {
            return self.dropped(&from, None, Fault::Proof, now.mono);
        };
        let slot = first.slot();
        let known = self.slots.get(&slot).is_some_and(|state| state.is_disputed());
        let state_full = first.origin == self.me;
        if known || state_full {
            return Taken::Nothing;
        }
        let two = slot == second.slot() && first.version == second.version && proof.first.hash() != proof.second.hash();
        let shared = is_shared(&self.roster, &self.me, &from, &slot);
        let valid = |jws: &Jws, manifest: &Manifest| self.believe(jws, manifest, now.wall).is_ok();
        if !two || !shared || !valid(&proof.first, &first) || !valid(&proof.second, &second) {
            return self.dropped(&from, Some(slot), Fault::Proof, now.mono);
        }
        self.learn(&slot, first.version, Proof::of(proof.first, proof.second), Some(session), now.mono);
        Taken::News
    }
}
