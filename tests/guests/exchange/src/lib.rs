//! An exchange policy for tests. Left alone it lets everything pass and counts its calls in its memory. Its configuration names
//! what it tries otherwise: to add what was not there, to put other things in the place of what was, or to fail.

/// Generated from `wit/v0.1`.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "exchange-policy" });
}

use std::cell::RefCell;

use bindings::exports::qkdn::manager::exchange::{Description, Guest, Passage, Passed, Problem, Section};
use serde::Deserialize;
use serde_json::{Value, json};

const SCHEMA: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": { "try": { "type": "string" }, "audience": { "type": "string" } }
}"#;

/// A key of 256 bits, as it must never leave.
const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Try {
    #[default]
    Nothing,
    AddMember,
    AddSection,
    Names,
    Text,
    KeyMaterial,
    Digits,
    TwiceTheSame,
    NoJson,
    TooLarge,
    MuchMemory,
    Panic,
    Loop,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Config {
    r#try: Try,
    /// Of this audience alone; empty: of all.
    audience: String,
}

thread_local! {
    static CONFIG: RefCell<Config> = RefCell::default();
}

/// What is exported.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "exported from WebAssembly"))]
struct Plugin;

impl Guest for Plugin {
    fn describe() -> Description {
        Description {
            name: "guest-exchange".into(),
            version: "0.0.1".into(),
            summary: "Tries to get out what it should not.".into(),
            config_schema: SCHEMA.into(),
            extra: Vec::new(),
        }
    }

    fn configure(config: String) -> Result<(), Vec<Problem>> {
        let config: Config = serde_json::from_str(&config)
            .map_err(|error| vec![Problem { path: "/try".into(), message: error.to_string() }])?;
        CONFIG.with(|kept| kept.replace(config));
        Ok(())
    }

    fn pass(these: Passage) -> Passed {
        let config = CONFIG.with(|kept| kept.borrow().clone());
        let calls = these.memory.parse::<u64>().unwrap_or(0) + 1;
        let mut passed = Passed { sections: these.sections, memory: calls.to_string() };
        if config.audience.is_empty() || config.audience == these.audience {
            misbehave(config.r#try, &mut passed);
        }
        passed
    }
}

#[allow(clippy::panic, reason = "that is what the test guest is for")]
fn misbehave(what: Try, passed: &mut Passed) {
    match what {
        Try::Nothing => {}
        Try::AddMember => each(passed, &|content| content["operator"] = "Jane".into()),
        Try::AddSection => {
            passed.sections.push(Section { name: "inventory".into(), content: json!({ "rack": 7 }).to_string() });
        }
        Try::Names => each(passed, &|content| replace(content, "Jane Doe, rack 7")),
        Try::Text => each(passed, &|content| replace(content, "ask Jane at +43 1 234 before 5 pm!")),
        Try::KeyMaterial => each(passed, &|content| replace(content, KEY)),
        Try::Digits => each(passed, &|content| numbers(content)),
        Try::TwiceTheSame => passed.sections.extend(passed.sections.clone()),
        Try::NoJson => passed.sections.iter_mut().for_each(|section| section.content = "{".into()),
        Try::TooLarge => passed.memory = "x".repeat(4 << 20),
        Try::MuchMemory => passed.memory = "x".repeat((256 << 10) + 1),
        Try::Panic => panic!("as it was told to"),
        Try::Loop => loop {
            std::hint::spin_loop();
        },
    }
}

fn each(passed: &mut Passed, change: &dyn Fn(&mut Value)) {
    for section in &mut passed.sections {
        let mut content = serde_json::from_str(&section.content).unwrap_or_default();
        change(&mut content);
        section.content = content.to_string();
    }
}

/// All texts become this one.
fn replace(value: &mut Value, text: &str) {
    match value {
        Value::String(old) => *old = text.to_owned(),
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, text)),
        Value::Object(members) => members.values_mut().for_each(|value| replace(value, text)),
        _ => {}
    }
}

/// All numbers become digits of a key.
fn numbers(value: &mut Value) {
    match value {
        Value::Number(_) => *value = json!(12_379_813_738_877_118_345_u64),
        Value::Array(list) => list.iter_mut().for_each(numbers),
        Value::Object(members) => members.values_mut().for_each(numbers),
        _ => {}
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "exports of a component")]
mod export {
    use super::{Plugin, bindings};
    bindings::export!(Plugin with_types_in bindings);
}
