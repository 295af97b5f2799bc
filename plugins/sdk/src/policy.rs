//! World `fcaps-policy`: watching what accepted reports say.
//!
//! In: samples and state of subjects ([`Seen`]), a subject being a component together with one of its resources. Out:
//! verdicts and the changed state. Most policies look at one subject at a time and implement [`Policy::observe`] and
//! [`Policy::due`]; one that wants the whole batch implements `evaluate` and `on_time`.
//!
//! Within a call, what is raised and cleared is settled by subject, alarm type and qualifier: the last word counts, so
//! that the outcome does not depend on how the manager cut the traffic into batches.

use serde::de::DeserializeOwned;

use crate::bindings::fcaps_policy::exports::qkdn::manager::policy as wit;
use crate::{Description, Problem, Symbol};

pub use wit::{Alarm, Clearance, Needs, Observations, Outcome, Request, Symbols, Timer};

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

    /// A subject whose timer is due.
    fn due(&self, subject: &mut Subject<'_>) {
        let _ = subject;
    }

    /// Samples of a batch: calls [`Self::observe`] for each subject.
    fn evaluate(&self, seen: &mut Seen) {
        seen.each_subject(|subject, samples| self.observe(subject, samples));
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
    outcome: Outcome,
}

impl Seen {
    /// A call's arguments, nothing decided.
    #[must_use]
    pub fn new(observations: Observations) -> Self {
        Self { observations, outcome: Outcome::default() }
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
            outcome: &mut self.outcome,
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

    /// What was decided, with the changed state.
    #[must_use]
    pub fn finish(self) -> Outcome {
        Outcome { state: self.observations.state, ..self.outcome }
    }

    /// Samples sorted by subject, their order kept, and where each subject's start.
    fn samples_by_subject(&self) -> (Vec<Sample>, Vec<usize>) {
        let seen = &self.observations;
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
    outcome: &'a mut Outcome,
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
        let alarm = Alarm { subject: self.index, ..alarm };
        self.unraise(&alarm.alarm_type, &alarm.qualifier);
        self.outcome.raised.push(alarm);
    }

    /// Clears an alarm about this subject; `text` tells why it is over. Clearing what is not raised changes nothing.
    pub fn clear(&mut self, alarm_type: &str, qualifier: &str, text: impl Into<String>) {
        self.unraise(alarm_type, qualifier);
        let subject = self.index;
        self.outcome
            .cleared
            .retain(|old| old.subject != subject || old.alarm_type != alarm_type || old.qualifier != qualifier);
        self.outcome.cleared.push(Clearance {
            subject,
            alarm_type: alarm_type.into(),
            qualifier: qualifier.into(),
            text: text.into(),
        });
    }

    /// Asks for a call of `on_time` for this subject; replaces the timer it has.
    pub fn call_at(&mut self, at: u64) {
        let subject = self.index;
        self.outcome.timers.retain(|timer| timer.subject != subject);
        self.outcome.timers.push(Timer { subject, at });
    }

    /// Takes the timer back.
    pub fn cancel_call(&mut self) {
        self.call_at(0);
    }

    /// Requests a status report from this subject's component; no names: everything it has.
    pub fn request(&mut self, names: &[&str]) {
        let names = names.iter().map(|&name| name.into()).collect();
        self.outcome.requests.push(Request { subject: self.index, names });
    }

    fn unraise(&mut self, alarm_type: &str, qualifier: &str) {
        let subject = self.index;
        self.outcome
            .raised
            .retain(|old| old.subject != subject || old.alarm_type != alarm_type || old.qualifier != qualifier);
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
    fn the_last_word_about_an_alarm_counts() {
        let mut seen = seen();
        let mut subject = seen.subject(1).expect("there are two");
        subject.raise(Alarm::new("a", "major", "first"));
        subject.clear("a", "", "over");
        subject.clear("b", "", "over");
        subject.raise(Alarm::new("b", "minor", "again"));
        subject.call_at(50);
        subject.call_at(60);
        seen.subject(0).expect("there are two").raise(Alarm::new("a", "minor", "other subject"));
        let outcome = seen.finish();
        let raised: Vec<_> = outcome.raised.iter().map(|alarm| (alarm.subject, alarm.text.as_str())).collect();
        assert_eq!(raised, [(1, "again"), (0, "other subject")]);
        assert_eq!(outcome.cleared.iter().map(|over| over.alarm_type.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(outcome.timers, [Timer { subject: 1, at: 60 }]);
    }

    #[test]
    fn a_policy_without_state_has_subjects_too() {
        let mut seen = Seen::new(Observations { components: vec![1], resources: vec![0], ..Observations::default() });
        assert_eq!(seen.subject(0).map(|subject| subject.state().len()), Some(0));
        assert!(seen.subject(1).is_none());
    }
}
