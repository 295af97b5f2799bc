//! A policy in a library: its calls, and its verdicts collected in the manager's own types.

use std::{ffi::c_void, sync::Arc};

use qkdn_plugin_abi as abi;

use super::{
    crossing::{Bounds, list, sized},
    instance::{Instance, Said, required, said, say, say_problem},
    library::Library,
};
use crate::{
    config::limits,
    plugin::{
        ClearedAlarm, Observations, Outcome, PluginFailure, RaisedAlarm,
        policy::{PolicyGuest, Question},
        setup::Setup,
        wasm::wit::{
            policy::{Needs, Symbols},
            types::{Description, Problem},
        },
    },
};

type Ask = unsafe extern "C" fn(*mut c_void, *const abi::Observations, *mut f64, *const abi::Verdicts) -> i32;

/// Opens an instance.
pub(super) fn start(
    library: &Arc<Library>,
    table: abi::Policy,
    setup: &Setup,
) -> Result<Box<dyn PolicyGuest>, PluginFailure> {
    let functions = Functions {
        configure: required(table.configure)?,
        bind: required(table.bind)?,
        evaluate: required(table.evaluate)?,
        on_time: required(table.on_time)?,
    };
    let instance = Instance::open(table.open, table.close, setup)?;
    Ok(Box::new(Live { library: Arc::clone(library), functions, instance }))
}

struct Functions {
    configure: unsafe extern "C" fn(*mut c_void, abi::Text, *const abi::PolicySetup),
    bind: unsafe extern "C" fn(*mut c_void, *const abi::Symbols),
    evaluate: Ask,
    on_time: Ask,
}

/// An open instance.
struct Live {
    library: Arc<Library>,
    functions: Functions,
    instance: Instance,
}

impl PolicyGuest for Live {
    fn describe(&mut self) -> Result<Description, PluginFailure> {
        Ok(self.library.description.clone())
    }

    fn configure(&mut self, config: &str) -> Result<Result<Needs, Vec<Problem>>, PluginFailure> {
        let mut said = Said::new(no_needs());
        let setup = abi::PolicySetup {
            size: size_of::<abi::PolicySetup>(),
            context: (&raw mut said).cast(),
            problem: say_problem::<Needs>,
            name: say_name,
            word: say_word,
            component: say_component,
            resource: say_resource,
            object: say_object,
            object_resource: say_object_resource,
            state_width: say_state_width,
            per_component: say_per_component,
        };
        // SAFETY: everything passed lives during the call.
        unsafe { (self.functions.configure)(self.instance.begin(), abi::Text::of(config), &raw const setup) }
        said.done()
    }

    fn bind(&mut self, symbols: Symbols<'_>) -> Result<(), PluginFailure> {
        let symbols = abi::Symbols {
            size: size_of::<abi::Symbols>(),
            names: symbols.names.as_ptr(),
            name_count: symbols.names.len(),
            words: symbols.words.as_ptr(),
            word_count: symbols.words.len(),
            components: symbols.components.as_ptr(),
            component_count: symbols.components.len(),
            resources: symbols.resources.as_ptr(),
            resource_count: symbols.resources.len(),
        };
        // SAFETY: the lists live during the call.
        unsafe { (self.functions.bind)(self.instance.begin(), &raw const symbols) }
        Ok(())
    }

    fn ask(&mut self, question: Question, seen: &Observations) -> Result<Outcome, PluginFailure> {
        let objects: Vec<abi::Object> = seen
            .objects
            .iter()
            .map(|object| abi::Object {
                subject: object.subject,
                samples_before: object.samples_before,
                kind: abi::Text::of(object.kind.as_str()),
                text: abi::Text::of(&object.text),
            })
            .collect();
        let observations = abi::Observations {
            size: size_of::<abi::Observations>(),
            now: seen.now,
            subject_count: seen.components.len(),
            sample_count: seen.values.len(),
            components: seen.components.as_ptr(),
            resources: seen.resources.as_ptr(),
            subject: seen.subject.as_ptr(),
            names: seen.names.as_ptr(),
            values: seen.values.as_ptr(),
            sample_resources: seen.sample_resources.as_ptr(),
            objects: objects.as_ptr(),
            object_count: objects.len(),
        };
        // A failed call leaves the manager's own state as it was.
        let mut state = seen.state.clone();
        let mut answer = Answer::default();
        let verdicts = abi::Verdicts {
            size: size_of::<abi::Verdicts>(),
            context: (&raw mut answer).cast(),
            raise,
            clear,
            timer,
            request,
        };
        let function = match question {
            Question::Evaluate => self.functions.evaluate,
            Question::OnTime => self.functions.on_time,
        };
        let instance = self.instance.begin();
        // SAFETY: everything passed lives during the call, and nothing else looks at the state.
        let result = unsafe { function(instance, &raw const observations, state.as_mut_ptr(), &raw const verdicts) };
        self.instance.check(result)?;
        answer.bounds.check()?;
        Ok(Outcome { state, ..answer.outcome })
    }
}

/// Nothing asked for yet.
const fn no_needs() -> Needs {
    Needs {
        names: Vec::new(),
        words: Vec::new(),
        components: Vec::new(),
        resources: Vec::new(),
        state_width: 0,
        per_component: false,
        objects: Vec::new(),
        object_resource: String::new(),
    }
}

unsafe extern "C" fn say_name(context: *mut c_void, text: abi::Text) {
    // SAFETY: called with the setup's own context, during `configure`; the text is readable.
    unsafe { say(context, text, |needs: &mut Needs, text| needs.names.push(text)) }
}

unsafe extern "C" fn say_word(context: *mut c_void, text: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, text, |needs: &mut Needs, text| needs.words.push(text)) }
}

unsafe extern "C" fn say_component(context: *mut c_void, text: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, text, |needs: &mut Needs, text| needs.components.push(text)) }
}

unsafe extern "C" fn say_resource(context: *mut c_void, text: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, text, |needs: &mut Needs, text| needs.resources.push(text)) }
}

unsafe extern "C" fn say_object(context: *mut c_void, text: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, text, |needs: &mut Needs, text| needs.objects.push(text)) }
}

unsafe extern "C" fn say_object_resource(context: *mut c_void, member: abi::Text) {
    // SAFETY: as above.
    unsafe { say(context, member, |needs: &mut Needs, member| needs.object_resource = member) }
}

unsafe extern "C" fn say_state_width(context: *mut c_void, width: u32) {
    // SAFETY: as above.
    unsafe { said::<Needs>(context).needs.state_width = width }
}

unsafe extern "C" fn say_per_component(context: *mut c_void) {
    // SAFETY: as above.
    unsafe { said::<Needs>(context).needs.per_component = true }
}

/// What a call answers.
#[derive(Default)]
struct Answer {
    bounds: Bounds,
    outcome: Outcome,
    step: u32,
}

impl Answer {
    /// The place of the next verdict about an alarm: in the order of the calls.
    fn next_step(&mut self) -> u32 {
        self.step += 1;
        self.step
    }
}

/// # Safety
/// `context` is the one that came with the question, and its call has not returned.
unsafe fn answer<'a>(context: *mut c_void) -> &'a mut Answer {
    // SAFETY: the caller's promise.
    unsafe { &mut *context.cast::<Answer>() }
}

unsafe extern "C" fn raise(context: *mut c_void, alarm: *const abi::Alarm) {
    // SAFETY: called with the question's own context, during the call; the alarm and all it points to are readable.
    unsafe {
        let answer = answer(context);
        let step = answer.next_step();
        let Answer { bounds, outcome, .. } = answer;
        let Some(told) = sized(alarm) else { return bounds.bad("an alarm is NULL or too short") };
        if !bounds.part() {
            return;
        }
        let actions = list(told.repair_actions, told.repair_action_count.min(limits::PLUGIN_REPAIR_ACTIONS + 1));
        let facts = list(told.evidence, told.evidence_count.min(limits::PLUGIN_EVIDENCE + 1));
        outcome.raised.push(RaisedAlarm {
            subject: told.subject,
            alarm_type: bounds.text(told.alarm_type),
            qualifier: bounds.text(told.qualifier),
            severity: bounds.text(told.severity),
            text: bounds.text(told.text),
            event_type: bounds.text(told.event_type),
            probable_cause: bounds.text(told.probable_cause),
            observed: told.observed.as_ref().copied(),
            threshold: told.threshold.as_ref().copied(),
            repair_actions: actions.iter().map(|action| bounds.text(*action)).collect(),
            evidence: facts.iter().map(|fact| (bounds.text(fact.name), bounds.text(fact.value))).collect(),
            step,
        });
    }
}

unsafe extern "C" fn clear(context: *mut c_void, clearance: *const abi::Clearance) {
    // SAFETY: as above.
    unsafe {
        let answer = answer(context);
        let step = answer.next_step();
        let Answer { bounds, outcome, .. } = answer;
        let Some(told) = sized(clearance) else { return bounds.bad("a clearance is NULL or too short") };
        if bounds.part() {
            outcome.cleared.push(ClearedAlarm {
                subject: told.subject,
                alarm_type: bounds.text(told.alarm_type),
                qualifier: bounds.text(told.qualifier),
                text: bounds.text(told.text),
                step,
            });
        }
    }
}

unsafe extern "C" fn timer(context: *mut c_void, subject: u32, at: u64) {
    // SAFETY: as above.
    unsafe {
        let Answer { bounds, outcome, .. } = answer(context);
        if bounds.part() {
            outcome.timers.push((subject, at));
        }
    }
}

unsafe extern "C" fn request(context: *mut c_void, subject: u32, names: *const abi::Text, count: usize) {
    // SAFETY: as above; the names are readable.
    unsafe {
        let Answer { bounds, outcome, .. } = answer(context);
        if bounds.part() {
            let names = list(names, count.min(limits::VERDICTS_PER_CALL + 1));
            outcome.requests.push((subject, names.iter().map(|name| bounds.text(*name)).collect()));
        }
    }
}
