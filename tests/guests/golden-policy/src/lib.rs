//! A policy that was built when `wit/v0.1` was frozen, and whose binary (`golden-policy.wasm` beside `src`) is loaded by every version
//! of the manager since. It counts the samples of each subject and raises an alarm at the third.

/// Generated from `wit/v0.1`.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "fcaps-policy" });
}

use bindings::{
    exports::qkdn::manager::policy::{
        Alarm, Clearance, Description, Guest, Needs, Observations, Outcome, Problem, Request, Symbols, Timer,
    },
    qkdn::manager::host::log,
};

struct Policy;

impl Guest for Policy {
    fn describe() -> Description {
        Description {
            name: "golden-policy".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Built for version 0.1 of the contract.".to_owned(),
            config_schema: r#"{"type":"object"}"#.to_owned(),
            extra: vec![("contract".to_owned(), "0.1".to_owned())],
        }
    }

    fn configure(config: String) -> Result<Needs, Vec<Problem>> {
        if config.contains("refuse") {
            return Err(vec![Problem { path: "/refuse".to_owned(), message: "is not wanted".to_owned() }]);
        }
        Ok(Needs {
            names: vec!["qber_ratio".to_owned()],
            words: Vec::new(),
            components: Vec::new(),
            resources: Vec::new(),
            state_width: 1,
            per_component: false,
            objects: vec!["event".to_owned()],
            object_resource: String::new(),
        })
    }

    fn bind(symbols: Symbols) {
        log("debug", if symbols.names.len() == 1 { "bound" } else { "?" });
    }

    fn evaluate(seen: Observations) -> Outcome {
        let mut outcome = empty(seen.state);
        for subject in seen.subject {
            let Some(count) = outcome.state.get_mut(subject as usize) else { continue };
            *count += 1.0;
            if *count >= 3.0 {
                outcome.raised.push(alarm(subject, *count));
                outcome.timers.push(Timer { subject, at: seen.now + 3_600_000 });
                outcome.requests.push(Request { subject, names: vec!["qber_ratio".to_owned()] });
            }
        }
        outcome
    }

    fn on_time(due: Observations) -> Outcome {
        let over = |subject| Clearance {
            subject,
            alarm_type: "golden-count".to_owned(),
            qualifier: String::new(),
            text: "an hour is over".to_owned(),
            step: 0,
        };
        let cleared = (0..).take(due.components.len()).map(over).collect();
        Outcome { cleared, ..empty(due.state) }
    }
}

fn empty(state: Vec<f64>) -> Outcome {
    Outcome { state, raised: Vec::new(), cleared: Vec::new(), timers: Vec::new(), requests: Vec::new() }
}

fn alarm(subject: u32, count: f64) -> Alarm {
    Alarm {
        subject,
        alarm_type: "golden-count".to_owned(),
        qualifier: String::new(),
        severity: "minor".to_owned(),
        text: "Three samples came.".to_owned(),
        event_type: String::new(),
        probable_cause: String::new(),
        observed: Some(count),
        threshold: Some(3.0),
        repair_actions: vec!["Look at it.".to_owned()],
        evidence: vec![("by".to_owned(), "golden-policy".to_owned())],
        step: 0,
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "exports of a component")]
mod export {
    use super::{Policy, bindings};
    bindings::export!(Policy with_types_in bindings);
}
