//! Areas and aggregators: who carries what is told to them, and what is there of who tells nobody else.

use super::*;

/// Two areas with two members and an aggregator each; the aggregators are neighbours, and so are two members across.
const NAMES: [&str; 6] = ["hub-n", "n1", "n2", "hub-s", "s1", "s2"];

fn areas() -> Roster {
    let mut roster = roster(&NAMES);
    roster.version = 2;
    for (name, member) in &mut roster.members {
        member.area = if name.as_str().contains('n') { "north" } else { "south" }.into();
        if name.as_str().starts_with("hub") {
            member.role = Role::Aggregator;
        }
    }
    roster
}

fn two_areas() -> Net {
    let mut net = Net::of(&NAMES);
    NAMES.iter().for_each(|name| net.give(name, Input::Roster(areas())));
    for (one, other) in [("n1", "n2"), ("n1", "hub-n"), ("s1", "s2"), ("s1", "hub-s"), ("hub-n", "hub-s"), ("n1", "s1")]
    {
        net.join(one, other);
    }
    net
}

fn tell(net: &mut Net, name: &'static str, audience: &str, text: &str) {
    let draft = Draft { sections: [("health".into(), text.as_bytes().into())].into() };
    net.give(name, Input::Publish { audience: audience.parse().unwrap(), draft });
}

/// Who holds what an origin said to an audience.
fn holders(net: &Net, origin: &str, audience: &str) -> Vec<&'static str> {
    let slot = Slot { origin: id(origin), audience: audience.parse().unwrap() };
    NAMES.into_iter().filter(|name| net.nodes[name].documents().any(|(known, _)| *known == slot)).collect()
}

#[test]
fn what_is_told_to_an_area_stays_there_and_aggregators_carry_the_rest_between_areas() {
    let mut net = two_areas();
    tell(&mut net, "n2", "area:north", "well");
    tell(&mut net, "n1", "aggregator", "well");
    tell(&mut net, "hub-n", "federation", "sum");
    net.pass(20_000);
    // n2 is no neighbour of the aggregator: n1 passes it on, and to s1 nothing, which is a neighbour too.
    assert_eq!(holders(&net, "n2", "area:north"), ["hub-n", "n1", "n2"]);
    assert_eq!(holders(&net, "n1", "aggregator"), ["hub-n", "n1", "hub-s"]);
    assert_eq!(holders(&net, "hub-n", "federation"), NAMES);
    // What a member tells aggregators goes by no member: n2 has no session with one.
    tell(&mut net, "n2", "aggregator", "well");
    net.pass(20_000);
    assert_eq!(holders(&net, "n2", "aggregator"), ["n2"]);
    let about = |(_, item): &&(&str, Item)| matches!(item, Item::Document(document) if document.jws.manifest().is_ok_and(|manifest| manifest.origin == id("n2")));
    let senders: Vec<&str> = net.sent.iter().filter(about).map(|(from, _)| *from).collect();
    assert!(senders.iter().all(|from| ["n1", "n2", "hub-n"].contains(from)), "{senders:?}");
}

#[test]
fn who_tells_everybody_nothing_any_more_is_withdrawn_for_those_and_fresh_for_the_others() {
    let mut net = two_areas();
    tell(&mut net, "n1", "federation", "well");
    tell(&mut net, "n1", "area:north", "well, and more");
    assert_eq!(holders(&net, "n1", "federation"), NAMES);
    net.give("n1", Input::Withdraw(Audience::Federation));
    net.pass(300_000);
    let seen = |net: &Net, at: &str| net.nodes[at].standing(&id("n1"), net.now).map(|seen| seen.freshness);
    assert_eq!(seen(&net, "n2"), Some(Freshness::Fresh));
    assert_eq!(seen(&net, "s2"), Some(Freshness::Withdrawn), "it does not grow old there");
    assert_eq!(net.happened("s2", |event| matches!(event, Event::Standing { now: Freshness::Stale, .. })), 0);
    let held =
        net.nodes["s2"].documents().find(|(slot, _)| slot.origin == id("n1")).map(|(_, held)| held.sections.len());
    assert_eq!(held, Some(0), "and what it said is gone");
    // It leaves for good: for those that hear it, too.
    net.give("n1", Input::Leave);
    assert_eq!(seen(&net, "n2"), Some(Freshness::Withdrawn));
}

#[test]
fn what_a_former_life_told_its_area_is_kept_and_neither_shown_nor_added_up() {
    let mut net = two_areas();
    tell(&mut net, "n1", "federation", "well");
    tell(&mut net, "n1", "area:north", "well, and more");
    let seen = |net: &Net| {
        let (node, n1) = (&net.nodes["hub-n"], id("n1"));
        let words = |(slot, _): (&Slot, &Held)| slot.audience.to_string();
        let shown: Vec<String> = node.shown_of(&n1, net.now).map(words).collect();
        let added_up: Vec<String> = node.documents_of_its_life(&n1).map(words).collect();
        assert_eq!(shown, added_up);
        (node.documents_of(&n1).count(), shown)
    };
    assert_eq!(seen(&net), (2, vec!["federation".to_owned(), "area:north".to_owned()]));
    // It begins anew, and its area is told no more than everybody.
    net.start("n1");
    net.give("n1", Input::Roster(areas()));
    tell(&mut net, "n1", "federation", "well again");
    net.join("n1", "hub-n");
    assert_eq!(seen(&net), (2, vec!["federation".to_owned()]));
    // If nothing of it counts any more, all that it said is there to be shown as excluded.
    let mut next = Roster { version: 3, ..areas() };
    next.members.get_mut(&id("n1")).expect("n1").min_epoch = MAX_COUNT;
    net.give("hub-n", Input::Roster(next));
    assert_eq!(seen(&net).1.len(), 2);
    assert_eq!(net.nodes["hub-n"].standing(&id("n1"), net.now).map(|seen| seen.freshness), Some(Freshness::Excluded));
}
