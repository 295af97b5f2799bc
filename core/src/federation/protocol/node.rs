//! A manager's part in the federation: takes what happens, says what is to be done.
//!
//! Everything a node does follows from the [`Input`]s it was given and their times; equal inputs give equal [`Output`]s,
//! but for what its ports bring (signatures, random numbers).

use std::collections::BTreeMap;

use super::{
    company::{Change, Company},
    digest::is_shared,
    event::Event,
    freshness::Freshness,
    identity::{Audience, OriginId, Slot},
    jws::{Jws, Signatures, SigningKey},
    limits::Settings,
    manifest::{Manifest, SectionBody},
    message::{Answer, Item, Subscription, Want},
    neighbour::{Neighbour, NeighbourState},
    publish::{Draft, Own},
    pulling::Pulling,
    roster::Roster,
    seeing::Seen,
    session::{Session, SessionId},
    slots::{Held, SlotState},
    version::Version,
};

/// The time of an input, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Never running backwards; only differences count.
    pub mono: u64,
    /// Unix time, right or wrong.
    pub wall: u64,
}

/// Stable storage for the epoch, and random numbers.
pub trait Epochs {
    /// Puts an epoch on stable storage; false if that failed. Nothing is signed in an epoch that is not there.
    fn record(&mut self, epoch: u64) -> bool;
    /// A random number that others cannot guess.
    fn random(&mut self) -> u64;
}

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The manifest, as signed.
    pub jws: Jws,
    /// Relays on its way, as they said.
    pub via: Vec<OriginId>,
    /// All its sections.
    pub sections: Vec<SectionBody>,
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// What the domain says to an audience, all of it.
    Publish {
        /// To whom.
        audience: Audience,
        /// What.
        draft: Draft,
    },
    /// Nothing is said to an audience any more.
    Withdraw(Audience),
    /// The domain leaves the federation in good order.
    Leave,
    /// A session is up: its identity has been checked.
    Connected {
        /// Its number, never used before.
        session: SessionId,
        /// Domain of the other side.
        peer: OriginId,
        /// We dialled.
        dialled: bool,
    },
    /// A session has ended.
    Disconnected(SessionId),
    /// A dial did not come to a session.
    DialFailed(OriginId),
    /// The other side has subscribed.
    Subscribed {
        /// Where.
        session: SessionId,
        /// To what.
        wishes: Subscription,
    },
    /// A report came. Its items have the right form.
    Report {
        /// Where.
        session: SessionId,
        /// In their order.
        items: Vec<Item>,
    },
    /// A report of ours was answered.
    Acknowledged {
        /// Where.
        session: SessionId,
        /// Its number.
        token: u64,
    },
    /// The other side asks for documents.
    Requested {
        /// Where.
        session: SessionId,
        /// To be given with the answer.
        token: u64,
        /// Which.
        wants: Vec<Want>,
    },
    /// A request of ours was answered.
    Answered {
        /// Where.
        session: SessionId,
        /// Its number.
        token: u64,
        /// The answer.
        answer: Answer,
    },
    /// The roster has changed.
    Roster(Roster),
    /// The configured neighbours have changed.
    Neighbours(BTreeMap<OriginId, Neighbour>),
    /// Time has passed. To come every 100 ms; nothing waits for it but what waits for time.
    Tick,
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the other side of a session to tell us things.
    Subscribe(SessionId),
    /// Send a report.
    Report {
        /// Where.
        session: SessionId,
        /// To be given with its acknowledgement.
        token: u64,
        /// What.
        items: Vec<Item>,
    },
    /// Ask for documents.
    Request {
        /// Where.
        session: SessionId,
        /// To be given with the answer.
        token: u64,
        /// Which.
        wants: Vec<Want>,
    },
    /// Answer a request.
    Answer {
        /// Where.
        session: SessionId,
        /// As asked with.
        token: u64,
        /// What there is.
        answer: Answer,
    },
    /// Dial a neighbour; ends with `Connected` or `DialFailed`.
    Dial(OriginId),
    /// End a session.
    Close(SessionId),
    /// Store a document in place of what is stored of its slot.
    Store(Slot, Stored),
    /// Something to tell.
    Event(Event),
}

/// A manager's part in the federation.
pub struct Node {
    pub(super) me: OriginId,
    pub(super) settings: Settings,
    pub(super) roster: Roster,
    pub(super) slots: BTreeMap<Slot, SlotState>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) neighbours: BTreeMap<OriginId, NeighbourState>,
    pub(super) pulling: Pulling,
    pub(super) requests: BTreeMap<(SessionId, u64), Vec<super::pulling::Wanted>>,
    pub(super) own: Own,
    pub(super) signatures: Box<dyn Signatures + Send>,
    key: Box<dyn SigningKey + Send>,
    pub(super) epochs: Box<dyn Epochs + Send>,
    pub(super) out: Vec<Output>,
    pub(super) next_token: u64,
    /// Sessions have come or gone since neighbours were told of them.
    pub(super) direct_changed: bool,
    pub(super) next_direct: u64,
    next_repair: u64,
    last_tick: Option<u64>,
    pub(super) last_input: Now,
    /// Our clock was set since the last manifest was signed.
    pub(super) clock_was_set: bool,
    company: Company,
    pub(super) seen: Seen,
}

/// Who a node is, with what it signs, and what it remembers.
pub struct Start {
    /// Own domain.
    pub me: OriginId,
    /// Bounds and times.
    pub settings: Settings,
    /// Who belongs to the federation.
    pub roster: Roster,
    /// Checks signatures.
    pub signatures: Box<dyn Signatures + Send>,
    /// Signs.
    pub key: Box<dyn SigningKey + Send>,
    /// Stores the epoch.
    pub epochs: Box<dyn Epochs + Send>,
    /// The epoch stored last; 0: none.
    pub last_epoch: u64,
    /// Documents stored.
    pub stored: Vec<Stored>,
}

impl Node {
    /// A node that begins: with a new epoch, and with what it held before, which counts as old until something newer comes.
    #[must_use]
    pub fn new(start: Start, now: Now) -> Self {
        let Start { me, settings, roster, signatures, key, epochs, last_epoch, stored } = start;
        let mut node = Self {
            me,
            settings,
            roster,
            slots: BTreeMap::new(),
            sessions: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            pulling: Pulling::default(),
            requests: BTreeMap::new(),
            own: Own::default(),
            signatures,
            key,
            epochs,
            out: Vec::new(),
            next_token: 0,
            direct_changed: false,
            next_direct: now.mono,
            next_repair: now.mono,
            last_tick: None,
            last_input: now,
            clock_was_set: false,
            company: Company::default(),
            seen: Seen::default(),
        };
        node.take_epoch(last_epoch.max(node.least_epoch()), now);
        stored.into_iter().for_each(|document| node.restore(document, now));
        node
    }

    /// Takes what happened; tells what is to be done about it, in order.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Output> {
        self.watch_clock(now);
        match input {
            Input::Publish { audience, draft } => self.publish(&audience, &draft, now),
            Input::Withdraw(audience) => self.withdraw(&audience, now),
            Input::Leave => self.leave(now),
            Input::Connected { session, peer, dialled } => self.connected(session, peer, dialled, now.mono),
            Input::Disconnected(session) => self.disconnected(session, now.mono),
            Input::DialFailed(peer) => self.dial_failed(&peer, now.mono),
            Input::Subscribed { session, wishes } => self.subscribed(session, wishes, now.mono),
            Input::Report { session, items } => self.reported(session, items, false, now),
            Input::Acknowledged { session, token } => self.acknowledged(session, token, now.mono),
            Input::Requested { session, token, wants } => self.requested(session, token, &wants, now.mono),
            Input::Answered { session, token, answer } => self.answered(session, token, answer, now),
            Input::Roster(roster) => self.new_roster(roster, now),
            Input::Neighbours(neighbours) => self.new_neighbours(&neighbours, now.mono),
            Input::Tick => self.tick(now),
        }
        self.ask(now.mono);
        self.flush(now.mono);
        std::mem::take(&mut self.out)
    }

    pub(super) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    // === our own documents ===

    fn publish(&mut self, audience: &Audience, draft: &Draft, now: Now) {
        let (own, epochs) = (&mut self.own, &mut self.epochs);
        let salt = || {
            let mut salt = [0; 16];
            salt[..8].copy_from_slice(&epochs.random().to_le_bytes());
            salt[8..].copy_from_slice(&epochs.random().to_le_bytes());
            salt
        };
        own.take(audience, draft, &self.settings, now.mono, salt);
        self.sign_what_is_due(now);
    }

    fn withdraw(&mut self, audience: &Audience, now: Now) {
        self.own.withdraw(audience, &self.settings, now.mono);
        self.sign_what_is_due(now);
    }

    fn leave(&mut self, now: Now) {
        self.own.leaving = true;
        for slot in self.own.slots.values_mut().filter(|slot| !slot.withdrawn) {
            slot.changed = true;
            slot.signed_at = None;
        }
        self.sign_what_is_due(now);
    }

    pub(super) fn sign_what_is_due(&mut self, now: Now) {
        let settings = &self.settings;
        let due = self.own.slots.iter_mut().filter_map(|(audience, slot)| {
            let due = slot.is_due(settings, now.mono);
            due.then(|| audience.clone())
        });
        let mut due = due.collect::<Vec<_>>();
        if self.clock_was_set && !due.is_empty() && self.own.epoch.is_some() {
            // Others compare our clock with theirs: that begins anew with an epoch.
            self.clock_was_set = false;
            self.take_epoch(0, now);
            due = self.own.slots.keys().cloned().collect();
        }
        for audience in due {
            self.sign(&audience, now);
        }
    }

    fn sign(&mut self, audience: &Audience, now: Now) {
        let (Some(epoch), false) = (self.own.epoch, self.own.stopped) else { return };
        let Some(member) = self.roster.members.get(&self.me) else { return };
        let Some(own) = self.own.slots.get_mut(audience) else { return };
        let version = Version { key_gen: member.key_gen, epoch, seq: own.seq + 1 };
        let manifest = Manifest {
            v: 1,
            federation: self.roster.federation.clone(),
            origin: self.me.clone(),
            audience: audience.clone(),
            version,
            issued_at: now.wall,
            valid_for_ms: self.settings.valid_for,
            leaving: self.own.leaving || own.withdrawn,
            sections: own.sections.iter().map(|(name, body)| (name.clone(), body.reference())).collect(),
        };
        let Some(jws) = Jws::sign(&manifest, &*self.key) else { return self.event(Event::NoSignature) };
        let changed = own.changed;
        own.signed(now.mono);
        let slot = manifest.slot();
        let held = Held {
            hash: jws.hash(),
            jws,
            manifest,
            sections: own.sections.clone(),
            received_at: now.mono,
            age_at_receipt: 0,
            hops: 0,
            via: Vec::new(),
            from: self.me.clone(),
            repaired: false,
        };
        let state = self.slots.entry(slot.clone()).or_default();
        state.held = Some(held);
        state.advanced_at = now.mono;
        self.event(Event::Published { slot: slot.clone(), version, changed });
        self.spread(&slot, true, now.mono);
    }

    /// Signs with another key from now on; peers have to know it already. Everything is signed anew.
    pub fn sign_with(&mut self, key: Box<dyn SigningKey + Send>, now: Now) -> Vec<Output> {
        self.key = key;
        self.own.slots.values_mut().for_each(|slot| slot.signed_at = None);
        self.sign_what_is_due(now);
        self.flush(now.mono);
        std::mem::take(&mut self.out)
    }

    // === membership ===

    fn least_epoch(&self) -> u64 {
        self.roster.members.get(&self.me).map_or(0, |member| member.min_epoch)
    }

    fn new_roster(&mut self, roster: Roster, now: Now) {
        if roster.version < self.roster.version {
            return self.event(Event::OldRoster { version: roster.version });
        }
        let generation = |roster: &Roster| roster.members.get(&self.me).map(|member| member.key_gen);
        let rekeyed = generation(&roster) != generation(&self.roster);
        self.roster = roster;
        let least = self.least_epoch();
        if rekeyed {
            // Under new keys no epoch was used; what was heard of under the old ones was perhaps a thief's.
            self.own.forget_heard();
        }
        if rekeyed || self.own.epoch.is_some_and(|ours| ours < least) {
            self.take_epoch(least, now);
        }
        let (sessions, roster, me) = (&self.sessions, &self.roster, &self.me);
        self.pulling.retain(|wanted, session| {
            sessions.get(&session).is_some_and(|session| is_shared(roster, me, &session.peer, &wanted.slot))
        });
        // What waits for its sections was admitted by the roster before.
        for (slot, state) in &mut self.slots {
            let member = roster.members.get(&slot.origin);
            state.waiting.take_if(|held| member.is_none_or(|member| !member.admits(held.manifest.version)));
        }
        self.seen.all_may_have_changed();
        let gone: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| !self.roster.members.contains_key(&session.peer))
            .map(|(id, _)| *id)
            .collect();
        for session in gone {
            self.close(session, now.mono);
        }
        self.sign_what_is_due(now);
    }

    // === time ===

    fn tick(&mut self, now: Now) {
        let late = self.last_tick.is_some_and(|last| now.mono.saturating_sub(last) > self.settings.late_tick);
        self.last_tick = Some(now.mono);
        if late {
            self.held_up(now.mono);
        }
        self.follow_ourselves(now);
        self.sign_what_is_due(now);
        self.watch_sessions(now.mono);
        self.dial(now.mono);
        self.tell_direct(now.mono);
        self.compare(now.mono);
        self.look_around(now.mono);
    }

    /// We were held up ourselves: silence of others in that time means nothing.
    fn held_up(&mut self, now: u64) {
        self.sessions.values_mut().for_each(|session| session.heard_at = now);
        let change = self.company.held_up(self.sessions.len(), now);
        self.company_changed(change);
    }

    fn watch_sessions(&mut self, now: u64) {
        let silent: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| now.saturating_sub(session.heard_at) >= self.settings.dead)
            .map(|(id, _)| *id)
            .collect();
        for session in silent {
            self.close(session, now);
        }
        let expected = !self.sessions.is_empty() || self.neighbours.keys().any(|peer| self.is_expected(peer, now));
        let change = self.company.look(self.sessions.len(), expected, &self.settings, now);
        self.company_changed(change);
    }

    /// Whether a neighbour should have a session with us: it belongs to the federation, as we do, and has not left.
    fn is_expected(&self, peer: &OriginId, now: u64) -> bool {
        let members = &self.roster.members;
        let left = self.standing(peer, now).is_some_and(|seen| seen.freshness == Freshness::Withdrawn);
        *peer != self.me && members.contains_key(&self.me) && members.contains_key(peer) && !left
    }

    /// Notes that a session has died, and whether it is rather we who are cut off.
    pub(super) fn died(&mut self, peer: &OriginId, now: u64) {
        let left = self.sessions.values().map(|session| &session.peer).collect();
        let change = self.company.died(peer, &left, &self.settings, now);
        self.company_changed(change);
    }

    fn company_changed(&mut self, change: Option<Change>) {
        match change {
            Some(Change::CutOff(why)) => self.event(Event::Isolated(why)),
            Some(Change::Back) => self.event(Event::Rejoined),
            None => {}
        }
    }

    /// Whether we take ourselves to be cut off.
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.company.is_isolated()
    }

    fn dial(&mut self, now: u64) {
        let sessions = &self.sessions;
        let connected = |peer: &OriginId| sessions.values().any(|session| session.peer == *peer);
        for (peer, state) in &mut self.neighbours {
            let wanted = state.configured.dial && !state.dialling && state.next_dial <= now;
            if wanted && self.roster.members.contains_key(peer) && !connected(peer) {
                state.dialling = true;
                self.out.push(Output::Dial(peer.clone()));
            }
        }
    }

    fn compare(&mut self, now: u64) {
        if now < self.next_repair {
            return;
        }
        let spread = self.settings.repair / 5;
        self.next_repair = now + self.settings.repair - spread + self.epochs.random() % (2 * spread + 1);
        let told: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| session.subscription.is_some()).map(|(id, _)| *id).collect();
        if !told.is_empty() {
            let drawn = usize::try_from(self.epochs.random() % told.len() as u64).unwrap_or(0);
            self.send_root(told[drawn], now);
        }
    }

    pub(super) fn random(&mut self) -> u64 {
        self.epochs.random()
    }
}
