//! A handler that was built when `wit/v0.1` was frozen, and whose binary (`golden-handler.wasm` beside `src`) is loaded by every
//! version of the manager since. It uses all of what a handler may be given, and refuses a report that reports a QBER above 1.

/// Generated from `wit/v0.1`.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "interface-handler" });
}

use std::cell::Cell;

use bindings::{
    exports::qkdn::manager::handler::{
        ComponentAlarm, Description, Guest, Handled, Needs, Problem, Refusal, Reports, Sample,
    },
    qkdn::manager::host::log,
};

thread_local! {
    static QBER: Cell<u32> = const { Cell::new(0) };
}

struct Handler;

impl Guest for Handler {
    fn describe() -> Description {
        Description {
            name: "golden-handler".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Built for version 0.1 of the contract.".to_owned(),
            config_schema: r#"{"type":"object"}"#.to_owned(),
            extra: vec![("contract".to_owned(), "0.1".to_owned())],
        }
    }

    fn configure(reference_point: String, config: String) -> Result<Needs, Vec<Problem>> {
        if config.contains("refuse") {
            return Err(vec![Problem { path: "/refuse".to_owned(), message: "is not wanted".to_owned() }]);
        }
        log("debug", &reference_point);
        Ok(Needs { names: vec!["qber_ratio".to_owned()], raw: true, objects: vec!["alarm".to_owned()] })
    }

    fn bind(names: Vec<u32>) {
        QBER.set(names.first().copied().unwrap_or(0));
    }

    fn handle(batch: Reports) -> Handled {
        let mut handled = Handled { refusals: Vec::new(), alarms: Vec::new(), samples: Vec::new() };
        let mut first = 0;
        for (report, end) in (0..).zip(batch.offsets.iter().skip(1)) {
            for at in first..*end as usize {
                let (name, value) = (batch.names.get(at).copied(), batch.values.get(at).copied().unwrap_or(0.0));
                if name == Some(QBER.get()) && value > 1.0 {
                    handled.refusals.push(Refusal { report, reason: "a QBER is above 1".to_owned() });
                } else if name == Some(QBER.get()) && value > 0.5 {
                    handled.alarms.push(alarm(report));
                    let resource = "golden".to_owned();
                    handled.samples.push(Sample { report, name: QBER.get(), resource, value, kind: 0 });
                }
            }
            first = *end as usize;
        }
        for fault in batch.faults {
            handled.refusals.push(Refusal { report: fault.report, reason: fault.message });
        }
        handled
    }
}

fn alarm(report: u32) -> ComponentAlarm {
    ComponentAlarm {
        report,
        resource: String::new(),
        alarm_type: "qber-threshold-exceeded".to_owned(),
        qualifier: "golden".to_owned(),
        severity: "minor".to_owned(),
        text: "A QBER is above one half.".to_owned(),
        event_type: String::new(),
        probable_cause: String::new(),
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "exports of a component")]
mod export {
    use super::{Handler, bindings};
    bindings::export!(Handler with_types_in bindings);
}
