//! Exchange policies in the host: good ones are asked and remember, bad ones let nothing pass and do not stop the next call.

use harness::guests;
use qkdn_manager::{
    config::{ExchangeConfig, PluginSource},
    plugin::{Direction, ExchangeInstance, Passage, PluginError},
};
use serde_json::{Value, json};

use super::Bench;

fn config(plugin: PluginSource, config: Value) -> ExchangeConfig {
    ExchangeConfig { path: "policies/test.toml".into(), plugin, sha256: None, config }
}

fn guest(bench: &Bench, what: &str) -> ExchangeInstance {
    let plugin = PluginSource::File(guests::wasm("guest-exchange"));
    bench.host.load_exchange(&config(plugin, json!({ "try": what }))).unwrap().instance()
}

fn passage(memory: &str) -> Passage {
    Passage {
        now: 1_700_000_000_000,
        direction: Direction::Export,
        domain: "east".to_owned(),
        audience: "federation".to_owned(),
        sections: vec![("alarms".to_owned(), json!({ "raised": { "major": 2 } }).to_string())],
        aliases: Vec::new(),
        memory: memory.to_owned(),
    }
}

#[test]
fn what_it_leaves_passes_and_what_it_remembers_comes_back() {
    let mut guest = guest(&Bench::new(), "nothing");
    let first = guest.pass(&passage("")).unwrap();
    assert_eq!(first.sections, [("alarms".to_owned(), json!({ "raised": { "major": 2 } }))]);
    assert_eq!(guest.pass(&passage(&first.memory)).unwrap().memory, "2");
}

#[test]
fn whatever_is_wrong_with_an_answer_nothing_passes() {
    let bench = Bench::new();
    for (what, kind) in [
        ("add-member", "bad-answer"),
        ("add-section", "bad-answer"),
        ("twice-the-same", "bad-answer"),
        ("no-json", "bad-answer"),
        ("much-memory", "bad-answer"),
        ("too-large", "answer-too-large"),
        ("panic", "trap"),
        ("loop", "cpu-time"),
    ] {
        let mut guest = guest(&bench, what);
        for _ in 0..2 {
            let failure = guest.pass(&passage("")).unwrap_err();
            assert_eq!(failure.kind(), kind, "{what}: {failure}");
            assert!(!failure.to_string().contains("Jane"), "{what}: {failure}");
        }
    }
    let metrics = bench.metrics.plugins.get("policies/test.toml").unwrap();
    assert_eq!((metrics.activity().calls(), metrics.activity().failures()), (16, 16));
}

#[test]
fn a_policy_of_another_kind_is_told_where_it_belongs() {
    let bench = Bench::new();
    let problem = |name: &str| {
        let plugin = PluginSource::Builtin(name.to_owned());
        bench.host.load_exchange(&config(plugin, json!({}))).unwrap_err().to_string()
    };
    assert!(problem("threshold").contains("belongs into [[policies]]"), "{}", problem("threshold"));
    assert!(problem("mq").contains("belongs into [[handlers]]"), "{}", problem("mq"));
    let mut policy = super::policy_config(json!({}));
    policy.plugin = PluginSource::Builtin("disclosure".to_owned());
    let problem = bench.host.load_policy(&policy, &bench.symbols).unwrap_err().to_string();
    assert!(problem.contains("an exchange policy and belongs into a file"), "{problem}");
}

#[test]
fn the_shipped_one_is_loaded_and_its_configuration_checked() {
    let bench = Bench::new();
    let load = |configured: Value| {
        bench.host.load_exchange(&config(PluginSource::Builtin("disclosure".to_owned()), configured))
    };
    let mut good = load(json!({ "minimum_group": 3, "below_minimum": "raise" })).unwrap().instance();
    assert_eq!(good.pass(&passage("")).unwrap().sections[0].1, json!({ "raised": { "major": 3 } }));
    let PluginError::Configuration { problems, .. } = load(json!({ "minimum_grup": 3, "delay": "soon" })).unwrap_err()
    else {
        panic!("it is refused for its configuration");
    };
    let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
    assert!(places.contains(&"/minimum_grup") && places.contains(&"/delay"), "{problems:?}");
    let PluginError::Configuration { problems, .. } = load(json!({ "leave_out": ["alarm/types"] })).unwrap_err() else {
        panic!("it is refused for its path");
    };
    assert_eq!(problems[0].0, "/leave_out/0");
}
