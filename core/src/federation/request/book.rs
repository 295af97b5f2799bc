//! All requests, sent and received, and the rules by which they change.
//!
//! In: what operators and peers say, and time that passes. Out: a [`Plan`]: entries as they will be, what is to be said to whom,
//! and what happened. A plan changes nothing until it is applied; whoever runs the book stores it first. So what an operator was
//! told is on stable storage, and a plan that could not be stored never was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Entry, RequestId, Said,
    entry::{lifetime, ms, problem},
};
use crate::{
    config::limits,
    federation::protocol::{Now, OriginId},
    model::{
        Timestamp,
        peer_request::{Asked, RequestDirection, RequestKind, RequestReason, RequestState},
    },
};

/// What the configuration says of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What it may ask for (`peers.requests`).
    pub kinds: BTreeSet<RequestKind>,
    /// Our links with it (`federation.links`).
    pub links: BTreeSet<String>,
}

/// Something that people and counters are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// An operator of ours asked.
    Asked(Entry),
    /// A peer asked: its request waits for our operator.
    Received(Entry),
    /// An operator of ours decided.
    Decided(Entry),
    /// The peer has said where our request stands.
    Answered(Entry),
    /// Nobody decided in time.
    Expired(Entry),
    /// An operator of ours, or the peer, has withdrawn its own request.
    Withdrawn(Entry),
    /// A peer's request was not taken; what it asked for, in our words.
    Refused(OriginId, RequestId, Asked, RequestReason),
    /// A peer told an outcome of what we did not ask, or another one than before.
    Unexpected(OriginId),
}

/// What is to be done, in this order: stored, applied, said and told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Entries as they are from now on.
    pub entries: Vec<Entry>,
    /// Entries that are kept no longer.
    pub forgotten: Vec<RequestId>,
    /// What is to be said, to peers that are there.
    pub say: Vec<(OriginId, Said)>,
    /// What happened.
    pub happened: Vec<Happened>,
}

impl Plan {
    /// Whether there is something to store.
    #[must_use]
    pub const fn changes(&self) -> bool {
        !self.entries.is_empty() || !self.forgotten.is_empty()
    }
}

/// Why nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no such peer.
    #[error("domain {0} is that of no peer")]
    NoPeer(OriginId),
    /// A link is not ours with that peer.
    #[error("`{link}` is no link with domain {peer} ([[federation.links]]); there are: {known}")]
    NoLink {
        /// Which.
        link: String,
        /// With whom.
        peer: OriginId,
        /// Those that there are.
        known: String,
    },
    /// Its times make no sense.
    #[error("{0}")]
    NotInTime(&'static str),
    /// The same was asked, and is open.
    #[error("this is asked already: request {0}, made {1}, is {2}")]
    Same(RequestId, Timestamp, RequestState),
    /// As many wait as may.
    #[error("{} requests to that peer wait for an answer, and no more are let wait", limits::REQUESTS_OPEN)]
    TooMany,
}

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// There is no such request.
    #[error("there is no request `{0}`")]
    Unknown(String),
    /// It is our own.
    #[error("we asked this ourselves: the operator of domain {0} decides")]
    Ours(OriginId),
    /// The peer may not ask for it any more.
    #[error(
        "domain {0} may not ask for `{kind}` any more (`requests` in its [[peers]] table), so it cannot be accepted; decline it",
        kind = .1.configured()
    )]
    NotAllowed(OriginId, RequestKind),
    /// A link of it is not ours with the peer any more.
    #[error("`{1}` is no link with domain {0} any more ([[federation.links]]), so it cannot be accepted; decline it")]
    NoLink(OriginId, String),
    /// It is settled.
    #[error("nothing is to be decided any more: the request is {0}")]
    Settled(RequestState),
}

/// Why nothing was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawError {
    /// There is no such request.
    #[error("there is no request `{0}`")]
    Unknown(String),
    /// It is a peer's.
    #[error("domain {0} asked this: its operator withdraws it, ours accepts or declines it")]
    Theirs(OriginId),
    /// It is settled.
    #[error(
        "nothing is to be withdrawn any more: the request is {0}; what has no answer yet can be, and maintenance that is not over"
    )]
    Settled(RequestState),
}

/// New requests that a peer may still bring.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    /// When the last token came, monotonic milliseconds.
    since: u64,
}

impl Bucket {
    fn take(&mut self, now: u64) -> bool {
        let every = u64::try_from(limits::REQUESTS_EVERY.as_millis()).unwrap_or(u64::MAX);
        let came = now.saturating_sub(self.since) / every;
        let room = u64::from(limits::REQUESTS_BURST - self.tokens);
        self.tokens += u32::try_from(came.min(room)).unwrap_or(0);
        self.since = if came >= room { now } else { self.since + came * every };
        let taken = self.tokens > 0;
        self.tokens -= u32::from(taken);
        taken
    }
}

/// All requests.
#[derive(Debug, Default)]
pub struct Book {
    terms: BTreeMap<OriginId, Terms>,
    entries: BTreeMap<RequestId, Entry>,
    buckets: BTreeMap<OriginId, Bucket>,
    /// What was refused lately, and what was withdrawn and is not here: a copy that was under way at the same time is answered like it, and
    /// not taken after all. Withdrawn: without a reason.
    not_taken: BTreeMap<OriginId, VecDeque<(RequestId, Option<RequestReason>)>>,
    /// When requests that are not answered were sent last, monotonic milliseconds.
    sent: BTreeMap<RequestId, u64>,
}

fn wall(now: Now) -> Timestamp {
    Timestamp(i64::try_from(now.wall).unwrap_or(i64::MAX))
}

fn outcome(entry: &Entry) -> (OriginId, Said) {
    let said = Said::Outcome { id: entry.id.clone(), state: entry.state, reason: entry.reason };
    (entry.peer.clone(), said)
}

/// What the peer is told of a request of ours that it has not answered.
fn asked_or_withdrawn(entry: &Entry, now: Timestamp) -> Said {
    let id = entry.id.clone();
    match entry.state {
        RequestState::Withdrawn => Said::Withdrawal { id },
        _ => Said::Request { id, asked: entry.asked.clone(), valid_for_s: entry.valid_for_s(now) },
    }
}

/// Whether what a peer says settles a request that we have withdrawn. It may have been under way when we did: that it waits is no answer,
/// and neither is a decision about maintenance, which ends with our word there too. Any other decision was made in time, and stands.
fn ends_withdrawal(entry: &Entry, state: RequestState) -> bool {
    match state {
        RequestState::Withdrawn | RequestState::Refused => true,
        RequestState::Sent | RequestState::Pending => false,
        _ => !matches!(entry.asked, Asked::Maintenance { .. }),
    }
}

/// Whether it names nothing but links that we still have with the peer: else it does not leave. A withdrawal names none.
fn may_be_said(terms: &BTreeMap<OriginId, Terms>, entry: &Entry) -> bool {
    let is_withdrawn = entry.state == RequestState::Withdrawn;
    let terms = terms.get(&entry.peer);
    terms.is_some_and(|terms| is_withdrawn || entry.asked.links().iter().all(|link| terms.links.contains(link)))
}

impl Book {
    /// With what was stored.
    #[must_use]
    pub fn new(stored: Vec<Entry>) -> Self {
        let entries = stored.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        Self { entries, ..Self::default() }
    }

    /// Goes by another configuration from now on. What is open stays so.
    pub fn set_terms(&mut self, terms: BTreeMap<OriginId, Terms>) {
        self.buckets.retain(|peer, _| terms.contains_key(peer));
        self.not_taken.retain(|peer, _| terms.contains_key(peer));
        self.terms = terms;
    }

    /// What the configuration says of a peer.
    #[must_use]
    pub fn terms(&self, peer: &OriginId) -> Option<&Terms> {
        self.terms.get(peer)
    }

    /// All entries, by ID.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Entry> {
        RequestId::try_from(id.to_owned()).ok().and_then(|id| self.entries.get(&id))
    }

    fn of(&self, peer: &OriginId, direction: RequestDirection) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| entry.peer == *peer && entry.direction == direction)
    }

    fn open(&self, peer: &OriginId, direction: RequestDirection) -> usize {
        self.of(peer, direction).filter(|entry| entry.is_open()).count()
    }

    /// What a peer asked and nobody has decided, oldest first.
    #[must_use]
    pub fn waiting(&self, peer: &OriginId) -> Vec<&Entry> {
        let mut waiting: Vec<&Entry> =
            self.of(peer, RequestDirection::Received).filter(|entry| entry.is_open()).collect();
        waiting.sort_by_key(|entry| (entry.made, &entry.id));
        waiting
    }

    /// A plan for a new entry: the oldest settled one goes if there are too many; maintenance that has not ended goes last, as alarms
    /// are explained with it.
    fn enter(&self, entry: Entry) -> Plan {
        let mut settled: Vec<&Entry> = self.of(&entry.peer, entry.direction).filter(|known| !known.is_open()).collect();
        let kept = self.of(&entry.peer, entry.direction).count();
        settled.sort_by_key(|known| (known.is_maintenance_ahead(entry.made), known.made, &known.id));
        let over = (kept + 1).saturating_sub(limits::REQUESTS_KEPT);
        let forgotten = settled.iter().take(over).map(|known| known.id.clone()).collect();
        Plan { entries: vec![entry], forgotten, ..Plan::default() }
    }

    /// An operator of ours asks a peer; `id` is drawn at random. Waits for `valid_for` milliseconds, or until what it asks for is
    /// over.
    ///
    /// # Errors
    /// If it is not to be sent.
    pub fn ask(
        &self,
        peer: &OriginId,
        (id, asked): (RequestId, Asked),
        valid_for: Option<i64>,
        by: &str,
        now: Now,
    ) -> Result<Plan, AskError> {
        let terms = self.terms.get(peer).ok_or_else(|| AskError::NoPeer(peer.clone()))?;
        if let Some(link) = asked.links().iter().find(|link| !terms.links.contains(*link)) {
            let known: Vec<&str> = terms.links.iter().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(AskError::NoLink { link: link.clone(), peer: peer.clone(), known });
        }
        let wall = wall(now);
        if let Some(problem) = problem(&asked, wall) {
            return Err(AskError::NotInTime(problem));
        }
        let mut open = self.of(peer, RequestDirection::Sent).filter(|entry| entry.is_open());
        if let Some(same) = open.find(|entry| entry.asked.is_the_same_as(&asked)) {
            return Err(AskError::Same(same.id.clone(), same.made, same.state));
        }
        if self.open(peer, RequestDirection::Sent) >= limits::REQUESTS_OPEN {
            return Err(AskError::TooMany);
        }
        let lives = lifetime(&asked, wall);
        let lives = valid_for.map_or(lives, |asked| asked.clamp(0, ms(limits::REQUEST_LIFETIME_MAX)));
        let entry = Entry {
            id,
            peer: peer.clone(),
            direction: RequestDirection::Sent,
            asked,
            state: RequestState::Sent,
            reason: None,
            by: Some(by.to_owned()),
            made: wall,
            deadline: wall.plus(lives),
            settled: None,
            answered: false,
        };
        let mut plan = self.enter(entry.clone());
        plan.happened.push(Happened::Asked(entry));
        Ok(plan)
    }

    /// An operator of ours decides about a peer's request; `reason` is why it is declined.
    ///
    /// # Errors
    /// If there is nothing to decide.
    pub fn decide(&self, id: &str, declined: Option<RequestReason>, by: &str, now: Now) -> Result<Plan, DecideError> {
        let entry = self.find(id).ok_or_else(|| DecideError::Unknown(id.to_owned()))?;
        if entry.is_ours() {
            return Err(DecideError::Ours(entry.peer.clone()));
        }
        if !entry.is_open() {
            return Err(DecideError::Settled(entry.state));
        }
        if declined.is_none() {
            self.may_be_accepted(entry)?;
        }
        let state = if declined.is_some() { RequestState::Declined } else { RequestState::Accepted };
        let by = Some(by.to_owned());
        let entry = Entry { state, reason: declined, by, settled: Some(wall(now)), ..entry.clone() };
        let say = vec![outcome(&entry)];
        let happened = vec![Happened::Decided(entry.clone())];
        Ok(Plan { entries: vec![entry], say, happened, ..Plan::default() })
    }

    /// What a peer may not ask for any more is not granted to it because it asked before.
    fn may_be_accepted(&self, entry: &Entry) -> Result<(), DecideError> {
        let (peer, kind) = (&entry.peer, entry.asked.kind());
        let terms = self.terms.get(peer).filter(|terms| terms.kinds.contains(&kind));
        let Some(terms) = terms else { return Err(DecideError::NotAllowed(peer.clone(), kind)) };
        let gone = entry.asked.links().iter().find(|link| !terms.links.contains(*link));
        gone.map_or(Ok(()), |link| Err(DecideError::NoLink(peer.clone(), link.clone())))
    }

    /// An operator of ours withdraws what we asked. The peer is told until it has confirmed.
    ///
    /// # Errors
    /// If there is nothing to withdraw.
    pub fn withdraw(&self, id: &str, by: &str, now: Now) -> Result<Plan, WithdrawError> {
        let entry = self.find(id).ok_or_else(|| WithdrawError::Unknown(id.to_owned()))?;
        if !entry.is_ours() {
            return Err(WithdrawError::Theirs(entry.peer.clone()));
        }
        let wall = wall(now);
        if !entry.can_be_withdrawn(wall) {
            return Err(WithdrawError::Settled(entry.state));
        }
        let by = Some(by.to_owned());
        let (state, reason, settled) = (RequestState::Withdrawn, None, Some(wall));
        let entry = Entry { state, reason, by, settled, answered: false, ..entry.clone() };
        let happened = vec![Happened::Withdrawn(entry.clone())];
        Ok(Plan { entries: vec![entry], happened, ..Plan::default() })
    }

    /// A peer says something, on a connection that is its own.
    pub fn heard(&mut self, peer: &OriginId, said: Said, now: Now) -> Plan {
        match said {
            Said::Request { id, asked, valid_for_s } => self.asked(peer, id, asked, valid_for_s, now),
            Said::Outcome { id, state, reason } => self.told(peer, &id, state, reason, now),
            Said::Withdrawal { id } => self.taken_back(peer, id, now),
        }
    }

    /// What was asked and not taken is not taken later, either.
    fn remember_not_taken(&mut self, peer: &OriginId, id: &RequestId, reason: Option<RequestReason>) {
        let lately = self.not_taken.entry(peer.clone()).or_default();
        lately.push_back((id.clone(), reason));
        if lately.len() > limits::REQUESTS_REFUSED {
            lately.pop_front();
        }
    }

    /// What became of a request that was not taken lately.
    fn not_taken(&self, peer: &OriginId, id: &RequestId) -> Option<Plan> {
        let (_, reason) = self.not_taken.get(peer)?.iter().find(|(known, _)| known == id)?;
        let state = if reason.is_some() { RequestState::Refused } else { RequestState::Withdrawn };
        let said = Said::Outcome { id: id.clone(), state, reason: *reason };
        Some(Plan { say: vec![(peer.clone(), said)], ..Plan::default() })
    }

    /// A peer withdraws what it asked. What it gets as an answer is where the request stands then: what we decided before may stand.
    fn taken_back(&mut self, peer: &OriginId, id: RequestId, now: Now) -> Plan {
        let Some(entry) = self.entries.get(&id).filter(|entry| entry.peer == *peer && !entry.is_ours()) else {
            if let Some(plan) = self.not_taken(peer, &id) {
                return plan;
            }
            self.remember_not_taken(peer, &id, None);
            let said = Said::Outcome { id, state: RequestState::Withdrawn, reason: None };
            return Plan { say: vec![(peer.clone(), said)], ..Plan::default() };
        };
        // Of maintenance the one who does it has the last word, also when it is over by our clock.
        let is_notice = matches!(entry.asked, Asked::Maintenance { .. });
        if entry.state == RequestState::Withdrawn || !(entry.is_open() || is_notice) {
            return Plan { say: vec![outcome(entry)], ..Plan::default() };
        }
        let (state, reason, settled) = (RequestState::Withdrawn, None, Some(wall(now)));
        let entry = Entry { state, reason, settled, ..entry.clone() };
        let (say, happened) = (vec![outcome(&entry)], vec![Happened::Withdrawn(entry.clone())]);
        Plan { entries: vec![entry], say, happened, ..Plan::default() }
    }

    fn asked(&mut self, peer: &OriginId, id: RequestId, asked: Asked, valid_for_s: u64, now: Now) -> Plan {
        let same = |entry: &&Entry| entry.peer == *peer && !entry.is_ours() && entry.asked == asked;
        if let Some(known) = self.entries.get(&id).filter(same) {
            // It asks what became of it.
            return Plan { say: vec![outcome(known)], ..Plan::default() };
        }
        if let Some(plan) = self.not_taken(peer, &id) {
            return plan;
        }
        if valid_for_s == 0 && !self.entries.contains_key(&id) {
            // It never came in time, and its sender wants to know.
            let said = Said::Outcome { id, state: RequestState::Expired, reason: None };
            return Plan { say: vec![(peer.clone(), said)], ..Plan::default() };
        }
        let Some(reason) = self.refusal(peer, &id, &asked, now) else {
            return self.take(peer, id, asked, valid_for_s, now);
        };
        self.remember_not_taken(peer, &id, Some(reason));
        let said = Said::Outcome { id: id.clone(), state: RequestState::Refused, reason: Some(reason) };
        let none = BTreeSet::new();
        let asked = asked.in_our_words(self.terms.get(peer).map_or(&none, |terms| &terms.links));
        let happened = vec![Happened::Refused(peer.clone(), id, asked, reason)];
        Plan { say: vec![(peer.clone(), said)], happened, ..Plan::default() }
    }

    /// Why a new request is not taken. The rate is looked at first, so that refusals are no more frequent than requests.
    fn refusal(&mut self, peer: &OriginId, id: &RequestId, asked: &Asked, now: Now) -> Option<RequestReason> {
        let full = Bucket { tokens: limits::REQUESTS_BURST, since: now.mono };
        if !self.buckets.entry(peer.clone()).or_insert(full).take(now.mono) {
            return Some(RequestReason::TooOften);
        }
        let terms = self.terms.get(peer).filter(|terms| terms.kinds.contains(&asked.kind()));
        let Some(terms) = terms else { return Some(RequestReason::NotAllowed) };
        if self.entries.contains_key(id) {
            return Some(RequestReason::Conflicting);
        }
        if asked.links().iter().any(|link| !terms.links.contains(link)) {
            return Some(RequestReason::UnknownLink);
        }
        if problem(asked, wall(now)).is_some() {
            return Some(RequestReason::NotInTime);
        }
        (self.open(peer, RequestDirection::Received) >= limits::REQUESTS_OPEN).then_some(RequestReason::TooMany)
    }

    fn take(&self, peer: &OriginId, id: RequestId, asked: Asked, valid_for_s: u64, now: Now) -> Plan {
        let most = ms(limits::REQUEST_LIFETIME_MAX);
        let lives = i64::try_from(valid_for_s).unwrap_or(i64::MAX).saturating_mul(1_000).min(most);
        let entry = Entry {
            id,
            peer: peer.clone(),
            direction: RequestDirection::Received,
            asked,
            state: RequestState::Pending,
            reason: None,
            by: None,
            made: wall(now),
            deadline: wall(now).plus(lives),
            settled: None,
            answered: false,
        };
        let mut plan = self.enter(entry.clone());
        plan.say.push(outcome(&entry));
        plan.happened.push(Happened::Received(entry));
        plan
    }

    /// The peer says where our request stands. Its word is the last: what it decided in time, and what came here late, counts.
    fn told(
        &self,
        peer: &OriginId,
        id: &RequestId,
        state: RequestState,
        reason: Option<RequestReason>,
        now: Now,
    ) -> Plan {
        let unexpected = || Plan { happened: vec![Happened::Unexpected(peer.clone())], ..Plan::default() };
        let Some(entry) = self.entries.get(id).filter(|entry| entry.peer == *peer && entry.is_ours()) else {
            return unexpected();
        };
        if entry.answered {
            let same = entry.state == state && entry.reason == reason;
            return if same { Plan::default() } else { unexpected() };
        }
        // What we have not withdrawn, nobody else has: our own plans stand.
        if state == RequestState::Withdrawn && entry.state != RequestState::Withdrawn {
            return unexpected();
        }
        if entry.state == RequestState::Withdrawn && !ends_withdrawal(entry, state) {
            return Plan::default();
        }
        if state == RequestState::Sent || (state == RequestState::Pending && entry.state != RequestState::Sent) {
            return Plan::default();
        }
        let settled = state.is_settled().then(|| wall(now));
        let answered = state.is_settled();
        let known = entry.state == state;
        let entry = Entry { state, reason, settled: entry.settled.or(settled), answered, ..entry.clone() };
        let happened = if known { Vec::new() } else { vec![Happened::Answered(entry.clone())] };
        Plan { entries: vec![entry], happened, ..Plan::default() }
    }

    /// A connection with a peer is up: what it has not answered is sent again at once.
    pub fn met(&mut self, peer: &OriginId) {
        let entries = &self.entries;
        self.sent.retain(|id, _| entries.get(id).is_some_and(|entry| entry.peer != *peer));
    }

    /// What is to be said of it is not what was said last: it is said at once.
    pub fn to_be_said(&mut self, id: &RequestId) {
        self.sent.remove(id);
    }

    /// Time passes: what nobody decided expires, and what was not answered is sent again to those who are there.
    pub fn due(&mut self, present: &BTreeSet<OriginId>, now: Now) -> Plan {
        let wall = wall(now);
        let mut plan = Plan::default();
        for entry in self.entries.values().filter(|entry| entry.is_open() && entry.deadline <= wall) {
            let entry = Entry { state: RequestState::Expired, settled: Some(wall), ..entry.clone() };
            if !entry.is_ours() {
                plan.say.push(outcome(&entry));
            }
            plan.happened.push(Happened::Expired(entry.clone()));
            plan.entries.push(entry);
        }
        let entries = &self.entries;
        self.sent.retain(|id, _| entries.contains_key(id));
        let terms = &self.terms;
        let unanswered = self.entries.values().filter(|entry| {
            entry.is_ours() && !entry.answered && wall <= entry.asked_until() && may_be_said(terms, entry)
        });
        for entry in unanswered.filter(|entry| present.contains(&entry.peer)) {
            let every = match entry.state {
                RequestState::Sent | RequestState::Withdrawn => limits::REQUEST_REPEAT,
                _ => limits::REQUEST_REPEAT_PENDING,
            };
            let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
            if self.sent.get(&entry.id).is_some_and(|last| now.mono.saturating_sub(*last) < every) {
                continue;
            }
            self.sent.insert(entry.id.clone(), now.mono);
            plan.say.push((entry.peer.clone(), asked_or_withdrawn(entry, wall)));
        }
        plan
    }

    /// Carries a plan out, once it is stored.
    pub fn apply(&mut self, plan: &Plan) {
        for id in &plan.forgotten {
            self.entries.remove(id);
        }
        for entry in &plan.entries {
            self.entries.insert(entry.id.clone(), entry.clone());
        }
    }
}
