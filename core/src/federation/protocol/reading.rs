//! What a node knows, for those who look at it: nothing here changes anything.

use super::{
    digest,
    freshness::{Evidence, Standing, judge},
    identity::{Audience, OriginId, Slot},
    manifest::Hash,
    node::Node,
    session::{Session, SessionId},
    slots::{Held, SlotState},
};

impl Node {
    /// How an origin is seen; `None` if nothing was ever heard of it.
    #[must_use]
    pub fn standing(&self, origin: &OriginId, now: u64) -> Option<Standing> {
        let (evidence, disputed) = self.evidence(origin, now)?;
        let Evidence { age: age_ms, valid_for: valid_for_ms, .. } = evidence;
        Some(Standing { freshness: judge(&evidence), age_ms, valid_for_ms, disputed })
    }

    /// What there is to judge an origin by, and whether it is disputed.
    pub(super) fn evidence(&self, origin: &OriginId, now: u64) -> Option<(Evidence, bool)> {
        let of_origin = || self.slots_of(origin);
        let all = || of_origin().filter_map(|(_, state)| state.held.as_ref());
        // What is of a former life, or withdrawn, says nothing as long as there is something else.
        let epoch = self.newest_epoch(origin);
        let of_this_life = all().filter(|held| epoch.is_some() && self.is_of_its_life(origin, held, epoch));
        let newest = of_this_life.min_by_key(|held| (held.manifest.leaving, held.age(now))).or_else(|| all().next())?;
        let advanced = of_origin().map(|(_, state)| state.advanced_at).max().unwrap_or(0);
        let evidence = Evidence {
            age: newest.age(now),
            valid_for: newest.manifest.valid_for_ms,
            since_advance: now.saturating_sub(advanced),
            direct: *origin == self.me || self.session_with(origin).is_some(),
            leaving: newest.manifest.leaving,
            member: self.roster.members.contains_key(origin) && self.counts(origin, newest),
        };
        let disputed = of_origin().any(|(_, state)| state.is_disputed());
        Some((evidence, disputed))
    }

    /// Whether the roster admits a document. It says nothing of an origin that it has not.
    fn counts(&self, origin: &OriginId, held: &Held) -> bool {
        self.roster.members.get(origin).is_none_or(|member| member.admits(held.manifest.version))
    }

    /// The newest life of an origin that is heard of; `None` if nothing that is held of it counts.
    fn newest_epoch(&self, origin: &OriginId) -> Option<u64> {
        let held = self.documents_of(origin).map(|(_, held)| held);
        held.filter(|held| self.counts(origin, held)).map(|held| held.manifest.version.epoch).max()
    }

    /// Whether a document is of its origin's newest life; if nothing of that counts, all are alike.
    fn is_of_its_life(&self, origin: &OriginId, held: &Held, newest: Option<u64>) -> bool {
        newest.is_none_or(|epoch| held.manifest.version.epoch == epoch && self.counts(origin, held))
    }

    /// The document held of a slot.
    #[must_use]
    pub fn document(&self, slot: &Slot) -> Option<&Held> {
        self.slots.get(slot)?.held.as_ref()
    }

    /// The documents held, in the order of their slots.
    pub fn documents(&self) -> impl Iterator<Item = (&Slot, &Held)> {
        self.slots.iter().filter_map(|(slot, state)| Some((slot, state.held.as_ref()?)))
    }

    /// The documents held of one origin that are worth showing: not what a former life said, and not what nothing newer has
    /// come of for a day. That is kept only so that nothing older is believed.
    pub fn shown_of<'node>(
        &'node self,
        origin: &'node OriginId,
        now: u64,
    ) -> impl Iterator<Item = (&'node Slot, &'node Held)> {
        let lasts = self.settings.keep_stale;
        let worth = move |state: &&SlotState| *origin == self.me || now.saturating_sub(state.advanced_at) <= lasts;
        let newest = self.newest_epoch(origin);
        let shown = self.slots_of(origin).filter(move |(_, state)| worth(state));
        let shown = shown.filter_map(|(slot, state)| Some((slot, state.held.as_ref()?)));
        shown.filter(move |(_, held)| self.is_of_its_life(origin, held, newest))
    }

    /// The documents held of one origin's newest life: it says no more what it said in a former one. If none of them counts
    /// under the roster, all that are held.
    pub fn documents_of_its_life<'node>(
        &'node self,
        origin: &'node OriginId,
    ) -> impl Iterator<Item = (&'node Slot, &'node Held)> {
        let newest = self.newest_epoch(origin);
        self.documents_of(origin).filter(move |(_, held)| self.is_of_its_life(origin, held, newest))
    }

    /// The documents held of one origin.
    pub fn documents_of<'node>(
        &'node self,
        origin: &'node OriginId,
    ) -> impl Iterator<Item = (&'node Slot, &'node Held)> {
        self.slots_of(origin).filter_map(|(slot, state)| Some((slot, state.held.as_ref()?)))
    }

    /// An origin's slots are neighbours in the map, `federation` first.
    fn slots_of<'node>(&'node self, origin: &'node OriginId) -> impl Iterator<Item = (&'node Slot, &'node SlotState)> {
        let first = Slot { origin: origin.clone(), audience: Audience::Federation };
        self.slots.range(first..).take_while(move |(slot, _)| slot.origin == *origin)
    }

    /// The proofs held of two manifests under one version.
    pub fn proofs(&self) -> impl Iterator<Item = (&Slot, &super::message::Proof)> {
        self.slots.iter().filter_map(|(slot, state)| Some((slot, &state.proof.as_ref()?.1)))
    }

    /// What a neighbour may be sent of all that is held, for whoever wants to know beforehand.
    pub fn visible_to<'node>(&'node self, reader: &'node OriginId) -> impl Iterator<Item = (&'node Slot, &'node Held)> {
        self.documents().filter(|(slot, _)| digest::is_shared(&self.roster, &self.me, reader, slot))
    }

    /// Root over all that is shared with a neighbour.
    #[must_use]
    pub fn root_with(&self, peer: &OriginId) -> Hash {
        digest::root(&digest::claims(&self.slots, &self.roster, (&self.me, peer), None))
    }

    /// The sessions, with the domains of their other sides.
    pub fn session_peers(&self) -> impl Iterator<Item = (SessionId, &OriginId)> {
        self.sessions.iter().map(|(id, session)| (*id, &session.peer))
    }

    /// With whom each neighbour says that it has sessions, by the neighbour.
    pub fn told_sessions(&self) -> impl Iterator<Item = (&OriginId, &OriginId)> {
        self.sessions.values().flat_map(|session| session.direct.iter().map(|other| (&session.peer, other)))
    }

    /// Whether a neighbour relays for us; not for a while after it sent too many bad items.
    #[must_use]
    pub fn relays(&self, neighbour: &OriginId, now: u64) -> bool {
        self.neighbours.get(neighbour).is_none_or(|one| one.may_relay(now))
    }

    /// How long ago, in milliseconds, anything came on the session with a neighbour.
    #[must_use]
    pub fn heard_before(&self, neighbour: &OriginId, now: u64) -> Option<u64> {
        self.session_with(neighbour).map(|session| now.saturating_sub(session.heard_at))
    }

    /// Whether we say nothing because somebody else publishes as us.
    #[must_use]
    pub fn has_stopped_publishing(&self) -> bool {
        self.own.stopped
    }

    /// Sizes of what is kept: slots, things wanted, requests open.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.slots.len(), self.pulling.len(), self.requests.len())
    }

    pub(super) fn session_with(&self, peer: &OriginId) -> Option<&Session> {
        self.sessions.values().find(|session| session.peer == *peer)
    }
}
