//! Why an alarm was raised, in a line for a person: who raised it, for which FCAPS function, and on what evidence. Made from what the API says of
//! alarms and policies; nothing is asked here.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{config::FcapsFunction, model::Alarm};

/// Facts that are told of an alarm; the rest is in `qkdnm alarm show`.
const FACTS: usize = 4;

/// A policy, as the API lists it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct PolicyKnown {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub function: FcapsFunction,
    /// What decides.
    pub plugin: String,
}

/// The policies of a manager, by name.
#[derive(Clone, Debug, Default)]
pub struct Policies(HashMap<String, PolicyKnown>);

impl FromIterator<PolicyKnown> for Policies {
    fn from_iter<I: IntoIterator<Item = PolicyKnown>>(policies: I) -> Self {
        Self(policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect())
    }
}

impl Policies {
    /// Why an alarm was raised.
    #[must_use]
    pub fn reason(&self, alarm: &Alarm) -> String {
        let who = self.who(alarm);
        let evidence = evidence(alarm);
        if evidence.is_empty() { who } else { format!("{who}: {}", evidence.join(", ")) }
    }

    fn who(&self, alarm: &Alarm) -> String {
        let Some(name) = alarm.raised_by.strip_prefix("policy:") else {
            return match alarm.raised_by.as_str() {
                "component" => "the component says so itself".to_owned(),
                "manager" => "the manager's own observation".to_owned(),
                other => other.to_owned(),
            };
        };
        match self.0.get(name) {
            Some(policy) => format!("policy {name} ({}, {})", policy.function.as_str(), policy.plugin),
            None => format!("policy {name}"),
        }
    }
}

fn evidence(alarm: &Alarm) -> Vec<String> {
    let facts = alarm.report.additional_information.iter().map(|fact| format!("{} {}", fact.name, fact.value));
    let number = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {}", figure(value)));
    let numbers = [number("observed", alarm.report.observed), number("limit", alarm.report.threshold)];
    numbers.into_iter().flatten().chain(facts).take(FACTS).collect()
}

/// A number as a person wants it: four digits after the point at most, none where it is large.
fn figure(value: f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.4}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
