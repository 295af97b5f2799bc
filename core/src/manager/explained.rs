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
    let handler = |(position, handler): (usize, &HandlerConfig)| {
        let applies = position == card.handler;
        let why = match Matcher::new(&handler.matches).mismatch(component, &card) {
            Some(mismatch) => mismatch.to_string(),
            None if applies => "the first that matches".to_owned(),
            None => format!("it would match, and `{taken_by}` stands before it"),
        };
        RuleView { name: handler.name.clone(), plugin: handler.plugin.to_string(), applies, why }
    };
    let of_point = |(_, handler): &(usize, &HandlerConfig)| handler.reference_point == component.reference_point;
    let handlers = configured.iter().enumerate().filter(of_point).map(handler).collect();
    let policy = |policy: &PolicyConfig| {
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
        collector: in_force
            .config
            .collectors
            .iter()
            .find(|collector| collector.components.contains(component))
            .map(|collector| format!("{} ({})", collector.name, collector.plugin)),
        handlers,
        policies: in_force.config.policies.iter().map(policy).collect(),
    }
}
