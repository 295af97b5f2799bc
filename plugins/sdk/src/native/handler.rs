//! A [`Handler`] behind the table of the C ABI.

use std::ffi::c_void;

use qkdn_plugin_abi as abi;

use super::crossing::{close, list, open, run, text};
use crate::{
    Symbol, config,
    handler::{Fault, Handled, Handler, Object, Reports},
};

/// The table of a handler.
pub(super) fn table<H: Handler>() -> abi::Handler {
    abi::Handler {
        size: size_of::<abi::Handler>(),
        open: Some(open::<H>),
        close: Some(close::<H>),
        configure: Some(configure::<H>),
        bind: Some(bind::<H>),
        handle: Some(handle::<H>),
    }
}

unsafe extern "C" fn configure<H: Handler>(
    instance: *mut c_void,
    point: abi::Text,
    config: abi::Text,
    setup: *const abi::HandlerSetup,
) {
    // SAFETY: everything that the manager passes is valid during the call.
    unsafe {
        let setup = &*setup;
        let problem =
            |path: &str, message: &str| (setup.problem)(setup.context, abi::Text::of(path), abi::Text::of(message));
        let done = run::<H, _>(instance, |instance| {
            let made = config::parse(&text(config)).and_then(|config| H::configure(&text(point), config));
            match made {
                Ok(made) => {
                    let needs = made.needs();
                    instance.plugin = Some(made);
                    needs.names.iter().for_each(|name| (setup.name)(setup.context, abi::Text::of(name)));
                    needs.objects.iter().for_each(|kind| (setup.object)(setup.context, abi::Text::of(kind)));
                    if needs.raw {
                        (setup.raw)(setup.context);
                    }
                }
                Err(problems) => problems.iter().for_each(|found| problem(&found.path, &found.message)),
            }
        });
        if done.is_none() {
            problem("", "the plugin panicked over it; its log has more");
        }
    }
}

unsafe extern "C" fn bind<H: Handler>(instance: *mut c_void, names: *const u32, count: usize) {
    // SAFETY: as above.
    unsafe {
        let names: Vec<Symbol> = list(names, count).iter().copied().map(Symbol).collect();
        run::<H, _>(instance, |instance| instance.plugin.as_mut().map(|handler| handler.bind(&names)));
    }
}

unsafe extern "C" fn handle<H: Handler>(
    instance: *mut c_void,
    reports: *const abi::Reports,
    answer: *const abi::Handled,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        let (reports, answer) = (copied(&*reports), &*answer);
        let handled =
            run::<H, _>(instance, |instance| instance.plugin.as_ref().map(|handler| handler.handle(&reports)));
        match handled.flatten() {
            Some(handled) => {
                tell(&handled, answer);
                0
            }
            None => 1,
        }
    }
}

/// # Safety
/// The manager's question, during the call.
unsafe fn copied(reports: &abi::Reports) -> Reports {
    // SAFETY: the caller's promise: each list is as long as the header says.
    unsafe {
        let samples = reports.sample_count;
        let faults = list(reports.faults, reports.fault_count).iter();
        let objects = list(reports.objects, reports.object_count).iter();
        Reports {
            components: list(reports.components, reports.report_count).to_vec(),
            offsets: list(reports.offsets, reports.report_count + 1).to_vec(),
            names: list(reports.names, samples).to_vec(),
            resources: list(reports.resources, samples).to_vec(),
            values: list(reports.values, samples).to_vec(),
            flags: list(reports.flags, samples).to_vec(),
            faults: faults
                .map(|fault| Fault { report: fault.report, path: text(fault.path), message: text(fault.message) })
                .collect(),
            objects: objects
                .map(|object| Object {
                    report: object.report,
                    index: object.index,
                    kind: text(object.kind),
                    text: text(object.text),
                })
                .collect(),
            raw: list(reports.raw, reports.raw_count).iter().map(|raw| text(*raw)).collect(),
        }
    }
}

/// # Safety
/// The manager's way to answer, during the call.
unsafe fn tell(handled: &Handled, answer: &abi::Handled) {
    let text = |text: &String| abi::Text::of(text);
    // SAFETY: the caller's promise; what is passed lives during each call.
    unsafe {
        for refusal in &handled.refusals {
            (answer.refuse)(answer.context, refusal.report, text(&refusal.reason));
        }
        for alarm in &handled.alarms {
            let alarm = abi::ComponentAlarm {
                report: alarm.report,
                resource: text(&alarm.resource),
                alarm_type: text(&alarm.alarm_type),
                qualifier: text(&alarm.qualifier),
                severity: text(&alarm.severity),
                text: text(&alarm.text),
                event_type: text(&alarm.event_type),
                probable_cause: text(&alarm.probable_cause),
            };
            (answer.alarm)(answer.context, &raw const alarm);
        }
        for sample in &handled.samples {
            let sample = abi::Sample {
                report: sample.report,
                name: sample.name,
                resource: text(&sample.resource),
                value: sample.value,
                kind: sample.kind,
            };
            (answer.sample)(answer.context, &raw const sample);
        }
    }
}
