//! What is asked a second time, and what is granted after its permission went.

use super::*;

/// Maintenance for an hour, so many hours ahead.
pub(super) fn work_in(hours: i64) -> Asked {
    let links = vec!["vienna-brno".to_owned()];
    Asked::Maintenance { links, from: at(hours), until: at(hours + 1), effect: MaintenanceEffect::Degraded }
}

#[test]
fn what_is_asked_and_open_is_not_asked_again() {
    let mut book = book("west", &[]);
    let plan = book.ask(&domain("west"), (id(1), work_in(1)), None, "anna", now(0)).unwrap();
    book.apply(&plan);
    let again = book.ask(&domain("west"), (id(2), work_in(1)), None, "berta", now(5)).unwrap_err();
    assert_eq!(again, AskError::Same(id(1), at(0), RequestState::Sent));
    assert!(again.to_string().contains(id(1).as_str()), "it is named: {again}");
    assert!(book.ask(&domain("west"), (id(2), work_in(2)), None, "berta", now(5)).is_ok(), "other work");
    hear(&mut book, "west", outcome(1, RequestState::Declined, Some(RequestReason::Conflict)), now(6));
    assert!(book.ask(&domain("west"), (id(3), work_in(1)), None, "berta", now(7)).is_ok(), "the first is settled");
}

#[test]
fn what_a_peer_may_not_ask_for_any_more_can_be_declined_alone() {
    let mut book = book("west", &RequestKind::ALL);
    hear(&mut book, "west", asks(1, priority()), now(0));
    let terms = |kinds: &[RequestKind], links: &[&str]| Terms {
        kinds: kinds.iter().copied().collect(),
        links: links.iter().map(|&link| link.to_owned()).collect(),
    };
    book.set_terms([(domain("west"), terms(&[RequestKind::Maintenance], &["vienna-brno"]))].into());
    let accept = |book: &Book| book.decide(id(1).as_str(), None, "anna", now(1));
    assert_eq!(accept(&book), Err(DecideError::NotAllowed(domain("west"), RequestKind::EmergencyPriority)));
    book.set_terms([(domain("west"), terms(&RequestKind::ALL, &["vienna-graz"]))].into());
    assert_eq!(accept(&book), Err(DecideError::NoLink(domain("west"), "vienna-brno".to_owned())));
    book.set_terms(BTreeMap::new());
    assert_eq!(accept(&book), Err(DecideError::NotAllowed(domain("west"), RequestKind::EmergencyPriority)));
    assert!(book.decide(id(1).as_str(), Some(RequestReason::Policy), "anna", now(1)).is_ok());
    book.set_terms([(domain("west"), terms(&RequestKind::ALL, &["vienna-brno"]))].into());
    assert!(accept(&book).is_ok());
}
