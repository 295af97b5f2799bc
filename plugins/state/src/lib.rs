//! Policy `state`: failed and degraded modules, links, switches, relay points, key managers, controllers and services.
//!
//! In: the words of state values, per component and resource. Out: an alarm while a value says a word that the table in
//! `rules` calls a failure, its qualifier the value's name, so that each value has an alarm of its own. A hold-off keeps
//! flapping from becoming alarms; what an operator has locked raises none. Silence is the manager's business.

mod rules;

use qkdn_plugin::policy::{Alarm, Needs, Sample, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol};

use rules::{ADMINISTRATIVE, Rule, Settings};
pub use rules::{Config, RuleConfig};

/// The policy.
pub struct State {
    settings: Settings,
    /// Watched values; `slots[i]` of a subject's state belongs to value i.
    values: Vec<Watched>,
    /// By symbol of a name, the place of its value in `values`, counted from 1; 0 for names that are not watched.
    places: Vec<u8>,
    administrative: (Symbol, f64),
}

struct Watched {
    name: String,
    symbol: Symbol,
    /// Symbol of a word that is a failure, and its rule.
    words: Vec<(f64, usize)>,
}

/// What a subject's state holds of one value: three numbers.
struct Slot {
    /// The rule whose alarm is raised, counted from 1; 0 for none.
    raised: usize,
    /// The rule that the last word calls for; 0 for none.
    said: usize,
    /// Since when it is said.
    since: u64,
}

const SLOT: usize = 3;

impl Slot {
    fn read(state: &[f64], position: usize) -> Self {
        let at = |offset: usize| state.get(1 + position * SLOT + offset).copied().unwrap_or(0.0);
        Self { raised: at(0) as usize, said: at(1) as usize, since: at(2) as u64 }
    }

    fn write(&self, state: &mut [f64], position: usize) {
        if let Some(place) = state.get_mut(1 + position * SLOT..1 + (position + 1) * SLOT) {
            place.copy_from_slice(&[self.raised as f64, self.said as f64, self.since as f64]);
        }
    }
}

impl Policy for State {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "state",
            env!("CARGO_PKG_VERSION"),
            "Raises alarms for failed and degraded components, links and services.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        let settings = config.check()?;
        let mut values: Vec<Watched> = Vec::new();
        for rule in &settings.rules {
            if values.iter().all(|watched| watched.name != rule.value) {
                values.push(Watched { name: rule.value.clone(), symbol: Symbol::NONE, words: Vec::new() });
            }
        }
        Ok(Self { settings, values, places: Vec::new(), administrative: (Symbol::NONE, 0.0) })
    }

    fn needs(&self) -> Needs {
        let names = self.values.iter().map(|watched| watched.name.clone());
        let words = self.settings.rules.iter().map(|rule| rule.word.clone());
        Needs {
            names: names.chain([ADMINISTRATIVE.0.to_owned()]).collect(),
            words: words.chain([ADMINISTRATIVE.1.to_owned()]).collect(),
            state_width: (1 + self.values.len() * SLOT) as u32,
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        for (watched, symbol) in self.values.iter_mut().zip(&symbols.names) {
            watched.symbol = Symbol(*symbol);
            let of_value = |(rule, _): &(&Rule, &u32)| rule.value == watched.name;
            let rules = self.settings.rules.iter().zip(&symbols.words).enumerate();
            watched.words =
                rules.filter(|(_, pair)| of_value(pair)).map(|(index, (_, word))| (f64::from(*word), index)).collect();
        }
        for (place, watched) in (1..).zip(&self.values) {
            // A symbol that nobody gave is that of no sample.
            let at = watched.symbol.0 as usize;
            if self.places.len() <= at {
                self.places.resize(at + 1, 0);
            }
            self.places[at] = place;
        }
        let name = symbols.names.last().copied().map_or(Symbol::NONE, Symbol);
        self.administrative = (name, symbols.words.last().copied().map_or(0.0, f64::from));
    }

    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        for sample in samples {
            if sample.name == self.administrative.0 {
                self.lock(subject, sample.value == self.administrative.1);
            } else if let Some(position) = self.position(sample.name) {
                self.hear(subject, position, sample.value);
            }
        }
    }

    fn due(&self, subject: &mut Subject<'_>) {
        for position in 0..self.values.len() {
            self.settle(subject, position);
        }
        self.set_timer(subject);
    }
}

impl State {
    /// The place of the value with this name.
    fn position(&self, name: Symbol) -> Option<usize> {
        self.places.get(name.0 as usize).and_then(|&place| usize::from(place).checked_sub(1))
    }

    /// An operator locks or unlocks the component.
    fn lock(&self, subject: &mut Subject<'_>, locked: bool) {
        let before = subject.state().first().copied().unwrap_or(0.0);
        let after = f64::from(u8::from(locked));
        if before == after {
            return;
        }
        if let Some(place) = subject.state_mut().first_mut() {
            *place = after;
        }
        for position in 0..self.values.len() {
            self.settle(subject, position);
        }
        self.set_timer(subject);
    }

    /// A value says a word.
    fn hear(&self, subject: &mut Subject<'_>, position: usize, word: f64) {
        let Some(watched) = self.values.get(position) else { return };
        let said = watched.words.iter().find(|(symbol, _)| *symbol == word).map_or(0, |(_, rule)| rule + 1);
        let mut slot = Slot::read(subject.state(), position);
        if said == slot.said {
            return;
        }
        // A failure that gets worse or better goes on being one: the hold-off is behind it.
        if slot.said == 0 {
            slot.since = subject.now();
        }
        slot.said = said;
        slot.write(subject.state_mut(), position);
        self.settle(subject, position);
        self.set_timer(subject);
    }

    /// Brings the alarm of a value in line with what is said.
    fn settle(&self, subject: &mut Subject<'_>, position: usize) {
        let mut slot = Slot::read(subject.state(), position);
        let wanted = if self.is_locked(subject) { 0 } else { slot.said };
        if wanted == slot.raised || (wanted != 0 && slot.raised == 0 && subject.now() < self.due_at(&slot)) {
            return;
        }
        let Some(watched) = self.values.get(position) else { return };
        let rule = |number: usize| number.checked_sub(1).and_then(|index| self.settings.rules.get(index));
        let (before, after) = (rule(slot.raised), rule(wanted));
        if let Some(before) = before.filter(|before| after.is_none_or(|after| after.alarm_type != before.alarm_type)) {
            let why = if slot.said == 0 { "is well again" } else { "was taken out of service by an operator" };
            let text = if after.is_some() { "has another failure now" } else { why };
            subject.clear(&before.alarm_type, &watched.name, format!("{}: the component {text}", watched.name));
        }
        if let Some(after) = after {
            let alarm = Alarm::new(after.alarm_type.as_str(), after.severity.as_str(), after.text.as_str());
            let mut alarm = alarm.with_evidence(after.value.as_str(), after.word.as_str());
            alarm.qualifier.clone_from(&watched.name);
            if after.alarm_type == "component-failed" {
                alarm.event_type = "equipment".to_owned();
                alarm.probable_cause = "equipment-malfunction".to_owned();
            }
            subject.raise(alarm);
        }
        slot.raised = wanted;
        slot.write(subject.state_mut(), position);
    }

    fn is_locked(&self, subject: &Subject<'_>) -> bool {
        !self.settings.raise_while_locked && subject.state().first().is_some_and(|&locked| locked != 0.0)
    }

    const fn due_at(&self, slot: &Slot) -> u64 {
        slot.since.saturating_add(self.settings.hold_off_ms)
    }

    /// Comes back when the first hold-off ends.
    fn set_timer(&self, subject: &mut Subject<'_>) {
        if self.settings.hold_off_ms == 0 {
            return;
        }
        let waits = |slot: &Slot| slot.said != 0 && slot.raised == 0;
        let slots = (0..self.values.len()).map(|position| Slot::read(subject.state(), position));
        let next = slots.filter(waits).map(|slot| self.due_at(&slot)).min();
        match next.filter(|_| !self.is_locked(subject)) {
            Some(at) => subject.call_at(at),
            None => subject.cancel_call(),
        }
    }
}

qkdn_plugin::register_policy!(State);

#[cfg(test)]
mod tests;
