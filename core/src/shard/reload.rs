//! A shard takes over a changed configuration, between two batches.
//!
//! In: the configuration from now on, and the time. Out: a record for the journal, like that of any batch, with the whole
//! configuration in its note; batches before it were worked through under the old one, batches behind it are under the
//! new one, in life and when recorded traffic is run again. What goes on and what ends:
//!
//! - A policy goes on with its state, timers and alarms if it has the same name and the same plugin. Its `config` may
//!   have changed: what it thinks of it, it says at its next look. With another plugin it goes on if that takes the state over
//!   (`shard/migration`). One that is new, has another plugin, or leaves shadow mode begins without state.
//! - State, timers and alarms of a component that a policy does not see any more end.
//! - Alarms end, each with its reason, that nobody could end any more: of policies that are gone or in shadow mode, of
//!   components that may not report any more, of a type that the changed `config` of their policy no longer names.
//! - A start ends in the same way what changed while the manager was down, as far as it can know.
//! - What is known of a component (numbering, last values, inventory, usage) stays as it is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::core::{ShardCore, Worked};
use crate::{
    dispatch::{ComponentCard, Rules},
    model::{Alarm, AlarmKey, ComponentRef, Symbol, SymbolTable, Timestamp},
    shard::{
        alarms::AlarmChanges,
        judging::SILENT,
        migration::Subject,
        observing::PolicySlot,
        plugins::{ActivePolicy, ShardConfig},
    },
    storage::record::{Cause, PolicyStates, TimerChange},
};

/// What a switch ended. Kept until it is committed: should that fail, it is journalled again before anything else.
#[derive(Clone, Debug, Default)]
pub struct Switched {
    note: Arc<str>,
    /// Subjects that their policies keep no state of any more, and state of those that another version took over.
    pub forgotten: Vec<PolicyStates>,
    /// Their timers.
    pub timers: Vec<TimerChange>,
    over: BTreeMap<AlarmKey, String>,
}

/// How a policy comes out of a change.
enum Future<'a> {
    /// It goes on; with these words of its old configuration that the new one does not have.
    GoesOn(&'a ActivePolicy, usize, BTreeSet<String>),
    /// It begins afresh.
    Afresh,
    /// It is not in force any more.
    Gone,
}

impl ShardCore {
    /// Works under another configuration from now on. Everything before is to be committed already.
    pub fn switch(&mut self, to: &Arc<ShardConfig>, now: Timestamp) -> (Worked, Switched) {
        let mut switched = Switched { note: Arc::clone(&to.note), ..Switched::default() };
        let symbols = Arc::clone(&self.around.symbols);
        let expected = to.expected.iter().map(|(component, _)| component.0).collect();
        let mut migrated = self.migrate(to);
        let go_on = migrated.keys().copied().collect();
        let mut cards = Cards { rules: &to.rules, symbols: &symbols, known: HashMap::new(), expected, migrated: go_on };
        let ended = self.end_alarms(to, &mut cards, &mut switched);
        let (mut before, mut exchanged) = (std::mem::take(&mut self.policies), Vec::new());
        for (position, active) in to.plugins.policies.iter().enumerate() {
            let old = before.iter().position(|slot| slot.active.goes_on_as(active)).map(|at| before.remove(at));
            let Some(old) = old else {
                let mut slot = PolicySlot::new(active.clone(), to.state_per_component);
                if let Some(subjects) = migrated.remove(&active.symbol) {
                    before.retain(|slot| slot.active.symbol != active.symbol);
                    exchanged.push(active.config.name.clone());
                    let keep = |subject: &Subject| {
                        let id = (active.symbol, subject.component, subject.resource);
                        !(active.is_active() && ended.contains(&id)) && cards.sees(subject.component, position)
                    };
                    switched.restored(&mut slot, subjects, keep);
                }
                self.policies.push(slot);
                continue;
            };
            if !old.active.is_same_plugin(active) {
                exchanged.push(old.active.config.name.clone());
            }
            let keep = |component: u32, resource: u32| {
                let is_over = active.is_active() && ended.contains(&(active.symbol, component, resource));
                !is_over && cards.sees(component, position)
            };
            let (slot, forgotten) = PolicySlot::succeed(old, active.clone(), to.state_per_component, keep);
            switched.forget(&forgotten);
            self.policies.push(slot);
        }
        for gone in &before {
            exchanged.push(gone.active.config.name.clone());
            switched.forget(&gone.images().map(|image| image.key()).collect::<Vec<_>>());
        }
        exchanged.extend(self.handlers.switch(&to.plugins.handlers));
        self.expect_from_now_on(to, now, &mut switched);
        self.config = Arc::clone(to);
        let mut worked = self.switch_again(&switched, now);
        // Whatever was said of a plugin that is not in force any more is over; if the new one fails too, it is said anew.
        self.plugin_alarms(Vec::new(), exchanged, &mut worked);
        (worked, switched)
    }

    /// Ends at a start what a change of the configuration would have ended: the files may have changed while the manager was
    /// down. `None`: there is nothing to end.
    pub fn begin_with_configuration(&mut self, now: Timestamp) -> Option<(Worked, Switched)> {
        let config = Arc::clone(&self.config);
        let (worked, switched) = self.switch(&config, now);
        let ends = !(worked.record.effects.alarms.is_empty() && switched.forgotten.is_empty());
        ends.then_some((worked, switched))
    }

    /// Finds the alarms that end; the subjects of those that policies raised.
    fn end_alarms(&self, to: &ShardConfig, cards: &mut Cards<'_>, switched: &mut Switched) -> HashSet<(u32, u32, u32)> {
        let mut ended = HashSet::new();
        for alarm in self.alarms.all().filter(|alarm| !alarm.is_cleared) {
            let Some(reason) = self.why_over(alarm, to, cards) else { continue };
            switched.over.insert(alarm.key.clone(), reason);
            let find = |text: &str| if text.is_empty() { Some(Symbol::NONE) } else { self.around.symbols.find(text) };
            let policy = alarm.raised_by.strip_prefix("policy:").and_then(find);
            if let (Some(policy), Some(component), Some(resource)) =
                (policy, find(&alarm.key.component), find(&alarm.key.resource))
            {
                ended.insert((policy.0, component.0, resource.0));
            }
        }
        ended
    }

    /// The record of a switch that was made already.
    pub fn switch_again(&mut self, switched: &Switched, now: Timestamp) -> Worked {
        let mut worked = self.begin(Cause::Reload, now);
        let mut changes = AlarmChanges::default();
        worked.record.note = switched.note.to_string();
        worked.record.effects.policy_states.clone_from(&switched.forgotten);
        worked.record.effects.timers.clone_from(&switched.timers);
        for (key, reason) in &switched.over {
            self.alarms.clear(key, reason, now, &mut changes);
        }
        self.finish(worked, changes)
    }

    /// Why a raised alarm is over under another configuration, if it is.
    fn why_over(&self, alarm: &Alarm, to: &ShardConfig, cards: &mut Cards<'_>) -> Option<String> {
        let key = &alarm.key;
        if *key.component == *self.around.manager {
            return None;
        }
        if key.component.parse::<ComponentRef>().is_ok_and(|component| to.rules.excludes(&component)) {
            return Some(format!("{} is not in the configuration any more", key.component));
        }
        if key.alarm_type_id == SILENT && alarm.raised_by == "manager" {
            let component = self.around.symbols.find(&key.component)?;
            let reason = || "no report is due of it under the changed configuration".to_owned();
            return (!cards.expected.contains(&component.0)).then(reason);
        }
        let name = alarm.raised_by.strip_prefix("policy:")?;
        match self.future(name, to, &cards.migrated) {
            Future::Gone => Some(format!("policy {name} is not in force any more")),
            Future::Afresh => Some(format!("policy {name} begins afresh: it is new, or has another plugin")),
            Future::GoesOn(active, ..) if !active.is_active() => {
                Some(format!("policy {name} is in shadow mode: its verdicts take no effect"))
            }
            Future::GoesOn(_, position, missing) => {
                let component = self.around.symbols.find(&key.component)?;
                if !cards.sees(component.0, position) {
                    return Some(format!("policy {name} does not watch {} any more", key.component));
                }
                let unnamed = missing.contains(&key.alarm_type_id) || missing.contains(&key.alarm_type_qualifier);
                unnamed.then(|| format!("policy {name} is configured for other alarms now"))
            }
        }
    }

    fn future<'a>(&self, name: &str, to: &'a ShardConfig, migrated: &HashSet<u32>) -> Future<'a> {
        let found = to.plugins.policies.iter().enumerate().find(|(_, active)| active.config.name == name);
        let Some((position, active)) = found else { return Future::Gone };
        let old = self.config.plugins.policies.iter().find(|old| old.config.name == name);
        match old {
            Some(old) if old.goes_on_as(active) || migrated.contains(&active.symbol) => {
                let (mut was, mut is) = (BTreeSet::new(), BTreeSet::new());
                words(&old.config.config, &mut was);
                words(&active.config.config, &mut is);
                Future::GoesOn(active, position, was.difference(&is).cloned().collect())
            }
            // One that was not in force until now knows nothing of an alarm from an earlier life.
            _ => Future::Afresh,
        }
    }

    /// Silence under another configuration: who is expected to report, and whose silence is none any more.
    fn expect_from_now_on(&mut self, to: &ShardConfig, now: Timestamp, switched: &mut Switched) {
        let components = &self.components;
        let last_report = |component: u32| components.get(&component).and_then(|known| known.state.last_report);
        let expected = to.expected.iter().copied();
        let ours = expected.filter(|(component, _)| self.is_ours(&self.around.symbols.text(*component)));
        let ended = self.silence.change(ours.collect::<Vec<_>>(), to.since, now, last_report);
        for component in ended {
            let key = self.key(component.0, Symbol::NONE, SILENT, "manager");
            if self.alarms.is_raised(&key) {
                let reason = "no report is due of it under the changed configuration".to_owned();
                switched.over.entry(key).or_insert(reason);
            }
        }
    }
}

impl Switched {
    /// Subjects whose state another version took over.
    fn restored(&mut self, slot: &mut PolicySlot, subjects: Vec<Subject>, mut keep: impl FnMut(&Subject) -> bool) {
        let policy = slot.active.symbol;
        let (mut states, mut forgotten) = (PolicyStates { policy, ..PolicyStates::default() }, Vec::new());
        for subject in subjects {
            let (component, resource) = (subject.component, subject.resource);
            if !keep(&subject) || !slot.restore(component, resource, &subject.state, subject.timer) {
                forgotten.push((policy, component, resource, subject.timer));
                continue;
            }
            states.components.push(component);
            states.resources.push(resource);
            states.values.extend(subject.state);
        }
        self.forget(&forgotten);
        if !states.values.is_empty() {
            self.forgotten.push(states);
        }
    }

    fn forget(&mut self, subjects: &[(u32, u32, u32, u64)]) {
        let Some(&(policy, ..)) = subjects.first() else { return };
        self.forgotten.push(PolicyStates {
            policy,
            components: subjects.iter().map(|subject| subject.1).collect(),
            resources: subjects.iter().map(|subject| subject.2).collect(),
            values: Vec::new(),
        });
        let timed = subjects.iter().filter(|subject| subject.3 != 0);
        self.timers.extend(timed.map(|&(policy, component, resource, _)| TimerChange {
            at: 0,
            policy,
            component,
            resource,
            padding: 0,
        }));
    }
}

/// Cards of components, each made once.
struct Cards<'a> {
    rules: &'a Rules,
    symbols: &'a SymbolTable,
    known: HashMap<u32, Option<ComponentCard>>,
    expected: HashSet<u32>,
    /// Policies whose state goes on in another version.
    migrated: HashSet<u32>,
}

impl Cards<'_> {
    /// Whether a policy sees a component that may report.
    fn sees(&mut self, component: u32, policy: usize) -> bool {
        let (rules, symbols) = (self.rules, self.symbols);
        let card = self.known.entry(component).or_insert_with(|| {
            let component = symbols.text(Symbol(component)).parse::<ComponentRef>().ok()?;
            (!rules.excludes(&component)).then(|| rules.card(&component))
        });
        card.as_ref().is_some_and(|card| card.policies.get(policy).copied().unwrap_or(false))
    }
}

/// Every text in a configuration.
fn words(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, into)),
        Value::Object(members) => members.values().for_each(|item| words(item, into)),
        _ => {}
    }
}
