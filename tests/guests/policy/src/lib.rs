//! A small FCAPS policy for tests. Left alone it counts the samples of each subject in its state and raises an alarm
//! above a limit. Its configuration names a misbehaviour, which happens where a sample has the value 666. It takes over the state of
//! versions that keep one value, the count.

/// Generated from `wit/v0.1` and `wit/migration-v0.1`.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/v0.1", "../../../wit/migration-v0.1"],
        inline: "package qkdn:guest; world migrating-policy { include qkdn:manager/fcaps-policy@0.1.0; export qkdn:migration/state@0.1.0; }",
        world: "qkdn:guest/migrating-policy",
        generate_all,
    });
}

use std::cell::RefCell;

use bindings::exports::qkdn::{
    manager::policy::{
        Alarm, Clearance, Description, Guest, Needs, Observations, Outcome, Problem, Request, Symbols, Timer,
    },
    migration::state::Guest as Migration,
};
use serde::Deserialize;

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["value"],
    "additionalProperties": false,
    "properties": {
        "value": { "type": "string" },
        "limit": { "type": "number", "minimum": 0 },
        "state_width": { "type": "integer" },
        "components": { "type": "array", "items": { "type": "string" } },
        "objects": { "type": "array", "items": { "type": "string" } },
        "object_resource": { "type": "string" },
        "misbehave": { "type": "string" }
    }
}"#;

const MARKER: f64 = 666.0;

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Misbehaviour {
    #[default]
    Nothing,
    Panic,
    ShortState,
    SubjectOutOfRange,
    TooManyVerdicts,
    UnknownSeverity,
    NanState,
    /// Wants a state that no subject may have.
    HoardState,
}

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    value: String,
    limit: f64,
    state_width: u32,
    components: Vec<String>,
    objects: Vec<String>,
    object_resource: String,
    misbehave: Misbehaviour,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            value: String::new(),
            limit: 1.0,
            state_width: 1,
            components: Vec::new(),
            objects: Vec::new(),
            object_resource: String::new(),
            misbehave: Misbehaviour::Nothing,
        }
    }
}

#[derive(Default)]
struct State {
    config: Config,
    value: u32,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

struct Policy;

impl Guest for Policy {
    fn describe() -> Description {
        Description {
            name: "guest-policy".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "A policy for tests.".to_owned(),
            config_schema: SCHEMA.to_owned(),
            extra: Vec::new(),
        }
    }

    fn configure(config: String) -> Result<Needs, Vec<Problem>> {
        let config: Config = serde_json::from_str(&config)
            .map_err(|error| vec![Problem { path: String::new(), message: error.to_string() }])?;
        let needs = Needs {
            names: vec![config.value.clone()],
            words: Vec::new(),
            components: config.components.clone(),
            resources: Vec::new(),
            state_width: if matches!(config.misbehave, Misbehaviour::HoardState) {
                1 << 20
            } else {
                config.state_width
            },
            per_component: false,
            objects: config.objects.clone(),
            object_resource: config.object_resource.clone(),
        };
        STATE.with_borrow_mut(|state| state.config = config);
        Ok(needs)
    }

    fn bind(symbols: Symbols) {
        STATE.with_borrow_mut(|state| state.value = symbols.names.first().copied().unwrap_or(0));
    }

    fn evaluate(seen: Observations) -> Outcome {
        STATE.with_borrow(|state| state.evaluate(seen))
    }

    fn on_time(due: Observations) -> Outcome {
        let clearance = |subject| Clearance {
            subject,
            alarm_type: "test-alarm".to_owned(),
            qualifier: String::new(),
            text: format!("It is {}.", due.now),
            step: 0,
        };
        let cleared = (0..due.components.len() as u32).map(clearance).collect();
        Outcome { state: due.state, raised: Vec::new(), cleared, timers: Vec::new(), requests: Vec::new() }
    }
}

impl Migration for Policy {
    fn migrate(version: String, state_width: u32, state: Vec<f64>) -> Result<Vec<f64>, String> {
        let width = STATE.with_borrow(|own| own.config.state_width as usize);
        if state_width != 1 || width == 0 {
            return Err(format!("version {version} kept {state_width} values and not the count alone"));
        }
        let kept = |count: &f64| std::iter::once(*count).chain(std::iter::repeat_n(0.0, width - 1)).collect::<Vec<_>>();
        Ok(state.iter().flat_map(kept).collect())
    }
}

impl State {
    #[allow(clippy::panic, reason = "what the test wants")]
    fn evaluate(&self, seen: Observations) -> Outcome {
        let width = self.config.state_width as usize;
        let marked = seen.values.contains(&MARKER);
        let mut outcome = Outcome {
            state: seen.state,
            raised: Vec::new(),
            cleared: Vec::new(),
            timers: Vec::new(),
            requests: Vec::new(),
        };
        for (sample, &subject) in seen.subject.iter().enumerate() {
            if seen.names[sample] != self.value {
                continue;
            }
            outcome.state[subject as usize * width] += 1.0;
            if seen.values[sample] > self.config.limit {
                let mut raised = alarm(subject, seen.values[sample], self.config.limit);
                raised.evidence.push(("count".to_owned(), outcome.state[subject as usize * width].to_string()));
                outcome.raised.push(raised);
                outcome.timers.push(Timer { subject, at: seen.now + 1_000 });
                outcome.requests.push(Request { subject, names: vec![self.config.value.clone()] });
            }
        }
        for object in &seen.objects {
            outcome.state[object.subject as usize * width] += 1.0;
            let text = format!("{} after {} samples: {}", object.kind, object.samples_before, object.text);
            let seen_object = Alarm { alarm_type: "test-object".to_owned(), text, ..alarm(object.subject, 1.0, 0.0) };
            outcome.raised.push(seen_object);
        }
        if marked {
            self.misbehave(&mut outcome, &seen.values);
        }
        outcome
    }

    #[allow(clippy::panic, reason = "what the test wants")]
    fn misbehave(&self, outcome: &mut Outcome, values: &[f64]) {
        match self.config.misbehave {
            Misbehaviour::Nothing | Misbehaviour::HoardState => {}
            Misbehaviour::Panic => panic!("nobody logs this"),
            Misbehaviour::ShortState => outcome.state.truncate(outcome.state.len() - 1),
            Misbehaviour::SubjectOutOfRange => outcome.timers = vec![Timer { subject: 9, at: 1 }],
            Misbehaviour::TooManyVerdicts => outcome.timers = (0..2_000).map(|at| Timer { subject: 0, at }).collect(),
            Misbehaviour::UnknownSeverity => {
                outcome.raised = vec![Alarm { severity: "Major".to_owned(), ..alarm(0, 1.0, 0.0) }];
            }
            Misbehaviour::NanState => {
                // Not a constant: what the processor makes of 0/0 has its sign bit set on x86-64 and not elsewhere.
                let zero = std::hint::black_box(values[0] - MARKER);
                outcome.state.fill(zero / std::hint::black_box(zero));
            }
        }
    }
}

fn alarm(subject: u32, observed: f64, threshold: f64) -> Alarm {
    Alarm {
        subject,
        alarm_type: "test-alarm".to_owned(),
        qualifier: String::new(),
        severity: "minor".to_owned(),
        text: format!("{observed} is above {threshold}."),
        event_type: String::new(),
        probable_cause: String::new(),
        observed: Some(observed),
        threshold: Some(threshold),
        repair_actions: vec!["Look at it.".to_owned()],
        evidence: vec![("observed".to_owned(), observed.to_string())],
        step: 0,
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "exports of a component")]
mod export {
    use super::{Policy, bindings};
    bindings::export!(Policy with_types_in bindings);
}
