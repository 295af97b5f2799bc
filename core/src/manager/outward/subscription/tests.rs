//! One subscription against whatever a component may answer.

use proptest::prelude::*;

use super::*;
use crate::config::{ComponentMatch, EventConfig};

fn config(durable: bool, polls: bool) -> SubscriptionConfig {
    SubscriptionConfig {
        name: "s".into(),
        applies_to: ComponentMatch::default(),
        events: vec![EventConfig::default()],
        method: NotificationMethod::OnChange,
        period: None,
        thresholds: Vec::new(),
        dampening: None,
        immediate: true,
        durable,
        poll_interval: polls.then(|| std::time::Duration::from_secs(30)),
    }
}

fn granted(id: &str, durable: bool) -> Outcome {
    let subscription_id = Some(id.to_owned());
    Outcome::Answer(SubscriptionAnswer {
        response: "success".into(),
        subscription_id,
        durable,
        ..SubscriptionAnswer::default()
    })
}

fn refused(response: &str) -> Outcome {
    Outcome::Answer(SubscriptionAnswer { response: response.into(), ..SubscriptionAnswer::default() })
}

#[test]
fn a_durable_one_is_resumed_and_asked_for_anew_when_forgotten() {
    let mut subscription = Subscription::new(&config(true, false), None);
    assert!(subscription.due().is_some_and(|due| due <= 0));
    assert_eq!(subscription.ask(), None);
    assert_eq!(subscription.due(), None);
    assert_eq!(subscription.answered(0, granted("a", true), 0.5), Keep::Id("a".into()));
    assert_eq!((subscription.notified(1, Some(1)), subscription.notified(1, Some(2))), (0, 0));
    subscription.disconnected();
    assert!(subscription.is_called("a"), "a notification may come before the answer");
    assert_eq!(subscription.ask(), Some("a".into()));
    assert_eq!(subscription.answered(2, granted("a", false), 0.5), Keep::AsItIs);
    assert_eq!(subscription.notified(3, Some(4)), 1, "the numbering goes on");
    subscription.disconnected();
    subscription.ask();
    assert_eq!(subscription.answered(2, refused("rejected: no such subscription"), 0.5), Keep::Nothing);
    assert_eq!(subscription.ask(), None, "at once, and a new one");
    assert_eq!(subscription.answered(2, granted("b", true), 0.5), Keep::Id("b".into()));
    assert_eq!(subscription.notified(3, Some(1)), 0, "with a numbering of its own");
    assert!(!subscription.is_called("a") && subscription.is_called("b"));
}

#[test]
fn one_that_is_not_durable_ends_with_its_connection() {
    for durable in [true, false] {
        // Asked for as durable and not granted so, or not asked for as durable.
        let mut subscription = Subscription::new(&config(durable, false), None);
        subscription.ask();
        assert_eq!(subscription.answered(0, granted("a", !durable), 0.5), Keep::AsItIs);
        subscription.disconnected();
        assert_eq!(subscription.ask(), None);
    }
}

#[test]
fn who_serves_none_is_polled_or_left_alone_until_the_next_connection() {
    for polls in [true, false] {
        let mut subscription = Subscription::new(&config(true, polls), Some("old".into()));
        assert_eq!(subscription.ask(), Some("old".into()));
        assert_eq!(subscription.answered(0, refused("unsupported: no"), 0.5), Keep::Nothing);
        assert_eq!(matches!(subscription.state(), State::Polled { .. }), polls);
        assert_eq!(subscription.due(), None);
        subscription.disconnected();
        assert!(subscription.due().is_some());
        // One that does not know the message may leave it alone.
        for number in 1..=SUBSCRIBE_SILENCES {
            subscription.ask();
            subscription.answered(0, Outcome::Silence, 0.5);
            assert_eq!(subscription.due().is_some(), number < SUBSCRIBE_SILENCES);
        }
        assert_eq!(matches!(subscription.state(), State::Polled { .. }), polls);
    }
}

#[test]
fn what_is_refused_for_now_is_asked_again_after_the_wait_that_was_told() {
    let mut subscription = Subscription::new(&config(false, true), None);
    subscription.ask();
    let answer = SubscriptionAnswer {
        response: "overloaded: full".into(),
        retry_after_ms: Some(60_000),
        ..SubscriptionAnswer::default()
    };
    subscription.answered(5, Outcome::Answer(answer), 0.0);
    assert_eq!(subscription.due(), Some(60_005));
    subscription.ask();
    subscription.answered(5, refused("rejected: extension[0].events"), 0.0);
    assert_eq!(subscription.due(), None);
}

#[test]
fn it_is_asked_for_again_when_it_expires_and_done_when_it_was_for_once() {
    let mut subscription = Subscription::new(&config(false, false), None);
    subscription.ask();
    let answer = SubscriptionAnswer {
        response: "success".into(),
        subscription_id: Some("a".into()),
        expires: Some(crate::model::Timestamp(9_000)),
        ..SubscriptionAnswer::default()
    };
    subscription.answered(0, Outcome::Answer(answer), 0.5);
    assert_eq!(subscription.due(), Some(9_000));
    let once = SubscriptionConfig { method: NotificationMethod::OneTime, ..config(false, false) };
    let mut subscription = Subscription::new(&once, None);
    subscription.ask();
    subscription.answered(0, granted("a", false), 0.5);
    subscription.notified(1, Some(1));
    assert_eq!((subscription.state(), subscription.due()), (&State::Done, None));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        "[ab]".prop_map(|id| granted(&id, true)),
        "[ab]".prop_map(|id| granted(&id, false)),
        Just(refused("success")),
        Just(refused("unsupported")),
        Just(refused("overloaded: x")),
        Just(refused("rejected: y")),
        Just(refused("")),
        Just(Outcome::Silence),
        Just(Outcome::NotSent),
    ]
}

proptest! {
    /// Whatever a component answers: what is remembered is what the machine would resume, it never asks while it waits for an
    /// answer, and never more often than the shortest wait but when a resumption failed.
    #[test]
    fn the_memory_agrees_and_nobody_is_pestered(
        durable: bool, polls: bool, steps in prop::collection::vec((outcomes(), 0.0_f64..1.0, prop::bool::weighted(0.2)), 1..50)
    ) {
        let mut subscription = Subscription::new(&config(durable, polls), None);
        let mut kept: Option<String> = None;
        let mut now = 0;
        for (outcome, chance, lost) in steps {
            if lost {
                subscription.disconnected();
            }
            let Some(due) = subscription.due() else { continue };
            now = now.max(due);
            let resumed = subscription.ask();
            prop_assert_eq!(&resumed, &kept);
            prop_assert_eq!(subscription.due(), None);
            match subscription.answered(now, outcome, chance) {
                Keep::AsItIs => {}
                Keep::Id(id) => kept = Some(id),
                Keep::Nothing => kept = None,
            }
            if let Some(due) = subscription.due() {
                let again_at_once = resumed.is_some() && kept.is_none();
                prop_assert!(again_at_once || due >= now + millis(SUBSCRIBE_RETRY_MIN) / 2);
                prop_assert!(due <= now + millis(SUBSCRIBE_RETRY_MAX));
            }
        }
    }
}
