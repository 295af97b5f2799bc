//! A small interface handler for tests. Left alone it behaves: it refuses reports whose QBER is above 1, raises an
//! alarm where it is above 0.5, and repeats what it was given as samples and log lines if asked. Its configuration
//! names a misbehaviour and when it happens, so that a test can have a bad call followed by a good one.

mod misbehave;

/// Generated from `wit/v0.1`.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "interface-handler" });
}

use std::cell::RefCell;

use bindings::exports::qkdn::manager::handler::{
    ComponentAlarm, Description, Guest, Handled, Needs, Problem, Refusal, Reports, Sample,
};
use misbehave::Misbehaviour;
use serde::Deserialize;

const SCHEMA: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "properties": {
        "misbehave": { "type": "string" },
        "names": { "type": "array", "items": { "type": "string" } },
        "objects": { "type": "array", "items": { "type": "string" } },
        "raw": { "type": "boolean" },
        "echo": { "type": "boolean" },
        "problems": { "type": "array", "items": { "type": "string" } }
    }
}"#;

/// The value that sets a misbehaviour off.
const MARKER: f64 = 666.0;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    misbehave: Misbehaviour,
    names: Vec<String>,
    objects: Vec<String>,
    raw: bool,
    echo: bool,
    problems: Vec<String>,
}

#[derive(Default)]
struct State {
    config: Config,
    names: Vec<u32>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

struct Handler;

impl Guest for Handler {
    fn describe() -> Description {
        Description {
            name: "guest-handler".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "A handler for tests.".to_owned(),
            config_schema: SCHEMA.to_owned(),
            extra: vec![("purpose".to_owned(), "tests".to_owned())],
        }
    }

    fn configure(reference_point: String, config: String) -> Result<Needs, Vec<Problem>> {
        log_panics();
        let config: Config = serde_json::from_str(&config).map_err(|error| vec![problem("", &error.to_string())])?;
        if !config.problems.is_empty() {
            let told = config.problems.iter().enumerate();
            return Err(told.map(|(i, text)| problem(&format!("/problems/{i}"), text)).collect());
        }
        bindings::qkdn::manager::host::log("info", &format!("Configured for {reference_point}."));
        config.misbehave.in_configure();
        let mut names = vec!["qber_ratio".to_owned()];
        names.extend(config.names.iter().cloned());
        let needs = Needs { names, raw: config.raw, objects: config.objects.clone() };
        STATE.with_borrow_mut(|state| state.config = config);
        Ok(needs)
    }

    fn bind(names: Vec<u32>) {
        STATE.with_borrow_mut(|state| {
            state.config.misbehave.in_bind();
            state.names = names;
        });
    }

    fn handle(batch: Reports) -> Handled {
        STATE.with_borrow(|state| {
            let mut handled = state.judge(&batch);
            if batch.values.contains(&MARKER) {
                state.config.misbehave.in_handle(&mut handled);
            }
            if state.config.echo {
                echo(&batch, &mut handled);
            }
            handled
        })
    }
}

impl State {
    fn judge(&self, batch: &Reports) -> Handled {
        let qber = self.names.first().copied().unwrap_or(0);
        let mut handled = Handled { refusals: Vec::new(), alarms: Vec::new(), samples: Vec::new() };
        for report in 0..batch.components.len() {
            let samples = batch.offsets[report] as usize..batch.offsets[report + 1] as usize;
            for sample in samples.filter(|sample| batch.names[*sample] == qber) {
                let value = batch.values[sample];
                if value > 1.0 && value != MARKER {
                    let path = format!("extension[{}].values.qber_ratio", batch.flags[sample] >> 8);
                    handled
                        .refusals
                        .push(Refusal { report: report as u32, reason: format!("{path}: {value} is more than 1") });
                } else if value > 0.5 {
                    handled.alarms.push(alarm(report as u32, value));
                }
            }
        }
        handled
    }
}

/// Tells by refusals and a sample what came in, for tests of what a handler is given.
fn echo(batch: &Reports, handled: &mut Handled) {
    let log = |text: &str| bindings::qkdn::manager::host::log("info", text);
    for (report, text) in batch.raw.iter().enumerate() {
        handled.refusals.push(Refusal { report: report as u32, reason: format!("raw {text}") });
    }
    for object in &batch.objects {
        log(&format!("object {} {}", object.index, object.text));
        let sample = Sample {
            report: object.report,
            name: STATE.with_borrow(|state| state.names[0]),
            resource: format!("{} {}", object.kind, object.text),
            value: f64::from(object.index),
            kind: 0,
        };
        handled.samples.push(sample);
    }
    for fault in &batch.faults {
        let reason = format!("{}: {}", fault.path, fault.message);
        handled.refusals.push(Refusal { report: fault.report, reason });
    }
}

fn alarm(report: u32, value: f64) -> ComponentAlarm {
    ComponentAlarm {
        report,
        resource: String::new(),
        alarm_type: "qber-threshold-exceeded".to_owned(),
        qualifier: String::new(),
        severity: "major".to_owned(),
        text: format!("QBER is {value}."),
        event_type: String::new(),
        probable_cause: String::new(),
    }
}

fn problem(path: &str, message: &str) -> Problem {
    Problem { path: path.to_owned(), message: message.to_owned() }
}

/// The text of a panic is lost on this target unless a hook tells it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| bindings::qkdn::manager::host::log("error", &panic.to_string())));
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "exports of a component")]
mod export {
    use super::{Handler, bindings};
    bindings::export!(Handler with_types_in bindings);
}
