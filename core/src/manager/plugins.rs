//! Loads the handlers and policies of the configuration, and says which of them see a component.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::{ComponentConfig, HandlerConfig, PolicyConfig, PolicyMode},
    dispatch::{ComponentCard, Matcher},
    model::{ComponentRef, SymbolTable},
    plugin::{LoadedHandler, LoadedPolicy, PluginError, PluginHost},
    shard::{ActiveHandler, ActivePolicy, PluginSet},
};

/// Plugins as loaded, for shards ([`Self::set`]) and for people.
#[derive(Debug)]
pub struct Plugins {
    /// In the order of the configuration.
    pub handlers: Vec<Arc<LoadedHandler>>,
    /// In the order of the configuration, those that are off left out.
    pub policies: Vec<Arc<LoadedPolicy>>,
    /// What shards get.
    pub set: PluginSet,
    handler_rules: Vec<Matcher>,
    policy_rules: Vec<Matcher>,
}

/// Loads everything; every problem is reported, not only the first.
pub fn load(
    handlers: &[HandlerConfig],
    policies: &[PolicyConfig],
    host: &PluginHost,
    symbols: &SymbolTable,
) -> Result<Plugins, Vec<PluginError>> {
    let (handler_configs, policy_configs) = (handlers, policies);
    let mut problems = Vec::new();
    let mut take = |error| problems.push(error);
    let mut handlers = Vec::new();
    for handler in handler_configs {
        handlers.extend(host.load_handler(handler, symbols).map_err(&mut take).ok());
    }
    let in_force: Vec<_> = policy_configs.iter().filter(|policy| policy.mode != PolicyMode::Off).collect();
    let mut policies = Vec::new();
    for policy in &in_force {
        policies.extend(host.load_policy(policy, symbols).map_err(&mut take).ok());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let standard = |index: usize| {
        let point = handler_configs.get(index).map(|handler| handler.reference_point);
        // The standard handlers are appended last, one for each reference point.
        handler_configs.iter().rposition(|handler| Some(handler.reference_point) == point).unwrap_or(index)
    };
    let active_handlers =
        handler_configs.iter().zip(&handlers).enumerate().map(|(index, (handler, loaded))| ActiveHandler {
            symbol: symbols.intern(&handler.name).0,
            fallback: standard(index),
            make: make_handler(loaded),
            config: handler.clone(),
        });
    let active_policies = in_force.iter().zip(&policies).map(|(policy, loaded)| ActivePolicy {
        symbol: symbols.intern(&policy.name).0,
        needs: loaded.needs().clone(),
        make: make_policy(loaded),
        config: (*policy).clone(),
    });
    Ok(Plugins {
        set: PluginSet { handlers: active_handlers.collect(), policies: active_policies.collect() },
        handler_rules: handler_configs.iter().map(|handler| Matcher::new(&handler.matches)).collect(),
        policy_rules: in_force.iter().map(|policy| Matcher::new(&policy.applies_to)).collect(),
        handlers,
        policies,
    })
}

fn make_handler(
    loaded: &Arc<LoadedHandler>,
) -> Arc<dyn Fn() -> Result<Box<dyn crate::plugin::InterfaceHandler>, crate::plugin::PluginFailure> + Send + Sync> {
    let loaded = Arc::clone(loaded);
    Arc::new(move || loaded.instantiate())
}

fn make_policy(
    loaded: &Arc<LoadedPolicy>,
) -> Arc<dyn Fn() -> Result<Box<dyn crate::plugin::FcapsPolicy>, crate::plugin::PluginFailure> + Send + Sync> {
    let loaded = Arc::clone(loaded);
    Arc::new(move || loaded.instantiate())
}

impl Plugins {
    /// The card of a component: first matching handler, every matching policy. `listed` is its table in the
    /// configuration, if it has one.
    #[must_use]
    pub fn card(&self, component: &ComponentRef, listed: Option<&ComponentConfig>) -> ComponentCard {
        let mut card = ComponentCard { listed: listed.is_some(), ..ComponentCard::default() };
        if let Some(config) = listed {
            card.vendor.clone_from(&config.vendor);
            card.model.clone_from(&config.model);
            card.site.clone_from(&config.site);
            card.tags.clone_from(&config.tags);
            card.expected_interval = config.expected_interval;
        }
        let handles = |(handler, rule): (&ActiveHandler, &Matcher)| {
            handler.config.reference_point == component.reference_point && rule.matches(component, &card)
        };
        card.handler = self.set.handlers.iter().zip(&self.handler_rules).position(handles).unwrap_or(usize::MAX);
        card.policies = self.policy_rules.iter().map(|rule| rule.matches(component, &card)).collect();
        card
    }

    /// SHA-256 of each plugin in force, by its configured name.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        let handlers = self.handlers.iter().map(|loaded| (loaded.name().to_owned(), loaded.digest().to_owned()));
        handlers
            .chain(self.policies.iter().map(|loaded| (loaded.name().to_owned(), loaded.digest().to_owned())))
            .collect()
    }
}
