//! Which word of which value is a failure: the table that ships, and what a configuration changes in it.

use qkdn_plugin::{Problem, Problems, Span, catalogue};
use serde::Deserialize;

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a failure must last before it is an alarm.
    pub hold_off: Option<Span>,
    /// Whether a component that an operator has locked raises alarms all the same.
    pub raise_while_locked: bool,
    /// Rules to add, to change, or to switch off.
    pub rules: Vec<RuleConfig>,
}

/// A rule as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Name of the value.
    pub value: String,
    /// The word that is a failure.
    pub word: String,
    /// Severity, or `off`.
    pub severity: String,
    /// Alarm type; absent: that of the rule it changes.
    pub alarm_type: Option<String>,
    /// What is wrong; absent: that of the rule it changes.
    pub text: Option<String>,
}

/// What a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) value: String,
    pub(crate) word: String,
    pub(crate) severity: String,
    pub(crate) alarm_type: String,
    pub(crate) text: String,
}

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) hold_off_ms: u64,
    pub(crate) raise_while_locked: bool,
    pub(crate) rules: Vec<Rule>,
}

/// Value, word, severity, alarm type, text.
const SHIPPED: [[&str; 5]; 20] = [
    ["operational_state", "disabled", "major", "component-failed", "the component is out of operation"],
    ["qkdi_status", "FAILED", "critical", "module-failed", "the QKD interface has failed"],
    ["qkdn_status", "DOWN", "major", "component-failed", "the QKD node is down"],
    ["qkdn_status", "FAILURE", "critical", "component-failed", "the QKD node has failed"],
    ["qkdl_status", "OFF", "critical", "link-down", "the QKD link is off"],
    ["app_status", "OUT-OF-TIME", "warning", "service-degraded", "the application's session has run out of time"],
    ["app_status", "ZOMBIE", "minor", "service-degraded", "the application's session is left over without its peer"],
    ["distillation_state", "aborted", "major", "secret-key-rate-zero", "key distillation was aborted"],
    ["switch_state", "failed", "major", "switch-failed", "the optical switch has failed"],
    ["relay_point_state", "failed", "critical", "relay-point-failed", "the quantum relay point has failed"],
    ["synchronization_state", "holdover", "minor", "synchronization-lost", "synchronization is in holdover"],
    ["synchronization_state", "lost", "major", "synchronization-lost", "synchronization is lost"],
    ["kma_link_state", "degraded", "minor", "kma-link-down", "the KMA link is degraded"],
    ["kma_link_state", "down", "major", "kma-link-down", "the KMA link is down"],
    ["ksa_link_state", "degraded", "minor", "ksa-link-down", "the KSA link is degraded"],
    ["ksa_link_state", "down", "major", "ksa-link-down", "the KSA link is down"],
    ["service_state", "degraded", "major", "service-degraded", "the service is degraded"],
    ["service_state", "unavailable", "critical", "service-degraded", "the service is unavailable"],
    ["usage_state", "busy", "off", "overload", "the component is busy"],
    ["qkdi_status", "DISABLED", "off", "module-failed", "the QKD interface is disabled"],
];

/// The value that says that an operator has taken a component out of service, and the word for it.
pub(crate) const ADMINISTRATIVE: (&str, &str) = ("administrative_state", "locked");

/// Most values that can be watched: each takes three numbers of a subject's state.
pub(crate) const MOST_VALUES: usize = 20;

const SEVERITIES: [&str; 6] = ["warning", "minor", "major", "critical", "indeterminate", "off"];

impl Config {
    /// Checks the configuration and lays it over the shipped table.
    pub(crate) fn check(&self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::new();
        let mut rules: Vec<Rule> = SHIPPED.iter().map(shipped).collect();
        for (index, given) in self.rules.iter().enumerate() {
            let at = |key: &str| format!("/rules/{index}/{key}");
            match catalogue::state(&given.value) {
                None => problems.add(at("value"), format!("`{}` is no state value of the catalogue", given.value)),
                Some(known) if known.words.is_empty() => {
                    problems
                        .add(at("value"), format!("`{}` is a flag; policy qber-security watches flags", given.value));
                }
                Some(known) if !known.words.contains(&given.word.as_str()) => {
                    let words = known.words.join("`, `");
                    problems.add(at("word"), format!("`{}` is none of `{words}`", given.word));
                }
                Some(_) => {}
            }
            if given.value == ADMINISTRATIVE.0 {
                problems.add(at("value"), "administrative_state is what an operator wants, not a failure");
            }
            if !SEVERITIES.contains(&given.severity.as_str()) {
                problems.add(at("severity"), format!("expected one of {}", SEVERITIES.join(", ")));
            }
            apply(&mut rules, given);
        }
        rules.retain(|rule| rule.severity != "off");
        let mut values: Vec<&str> = rules.iter().map(|rule| rule.value.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        if values.len() > MOST_VALUES {
            problems.add("/rules", format!("{} values are watched, at most {MOST_VALUES} can be", values.len()));
        }
        let hold_off_ms = self.hold_off.map_or(0, Span::millis);
        problems.or(Settings { hold_off_ms, raise_while_locked: self.raise_while_locked, rules })
    }
}

fn shipped([value, word, severity, alarm_type, text]: &[&str; 5]) -> Rule {
    let owned = |text: &str| text.to_owned();
    Rule {
        value: owned(value),
        word: owned(word),
        severity: owned(severity),
        alarm_type: owned(alarm_type),
        text: owned(text),
    }
}

fn apply(rules: &mut Vec<Rule>, given: &RuleConfig) {
    let is_it = |rule: &&mut Rule| rule.value == given.value && rule.word == given.word;
    match rules.iter_mut().find(is_it) {
        Some(rule) => {
            rule.severity.clone_from(&given.severity);
            if let Some(alarm_type) = &given.alarm_type {
                rule.alarm_type.clone_from(alarm_type);
            }
            if let Some(text) = &given.text {
                rule.text.clone_from(text);
            }
        }
        None => rules.push(Rule {
            value: given.value.clone(),
            word: given.word.clone(),
            severity: given.severity.clone(),
            alarm_type: given.alarm_type.clone().unwrap_or_else(|| "component-failed".to_owned()),
            text: given.text.clone().unwrap_or_else(|| format!("{} is {}", given.value, given.word)),
        }),
    }
}
