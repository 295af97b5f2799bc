//! Laws of a switch, over policies and handlers that are not plugins: what is left raised can still be cleared, what is
//! journalled is what the shard has, and a switch whose commit failed comes out the same when it is journalled again.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
};

use proptest::prelude::*;

use super::{
    ActiveHandler, ActivePolicy, PluginSet, ShardConfig,
    core::{ShardCore, Surroundings, Worked},
};
use crate::{
    config::{
        ComponentConfig, ComponentMatch, Enrolment, FcapsFunction, HandlerConfig, IdentityRule, OnFailure,
        PluginSource, PolicyConfig, PolicyMode,
    },
    dispatch::{Registry, Rules},
    model::{ComponentRef, ReferencePoint, ReportBatch, ReportHead, SymbolTable, Timestamp},
    plugin::{
        ClearedAlarm, FcapsPolicy, Handled, InterfaceHandler, Observations, Outcome, PluginFailure, PolicyNeeds,
        RaisedAlarm,
    },
    storage::record::{BatchRecord, PolicyStates},
    telemetry::metrics::Metrics,
};

const COMPONENTS: [&str; 3] = ["mk/a", "mk/b", "mk/c"];
const TYPES: [&str; 2] = ["key-store-low", "key-store-empty"];

struct Mild;

impl InterfaceHandler for Mild {
    fn handle(&mut self, _: &ReportBatch) -> Result<Handled, PluginFailure> {
        Ok(Handled::default())
    }
}

/// Raises below a level, clears above it, and says so only when that changes: its state is whether it has raised.
struct Level {
    level: f64,
    alarm_type: &'static str,
}

impl FcapsPolicy for Level {
    fn evaluate(&mut self, seen: &Observations) -> Result<Outcome, PluginFailure> {
        let mut outcome = Outcome { state: seen.state.clone(), ..Outcome::default() };
        for (step, (&subject, &value)) in (0..).zip(seen.subject.iter().zip(&seen.values)) {
            let low = f64::from(u8::from(value < self.level));
            let state = &mut outcome.state[subject as usize];
            if low > *state {
                outcome.raised.push(raised(subject, self.alarm_type, step));
                outcome.timers.push((subject, 1));
            } else if low < *state {
                let (alarm_type, text) = (self.alarm_type.to_owned(), "high again".to_owned());
                outcome.cleared.push(ClearedAlarm { subject, alarm_type, qualifier: String::new(), text, step });
                outcome.timers.push((subject, 0));
            }
            *state = low;
        }
        Ok(outcome)
    }

    fn on_time(&mut self, due: &Observations) -> Result<Outcome, PluginFailure> {
        Ok(Outcome { state: due.state.clone(), ..Outcome::default() })
    }
}

fn raised(subject: u32, alarm_type: &str, step: u32) -> RaisedAlarm {
    RaisedAlarm {
        subject,
        alarm_type: alarm_type.to_owned(),
        qualifier: String::new(),
        severity: "major".into(),
        text: "low".into(),
        event_type: String::new(),
        probable_cause: String::new(),
        observed: None,
        threshold: None,
        repair_actions: Vec::new(),
        evidence: Vec::new(),
        step,
    }
}

/// What a configuration of the test says: which components are listed, and of each policy whether it is there, its level,
/// alarm type, mode, plugin and reach.
#[derive(Clone, Debug)]
struct Plan {
    listed: [bool; 3],
    policies: [Option<PolicyPlan>; 2],
}

/// Level, place among the alarm types, whether it is active, its plugin, whether it sees all components or the first alone.
type PolicyPlan = (u8, usize, bool, u8, bool);

prop_compose! {
    fn plan()(
        listed in any::<[bool; 3]>(),
        policies in any::<[Option<(u8, bool, bool, bool, bool)>; 2]>(),
    ) -> Plan {
        let policy = |(level, kind, active, digest, all): (u8, bool, bool, bool, bool)| {
            (level % 3, usize::from(kind), active, u8::from(digest), all)
        };
        Plan { listed, policies: policies.map(|one| one.map(policy)) }
    }
}

fn policy(name: &str, plan: PolicyPlan, symbols: &SymbolTable) -> ActivePolicy {
    let (level, kind, active, digest, all) = plan;
    let applies_to = ComponentMatch { id: if all { vec![] } else { vec!["a".into()] }, ..ComponentMatch::default() };
    ActivePolicy {
        config: PolicyConfig {
            name: name.to_owned(),
            function: FcapsFunction::Performance,
            plugin: PluginSource::Builtin("level".into()),
            sha256: None,
            applies_to,
            mode: if active { PolicyMode::Active } else { PolicyMode::Shadow },
            config: serde_json::json!({ "level": level, "alarm_type": TYPES[kind] }),
        },
        symbol: symbols.intern(name).0,
        needs: PolicyNeeds { names: vec![symbols.intern("fill")], state_width: 1, ..PolicyNeeds::default() },
        digest: digest.to_string().into(),
        version: "1".into(),
        make: Arc::new(move || Ok(Box::new(Level { level: f64::from(level), alarm_type: TYPES[kind] }))),
    }
}

fn config(plan: &Plan, generation: u64, symbols: &SymbolTable) -> Arc<ShardConfig> {
    let component = |name: &str| ComponentConfig {
        component: name.parse().unwrap(),
        identity: IdentityRule::San(String::new()),
        vendor: String::new(),
        model: String::new(),
        version: String::new(),
        site: String::new(),
        tags: Vec::new(),
        expected_interval: None,
        dial: None,
        sees: Vec::new(),
    };
    let listed = COMPONENTS.iter().zip(plan.listed).filter(|(_, listed)| *listed);
    let components: Vec<_> = listed.map(|(name, _)| component(name)).collect();
    let handler = ActiveHandler {
        config: HandlerConfig {
            name: "mk".into(),
            reference_point: ReferencePoint::Mk,
            matches: ComponentMatch::default(),
            plugin: PluginSource::Builtin("mk".into()),
            sha256: None,
            on_failure: OnFailure::Reject,
            then: None,
            allow_key_names: vec![],
            config: serde_json::Value::Null,
        },
        symbol: symbols.intern("mk").0,
        digest: "".into(),
        fallback: 0,
        then: None,
        reads_alarms: false,
        make: Arc::new(|| Ok(Box::new(Mild))),
    };
    let policies = ["p", "q"].into_iter().zip(plan.policies);
    let policies: Vec<_> = policies.filter_map(|(name, plan)| Some(policy(name, plan?, symbols))).collect();
    let handlers = std::iter::once(&handler.config);
    let rules = Rules::new(Enrolment::Listed, &components, handlers, policies.iter().map(|policy| &policy.config));
    Arc::new(ShardConfig {
        generation,
        rules: Arc::new(rules),
        plugins: PluginSet { handlers: vec![handler], policies },
        expected: Arc::from([]),
        state_per_component: 1_024,
        since: Timestamp(0),
        note: format!("{plan:?}").into(),
    })
}

/// Each subject with its values.
fn subjects_of(states: &PolicyStates) -> impl Iterator<Item = (u32, u32, &[f64])> {
    let width = states.values.len() / states.components.len().max(1);
    let keys = states.components.iter().zip(&states.resources).enumerate();
    keys.map(move |(at, (&component, &resource))| (component, resource, &states.values[at * width..(at + 1) * width]))
}

struct Setting {
    symbols: Arc<SymbolTable>,
    core: ShardCore,
    generation: u64,
    now: i64,
    /// State and timers as the journal has them.
    states: HashMap<(u32, u32, u32), Vec<f64>>,
    timers: HashMap<(u32, u32, u32), u64>,
}

impl Setting {
    fn start(plan: &Plan) -> Self {
        let symbols = Arc::new(SymbolTable::new());
        let registry = Arc::new(Registry::new(Arc::clone(&symbols), 1));
        let first = config(plan, 1, &symbols);
        for name in COMPONENTS {
            let component: ComponentRef = name.parse().unwrap();
            registry.admit(&component, || first.rules.card(&component));
        }
        let around = Surroundings {
            symbols: Arc::clone(&symbols),
            registry,
            metrics: Arc::new(Metrics::default()),
            manager: Arc::from("mx/m"),
            next_alarm_id: Arc::new(AtomicU64::new(1)),
            shards: 1,
        };
        let core = ShardCore::new(0, around, first);
        Self { symbols, core, generation: 1, now: 1_000, states: HashMap::new(), timers: HashMap::new() }
    }

    fn journal(&mut self, record: &BatchRecord) {
        for states in &record.effects.policy_states {
            for (component, resource, values) in subjects_of(states) {
                let key = (states.policy, component, resource);
                if values.is_empty() {
                    self.states.remove(&key);
                } else {
                    self.states.insert(key, values.to_vec());
                }
            }
        }
        for timer in &record.effects.timers {
            let key = (timer.policy, timer.component, timer.resource);
            if timer.at == 0 {
                self.timers.remove(&key);
            } else {
                self.timers.insert(key, timer.at);
            }
        }
    }

    fn report(&mut self, component: usize, value: u8) {
        self.now += 1;
        let mut batch = ReportBatch::default();
        batch.names.push(self.symbols.intern("fill").0);
        batch.resources.push(0);
        batch.values.push(f64::from(value % 3) - 0.5 + 0.25);
        batch.flags.push(0);
        let component = self.symbols.intern(COMPONENTS[component]).0;
        batch.reports.push(ReportHead { component, samples_end: 1, ..ReportHead::default() });
        let worked = self.core.reports(batch, 0, Timestamp(self.now));
        self.journal(&worked.record);
    }

    /// Switches; with `fails` its commit fails the first time.
    fn switch(&mut self, plan: &Plan, fails: bool) {
        self.now += 1;
        self.generation += 1;
        let to = config(plan, self.generation, &self.symbols);
        let (Worked { record, undo, .. }, switched) = self.core.switch(&to, Timestamp(self.now));
        let record = if fails {
            self.core.undo(undo);
            let again = self.core.switch_again(&switched, Timestamp(self.now)).record;
            assert_eq!(again.effects, record.effects, "the same follows when it is journalled again");
            again
        } else {
            record
        };
        assert_eq!(&*record.note, &*to.note);
        self.journal(&record);
    }

    /// What has to hold at any time.
    fn check(&self, plan: &Plan) -> Result<(), TestCaseError> {
        for alarm in self.core.alarms.all().filter(|alarm| !alarm.is_cleared) {
            let at = COMPONENTS.iter().position(|name| *name == alarm.key.component).unwrap();
            let name = alarm.raised_by.strip_prefix("policy:").unwrap();
            let policy = plan.policies[usize::from(name == "q")];
            let Some((_, kind, active, _, all)) = policy else {
                return Err(TestCaseError::fail(format!("{name} is gone, its alarm is raised")));
            };
            prop_assert!(plan.listed[at], "{} is not listed", alarm.key);
            prop_assert!(active && (all || at == 0), "{} cannot be cleared", alarm.key);
            prop_assert_eq!(&alarm.key.alarm_type_id, TYPES[kind]);
            let key = (self.symbols.intern(name).0, self.symbols.intern(COMPONENTS[at]).0, 0);
            prop_assert_eq!(
                self.states.get(&key).map(Vec::as_slice),
                Some(&[1.0][..]),
                "the policy knows that it raised"
            );
        }
        let images: HashMap<_, _> = self
            .core
            .policies
            .iter()
            .flat_map(|slot| slot.images())
            .map(|image| ((image.policy, image.component, image.resource), (image.state.to_vec(), image.timer)))
            .collect();
        for (key, state) in &self.states {
            prop_assert_eq!(images.get(key).map(|(state, _)| state), Some(state), "what is journalled is there");
        }
        for (key, (state, timer)) in &images {
            let zero = state.iter().all(|value| *value == 0.0);
            prop_assert!(zero || self.states.contains_key(key), "what is there is journalled");
            prop_assert_eq!(self.timers.get(key).copied().unwrap_or(0), *timer);
        }
        prop_assert!(self.timers.keys().all(|key| images.contains_key(key)));
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Report(usize, u8),
    Switch(Plan, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_usize..3, any::<u8>()).prop_map(|(component, value)| Step::Report(component, value)),
        1 => (plan(), any::<bool>()).prop_map(|(plan, fails)| Step::Switch(plan, fails)),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// Through any reports and any changes, in any order.
    #[test]
    fn what_is_raised_can_be_cleared_and_what_is_journalled_is_what_is_there(first in plan(), steps in steps()) {
        let (mut setting, mut plan) = (Setting::start(&first), first);
        for step in steps {
            match step {
                // A component that is not listed does not get here.
                Step::Report(component, value) if plan.listed[component] => setting.report(component, value),
                Step::Report(..) => {}
                Step::Switch(next, fails) => {
                    setting.switch(&next, fails);
                    plan = next;
                }
            }
            setting.check(&plan)?;
        }
    }
}
