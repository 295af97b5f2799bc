//! A [`Policy`] behind the table of the C ABI.

use std::ffi::c_void;

use qkdn_plugin_abi as abi;

use super::crossing::{close, list, open, run, text};
use crate::{
    config,
    policy::{Alarm, Clearance, Needs, Object, Observations, Outcome, Policy, Seen, Symbols},
};

/// The table of a policy.
pub(super) fn table<P: Policy>() -> abi::Policy {
    abi::Policy {
        size: size_of::<abi::Policy>(),
        open: Some(open::<P>),
        close: Some(close::<P>),
        configure: Some(configure::<P>),
        bind: Some(bind::<P>),
        evaluate: Some(evaluate::<P>),
        on_time: Some(on_time::<P>),
    }
}

unsafe extern "C" fn configure<P: Policy>(instance: *mut c_void, config: abi::Text, setup: *const abi::PolicySetup) {
    // SAFETY: everything that the manager passes is valid during the call.
    unsafe {
        let setup = &*setup;
        let problem =
            |path: &str, message: &str| (setup.problem)(setup.context, abi::Text::of(path), abi::Text::of(message));
        let done = run::<P, _>(instance, |instance| match config::parse(&text(config)).and_then(P::configure) {
            Ok(made) => {
                ask(&made.needs(), setup);
                instance.plugin = Some(made);
            }
            Err(problems) => problems.iter().for_each(|found| problem(&found.path, &found.message)),
        });
        if done.is_none() {
            problem("", "the plugin panicked over it; its log has more");
        }
    }
}

/// # Safety
/// The manager's setup, during `configure`.
unsafe fn ask(needs: &Needs, setup: &abi::PolicySetup) {
    // SAFETY: the caller's promise.
    unsafe {
        let each = |list: &[String], say: unsafe extern "C" fn(*mut c_void, abi::Text)| {
            list.iter().for_each(|text| say(setup.context, abi::Text::of(text)));
        };
        each(&needs.names, setup.name);
        each(&needs.words, setup.word);
        each(&needs.components, setup.component);
        each(&needs.resources, setup.resource);
        each(&needs.objects, setup.object);
        (setup.object_resource)(setup.context, abi::Text::of(&needs.object_resource));
        (setup.state_width)(setup.context, needs.state_width);
        if needs.per_component {
            (setup.per_component)(setup.context);
        }
    }
}

unsafe extern "C" fn bind<P: Policy>(instance: *mut c_void, symbols: *const abi::Symbols) {
    // SAFETY: as above.
    unsafe {
        let symbols = &*symbols;
        let symbols = Symbols {
            names: list(symbols.names, symbols.name_count).to_vec(),
            words: list(symbols.words, symbols.word_count).to_vec(),
            components: list(symbols.components, symbols.component_count).to_vec(),
            resources: list(symbols.resources, symbols.resource_count).to_vec(),
        };
        run::<P, _>(instance, |instance| instance.plugin.as_mut().map(|policy| policy.bind(&symbols)));
    }
}

unsafe extern "C" fn evaluate<P: Policy>(
    instance: *mut c_void,
    seen: *const abi::Observations,
    state: *mut f64,
    verdicts: *const abi::Verdicts,
) -> i32 {
    // SAFETY: as above.
    unsafe { call::<P>(instance, &*seen, state, &*verdicts, P::evaluate) }
}

unsafe extern "C" fn on_time<P: Policy>(
    instance: *mut c_void,
    due: *const abi::Observations,
    state: *mut f64,
    verdicts: *const abi::Verdicts,
) -> i32 {
    // SAFETY: as above.
    unsafe { call::<P>(instance, &*due, state, &*verdicts, P::on_time) }
}

/// # Safety
/// The manager's question, during the call; `state` holds the values of each subject.
unsafe fn call<P: Policy>(
    instance: *mut c_void,
    question: &abi::Observations,
    state: *mut f64,
    verdicts: &abi::Verdicts,
    function: impl FnOnce(&P, &mut Seen),
) -> i32 {
    // SAFETY: the caller's promise; the policy exists since `configure` succeeded.
    unsafe {
        let outcome = run::<P, _>(instance, |instance| {
            let policy = instance.plugin.as_ref()?;
            let width = policy.needs().state_width as usize;
            let mut seen = Seen::new(copied(question, list(state, question.subject_count * width)));
            function(policy, &mut seen);
            Some(seen.finish())
        });
        let Some(outcome) = outcome.flatten() else { return 1 };
        if !outcome.state.is_empty() {
            std::slice::from_raw_parts_mut(state, outcome.state.len()).copy_from_slice(&outcome.state);
        }
        tell(&outcome, verdicts);
        0
    }
}

/// # Safety
/// The manager's question, during the call.
unsafe fn copied(seen: &abi::Observations, state: &[f64]) -> Observations {
    // SAFETY: the caller's promise: each list is as long as the header says.
    unsafe {
        let (subjects, samples) = (seen.subject_count, seen.sample_count);
        let objects = list(seen.objects, seen.object_count).iter().map(|object| Object {
            subject: object.subject,
            samples_before: object.samples_before,
            kind: text(object.kind),
            text: text(object.text),
        });
        Observations {
            now: seen.now,
            components: list(seen.components, subjects).to_vec(),
            resources: list(seen.resources, subjects).to_vec(),
            state: state.to_vec(),
            subject: list(seen.subject, samples).to_vec(),
            names: list(seen.names, samples).to_vec(),
            values: list(seen.values, samples).to_vec(),
            sample_resources: list(seen.sample_resources, samples).to_vec(),
            objects: objects.collect(),
        }
    }
}

/// Raised or cleared, in the order of steps.
enum Said<'a> {
    Cleared(&'a Clearance),
    Raised(&'a Alarm),
}

/// # Safety
/// The manager's way to answer, during the call.
unsafe fn tell(outcome: &Outcome, verdicts: &abi::Verdicts) {
    let cleared = outcome.cleared.iter().map(|clearance| (clearance.step, Said::Cleared(clearance)));
    let mut said: Vec<(u32, Said<'_>)> =
        cleared.chain(outcome.raised.iter().map(|alarm| (alarm.step, Said::Raised(alarm)))).collect();
    // Stable: at equal steps clearances stay first.
    said.sort_by_key(|(step, _)| *step);
    // SAFETY: the caller's promise; what is passed lives during each call.
    unsafe {
        for (_, said) in said {
            match said {
                Said::Cleared(clearance) => clear(clearance, verdicts),
                Said::Raised(alarm) => raise(alarm, verdicts),
            }
        }
        for timer in &outcome.timers {
            (verdicts.timer)(verdicts.context, timer.subject, timer.at);
        }
        for request in &outcome.requests {
            let names: Vec<abi::Text> = request.names.iter().map(|name| abi::Text::of(name)).collect();
            (verdicts.request)(verdicts.context, request.subject, names.as_ptr(), names.len());
        }
    }
}

unsafe fn clear(clearance: &Clearance, verdicts: &abi::Verdicts) {
    let told = abi::Clearance {
        size: size_of::<abi::Clearance>(),
        subject: clearance.subject,
        alarm_type: abi::Text::of(&clearance.alarm_type),
        qualifier: abi::Text::of(&clearance.qualifier),
        text: abi::Text::of(&clearance.text),
    };
    // SAFETY: as for `tell`.
    unsafe { (verdicts.clear)(verdicts.context, &raw const told) }
}

unsafe fn raise(alarm: &Alarm, verdicts: &abi::Verdicts) {
    let actions: Vec<abi::Text> = alarm.repair_actions.iter().map(|action| abi::Text::of(action)).collect();
    let facts =
        alarm.evidence.iter().map(|(name, value)| abi::Fact { name: abi::Text::of(name), value: abi::Text::of(value) });
    let evidence: Vec<abi::Fact> = facts.collect();
    let number = |number: &Option<f64>| number.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let told = abi::Alarm {
        size: size_of::<abi::Alarm>(),
        subject: alarm.subject,
        alarm_type: abi::Text::of(&alarm.alarm_type),
        qualifier: abi::Text::of(&alarm.qualifier),
        severity: abi::Text::of(&alarm.severity),
        text: abi::Text::of(&alarm.text),
        event_type: abi::Text::of(&alarm.event_type),
        probable_cause: abi::Text::of(&alarm.probable_cause),
        observed: number(&alarm.observed),
        threshold: number(&alarm.threshold),
        repair_actions: actions.as_ptr(),
        repair_action_count: actions.len(),
        evidence: evidence.as_ptr(),
        evidence_count: evidence.len(),
    };
    // SAFETY: as for `tell`.
    unsafe { (verdicts.raise)(verdicts.context, &raw const told) }
}
