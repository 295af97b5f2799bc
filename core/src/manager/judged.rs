//! Alarms as the API shows them: what the configuration of the policy that raised one says of it.
//!
//! Policies that watch one value write its name as `value`, and their levels as `raise_above` with `clear_below`, or
//! `raise_below` with `clear_above`, as `threshold` does. A policy that does otherwise has alarms without these members.

use serde_json::Value;

use super::{
    events::Judge,
    federation::announced::{Announced, links_of},
    in_force::Current,
};

use crate::{
    api::{unit, views::AlarmView},
    clock::wall_time,
    config::PolicyConfig,
    model::{Alarm, Catalogue},
};

/// Shows alarms by the policies that are in force at the moment, for those who tell them as they come.
pub(super) fn by(current: Current, announced: Announced) -> Judge {
    Box::new(move |alarm| marked(alarm, &current, &announced))
}

/// An alarm as the configuration in force and maintenance of links have it.
pub(super) fn marked(alarm: &Alarm, current: &Current, announced: &Announced) -> AlarmView {
    let in_force = current.get();
    let mut view = shown(alarm, in_force.plugins.set.policies.iter().map(|active| &active.config));
    let config = &in_force.config;
    view.maintenance = announced.mark(alarm, config.federation.as_ref(), &config.manager.domain, wall_time());
    view
}

/// Links to other domains that an alarm is about.
pub(super) fn links(alarm: &Alarm, current: &Current) -> Vec<String> {
    let in_force = current.get();
    in_force.config.federation.as_ref().map(|federation| links_of(alarm, federation)).unwrap_or_default()
}

/// An alarm with what its policy says of it, if it is a policy's and the policy is in force.
pub(super) fn shown<'a>(alarm: &Alarm, mut policies: impl Iterator<Item = &'a PolicyConfig>) -> AlarmView {
    let mut view = AlarmView::plain(alarm.clone());
    let name = alarm.raised_by.strip_prefix("policy:");
    let Some(policy) = name.and_then(|name| policies.find(|policy| policy.name == name)) else { return view };
    view.function = policy.function;
    let catalogue = Catalogue::get();
    let is_value = |name: &&str| {
        catalogue.performance.iter().any(|value| value.name == *name)
            || catalogue.state.iter().any(|value| value.name == *name)
    };
    let value = policy.config.get("value").and_then(Value::as_str).filter(is_value);
    view.value_name = value.map(str::to_owned);
    view.unit = value.and_then(unit::of).map(str::to_owned);
    view.clear_threshold = alarm.report.threshold.and_then(|threshold| clearing(&policy.config, threshold));
    view
}

/// The level at which an alarm clears that is raised at `threshold`: what stands beside it in the configuration.
fn clearing(config: &Value, threshold: f64) -> Option<f64> {
    match config {
        Value::Object(members) => {
            let pairs = [("raise_above", "clear_below"), ("raise_below", "clear_above")];
            let beside = pairs.into_iter().find_map(|(raise, clear)| {
                let same = members.get(raise)?.as_f64()?.to_bits() == threshold.to_bits();
                if same { members.get(clear)?.as_f64() } else { None }
            });
            beside.or_else(|| members.values().find_map(|member| clearing(member, threshold)))
        }
        Value::Array(items) => items.iter().find_map(|item| clearing(item, threshold)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alarm,
        config::{ComponentMatch, FcapsFunction, PluginSource, PolicyMode},
        model::{AlarmKey, AlarmReport, Severity, Timestamp},
    };

    fn raised(by: &str, threshold: Option<f64>, event_type: &str) -> Alarm {
        let key = AlarmKey {
            component: "mq/m-1".into(),
            resource: String::new(),
            alarm_type_id: "qber-threshold-exceeded".into(),
            alarm_type_qualifier: String::new(),
        };
        let report = AlarmReport {
            severity: Severity::Major,
            text: String::new(),
            event_type: event_type.into(),
            probable_cause: String::new(),
            observed: Some(0.1),
            threshold,
            repair_actions: Vec::new(),
            additional_information: Vec::new(),
        };
        alarm::raise(None, key, report, by, || 1, Timestamp(1)).unwrap()
    }

    #[test]
    fn an_alarm_of_a_policy_says_which_value_and_where_it_clears() {
        let config = serde_json::json!({ "value": "qber_ratio", "levels": [
            { "raise_above": 0.06, "clear_below": 0.05 }, { "raise_above": 0.11, "clear_below": 0.1 }] });
        let policy = PolicyConfig {
            name: "qber".into(),
            function: FcapsFunction::Security,
            plugin: PluginSource::Builtin("threshold".into()),
            sha256: None,
            applies_to: ComponentMatch::default(),
            mode: PolicyMode::Active,
            config,
        };
        let view = shown(&raised("policy:qber", Some(0.11), "quality-of-service"), [&policy].into_iter());
        assert_eq!((view.function, view.clear_threshold), (FcapsFunction::Security, Some(0.1)));
        assert_eq!((view.value_name.as_deref(), view.unit.as_deref()), (Some("qber_ratio"), Some("ratio")));
        let other = shown(&raised("policy:gone", Some(0.11), "physical-violation"), [&policy].into_iter());
        assert_eq!((other.function, other.value_name), (FcapsFunction::Security, None));
        let own = shown(&raised("component", None, "equipment"), [&policy].into_iter());
        assert_eq!((own.function, own.clear_threshold), (FcapsFunction::Fault, None));
    }
}
