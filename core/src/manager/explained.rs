//! Why a component's reports go to the handler that takes them, and which policies see it: the rules of the configuration in force,
//! one by one, with what keeps each from applying.
//!
//! In: the configuration, a component, known or not. Out: a view for people. Decides nothing: that is `dispatch`'s, which this asks.

use super::in_force::InForce;
use crate::{
    api::views::{ExplanationView, RuleView},
    config::{HandlerConfig, PolicyConfig, PolicyMode},
    dispatch::Matcher,
    model::ComponentRef,
};

/// The explanation for a component; `is_known`: whether the manager has met it.
pub(super) fn explanation(in_force: &InForce, component: &ComponentRef, is_known: bool) -> ExplanationView {
    let card = in_force.rules.card(component);
    let configured = &in_force.config.handlers;
    let taken_by = configured.get(card.handler).map_or("", |handler| handler.name.as_str());
    let chain = in_force.plugins.set.chain(card.handler);
    let handler = |(position, handler): (usize, &HandlerConfig)| {
        let step = chain.iter().position(|one| *one == position).map(|before| before + 1);
        let why = match (step, Matcher::new(&handler.matches).mismatch(component, &card), &handler.then) {
            (Some(1), _, None) => "the first that matches".to_owned(),
            (Some(1), _, Some(then)) => format!("the first that matches; what it accepts goes through `{then}`"),
            (Some(step), ..) => {
                let before = chain.get(step - 2).and_then(|before| configured.get(*before));
                let before = before.map_or("", |before| before.name.as_str());
                let on = handler.then.as_ref().map_or_else(String::new, |then| format!(", and then through `{then}`"));
                format!("what `{before}` accepts goes through it{on}")
            }
            (None, Some(mismatch), _) => mismatch.to_string(),
            (None, None, _) => format!("it would match, and `{taken_by}` stands before it"),
        };
        let (name, plugin) = (handler.name.clone(), handler.plugin.to_string());
        RuleView { name, plugin, applies: step.is_some(), step, why }
    };
    let of_point = |(_, handler): &(usize, &HandlerConfig)| handler.reference_point == component.reference_point;
    let handlers = configured.iter().enumerate().filter(of_point).map(handler).collect();
    let mut before: Vec<&PolicyConfig> = Vec::new();
    let mut rules = Vec::new();
    for policy in &in_force.config.policies {
        let mismatch = Matcher::new(&policy.applies_to).mismatch(component, &card);
        let (applies, why) = match (mismatch, policy.mode) {
            (Some(mismatch), _) => (false, mismatch.to_string()),
            (None, PolicyMode::Off) => (false, "its mode is off".to_owned()),
            (None, PolicyMode::Shadow) => (true, "it matches; in mode shadow its verdicts are only logged".to_owned()),
            (None, PolicyMode::Active) => match before.iter().find(|one| one.plugin == policy.plugin) {
                None => (true, "it matches".to_owned()),
                Some(one) => (
                    true,
                    format!(
                        "it matches, as does `{}` of the same plugin: an alarm that both name alike is shared",
                        one.name
                    ),
                ),
            },
        };
        before.extend(applies.then_some(policy));
        let step = applies.then_some(before.len());
        rules.push(RuleView { name: policy.name.clone(), plugin: policy.plugin.to_string(), applies, step, why });
    }
    ExplanationView {
        component: component.clone(),
        is_known,
        configured: card.listed,
        vendor: card.vendor.clone(),
        model: card.model.clone(),
        version: card.version.clone(),
        site: card.site.clone(),
        tags: card.tags.clone(),
        collector: in_force
            .config
            .collectors
            .iter()
            .find(|collector| collector.components.contains(component))
            .map(|collector| format!("{} ({})", collector.name, collector.plugin)),
        handlers,
        policies: rules,
    }
}
