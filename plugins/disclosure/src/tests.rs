//! The options one by one, and laws of all together: an answer only narrows (the test kit checks it), numbers are in
//! steps, groups are large enough, and nothing is told before its time.

use proptest::prelude::*;
use qkdn_plugin::testing::{ExchangeHost, take_log};
use serde_json::{Value, json};

use crate::Disclosure;

fn host(config: &Value) -> ExchangeHost<Disclosure> {
    ExchangeHost::new(config).expect("the configuration is in order")
}

fn problems(config: &Value) -> Vec<(String, String)> {
    let problems = ExchangeHost::<Disclosure>::new(config).err().expect("it is refused");
    problems.into_iter().map(|problem| (problem.path, problem.message)).collect()
}

fn everything() -> Value {
    json!({
        "health": { "components": {
            "mq": { "known": 12, "connected": 9, "silent": 0, "impaired": 1 },
            "mu": { "known": 1, "connected": 1, "silent": 0, "impaired": 0 },
        } },
        "alarms": { "raised": { "major": 7, "minor": 2 }, "types": { "link-down": 1, "other": 8 } },
        "links": { "ends": [
            { "id": "vienna-brno", "peer": "north", "state": "up", "qberRatio": 0.0213, "secretKeyRateBps": 1234.0 },
            { "id": "vienna-graz", "peer": "north", "state": "down" },
        ] },
        "capabilities": { "program": "qkdnm", "version": "0.1.0", "referencePoints": ["mq"], "sections": ["health"] },
    })
}

#[test]
fn without_options_everything_passes() {
    assert_eq!(host(&json!({})).export("federation", &everything()), everything());
    assert_eq!(host(&json!({})).import("west", "federation", &everything()), everything());
}

#[test]
fn what_is_left_out_is_not_there() {
    let config =
        json!({ "leave_out": ["alarms/types", "health/components/mu", "links/ends/*/qberRatio", "capabilities"] });
    let told = host(&config).export("federation", &everything());
    assert_eq!(told["alarms"], json!({ "raised": { "major": 7, "minor": 2 } }));
    assert!(told["health"]["components"]["mu"].is_null() && told["health"]["components"]["mq"]["known"] == 12);
    let first = json!({ "id": "vienna-brno", "peer": "north", "state": "up", "secretKeyRateBps": 1234.0 });
    assert_eq!(told["links"]["ends"][0], first);
    assert_eq!(told.as_object().map(|told| told.len()), Some(3));
}

#[test]
fn only_what_is_named_passes() {
    let config = json!({ "only": ["health/components/*/known", "links/ends/*/qberRatio"], "leave_out": ["health/components/mu"] });
    let told = host(&config).export("federation", &everything());
    let links = json!({ "ends": [
        { "id": "vienna-brno", "peer": "north", "state": "up", "qberRatio": 0.0213 },
        { "id": "vienna-graz", "peer": "north", "state": "down" },
    ] });
    assert_eq!(told, json!({ "health": { "components": { "mq": { "known": 12 } } }, "links": links }));
    assert_eq!(host(&json!({ "only": [] })).export("federation", &everything()), json!({}));
}

#[test]
fn a_slip_in_a_path_is_refused_with_its_place() {
    let config = json!({ "leave_out": ["alarms", "alarm/types", "health/components/mz", "links/ends/0", "links/ends/*/state"],
        "only": ["alarms/raised/huge", ""] });
    let places: Vec<String> = problems(&config).into_iter().map(|(path, _)| path).collect();
    assert_eq!(places, ["/leave_out/1", "/leave_out/2", "/leave_out/3", "/leave_out/4", "/only/0", "/only/1"]);
    let config =
        json!({ "minimum_group": 1, "steps": { "counts": 0, "qber": 1.5, "secret_key_rate": 0 }, "delay": "3d" });
    let places: Vec<String> = problems(&config).into_iter().map(|(path, _)| path).collect();
    assert_eq!(places, ["/minimum_group", "/steps/counts", "/steps/qber", "/steps/secret_key_rate", "/delay"]);
    assert_eq!(problems(&json!({ "below_minimum": "raise" }))[0].0, "/below_minimum");
    assert!(problems(&json!({ "redact": [] }))[0].1.contains("unknown field `redact`"));
}

#[test]
fn small_groups_are_left_out_and_so_is_what_the_rest_is_reckoned_from() {
    let told = host(&json!({ "minimum_group": 3 })).export("federation", &everything());
    // Nine of twelve leave three; one that is impaired is somebody.
    assert_eq!(told["health"], json!({ "components": { "mq": { "known": 12, "connected": 9, "silent": 0 } } }));
    assert_eq!(told["alarms"], json!({ "raised": { "major": 7 }, "types": { "other": 8 } }));
    let told = host(&json!({ "minimum_group": 4 })).export("federation", &everything());
    assert_eq!(told["health"], json!({ "components": { "mq": { "known": 12, "silent": 0 } } }));
    let told = host(&json!({ "minimum_group": 3, "below_minimum": "raise" })).export("federation", &everything());
    let mq = json!({ "known": 12, "connected": 9, "silent": 0, "impaired": 3 });
    assert_eq!(told["health"], json!({ "components": { "mq": mq, "mu": { "known": 3 } } }));
    assert_eq!(
        told["alarms"],
        json!({ "raised": { "major": 7, "minor": 3 }, "types": { "link-down": 3, "other": 8 } })
    );
}

#[test]
fn ranges_over_links_are_narrowed_like_what_they_are_over() {
    let range = |count: u64, max: f64| json!({ "min": 0.013, "max": max, "count": count });
    let asked = json!({ "linkRanges": { "states": { "up": 7, "down": 2 }, "qberRatio": range(7, 0.058), "keyStoreFillRatio": range(2, 0.9) } });
    let told = host(&json!({ "minimum_group": 3 })).export("federation", &asked);
    assert_eq!(told["linkRanges"], json!({ "states": { "up": 7 }, "qberRatio": range(7, 0.058) }));
    let told = host(&json!({ "steps": { "counts": 5, "qber": 0.01 } })).export("federation", &asked);
    assert_eq!(told["linkRanges"]["states"], json!({ "up": 5, "down": 5 }));
    assert_eq!(told["linkRanges"]["qberRatio"]["count"], 5);
    assert!((told["linkRanges"]["qberRatio"]["max"].as_f64().unwrap() - 0.06).abs() < 1e-9, "{told}");
    let paths = json!({ "leave_out": ["linkRanges/qberRatio", "linkRanges/states", "rollup"] });
    let told = host(&paths).export("federation", &asked);
    assert_eq!(told["linkRanges"], json!({ "keyStoreFillRatio": range(2, 0.9) }));
}

#[test]
fn numbers_are_told_in_steps() {
    let steps = json!({ "counts": 5, "qber": 0.01, "secret_key_rate": 500 });
    let told = host(&json!({ "steps": steps })).export("adjacent:north", &everything());
    assert_eq!(told["health"]["components"]["mq"], json!({ "known": 10, "connected": 10, "silent": 0, "impaired": 5 }));
    assert_eq!(told["alarms"]["raised"], json!({ "major": 5, "minor": 5 }));
    assert_eq!(
        (&told["links"]["ends"][0]["qberRatio"], &told["links"]["ends"][0]["secretKeyRateBps"]),
        (&json!(0.02), &json!(1000.0))
    );
}

#[test]
fn links_are_called_by_their_aliases_or_left_out() {
    let mut host = host(&json!({ "pseudonyms": true }));
    let _ = take_log();
    host.aliases = vec![("vienna-brno".to_owned(), "a-4f21".to_owned())];
    for _ in 0..2 {
        let ends = host.export("adjacent:north", &everything())["links"]["ends"].clone();
        assert_eq!((ends.as_array().map(Vec::len), &ends[0]["id"]), (Some(1), &json!("a-4f21")));
    }
    let log = take_log();
    assert!(log.len() == 1 && log[0].1.contains("1 links are left out of what is told to adjacent:north"), "{log:?}");
    assert_eq!(host.import("north", "adjacent:ours", &everything()), everything());
    // Maintenance and incidents speak of the same links.
    let also = json!({
        "maintenance": { "windows": [{ "id": 1, "links": ["vienna-brno", "vienna-graz"] }, { "id": 2, "links": ["vienna-graz"] }] },
        "incidents": { "open": [{ "id": 1, "link": "vienna-graz" }, { "id": 2, "link": "vienna-brno" }] },
    });
    let told = host.export("adjacent:north", &also);
    assert_eq!(told["maintenance"]["windows"], json!([{ "id": 1, "links": ["a-4f21"] }]));
    assert_eq!(told["incidents"]["open"], json!([{ "id": 2, "link": "a-4f21" }]));
}

/// What crosses the border besides links.
fn crossing() -> Value {
    json!({
        "interDomainLinks": { "links": [{ "id": "vienna-brno", "peer": "north", "state": "up", "secretKeyRateBps": 2000.0 }] },
        "keyRelations": { "relations": [{ "id": "keys-1", "peer": "north", "state": "up", "keyRateBps": 1234.0 }] },
        "services": { "services": [
            { "id": "gov-vpn", "state": "met", "keyRateBps": { "objective": 1000.0, "measured": 1234.0, "state": "met" } },
        ] },
        "settlement": { "period": "hour", "totals": [
            { "start": "2026-01-01T12:00:00Z", "intervals": 3, "consumedBits": 2560.0, "relayedBits": 0.0 },
        ] },
    })
}

#[test]
fn what_crosses_the_border_is_narrowed_like_links() {
    assert_eq!(host(&json!({})).export("adjacent:north", &crossing()), crossing());
    let config = json!({ "leave_out": ["settlement/totals/*/relayedBits", "services/services/*/keyRateBps/measured"],
        "steps": { "secret_key_rate": 500 } });
    let told = host(&config).export("adjacent:north", &crossing());
    let total = json!({ "start": "2026-01-01T12:00:00Z", "intervals": 3, "consumedBits": 2560.0 });
    assert_eq!(told["settlement"]["totals"], json!([total]));
    assert_eq!(told["services"]["services"][0]["keyRateBps"], json!({ "objective": 1000.0, "state": "met" }));
    assert_eq!(told["keyRelations"]["relations"][0]["keyRateBps"], 1000.0);
    // Of an entry only what makes it one is left, or it is left out with its section.
    let told = host(&json!({ "only": ["services/services/*/state"] })).export("adjacent:north", &crossing());
    assert_eq!(told["services"], json!({ "services": [{ "id": "gov-vpn", "state": "met" }] }));
    assert_eq!(told.as_object().map(|told| told.len()), Some(1));
    for path in ["keyRelations/relations/*/id", "settlement/totals/*/start", "services/services/*/keyRateBps/state"] {
        assert_eq!(problems(&json!({ "leave_out": [path] })).len(), 1, "{path}");
    }
}

#[test]
fn key_relations_and_services_are_called_by_their_aliases_too() {
    let mut host = host(&json!({ "pseudonyms": true }));
    host.aliases = vec![("keys-1".to_owned(), "a-1".to_owned()), ("vienna-brno".to_owned(), "a-2".to_owned())];
    let told = host.export("adjacent:north", &crossing());
    assert_eq!(told["keyRelations"]["relations"][0]["id"], "a-1");
    assert_eq!(told["interDomainLinks"]["links"][0]["id"], "a-2");
    assert_eq!(told["services"]["services"], json!([]), "it has none");
}

#[test]
fn what_is_told_is_as_old_as_it_should_be() {
    let mut host = host(&json!({ "delay": "64s" }));
    let alarms = |major: u64| json!({ "alarms": { "raised": { "major": major } } });
    assert_eq!(host.export("federation", &alarms(1)), json!({}));
    host.advance(500);
    // Noted when the last note is a second old.
    assert_eq!(host.export("federation", &alarms(2)), json!({}));
    host.advance(500);
    assert_eq!(host.export("federation", &alarms(3)), json!({}));
    host.advance(63_000);
    assert_eq!(host.export("federation", &alarms(3)), alarms(1));
    assert_eq!(host.export("adjacent:north", &alarms(3)), json!({}), "another audience has its own notes");
    host.advance(1_000);
    assert_eq!(host.export("federation", &alarms(3)), alarms(3));
    host.restart();
    assert_eq!(host.export("federation", &alarms(3)), json!({}));
}

#[test]
fn what_waits_is_bounded_and_still_told() {
    let mut host = host(&json!({ "delay": "64s" }));
    let links = |number: u64| {
        let end = |index: u64| json!({ "id": format!("link {index}"), "peer": "north", "state": "up", "secretKeyRateBps": number });
        json!({ "links": { "ends": (0..64).map(end).collect::<Vec<_>>() } })
    };
    let mut told = Vec::new();
    for number in 0..200 {
        let now = host.export("adjacent:north", &links(number));
        if let Some(rate) = now["links"]["ends"][0]["secretKeyRateBps"].as_u64() {
            assert!(rate + 64 <= number, "{rate} is told at {number}");
            told.push(rate);
        }
        host.advance(1_000);
    }
    told.dedup();
    assert!(told.is_sorted() && told.len() > 10, "{told:?}");
}

#[test]
fn the_samples_in_config_are_in_order() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/exchange");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let file: toml::Table = text.parse().expect("TOML");
        assert_eq!(file["plugin"].as_str(), Some("builtin:disclosure"), "{}", path.display());
        let config = serde_json::to_value(&file["config"]).expect("JSON");
        assert!(ExchangeHost::<Disclosure>::new(&config).is_ok(), "{}", path.display());
        files += 1;
    }
    assert!(files >= 5, "{files}");
}

fn counts() -> impl Strategy<Value = Value> {
    (0_u64..30, 0_u64..30, 0_u64..30).prop_map(|(known, connected, impaired)| {
        json!({ "known": known, "connected": connected.min(known), "silent": 0, "impaired": impaired.min(known) })
    })
}

fn config() -> impl Strategy<Value = Value> {
    let steps = prop_oneof![Just(Value::Null), (1_u64..10).prop_map(Value::from)];
    let below = prop_oneof![Just("leave-out"), Just("raise")];
    let paths = prop::sample::subsequence(vec!["alarms/types", "health/components/mq/silent", "links", "health"], 0..3);
    (2_u64..8, below, steps, paths).prop_map(|(least, below, counts, paths)| {
        let steps = if counts.is_null() { json!({}) } else { json!({ "counts": counts }) };
        json!({ "minimum_group": least, "below_minimum": below, "steps": steps, "leave_out": paths })
    })
}

proptest! {
    #[test]
    fn nothing_small_is_told(config in config(), mq in counts(), mk in counts(), major in 0_u64..20) {
        let asked = json!({ "health": { "components": { "mq": mq, "mk": mk } }, "alarms": { "raised": { "major": major } } });
        let mut host = host(&config);
        let told = host.export("federation", &asked);
        prop_assert_eq!(&host.export("federation", &asked), &told, "equal questions have equal answers");
        let least = config["minimum_group"].as_u64().unwrap_or(0);
        let step = config["steps"]["counts"].as_u64().unwrap_or(1);
        // Rounding moves a count by half a step at most.
        let fits = |count: u64| count == 0 || count + step / 2 >= least;
        let unrounded = step == 1;
        for (point, counts) in told["health"]["components"].as_object().into_iter().flatten() {
            let known = counts["known"].as_u64().unwrap_or(0);
            for (name, count) in counts.as_object().into_iter().flatten() {
                let count = count.as_u64().unwrap_or(0);
                prop_assert!(fits(count) && count % step == 0, "{point}/{name}: {count}");
                prop_assert!(!unrounded || known == count || known - count >= least, "{point}/{name}: {count} of {known}");
            }
        }
        let major = told["alarms"]["raised"]["major"].as_u64().unwrap_or(0);
        prop_assert!(fits(major) && major.is_multiple_of(step));
    }

    #[test]
    fn nothing_is_told_before_its_time(changes in prop::collection::vec((0_u64..5_000, 0_u64..4), 1..60)) {
        let mut host = host(&json!({ "delay": 10 }));
        let (mut now, mut was) = (0, Vec::new());
        for (pause, major) in changes {
            host.advance(pause);
            now += pause;
            let asked = json!({ "alarms": { "raised": { "major": major } } });
            was.push((now, major));
            let told = host.export("federation", &asked);
            if let Some(major) = told["alarms"]["raised"]["major"].as_u64() {
                let then = was.iter().any(|(at, what)| at + 10_000 <= now && *what == major);
                prop_assert!(then, "{major} at {now}: {was:?}");
            }
        }
    }
}

#[test]
fn what_is_disclosed_no_more_is_not_told_late() {
    let mut host = host(&json!({ "delay": 10 }));
    host.export("federation", &everything());
    host.advance(10_000);
    let less = json!({ "alarms": { "raised": {} }, "health": { "components": {} } });
    let told = host.export("federation", &less);
    assert_eq!((&told["alarms"], told["links"].is_null()), (&json!({ "raised": { "major": 7, "minor": 2 } }), true));
    assert_eq!(told["health"], everything()["health"], "what there was to tell then");
}
