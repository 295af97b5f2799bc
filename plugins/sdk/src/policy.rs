//! World `fcaps-policy`: watching what accepted reports say.
//!
//! In: samples, extension objects and state of subjects ([`Seen`]), a subject being a component together with one of its
//! resources. Out: verdicts and the changed state. Most policies look at one subject at a time and implement
//! [`Policy::observe`], [`Policy::object`] and [`Policy::due`]; one that wants the whole batch implements `evaluate` and
//! `on_time`.
//!
//! Within a call, what is raised and cleared keeps its order, so that an alarm that comes and goes leaves its trace
//! however the manager cut the traffic into batches. Only saying the same twice in a row is settled to the last word.

use serde::de::DeserializeOwned;

use crate::bindings::fcaps_policy::exports::qkdn::manager::policy as wit;
use crate::{Description, Problem, Symbol};

pub use wit::{Alarm, Clearance, Needs, Object, Observations, Outcome, Request, Symbols, Timer};

/// An FCAPS function, configured in a file and instantiated as often as configured.
///
/// The manager calls `describe` when it loads the plugin; then, once in each instance, `configure`, `needs` and `bind`;
/// then `evaluate` for samples and `on_time` for timers. Instances are interchangeable: nothing may be kept between
/// calls but what `configure` and `bind` brought, and all calls take `&self` for that reason.
pub trait Policy: Sized + 'static {
    /// The configuration: what the plugin's JSON Schema describes. `serde_json::Value` takes anything.
    type Config: DeserializeOwned;

    /// Name, version, summary and the schema of the configuration.
    fn describe() -> Description;

    /// Takes the configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it; the manager's configuration is then refused as a whole.
    fn configure(config: Self::Config) -> Result<Self, Vec<Problem>>;

    /// What the policy wants to be given.
    fn needs(&self) -> Needs;

    /// Symbols of what [`Self::needs`] named, in its orders.
    fn bind(&mut self, symbols: &Symbols) {
        let _ = symbols;
    }

    /// A subject and its samples, in order of acceptance.
    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        let _ = (subject, samples);
    }

    /// An extension object of a type that [`Needs::objects`] names; it comes in its place among the subject's samples.
    fn object(&self, subject: &mut Subject<'_>, object: &Object) {
        let _ = (subject, object);
    }

    /// A subject whose timer is due.
    fn due(&self, subject: &mut Subject<'_>) {
        let _ = subject;
    }

    /// Samples and objects of a batch: calls [`Self::observe`] and [`Self::object`] for each subject.
    fn evaluate(&self, seen: &mut Seen) {
        if seen.observations.objects.is_empty() {
            seen.each_subject(|subject, samples| self.observe(subject, samples));
        } else {
            seen.each_in_order(
                |subject, samples| self.observe(subject, samples),
                |subject, object| self.object(subject, object),
            );
        }
    }

    /// Subjects whose timer is due: calls [`Self::due`] for each.
    fn on_time(&self, due: &mut Seen) {
        due.each_subject(|subject, _| self.due(subject));
    }
}

/// A sample of a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its name.
    pub name: Symbol,
    /// A number; the symbol of a word; 0 or 1 for a flag.
    pub value: f64,
    /// The part of the component. The subject's own, unless [`Needs::per_component`] is set.
    pub resource: Symbol,
}

/// A call's arguments and what has been decided so far.
pub struct Seen {
    observations: Observations,
    verdicts: Verdicts,
}

/// What was decided, and the number of the next verdict about an alarm.
#[derive(Default)]
struct Verdicts {
    outcome: Outcome,
    step: u32,
}

impl Seen {
    /// A call's arguments, nothing decided.
    #[must_use]
    pub fn new(observations: Observations) -> Self {
        Self { observations, verdicts: Verdicts::default() }
    }

    /// The manager's time in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.observations.now
    }

    /// The arguments as parallel arrays.
    #[must_use]
    pub fn observations(&self) -> &Observations {
        &self.observations
    }

    /// A subject, by its position.
    pub fn subject(&mut self, position: usize) -> Option<Subject<'_>> {
        let seen = &mut self.observations;
        let width = seen.state.len().checked_div(seen.components.len()).unwrap_or(0);
        Some(Subject {
            index: position as u32,
            component: Symbol(*seen.components.get(position)?),
            resource: Symbol(*seen.resources.get(position)?),
            now: seen.now,
            state: seen.state.get_mut(position * width..(position + 1) * width)?,
            verdicts: &mut self.verdicts,
        })
    }

    /// Calls `look` for each subject with its samples.
    pub fn each_subject(&mut self, mut look: impl FnMut(&mut Subject<'_>, &[Sample])) {
        let (samples, starts) = self.samples_by_subject();
        for position in 0..self.observations.components.len() {
            let own = starts.get(position).zip(starts.get(position + 1)).and_then(|(&from, &to)| samples.get(from..to));
            if let Some(mut subject) = self.subject(position) {
                look(&mut subject, own.unwrap_or_default());
            }
        }
    }

    /// Calls `look` for each subject's samples and `take` for its objects, in their order.
    fn each_in_order(
        &mut self,
        mut look: impl FnMut(&mut Subject<'_>, &[Sample]),
        mut take: impl FnMut(&mut Subject<'_>, &Object),
    ) {
        let objects = std::mem::take(&mut self.observations.objects);
        let (samples, starts) = self.samples_by_subject();
        for position in 0..self.observations.components.len() {
            let own = starts.get(position).zip(starts.get(position + 1)).and_then(|(&from, &to)| samples.get(from..to));
            let mut rest = own.unwrap_or_default();
            for object in objects.iter().filter(|object| object.subject as usize == position) {
                let before =
                    self.own_before(position, object.samples_before) - (own.unwrap_or_default().len() - rest.len());
                let (earlier, later) = rest.split_at(before.min(rest.len()));
                rest = later;
                let Some(mut subject) = self.subject(position) else { continue };
                if !earlier.is_empty() {
                    look(&mut subject, earlier);
                }
                take(&mut subject, object);
            }
            if let Some(mut subject) = self.subject(position).filter(|_| !rest.is_empty()) {
                look(&mut subject, rest);
            }
        }
    }

    /// How many of the first `count` samples are a subject's.
    fn own_before(&self, subject: usize, count: u32) -> usize {
        self.observations.subject.iter().take(count as usize).filter(|&&of| of as usize == subject).count()
    }

    /// What was decided, with the changed state.
    #[must_use]
    pub fn finish(self) -> Outcome {
        Outcome { state: self.observations.state, ..self.verdicts.outcome }
    }

    /// Samples sorted by subject, their order kept, and where each subject's start.
    fn samples_by_subject(&self) -> (Vec<Sample>, Vec<usize>) {
        let seen = &self.observations;
        if seen.subject.is_sorted() {
            // Mostly so: neighbours are of one component.
            let samples = seen.names.iter().zip(&seen.values).zip(&seen.sample_resources);
            let samples =
                samples.map(|((&name, &value), &of)| Sample { name: Symbol(name), value, resource: Symbol(of) });
            let start = |position| seen.subject.partition_point(|&subject| (subject as usize) < position);
            return (samples.collect(), (0..=seen.components.len()).map(start).collect());
        }
        let mut starts = vec![0; seen.components.len() + 1];
        for &subject in &seen.subject {
            starts[subject as usize + 1] += 1;
        }
        for position in 1..starts.len() {
            starts[position] += starts[position - 1];
        }
        let mut free = starts.clone();
        let mut samples = vec![Sample { name: Symbol::NONE, value: 0.0, resource: Symbol::NONE }; seen.subject.len()];
        for (position, &subject) in seen.subject.iter().enumerate() {
            let place = &mut free[subject as usize];
            samples[*place] = Sample {
                name: Symbol(seen.names[position]),
                value: seen.values[position],
                resource: Symbol(seen.sample_resources[position]),
            };
            *place += 1;
        }
        (samples, starts)
    }
}

/// A subject: its identity, its state, and what can be decided about it.
pub struct Subject<'a> {
    index: u32,
    component: Symbol,
    resource: Symbol,
    now: u64,
    state: &'a mut [f64],
    verdicts: &'a mut Verdicts,
}

impl Subject<'_> {
    /// The component.
    #[must_use]
    pub fn component(&self) -> Symbol {
        self.component
    }

    /// The part of the component; [`Symbol::NONE`] is the component itself.
    #[must_use]
    pub fn resource(&self) -> Symbol {
        self.resource
    }

    /// The manager's time in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// [`Needs::state_width`] numbers, all zero for a new subject.
    #[must_use]
    pub fn state(&self) -> &[f64] {
        self.state
    }

    /// The state, to be changed.
    pub fn state_mut(&mut self) -> &mut [f64] {
        self.state
    }

    /// Raises an alarm about this subject, or changes one that is raised. Saying the same again changes nothing.
    pub fn raise(&mut self, alarm: Alarm) {
        let (last_raise, last_clear) = self.last_word(&alarm.alarm_type, &alarm.qualifier);
        let outcome = &mut self.verdicts.outcome;
        if let Some(place) = last_raise
            && last_clear.is_none_or(|over| outcome.cleared[over].step < outcome.raised[place].step)
        {
            outcome.raised.remove(place);
        }
        let step = self.next_step();
        self.verdicts.outcome.raised.push(Alarm { subject: self.index, step, ..alarm });
    }

    /// Clears an alarm about this subject; `text` tells why it is over. Clearing what is not raised changes nothing.
    pub fn clear(&mut self, alarm_type: &str, qualifier: &str, text: impl Into<String>) {
        let (last_raise, last_clear) = self.last_word(alarm_type, qualifier);
        let outcome = &mut self.verdicts.outcome;
        if let Some(place) = last_clear
            && last_raise.is_none_or(|raise| outcome.raised[raise].step < outcome.cleared[place].step)
        {
            outcome.cleared.remove(place);
        }
        let (step, subject) = (self.next_step(), self.index);
        self.verdicts.outcome.cleared.push(Clearance {
            subject,
            alarm_type: alarm_type.into(),
            qualifier: qualifier.into(),
            text: text.into(),
            step,
        });
    }

    /// Places of the last raise and the last clearance of an alarm in this call.
    fn last_word(&self, alarm_type: &str, qualifier: &str) -> (Option<usize>, Option<usize>) {
        let Outcome { raised, cleared, .. } = &self.verdicts.outcome;
        let is_it = |subject: u32, of_type: &str, of_qualifier: &str| {
            subject == self.index && of_type == alarm_type && of_qualifier == qualifier
        };
        (
            raised.iter().rposition(|alarm| is_it(alarm.subject, &alarm.alarm_type, &alarm.qualifier)),
            cleared.iter().rposition(|over| is_it(over.subject, &over.alarm_type, &over.qualifier)),
        )
    }

    fn next_step(&mut self) -> u32 {
        self.verdicts.step += 1;
        self.verdicts.step
    }

    /// Asks for a call of `on_time` for this subject; replaces the timer it has.
    pub fn call_at(&mut self, at: u64) {
        let subject = self.index;
        self.verdicts.outcome.timers.retain(|timer| timer.subject != subject);
        self.verdicts.outcome.timers.push(Timer { subject, at });
    }

    /// Takes the timer back.
    pub fn cancel_call(&mut self) {
        self.call_at(0);
    }

    /// Requests a status report from this subject's component; no names: everything it has.
    pub fn request(&mut self, names: &[&str]) {
        let names = names.iter().map(|&name| name.into()).collect();
        self.verdicts.outcome.requests.push(Request { subject: self.index, names });
    }
}

impl Alarm {
    /// An alarm with the catalogue's event type and cause, and the policy's name as qualifier.
    #[must_use]
    pub fn new(alarm_type: impl Into<String>, severity: impl Into<String>, text: impl Into<String>) -> Self {
        Self { alarm_type: alarm_type.into(), severity: severity.into(), text: text.into(), ..Self::default() }
    }

    /// With the value observed and the threshold it crossed.
    #[must_use]
    pub fn crossing(self, observed: f64, threshold: f64) -> Self {
        Self { observed: Some(observed), threshold: Some(threshold), ..self }
    }

    /// With a fact to be kept with the alarm: its name, and its value with the unit.
    #[must_use]
    pub fn with_evidence(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push((name.into(), value.into()));
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_repair(self, actions: &[impl AsRef<str>]) -> Self {
        Self { repair_actions: actions.iter().map(|action| action.as_ref().to_owned()).collect(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen::new(Observations {
            now: 7,
            components: vec![10, 11],
            resources: vec![0, 3],
            state: vec![1.0, 2.0, 3.0, 4.0],
            subject: vec![1, 0, 1],
            names: vec![5, 6, 5],
            values: vec![0.1, 0.2, 0.3],
            sample_resources: vec![3, 0, 3],
            objects: Vec::new(),
        })
    }

    #[test]
    fn subjects_come_with_their_state_and_their_samples_in_order() {
        let mut seen = seen();
        let mut looked = Vec::new();
        seen.each_subject(|subject, samples| {
            subject.state_mut()[0] += samples.len() as f64;
            let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
            looked.push((subject.component().0, subject.resource().0, subject.now(), values));
        });
        assert_eq!(looked, [(10, 0, 7, vec![0.2]), (11, 3, 7, vec![0.1, 0.3])]);
        assert_eq!(seen.finish().state, [2.0, 2.0, 5.0, 4.0]);
    }

    #[test]
    fn samples_come_to_the_same_whether_their_subjects_are_in_order_or_not() {
        let order = |subject: &[u32], values: &[f64]| {
            let mut seen = seen();
            seen.observations.components = vec![10, 11, 12];
            seen.observations.subject = subject.to_vec();
            seen.observations.values = values.to_vec();
            seen.samples_by_subject()
        };
        let (sorted, starts) = order(&[0, 0, 2], &[0.1, 0.2, 0.3]);
        assert_eq!(starts, [0, 2, 2, 3]);
        let mut values: Vec<f64> = sorted.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [0.1, 0.2, 0.3]);
        let (mixed, starts) = order(&[2, 0, 0], &[0.3, 0.1, 0.2]);
        assert_eq!(starts, [0, 2, 2, 3]);
        values = mixed.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [0.1, 0.2, 0.3]);
    }

    #[test]
    fn verdicts_keep_their_order_and_the_same_said_twice_is_said_once() {
        let mut seen = seen();
        let mut subject = seen.subject(1).expect("there are two");
        subject.raise(Alarm::new("a", "major", "first"));
        subject.raise(Alarm::new("a", "major", "second"));
        subject.clear("a", "", "over");
        subject.clear("a", "", "quite over");
        subject.raise(Alarm::new("a", "minor", "again"));
        subject.call_at(50);
        subject.call_at(60);
        seen.subject(0).expect("there are two").raise(Alarm::new("a", "minor", "other subject"));
        let outcome = seen.finish();
        let raised = outcome.raised.iter().map(|alarm| (alarm.step, alarm.subject, alarm.text.as_str()));
        let cleared = outcome.cleared.iter().map(|over| (over.step, over.subject, over.text.as_str()));
        let mut verdicts: Vec<_> = raised.chain(cleared).collect();
        verdicts.sort_unstable();
        let texts: Vec<_> = verdicts.iter().map(|(_, subject, text)| (*subject, *text)).collect();
        assert_eq!(texts, [(1, "second"), (1, "quite over"), (1, "again"), (0, "other subject")]);
        assert_eq!(outcome.timers, [Timer { subject: 1, at: 60 }]);
    }

    #[test]
    fn objects_come_in_their_place_among_the_samples() {
        let mut seen = seen();
        let object = |subject, samples_before, text: &str| Object {
            subject,
            samples_before,
            kind: "event".into(),
            text: text.into(),
        };
        seen.observations.objects = vec![object(1, 1, "a"), object(0, 2, "b"), object(1, 3, "c")];
        let looked = std::cell::RefCell::new(Vec::new());
        seen.each_in_order(
            |subject, samples| {
                let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
                looked.borrow_mut().push(format!("{} {values:?}", subject.component().0));
            },
            |subject, object| looked.borrow_mut().push(format!("{} {}", subject.component().0, object.text)),
        );
        assert_eq!(looked.into_inner(), ["10 [0.2]", "10 b", "11 [0.1]", "11 a", "11 [0.3]", "11 c"]);
    }

    #[test]
    fn a_policy_without_state_has_subjects_too() {
        let mut seen = Seen::new(Observations { components: vec![1], resources: vec![0], ..Observations::default() });
        assert_eq!(seen.subject(0).map(|subject| subject.state().len()), Some(0));
        assert!(seen.subject(1).is_none());
    }
}
