//! A handler in a library: its calls, and its answers collected in the manager's own types.

use std::{ffi::c_void, sync::Arc};

use qkdn_plugin_abi as abi;

use super::{
    crossing::{Bounds, HostSide},
    library::Library,
};
use crate::{
    config::limits,
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
    let missing = || PluginFailure::Instantiate("its table lacks a function".to_owned());
    let functions = Functions {
        close: table.close.ok_or_else(missing)?,
        configure: table.configure.ok_or_else(missing)?,
        bind: table.bind.ok_or_else(missing)?,
        handle: table.handle.ok_or_else(missing)?,
    };
    let open = table.open.ok_or_else(missing)?;
    let host = HostSide::new(setup);
    // SAFETY: `host` lives as long as the instance.
    let instance = unsafe { open(host.host()) };
    if instance.is_null() {
        return Err(PluginFailure::Instantiate("`open` gave no instance".to_owned()));
    }
    Ok(Box::new(Live { library: Arc::clone(library), functions, instance, host }))
}

struct Functions {
    close: unsafe extern "C" fn(*mut c_void),
    configure: unsafe extern "C" fn(*mut c_void, abi::Text, abi::Text, *const abi::HandlerSetup),
    bind: unsafe extern "C" fn(*mut c_void, *const u32, usize),
    handle: unsafe extern "C" fn(*mut c_void, *const abi::Reports, *const abi::Handled) -> i32,
}

/// An open instance.
struct Live {
    library: Arc<Library>,
    functions: Functions,
    instance: *mut c_void,
    host: HostSide,
}

// SAFETY: the header says that an instance is used by one thread at a time, not by which.
unsafe impl Send for Live {}

impl Drop for Live {
    fn drop(&mut self) {
        // SAFETY: opened by the same table, closed once.
        unsafe { (self.functions.close)(self.instance) }
    }
}

impl HandlerGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        Ok(self.library.description.clone())
    }

    fn configure(&mut self, point: ReferencePoint, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure> {
        let mut said = Said {
            bounds: Bounds::default(),
            needs: Needs { names: Vec::new(), raw: false, objects: Vec::new() },
            problems: Vec::new(),
        };
        let setup = abi::HandlerSetup {
            size: size_of::<abi::HandlerSetup>(),
            context: (&raw mut said).cast(),
            problem: say_problem,
            name: say_name,
            object: say_object,
            raw: say_raw,
        };
        self.host.begin();
        let (point, config) = (abi::Text::of(point.as_str()), abi::Text::of(config));
        // SAFETY: everything passed lives during the call.
        unsafe { (self.functions.configure)(self.instance, point, config, &raw const setup) }
        let Said { bounds, needs, problems } = said;
        bounds.check()?;
        Ok(if problems.is_empty() { Ok(needs) } else { Err(problems) })
    }

    fn bind(&mut self, symbols: &[u32]) -> Result<(), PluginFailure> {
        // SAFETY: the list lives during the call.
        unsafe { (self.functions.bind)(self.instance, symbols.as_ptr(), symbols.len()) }
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
        self.host.begin();
        // SAFETY: everything passed lives during the call.
        let result = unsafe { (self.functions.handle)(self.instance, &raw const question, &raw const handled) };
        if result != 0 {
            return Err(self.host.failure(result));
        }
        answer.bounds.check()?;
        Ok(answer.handled)
    }
}

/// What `configure` said.
struct Said {
    bounds: Bounds,
    needs: Needs,
    problems: Vec<Problem>,
}

/// # Safety
/// `context` is the one that came with the setup, and its call has not returned.
unsafe fn said<'a>(context: *mut c_void) -> &'a mut Said {
    // SAFETY: the caller's promise.
    unsafe { &mut *context.cast::<Said>() }
}

unsafe extern "C" fn say_problem(context: *mut c_void, path: abi::Text, message: abi::Text) {
    // SAFETY: called with the setup's own context, during `configure`; texts are readable.
    unsafe {
        let said = said(context);
        if said.problems.len() < limits::PLUGIN_CONFIGURATION_PROBLEMS {
            let problem = Problem { path: said.bounds.text(path), message: said.bounds.text(message) };
            said.problems.push(problem);
        }
    }
}

unsafe extern "C" fn say_name(context: *mut c_void, name: abi::Text) {
    // SAFETY: as above.
    unsafe {
        let said = said(context);
        if said.bounds.part() {
            let name = said.bounds.text(name);
            said.needs.names.push(name);
        }
    }
}

unsafe extern "C" fn say_object(context: *mut c_void, kind: abi::Text) {
    // SAFETY: as above.
    unsafe {
        let said = said(context);
        if said.bounds.part() {
            let kind = said.bounds.text(kind);
            said.needs.objects.push(kind);
        }
    }
}

unsafe extern "C" fn say_raw(context: *mut c_void) {
    // SAFETY: as above.
    unsafe { said(context).needs.raw = true }
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
