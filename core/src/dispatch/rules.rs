//! What one configuration says of components: who may report, which handler and which policies see whom.
//!
//! In: `[[components]]`, `manager.enrolment`, and the globs of handlers and policies. Out: a card for each component. Pure
//! and unchanging: a reload makes new rules beside the old ones, and whoever works through a batch goes by one of them
//! from its beginning to its end.

use std::{collections::HashMap, fmt};

use super::{ComponentCard, Matcher};
use crate::{
    config::{ComponentConfig, Enrolment, HandlerConfig, PolicyConfig},
    model::{ComponentRef, ReferencePoint},
};

/// The rules of one configuration.
pub struct Rules {
    enrolment: Enrolment,
    components: HashMap<ComponentRef, ComponentConfig>,
    handlers: Vec<(ReferencePoint, Matcher)>,
    policies: Vec<Matcher>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("enrolment", &self.enrolment).finish_non_exhaustive()
    }
}

impl Rules {
    /// For handlers and policies that are in force, in the order of the configuration.
    #[must_use]
    pub fn new<'a>(
        enrolment: Enrolment,
        components: &[ComponentConfig],
        handlers: impl Iterator<Item = &'a HandlerConfig>,
        policies: impl Iterator<Item = &'a PolicyConfig>,
    ) -> Self {
        Self {
            enrolment,
            components: components.iter().map(|config| (config.component.clone(), config.clone())).collect(),
            handlers: handlers.map(|handler| (handler.reference_point, Matcher::new(&handler.matches))).collect(),
            policies: policies.map(|policy| Matcher::new(&policy.applies_to)).collect(),
        }
    }

    /// `manager.enrolment`
    #[must_use]
    pub const fn enrolment(&self) -> Enrolment {
        self.enrolment
    }

    /// The table of a component, if it has one.
    #[must_use]
    pub fn listed(&self, component: &ComponentRef) -> Option<&ComponentConfig> {
        self.components.get(component)
    }

    /// Whether the configuration leaves a component out for good: it is not listed, and only listed ones may report.
    #[must_use]
    pub fn excludes(&self, component: &ComponentRef) -> bool {
        self.enrolment == Enrolment::Listed && !self.components.contains_key(component)
    }

    /// The card of a component: first handler that matches, every policy that does.
    #[must_use]
    pub fn card(&self, component: &ComponentRef) -> ComponentCard {
        let listed = self.listed(component);
        let mut card = ComponentCard { listed: listed.is_some(), ..ComponentCard::default() };
        if let Some(config) = listed {
            card.vendor.clone_from(&config.vendor);
            card.model.clone_from(&config.model);
            card.version.clone_from(&config.version);
            card.site.clone_from(&config.site);
            card.tags.clone_from(&config.tags);
            card.expected_interval = config.expected_interval;
        }
        let handles = |(point, rule): &(ReferencePoint, Matcher)| {
            *point == component.reference_point && rule.matches(component, &card)
        };
        card.handler = self.handlers.iter().position(handles).unwrap_or(usize::MAX);
        card.policies = self.policies.iter().map(|rule| rule.matches(component, &card)).collect();
        card
    }
}
