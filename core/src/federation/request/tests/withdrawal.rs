//! Requests that are taken back by the one who asked: when, what the other side makes of it, and what crosses it on its way.

use super::*;

/// A book of the west with this decided about request 1 of the east, and one of the east that has sent it.
fn asked_and_answered(asked: Asked, answer: Option<Option<RequestReason>>) -> (Book, Book) {
    let (mut ours, mut theirs) = (book("west", &[]), book("east", &RequestKind::ALL));
    let plan = ours.ask(&domain("west"), (id(1), asked.clone()), None, "anna", now(0)).unwrap();
    ours.apply(&plan);
    assert_eq!(hear(&mut theirs, "east", asks(1, asked), now(1)), pending(1));
    hear(&mut ours, "west", pending(1).remove(0), now(1));
    if let Some(declined) = answer {
        let plan = theirs.decide(id(1).as_str(), declined, "otto", now(2)).unwrap();
        theirs.apply(&plan);
        hear(&mut ours, "west", plan.say[0].1.clone(), now(2));
    }
    (ours, theirs)
}

/// Withdraws request 1 and gives what is said to the peer then.
fn withdraw(ours: &mut Book, seconds: u64) -> Result<Vec<Said>, WithdrawError> {
    let plan = ours.withdraw(id(1).as_str(), "anna", now(seconds))?;
    assert!(matches!(&plan.happened[..], [Happened::Withdrawn(entry)] if entry.is_ours()));
    ours.apply(&plan);
    ours.to_be_said(&id(1));
    let said = ours.due(&BTreeSet::from([domain("west")]), now(seconds)).say;
    Ok(said.into_iter().map(|(_, said)| said).collect())
}

#[test]
fn what_waits_is_withdrawn_on_both_sides_and_told_until_it_is_confirmed() {
    for asked in [priority(), incident(), maintenance(&["vienna-brno"])] {
        let (mut ours, mut theirs) = asked_and_answered(asked.clone(), None);
        let withdrawal = Said::Withdrawal { id: id(1) };
        assert_eq!(withdraw(&mut ours, 10), Ok(vec![withdrawal.clone()]));
        // It was lost: said again, and the request never more.
        let there = BTreeSet::from([domain("west")]);
        let again = ours.due(&there, now(10 + limits::REQUEST_REPEAT.as_secs())).say;
        assert_eq!(again, [(domain("west"), withdrawal.clone())]);
        let withdrawn = outcome(1, RequestState::Withdrawn, None);
        let plan = theirs.heard(&domain("east"), withdrawal.clone(), now(21));
        assert!(matches!(&plan.happened[..], [Happened::Withdrawn(entry)] if !entry.is_ours()), "{plan:?}");
        theirs.apply(&plan);
        assert_eq!(
            hear(&mut theirs, "east", withdrawal, now(22)),
            std::slice::from_ref(&withdrawn),
            "once, and told again"
        );
        assert!(theirs.waiting(&domain("east")).is_empty());
        // A copy of the request that was under way does not bring it back.
        assert_eq!(hear(&mut theirs, "east", asks(1, asked), now(23)), std::slice::from_ref(&withdrawn));
        assert_eq!(
            theirs.decide(id(1).as_str(), None, "otto", now(24)),
            Err(DecideError::Settled(RequestState::Withdrawn))
        );
        hear(&mut ours, "west", withdrawn, now(25));
        ours.met(&domain("west"));
        assert!(ours.due(&there, now(100)).say.is_empty(), "confirmed");
        assert_eq!(withdraw(&mut ours, 101), Err(WithdrawError::Settled(RequestState::Withdrawn)));
    }
}

#[test]
fn an_answer_stands_but_maintenance_is_withdrawn_until_it_is_over() {
    for answer in [None, Some(RequestReason::Capacity)] {
        for asked in [priority(), incident()] {
            let (mut ours, _) = asked_and_answered(asked, Some(answer));
            let state = if answer.is_some() { RequestState::Declined } else { RequestState::Accepted };
            assert_eq!(withdraw(&mut ours, 10), Err(WithdrawError::Settled(state)));
        }
        let (mut ours, mut theirs) = asked_and_answered(maintenance(&["vienna-brno"]), Some(answer));
        let said = withdraw(&mut ours, 10).unwrap().remove(0);
        let confirmed = hear(&mut theirs, "east", said, now(11));
        assert_eq!(confirmed, [outcome(1, RequestState::Withdrawn, None)]);
        assert!(theirs.entries().all(|entry| !entry.holds()) && ours.entries().all(|entry| !entry.holds()));
        let (mut late, _) = asked_and_answered(maintenance(&["vienna-brno"]), Some(answer));
        assert!(matches!(withdraw(&mut late, 4 * 3_600), Err(WithdrawError::Settled(_))), "it is over");
    }
    // Who may: the one who asked.
    let (_, theirs) = asked_and_answered(priority(), None);
    let refused = theirs.withdraw(id(1).as_str(), "otto", now(3)).unwrap_err();
    assert_eq!(refused, WithdrawError::Theirs(domain("east")));
    assert_eq!(theirs.withdraw("x", "otto", now(3)), Err(WithdrawError::Unknown("x".into())));
}

#[test]
fn a_withdrawal_that_crosses_a_decision_loses_but_of_maintenance() {
    let decided = |theirs: &mut Book| {
        let plan = theirs.decide(id(1).as_str(), None, "otto", now(10)).unwrap();
        theirs.apply(&plan);
        plan.say[0].1.clone()
    };
    let (mut ours, mut theirs) = asked_and_answered(priority(), None);
    let withdrawal = withdraw(&mut ours, 10).unwrap().remove(0);
    let accepted = decided(&mut theirs);
    hear(&mut ours, "west", accepted.clone(), now(11));
    assert_eq!(hear(&mut theirs, "east", withdrawal.clone(), now(11)), [accepted]);
    assert_eq!(ours.find(id(1).as_str()).unwrap().state, RequestState::Accepted, "it was decided before");
    let (mut ours, mut theirs) = asked_and_answered(maintenance(&["vienna-brno"]), None);
    assert_eq!(withdraw(&mut ours, 10), Ok(vec![withdrawal.clone()]));
    let accepted = decided(&mut theirs);
    hear(&mut ours, "west", accepted, now(11));
    assert_eq!(ours.find(id(1).as_str()).unwrap().state, RequestState::Withdrawn);
    assert_eq!(hear(&mut theirs, "east", withdrawal, now(11)), [outcome(1, RequestState::Withdrawn, None)]);
}

#[test]
fn what_never_came_and_is_withdrawn_does_not_come_after_all_and_nobody_withdraws_for_others() {
    let mut book = book("west", &RequestKind::ALL);
    let withdrawn = outcome(1, RequestState::Withdrawn, None);
    for seconds in 0..3 {
        assert_eq!(
            hear(&mut book, "west", Said::Withdrawal { id: id(1) }, now(seconds)),
            std::slice::from_ref(&withdrawn)
        );
    }
    assert_eq!(hear(&mut book, "west", asks(1, priority()), now(3)), [withdrawn]);
    assert_eq!(book.entries().count(), 0);
    assert_eq!(hear(&mut book, "west", asks(2, priority()), now(4)), pending(2));
    let plan = book.heard(&domain("north"), Said::Withdrawal { id: id(2) }, now(5));
    assert!(!plan.changes() && book.waiting(&domain("west")).len() == 1, "{plan:?}");
    // Nor does a peer withdraw what we asked.
    let plan = book.ask(&domain("west"), (id(3), priority()), None, "anna", now(6)).unwrap();
    book.apply(&plan);
    assert!(!book.heard(&domain("west"), Said::Withdrawal { id: id(3) }, now(7)).changes());
}
