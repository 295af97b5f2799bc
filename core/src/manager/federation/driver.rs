//! The thread that runs the protocol: letters in, outputs carried out in their order, storage before sending.

mod requests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use aws_lc_rs::rand::SystemRandom;

use self::requests::{ABOUT_REQUESTS, Requests};
use super::{
    Federation, Membership, PlainSpeaker, Post, Speaker,
    announced::Announced,
    behind::Way,
    border::Border,
    dials::Unreached,
    locked,
    mailbox::Letter,
    ports::{Ports, from_row, to_row},
    rolling,
    sightings::Sightings,
    tell::Teller,
};
use crate::{
    clock::wall_time,
    config::limits::{DISCLOSURES_KEPT, FEDERATION_LOOK, FEDERATION_TICK},
    connection::{PeerConnection, exchange::MESSAGE_ID},
    federation::{
        keys::OwnKey,
        messages::{self, Question},
        protocol::{
            Answer, Audience, Event, Input, Item, Node, Now, OriginId, Output, SessionId, Settings, Signatures, Slot,
            Start, Subscription,
        },
        request::Book,
    },
    model::Timestamp,
    storage::{
        error::StorageError,
        federation::{Disclosure, FederationDb},
    },
    wire::{encode, is_success, message_type},
};

/// What the federation is made of.
pub struct Parts {
    /// Our domain.
    pub domain: OriginId,
    /// Our manager ID.
    pub manager: String,
    /// Bounds and times of the protocol.
    pub settings: Settings,
    /// Who takes part.
    pub membership: Membership,
    /// Checks signatures.
    pub signatures: Box<dyn Signatures + Send>,
    /// Signs.
    pub key: OwnKey,
    /// Storage.
    pub db: FederationDb,
    /// What we say.
    pub speaker: Box<dyn Speaker>,
    /// The border that it passes.
    pub border: Arc<Border>,
    /// What we say to managers that know nothing of all this.
    pub plain: PlainSpeaker,
    /// Alarms, audit and log.
    pub teller: Teller,
    /// Where letters are put.
    pub post: Post,
    /// Where maintenance of links is told to others in the manager.
    pub announced: Announced,
}

/// A connection with a peer.
pub(super) struct Session {
    pub(super) connection: PeerConnection,
    pub(super) domain: OriginId,
    pub(super) since: Timestamp,
    /// Whether the peer answered that it tells us things; absent: not answered yet.
    pub(super) tells_us: Option<bool>,
    /// When messages without an answer were sent.
    sent: BTreeMap<u64, Instant>,
    /// Time from message to answer, the last.
    pub(super) round_trip: Option<Duration>,
    pub(super) messages: (u64, u64),
}

/// The state machine and the connections it speaks over.
pub(super) struct Core {
    pub(super) node: Node,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) membership: Membership,
    /// Requests to peers, and of them.
    pub(super) book: Book,
    /// What peers sent and was dropped, since the start.
    pub(super) dropped: BTreeMap<OriginId, u64>,
    /// When it was learnt how ends of links are.
    pub(super) sightings: Sightings,
    /// Dials that came to no session.
    pub(super) unreached: Unreached,
    begun: Instant,
}

impl Core {
    pub(super) fn now(&self) -> Now {
        let mono = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { mono, wall: u64::try_from(wall_time().0).unwrap_or(0) }
    }

    /// What a peer may ask of us, in the words of the configuration.
    pub(super) fn may_ask(&self, domain: &OriginId) -> Vec<String> {
        let kinds = self.membership.terms.get(domain).into_iter().flat_map(|terms| &terms.kinds);
        kinds.map(|kind| kind.configured().to_owned()).collect()
    }

    /// A document is another now.
    fn taken(&mut self, slot: &Slot) {
        let Self { node, sightings, .. } = self;
        if let Some(held) = node.document(slot) {
            sightings.taken(slot, held, Some(wall_time()));
        }
    }
}

struct Driver {
    federation: Arc<Federation>,
    db: Arc<Mutex<FederationDb>>,
    manager: String,
    domain: OriginId,
    speaker: Box<dyn Speaker>,
    plain: PlainSpeaker,
    teller: Teller,
    audiences: Vec<Audience>,
    looked: Option<Instant>,
    ticked: Instant,
    /// Public half of the key that we sign with.
    own_key: Vec<u8>,
    /// Connections on Mx of managers that are no peers: they may become some. As many as the interface has connections.
    strangers: BTreeMap<SessionId, PeerConnection>,
    requests: Requests,
}

/// Starts the federation. Must be called on a tokio runtime.
///
/// # Errors
/// If what was stored cannot be read, or no thread can be had.
pub fn start(parts: Parts) -> Result<Arc<Federation>, StorageError> {
    let (manager, announced) = (parts.manager.clone(), parts.announced.clone());
    let Parts { domain, settings, membership, signatures, key, db, speaker, border, plain, teller, post, .. } = parts;
    let own_key = key.public().public.clone();
    let (last_epoch, stored, mut book) = (db.epoch()?, db.documents()?, requests::stored(&db)?);
    book.set_terms(membership.terms.clone());
    let db = Arc::new(Mutex::new(db));
    let ports = || Ports { db: Arc::clone(&db), random: SystemRandom::new() };
    let random = ports();
    let epochs = Box::new(ports());
    let start = Start {
        me: domain.clone(),
        settings,
        roster: membership.roster.clone(),
        signatures,
        key: Box::new(key),
        epochs,
        last_epoch,
        stored: stored.into_iter().map(from_row).collect(),
    };
    let begun = Instant::now();
    let wall = u64::try_from(wall_time().0).unwrap_or(0);
    let mut node = Node::new(start, Now { mono: 0, wall });
    let neighbours = Input::Neighbours(membership.neighbours());
    let first = node.handle(neighbours, Now { mono: 0, wall });
    let mut sightings = Sightings::default();
    node.documents().for_each(|(slot, held)| sightings.taken(slot, held, None));
    let federation = Arc::new(Federation {
        metrics: Arc::clone(&teller.metrics),
        core: Arc::new(Mutex::new(Core {
            node,
            sessions: BTreeMap::new(),
            membership,
            book,
            dropped: BTreeMap::new(),
            sightings,
            unreached: Unreached::default(),
            begun,
        })),
        mailbox: post.0,
        connections: OnceLock::new(),
        runtime: tokio::runtime::Handle::current(),
        thread: Mutex::default(),
        border,
    });
    let mut driver = Driver {
        federation: Arc::clone(&federation),
        db,
        manager,
        domain,
        speaker,
        plain,
        teller,
        // What a former life told everybody is taken back if this one does not.
        audiences: vec![Audience::Federation],
        looked: None,
        ticked: begun,
        own_key,
        strangers: BTreeMap::new(),
        requests: Requests { announced, random, not_before: None, number: 0 },
    };
    let thread = std::thread::Builder::new().name("federation".to_owned()).spawn(move || {
        driver.recall_requests();
        driver.carry_out(first);
        while driver.turn() {}
    });
    let data_dir = std::path::PathBuf::from("federation thread");
    let thread = thread.map_err(|source| StorageError::Io { what: "start", path: data_dir, source })?;
    *locked(&federation.thread) = Some(thread);
    Ok(federation)
}

impl Driver {
    /// Takes what waits, and a tick if it is time; false when it is over.
    fn turn(&mut self) -> bool {
        let patience = FEDERATION_TICK.saturating_sub(self.ticked.elapsed());
        let letters = self.federation.mailbox.take(patience);
        let (mut outputs, mut goes_on) = (Vec::new(), true);
        let mut look = false;
        for letter in letters {
            match letter {
                Letter::Look => look = true,
                Letter::Stop => {
                    goes_on = false;
                    self.remember(true);
                    outputs.extend(self.handle(Input::Leave));
                    break;
                }
                letter => outputs.extend(self.open(letter)),
            }
        }
        if self.ticked.elapsed() >= FEDERATION_TICK {
            self.ticked = Instant::now();
            outputs.extend(self.handle(Input::Tick));
            self.complain();
            self.requests_due();
        }
        let often = self.looked.is_none_or(|looked| looked.elapsed() >= FEDERATION_LOOK);
        if look || often {
            outputs.extend(self.look());
        }
        self.carry_out(outputs);
        goes_on
    }

    fn handle(&self, input: Input) -> Vec<Output> {
        let mut core = locked(&self.federation.core);
        let now = core.now();
        core.node.handle(input, now)
    }

    /// Time passes for alarms about domains: who is behind a silent one is not complained about.
    fn complain(&self) {
        let core = locked(&self.federation.core);
        let waiting = self.teller.waiting();
        let behind = waiting.into_iter().filter(|domain| core.silent_way(domain).is_some()).collect();
        let unheard = core.unheard();
        drop(core);
        self.teller.tick(&behind, &unheard);
    }

    /// Sees what the domain has to say now.
    fn look(&mut self) -> Vec<Output> {
        self.looked = Some(Instant::now());
        let heard = {
            let core = locked(&self.federation.core);
            rolling::heard(&core, &self.domain)
        };
        let drafts = self.speaker.drafts(heard);
        self.remember(false);
        let mut outputs = Vec::new();
        for audience in std::mem::take(&mut self.audiences) {
            if !drafts.contains_key(&audience) {
                outputs.extend(self.handle(Input::Withdraw(audience)));
            }
        }
        self.audiences = drafts.keys().cloned().collect();
        for (audience, draft) in drafts {
            outputs.extend(self.handle(Input::Publish { audience, draft }));
        }
        outputs
    }

    /// Stores what is known of services; what cannot be stored is tried again with what comes after.
    fn remember(&mut self, is_end: bool) {
        if let Some(services) = self.speaker.to_remember(is_end)
            && let Err(error) = locked(&self.db).write_services(&services)
        {
            tracing::warn!(%error, "What was seen of services with other domains could not be stored.");
        }
    }

    fn open(&mut self, letter: Letter) -> Vec<Output> {
        match letter {
            Letter::Opened(connection) => self.opened(connection),
            Letter::Closed(outlet) => {
                self.strangers.remove(&SessionId(outlet));
                let outputs = self.handle(Input::Disconnected(SessionId(outlet)));
                locked(&self.federation.core).sessions.remove(&SessionId(outlet));
                outputs
            }
            Letter::DialFailed(domain, why) => {
                self.federation.metrics.federation.dials_failed.increment();
                locked(&self.federation.core).dial_failed(&domain, why);
                self.handle(Input::DialFailed(domain))
            }
            Letter::Told { outlet, items } => self.handle(Input::Report { session: SessionId(outlet), items }),
            Letter::Asked { outlet, message_id, question } => self.asked(SessionId(outlet), &message_id, question),
            Letter::Answered { outlet, message_id, response, items } => {
                self.answered(SessionId(outlet), &message_id, &response, items)
            }
            Letter::Subscribes { outlet, message_id, wishes } => {
                self.subscribes(SessionId(outlet), &message_id, wishes)
            }
            Letter::Said { outlet, said } => {
                self.said(SessionId(outlet), said);
                Vec::new()
            }
            Letter::Order(order) => {
                self.order(*order);
                Vec::new()
            }
            Letter::Configured(membership, key) => {
                let (roster, neighbours) = (membership.roster.clone(), membership.neighbours());
                let mut outputs = self.handle(Input::Roster(roster));
                if key.public().public != self.own_key {
                    self.own_key.clone_from(&key.public().public);
                    let mut core = locked(&self.federation.core);
                    let now = core.now();
                    outputs.extend(core.node.sign_with(key, now));
                }
                let mut core = locked(&self.federation.core);
                core.book.set_terms(membership.terms.clone());
                let Core { node, sightings, .. } = &mut *core;
                sightings.keep_only(|slot| node.document(slot).is_some());
                core.membership = *membership;
                core.forget_dials();
                drop(core);
                outputs.extend(self.handle(Input::Neighbours(neighbours)));
                self.end_connections_of_new_peers();
                self.looked = None;
                outputs
            }
            Letter::Look | Letter::Stop => Vec::new(),
        }
    }

    /// Who was connected before it became a peer has asked for nothing that counts, or was not heard: it connects anew.
    fn end_connections_of_new_peers(&mut self) {
        let core = locked(&self.federation.core);
        self.strangers.retain(|_, connection| {
            let is_peer = core.membership.domain_of(&connection.managers).is_some();
            if is_peer {
                connection.cancel.cancel();
            }
            !is_peer
        });
    }

    fn opened(&mut self, connection: PeerConnection) -> Vec<Output> {
        let session = SessionId(connection.outlet.id);
        let dialled = connection.dialled;
        let mut core = locked(&self.federation.core);
        // Whoever is no peer may report on Mx like any component; it takes no part in this.
        let Some(domain) = core.membership.domain_of(&connection.managers) else {
            drop(core);
            self.strangers.insert(session, connection);
            return Vec::new();
        };
        let entered = Session {
            connection,
            domain: domain.clone(),
            since: wall_time(),
            tells_us: None,
            sent: BTreeMap::new(),
            round_trip: None,
            messages: (0, 0),
        };
        core.unreached.reached(&domain);
        core.sessions.insert(session, entered);
        let now = core.now();
        core.node.handle(Input::Connected { session, peer: domain, dialled }, now)
    }

    fn asked(&self, session: SessionId, message_id: &str, question: Question) -> Vec<Output> {
        match question {
            Question::Wants(wants) => {
                let token = locked(&self.federation.core).sessions.get_mut(&session).map(|open| {
                    open.messages.0 += 1;
                    open.messages.0
                });
                let Some(token) = token else { return Vec::new() };
                let outputs = self.handle(Input::Requested { session, token, wants });
                // Answers are given at once; others that follow from it are carried out in their turn.
                let (answers, others): (Vec<_>, Vec<_>) = outputs
                    .into_iter()
                    .partition(|output| matches!(output, Output::Answer { token: other, .. } if *other == token));
                for output in answers {
                    if let Output::Answer { answer, .. } = output {
                        self.answer(session, message_id, &answer);
                    }
                }
                others
            }
            Question::Plain => {
                let extension = (self.plain)();
                self.reply(session, message_type::STATUS_REPORT_REQUEST_RESPONSE, message_id, &extension);
                Vec::new()
            }
        }
    }

    fn answer(&self, session: SessionId, message_id: &str, answer: &Answer) {
        let extension = messages::write(&answer.items);
        self.reply(session, message_type::STATUS_REPORT_REQUEST_RESPONSE, message_id, &extension);
        self.disclosed(session, &answer.items);
    }

    fn reply(&self, session: SessionId, kind: &str, message_id: &str, extension: &str) {
        let mut line = Vec::new();
        encode::with_extension(&mut line, kind, Some(message_id), &self.manager, Some("success"), extension);
        if let Some(open) = locked(&self.federation.core).sessions.get(&session) {
            self.sent(&line);
            open.connection.outlet.answer(&line);
        }
    }

    fn answered(&self, session: SessionId, message_id: &str, response: &str, items: Vec<Item>) -> Vec<Output> {
        let Some(number) = message_id.strip_prefix(MESSAGE_ID) else { return Vec::new() };
        if number == SUBSCRIBED {
            if let Some(open) = locked(&self.federation.core).sessions.get_mut(&session) {
                open.tells_us = Some(is_success(response));
            }
            return Vec::new();
        }
        if number.starts_with(ABOUT_REQUESTS) && !is_success(response) {
            // It is said again later: by us if we ask, by its sender if it asks.
            tracing::info!(response, "A peer refused a message about requests.");
        }
        let Ok(token) = number.parse() else { return Vec::new() };
        if let Some(open) = locked(&self.federation.core).sessions.get_mut(&session) {
            open.round_trip = open.sent.remove(&token).map(|sent| sent.elapsed());
        }
        if !is_success(response) {
            tracing::info!(response, "A peer refused a message of the federation.");
        }
        let mut outputs = self.handle(Input::Acknowledged { session, token });
        outputs.extend(self.handle(Input::Answered { session, token, answer: Answer { items } }));
        outputs
    }

    fn subscribes(&self, session: SessionId, message_id: &str, wishes: Subscription) -> Vec<Output> {
        let outputs = self.handle(Input::Subscribed { session, wishes: wishes.clone() });
        let granted = messages::write_granted(&wishes, session.0);
        self.reply(session, message_type::SUBSCRIBE_RESPONSE, message_id, &granted);
        outputs
    }

    /// Does what the state machine says, in its order; what is to be stored is stored before anything is sent.
    fn carry_out(&mut self, outputs: Vec<Output>) {
        let mut documents = Vec::new();
        let mut rest = VecDeque::new();
        for output in outputs {
            match output {
                Output::Store(slot, stored) => documents.push(to_row(&slot, stored)),
                other => rest.push_back(other),
            }
        }
        if !documents.is_empty()
            && let Err(error) = locked(&self.db).write(&documents, &[], DISCLOSURES_KEPT)
        {
            self.teller.not_stored(&error);
        }
        for output in rest {
            match output {
                Output::Subscribe(session) => self.subscribe(session),
                Output::Report { session, token, items } => {
                    let extension = messages::write(&items);
                    self.send(session, message_type::STATUS_REPORT, token, &extension);
                    self.disclosed(session, &items);
                }
                Output::Request { session, token, wants } => {
                    let extension = messages::write_wants(&wants);
                    self.send(session, message_type::STATUS_REPORT_REQUEST, token, &extension);
                }
                Output::Close(session) => {
                    if let Some(open) = locked(&self.federation.core).sessions.get(&session) {
                        open.connection.cancel.cancel();
                    }
                }
                Output::Dial(domain) => self.dial(domain),
                Output::Event(event) => {
                    if let Event::SessionUp(domain) = &event {
                        self.met(domain);
                    }
                    if let Event::Dropped { from, .. } = &event {
                        *locked(&self.federation.core).dropped.entry(from.clone()).or_default() += 1;
                    }
                    if let Event::Published { slot, changed: true, .. } | Event::Accepted { slot, changed: true, .. } =
                        &event
                    {
                        locked(&self.federation.core).taken(slot);
                    }
                    let way = match &event {
                        Event::Standing { origin, .. } => locked(&self.federation.core).way(origin),
                        _ => Way::default(),
                    };
                    self.teller.tell(&event, &way);
                }
                // Given where they were asked for, and stored above.
                Output::Answer { .. } | Output::Store(..) => {}
            }
        }
    }

    fn dial(&self, domain: OriginId) {
        let peer = locked(&self.federation.core).membership.peers.get(&domain).cloned();
        match peer {
            Some(peer) => self.federation.dial(domain, peer),
            None => drop(self.federation.mailbox.put(Letter::DialFailed(domain, None))),
        }
    }

    fn subscribe(&self, session: SessionId) {
        let extension = messages::write_subscription(&Subscription::default());
        let message_id = format!("{MESSAGE_ID}{SUBSCRIBED}");
        let mut line = Vec::new();
        encode::with_extension(&mut line, message_type::SUBSCRIBE, Some(&message_id), &self.manager, None, &extension);
        if let Some(open) = locked(&self.federation.core).sessions.get(&session) {
            open.connection.outlet.notify(&message_id, &line);
        }
    }

    fn send(&self, session: SessionId, kind: &str, token: u64, extension: &str) {
        let message_id = format!("{MESSAGE_ID}{token}");
        let mut line = Vec::new();
        encode::with_extension(&mut line, kind, Some(&message_id), &self.manager, None, extension);
        if let Some(open) = locked(&self.federation.core).sessions.get_mut(&session) {
            self.sent(&line);
            open.messages.1 += 1;
            open.sent.insert(token, Instant::now());
            while open.sent.len() > 64 {
                open.sent.pop_first();
            }
            open.connection.outlet.notify(&message_id, &line);
        }
    }

    fn sent(&self, line: &[u8]) {
        let counts = &self.federation.metrics.federation;
        counts.messages_sent.increment();
        counts.bytes_sent.add(line.len() as u64);
    }

    /// Notes what of our own was told to a peer.
    fn disclosed(&self, session: SessionId, items: &[Item]) {
        let Some(peer) = locked(&self.federation.core).sessions.get(&session).map(|open| open.domain.to_string())
        else {
            return;
        };
        let told = |item: &Item| {
            let Item::Document(document) = item else { return None };
            let manifest = document.jws.manifest().ok().filter(|manifest| manifest.origin == self.domain)?;
            // A refresh tells that we are alive, and nothing else.
            (!document.sections.is_empty()).then(|| Disclosure {
                time: wall_time(),
                peer: peer.clone(),
                audience: manifest.audience.to_string(),
                version: manifest.version.to_string(),
                sections: document.sections.iter().map(|body| body.name.to_string()).collect(),
                bytes: document.sections.iter().map(|body| body.data.len() as u64).sum(),
            })
        };
        let told: Vec<Disclosure> = items.iter().filter_map(told).collect();
        if !told.is_empty()
            && let Err(error) = locked(&self.db).write(&[], &told, DISCLOSURES_KEPT)
        {
            self.teller.not_stored(&error);
        }
    }
}

/// The `messageId`, behind its beginning, of our subscription.
const SUBSCRIBED: &str = "subscribe";
