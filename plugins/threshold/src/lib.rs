//! Policy `threshold`: an alarm when a value crosses a level, with hysteresis and hold-off.
//!
//! In: samples of one value name, per component and resource. Out: an alarm of the configured type, whose severity is
//! that of the highest level crossed; it is raised, changed or cleared only when that level changes. The crossing itself
//! is pure and in `rule`; what the configuration may say is in `config`. Nothing is known here of what a value means.

mod config;
mod rule;

use qkdn_plugin::policy::{Alarm, Needs, Sample, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol};

pub use config::Config;
use config::{Checked, Override};
use rule::Rule;

/// The policy.
pub struct Threshold {
    checked: Checked,
    value: Symbol,
    /// Override by component and resource; `None` matches any.
    overrides: Vec<(Option<Symbol>, Option<Symbol>)>,
}

impl Policy for Threshold {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "threshold",
            env!("CARGO_PKG_VERSION"),
            "Raises an alarm when a value crosses a level, with hysteresis and hold-off.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { checked: config.check()?, value: Symbol::NONE, overrides: Vec::new() })
    }

    fn needs(&self) -> Needs {
        let overrides = &self.checked.overrides;
        Needs {
            names: vec![self.checked.value.clone()],
            words: Vec::new(),
            components: distinct(overrides.iter().filter_map(|over| over.component.as_deref())),
            resources: distinct(overrides.iter().filter_map(Override::named_resource)),
            state_width: (rule::FIXED_STATE + rule::STATE_PER_LEVEL * self.checked.most_levels()) as u32,
            per_component: false,
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        let needs = self.needs();
        let find = |names: &[String], symbols: &[u32], wanted: &str| {
            let place = names.iter().position(|name| name == wanted)?;
            symbols.get(place).copied().map(Symbol)
        };
        self.value = symbols.names.first().copied().map_or(Symbol::NONE, Symbol);
        self.overrides = self
            .checked
            .overrides
            .iter()
            .map(|over| {
                let component =
                    over.component.as_deref().and_then(|name| find(&needs.components, &symbols.components, name));
                let resource = over
                    .resource
                    .as_deref()
                    .map(|name| find(&needs.resources, &symbols.resources, name).unwrap_or(Symbol::NONE));
                (component, resource)
            })
            .collect();
    }

    fn observe(&self, subject: &mut Subject<'_>, samples: &[Sample]) {
        for sample in samples.iter().filter(|sample| sample.name == self.value) {
            self.step(subject, Some(sample.value));
        }
    }

    fn due(&self, subject: &mut Subject<'_>) {
        rule::timer_fired(subject.state_mut());
        self.step(subject, None);
    }
}

impl Threshold {
    /// The rule for a subject; `None` where it is not watched.
    fn rule(&self, subject: &Subject<'_>) -> Option<&Rule> {
        let matches = |&(component, resource): &(Option<Symbol>, Option<Symbol>)| {
            component.is_none_or(|component| component == subject.component())
                && resource.is_none_or(|resource| resource == subject.resource())
        };
        match self.overrides.iter().position(matches) {
            Some(position) => self.checked.overrides.get(position).and_then(|over| over.rule.as_ref()),
            None => Some(&self.checked.rule),
        }
    }

    /// A new value, or a look at the clock with the last one.
    fn step(&self, subject: &mut Subject<'_>, value: Option<f64>) {
        let now = subject.now();
        let Some(rule) = self.rule(subject) else {
            return self.forget(subject);
        };
        let step = rule.step(subject.state_mut(), value, now);
        if let Some(at) = step.timer {
            subject.call_at(at);
        }
        if step.before == step.after {
            return;
        }
        let value = step.value;
        match step.after.and_then(|top| rule.levels.get(top)) {
            Some(level) => subject.raise(Alarm {
                qualifier: self.checked.qualifier.clone(),
                event_type: self.checked.event_type.clone(),
                probable_cause: self.checked.probable_cause.clone(),
                repair_actions: self.checked.repair_actions.clone(),
                ..Alarm::new(
                    self.checked.alarm_type.as_str(),
                    level.severity.as_str(),
                    self.checked.sentence(&rule.raised_text(level, &self.checked.value, value)),
                )
                .crossing(value, level.raise)
            }),
            None => {
                let text = rule.cleared_text(&self.checked.value, value);
                subject.clear(&self.checked.alarm_type, &self.checked.qualifier, text);
            }
        }
    }

    /// An override that disables the policy here ends what an earlier configuration raised.
    fn forget(&self, subject: &mut Subject<'_>) {
        if rule::is_raised(subject.state()) {
            let text = format!("{} is no longer watched here", self.checked.value);
            subject.clear(&self.checked.alarm_type, &self.checked.qualifier, text);
        }
        if subject.state().iter().any(|&number| number != 0.0) {
            subject.state_mut().fill(0.0);
            subject.cancel_call();
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

qkdn_plugin::register_policy!(Threshold);

#[cfg(test)]
mod tests;
