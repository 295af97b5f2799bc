//! A handler in a library: its calls, and its answers collected in the manager's own types.

use std::{ffi::c_void, sync::Arc};

use qkdn_plugin_abi as abi;

use super::{
    crossing::Bounds,
    instance::{Instance, Said, required, said, say, say_problem},
    library::Library,
};
use crate::{
    model::ReferencePoint,
    plugin::{
        ComponentAlarm, Handled, NormalSample, PluginFailure,
        handler::HandlerGuest,
        setup::Setup,
        wasm::wit::{
            handler::{Needs, Reports},
            types::{Description, Problem},
        },
    },
};

/// Opens an instance.
pub(super) fn start(
    library: &Arc<Library>,
    table: abi::Handler,
    setup: &Setup,
) -> Result<Box<dyn HandlerGuest>, PluginFailure> {
    let functions = Functions {
        configure: required(table.configure)?,
        bind: required(table.bind)?,
        handle: required(table.handle)?,
    };
    let instance = Instance::open(table.open, table.close, setup)?;
    Ok(Box::new(Live { library: Arc::clone(library), functions, instance }))
}

struct Functions {
    configure: unsafe extern "C" fn(*mut c_void, abi::Text, abi::Text, *const abi::HandlerSetup),
    bind: unsafe extern "C" fn(*mut c_void, *const u32, usize),
    handle: unsafe extern "C" fn(*mut c_void, *const abi::Reports, *const abi::Handled) -> i32,
}

/// An open instance.
struct Live {
    library: Arc<Library>,
    functions: Functions,
    instance: Instance,
}

impl HandlerGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        Ok(self.library.description.clone())
    }

    fn configure(&mut self, point: ReferencePoint, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure> {
        let mut said = Said::new(Needs { names: Vec::new(), raw: false, objects: Vec::new() });
        let setup = abi::HandlerSetup {
            size: size_of::<abi::HandlerSetup>(),
            context: (&raw mut said).cast(),
            problem: say_problem::<Needs>,
            name: say_name,
            object: say_object,
            raw: say_raw,
        };
        let instance = self.instance.begin();
        let (point, config) = (abi::Text::of(point.as_str()), abi::Text::of(config));
        // SAFETY: everything passed lives during the call.
        unsafe { (self.functions.configure)(instance, point, config, &raw const setup) }
        said.done()
    }

    fn bind(&mut self, symbols: &[u32]) -> Result<(), PluginFailure> {
        // SAFETY: the list lives during the call.
        unsafe { (self.functions.bind)(self.instance.begin(), symbols.as_ptr(), symbols.len()) }
        Ok(())
    }

    fn handle(&mut self, reports: Reports<'_>) -> Result<Handled, PluginFailure> {
        let faults: Vec<abi::Fault> = reports
            .faults
            .iter()
            .map(|fault| abi::Fault {
                report: fault.report,
                path: abi::Text::of(fault.path),
                message: abi::Text::of(fault.message),
            })
            .collect();
        let objects: Vec<abi::ReportObject> = reports
            .objects
            .iter()
            .map(|object| abi::ReportObject {
                report: object.report,
                index: object.index,
                kind: abi::Text::of(object.kind),
                text: abi::Text::of(object.text),
            })
            .collect();
        let raw: Vec<abi::Text> = reports.raw.iter().map(|text| abi::Text::of(text)).collect();
        let question = abi::Reports {
            size: size_of::<abi::Reports>(),
            report_count: reports.components.len(),
            sample_count: reports.values.len(),
            components: reports.components.as_ptr(),
            offsets: reports.offsets.as_ptr(),
            names: reports.names.as_ptr(),
            resources: reports.resources.as_ptr(),
            values: reports.values.as_ptr(),
            flags: reports.flags.as_ptr(),
            faults: faults.as_ptr(),
            fault_count: faults.len(),
            objects: objects.as_ptr(),
            object_count: objects.len(),
            raw: raw.as_ptr(),
            raw_count: raw.len(),
        };
        let mut answer = Answer::default();
        let handled =
            abi::Handled { size: size_of::<abi::Handled>(), context: (&raw mut answer).cast(), refuse, alarm, sample };
        let instance = self.instance.begin();
        // SAFETY: everything passed lives during the call.
        let result = unsafe { (self.functions.handle)(instance, &raw const question, &raw const handled) };
        self.instance.check(result)?;
        answer.bounds.check()?;
        Ok(answer.handled)
    }
}

unsafe extern "C" fn say_name(context: *mut c_void, name: abi::Text) {
    // SAFETY: called with the setup's own context, during `configure`; the text is readable.
    unsafe { say(context, name, |needs: &mut Needs, name| needs.names.push(name)) }
}

unsafe extern "C" fn say_object(context: *mut c_void, kind: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, kind, |needs: &mut Needs, kind| needs.objects.push(kind)) }
}

unsafe extern "C" fn say_raw(context: *mut c_void) {
    // SAFETY: as above.
    unsafe { said::<Needs>(context).needs.raw = true }
}

/// What `handle` answers.
#[derive(Default)]
struct Answer {
    bounds: Bounds,
    handled: Handled,
}

/// # Safety
/// `context` is the one that came with the question, and its call has not returned.
unsafe fn answer<'a>(context: *mut c_void) -> &'a mut Answer {
    // SAFETY: the caller's promise.
    unsafe { &mut *context.cast::<Answer>() }
}

unsafe extern "C" fn refuse(context: *mut c_void, report: u32, reason: abi::Text) {
    // SAFETY: called with the question's own context, during `handle`; the text is readable.
    unsafe {
        let Answer { bounds, handled } = answer(context);
        if bounds.part() {
            handled.refusals.push((report, bounds.text(reason)));
        }
    }
}

unsafe extern "C" fn alarm(context: *mut c_void, alarm: *const abi::ComponentAlarm) {
    // SAFETY: as above; the alarm and its texts are readable.
    unsafe {
        let Answer { bounds, handled } = answer(context);
        let Some(told) = alarm.as_ref() else { return bounds.bad("an alarm is NULL") };
        if bounds.part() {
            handled.alarms.push(ComponentAlarm {
                report: told.report,
                resource: bounds.text(told.resource),
                alarm_type: bounds.text(told.alarm_type),
                qualifier: bounds.text(told.qualifier),
                severity: bounds.text(told.severity),
                text: bounds.text(told.text),
                event_type: bounds.text(told.event_type),
                probable_cause: bounds.text(told.probable_cause),
            });
        }
    }
}

unsafe extern "C" fn sample(context: *mut c_void, sample: *const abi::Sample) {
    // SAFETY: as above; the sample and its text are readable.
    unsafe {
        let Answer { bounds, handled } = answer(context);
        let Some(told) = sample.as_ref() else { return bounds.bad("a sample is NULL") };
        if bounds.part() {
            handled.samples.push(NormalSample {
                report: told.report,
                name: told.name,
                resource: bounds.text(told.resource),
                value: told.value,
                kind: told.kind,
            });
        }
    }
}
