//! Loads the handlers and policies of the configuration.

use std::{collections::BTreeMap, sync::Arc};

use super::plugin_versions::Versions;
use crate::{
    config::{ExchangeConfig, HandlerConfig, PluginKind, PolicyConfig, PolicyMode},
    model::{ObjectKind, SymbolTable},
    plugin::{Identity, LoadedExchange, LoadedHandler, LoadedPolicy, PluginError, PluginHost},
    shard::{ActiveHandler, ActivePolicy, PluginSet},
};

/// Plugins as loaded, for shards ([`Self::set`]) and for people.
#[derive(Debug)]
pub struct Plugins {
    /// In the order of the configuration.
    pub handlers: Vec<Arc<LoadedHandler>>,
    /// In the order of the configuration, those that are off left out.
    pub policies: Vec<Arc<LoadedPolicy>>,
    /// At the border of the domain, in the order of the configuration's list of them.
    pub exchange: Vec<Arc<LoadedExchange>>,
    /// What shards get.
    pub set: PluginSet,
    /// What was in force before, and what is not to be taken over.
    pub versions: Versions,
}

/// What is in force, to be taken from where it is the same.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// It.
    pub plugins: &'a Plugins,
    /// Plugins whose files are looked at, also those that were gone back from; the others stay as they are. `None`: all files are looked
    /// at, but for those that were gone back from.
    pub only: Option<&'a [String]>,
    /// Whether it was loaded under the same limits. Under others it is loaded again, but for what was gone back from, whose file has
    /// something else.
    pub same_limits: bool,
}

impl Before<'_> {
    /// Whether a plugin of this name stays as it is, whatever its file is.
    fn stays(&self, name: &str) -> bool {
        self.only.is_some_and(|only| only.iter().all(|one| one != name))
    }

    /// Whether a plugin that is found like this is the one in force, or counts as it.
    fn is_in_force(&self, name: &str, found: &Identity, in_force: &Identity) -> bool {
        let is_held_back = self.only.is_none() && self.plugins.versions.holds_back(name, &found.digest);
        is_held_back || self.same_limits && found == in_force
    }
}

/// A plugin that cannot be used, and whose it is.
#[derive(Debug)]
pub struct NotLoaded {
    /// The table.
    pub kind: PluginKind,
    /// `name` of the entry.
    pub name: String,
    /// Why.
    pub error: PluginError,
}

/// Loads everything; every problem is reported, not only the first. What is in `before`, loaded under the same limits from
/// the same bytes with the same configuration, is taken from there: its instances go on.
pub fn load(
    handlers: &[HandlerConfig],
    policies: &[PolicyConfig],
    host: &PluginHost,
    symbols: &SymbolTable,
    before: Option<Before<'_>>,
) -> Result<Plugins, Vec<NotLoaded>> {
    let mut problems = Vec::new();
    let mut active_handlers = Vec::new();
    for (index, config) in handlers.iter().enumerate() {
        // The standard handlers are appended last, one for each reference point.
        let is_of_point = |handler: &HandlerConfig| handler.reference_point == config.reference_point;
        let fallback = handlers.iter().rposition(is_of_point).unwrap_or(index);
        let follows = |then: &String| handlers.iter().position(|handler| handler.name == *then);
        let next = Next { fallback, then: config.then.as_ref().and_then(follows) };
        match handler(config, next, host, symbols, before) {
            Ok(loaded) => active_handlers.push(loaded),
            Err(error) => problems.push(NotLoaded { kind: PluginKind::Handler, name: config.name.clone(), error }),
        }
    }
    let mut active_policies = Vec::new();
    for config in policies.iter().filter(|policy| policy.mode != PolicyMode::Off) {
        match policy(config, host, symbols, before) {
            Ok(loaded) => active_policies.push(loaded),
            Err(error) => problems.push(NotLoaded { kind: PluginKind::Policy, name: config.name.clone(), error }),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (active_handlers, handlers) = active_handlers.into_iter().unzip();
    let (active_policies, policies) = active_policies.into_iter().unzip();
    let set = PluginSet { handlers: active_handlers, policies: active_policies };
    Ok(Plugins { set, handlers, policies, exchange: Vec::new(), versions: Versions::default() })
}

/// Loads the policies at the border of the domain; every problem is reported. What is in `before` is taken from there if it is the
/// same: it remembers what it has to.
pub fn load_exchange(
    configs: &[ExchangeConfig],
    host: &PluginHost,
    before: Option<(&[ExchangeConfig], &Plugins)>,
) -> Result<Vec<Arc<LoadedExchange>>, Vec<NotLoaded>> {
    let (mut loaded, mut problems) = (Vec::new(), Vec::new());
    for config in configs {
        match exchange(config, host, before) {
            Ok(policy) => loaded.push(policy),
            Err(error) => problems.push(NotLoaded { kind: PluginKind::Exchange, name: config.name(), error }),
        }
    }
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

fn exchange(
    config: &ExchangeConfig,
    host: &PluginHost,
    before: Option<(&[ExchangeConfig], &Plugins)>,
) -> Result<Arc<LoadedExchange>, PluginError> {
    let known = before.and_then(|(configs, plugins)| {
        let mut pairs = configs.iter().zip(&plugins.exchange);
        pairs.find(|(known, _)| *known == config).map(|(_, loaded)| loaded)
    });
    if let Some(loaded) = known
        && host.identity(&config.name(), &config.plugin)? == *loaded.identity()
    {
        return Ok(Arc::clone(loaded));
    }
    host.load_exchange(config)
}

/// Whom a handler's reports go to: where it fails, and where it accepts them.
#[derive(Clone, Copy)]
struct Next {
    fallback: usize,
    then: Option<usize>,
}

fn handler(
    config: &HandlerConfig,
    Next { fallback, then }: Next,
    host: &PluginHost,
    symbols: &SymbolTable,
    before: Option<Before<'_>>,
) -> Result<(ActiveHandler, Arc<LoadedHandler>), PluginError> {
    let known = before.and_then(|before| {
        let mut pairs = before.plugins.set.handlers.iter().zip(&before.plugins.handlers);
        Some((before, pairs.find(|(active, _)| active.config.name == config.name)?))
    });
    if let Some((before, (active, loaded))) = known
        && (active.config.plugin == config.plugin && active.config.sha256 == config.sha256)
        && (active.config.reference_point == config.reference_point && active.config.config == config.config)
        && (before.stays(&config.name)
            || before.is_in_force(&config.name, &host.identity(&config.name, &config.plugin)?, loaded.identity()))
    {
        return Ok((ActiveHandler { config: config.clone(), fallback, then, ..active.clone() }, Arc::clone(loaded)));
    }
    let loaded = host.load_handler(config, symbols)?;
    let active = ActiveHandler {
        symbol: symbols.intern(&config.name).0,
        fallback,
        then,
        reads_alarms: loaded.needs().objects.contains(&ObjectKind::Alarm),
        make: make_handler(&loaded),
        digest: loaded.digest().into(),
        config: config.clone(),
    };
    Ok((active, loaded))
}

fn policy(
    config: &PolicyConfig,
    host: &PluginHost,
    symbols: &SymbolTable,
    before: Option<Before<'_>>,
) -> Result<(ActivePolicy, Arc<LoadedPolicy>), PluginError> {
    let known = before.and_then(|before| {
        let mut pairs = before.plugins.set.policies.iter().zip(&before.plugins.policies);
        Some((before, pairs.find(|(active, _)| active.config.name == config.name)?))
    });
    if let Some((before, (active, loaded))) = known
        && (active.config.plugin == config.plugin && active.config.sha256 == config.sha256)
        && active.config.config == config.config
        && (before.stays(&config.name)
            || before.is_in_force(&config.name, &host.identity(&config.name, &config.plugin)?, loaded.identity()))
    {
        return Ok((ActivePolicy { config: config.clone(), ..active.clone() }, Arc::clone(loaded)));
    }
    let loaded = host.load_policy(config, symbols)?;
    let active = ActivePolicy {
        symbol: symbols.intern(&config.name).0,
        needs: loaded.needs().clone(),
        make: make_policy(&loaded),
        digest: loaded.digest().into(),
        version: loaded.description().version.as_str().into(),
        config: config.clone(),
    };
    Ok((active, loaded))
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
    /// SHA-256 of each plugin in force, by its configured name.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        let handlers = self.handlers.iter().map(|loaded| (loaded.name().to_owned(), loaded.digest().to_owned()));
        handlers
            .chain(self.policies.iter().map(|loaded| (loaded.name().to_owned(), loaded.digest().to_owned())))
            .collect()
    }
}
