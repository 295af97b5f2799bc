//! Why a component's reports go to the handler that takes them, and which policies see it: the rules of the configuration in force,
//! one by one, with what keeps each from applying.
//!
//! In: the configuration, a component, known or not. Out: a view for people. Decides nothing: that is `dispatch`'s, which this asks.

use super::in_force::InForce;
use crate::{
    api::views::{ExplanationView, RuleView},
    config::PolicyMode,
    dispatch::Matcher,
    model::ComponentRef,
};

/// The explanation for a component; `is_known`: whether the manager has met it.
pub(super) fn explanation(in_force: &InForce, component: &ComponentRef, is_known: bool) -> ExplanationView {
    let card = in_force.rules.card(component);
    let mut taken_by: Option<&str> = None;
    let mut handlers = Vec::new();
    for handler in &in_force.config.handlers {
        if handler.reference_point != component.reference_point {
            continue;
        }
        let mismatch = Matcher::new(&handler.matches).mismatch(component, &card);
        let (applies, why) = match (mismatch, taken_by) {
            (Some(mismatch), _) => (false, mismatch.to_string()),
            (None, Some(first)) => (false, format!("it would match, and `{first}` stands before it")),
            (None, None) => {
                taken_by = Some(&handler.name);
                (true, "the first that matches".to_owned())
            }
        };
        let plugin = handler.plugin.to_string();
        handlers.push(RuleView { name: handler.name.clone(), plugin, applies, why });
    }
    let policy = |policy: &crate::config::PolicyConfig| {
        let mismatch = Matcher::new(&policy.applies_to).mismatch(component, &card);
        let (applies, why) = match (mismatch, policy.mode) {
            (Some(mismatch), _) => (false, mismatch.to_string()),
            (None, PolicyMode::Off) => (false, "its mode is off".to_owned()),
            (None, PolicyMode::Shadow) => (true, "it matches; in mode shadow its verdicts are only logged".to_owned()),
            (None, PolicyMode::Active) => (true, "it matches".to_owned()),
        };
        RuleView { name: policy.name.clone(), plugin: policy.plugin.to_string(), applies, why }
    };
    ExplanationView {
        component: component.clone(),
        is_known,
        configured: card.listed,
        vendor: card.vendor.clone(),
        model: card.model.clone(),
        site: card.site.clone(),
        tags: card.tags.clone(),
        handlers,
        policies: in_force.config.policies.iter().map(policy).collect(),
    }
}
