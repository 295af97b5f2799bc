//! Laws of roll-ups: I12 of `ALGORITHM.md`, and who is believed.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::federation::{
    protocol::Member,
    section::{LinkEnd, Range},
};

fn source(origin: &str, state: &str, audience: &str) -> Source {
    Source {
        origin: origin.to_owned(),
        state: state.to_owned(),
        age_s: Some(45),
        audience: Some(audience.to_owned()),
        version: Some("1.2.3".to_owned()),
        manifest_hash: Some(half(&Hash([1; 32]))),
        content_hash: Some(half(&Hash([2; 32]))),
    }
}

fn said(known: u64, major: u64, fill: f64) -> Said {
    let counts = Counts { known, connected: known, ..Counts::default() };
    let end = LinkEnd { state: "up".to_owned(), key_store_fill_ratio: Some(fill), ..LinkEnd::default() };
    Said {
        health: Some(Health { components: [("mk".to_owned(), counts)].into() }),
        alarms: Some(Alarms { raised: [("major".to_owned(), major)].into(), ..Alarms::default() }),
        links: Some(LinkRanges::of(&[end])),
    }
}

#[test]
fn counts_add_up_ratios_become_ranges_and_what_is_not_current_is_listed() {
    let all = [
        (source("a", "fresh", "federation"), Some(said(3, 1, 0.5))),
        (Source { age_s: Some(90), ..source("b", "stale", "federation") }, Some(said(4, 0, 0.1))),
        (Source { age_s: Some(720), ..source("c", "excluded", "federation") }, Some(said(9, 9, 0.9))),
        (Source { origin: "d".into(), state: UNHEARD.into(), ..Source::default() }, None),
    ];
    let sum = sum("north", all);
    let mk = Counts { known: 7, connected: 7, silent: 0, impaired: 0 };
    assert_eq!((sum.components["mk"], sum.raised["major"], sum.worst_age_s), (mk, 1, 90));
    assert_eq!(sum.links.key_store_fill_ratio, Some(Range { min: 0.1, max: 0.5, count: 2 }));
    assert_eq!(sum.links.states["up"], 2);
    let words = "1 fresh, 1 stale (max age 94 s); 1 excluded, 1 unheard left out";
    assert_eq!(in_words(&sum, 3_001), words);
    assert_eq!(sum.sources.len(), 4);
}

#[test]
fn of_one_source_that_told_in_confidence_there_is_no_sum() {
    let one = |audience: &str| (source(audience, "fresh", audience), Some(said(3, 1, 0.5)));
    let known = |all: Vec<(Source, Option<Said>)>| sum("north", all).components.get("mk").map_or(0, |mk| mk.known);
    assert_eq!(known(vec![one("federation")]), 3);
    assert_eq!(known(vec![one("area")]), 0);
    // Who knows what everybody knows would subtract it.
    assert_eq!(known(vec![one("area"), one("federation")]), 0);
    assert_eq!(known(vec![one("area"), one("aggregator"), one("federation")]), 9);
}

/// What is told of these sources, each with whom it told.
fn told(all: &[(&str, &str, Said)]) -> AreaSum {
    let told = sum(
        "north",
        all.iter().map(|(origin, audience, said)| (source(origin, "fresh", audience), Some(said.clone()))),
    );
    let held = |source: &Source| all.iter().find(|(origin, ..)| *origin == source.origin).map(|(.., said)| said);
    assert_eq!(check(&told, held), Check::Agrees, "who adds up again leaves out the same");
    told
}

fn of_links(ends: &[LinkEnd]) -> Said {
    Said { links: Some(LinkRanges::of(ends)), ..Said::default() }
}

fn of_alarms(raised: &[(&str, u64)]) -> Said {
    let raised = raised.iter().map(|(severity, count)| ((*severity).to_owned(), *count)).collect();
    Said { alarms: Some(Alarms { raised, ..Alarms::default() }), ..Said::default() }
}

fn of_health(points: &[(&str, u64)]) -> Said {
    let counts = |known: u64| Counts { known, ..Counts::default() };
    let components = points.iter().map(|(point, known)| ((*point).to_owned(), counts(*known))).collect();
    Said { health: Some(Health { components }), ..Said::default() }
}

#[test]
fn links_that_one_source_alone_has_are_not_told_in_sum() {
    let end = |state: &str, qber: Option<f64>, fill: f64| LinkEnd {
        state: state.to_owned(),
        qber_ratio: qber,
        key_store_fill_ratio: Some(fill),
        ..LinkEnd::default()
    };
    let (one, none) = (of_links(&[end("up", Some(0.03), 0.5)]), of_links(&[]));
    let links =
        |other: &Said, audience: &str| told(&[("a", "area", one.clone()), ("b", audience, other.clone())]).links;
    assert_eq!(links(&none, "area"), LinkRanges::default());
    assert_eq!(links(&none, "federation"), LinkRanges::default());
    // Each state and each range is a figure of its own.
    let both = links(&of_links(&[end("up", None, 0.1), end("down", None, 0.2)]), "aggregator");
    assert_eq!((both.states, both.qber_ratio), ([("up".to_owned(), 2)].into(), None));
    assert_eq!(both.key_store_fill_ratio, Some(Range { min: 0.1, max: 0.5, count: 3 }));
    // Who knows what everybody knows would subtract it.
    assert_eq!(links(&one, "federation"), LinkRanges::default());
    let public = told(&[("a", "federation", one.clone()), ("b", "area", none)]).links;
    assert_eq!(Some(public), one.links, "that everybody knows");
}

#[test]
fn alarms_that_one_source_alone_has_are_not_told_in_sum() {
    let raised = |a: &[(&str, u64)], b: &[(&str, u64)]| {
        told(&[("a", "area", of_alarms(a)), ("b", "area", of_alarms(b)), ("c", "federation", of_alarms(&[]))]).raised
    };
    assert_eq!(raised(&[("major", 1)], &[]), BTreeMap::new());
    assert_eq!(raised(&[("major", 1)], &[("major", 0)]), BTreeMap::new(), "zero is no part of a sum");
    assert_eq!(raised(&[("major", 0)], &[]), BTreeMap::new(), "nor is it told of one");
    let both = raised(&[("major", 1), ("critical", 4)], &[("major", 2), ("minor", 3)]);
    assert_eq!(both, [("major".to_owned(), 3)].into());
}

#[test]
fn a_reference_point_that_one_source_alone_has_is_not_told_in_sum() {
    let (a, b) = (of_health(&[("mq", 2), ("mk", 3)]), of_health(&[("mk", 4), ("mc", 0)]));
    let points = |first: &str, second: &str| {
        let told = told(&[("a", first, a.clone()), ("b", second, b.clone())]);
        told.components.into_iter().map(|(point, counts)| (point, counts.known)).collect::<Vec<_>>()
    };
    assert_eq!(points("area", "aggregator"), [("mk".to_owned(), 7)]);
    assert_eq!(points("area", "federation"), []);
    assert_eq!(points("federation", "area"), [("mq".to_owned(), 2)]);
    let excluded = (source("b", "excluded", "area"), Some(b.clone()));
    let one = sum("north", [(source("a", "fresh", "area"), Some(a.clone())), excluded]);
    assert_eq!(one.components, BTreeMap::new(), "who is not in the sum hides nobody");
}

#[test]
fn ages_are_told_in_steps_and_never_too_low() {
    assert_eq!([0, 44_999, 45_000].map(|age| age_told(age, 45_000)), [45; 3]);
    assert_eq!([45_001, 90_000, 90_001, 3_600_000].map(|age| age_told(age, 45_000)), [90, 90, 180, 5_760]);
    assert_eq!(age_told(u64::MAX, 45_000), MOST_AGE_S);
}

#[test]
fn sums_of_two_aggregators_are_compared_source_by_source() {
    let one = BTreeMap::from([("a", "fresh"), ("b", "stale"), ("c", "unreachable"), ("d", "fresh")]);
    let other = BTreeMap::from([("a", "indirect"), ("b", "unreachable"), ("c", "fresh"), ("e", "fresh")]);
    let told = ["leaves b out, unreachable", "has c in the sum, fresh", "does not know d", "knows e, fresh"];
    assert_eq!(differences(&one, &other), told);
    assert!(differences(&one, &one).is_empty());
}

fn roster() -> Roster {
    let member = |area: &str, role| Member { area: area.into(), role, ..Member::default() };
    let members = [
        ("hub", member("north", Role::Aggregator)),
        ("hub-2", member("north", Role::Aggregator)),
        ("nation", member("", Role::Aggregator)),
        ("a", member("north", Role::Member)),
        ("b", member("north", Role::Member)),
        ("c", member("south", Role::Member)),
    ];
    Roster { members: members.map(|(name, member)| (name.into(), member)).into(), ..Roster::default() }
}

fn believe(speaker: &str, areas: &[(&str, &[&str])]) -> (Vec<(String, usize)>, Vec<String>) {
    let area = |(area, origins): &(&str, &[&str])| {
        let sources = origins.iter().map(|origin| source(origin, "fresh", "federation")).collect();
        AreaSum { area: (*area).to_owned(), sources, ..AreaSum::default() }
    };
    let rollup = Rollup { areas: areas.iter().map(area).collect() };
    let bytes = serde_json::to_vec(&rollup).unwrap();
    let found =
        super::super::read(&roster(), &speaker.into(), &Audience::Federation, SECTION, &bytes).unwrap().unwrap();
    let shown: Rollup = serde_json::from_value(found.value).unwrap();
    (shown.areas.into_iter().map(|one| (one.area, one.sources.len())).collect(), found.faults)
}

#[test]
fn only_an_aggregator_adds_up_and_only_members_of_its_area() {
    let north = || vec![("north".to_owned(), 2)];
    assert_eq!(believe("hub", &[("north", &["a", "b"])]), (north(), vec![]));
    assert_eq!(believe("nation", &[("north", &["a", "b"])]), (north(), vec![]));
    for (speaker, areas, why) in [
        ("a", &[("north", ["a", "b"].as_slice())][..], "a is none"),
        ("stranger", &[("north", &["a", "b"])], "stranger is none"),
        ("hub", &[("south", &["c"])], "it is not the aggregator's"),
        ("hub", &[("north", &["a", "a"])], "there twice"),
        ("hub", &[("north", &["a", "hub-2"])], "is an aggregator"),
        ("nation", &[("north", &["a", "c"])], "of another area"),
    ] {
        let (shown, faults) = believe(speaker, areas);
        assert!(shown.is_empty() && faults.len() == 1 && faults[0].contains(why), "{speaker} {faults:?}");
    }
    let (shown, faults) = believe("nation", &[("north", &["a", "b"]), ("north", &["a"])]);
    assert!(shown == north() && faults[0].contains("it is there twice"), "{faults:?}");
    let (shown, faults) = believe("hub", &[("north", &["a", "nobody"])]);
    assert!(shown == [("north".to_owned(), 1)] && faults[0].contains("1 of the sources"), "{faults:?}");
}

#[test]
fn what_cannot_be_added_up_again_is_said_so() {
    let (one, other) = (said(3, 1, 0.5), said(4, 0, 0.1));
    let sources =
        [("a", &one), ("b", &other)].map(|(origin, said)| (source(origin, "fresh", "area"), Some(said.clone())));
    let told = sum("north", sources);
    let all = |source: &Source| Some(if source.origin == "a" { &one } else { &other });
    assert_eq!(check(&told, all), Check::Agrees);
    let some = |source: &Source| all(source).filter(|_| source.origin == "a");
    assert_eq!(check(&told, some), Check::CannotBeChecked("what it was made of is not held here: b".to_owned()));
    let more = AreaSum { raised: [("major".to_owned(), 2)].into(), ..told.clone() };
    assert_eq!(check(&more, all), Check::Differs(vec!["alarms"]));
    let younger = AreaSum { worst_age_s: 1, ..told.clone() };
    assert_eq!(check(&younger, some), Check::Differs(vec!["freshness"]), "that needs no source");
    let cut = AreaSum { sources: told.sources[..1].to_vec(), ..told };
    assert!(matches!(check(&cut, all), Check::CannotBeChecked(_)));
}

#[test]
fn a_roll_up_leaves_with_names_and_hashes_of_ours_alone() {
    let rollup = Rollup { areas: vec![sum("north", [(source("a", "fresh", "area"), Some(said(3, 1, 0.5)))])] };
    let value = serde_json::to_value(&rollup).unwrap();
    let left = form::leaving(SECTION, &value, &names(&rollup)).unwrap();
    assert_eq!(left.faults, Vec::<String>::new());
    assert_eq!(left.value, value);
    let mut forged = value;
    let secret = half(&Hash([7; 32]));
    forged["areas"][0]["sources"][0]["manifestHash"] = json!(secret);
    forged["areas"][0]["sources"][0]["version"] = json!("9.9.9");
    let left = form::leaving(SECTION, &forged, &names(&rollup)).unwrap().value.to_string();
    assert!(!left.contains(&secret) && !left.contains("9.9.9"), "{left}");
}

fn any_state() -> impl Strategy<Value = String> {
    let words = ["fresh", "indirect", "stale", "unreachable", "withdrawn", "excluded", UNHEARD, DISPUTED];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

fn any_source() -> impl Strategy<Value = (Source, Option<Said>)> {
    let audience = prop::sample::select(vec!["federation", "area", "aggregator"]);
    let says = (0_u64..9_999_999, 0_u64..100, 0.0..1.0_f64, any::<[bool; 3]>());
    (0_u8..6, any_state(), audience, 0_u64..100_000, says).prop_map(|(number, state, audience, age, says)| {
        let (known, major, fill, has) = says;
        let mut said = said(known, major, (fill * 1_000.0).round() / 1_000.0);
        said.health = said.health.filter(|_| has[0]);
        said.alarms = said.alarms.filter(|_| has[1]);
        said.links = said.links.filter(|_| has[2]);
        let source = Source { age_s: Some(age), ..source(&format!("domain-{number}"), &state, audience) };
        (source, Some(said))
    })
}

proptest! {
    /// Of those that have a part in a figure that is told, two at least did so in confidence, or none.
    #[test]
    fn no_figure_tells_what_one_source_said_in_confidence(all in prop::collection::vec(any_source(), 1..8)) {
        let told = sum("north", all.clone());
        let once: BTreeMap<String, _> = all.into_iter().rev().map(|one| (one.0.origin.clone(), one)).collect();
        let confiding = |has: &dyn Fn(&Said) -> bool| {
            let theirs = once.values().filter(|(source, _)| source.is_in_the_sum() && source.audience.as_deref() != Some("federation"));
            theirs.filter(|(_, said)| said.as_ref().is_some_and(has)).count()
        };
        if told.components.contains_key("mk") {
            let has = |said: &Said| said.health.as_ref().is_some_and(|one| one.components["mk"].known > 0);
            prop_assert_ne!(confiding(&has), 1);
        }
        if told.raised.contains_key("major") {
            let has = |said: &Said| said.alarms.as_ref().is_some_and(|one| one.raised["major"] > 0);
            prop_assert_ne!(confiding(&has), 1);
        }
        if told.links != LinkRanges::default() {
            prop_assert_ne!(confiding(&|said: &Said| said.links.is_some()), 1);
        }
    }

    /// I12: a roll-up is what its listed sources add up to, worst age carried, no source twice; also after it has been written
    /// through the filter and read by another.
    #[test]
    fn a_roll_up_is_what_its_listed_sources_add_up_to(all in prop::collection::vec(any_source(), 0..12)) {
        let told = sum("north", all.clone());
        let rollup = Rollup { areas: vec![told.clone()] };
        let value = serde_json::to_value(&rollup).unwrap();
        let left = form::leaving(SECTION, &value, &names(&rollup)).unwrap();
        prop_assert_eq!(left.faults, Vec::<String>::new());
        let text = serde_json::to_vec(&left.value).unwrap();
        let read = form::fitted(SECTION, &serde_json::from_slice(&text).unwrap()).unwrap().value;
        let read: Rollup = serde_json::from_value(read).unwrap();
        prop_assert_eq!(&read, &rollup);
        let held = |wanted: &Source| all.iter().find(|(one, _)| one == wanted).and_then(|(_, said)| said.as_ref());
        prop_assert_eq!(check(&read.areas[0], held), Check::Agrees);
        let origins: BTreeSet<&str> = told.sources.iter().map(|source| source.origin.as_str()).collect();
        prop_assert_eq!(origins.len(), told.sources.len());
        for source in told.sources.iter().filter(|source| IN_THE_SUM.contains(&source.state.as_str())) {
            prop_assert!(told.worst_age_s >= source.age_s.unwrap());
        }
    }

    /// A sum that says anything else about one of its numbers is found out by who holds the sources.
    #[test]
    fn a_false_sum_is_found_out(all in prop::collection::vec(any_source(), 1..8), by in 1_u64..9, what in 0_u8..4) {
        let mut told = sum("north", all.clone());
        match what {
            0 => told.components.entry("mk".to_owned()).or_default().known ^= by,
            1 => *told.raised.entry("major".to_owned()).or_default() += by,
            2 => *told.links.states.entry("up".to_owned()).or_default() += by,
            _ => told.worst_age_s += by,
        }
        let held = |wanted: &Source| all.iter().find(|(one, _)| one == wanted).and_then(|(_, said)| said.as_ref());
        prop_assert!(matches!(check(&told, held), Check::Differs(_)));
    }

    /// In whatever order sources come, if each comes once.
    #[test]
    fn the_order_of_sources_does_not_matter(all in prop::collection::vec(any_source(), 0..8)) {
        let once: BTreeMap<String, _> = all.into_iter().map(|one| (one.0.origin.clone(), one)).collect();
        let forth = sum("north", once.values().cloned());
        prop_assert_eq!(forth, sum("north", once.values().rev().cloned()));
    }
}
