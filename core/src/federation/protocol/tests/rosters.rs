//! Who counts, from when on, and who is heard at all: rosters one after the other, neighbours that are all gone, and what is
//! shown of what was said long ago.

use super::*;

/// The epoch of what is held of `a`, and how `a` is seen.
fn seen_of_a(net: &Net, at: &str) -> (u64, Freshness) {
    let a = id("a");
    let held = net.nodes[at].documents_of(&a).next().expect("a document of a").1;
    (held.manifest.version.epoch, net.nodes[at].standing(&id("a"), net.now).expect("known").freshness)
}

fn next_roster(net: &Net, min_epoch: u64) -> Roster {
    let mut next = Roster { version: 2, ..roster(&net.names) };
    next.members.get_mut(&id("a")).expect("a").min_epoch = min_epoch;
    next
}

#[test]
fn a_least_epoch_shuts_out_what_was_said_before_and_an_older_roster_does_not_bring_it_back() {
    let mut net = Net::of(&["a", "b", "c"]);
    net.join("a", "b");
    net.join("b", "c");
    net.publish("a", "well");
    let (old, freshness) = seen_of_a(&net, "b");
    assert_eq!(freshness, Freshness::Fresh);
    let next = next_roster(&net, old + 1);
    net.give("b", Input::Roster(next.clone()));
    assert_eq!(seen_of_a(&net, "b"), (old, Freshness::Excluded));
    // The origin does not know yet; what it says meanwhile is dropped, and nobody is blamed.
    net.pass(20_000);
    assert_eq!(seen_of_a(&net, "b"), (old, Freshness::Excluded));
    assert!(net.happened("b", |event| matches!(event, Event::Dropped { fault: Fault::Version, .. })) > 0);
    net.give("a", Input::Roster(next));
    let (new, freshness) = seen_of_a(&net, "b");
    assert!(new > old && freshness == Freshness::Fresh, "a took an epoch above the least");
    net.give("b", Input::Roster(roster(&net.names)));
    assert_eq!(net.happened("b", |event| *event == Event::OldRoster { version: 1 }), 1);
    let session = *net.ends.keys().next().expect("a session");
    let (_, there) = net.ends[&session];
    net.give("b", Input::Report { session: there, items: vec![Item::Document(signed("a", old, 99, 1))] });
    assert_eq!(seen_of_a(&net, "b").0, new);
}

#[test]
fn who_starts_from_an_old_copy_of_its_disk_begins_above_the_least_epoch() {
    let mut net = Net::of(&["a", "b"]);
    net.join("a", "b");
    net.publish("a", "well");
    let least = seen_of_a(&net, "b").0 + (500 << 20);
    let next = next_roster(&net, least);
    net.give("b", Input::Roster(next.clone()));
    net.disks.get("a").expect("a disk").epoch.store(7, Ordering::Relaxed);
    net.start("a");
    net.give("a", Input::Roster(next));
    net.publish("a", "well again");
    net.join("a", "b");
    let (epoch, freshness) = seen_of_a(&net, "b");
    assert!(epoch > least && freshness == Freshness::Fresh, "{epoch} {least}");
}

#[test]
fn who_has_lost_its_only_neighbour_says_so_after_a_while_and_once() {
    let mut net = Net::of(&["a", "b"]);
    let (here, there) = net.join("a", "b");
    net.publish("b", "well");
    net.pass(20_000);
    net.ends.remove(&here);
    net.ends.remove(&there);
    net.give("a", Input::Disconnected(here));
    let told = |net: &Net| {
        let alone = |event: &Event| *event == Event::Isolated(CutOff::Alone);
        (net.happened("a", alone), net.happened("a", |event| *event == Event::Rejoined))
    };
    net.pass(14_000);
    assert_eq!(told(&net), (0, 0), "it may come back");
    net.pass(60_000);
    assert_eq!(told(&net), (1, 0));
    net.join("a", "b");
    net.pass(5_000);
    assert_eq!(told(&net), (1, 1));
}

#[test]
fn what_nothing_newer_came_of_for_a_day_is_kept_and_not_shown() {
    let mut net = Net::of(&["a", "b"]);
    net.join("a", "b");
    net.publish("a", "well");
    let day = Settings::default().keep_stale;
    let shown = |net: &Net, domain: &str, later: u64| net.nodes["b"].shown_of(&id(domain), net.now + later).count();
    assert_eq!((shown(&net, "a", day), shown(&net, "a", day + 1)), (1, 0));
    assert_eq!(net.nodes["b"].documents_of(&id("a")).count(), 1);
    net.publish("b", "well");
    assert_eq!(shown(&net, "b", day + 1), 1, "what we say ourselves is never old");
}

#[test]
fn a_validity_of_more_than_a_day_is_over_the_limit_and_nobody_is_blamed() {
    let mut net = Net::of(&["a", "b"]);
    let (_, at_b) = net.join("a", "b");
    let day = Settings::default().longest_valid_for;
    let mut tell = |valid_for_ms: u64, seq: u64| {
        let manifest = Manifest { valid_for_ms, ..signed("a", 9 << 20, seq, 1).jws.manifest().expect("a manifest") };
        let jws = Jws::sign(&manifest, &OwnKey("a".to_owned())).expect("signed");
        let document = Document { jws, ..signed("a", 9 << 20, seq, 1) };
        net.give("b", Input::Report { session: at_b, items: vec![Item::Document(document)] });
        let over = net.happened("b", |event| matches!(event, Event::Dropped { fault: Fault::OverLimit, .. }));
        (over, net.nodes["b"].documents_of(&id("a")).count())
    };
    assert_eq!([tell(u64::MAX, 1), tell(day + 1, 2)], [(1, 0), (2, 0)]);
    assert_eq!(tell(day, 3), (2, 1));
    net.pass(1_000);
    assert_eq!(net.nodes["b"].standing(&id("a"), net.now).map(|seen| seen.freshness), Some(Freshness::Fresh));
    assert_eq!(net.happened("b", |event| matches!(event, Event::Quarantined(_))), 0);
}
