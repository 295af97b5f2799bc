//! Policy `key-usage`: consumed and supplied keys per application, user or peer, against quotas.
//!
//! In: usage intervals of key managers; the manager passes each `usageId` once. Out: `quota-exceeded`, a warning before a
//! quota is used up and more when it is, cleared when the period ends. Totals of all time are the manager's accounting; here
//! are those of the running period, kept for each (component, application).

mod quota;

use qkdn_plugin::policy::{Alarm, Needs, Object, Subject, Symbols};
use qkdn_plugin::{Description, Policy, Problem, Symbol};
use serde::Deserialize;

pub use quota::{Config, Named, Quota};
use quota::{Settings, Used};

/// The policy.
pub struct KeyUsage {
    settings: Settings,
    /// Symbols of the names with quotas of their own.
    named: Vec<Symbol>,
}

/// What counts of a usage object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Interval {
    consumed_bits: f64,
    supplied_keys: f64,
    relayed_bits: f64,
}

impl Policy for KeyUsage {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "key-usage",
            env!("CARGO_PKG_VERSION"),
            "Counts consumed and supplied keys per application, user or peer, and watches quotas.",
            include_str!("../schema.json"),
        )
    }

    fn configure(config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self { settings: config.check()?, named: Vec::new() })
    }

    fn needs(&self) -> Needs {
        Needs {
            resources: self.settings.named.iter().map(|(name, _)| name.clone()).collect(),
            state_width: Used::WIDTH as u32,
            objects: vec!["usage".to_owned()],
            object_resource: self.settings.per.clone(),
            ..Needs::default()
        }
    }

    fn bind(&mut self, symbols: &Symbols) {
        self.named = symbols.resources.iter().copied().map(Symbol).collect();
    }

    fn object(&self, subject: &mut Subject<'_>, object: &Object) {
        // The standard handlers have checked it; a vendor's may have let something else pass.
        let Ok(interval) = serde_json::from_str::<Interval>(&object.text) else { return };
        let mut used = Used::read(subject.state());
        self.turn(subject, &mut used);
        used.add(interval.consumed_bits, interval.supplied_keys, interval.relayed_bits);
        self.judge(subject, &mut used);
        used.write(subject.state_mut());
        subject.call_at(used.period as u64 + self.settings.period_ms);
    }

    fn due(&self, subject: &mut Subject<'_>) {
        let mut used = Used::read(subject.state());
        self.turn(subject, &mut used);
        used.write(subject.state_mut());
    }
}

impl KeyUsage {
    fn quota(&self, resource: Symbol) -> &Quota {
        let own = self.named.iter().position(|&symbol| symbol == resource);
        own.and_then(|place| self.settings.named.get(place)).map_or(&self.settings.quota, |(_, quota)| quota)
    }

    /// Ends the alarm of the period before, if a new one has begun.
    fn turn(&self, subject: &mut Subject<'_>, used: &mut Used) {
        if used.turn(subject.now(), self.settings.period_ms) && used.level > 0.0 {
            used.level = 0.0;
            subject.clear(ALARM, &self.settings.per, "a new period has begun");
        }
    }

    fn judge(&self, subject: &mut Subject<'_>, used: &mut Used) {
        let Some((what, is, allowed)) = used.furthest(self.quota(subject.resource())) else { return };
        let level = if is > allowed {
            2.0
        } else if is >= allowed * self.settings.warn_at {
            1.0
        } else {
            0.0
        };
        // Within a period usage only grows.
        if level <= used.level {
            return;
        }
        used.level = level;
        let severity = if level > 1.0 { self.settings.severity.as_str() } else { "warning" };
        let text = format!("{is} {what} of {allowed} allowed in this period ({:.0} %)", is / allowed * 100.0);
        let mut alarm = Alarm::new(ALARM, severity, text)
            .crossing(is, allowed)
            .with_evidence("bits consumed", used.consumed_bits.to_string())
            .with_evidence("keys supplied", used.supplied_keys.to_string())
            .with_evidence("bits relayed", used.relayed_bits.to_string())
            .with_evidence("period", format!("{} s", self.settings.period_ms / 1_000))
            .with_repair(&["Find out whether the demand is expected.", "Raise the quota, or limit the application."]);
        alarm.qualifier.clone_from(&self.settings.per);
        subject.raise(alarm);
    }
}

const ALARM: &str = "quota-exceeded";

qkdn_plugin::register_policy!(KeyUsage);

#[cfg(test)]
mod tests;
