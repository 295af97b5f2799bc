use proptest::prelude::*;

use super::{
    testing::{RING, world},
    *,
};
use crate::{
    model::Catalogue,
    simulate::description::{FaultKind, Target, fault::Written},
};

fn begin(world: &mut World, line: &str) -> u32 {
    let fault = Written::read(line).and_then(|written| written.resolve(&world.plan)).unwrap();
    world.begin(fault)
}

fn pass(world: &mut World, seconds: u64) {
    let until = world.time() + Duration::from_secs(seconds);
    while world.time() < until {
        world.step();
    }
}

fn reports(world: &World) -> Vec<Vec<Value>> {
    (0..world.plan.components.len()).map(|index| world.report(index)).collect()
}

fn of(world: &World, name: &str) -> Vec<Value> {
    match world.plan.find(name) {
        Some(Target::Component(index)) => world.report(index),
        _ => panic!("no component {name}"),
    }
}

/// A value of the component itself, or of a part of it.
fn value(world: &World, name: &str, resource: Option<&str>, key: &str) -> Value {
    let objects = of(world, name);
    let found = objects.iter().find_map(|object| {
        (object["resource"].as_str() == resource).then(|| object["values"].get(key).cloned()).flatten()
    });
    found.unwrap_or_else(|| panic!("{name} says nothing of {key}: {objects:?}"))
}

fn number(world: &World, name: &str, key: &str) -> f64 {
    value(world, name, None, key).as_f64().unwrap()
}

/// All words and flags that components say, with who says them.
fn words(world: &World) -> Vec<(usize, String, String, Value)> {
    let mut words = Vec::new();
    for (index, report) in reports(world).into_iter().enumerate() {
        for object in report.iter().filter(|object| object["type"] == "state") {
            let resource = object["resource"].as_str().unwrap_or_default();
            for (name, word) in object["values"].as_object().unwrap() {
                words.push((index, resource.to_owned(), name.clone(), word.clone()));
            }
        }
    }
    words
}

fn check_catalogue(world: &World) {
    let catalogue = Catalogue::get();
    for (report, component) in reports(world).iter().zip(&world.plan.components) {
        let point = component.component.reference_point.as_str();
        for object in report {
            let Some(values) = object["values"].as_object() else { continue };
            for (name, value) in values {
                let place = format!("{} {name} {value}", component.component);
                let on = |points: &[String]| points.iter().any(|known| known == point || known == "all");
                match object["type"].as_str().unwrap() {
                    "performance" => {
                        let entry = catalogue.performance.iter().find(|entry| &entry.name == name).expect(&place);
                        let value = value.as_f64().expect(&place);
                        assert!(entry.min.is_none_or(|min| value >= min), "{place}");
                        assert!(entry.max.is_none_or(|max| value <= max), "{place}");
                        assert!(on(&entry.points), "{place}");
                    }
                    "state" => {
                        let entry = catalogue.state.iter().find(|entry| &entry.name == name).expect(&place);
                        let word = value.as_str();
                        assert!(word.is_none_or(|word| entry.words.iter().any(|known| known == word)), "{place}");
                        assert!(on(&entry.points), "{place}");
                    }
                    _ => assert!(catalogue.inventory.iter().any(|entry| &entry.name == name), "{place}"),
                }
            }
        }
    }
}

#[test]
fn a_network_without_faults_stays_as_it_should_be() {
    let mut world = world(RING, 3);
    for _ in 0..20 {
        pass(&mut world, 30);
        check_catalogue(&world);
        for (index, component) in world.plan.components.iter().enumerate() {
            for object in world.report(index) {
                let values = &object["values"];
                assert!(values["qber_ratio"].as_f64().is_none_or(|qber| qber < 0.06), "{component:?} {values}");
                assert!(
                    values["key_store_fill_ratio"].as_f64().is_none_or(|fill| fill > 0.5),
                    "{component:?} {values}"
                );
                assert!(values["key_delivery_loss_ratio"].as_f64().is_none_or(|loss| loss == 0.0), "{values}");
                for (word, good) in [
                    ("operational_state", "enabled"),
                    ("distillation_state", "generating"),
                    ("kma_link_state", "up"),
                    ("service_state", "available"),
                    ("qkdl_status", "ACTIVE"),
                    ("relay_point_state", "measuring"),
                ] {
                    assert!(values[word].as_str().is_none_or(|said| said == good), "{component:?} {values}");
                }
            }
        }
    }
    assert_eq!(number(&world, "controller-1", "reroute_count"), 0.0);
    assert_eq!(number(&world, "controller-1", "active_relay_path_count"), 3.0);
    assert_eq!(number(&world, "a-users", "availability_ratio"), 1.0);
    assert_eq!(number(&world, "a-users", "throughput_bps"), 1_024.0);
}

#[test]
fn a_cut_fibre_darkens_its_link_and_moves_its_routes() {
    let mut world = world(RING, 1);
    pass(&mut world, 10);
    let calm = number(&world, "b-qkd-a", "qber_ratio");
    let cut = begin(&mut world, "cut a-b");
    pass(&mut world, 5);
    assert!(number(&world, "b-qkd-a", "qber_ratio") > 0.4 && calm < 0.05);
    assert_eq!(number(&world, "b-qkd-a", "secret_key_rate_bps"), 0.0);
    assert!(number(&world, "a-b-fibre", "link_loss_db") > 55.0);
    assert_eq!(value(&world, "a-b-fibre", None, "qkdl_status"), "OFF");
    assert_eq!(value(&world, "a-km", Some("a-b"), "kma_link_state"), "degraded");
    assert!(number(&world, "controller-1", "reroute_count") >= 1.0);
    assert_eq!(value(&world, "a-users", None, "service_state"), "available", "there is a way round");
    assert!(world.end(cut) && !world.end(cut));
    pass(&mut world, 5);
    assert_eq!(value(&world, "a-b-fibre", None, "qkdl_status"), "ACTIVE");
    assert_eq!(value(&world, "a-km", Some("a-b"), "kma_link_state"), "up");
}

#[test]
fn each_fault_shows_where_it_happens() {
    let calm = |seconds| {
        let mut calm = world(RING, 1);
        pass(&mut calm, seconds);
        calm
    };
    let under = |line: &str, seconds| {
        let mut world = world(RING, 1);
        begin(&mut world, line);
        pass(&mut world, seconds);
        check_catalogue(&world);
        world
    };
    let healthy = calm(20);
    let loss = under("loss a-b loss_db=6 rise=10s", 20);
    assert!(number(&loss, "a-b-fibre", "link_loss_db") > number(&healthy, "a-b-fibre", "link_loss_db") + 5.5);
    let tapped = under("tap a-b share=0.2", 20);
    assert!(number(&tapped, "b-qkd-a", "qber_ratio") > number(&healthy, "b-qkd-a", "qber_ratio") + 0.04);
    let rates = number(&tapped, "b-qkd-a", "detection_rate_cps") / number(&healthy, "b-qkd-a", "detection_rate_cps");
    assert!((rates - 1.0).abs() < 0.02, "an eavesdropper that sends again changes no counts: {rates}");
    let heard = under("tap b-c", 20);
    assert!(number(&heard, "b-c-relay-point", "measurement_error_ratio") > 0.05);
    let worn = under("drift b-qkd-a efficiency=0.5", 20);
    assert!(number(&worn, "b-qkd-a", "raw_key_rate_bps") < number(&healthy, "b-qkd-a", "raw_key_rate_bps") * 0.6);
    let warm = under("heat b-qkd-a celsius=10", 20);
    assert!(number(&warm, "b-qkd-a", "detector_temperature_celsius") > 9.0);
    assert!(number(&warm, "b-qkd-a", "dark_count_rate_cps") > number(&healthy, "b-qkd-a", "dark_count_rate_cps") * 3.0);
    let drained = under("drain a-km bps=1e9", 20);
    assert!(number(&drained, "a-km", "key_store_fill_ratio") < 0.01);
    let failed = under("fail b-qkd-a", 20);
    assert_eq!(value(&failed, "b-qkd-a", None, "qkdi_status"), "FAILED");
    assert_eq!(value(&failed, "a-qkd-b", None, "distillation_state"), "aligning");
    let dark = under("fail b-c-relay-point", 20);
    assert_eq!(number(&dark, "b-qkd-c", "secret_key_rate_bps"), 0.0);
    let stuck = under("stuck d-switch", 20);
    assert_eq!(value(&stuck, "d-switch", None, "switch_state"), "failed");
    assert_eq!(number(&stuck, "a-qkd-d", "secret_key_rate_bps"), 0.0);
    assert!(number(&stuck, "c-qkd-d", "secret_key_rate_bps") > 0.0, "it holds the path to its first link");
    let apart = under("crash a-km", 20);
    assert!(apart.condition(apart.plan.nodes[0].key_manager).gone);
    assert_eq!(value(&apart, "b-km", Some("a-b"), "kma_link_state"), "down");
    assert_eq!(value(&apart, "a-users", None, "service_state"), "unavailable");
    let leaderless = under("fail controller-1", 20);
    assert_eq!(value(&leaderless, "controller-2", None, "controller_role"), "active");
    let halves =
        [2, 6, 10, 14].map(|seconds| value(&under("flap c-km period=4s", seconds), "c-km", None, "qkdn_status"));
    assert_eq!(halves, ["FAILURE", "OPERATING", "FAILURE", "OPERATING"]);
    let Some(Target::Component(clock)) = healthy.plan.find("a-km") else { panic!() };
    assert_eq!(under("clock a-km seconds=-30", 20).condition(clock).clock_offset_ms, -30_000);
    assert!(under("silence a-km", 20).condition(clock).silent);
    let mut anew = calm(60);
    let before = number(&anew, "a-qkd-b", "keys_generated_bits");
    begin(&mut anew, "restart a-qkd-b");
    pass(&mut anew, 1);
    assert!(number(&anew, "a-qkd-b", "keys_generated_bits") < before / 10.0);
    assert!(anew.active().is_empty());
}

#[test]
fn schedules_and_chance_begin_and_end_faults() {
    let text = format!(
        "{RING}\n[simulation]\nrandom_faults = {{ every = \"20s\", last = \"5s\" }}\n[[faults]]\nkind = \"fibre-cut\"\n\
         target = \"a-b\"\nat = \"10s\"\nfor = \"5s\"\n"
    );
    let run = |seed| {
        let mut world = world(&text, seed);
        pass(&mut world, 600);
        world.take_news()
    };
    let news = run(1);
    let cut = |news: &News| news.fault.kind == FaultKind::FibreCut && news.fault.lasts == Some(Duration::from_secs(5));
    assert!(news.iter().any(|news| cut(news) && news.began && news.time == Duration::from_secs(10)));
    assert!(news.iter().any(|news| cut(news) && !news.began && news.time == Duration::from_secs(15)));
    let begun = news.iter().filter(|news| news.began).count();
    assert!((15..60).contains(&begun), "about one in 20 s: {begun}");
    assert_eq!(run(1), news);
    assert_ne!(run(2), news);
}

#[test]
fn who_is_behind_catches_up_a_little_at_a_time() {
    let mut world = world(RING, 1);
    assert!(!world.advance_to(Duration::from_secs(100), 50));
    assert_eq!(world.time(), Duration::from_secs(25));
    assert!(world.advance_to(Duration::from_secs(26), 50));
    assert!(world.advance_to(Duration::from_secs(26), 50), "nothing to do");
}

#[test]
fn usage_is_told_once_and_is_what_was_given() {
    let mut world = world(RING, 1);
    pass(&mut world, 100);
    let key_manager = world.plan.nodes[0].key_manager;
    let used = world.take_usage(key_manager);
    assert_eq!(used, [("b".to_owned(), 51_200.0), ("c".to_owned(), 51_200.0)]);
    assert!(world.take_usage(key_manager).is_empty());
    assert!(world.take_usage(world.plan.links[0].fibre).is_empty());
}

/// Lines that begin faults, one for each kind and kind of component.
const FAULTS: [&str; 16] = [
    "cut a-b",
    "loss c-d loss_db=8 rise=5s",
    "tap b-c",
    "drift d-qkd-a",
    "heat b-qkd-a",
    "drain b-km bps=2e5",
    "fail a-qkd-d-2",
    "stuck a-switch",
    "silence c-km",
    "flap b-km period=3s",
    "clock a-users seconds=9",
    "restart a-km",
    "crash c-km",
    "fail controller-1",
    "fail b-c-relay-point",
    "crash c-switch",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Equal seeds and faults show the same, whatever happens; keys go nowhere; what ends is over.
    #[test]
    fn laws_hold_whatever_happens(seed: u64, events in prop::collection::vec((0_usize..FAULTS.len(), 1_u64..20), 1..12)) {
        let run = || {
            let mut world = world(RING, seed);
            for (fault, seconds) in &events {
                begin(&mut world, FAULTS[*fault]);
                pass(&mut world, *seconds);
            }
            world
        };
        let mut world = run();
        prop_assert_eq!(reports(&world), reports(&run()));
        check_catalogue(&world);
        for (index, store) in world.stores.iter().enumerate() {
            let gone = store.supplied + store.relayed + store.drained;
            prop_assert!((store.start() + store.filled - gone - store.level).abs() < 1e-3, "{store:?}");
            prop_assert!((0.0..=store.capacity).contains(&store.level), "{store:?}");
            let made = world.light[index].generated_bits();
            prop_assert!(store.filled + store.discarded <= made + 1e-3, "{store:?} {made}");
        }
        let given: f64 = world.deliveries.iter().map(|delivery| delivery.given_bits).sum();
        let taken: f64 = world.stores.iter().map(|store| store.supplied + store.relayed).sum();
        prop_assert!(given <= taken + 1e-3, "each hop pays: {given} {taken}");

        let numbers: Vec<u32> = world.active().iter().map(|active| active.number).collect();
        prop_assert!(numbers.iter().all(|number| world.end(*number)));
        pass(&mut world, 120);
        let mut calm = super::testing::world(RING, seed);
        pass(&mut calm, 60);
        prop_assert_eq!(words(&world), words(&calm));
        prop_assert!(number(&world, "b-qkd-a", "qber_ratio") < 0.06);
    }
}
