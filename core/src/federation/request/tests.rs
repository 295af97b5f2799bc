//! Requests of two managers of each other: rules, bounds, and that both sides agree in the end, whatever is lost.

mod again;
mod canaries;
mod withdrawal;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    config::limits,
    federation::protocol::{Now, OriginId},
    model::{
        Severity, Timestamp,
        peer_request::{
            Asked, MaintenanceEffect, PriorityCause, RequestDirection, RequestKind, RequestReason, RequestState,
        },
    },
};

/// 2026-01-01T00:00:00Z
const START: u64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;

fn now(seconds: u64) -> Now {
    Now { mono: seconds * 1_000, wall: START + seconds * 1_000 }
}

fn at(hours: i64) -> Timestamp {
    Timestamp(i64::try_from(START).unwrap() + hours * HOUR)
}

fn id(number: u64) -> RequestId {
    RequestId::of(number)
}

fn maintenance(links: &[&str]) -> Asked {
    let links = links.iter().map(|&link| link.to_owned()).collect();
    Asked::Maintenance { links, from: at(1), until: at(3), effect: MaintenanceEffect::Interrupted }
}

fn priority() -> Asked {
    Asked::EmergencyPriority { link: "vienna-brno".into(), until: at(2), cause: PriorityCause::PathLost }
}

fn priority_at(hours: i64) -> Asked {
    Asked::EmergencyPriority { link: "vienna-brno".into(), until: at(hours + 1), cause: PriorityCause::PathLost }
}

fn incident() -> Asked {
    Asked::IncidentHandOver {
        link: "vienna-brno".into(),
        since: at(-1),
        severity: Severity::Major,
        alarm_type: "link-down".into(),
    }
}

fn domain(name: &str) -> OriginId {
    name.into()
}

/// A book that lets one peer ask for these kinds.
fn book(peer: &str, kinds: &[RequestKind]) -> Book {
    let links = BTreeSet::from(["vienna-brno".to_owned(), "vienna-graz".to_owned()]);
    let terms = Terms { kinds: kinds.iter().copied().collect(), links };
    let mut book = Book::default();
    book.set_terms([(domain(peer), terms)].into());
    book
}

fn asks(number: u64, asked: Asked) -> Said {
    Said::Request { id: id(number), asked, valid_for_s: 3_600 }
}

/// What a book that hears it says back; stored and applied as it would be.
fn hear(book: &mut Book, peer: &str, said: Said, now: Now) -> Vec<Said> {
    let plan = book.heard(&domain(peer), said, now);
    book.apply(&plan);
    plan.say.into_iter().map(|(_, said)| said).collect()
}

fn outcome(number: u64, state: RequestState, reason: Option<RequestReason>) -> Said {
    Said::Outcome { id: id(number), state, reason }
}

fn refused(number: u64, reason: RequestReason) -> Vec<Said> {
    vec![outcome(number, RequestState::Refused, Some(reason))]
}

fn pending(number: u64) -> Vec<Said> {
    vec![outcome(number, RequestState::Pending, None)]
}

#[test]
fn nothing_may_be_asked_that_the_configuration_does_not_allow() {
    let mut book = book("west", &[RequestKind::Maintenance]);
    for (number, asked) in [(1, priority()), (2, incident())] {
        assert_eq!(hear(&mut book, "west", asks(number, asked), now(0)), refused(number, RequestReason::NotAllowed));
    }
    assert_eq!(
        hear(&mut book, "north", asks(3, maintenance(&["vienna-brno"])), now(0)),
        refused(3, RequestReason::NotAllowed)
    );
    assert_eq!(book.entries().count(), 0);
    assert_eq!(hear(&mut book, "west", asks(4, maintenance(&["vienna-brno"])), now(0)), pending(4));
}

#[test]
fn a_request_names_links_of_both_and_times_that_make_sense() {
    let mut book = book("west", &RequestKind::ALL);
    let said = asks(1, maintenance(&["vienna-brno", "north-south"]));
    assert_eq!(hear(&mut book, "west", said, now(0)), refused(1, RequestReason::UnknownLink));
    // Three hours later it is over; and a link named twice is no list of links.
    let late = now(3 * 3_600);
    for (number, asked, when) in [
        (2, maintenance(&["vienna-brno"]), late),
        (3, priority(), late),
        (4, maintenance(&["vienna-brno", "vienna-brno"]), now(0)),
        (5, maintenance(&[]), now(0)),
    ] {
        assert_eq!(hear(&mut book, "west", asks(number, asked), when), refused(number, RequestReason::NotInTime));
    }
    // Whoever asks is told why before anything is sent.
    let ask = |asked| book.ask(&domain("west"), (id(9), asked), None, "anna", now(0)).unwrap_err().to_string();
    assert!(ask(maintenance(&["north-south"])).contains("`north-south` is no link with domain west"));
    assert!(ask(maintenance(&[])).contains("names no link"));
    let error = book.ask(&domain("north"), (id(9), priority()), None, "anna", now(0)).unwrap_err();
    assert_eq!(error, AskError::NoPeer(domain("north")));
}

#[test]
fn a_repeat_is_the_same_request_and_is_decided_once() {
    let mut book = book("west", &RequestKind::ALL);
    for seconds in 0..100 {
        assert_eq!(hear(&mut book, "west", asks(1, priority()), now(seconds)), pending(1), "repeats cost nothing");
    }
    let plan = book.decide(id(1).as_str(), None, "anna", now(100)).unwrap();
    assert_eq!(plan.say, [(domain("west"), outcome(1, RequestState::Accepted, None))]);
    book.apply(&plan);
    assert_eq!(hear(&mut book, "west", asks(1, priority()), now(101)), [outcome(1, RequestState::Accepted, None)]);
    assert_eq!(
        book.decide(id(1).as_str(), Some(RequestReason::Policy), "otto", now(102)),
        Err(DecideError::Settled(RequestState::Accepted))
    );
    // Another request by the same ID, or by another peer, is not that one.
    assert_eq!(hear(&mut book, "west", asks(1, incident()), now(103)), refused(1, RequestReason::Conflicting));
    assert_eq!(book.find(id(1).as_str()).unwrap().by.as_deref(), Some("anna"));
}

#[test]
fn a_peer_neither_fills_the_book_nor_asks_faster_than_it_may() {
    let mut book = book("west", &RequestKind::ALL);
    let mut taken = 0;
    for number in 0..limits::REQUESTS_OPEN as u64 {
        taken += usize::from(hear(&mut book, "west", asks(number, priority()), now(0)) == pending(number));
    }
    assert_eq!(taken, limits::REQUESTS_OPEN);
    assert_eq!(hear(&mut book, "west", asks(90, priority()), now(0)), refused(90, RequestReason::TooOften));
    let later = limits::REQUESTS_EVERY.as_secs();
    assert_eq!(hear(&mut book, "west", asks(91, priority()), now(later)), refused(91, RequestReason::TooMany));
    assert_eq!(hear(&mut book, "west", asks(92, priority()), now(later)), refused(92, RequestReason::TooOften));
    // What is settled makes room, and of what is settled the oldest goes.
    let plan = book.decide(id(0).as_str(), None, "anna", now(later)).unwrap();
    book.apply(&plan);
    assert_eq!(hear(&mut book, "west", asks(93, priority()), now(2 * later)), pending(93));
    for number in 100..600 {
        let seconds = number * later;
        let asked = Asked::EmergencyPriority {
            link: "vienna-brno".into(),
            until: Timestamp(i64::try_from(START + seconds * 1_000).unwrap() + HOUR),
            cause: PriorityCause::Exercise,
        };
        let due = book.due(&BTreeSet::new(), now(seconds));
        book.apply(&due);
        hear(&mut book, "west", Said::Request { id: id(number), asked, valid_for_s: 1 }, now(seconds));
    }
    assert_eq!(book.entries().count(), limits::REQUESTS_KEPT);
}

#[test]
fn maintenance_that_has_not_ended_goes_last_from_a_full_book() {
    let mut book = book("west", &RequestKind::ALL);
    let later = limits::REQUESTS_EVERY.as_secs();
    let until = |hours: i64| Asked::Maintenance {
        links: vec!["vienna-brno".into()],
        from: at(0),
        until: at(hours),
        effect: MaintenanceEffect::Degraded,
    };
    let decided = [(1, until(24), None), (2, until(1), None), (3, until(24), Some(RequestReason::Policy))];
    for (number, asked, declined) in decided {
        assert_eq!(hear(&mut book, "west", asks(number, asked), now(number)), pending(number));
        let plan = book.decide(id(number).as_str(), declined, "anna", now(number)).unwrap();
        book.apply(&plan);
    }
    // Hours later, when the second has ended, as many others as are kept, all settled.
    let begin = 2 * 3_600;
    let kept = limits::REQUESTS_KEPT as u64;
    let mut gone = Vec::new();
    for number in 0..kept {
        let seconds = begin + number * later;
        let Said::Request { id, .. } = asks(100 + number, incident()) else { unreachable!() };
        let plan = book.heard(&domain("west"), asks(100 + number, incident()), now(seconds));
        gone.extend(plan.forgotten.iter().cloned());
        book.apply(&plan);
        let plan = book.decide(id.as_str(), None, "anna", now(seconds)).unwrap();
        book.apply(&plan);
    }
    assert_eq!(gone, [id(2), id(3), id(100)], "what has ended and what was declined go by age, what is ahead stays");
    // It has ended: the oldest of all goes first again.
    let plan = book.heard(&domain("west"), asks(999, priority_at(25)), now(25 * 3_600));
    assert_eq!(plan.forgotten, [id(1)]);
}

#[test]
fn a_copy_of_what_was_refused_is_refused_alike() {
    let mut book = book("west", &[RequestKind::Maintenance]);
    assert_eq!(hear(&mut book, "west", asks(1, priority()), now(0)), refused(1, RequestReason::NotAllowed));
    // It is allowed now; whoever was told the refusal would not know what became of a copy that is taken after all.
    let all = self::book("west", &RequestKind::ALL).terms(&domain("west")).unwrap().clone();
    book.set_terms([(domain("west"), all)].into());
    for seconds in 1..50 {
        let said = hear(&mut book, "west", asks(1, priority()), now(seconds));
        assert_eq!(said, refused(1, RequestReason::NotAllowed), "and it costs nothing");
    }
    assert_eq!(hear(&mut book, "west", asks(2, priority()), now(50)), pending(2));
}

#[test]
fn of_our_own_no_more_wait_than_may() {
    let mut book = book("west", &[]);
    for number in 0..limits::REQUESTS_OPEN as u64 {
        let asked = again::work_in(i64::try_from(number).unwrap() + 1);
        let plan = book.ask(&domain("west"), (id(number), asked), None, "anna", now(0)).unwrap();
        book.apply(&plan);
    }
    assert_eq!(book.ask(&domain("west"), (id(99), priority()), None, "anna", now(0)), Err(AskError::TooMany));
}

#[test]
fn a_peer_settles_its_own_answers_and_nobody_elses() {
    let mut book = book("west", &RequestKind::ALL);
    let plan = book.ask(&domain("west"), (id(1), priority()), None, "anna", now(0)).unwrap();
    book.apply(&plan);
    let yes = outcome(1, RequestState::Accepted, None);
    let plan = book.heard(&domain("north"), yes.clone(), now(1));
    assert_eq!((plan.changes(), plan.happened), (false, vec![Happened::Unexpected(domain("north"))]));
    hear(&mut book, "west", outcome(1, RequestState::Pending, None), now(1));
    assert_eq!(book.find(id(1).as_str()).unwrap().state, RequestState::Pending);
    hear(&mut book, "west", yes, now(2));
    let no = outcome(1, RequestState::Declined, Some(RequestReason::Capacity));
    let plan = book.heard(&domain("west"), no, now(3));
    assert_eq!((plan.changes(), plan.happened), (false, vec![Happened::Unexpected(domain("west"))]));
    assert_eq!(book.find(id(1).as_str()).unwrap().state, RequestState::Accepted);
    // What a peer asked of us is ours to decide.
    hear(&mut book, "west", asks(2, priority()), now(4));
    let plan = book.heard(&domain("west"), outcome(2, RequestState::Accepted, None), now(5));
    assert!(!plan.changes());
    assert_eq!(book.decide(id(1).as_str(), None, "anna", now(5)), Err(DecideError::Ours(domain("west"))));
}

#[test]
fn what_nobody_decides_expires_on_both_sides_and_a_late_answer_counts() {
    let (mut ours, mut theirs) = (book("west", &[]), book("east", &RequestKind::ALL));
    let plan = ours.ask(&domain("west"), (id(1), priority()), Some(60_000), "anna", now(0)).unwrap();
    ours.apply(&plan);
    let said = ours.due(&BTreeSet::from([domain("west")]), now(0)).say;
    let [(_, request @ Said::Request { valid_for_s: 60, .. })] = &said[..] else { panic!("{said:?}") };
    hear(&mut theirs, "east", request.clone(), now(1));
    let plan = ours.due(&BTreeSet::new(), now(60));
    assert!(matches!(&plan.happened[..], [Happened::Expired(entry)] if entry.is_ours()));
    ours.apply(&plan);
    let decided = theirs.decide(id(1).as_str(), None, "otto", now(60)).unwrap();
    theirs.apply(&decided);
    hear(&mut ours, "west", decided.say[0].1.clone(), now(61));
    assert_eq!(ours.find(id(1).as_str()).unwrap().state, RequestState::Accepted, "it was decided in time there");
    // The other one.
    hear(&mut theirs, "east", Said::Request { id: id(2), asked: priority(), valid_for_s: 60 }, now(61));
    let plan = theirs.due(&BTreeSet::new(), now(121));
    assert_eq!(plan.say, [(domain("east"), outcome(2, RequestState::Expired, None))]);
}

#[test]
fn what_is_not_answered_is_asked_again_but_not_without_end() {
    let mut book = book("west", &[]);
    let plan = book.ask(&domain("west"), (id(1), maintenance(&["vienna-brno"])), None, "anna", now(0)).unwrap();
    book.apply(&plan);
    let there = BTreeSet::from([domain("west")]);
    assert!(book.due(&BTreeSet::new(), now(0)).say.is_empty(), "nobody is there");
    let mut sent = 0;
    for seconds in 0..100 {
        sent += book.due(&there, now(seconds)).say.len() as u64;
    }
    assert_eq!(sent, 100 / limits::REQUEST_REPEAT.as_secs());
    book.met(&domain("west"));
    assert_eq!(book.due(&there, now(100)).say.len(), 1, "at once on a new connection");
    hear(&mut book, "west", outcome(1, RequestState::Accepted, None), now(101));
    book.met(&domain("west"));
    assert!(book.due(&there, now(200)).say.is_empty());
}

#[test]
fn no_word_of_an_operators_leaves_but_those_of_the_lists() {
    let links = BTreeSet::from(["vienna-brno"]);
    let object = wire::leaving(&asks(1, maintenance(&["vienna-brno"])), &links).unwrap();
    assert_eq!(
        object,
        serde_json::json!({
            "type": "mx.request", "id": "0000000000000001", "kind": "maintenance", "validForS": 3600,
            "links": ["vienna-brno"], "from": "2026-01-01T01:00:00.000Z", "until": "2026-01-01T03:00:00.000Z",
            "effect": "interrupted",
        })
    );
    let problem = wire::leaving(&asks(1, maintenance(&["call Jane"])), &links).unwrap_err();
    assert!(problem.starts_with("/links/0: "), "{problem}");
    let Asked::IncidentHandOver { link, since, severity, .. } = incident() else { unreachable!() };
    let alarm_type = "rack 7, ask Jane".to_owned();
    let problem = wire::leaving(&asks(1, Asked::IncidentHandOver { link, since, severity, alarm_type }), &links);
    assert!(problem.unwrap_err().starts_with("/alarmType: "));
}

fn any_asked() -> impl Strategy<Value = Asked> {
    prop::sample::select(vec![
        maintenance(&["vienna-brno"]),
        maintenance(&["vienna-graz", "vienna-brno"]),
        priority(),
        incident(),
    ])
}

fn any_said() -> impl Strategy<Value = Said> {
    let states: Vec<(RequestState, Option<RequestReason>)> = vec![
        (RequestState::Pending, None),
        (RequestState::Accepted, None),
        (RequestState::Expired, None),
        (RequestState::Withdrawn, None),
        (RequestState::Declined, Some(RequestReason::NotOurs)),
        (RequestState::Refused, Some(RequestReason::TooMany)),
    ];
    prop_oneof![
        (0..6_u64, any_asked(), 0..9_000_u64).prop_map(|(number, asked, valid_for_s)| Said::Request {
            id: id(number),
            asked,
            valid_for_s
        }),
        (0..6_u64).prop_map(|number| Said::Withdrawal { id: id(number) }),
        (0..6_u64, prop::sample::select(states)).prop_map(|(number, (state, reason))| outcome(number, state, reason)),
    ]
}

/// Something that happens to two managers.
#[derive(Clone, Debug)]
enum Step {
    Ask(bool, Asked, Option<i64>),
    Decide(bool, usize, bool),
    Withdraw(bool, usize),
    /// A message arrives, or is lost.
    Carry(bool, bool),
    /// A process ends without having stored its last plan, and starts again.
    Crash(bool),
    /// The connection ends with all that is under way, and is up again.
    Reconnect,
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let lifetime = prop::option::of(prop::sample::select(vec![0, 30_000, 3_600_000]));
    prop_oneof![
        3 => (any::<bool>(), any_asked(), lifetime).prop_map(|(who, asked, lives)| Step::Ask(who, asked, lives)),
        3 => (any::<bool>(), any::<usize>(), any::<bool>()).prop_map(|(who, which, yes)| Step::Decide(who, which, yes)),
        2 => (any::<bool>(), any::<usize>()).prop_map(|(who, which)| Step::Withdraw(who, which)),
        8 => (any::<bool>(), prop::bool::weighted(0.3)).prop_map(|(to, lost)| Step::Carry(to, lost)),
        1 => any::<bool>().prop_map(Step::Crash),
        1 => Just(Step::Reconnect),
        2 => (1..40_u64).prop_map(Step::Wait),
    ]
}

/// Two managers and what is under way to each.
struct Pair {
    books: [Book; 2],
    wires: [Vec<Said>; 2],
    seconds: u64,
    next: u64,
}

const NAMES: [&str; 2] = ["east", "west"];

impl Pair {
    fn new() -> Self {
        let books = [book("west", &RequestKind::ALL), book("east", &RequestKind::ALL)];
        Self { books, wires: [Vec::new(), Vec::new()], seconds: 0, next: 0 }
    }

    fn carry_out(&mut self, who: usize, plan: &Plan) {
        self.books[who].apply(plan);
        self.wires[1 - who].extend(plan.say.iter().map(|(_, said)| said.clone()));
    }

    fn peer(who: usize) -> OriginId {
        domain(NAMES[1 - who])
    }

    fn due(&mut self) {
        for who in 0..2 {
            let plan = self.books[who].due(&BTreeSet::from([Self::peer(who)]), now(self.seconds));
            self.carry_out(who, &plan);
        }
    }

    fn carry(&mut self, to: usize) {
        if self.wires[to].is_empty() {
            return;
        }
        let said = self.wires[to].remove(0);
        let plan = self.books[to].heard(&Self::peer(to), said, now(self.seconds));
        self.carry_out(to, &plan);
    }

    fn step(&mut self, step: Step) {
        let time = now(self.seconds);
        match step {
            Step::Ask(who, asked, lives) => {
                let who = usize::from(who);
                self.next += 1;
                let asked = self.books[who].ask(&Self::peer(who), (id(self.next), asked), lives, "anna", time);
                if let Ok(plan) = asked {
                    self.carry_out(who, &plan);
                }
            }
            Step::Decide(who, which, yes) => {
                let who = usize::from(who);
                let open: Vec<String> = self.books[who]
                    .entries()
                    .filter(|entry| !entry.is_ours() && entry.is_open())
                    .map(|entry| entry.id.to_string())
                    .collect();
                let Some(id) = open.get(which % open.len().max(1)) else { return };
                let declined = (!yes).then_some(RequestReason::Capacity);
                let plan = self.books[who].decide(id, declined, "otto", time).unwrap();
                self.carry_out(who, &plan);
            }
            Step::Withdraw(who, which) => {
                let who = usize::from(who);
                let ours: Vec<String> = self.books[who]
                    .entries()
                    .filter(|entry| entry.is_ours())
                    .map(|entry| entry.id.to_string())
                    .collect();
                let Some(id) = ours.get(which % ours.len().max(1)) else { return };
                if let Ok(plan) = self.books[who].withdraw(id, "anna", time) {
                    self.carry_out(who, &plan);
                    self.books[who].to_be_said(&RequestId::try_from(id.clone()).unwrap());
                }
            }
            Step::Carry(to, lost) => {
                let to = usize::from(to);
                if lost && !self.wires[to].is_empty() {
                    self.wires[to].remove(0);
                }
                self.carry(to);
            }
            Step::Crash(who) => {
                let who = usize::from(who);
                // What was heard last was neither stored nor answered.
                let heard = self.wires[who].pop();
                if let Some(said) = heard {
                    let _lost = self.books[who].heard(&Self::peer(who), said, time);
                }
                let stored = self.books[who].entries().cloned().collect();
                let terms: BTreeMap<OriginId, Terms> =
                    [(Self::peer(who), self.books[who].terms(&Self::peer(who)).unwrap().clone())].into();
                self.books[who] = Book::new(stored);
                self.books[who].set_terms(terms);
                self.step(Step::Reconnect);
            }
            Step::Reconnect => {
                self.wires = [Vec::new(), Vec::new()];
                (0..2).for_each(|who| self.books[who].met(&Self::peer(who)));
            }
            Step::Wait(seconds) => self.seconds += seconds,
        }
        self.due();
    }

    /// What one side says of its requests, and the other of the same.
    fn disagree(&self) -> Vec<(Entry, Option<Entry>)> {
        let mut found = Vec::new();
        for who in 0..2 {
            for sent in self.books[who].entries().filter(|entry| entry.is_ours()) {
                let there = self.books[1 - who].find(sent.id.as_str());
                let agree = match there {
                    Some(there) => (there.state, there.reason) == (sent.state, sent.reason),
                    // It was refused, or withdrawn before it came, or never came there in time.
                    None => {
                        matches!(sent.state, RequestState::Refused | RequestState::Expired | RequestState::Withdrawn)
                    }
                };
                if !agree || !sent.answered {
                    found.push((sent.clone(), there.cloned()));
                }
            }
        }
        found
    }
}

proptest! {
    #[test]
    fn both_sides_agree_in_the_end_whatever_was_lost(steps in prop::collection::vec(any_step(), 1..80)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.step(step);
            for who in 0..2 {
                let open = |direction| pair.books[who].entries().filter(|entry| entry.is_open() && entry.direction == direction).count();
                prop_assert!(open(RequestDirection::Sent) <= limits::REQUESTS_OPEN);
                prop_assert!(open(RequestDirection::Received) <= limits::REQUESTS_OPEN);
            }
        }
        // Nothing is lost any more, and time passes until all that was asked is over.
        for _ in 0..40 {
            pair.seconds += 6 * 3_600 / 2;
            pair.due();
            while pair.wires.iter().any(|wire| !wire.is_empty()) {
                pair.carry(0);
                pair.carry(1);
            }
        }
        prop_assert_eq!(pair.disagree(), Vec::new());
    }

    #[test]
    fn whatever_a_peer_says_it_changes_nothing_of_others_and_decides_nothing_of_ours(said in prop::collection::vec(any_said(), 1..60)) {
        let mut book = book("west", &RequestKind::ALL);
        let mine = book.ask(&domain("west"), (id(3), priority()), None, "anna", now(0)).unwrap();
        book.apply(&mine);
        for (seconds, one) in said.into_iter().enumerate() {
            let seconds = seconds as u64;
            // A stranger changes nothing.
            let plan = book.heard(&domain("north"), one.clone(), now(seconds));
            prop_assert!(!plan.changes(), "{plan:?}");
            let plan = book.heard(&domain("west"), one, now(seconds));
            for entry in &plan.entries {
                let was = book.find(entry.id.as_str());
                // A request of a peer is never decided by what a peer says, only taken back, and one of ours never un-decided.
                let is_new = was.is_none() && entry.state == RequestState::Pending;
                prop_assert!(entry.is_ours() || is_new || entry.state == RequestState::Withdrawn, "{entry:?}");
                prop_assert!(was.is_none_or(|was| !was.answered), "{entry:?}");
            }
            prop_assert!(plan.say.iter().all(|(peer, _)| *peer == domain("west")));
            book.apply(&plan);
        }
    }

    #[test]
    fn what_leaves_is_read_as_meant(said in any_said()) {
        let links = BTreeSet::from(["vienna-brno", "vienna-graz"]);
        let object = wire::leaving(&said, &links).unwrap().to_string();
        prop_assert_eq!(wire::read(&[object]), Ok(vec![said]));
    }

    #[test]
    fn no_object_makes_it_panic_and_no_text_is_kept(text in "\\PC{0,60}", member in prop::sample::select(vec!["id", "links", "effect", "validForS", "reason", "state", "note"])) {
        for said in [asks(1, maintenance(&["vienna-brno"])), outcome(1, RequestState::Declined, Some(RequestReason::Policy))] {
            let links = BTreeSet::from(["vienna-brno"]);
            let mut object = wire::leaving(&said, &links).unwrap();
            object[member] = text.clone().into();
            let read = wire::read(&[object.to_string()]);
            // It is refused, or the member was none that is read.
            prop_assert!(read.is_err() || read == Ok(vec![said.clone()]) || RequestState::of(&text).is_some() || RequestReason::of(&text).is_some());
            let _ = wire::read(&[text.as_str()]);
        }
    }
}
