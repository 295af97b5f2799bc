//! The manager's side of world `fcaps-policy`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value as Json;

use super::SymbolTable;
use crate::export::Slot;
use crate::policy::{Alarm, Clearance, Needs, Object, Observations, Outcome, Policy, Symbols};
use crate::{Description, Problem, Symbol, catalogue};

/// A policy with the manager around it.
pub struct PolicyHost<P> {
    policy: Slot<P>,
    needs: Needs,
    watched: Vec<Symbol>,
    symbols: SymbolTable,
    now: u64,
    waiting: Vec<Waiting>,
    state: HashMap<(Symbol, Symbol), Vec<f64>>,
    timers: BTreeMap<(Symbol, Symbol), u64>,
    alarms: BTreeMap<AlarmKey, Alarm>,
    requests: Vec<(String, Vec<String>)>,
    last: Outcome,
}

/// What identifies an alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmKey {
    /// The component.
    pub component: String,
    /// The part of the component, empty for itself.
    pub resource: String,
    /// Alarm type.
    pub alarm_type: String,
    /// Qualifier; empty: the name of the configured policy.
    pub qualifier: String,
}

/// A change of the alarm list.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An alarm was raised.
    Raised(AlarmKey, Alarm),
    /// A raised alarm changed its severity, text or figures.
    Changed(AlarmKey, Alarm),
    /// An alarm was cleared, with the reason.
    Cleared(AlarmKey, String),
}

/// A value as a test writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading<'a> {
    /// A number.
    Number(f64),
    /// A word of the catalogue; any other becomes symbol 0.
    Word(&'a str),
    /// Yes or no.
    Flag(bool),
}

struct Waiting {
    component: Symbol,
    resource: Symbol,
    samples: Vec<(Symbol, f64)>,
    /// Type and text.
    object: Option<(String, String)>,
}

impl<P: Policy> PolicyHost<P> {
    /// Describes and configures the policy, and binds it to symbols. Time starts at 2026-01-01.
    ///
    /// # Errors
    /// What the policy says is wrong with the configuration.
    ///
    /// # Panics
    /// Where the manager would not load the plugin: a schema that is no JSON, names that the catalogue does not have.
    pub fn new(config: &Json) -> Result<Self, Vec<Problem>> {
        check_description(&P::describe());
        let policy = Slot::<P>::new();
        let needs = policy.configure_policy(&config.to_string())?;
        for kind in &needs.objects {
            assert!(OBJECTS.contains(&kind.as_str()), "`{kind}` is no type of objects that policies see");
        }
        assert!(needs.state_width <= 64, "a subject's state has at most 64 values");
        let mut symbols = SymbolTable::new();
        for name in &needs.names {
            let known = catalogue::performance(name).is_some() || catalogue::state(name).is_some();
            assert!(known, "`{name}` is no value name of the catalogue");
        }
        for word in &needs.words {
            assert!(symbols.find(word).is_some(), "`{word}` is no word of the catalogue");
        }
        let mut all = |names: &[String]| -> Vec<u32> { names.iter().map(|name| symbols.intern(name).0).collect() };
        let bound = Symbols {
            names: all(&needs.names),
            words: all(&needs.words),
            components: all(&needs.components),
            resources: all(&needs.resources),
        };
        policy.bind_policy(&bound);
        let watched = bound.names.iter().copied().map(Symbol).collect();
        Ok(Self {
            policy,
            needs,
            watched,
            symbols,
            now: START,
            waiting: Vec::new(),
            state: HashMap::new(),
            timers: BTreeMap::new(),
            alarms: BTreeMap::new(),
            requests: Vec::new(),
            last: Outcome::default(),
        })
    }

    /// A report that waits for [`Self::run`]. Values that the policy did not ask for are left out.
    pub fn report<'v, V: Into<Reading<'v>> + Copy>(&mut self, component: &str, resource: &str, values: &[(&str, V)]) {
        let component = self.symbols.intern(component);
        let resource = self.symbols.intern(resource);
        let mut samples = Vec::new();
        for &(name, value) in values {
            let name = self.symbols.intern(name);
            if self.watched.contains(&name) {
                let value = match value.into() {
                    Reading::Number(number) => number,
                    Reading::Word(word) => self.symbols.find(word).map_or(0.0, |symbol| f64::from(symbol.0)),
                    Reading::Flag(flag) => f64::from(u8::from(flag)),
                };
                samples.push((name, value));
            }
        }
        if !samples.is_empty() {
            self.waiting.push(Waiting { component, resource, samples, object: None });
        }
    }

    /// An extension object that waits for [`Self::run`]; one of a type that the policy did not ask for is left out.
    pub fn report_object(&mut self, component: &str, object: &Json) {
        let kind = object["type"].as_str().unwrap_or_default();
        if !self.needs.objects.iter().any(|wanted| wanted == kind) {
            return;
        }
        let member = if self.needs.object_resource.is_empty() { "resource" } else { &self.needs.object_resource };
        let resource = self.symbols.intern(object[member].as_str().unwrap_or_default());
        let component = self.symbols.intern(component);
        let object = Some((kind.to_owned(), object.to_string()));
        self.waiting.push(Waiting { component, resource, samples: Vec::new(), object });
    }

    /// One object in a call of its own.
    pub fn send_object(&mut self, component: &str, object: &Json) -> Vec<Event> {
        let mut events = self.run();
        self.report_object(component, object);
        events.extend(self.run());
        events
    }

    /// Hands what waits to the policy in one call.
    pub fn run(&mut self) -> Vec<Event> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Vec::new();
        }
        let mut seen = Observations { now: self.now, ..Observations::default() };
        let mut positions = HashMap::new();
        for report in &waiting {
            let resource = if self.needs.per_component { Symbol::NONE } else { report.resource };
            let subject = *positions
                .entry((report.component, resource))
                .or_insert_with(|| self.add_subject(&mut seen, report.component, resource));
            for &(name, value) in &report.samples {
                seen.subject.push(subject);
                seen.names.push(name.0);
                seen.values.push(value);
                seen.sample_resources.push(report.resource.0);
            }
            if let Some((kind, text)) = &report.object {
                let samples_before = seen.values.len() as u32;
                seen.objects.push(Object { subject, samples_before, kind: kind.clone(), text: text.clone() });
            }
        }
        let outcome = self.policy.evaluate(seen.clone());
        self.apply(&seen, outcome)
    }

    /// One report in a call of its own.
    pub fn send<'v, V: Into<Reading<'v>> + Copy>(
        &mut self,
        component: &str,
        resource: &str,
        values: &[(&str, V)],
    ) -> Vec<Event> {
        let mut events = self.run();
        self.report(component, resource, values);
        events.extend(self.run());
        events
    }

    /// Moves time on, calling the policy for every timer that falls due on the way.
    pub fn advance(&mut self, by: Duration) -> Vec<Event> {
        let mut events = self.run();
        let end = self.now + u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        while let Some(next) = self.timers.values().copied().min().filter(|&at| at <= end) {
            self.now = self.now.max(next);
            let mut due = Observations { now: self.now, ..Observations::default() };
            let subjects: Vec<_> = self.timers.iter().filter(|&(_, &at)| at <= next).map(|(&key, _)| key).collect();
            for (component, resource) in subjects {
                self.timers.remove(&(component, resource));
                self.add_subject(&mut due, component, resource);
            }
            let outcome = self.policy.on_time(due.clone());
            events.extend(self.apply(&due, outcome));
        }
        self.now = end;
        events
    }

    /// The manager's time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What the policy asked for.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The alarms that are raised now.
    #[must_use]
    pub fn alarms(&self) -> &BTreeMap<AlarmKey, Alarm> {
        &self.alarms
    }

    /// The state of a subject; zeros if it has none yet.
    #[must_use]
    pub fn state(&self, component: &str, resource: &str) -> Vec<f64> {
        let key = self.symbols.find(component).zip(self.symbols.find(resource));
        let kept = key.and_then(|key| self.state.get(&key).cloned());
        kept.unwrap_or_else(|| vec![0.0; self.needs.state_width as usize])
    }

    /// When the policy is to be called again for a subject.
    #[must_use]
    pub fn timer(&self, component: &str, resource: &str) -> Option<u64> {
        let key = self.symbols.find(component).zip(self.symbols.find(resource))?;
        self.timers.get(&key).copied()
    }

    /// The status reports requested so far: component and value names.
    #[must_use]
    pub fn requests(&self) -> &[(String, Vec<String>)] {
        &self.requests
    }

    /// The answer to the last call, as it was given.
    #[must_use]
    pub fn last_outcome(&self) -> &Outcome {
        &self.last
    }

    fn add_subject(&self, seen: &mut Observations, component: Symbol, resource: Symbol) -> u32 {
        seen.components.push(component.0);
        seen.resources.push(resource.0);
        match self.state.get(&(component, resource)) {
            Some(state) => seen.state.extend_from_slice(state),
            None => seen.state.extend(std::iter::repeat_n(0.0, self.needs.state_width as usize)),
        }
        seen.components.len() as u32 - 1
    }

    /// Takes an answer over as the manager does: state, then what is cleared and raised in the order of steps.
    fn apply(&mut self, asked: &Observations, outcome: Outcome) -> Vec<Event> {
        assert_eq!(outcome.state.len(), asked.state.len(), "the answer's state is as long as the question's");
        let subject = |index: u32| {
            let at = index as usize;
            assert!(at < asked.components.len(), "subject {index} is out of range");
            (Symbol(asked.components[at]), Symbol(asked.resources[at]))
        };
        let width = self.needs.state_width as usize;
        for index in 0..asked.components.len() {
            self.state.insert(subject(index as u32), outcome.state[index * width..(index + 1) * width].to_vec());
        }
        for timer in &outcome.timers {
            match timer.at {
                0 => self.timers.remove(&subject(timer.subject)),
                at => self.timers.insert(subject(timer.subject), at),
            };
        }
        for request in &outcome.requests {
            let component = self.symbols.name(subject(request.subject).0).to_owned();
            self.requests.push((component, request.names.clone()));
        }
        let key = |symbols: &SymbolTable, index: u32, alarm_type: &str, qualifier: &str| {
            let (component, resource) = subject(index);
            let name = |symbol| symbols.name(symbol).to_owned();
            AlarmKey {
                component: name(component),
                resource: name(resource),
                alarm_type: alarm_type.to_owned(),
                qualifier: qualifier.to_owned(),
            }
        };
        let mut events = Vec::new();
        let mut verdicts: Vec<(u32, Result<&Clearance, &Alarm>)> =
            outcome.cleared.iter().map(|over| (over.step, Ok(over))).collect();
        verdicts.extend(outcome.raised.iter().map(|alarm| (alarm.step, Err(alarm))));
        verdicts.sort_by_key(|(step, _)| *step);
        for (_, verdict) in verdicts {
            let alarm = match verdict {
                Ok(over) => {
                    let key = key(&self.symbols, over.subject, &over.alarm_type, &over.qualifier);
                    if self.alarms.remove(&key).is_some() {
                        events.push(Event::Cleared(key, over.text.clone()));
                    }
                    continue;
                }
                Err(alarm) => alarm,
            };
            assert!(SEVERITIES.contains(&alarm.severity.as_str()), "`{}` is no severity", alarm.severity);
            let key = key(&self.symbols, alarm.subject, &alarm.alarm_type, &alarm.qualifier);
            let alarm = Alarm { subject: 0, step: 0, ..alarm.clone() };
            match self.alarms.insert(key.clone(), alarm.clone()) {
                None => events.push(Event::Raised(key, alarm)),
                Some(old) if old != alarm => events.push(Event::Changed(key, alarm)),
                Some(_) => {}
            }
        }
        self.last = outcome;
        events
    }
}

impl From<f64> for Reading<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Reading<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a str> for Reading<'a> {
    fn from(word: &'a str) -> Self {
        Self::Word(word)
    }
}

/// What the manager demands of a description.
pub(super) fn check_description(description: &Description) {
    assert!(!description.name.is_empty() && !description.summary.is_empty(), "a plugin has a name and a summary");
    let schema: Json = serde_json::from_str(&description.config_schema)
        .unwrap_or_else(|error| panic!("the configuration's schema is no JSON: {error}"));
    assert!(schema.is_object(), "the configuration's schema is a JSON object");
}

/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600_000;
const OBJECTS: [&str; 5] = ["inventory", "topology", "alarm", "usage", "event"];
const SEVERITIES: [&str; 5] = ["warning", "minor", "major", "critical", "indeterminate"];
