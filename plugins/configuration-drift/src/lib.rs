//! Policy `configuration-drift`: reported inventory against an intended baseline.
//!
//! In: `inventory` objects, per component and resource. Out: `configuration-drift` for each value that is not what the
//! baseline intends, its qualifier the value's name; cleared when it is right again. A value that is not reported is not
//! judged: an inventory object may be about a part only.

mod baseline;

use qkdn_plugin::policy::{Alarm, Needs, Object, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use baseline::{Baseline, Config, Intended};
use baseline::{agrees, shown};

/// The policy.
pub struct ConfigurationDrift {
    config: Config,
    /// Component and resource of each entry of the baseline.
    subjects: Vec<(Symbol, Symbol)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inventory {
    values: Map<String, Value>,
}

impl Policy for ConfigurationDrift {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "configuration-drift",
            env!("CARGO_PKG_VERSION"),
            "Raises an alarm where a component reports another inventory than is intended.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { config: config.check()?, subjects: Vec::new() })
    }

    fn needs(&self) -> Needs {
        let entries = &self.config.baseline.components;
        let resources = entries.iter().filter(|entry| !entry.resource.is_empty());
        Needs {
            components: entries.iter().map(|entry| entry.component.clone()).collect(),
            resources: resources.map(|entry| entry.resource.clone()).collect(),
            objects: vec!["inventory".to_owned()],
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        let mut resources = symbols.resources.iter().copied().map(Symbol);
        let entries = self.config.baseline.components.iter().zip(&symbols.components);
        self.subjects = entries
            .map(|(entry, component)| {
                let resource = if entry.resource.is_empty() { None } else { resources.next() };
                (Symbol(*component), resource.unwrap_or(Symbol::NONE))
            })
            .collect();
    }

    fn object(&self, subject: &mut Subject<'_>, object: &Object) {
        let own = self.subjects.iter().position(|&of| of == (subject.component(), subject.resource()));
        let own = own.and_then(|place| self.config.baseline.components.get(place)).map(|entry| &entry.values);
        if own.is_none() && self.config.baseline.everywhere.is_empty() {
            // Nothing is intended of it: what it says need not be read.
            return;
        }
        let Ok(inventory) = serde_json::from_str::<Inventory>(&object.text) else { return };
        for (name, reported) in &inventory.values {
            let intended = own.and_then(|own| own.get(name)).or_else(|| self.config.baseline.everywhere.get(name));
            match intended {
                None => {}
                Some(intended) if agrees(intended, reported) => {
                    subject.clear(ALARM, name, format!("{name} is {}, as intended", shown(reported)));
                }
                Some(intended) => subject.raise(self.drift(name, intended, reported)),
            }
        }
    }
}

impl ConfigurationDrift {
    fn drift(&self, name: &str, intended: &Value, reported: &Value) -> Alarm {
        let (intended, reported) = (shown(intended), shown(reported));
        let text = format!("{name} is {reported}, intended is {intended}");
        let mut alarm = Alarm::new(ALARM, self.config.severity_of(name), text)
            .with_evidence("intended", intended)
            .with_evidence("reported", reported)
            .with_repair(&["Find out who changed it, and why.", "Change the component back, or the baseline."]);
        name.clone_into(&mut alarm.qualifier);
        alarm
    }
}

const ALARM: &str = "configuration-drift";

qkdn_plugin::register_policy!(ConfigurationDrift);

#[cfg(test)]
mod tests;
